//! Values that log while another layer formats them for a span, and holds the registry's lock
//! around what layers keep of the span.

use std::fmt;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::support::{Log, read, spans};
use serde_json::json;
use tracing::field::{Empty, display};
use tracing::level_filters::LevelFilter;
use tracing::{Dispatch, Span, Subscriber, debug, debug_span, dispatcher, info_span};
use tracing_subscriber::prelude::*;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Layer, Registry};
use writer_tracing::SpanEvents;

/// What a value does while it is formatted.
type Act = fn();

struct Acts(Act);

impl fmt::Display for Acts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (self.0)();
        f.write_str("shown")
    }
}

/// A console that takes neither spans nor events of a value.
fn console<S: Subscriber + for<'a> LookupSpan<'a>>() -> impl Layer<S> {
    tracing_subscriber::fmt::layer().with_writer(std::io::sink).with_filter(LevelFilter::INFO)
}

/// Records a value in the span that is entered, beside a console: with
/// the file before the console and after it, and with lines about spans and without. Returns the
/// lines, which are of the spans `s` or of those inside.
fn record(before: fn(), act: Act) -> Vec<Vec<serde_json::Map<String, serde_json::Value>>> {
    let cases = [SpanEvents::Off, SpanEvents::NewAndClose]
        .map(|events| [false, true].map(|first| (events, first)));
    let run = |(events, console_first)| {
        let log = Log::new();
        let (layer, guard) =
            writer_tracing::builder(log.path()).span_events(events).build().unwrap();
        let dispatch = if console_first {
            Dispatch::new(Registry::default().with(console()).with(layer))
        } else {
            Dispatch::new(Registry::default().with(layer).with(console()))
        };
        let (done, wait) = mpsc::channel();
        thread::spawn(move || {
            dispatcher::with_default(&dispatch, || {
                let span = info_span!("s", late = Empty);
                let entered = span.enter();
                before();
                span.record("late", display(Acts(act)));
                debug!("after");
                drop(entered);
            });
            let _ = done.send(());
        });
        let told = wait.recv_timeout(Duration::from_secs(20));
        assert!(told.is_ok(), "{events:?}, console first {console_first}: waits for itself");
        drop(guard);
        let mut lines = read(&log.path());
        lines.retain(|line| !["new", "close"].contains(&line["message"].as_str().unwrap()));
        lines
    };
    cases.into_iter().flatten().map(run).collect()
}

fn nothing() {}

#[test]
fn a_display_that_logs_while_a_console_formats_it_for_a_span_does_not_hang() {
    for before in [nothing, || debug!("before")] {
        for lines in record(before, || debug!("inner")) {
            // Each of the two layers formats the value.
            let inner: Vec<_> =
                lines.iter().filter(|line| line["message"] == "inner").map(spans).collect();
            assert_eq!(inner.len(), 2, "{lines:?}");
            let with = r#"[{"late":"shown","name":"s"}]"#;
            assert!(inner.iter().all(|spans| [r#"[{"name":"s"}]"#, with].contains(&&**spans)));
            assert_eq!(spans(lines.last().unwrap()), with);
        }
    }
}

#[test]
fn a_display_that_works_in_a_span_of_its_own_does_not_hang() {
    let act: Act = || debug_span!("own").in_scope(|| debug!("inner"));
    for lines in record(nothing, act) {
        let inner: Vec<_> = lines.iter().filter(|line| line["message"] == "inner").collect();
        assert_eq!(inner.len(), 2, "{lines:?}");
        for line in inner {
            let names: Vec<_> =
                line["spans"].as_array().unwrap().iter().map(|span| &span["name"]).collect();
            assert_eq!(names, [&json!("s"), &json!("own")]);
        }
    }
}

#[test]
fn a_display_that_enters_the_same_span_once_more_does_not_hang() {
    for lines in record(nothing, || Span::current().in_scope(|| debug!("inner"))) {
        assert_eq!(lines.iter().filter(|line| line["message"] == "inner").count(), 2);
    }
}

#[test]
fn a_thread_that_has_only_entered_the_span_knows_it_as_well() {
    let log = Log::new();
    let (layer, guard) = writer_tracing::layer(log.path()).unwrap();
    let dispatch = Dispatch::new(Registry::default().with(console()).with(layer));
    let span = dispatcher::with_default(&dispatch, || info_span!("s", late = Empty));
    let (done, wait) = mpsc::channel();
    thread::spawn(move || {
        dispatcher::with_default(&dispatch, || {
            span.in_scope(|| span.record("late", display(Acts(|| debug!("inner")))));
        });
        let _ = done.send(());
    });
    assert!(wait.recv_timeout(Duration::from_secs(20)).is_ok(), "waits for itself");
    drop(guard);
    assert_eq!(read(&log.path()).len(), 2);
}
