//! Where a program takes writers: through panics that it catches, and to other threads.

use std::panic::{RefUnwindSafe, UnwindSafe, catch_unwind};

use writer_core::json::{CallSite, EncodedSpan, Format, FormatBuilder, SpanLines, SpanList};
use writer_core::{BuildError, FlushError, ReopenError, SendError, ShutdownError, WriteError};
use writer_core::{Config, LineWriter, Losses, Metrics, Writer, WriterBuilder, WriterGuard};

#[test]
fn threads_may_pass_on_and_share_what_a_program_keeps() {
    fn may<T: Send + Sync + 'static>() {}
    may::<(Writer, WriterGuard, LineWriter, Config, Metrics, Losses)>();
    may::<(BuildError, SendError, FlushError, ReopenError, ShutdownError, WriteError)>();
    may::<(FormatBuilder, Format, CallSite, EncodedSpan, SpanList, SpanLines)>();

    fn may_be_passed_on<T: Send + 'static>() {}
    may_be_passed_on::<WriterBuilder>();
}

#[test]
fn handles_and_guards_may_go_through_a_panic_that_is_caught() {
    fn may<T: UnwindSafe + RefUnwindSafe>() {}
    may::<Writer>();
    may::<WriterGuard>();
    may::<LineWriter>();

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.jsonl");
    let (writer, guard) = Writer::builder(&path).build().unwrap();
    let also = writer.clone();
    let caught = catch_unwind(move || {
        let _guard = guard;
        also.send("before the panic").unwrap();
        panic!("on purpose");
    });
    assert!(caught.is_err());
    assert!(!writer.is_running(), "the guard is gone");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "before the panic\n");
}
