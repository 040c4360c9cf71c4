//! Children of a process whose threads hold the locks of the layer, of its spans and of stderr
//! again and again: they wait for none of them. One process, one test.
#![cfg(unix)]
#![allow(missing_docs, clippy::unwrap_used)]

#[path = "support/fork.rs"]
mod fork;
mod support;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fork::{End, in_child};
use serde_json::json;
use support::{Log, read};
use tracing::callsite::{Callsite, Identifier};
use tracing::field::{Empty, FieldSet};
use tracing::metadata::Kind;
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, info, info_span};
use tracing_subscriber::prelude::*;
use writer_tracing::SpanEvents;

const FORKS: usize = 200;
const LINES: usize = 20;

struct Site;

static SITE: Site = Site;

impl Callsite for Site {
    fn set_interest(&self, _: Interest) {}

    fn metadata(&self) -> &Metadata<'_> {
        unreachable!("nothing registers it")
    }
}

/// An event from a call site that none came from before.
fn event_anew(number: usize) {
    let fields = FieldSet::new(&["child"], Identifier(&SITE));
    let metadata: &'static Metadata<'static> = Box::leak(Box::new(Metadata::new(
        "event",
        "shop",
        Level::INFO,
        None,
        None,
        None,
        fields,
        Kind::EVENT,
    )));
    let field = metadata.fields().field("child").unwrap();
    let value = number as u64;
    let values = [(&field, Some(&value as &dyn tracing::Value))];
    Event::dispatch(metadata, &metadata.fields().value_set(&values));
}

#[test]
fn a_child_of_busy_threads_waits_for_none_of_their_locks() {
    let log = Log::new();
    let errors = log.other();
    let (layer, guard) =
        writer_tracing::builder(log.path()).span_events(SpanEvents::Close).build().unwrap();
    tracing_subscriber::registry().with(layer).init();
    // Nobody records anything in it.
    let quiet = info_span!("quiet", kept = 1);
    let outer = info_span!(parent: &quiet, "outer", changing = Empty);
    let inner = info_span!(parent: &outer, "inner", changing = Empty);
    let done = AtomicBool::new(false);
    let busy = |work: &dyn Fn()| {
        while !done.load(Ordering::Relaxed) {
            work();
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(|| inner.in_scope(|| busy(&|| event_anew(FORKS))));
        scope.spawn(|| {
            busy(&|| {
                inner.record("changing", 1);
                outer.record("changing", 1);
            });
        });
        scope.spawn(|| {
            busy(&|| {
                let _printing = std::io::stderr().lock();
                std::hint::spin_loop();
            });
        });
        let ended = catch_unwind(AssertUnwindSafe(|| {
            for number in 0..FORKS {
                in_child(&errors, End::AtOnce, || {
                    let entered = inner.enter();
                    for _ in 0..LINES {
                        event_anew(FORKS + 1);
                    }
                    inner.record("changing", 2);
                    info_span!("unseen").in_scope(|| ());
                    assert_eq!(guard.writer().metrics().rejected, LINES as u64 + 1);
                    if number % 2 == 0 {
                        return;
                    }
                    guard.restart_after_fork().unwrap();
                    for _ in 0..LINES {
                        event_anew(number);
                    }
                    outer.record("changing", 3);
                    info!(recorded = number);
                    info_span!("own", changing = 4).in_scope(|| info!(own = number));
                    std::thread::scope(|scope| {
                        scope.spawn(|| inner.in_scope(|| event_anew(number)));
                    });
                    drop(entered);
                    guard.shutdown(Duration::from_secs(10)).unwrap();
                });
            }
        }));
        done.store(true, Ordering::Relaxed);
        ended.unwrap();
    });
    drop((inner, outer, quiet, guard));
    let lines = read(&log.path());
    let of = |key: &str, number: usize| {
        lines.iter().filter(|line| line.get(key) == Some(&json!(number))).collect::<Vec<_>>()
    };
    assert!(of("child", FORKS + 1).is_empty());
    for number in (1..FORKS).step_by(2) {
        let events = of("child", number);
        assert_eq!(events.len(), LINES + 1, "{number}");
        let [recorded] = of("recorded", number)[..] else { panic!("{number}") };
        assert_eq!(recorded["spans"][0], json!({"name": "quiet", "kept": 1}));
        // The values of a span that the parent was just changing are not there.
        assert_eq!(recorded["spans"][1]["name"], "outer");
        assert_eq!(recorded["spans"][1]["changing"], 3, "{recorded:?}");
        assert_eq!(recorded["spans"][2]["name"], "inner");
        let [own] = of("own", number)[..] else { panic!("{number}") };
        assert_eq!(own["spans"][3], json!({"name": "own", "changing": 4}));
        assert_eq!(own["spans"][1]["changing"], 3);
    }
    // Each child says it once, and what to do.
    let errors = std::fs::read_to_string(&errors).unwrap();
    assert_eq!(errors.lines().count(), FORKS, "{errors}");
    assert!(
        errors.lines().all(|line| line.contains("`restart_after_fork` of the guard")),
        "{errors}"
    );
}
