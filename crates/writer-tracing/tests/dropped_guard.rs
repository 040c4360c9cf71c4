//! A guard that is dropped at once: each case in a process of its own.
#![allow(missing_docs, clippy::unwrap_used)]

#[path = "support/dropped_guard.rs"]
mod dropped_guard;

use dropped_guard::path_of_child;
use tracing_subscriber::prelude::*;
use writer_tracing::WriterGuard;

fn init(path: &std::ffi::OsStr) -> WriterGuard {
    let (layer, guard) = writer_tracing::layer(path).unwrap();
    tracing_subscriber::registry().with(layer).init();
    guard
}

/// Three records, one of them from another thread.
fn log_three() {
    tracing::info!("first");
    std::thread::scope(|scope| drop(scope.spawn(|| tracing::info!("second"))));
    tracing::info!("third");
}

#[test]
fn the_child_that_drops_it() {
    let Some(path) = path_of_child() else { return };
    let _ = init(&path);
    log_three();
}

#[test]
fn the_child_that_keeps_it() {
    let Some(path) = path_of_child() else { return };
    let _guard = init(&path);
    log_three();
}
