//! Loggers behind `tracing`.

use std::io::{BufWriter, Write};
use std::path::Path;

use tracing_appender::non_blocking::{NonBlocking, NonBlockingBuilder, WorkerGuard};

use super::{create, tracing_event};
use crate::case::Running;

/// tracing-appender's writer that waits when its queue is full.
pub fn lossless(to: impl Write + Send + 'static) -> (NonBlocking, WorkerGuard) {
    NonBlockingBuilder::default().lossy(false).finish(to)
}

fn with_fmt((writer, guard): (NonBlocking, WorkerGuard)) -> Running {
    tracing_subscriber::fmt().json().with_writer(writer).init();
    Running::new(tracing_event, || drop(guard))
}

pub fn fmt_json(folder: &Path) -> Running {
    with_fmt(lossless(create(folder)))
}

pub fn fmt_json_buffered(folder: &Path) -> Running {
    with_fmt(lossless(BufWriter::new(create(folder))))
}

pub fn fmt_json_lossy(folder: &Path) -> Running {
    with_fmt(tracing_appender::non_blocking(create(folder)))
}

pub fn json_subscriber(folder: &Path) -> Running {
    let (writer, guard) = lossless(create(folder));
    json_subscriber::fmt().with_writer(writer).init();
    Running::new(tracing_event, || drop(guard))
}
