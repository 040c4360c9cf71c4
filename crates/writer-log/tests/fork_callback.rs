//! The callback of a restarted child logs to the last, and nobody is told to keep a guard alive
//! that is. One process, one test.
#![cfg(unix)]
#![allow(missing_docs, clippy::unwrap_used)]

#[path = "../../writer-tracing/tests/support/fork.rs"]
mod fork;

use fork::{End, in_child};

#[test]
fn a_restarted_child_whose_callback_logs_to_the_last_is_told_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (path, errors) = (folder.path().join("app.jsonl"), folder.path().join("errors"));
    let tell = |lines| log::info!("{lines} lines were written");
    let guard = writer_log::builder(&path).on_write(tell).init().unwrap();
    in_child(&errors, End::Exit, || {
        guard.restart_after_fork().unwrap();
        log::info!("of the child");
    });
    assert_eq!(std::fs::read_to_string(&errors).unwrap(), "");
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text.matches("of the child").count(), 1, "{text}");
}
