//! A forked child logs: nothing of it reaches the parent's file, it neither hangs nor panics, and
//! it counts. One process, one test.
#![cfg(unix)]
#![allow(missing_docs, clippy::unwrap_used)]

#[path = "../../writer-tracing/tests/support/fork.rs"]
mod fork;

use std::time::Duration;

use fork::{End, in_child};

#[test]
fn a_forked_child_rejects_and_counts_and_the_parent_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.jsonl");
    let guard = writer_log::builder(&path).filter("info").init().unwrap();
    log::info!(n = 1; "parent");

    in_child(&folder.path().join("errors"), End::Exit, || {
        (0..100).for_each(|n| log::info!(n = n; "child {n}"));
        log::logger().flush();
        let metrics = guard.writer().metrics();
        assert_eq!((metrics.rejected, metrics.sent), (100, 100));
    });

    log::info!(n = 2; "parent");
    guard.shutdown(Duration::from_secs(10)).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!((text.lines().count(), text.matches("child").count()), (2, 0), "{text}");
    assert_eq!(guard.writer().metrics().written, 2);
}
