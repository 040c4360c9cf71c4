//! A forked child logs: nothing of it reaches the parent's file, it neither hangs nor panics, and it
//! counts. One process, one test.
#![cfg(unix)]
#![allow(missing_docs, clippy::unwrap_used, unsafe_code)]

mod support;

use std::panic::{AssertUnwindSafe, catch_unwind};

use support::{Log, read};
use tracing::{info, info_span};
use tracing_subscriber::prelude::*;
use writer_tracing::SpanEvents;

#[test]
fn a_forked_child_rejects_and_counts_and_the_parent_goes_on() {
    let log = Log::new();
    let (layer, guard) =
        writer_tracing::builder(log.path()).span_events(SpanEvents::Close).build().unwrap();
    tracing_subscriber::registry().with(layer).init();
    let span = info_span!("s", id = 1);
    span.in_scope(|| info!("parent"));

    // SAFETY: the child calls the layer, which before a restart waits for no lock that a thread of
    // the parent may hold, the registry, which no other thread uses here, and the allocator, which the
    // C library brings over a fork. It ends at once without destructors.
    let child = unsafe { libc::fork() };
    assert!(child >= 0);
    if child == 0 {
        // A child that hangs is ended by this.
        // SAFETY: an alarm has no preconditions.
        unsafe { libc::alarm(20) };
        let rejects = catch_unwind(AssertUnwindSafe(|| {
            span.in_scope(|| (0..99).for_each(|n| info!(n, "child")));
            info_span!("child").in_scope(|| ());
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

    drop(span);
    drop(guard);
    let lines = read(&log.path());
    let messages: Vec<_> = lines.iter().map(|line| line["message"].as_str().unwrap()).collect();
    assert_eq!(messages, ["parent", "close"]);
}
