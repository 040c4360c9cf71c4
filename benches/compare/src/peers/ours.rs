//! The writer of this repository.

use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use tracing_subscriber::prelude::*;
use writer_benches::{LINE_BYTES, line};
use writer_core::{Mode, Strategy, Writer, WriterBuilder, WriterGuard};

use super::{FILE, log_event, tracing_event};
use crate::case::Running;

fn builder(folder: &Path) -> WriterBuilder {
    Writer::builder(folder.join(FILE))
}

fn end(guard: WriterGuard) -> impl FnOnce() {
    move || guard.shutdown(Duration::from_secs(60)).expect("a complete shutdown")
}

fn with_tracing(writer: WriterBuilder) -> Running {
    let (layer, guard) = writer_tracing::builder(writer).build().expect("a layer");
    tracing_subscriber::registry().with(layer).init();
    Running::new(tracing_event, end(guard))
}

pub fn tracing(folder: &Path) -> Running {
    with_tracing(builder(folder))
}

pub fn tracing_mmap(folder: &Path) -> Running {
    with_tracing(builder(folder).strategy(Strategy::MemoryMapped))
}

pub fn tracing_loop(folder: &Path) -> Running {
    with_tracing(builder(folder).mode(Mode::Loop))
}

fn with_log(writer: WriterBuilder) -> Running {
    let guard = writer_log::builder(writer).filter("info").init().expect("a logger");
    Running::new(log_event, end(guard))
}

pub fn log(folder: &Path) -> Running {
    with_log(builder(folder))
}

pub fn log_line(folder: &Path) -> Running {
    with_log(builder(folder).strategy(Strategy::LineBuffered))
}

pub fn log_synchronous(folder: &Path) -> Running {
    with_log(builder(folder).synchronous(true))
}

pub fn encode(_: &Path) -> Running {
    Running::new(writer_benches::encode, || ())
}

fn with_lines(writer: WriterBuilder) -> Running {
    static RUNNING: OnceLock<(Writer, Vec<u8>)> = OnceLock::new();
    let (writer, guard) = writer.build().expect("a writer");
    RUNNING.set((writer, line(LINE_BYTES))).expect("one case in a process");
    let event = |_| {
        let (writer, line) = RUNNING.get().expect("a writer");
        writer.send(line).expect("a running writer");
    };
    Running::new(event, end(guard))
}

pub fn raw(folder: &Path) -> Running {
    with_lines(builder(folder))
}

pub fn raw_mmap(folder: &Path) -> Running {
    with_lines(builder(folder).strategy(Strategy::MemoryMapped))
}
