//! Lines that tell of the spans themselves.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use crate::support::{Log, all_with, read, spans};
use serde_json::{Map, Value, json};
use tracing::field::Empty;
use tracing::{Span, info, info_span, subscriber::with_default, warn_span};
use tracing_subscriber::Registry;
use tracing_subscriber::prelude::*;
use writer_tracing::SpanEvents;
use writer_tracing::json::{Part, Schema};

/// How long something is done or not done.
const STEP: Duration = Duration::from_millis(20);

fn busy() {
    let start = Instant::now();
    while start.elapsed() < STEP {
        std::thread::yield_now();
    }
}

fn lines(body: impl FnOnce()) -> Vec<Map<String, Value>> {
    all_with(|builder| builder.span_events(SpanEvents::NewAndClose), body)
}

fn messages(lines: &[Map<String, Value>]) -> Vec<&str> {
    lines.iter().map(|line| line["message"].as_str().unwrap()).collect()
}

/// Busy and idle.
fn times(line: &Map<String, Value>) -> (Duration, Duration) {
    let nanos = |key: &str| Duration::from_nanos(line[key].as_u64().unwrap());
    (nanos("busy_ns"), nanos("idle_ns"))
}

#[test]
fn spans_have_no_lines_unless_asked() {
    let lines = all_with(|builder| builder, || info_span!("s").in_scope(|| info!("x")));
    assert_eq!(messages(&lines), ["x"]);
    let lines = all_with(
        |builder| builder.span_events(SpanEvents::Close),
        || info_span!("s").in_scope(|| info!("x")),
    );
    assert_eq!(messages(&lines), ["x", "close"]);
}

#[test]
fn lines_have_level_target_and_place_of_the_span_and_list_it() {
    let lines = all_with(
        |builder| builder.span_events(SpanEvents::NewAndClose).show(Part::File).show(Part::Line),
        || {
            let span = warn_span!(target: "shop", "s", id = 1, late = Empty);
            span.record("late", "x");
        },
    );
    assert_eq!(messages(&lines), ["new", "close"]);
    for line in &lines {
        assert_eq!((&line["level"], &line["target"]), (&json!("WARN"), &json!("shop")));
        assert!(line["file"].as_str().unwrap().ends_with("span_events.rs"));
        assert!(line["line"].is_u64());
    }
    assert_eq!(spans(&lines[0]), r#"[{"id":1,"name":"s"}]"#);
    assert_eq!(spans(&lines[1]), r#"[{"id":1,"late":"x","name":"s"}]"#);
    assert!(!lines[0].contains_key("busy_ns"));
}

#[test]
fn nested_spans_close_from_within() {
    let lines = lines(|| {
        let outer = info_span!("outer", id = 1);
        let inner = info_span!(parent: &outer, "inner", id = 2);
        drop(outer);
        inner.in_scope(|| info!("x"));
    });
    assert_eq!(messages(&lines), ["new", "new", "x", "close", "close"]);
    let outer = r#"[{"id":1,"name":"outer"}]"#;
    let both = r#"[{"id":1,"name":"outer"},{"id":2,"name":"inner"}]"#;
    let seen: Vec<_> = lines.iter().map(spans).collect();
    assert_eq!(seen, [outer, both, both, both, outer]);
}

#[test]
fn busy_and_idle_are_numbers_and_add_up() {
    let start = Instant::now();
    let lines = lines(|| {
        let span = info_span!("s");
        busy();
        for _ in 0..2 {
            // Entered twice at a time: busy once.
            span.in_scope(|| span.in_scope(busy));
        }
        busy();
    });
    let total = start.elapsed();
    let (busy, idle) = times(&lines[1]);
    assert!(busy >= STEP * 2 && idle >= STEP * 2, "{busy:?} {idle:?}");
    assert!(busy + idle <= total, "{busy:?} {idle:?} {total:?}");
}

#[test]
fn a_span_in_two_threads_at_once_is_busy_once() {
    let start = Instant::now();
    let lines = lines(|| {
        let dispatch = tracing::dispatcher::get_default(Clone::clone);
        let span = info_span!("s");
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    tracing::dispatcher::with_default(&dispatch, || span.in_scope(busy));
                });
            }
        });
        // Closed in yet another thread.
        let closing = || tracing::dispatcher::with_default(&dispatch, || drop(span));
        std::thread::scope(|scope| scope.spawn(closing).join().unwrap());
    });
    let total = start.elapsed();
    let (busy, idle) = times(&lines[1]);
    assert!(busy >= STEP && busy + idle <= total, "{busy:?} {idle:?} {total:?}");
}

#[test]
fn a_span_that_one_of_two_has_left_is_still_busy() {
    let lines = lines(|| {
        let span = info_span!("s");
        span.in_scope(|| {
            span.in_scope(|| ());
            busy();
        });
    });
    let (busy, _) = times(&lines[1]);
    assert!(busy >= STEP, "{busy:?}");
}

#[test]
fn a_close_after_the_shutdown_is_counted_and_harmless() {
    let log = Log::new();
    let (layer, guard) =
        writer_tracing::builder(log.path()).span_events(SpanEvents::NewAndClose).build().unwrap();
    let writer = guard.writer().clone();
    with_default(Registry::default().with(layer), || {
        let span = info_span!("s").entered();
        drop(guard);
        drop(span);
        info_span!("later").in_scope(|| ());
    });
    assert_eq!(messages(&read(&log.path())), ["new"]);
    let metrics = writer.metrics();
    assert_eq!((metrics.sent, metrics.written, metrics.rejected), (4, 1, 3));
}

fn logxpy(body: impl FnOnce()) -> Vec<Map<String, Value>> {
    let set = |builder: writer_tracing::LayerBuilder| {
        builder.schema(Schema::Logxpy).span_events(SpanEvents::NewAndClose)
    };
    all_with(set, body)
}

#[test]
fn tasks_of_logxpy_begin_and_end() {
    let lines = logxpy(|| {
        let outer = info_span!(target: "shop", "outer", id = 1, msg = 2, st = 3).entered();
        info!("x");
        busy();
        drop(info_span!("inner").entered());
        drop(outer);
    });
    assert_eq!(lines.len(), 5);
    for line in &lines {
        assert_eq!(line["tid"], lines[0]["tid"]);
        // A field of a span has one key in all lines of these.
        assert_eq!((&line["id"], &line["msg_"]), (&json!(1), &json!(2)));
    }
    let levels: Vec<_> = lines.iter().map(|line| line["lvl"].to_string()).collect();
    assert_eq!(levels, ["[1]", "[2]", "[3,1]", "[3,2]", "[4]"]);
    let state = |line: &Map<String, Value>| {
        assert!(!line.contains_key("mt") && !line.contains_key("msg"));
        format!("{} {}", line["at"].as_str().unwrap(), line["st"].as_str().unwrap())
    };
    let states: Vec<_> = [0, 2, 3, 4].iter().map(|&line| state(&lines[line])).collect();
    let expected = ["outer started", "inner started", "inner succeeded", "outer succeeded"];
    assert_eq!(states, expected);
    assert_eq!(lines[0]["logger"], "shop");
    assert_eq!(lines[0]["st_"], 3);
    assert!(!lines[0].contains_key("dur"));
    assert!(lines[4]["dur"].as_f64().unwrap() >= STEP.as_secs_f64());
}

#[test]
fn a_task_fails_by_a_panic_or_an_error_field() {
    let lines = logxpy(|| {
        let unwound = catch_unwind(AssertUnwindSafe(|| {
            let _span = info_span!("panics").entered();
            panic!("unwinds");
        }));
        assert!(unwound.is_err());
        let span = info_span!("errs", error = Empty).entered();
        Span::current().record("error", "disk full");
        drop(span);
        drop(info_span!("has none", error = Empty).entered());
        let span = info_span!("recovers");
        let _ = catch_unwind(AssertUnwindSafe(|| span.in_scope(|| panic!("unwinds"))));
        span.in_scope(|| ());
    });
    let closed = lines.iter().filter(|line| line.contains_key("dur"));
    let states: Vec<_> = closed.map(|line| line["st"].as_str().unwrap()).collect();
    assert_eq!(states, ["failed", "failed", "succeeded", "succeeded"]);
}

// It was told to have succeeded.
#[test]
fn a_task_with_an_error_behind_a_long_field_has_failed() {
    let lines = logxpy(|| {
        let span = info_span!("request", body = "b".repeat(300_000), error = Empty);
        span.record("error", "disk full");
    });
    assert_eq!((&lines[1]["st"], &lines[1]["error"]), (&json!("failed"), &json!("disk full")));
}

/// Works in a span of its own while it is dropped, and in one that was there before.
struct Cleanup(Span);

impl Drop for Cleanup {
    fn drop(&mut self) {
        info_span!("cleanup").in_scope(|| info!("cleaning"));
        self.0.in_scope(|| ());
    }
}

#[test]
fn a_span_that_ends_well_while_a_panic_unwinds_has_succeeded() {
    let lines = logxpy(|| {
        let unwound = catch_unwind(AssertUnwindSafe(|| {
            let _failing = info_span!("failing").entered();
            let _cleanup = Cleanup(info_span!("before"));
            panic!("unwinds");
        }));
        assert!(unwound.is_err());
    });
    let closed = lines.iter().filter(|line| line.contains_key("dur"));
    let states: Vec<_> = closed
        .map(|line| format!("{} {}", line["at"].as_str().unwrap(), line["st"].as_str().unwrap()))
        .collect();
    assert_eq!(states, ["cleanup succeeded", "before succeeded", "failing failed"]);
}

#[test]
fn every_schema_has_the_lines() {
    for schema in [Schema::Tracing, Schema::Ecs, Schema::Otel, Schema::Gcp, Schema::Bunyan] {
        let log = Log::new();
        let (layer, guard) = writer_tracing::builder(log.path())
            .schema(schema)
            .span_events(SpanEvents::NewAndClose)
            .build()
            .unwrap();
        with_default(Registry::default().with(layer), || drop(info_span!("s").entered()));
        drop(guard);
        assert_eq!(read(&log.path()).len(), 2);
        let text = std::fs::read_to_string(log.path()).unwrap();
        let close = text.lines().nth(1).unwrap();
        assert!(close.contains("\"close\"") && close.contains("busy_ns"), "{schema:?} {close}");
    }
}
