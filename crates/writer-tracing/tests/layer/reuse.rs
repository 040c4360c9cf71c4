//! Ids of spans that come again: no line shows what an earlier span of the same id had.

use std::sync::{Mutex, PoisonError};

use crate::support::{Log, read, spans};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::with_default;
use tracing::{Dispatch, Event, Metadata, Subscriber, info, info_span};
use tracing_core::span::Current;
use tracing_subscriber::Registry;
use tracing_subscriber::layer::{Identity, Layered};
use tracing_subscriber::prelude::*;
use tracing_subscriber::registry::{self, Extensions, ExtensionsMut, LookupSpan, SpanData};

/// A registry that gives the lowest free number to a span: the next one has it at once. The one of
/// `tracing-subscriber` does so too, but with a count of how often in the upper bits.
struct Lowest {
    inner: Layered<Identity, Registry>,
    /// The registry's own ids by number, from 1.
    ids: Mutex<Vec<Option<Id>>>,
}

impl Lowest {
    fn new() -> Self {
        // The layer below closes the registry's spans.
        Lowest { inner: Registry::default().with(Identity::new()), ids: Mutex::default() }
    }

    fn inside(&self, id: &Id) -> Option<Id> {
        let ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        ids.get(id.into_u64() as usize - 1)?.clone()
    }

    fn outside(&self, inner: &Id) -> Option<Id> {
        let ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        let place = ids.iter().position(|id| id.as_ref() == Some(inner))?;
        Some(Id::from_u64(place as u64 + 1))
    }
}

impl Subscriber for Lowest {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.inner.enabled(metadata)
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        // The tests have roots and the children of the current span.
        let id = self.inner.new_span(attributes);
        let mut ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        let free = ids.iter().position(Option::is_none).unwrap_or(ids.len());
        let places = ids.len().max(free + 1);
        ids.resize(places, None);
        ids[free] = Some(id);
        Id::from_u64(free as u64 + 1)
    }

    fn record(&self, id: &Id, values: &Record<'_>) {
        self.inside(id).iter().for_each(|id| self.inner.record(id, values));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        self.inner.event(event);
    }

    fn enter(&self, id: &Id) {
        self.inside(id).iter().for_each(|id| self.inner.enter(id));
    }

    fn exit(&self, id: &Id) {
        self.inside(id).iter().for_each(|id| self.inner.exit(id));
    }

    fn clone_span(&self, id: &Id) -> Id {
        self.inside(id).iter().for_each(|id| _ = self.inner.clone_span(id));
        id.clone()
    }

    fn try_close(&self, id: Id) -> bool {
        let closed = self.inside(&id).is_some_and(|id| self.inner.try_close(id));
        if closed {
            let mut ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
            ids[id.into_u64() as usize - 1] = None;
        }
        closed
    }

    fn current_span(&self) -> Current {
        let current = self.inner.current_span();
        match (current.id().and_then(|id| self.outside(id)), current.metadata()) {
            (Some(id), Some(metadata)) => Current::new(id, metadata),
            _ => Current::none(),
        }
    }
}

/// A span of the registry under its number.
struct Numbered<'a> {
    data: registry::Data<'a>,
    id: Id,
    parent: Option<Id>,
}

impl<'a> LookupSpan<'a> for Lowest {
    type Data = Numbered<'a>;

    fn span_data(&'a self, id: &Id) -> Option<Numbered<'a>> {
        let data = self.inner.span_data(&self.inside(id)?)?;
        let parent = data.parent().and_then(|parent| self.outside(parent));
        Some(Numbered { data, id: id.clone(), parent })
    }
}

impl<'a> SpanData<'a> for Numbered<'a> {
    fn id(&self) -> Id {
        self.id.clone()
    }

    fn metadata(&self) -> &'static Metadata<'static> {
        self.data.metadata()
    }

    fn parent(&self) -> Option<&Id> {
        self.parent.as_ref()
    }

    fn extensions(&self) -> Extensions<'_> {
        self.data.extensions()
    }

    fn extensions_mut(&self) -> ExtensionsMut<'_> {
        self.data.extensions_mut()
    }
}

/// Two events in one span after the other, so that the thread remembers each; the fields are of the
/// same call site, of others, or absent.
fn spans_one_after_the_other(inside: impl Fn(u64)) {
    for n in 0..50_u64 {
        let span = match n % 3 {
            0 => info_span!("first", n, secret = "of the first", late = tracing::field::Empty),
            1 => info_span!("second", n),
            _ => info_span!("third"),
        };
        span.record("late", n);
        let id = span.id().unwrap().into_u64();
        let entered = span.entered();
        info!(n, id, "x");
        info!(n, id, "x");
        inside(n);
        drop(entered);
        info!(n, id = 0, "outside");
    }
}

/// Panics if a line shows a span that is not its own.
fn check(lines: &[serde_json::Map<String, serde_json::Value>]) {
    for line in lines {
        let n = line["n"].as_u64().unwrap();
        let own = match n % 3 {
            0 => format!(r#"{{"late":{n},"n":{n},"name":"first","secret":"of the first"}}"#),
            1 => format!(r#"{{"n":{n},"name":"second"}}"#),
            _ => r#"{"name":"third"}"#.to_owned(),
        };
        let expected = match line["message"].as_str().unwrap() {
            "x" => format!("[{own}]"),
            "inside" => format!(r#"[{own},{{"n":{n},"name":"inner"}}]"#),
            _ => String::new(),
        };
        assert_eq!(spans(line), expected);
    }
}

#[test]
fn a_span_with_the_id_of_one_before_shows_nothing_of_it() {
    let log = Log::new();
    let (layer, guard) = writer_tracing::layer(log.path()).unwrap();
    // Without children: with them, the registry gives its own ids back to this one.
    with_default(Lowest::new().with(layer), || spans_one_after_the_other(|_| ()));
    drop(guard);
    let lines = read(&log.path());
    assert_eq!(lines.len(), 150);
    assert!(lines.iter().filter(|line| line["message"] == "x").all(|line| line["id"] == 1));
    check(&lines);
}

#[test]
fn a_place_in_the_registry_that_is_used_again_shows_nothing_of_the_span_before() {
    let log = Log::new();
    let (layer, guard) = writer_tracing::layer(log.path()).unwrap();
    let child = |n| info_span!("inner", n).in_scope(|| info!(n, id = 0, "inside"));
    with_default(Registry::default().with(layer), || spans_one_after_the_other(child));
    drop(guard);
    let lines = read(&log.path());
    let mut places: Vec<_> = lines
        .iter()
        .filter(|line| line["message"] == "x")
        .map(|line| line["id"].as_u64().unwrap() & 0xFFFF_FFFF)
        .collect();
    places.dedup();
    places.sort_unstable();
    places.dedup();
    assert!(places.len() < 50, "the registry has used no place again: {places:?}");
    check(&lines);
}

#[test]
fn a_thread_forgets_a_span_that_another_thread_has_closed() {
    let log = Log::new();
    let (layer, guard) = writer_tracing::layer(log.path()).unwrap();
    let dispatch = Dispatch::new(Lowest::new().with(layer));
    tracing::dispatcher::with_default(&dispatch, || {
        for n in 0..20_u64 {
            let span = match n % 2 {
                0 => info_span!("even", n),
                _ => info_span!("odd", n),
            };
            // This thread remembers the span, another one closes it.
            span.in_scope(|| info!(n, "x"));
            let dispatch = dispatch.clone();
            std::thread::spawn(move || {
                tracing::dispatcher::with_default(&dispatch, || {
                    span.in_scope(|| info!(n, "x"));
                    drop(span);
                });
            })
            .join()
            .unwrap();
        }
    });
    drop((dispatch, guard));
    let lines = read(&log.path());
    assert_eq!(lines.len(), 40);
    for line in lines {
        let n = line["n"].as_u64().unwrap();
        let name = if n % 2 == 0 { "even" } else { "odd" };
        assert_eq!(spans(&line), format!(r#"[{{"n":{n},"name":"{name}"}}]"#));
    }
}

#[test]
fn a_thread_meets_a_span_that_another_thread_has_begun_with_an_id_that_it_remembers() {
    let log = Log::new();
    let (layer, guard) = writer_tracing::layer(log.path()).unwrap();
    let dispatch = Dispatch::new(Lowest::new().with(layer));
    tracing::dispatcher::with_default(&dispatch, || {
        for n in 0..20_u64 {
            let dispatch = dispatch.clone();
            let begin = move || tracing::dispatcher::with_default(&dispatch, || info_span!("s", n));
            let span = std::thread::spawn(begin).join().unwrap();
            let id = span.id().unwrap().into_u64();
            span.in_scope(|| info!(n, id, "x"));
        }
    });
    drop((dispatch, guard));
    let lines = read(&log.path());
    assert_eq!(lines.len(), 20);
    for line in lines {
        assert_eq!(line["id"], 1);
        assert_eq!(spans(&line), format!(r#"[{{"n":{},"name":"s"}}]"#, line["n"]));
    }
}
