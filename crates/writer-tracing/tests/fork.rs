//! A forked child logs: nothing of it reaches the parent's file, it neither hangs nor panics, and
//! it counts. One process, one test.
#![cfg(unix)]
#![allow(missing_docs, clippy::unwrap_used)]

#[path = "support/fork.rs"]
mod fork;
mod support;

use fork::{End, in_child};
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

    in_child(&log.other(), End::Exit, || {
        span.in_scope(|| (0..99).for_each(|n| info!(n, "child")));
        info_span!("child").in_scope(|| ());
        let metrics = guard.writer().metrics();
        assert_eq!((metrics.rejected, metrics.sent), (100, 100));
    });

    drop(span);
    drop(guard);
    let lines = read(&log.path());
    let messages: Vec<_> = lines.iter().map(|line| line["message"].as_str().unwrap()).collect();
    assert_eq!(messages, ["parent", "close"]);
}
