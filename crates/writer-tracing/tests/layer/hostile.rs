//! What goes wrong around the layer: panics, hooks, locks of the registry, the end of threads.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::sync::{Barrier, Once};

use crate::support::{Log, all, one, read, spans};
use serde_json::json;
use tracing::span::{Attributes, Id};
use tracing::{Dispatch, Event, Subscriber, dispatcher, info, info_span, subscriber::with_default};
use tracing_subscriber::layer::Context;
use tracing_subscriber::prelude::*;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Layer, Registry};
use writer_tracing::SpanEvents;

thread_local! {
    static HOOKED: Cell<bool> = const { Cell::new(false) };
}

/// Lets the panic hook log in threads that ask for it.
fn hook() {
    static SET: Once = Once::new();
    SET.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if HOOKED.get() {
                let line = info.location().map(|location| location.line());
                tracing::error!(line, "panicked");
            } else {
                before(info);
            }
        }));
    });
    HOOKED.set(true);
}

struct Panics;

impl std::fmt::Debug for Panics {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        panic!("a user's Debug panics");
    }
}

#[test]
fn the_panic_hook_may_log() {
    let lines = all(|| {
        hook();
        let span = info_span!("s", id = 1);
        let unwound = catch_unwind(AssertUnwindSafe(|| span.in_scope(|| panic!("unwinds"))));
        assert!(unwound.is_err());
        info!("after");
    });
    assert_eq!(lines.len(), 2);
    assert_eq!((&lines[0]["level"], &lines[0]["message"]), (&json!("ERROR"), &json!("panicked")));
    assert!(lines[0]["line"].is_u64());
    assert_eq!(spans(&lines[0]), r#"[{"id":1,"name":"s"}]"#);
}

#[test]
fn a_hook_that_logs_while_a_value_panics_stops_nothing() {
    let log = Log::new();
    let (layer, guard) = writer_tracing::layer(log.path()).unwrap();
    with_default(Registry::default().with(layer), || {
        hook();
        // Where a dispatcher is busy, `tracing` itself drops what the hook logs.
        let span = info_span!("s", bad = ?Panics, good = 1);
        span.in_scope(|| info!(bad = ?Panics, "x"));
    });
    assert_eq!(guard.writer().metrics().format_errors, 2);
    drop(guard);
    let lines = read(&log.path());
    let line = lines.last().unwrap();
    assert_eq!((&line["bad"], &line["message"]), (&json!("<format_error: panic>"), &json!("x")));
    assert_eq!(line["spans"][0]["good"], 1);
}

/// Panics while it holds the lock of a span's extensions.
struct Poisons;

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Poisons {
    fn on_new_span(&self, _: &Attributes<'_>, id: &Id, ctx: Context<'_, S>) {
        ctx.span(id).unwrap().extensions_mut().insert(());
    }

    fn on_event(&self, event: &Event<'_>, ctx: Context<'_, S>) {
        if event.metadata().target() == "poison" {
            let span = ctx.lookup_current().unwrap();
            let _extensions = span.extensions_mut();
            panic!("with the lock");
        }
    }
}

#[test]
fn a_poisoned_span_costs_its_list_where_a_thread_does_not_know_it_and_nothing_else() {
    let log = Log::new();
    let (layer, guard) =
        writer_tracing::builder(log.path()).span_events(SpanEvents::NewAndClose).build().unwrap();
    let writer = guard.writer().clone();
    with_default(Registry::default().with(Poisons).with(layer), || {
        let outer = info_span!("outer").entered();
        let span = info_span!("s", id = 1).entered();
        assert!(catch_unwind(|| info!(target: "poison", "never")).is_err());
        let errors = writer.metrics().format_errors;
        info!("in the span");
        let (dispatch, same) = (dispatcher::get_default(Clone::clone), tracing::Span::clone(&span));
        let elsewhere = || {
            dispatcher::with_default(&dispatch, || same.in_scope(|| info!("in another thread")));
        };
        std::thread::scope(|scope| scope.spawn(elsewhere).join().unwrap());
        drop(same);
        assert!(writer.metrics().format_errors > errors);
        span.record("id", 2);
        info_span!("inner").in_scope(|| info!("in a span inside"));
        drop(span);
        info!("outside");
        drop(outer);
    });
    drop(guard);
    let lines = read(&log.path());
    let of = |message: &str| lines.iter().find(|line| line["message"] == message);
    assert_eq!(spans(of("in the span").unwrap()), r#"[{"name":"outer"},{"id":1,"name":"s"}]"#);
    assert_eq!(spans(of("in another thread").unwrap()), "");
    assert!(of("in a span inside").is_some());
    assert_eq!(spans(of("outside").unwrap()), r#"[{"name":"outer"}]"#);
    let close = lines.last().unwrap();
    assert_eq!((&close["message"], spans(close)), (&json!("close"), spans(of("outside").unwrap())));
}

struct LogsWhenDropped(Dispatch);

impl Drop for LogsWhenDropped {
    fn drop(&mut self) {
        // Through the dispatcher itself: the thread's own may be gone.
        let result = catch_unwind(AssertUnwindSafe(|| {
            dispatcher::with_default(&self.0, || {
                info_span!("last").in_scope(|| info!("from a destructor"));
            });
        }));
        drop(result);
    }
}

thread_local! {
    static LAST: Cell<Option<LogsWhenDropped>> = const { Cell::new(None) };
}

#[test]
fn many_threads_log_to_their_very_end() {
    const THREADS: usize = 64;
    const EVENTS: usize = 50;
    let log = Log::new();
    let (layer, guard) =
        writer_tracing::builder(log.path()).span_events(SpanEvents::NewAndClose).build().unwrap();
    let writer = guard.writer().clone();
    let dispatch = Dispatch::new(Registry::default().with(layer));
    let start = Barrier::new(THREADS);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (dispatch, start) = (&dispatch, &start);
            scope.spawn(move || {
                LAST.set(Some(LogsWhenDropped(dispatch.clone())));
                dispatcher::with_default(dispatch, || {
                    start.wait();
                    for event in 0..EVENTS {
                        info_span!("s", thread, event).in_scope(|| info!(thread, event, "x"));
                    }
                });
            });
        }
    });
    drop(guard);
    let metrics = writer.metrics();
    assert_eq!(metrics.written, metrics.sent);
    let lines = read(&log.path());
    assert_eq!(lines.len() as u64, metrics.written);
    let events: Vec<_> = lines.iter().filter(|line| line["message"] == "x").collect();
    assert_eq!(events.len(), THREADS * EVENTS);
    for line in events {
        let expected = json!([{"name": "s", "thread": line["thread"], "event": line["event"]}]);
        assert_eq!(line["spans"], expected);
    }
}

#[test]
fn threads_that_log_over_the_shutdown_are_counted() {
    const THREADS: usize = 8;
    const EVENTS: usize = 500;
    let log = Log::new();
    let (layer, guard) =
        writer_tracing::builder(log.path()).span_events(SpanEvents::NewAndClose).build().unwrap();
    let writer = guard.writer().clone();
    let dispatch = Dispatch::new(Registry::default().with(layer));
    let start = Barrier::new(THREADS + 1);
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                dispatcher::with_default(&dispatch, || {
                    start.wait();
                    for event in 0..EVENTS {
                        info_span!("s", event).in_scope(|| info!("x"));
                    }
                });
            });
        }
        start.wait();
        drop(guard);
    });
    let metrics = writer.metrics();
    assert_eq!(metrics.sent, (THREADS * EVENTS * 3) as u64);
    assert_eq!(metrics.written + metrics.rejected, metrics.sent);
    assert_eq!(read(&log.path()).len() as u64, metrics.written);
}

#[test]
fn bytes_are_the_same_in_events_and_spans_and_raw_names_are_plain() {
    let line = one(|| {
        let bytes = &[0_u8, 0x7f, 0xff][..];
        let span = info_span!("s", bytes, r#type = bytes, dotted.r#as = 1);
        span.record("bytes", &[1_u8, 2][..]);
        let _entered = span.enter();
        info!(bytes, r#type = bytes, dotted.name = bytes, empty = &[][..] as &[u8]);
    });
    assert_eq!((&line["bytes"], &line["type"]), (&json!("007fff"), &json!("007fff")));
    assert_eq!((&line["dotted.name"], &line["empty"]), (&json!("007fff"), &json!("")));
    assert_eq!(
        (&line["spans"][0]["bytes"], &line["spans"][0]["type"]),
        (&json!("0102"), &json!("007fff"))
    );
}

#[test]
fn what_is_nothing_is_null_in_an_event_and_not_recorded_in_a_span() {
    let lines = all(|| {
        let span =
            info_span!("s", none = None::<u8>, some = Some("x"), late = tracing::field::Empty);
        let _entered = span.enter();
        info!(none = None::<&str>, "1");
        span.record("some", None::<u8>);
        span.record("late", Some(1));
        info!("2");
    });
    assert_eq!(lines[0].get("none"), Some(&json!(null)));
    assert_eq!(spans(&lines[0]), r#"[{"name":"s","some":"x"}]"#);
    assert_eq!(spans(&lines[1]), r#"[{"late":1,"name":"s","some":"x"}]"#);
}
