//! A guard that is dropped at once: each case in a process of its own.
#![allow(missing_docs, clippy::unwrap_used)]

#[path = "../../writer-tracing/tests/support/dropped_guard.rs"]
mod dropped_guard;

use dropped_guard::{path_of_child, run};

/// Three records, one of them from another thread.
fn log_three() {
    log::info!("first");
    std::thread::scope(|scope| drop(scope.spawn(|| log::info!("second"))));
    log::info!("third");
}

#[test]
fn the_child_that_drops_it() {
    let Some(path) = path_of_child() else { return };
    let _ = writer_log::init(path).unwrap();
    log_three();
}

#[test]
fn the_child_that_keeps_it() {
    let Some(path) = path_of_child() else { return };
    let _guard = writer_log::init(path).unwrap();
    log_three();
}

/// The last lines are told of when none can come any more.
#[test]
fn the_child_whose_callback_logs() {
    let Some(path) = path_of_child() else { return };
    let tell = |lines| log::info!("{lines} lines were written");
    let _guard = writer_log::builder(path).on_write(tell).init().unwrap();
    log_three();
}

#[test]
fn whose_callback_logs_to_the_last_is_told_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.jsonl");
    let output = run("the_child_whose_callback_logs", &path);
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    assert!(std::fs::read_to_string(&path).unwrap().lines().count() >= 3);
}
