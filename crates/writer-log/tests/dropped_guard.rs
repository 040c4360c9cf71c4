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

/// What was registered first runs last, when the writer has ended with the process.
#[test]
#[cfg(unix)]
#[allow(unsafe_code)]
fn the_child_that_logs_at_its_very_end() {
    extern "C" fn log_at_exit() {
        log::info!("too late");
    }
    let Some(path) = path_of_child() else { return };
    // SAFETY: the function may be called at any time, and does not unwind.
    assert_eq!(unsafe { libc::atexit(log_at_exit) }, 0);
    std::mem::forget(writer_log::init(path).unwrap());
    log_three();
}

/// It was told to keep its guard alive.
#[test]
#[cfg(unix)]
fn who_logs_while_the_process_ends_is_told_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.jsonl");
    let output = run("the_child_that_logs_at_its_very_end", &path);
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 3);
}

#[test]
fn whose_callback_logs_to_the_last_is_told_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.jsonl");
    let output = run("the_child_whose_callback_logs", &path);
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    assert!(std::fs::read_to_string(&path).unwrap().lines().count() >= 3);
}
