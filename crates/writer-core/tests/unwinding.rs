//! Panics of the program while it has a writer.
#![allow(missing_docs, clippy::unwrap_used)]

use std::panic::{RefUnwindSafe, UnwindSafe, catch_unwind};

use writer_core::{LineWriter, Writer, WriterGuard};

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
