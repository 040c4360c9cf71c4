//! What happens in the midst of a line or of a new span: code of the user that changes the spans
//! around it, flushes or ends the writer, and a layer below that logs in a span before ours has
//! heard of it.
//!
//! Only the dispatcher of the process takes events from inside others, and only while no scoped one
//! exists: so all this is one test.

#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use std::cell::RefCell;
use std::fmt;
use std::time::Duration;

use support::{Log, read, spans};
use tracing::span::{Attributes, Id};
use tracing::{Span, Subscriber, info, info_span};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::prelude::*;
use writer_tracing::{JsonLayer, WriterGuard};

/// Runs some code when it is formatted.
struct Act<F>(F);

impl<F: Fn()> fmt::Display for Act<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("before")?;
        (self.0)();
        f.write_str(" after")
    }
}

/// Logs in some spans as soon as they are made.
struct Below;

impl<S: Subscriber> Layer<S> for Below {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, _: Context<'_, S>) {
        if attributes.metadata().name().starts_with("noticed") {
            info!(parent: id, "from below");
            info!(parent: id, "from below");
        }
    }
}

fn log_in_spans_that_change() {
    let span = info_span!("s", a = 1, late = tracing::field::Empty);
    let _entered = span.enter();
    // It is recorded before the list of spans is written.
    info!(value = %Act(|| _ = Span::current().record("late", 2)), "records");
    info!(value = %Act(|| drop(info_span!("inner", b = 3).entered())), "opens and closes");
    let kept = RefCell::new(None);
    info!(value = %Act(|| _ = kept.replace(Some(info_span!("left").entered()))), "enters");
    drop(kept);
    let held = RefCell::new(Some(info_span!("held", c = 4)));
    let parent = held.borrow().as_ref().and_then(Span::id);
    info!(parent: parent, value = %Act(|| drop(held.take())), "closes its own");
    let nested = Act(|| info_span!("within", d = 5).in_scope(|| info!("inside")));
    span.record("late", tracing::field::display(&nested));
    info_span!("made", field = %nested).in_scope(|| info!("in made"));
}

fn log_in_spans_that_are_noticed() {
    let _outer = info_span!("noticed", id = 1).entered();
    info!("outer");
    info_span!("noticed_inner", id = 2).in_scope(|| info!("inner"));
}

fn flush_and_end(guard: WriterGuard) {
    let writer = guard.writer().clone();
    info!(value = %Act(|| writer.flush(Duration::from_secs(60)).unwrap()), "flushes");
    let guard = RefCell::new(Some(guard));
    info!(value = %Act(|| drop(guard.take())), "ends the writer");
    info!("too late");
    assert_eq!(writer.metrics().rejected, 2);
}

#[test]
fn what_happens_in_the_midst_of_a_line_costs_at_most_itself() {
    let log = Log::new();
    let (layer, guard): (JsonLayer, _) = writer_tracing::layer(log.path()).unwrap();
    tracing_subscriber::registry().with(Below).with(layer).init();
    log_in_spans_that_change();
    log_in_spans_that_are_noticed();
    flush_and_end(guard);

    let lines = read(&log.path());
    for line in &lines {
        assert!(line.get("value").is_none_or(|value| value == "before after"), "{line:?}");
    }
    let told = |message: &str| -> Vec<String> {
        lines.iter().filter(|line| line["message"] == message).map(spans).collect()
    };
    let s = r#"{"a":1,"late":2,"name":"s"}"#;
    assert_eq!(told("records"), [format!("[{s}]")]);
    assert_eq!(told("opens and closes"), [format!("[{s}]")]);
    // Of these the spans change while the line is on its way: it is there, with one or the other.
    assert_eq!((told("enters").len(), told("closes its own").len()), (1, 1));
    let within = r#"{"d":5,"name":"within"}"#;
    let s_later = r#"{"a":1,"late":"before after","name":"s"}"#;
    assert_eq!(told("inside"), [format!("[{s},{within}]"), format!("[{s_later},{within}]")]);
    let made = r#"{"field":"before after","name":"made"}"#;
    assert_eq!(told("in made"), [format!("[{s_later},{made}]")]);

    let outer = r#"{"id":1,"name":"noticed"}"#;
    let unknown = r#"[{"name":"noticed"}]"#;
    let inner_unknown = format!(r#"[{outer},{{"name":"noticed_inner"}}]"#);
    // The fields of a span are not known before our layer has heard of it, and from then on they
    // are.
    assert_eq!(told("from below"), [unknown, unknown, &inner_unknown, &inner_unknown]);
    assert_eq!(told("outer"), [format!("[{outer}]")]);
    assert_eq!(told("inner"), [format!(r#"[{outer},{{"id":2,"name":"noticed_inner"}}]"#)]);
    assert_eq!(told("flushes").len(), 1);
}
