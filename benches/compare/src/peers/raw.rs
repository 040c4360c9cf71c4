//! Lines that exist already, and nothing at all.

use std::cell::RefCell;
use std::hint::black_box;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::OnceLock;

use tracing_appender::non_blocking::{NonBlocking, WorkerGuard};
use writer_benches::{LINE_BYTES, line};

use super::create;
use super::tracing_users::lossless;
use crate::case::Running;

pub fn no_op(_: &Path) -> Running {
    Running::new(
        |number| {
            black_box(number);
        },
        || (),
    )
}

fn with_appender((writer, guard): (NonBlocking, WorkerGuard)) -> Running {
    static WRITER: OnceLock<(NonBlocking, Vec<u8>)> = OnceLock::new();
    thread_local! {
        static MINE: RefCell<NonBlocking> =
            RefCell::new(WRITER.get().expect("a writer").0.clone());
    }
    WRITER.set((writer, line(LINE_BYTES))).expect("one case in a process");
    let event = |_| {
        let (_, line) = WRITER.get().expect("a writer");
        MINE.with_borrow_mut(|mine| mine.write_all(line)).expect("a running writer");
    };
    Running::new(event, || drop(guard))
}

pub fn appender(folder: &Path) -> Running {
    with_appender(lossless(create(folder)))
}

pub fn appender_buffered(folder: &Path) -> Running {
    with_appender(lossless(BufWriter::new(create(folder))))
}
