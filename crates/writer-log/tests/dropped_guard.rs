//! A guard that is dropped at once: each case in a process of its own.
#![allow(missing_docs, clippy::unwrap_used)]

#[path = "../../writer-tracing/tests/support/dropped_guard.rs"]
mod dropped_guard;

use dropped_guard::path_of_child;

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
