//! A forked child logs: nothing of it reaches the parent's file, it neither hangs nor panics, and
//! it counts. One process, one test.
#![cfg(unix)]
#![allow(missing_docs, clippy::unwrap_used, unsafe_code)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

#[test]
fn a_forked_child_rejects_and_counts_and_the_parent_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.jsonl");
    let guard = writer_log::builder(&path).filter("info").init().unwrap();
    log::info!(n = 1; "parent");

    // SAFETY: the child calls the logger, which before a restart waits for no lock that a thread of
    // the parent may hold, and the allocator, which the C library brings over a fork. It ends at once
    // without destructors.
    let child = unsafe { libc::fork() };
    assert!(child >= 0);
    if child == 0 {
        // A child that hangs is ended by this.
        // SAFETY: an alarm has no preconditions.
        unsafe { libc::alarm(20) };
        let rejects = catch_unwind(AssertUnwindSafe(|| {
            (0..100).for_each(|n| log::info!(n = n; "child {n}"));
            log::logger().flush();
            let metrics = guard.writer().metrics();
            metrics.rejected == 100 && metrics.sent == 100
        }));
        let code = match rejects {
            Ok(true) => 0,
            Ok(false) => 1,
            Err(_) => 2,
        };
        // SAFETY: ends the child.
        unsafe { libc::_exit(code) };
    }
    let mut status = 0;
    // SAFETY: `status` is valid for the call.
    assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
    assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0, "{status:#x}");

    log::info!(n = 2; "parent");
    guard.shutdown(Duration::from_secs(10)).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!((text.lines().count(), text.matches("child").count()), (2, 0), "{text}");
    assert_eq!(guard.writer().metrics().written, 2);
}
