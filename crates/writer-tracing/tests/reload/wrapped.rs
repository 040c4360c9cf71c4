//! The layer inside the wrappers of `tracing-subscriber`, beside others of its kind and of another.

use std::sync::{Arc, Mutex};

use crate::support::{Log, alone, read, spans};
use serde_json::json;
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::with_default;
use tracing::{Dispatch, Event, Level, Subscriber, debug, info, info_span, trace, warn};
use tracing_subscriber::filter::{Targets, filter_fn};
use tracing_subscriber::layer::Context;
use tracing_subscriber::prelude::*;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Layer, Registry, reload};
use writer_tracing::{JsonLayer, SpanEvents};

type Boxed = Box<dyn Layer<Registry> + Send + Sync>;

/// A wrapping, the hint that is to come out of it, and whether the layer can be found in it.
type Wrapping = (&'static str, fn(JsonLayer) -> Boxed, Option<LevelFilter>, bool);

const WRAPPINGS: [Wrapping; 12] = [
    ("bare", |layer| Box::new(layer), None, true),
    ("boxed", |layer| layer.boxed(), None, true),
    ("boxed twice", |layer| layer.boxed().boxed(), None, true),
    ("some", |layer| Some(layer).boxed(), None, true),
    ("some of boxed", |layer| Some(layer.boxed()).boxed(), None, true),
    ("vec", |layer| vec![layer].boxed(), None, true),
    ("vec of boxed", |layer| vec![layer.boxed(), Foreign::default().boxed()].boxed(), None, true),
    ("filter", |layer| layer.with_filter(LevelFilter::DEBUG).boxed(), LIMIT, true),
    ("filter of some", |layer| Some(layer).with_filter(LevelFilter::DEBUG).boxed(), LIMIT, true),
    ("vec of filters", |layer| vec![layer.with_filter(LevelFilter::DEBUG)].boxed(), LIMIT, true),
    // The layer may be exchanged, so a reference to it would not last.
    ("reload", |layer| reload::Layer::new(layer).0.boxed(), None, false),
    (
        "reload of a filter",
        |layer| layer.with_filter(reload::Layer::new(LevelFilter::DEBUG).0).boxed(),
        LIMIT,
        true,
    ),
];

const LIMIT: Option<LevelFilter> = Some(LevelFilter::DEBUG);

#[test]
fn every_wrapping_passes_lines_level_hints_and_downcasts() {
    let _alone = alone();
    for (name, wrap, hint, found) in WRAPPINGS {
        let log = Log::new();
        let (layer, guard) = writer_tracing::layer(log.path()).unwrap();
        let wrapped = wrap(layer);
        let own = wrapped.max_level_hint();
        let subscriber = Registry::default().with(wrapped);
        assert_eq!((own, subscriber.max_level_hint()), (hint, hint), "{name}");
        let dispatch = Dispatch::new(subscriber);
        assert_eq!(dispatch.is::<JsonLayer>(), found, "{name}");
        assert!(dispatch.is::<Registry>(), "{name}");
        tracing::dispatcher::with_default(&dispatch, || {
            let span = info_span!("s", id = 1, late = tracing::field::Empty).entered();
            span.record("late", "r");
            debug!(a = 1, "x");
            debug!(a = 1, "x");
            trace!("y");
        });
        drop((dispatch, guard));
        let lines = read(&log.path());
        let seen: Vec<_> = lines.iter().map(|line| line["message"].as_str().unwrap()).collect();
        let expected = if hint.is_some() { vec!["x", "x"] } else { vec!["x", "x", "y"] };
        assert_eq!(seen, expected, "{name}");
        for line in &lines {
            assert_eq!(spans(line), r#"[{"id":1,"late":"r","name":"s"}]"#, "{name}");
        }
    }
}

#[test]
fn a_layer_that_is_not_there_does_not_hide_lines_of_one_that_is() {
    let _alone = alone();
    let log = Log::new();
    let (layer, guard) = writer_tracing::layer(log.path()).unwrap();
    let none = || None::<JsonLayer>;
    let subscriber = Registry::default().with(none()).with(layer).with(none());
    assert_eq!(subscriber.max_level_hint(), None);
    with_default(subscriber, || trace!("x"));
    drop(guard);
    assert_eq!(read(&log.path()).len(), 1);
}

/// What [`Foreign`] keeps of a span.
struct Seen {
    records: usize,
}

/// A layer of another kind that keeps something in the extensions of spans, as those of
/// OpenTelemetry and `tracing-error` do, and reads it at events.
#[derive(Clone, Default)]
struct Foreign {
    /// The name of an event's span and how often something was recorded in it.
    events: Arc<Mutex<Vec<(String, usize)>>>,
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Foreign {
    fn on_new_span(&self, _: &Attributes<'_>, id: &Id, ctx: Context<'_, S>) {
        ctx.span(id).unwrap().extensions_mut().insert(Seen { records: 0 });
    }

    fn on_record(&self, id: &Id, _: &Record<'_>, ctx: Context<'_, S>) {
        let span = ctx.span(id).unwrap();
        span.extensions_mut().get_mut::<Seen>().unwrap().records += 1;
    }

    fn on_event(&self, event: &Event<'_>, ctx: Context<'_, S>) {
        if let Some(span) = ctx.event_span(event) {
            let records = span.extensions().get::<Seen>().unwrap().records;
            self.events.lock().unwrap().push((span.name().to_owned(), records));
        }
    }

    fn on_close(&self, id: Id, ctx: Context<'_, S>) {
        // As those of OpenTelemetry do, which take what they kept.
        assert!(ctx.span(&id).unwrap().extensions_mut().remove::<Seen>().is_some());
    }
}

#[test]
fn layers_with_filters_of_their_own_and_a_foreign_one_share_spans_and_disturb_nothing() {
    let _alone = alone();
    for order in 0..3 {
        let log = Log::new();
        let (every, guard) =
            writer_tracing::builder(log.path()).span_events(SpanEvents::Close).build().unwrap();
        let (some, other_guard) = writer_tracing::layer(log.other()).unwrap();
        let foreign = Foreign::default();
        let seen = Arc::clone(&foreign.events);
        let quiet = filter_fn(|metadata| metadata.name() != "hidden");
        let targets = Targets::new().with_default(Level::INFO).with_target("loud", Level::TRACE);
        let mut layers: Vec<Boxed> = vec![
            every.boxed(),
            foreign.boxed(),
            Some(some.with_filter(quiet).with_filter(targets)).boxed(),
        ];
        layers.rotate_left(order);
        let subscriber = Registry::default().with(layers);
        assert_eq!(subscriber.max_level_hint(), None);
        with_default(subscriber, || {
            let outer = info_span!("outer", id = 1, late = tracing::field::Empty).entered();
            let hidden = info_span!("hidden", id = 2).entered();
            outer.record("late", 1);
            outer.record("late", 2);
            info!("x");
            debug!("only for the first");
            trace!(target: "loud", "y");
            drop(hidden);
            warn!("z");
        });
        drop((guard, other_guard));
        let outer = r#"{"id":1,"late":2,"name":"outer"}"#;
        let both = format!(r#"[{outer},{{"id":2,"name":"hidden"}}]"#);
        let alone = format!("[{outer}]");
        let told = |path: std::path::PathBuf| -> Vec<(String, String)> {
            let lines = read(&path);
            let told = |line: &serde_json::Map<_, serde_json::Value>| {
                (line["message"].as_str().unwrap().to_owned(), spans(line))
            };
            lines.iter().map(told).collect()
        };
        let pairs = |list: &[(&str, &String)]| -> Vec<(String, String)> {
            list.iter().map(|(text, spans)| ((*text).to_owned(), (*spans).clone())).collect()
        };
        assert_eq!(
            told(log.path()),
            pairs(&[
                ("x", &both),
                ("only for the first", &both),
                ("y", &both),
                ("close", &both),
                ("z", &alone),
                ("close", &alone),
            ])
        );
        assert_eq!(told(log.other()), pairs(&[("x", &alone), ("y", &alone), ("z", &alone)]));
        let names = ["hidden", "hidden", "hidden", "outer"];
        let records = [0, 0, 0, 2];
        let expected: Vec<_> = names.map(str::to_owned).into_iter().zip(records).collect();
        assert_eq!(*seen.lock().unwrap(), expected);
    }
}

#[test]
fn one_instance_takes_the_place_of_another_in_the_midst_of_a_span() {
    let _alone = alone();
    let log = Log::new();
    let (one, guard) = writer_tracing::layer(log.path()).unwrap();
    let (two, other_guard) = writer_tracing::layer(log.other()).unwrap();
    let (exchanged, handle) = reload::Layer::new(Some(one));
    with_default(Registry::default().with(exchanged).with(Foreign::default()), || {
        let outer = info_span!("outer", id = 1, late = tracing::field::Empty).entered();
        info!("first");
        handle.reload(Some(two)).unwrap();
        outer.record("late", 2);
        info_span!("inner", id = 3).in_scope(|| info!("second"));
    });
    drop((guard, other_guard));
    let first = read(&log.path()).remove(0);
    assert_eq!(
        (&first["message"], spans(&first).as_str()),
        (&json!("first"), r#"[{"id":1,"name":"outer"}]"#)
    );
    let second = read(&log.other()).remove(0);
    // What was recorded before this instance was there, it has not seen.
    let seen = r#"[{"late":2,"name":"outer"},{"id":3,"name":"inner"}]"#;
    assert_eq!((&second["message"], spans(&second).as_str()), (&json!("second"), seen));
}
