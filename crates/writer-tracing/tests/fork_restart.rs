//! A child restarts its writer, and a child of that child its own: each goes on with the spans as
//! they are, for no other thread was changing them at the fork. One process, one test.
#![cfg(unix)]
#![allow(missing_docs, clippy::unwrap_used)]

#[path = "support/fork.rs"]
mod fork;
mod support;

use std::time::Duration;

use fork::{End, in_child};
use serde_json::json;
use support::{Log, read};
use tracing::field::Empty;
use tracing::{Span, info, info_span};
use tracing_subscriber::prelude::*;
use writer_tracing::WriterGuard;

/// Logs in a child that was not restarted, then restarts it.
fn reject_and_restart(guard: &WriterGuard, span: &Span) {
    let before = guard.writer().metrics().rejected;
    span.in_scope(|| info!("lost"));
    assert_eq!(guard.writer().metrics().rejected - before, 1);
    guard.restart_after_fork().unwrap();
}

#[test]
fn a_child_and_its_child_keep_the_fields_of_spans() {
    let log = Log::new();
    let (layer, guard) = writer_tracing::builder(log.path()).build().unwrap();
    tracing_subscriber::registry().with(layer).init();
    let outer = info_span!("outer", kept = 1, changing = Empty);
    let inner = info_span!(parent: &outer, "inner", kept = 2);
    let say = |who| inner.in_scope(|| info!(who));

    // None of these is flushed before the fork: a child that had the queue would write them again.
    outer.record("changing", 1);
    say("parent");
    in_child(&log.other(), End::Exit, || {
        reject_and_restart(&guard, &inner);
        say("child");
        outer.record("changing", 2);
        say("child, changed");
        in_child(&log.other(), End::Exit, || {
            reject_and_restart(&guard, &inner);
            say("grandchild");
            outer.record("changing", 3);
            say("grandchild, changed");
            guard.shutdown(Duration::from_secs(10)).unwrap();
        });
        say("child at its end");
        guard.shutdown(Duration::from_secs(10)).unwrap();
    });
    say("parent at its end");
    guard.shutdown(Duration::from_secs(10)).unwrap();

    let lines = read(&log.path());
    let expected = [
        ("parent", 1),
        ("child", 1),
        ("child, changed", 2),
        ("grandchild", 2),
        ("grandchild, changed", 3),
        ("child at its end", 2),
        ("parent at its end", 1),
    ];
    assert_eq!(lines.len(), expected.len(), "{lines:?}");
    for (who, changing) in expected {
        let of: Vec<_> = lines.iter().filter(|line| line["who"] == who).collect();
        let [line] = of[..] else { panic!("{who}: {lines:?}") };
        let outer = json!({"name": "outer", "kept": 1, "changing": changing});
        assert_eq!(line["spans"], json!([outer, {"name": "inner", "kept": 2}]), "{who}");
    }
    let errors = std::fs::read_to_string(log.other()).unwrap();
    assert_eq!(errors.matches("`restart_after_fork` of the guard").count(), 2, "{errors}");
}
