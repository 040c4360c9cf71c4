//! The layer, or a filter around it, exchanged.

use crate::support::{Log, alone, read, spans};
use serde_json::json;
use tracing::level_filters::LevelFilter;
use tracing::{Dispatch, debug, debug_span, dispatcher, info, info_span, subscriber::with_default};
use tracing_subscriber::layer::Identity;
use tracing_subscriber::prelude::*;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Layer, Registry, fmt, reload};
use writer_tracing::{JsonLayer, SpanEvents};

/// A layer beside ours that has spans made while ours is not there.
fn other<S: tracing::Subscriber + for<'a> LookupSpan<'a>>() -> impl Layer<S> {
    fmt::layer().with_writer(std::io::sink)
}

#[test]
fn the_layer_works_in_option_box_vec_and_reload() {
    let _alone = alone();
    type Wrap = fn(JsonLayer) -> Box<dyn Layer<Registry> + Send + Sync>;
    let wraps: [Wrap; 5] = [
        |layer| Some(layer).boxed(),
        |layer| layer.boxed(),
        |layer| vec![layer].boxed(),
        |layer| reload::Layer::new(layer).0.boxed(),
        // Not `None` behind it: with any layer in its place, `tracing-subscriber` 0.3 then has the
        // most verbose level of all be OFF, and nothing is seen unless another subscriber raises
        // it.
        |layer| layer.with_filter(LevelFilter::INFO).and_then(Identity::new()).boxed(),
    ];
    for (number, wrap) in wraps.into_iter().enumerate() {
        let log = Log::new();
        let (layer, guard) = writer_tracing::layer(log.path()).unwrap();
        with_default(Registry::default().with(wrap(layer)), || {
            info_span!("s", id = 1).in_scope(|| info!("x"));
        });
        drop(guard);
        let lines = read(&log.path());
        assert_eq!(lines.len(), 1, "{number}");
        assert_eq!(spans(&lines[0]), r#"[{"id":1,"name":"s"}]"#);
    }
}

#[test]
fn spans_from_before_a_reload_have_their_names() {
    let _alone = alone();
    let log = Log::new();
    let (layer, guard) = writer_tracing::layer(log.path()).unwrap();
    let (reloadable, handle) = reload::Layer::new(None::<JsonLayer>);
    with_default(Registry::default().with(reloadable).with(other()), || {
        let outer = info_span!("outer", id = 1, late = tracing::field::Empty);
        let _outer = outer.enter();
        let middle = info_span!("middle");
        let _middle = middle.enter();
        handle.reload(Some(layer)).unwrap();
        info!("x");
        outer.record("late", 2);
        info_span!("inner", id = 3).in_scope(|| info!("x"));
        handle.reload(None).unwrap();
        info!("not seen");
    });
    drop(guard);
    let lines = read(&log.path());
    assert_eq!(lines.len(), 2);
    assert_eq!(spans(&lines[0]), r#"[{"name":"outer"},{"name":"middle"}]"#);
    assert_eq!(
        spans(&lines[1]),
        r#"[{"late":2,"name":"outer"},{"name":"middle"},{"id":3,"name":"inner"}]"#
    );
}

#[test]
fn a_filter_of_the_layer_can_be_reloaded() {
    let _alone = alone();
    let log = Log::new();
    let (layer, guard) =
        writer_tracing::builder(log.path()).span_events(SpanEvents::Close).build().unwrap();
    let (filter, handle) = reload::Layer::new(LevelFilter::INFO);
    with_default(Registry::default().with(Some(layer.with_filter(filter)).boxed()), || {
        let outer = info_span!("outer").entered();
        let hidden = debug_span!("hidden").entered();
        debug!("not yet");
        handle.reload(LevelFilter::DEBUG).unwrap();
        let inner = debug_span!("inner").entered();
        debug!("now");
        handle.reload(LevelFilter::OFF).unwrap();
        info!("no more");
        drop((inner, hidden, outer));
    });
    drop(guard);
    let lines = read(&log.path());
    let both = r#"[{"name":"outer"},{"name":"inner"}]"#;
    assert_eq!((&lines[0]["message"], spans(&lines[0])), (&json!("now"), both.to_owned()));
    // The filter is asked when a span begins: it closes for those who saw it begin.
    let closed: Vec<_> = lines[1..].iter().map(spans).collect();
    assert_eq!(closed, [both, r#"[{"name":"outer"}]"#]);
}

#[test]
fn hidden_spans_and_those_from_before_the_layer_have_no_lines() {
    let _alone = alone();
    let log = Log::new();
    let (layer, guard) =
        writer_tracing::builder(log.path()).span_events(SpanEvents::NewAndClose).build().unwrap();
    let (reloadable, handle) = reload::Layer::new(None::<JsonLayer>);
    let reloadable = reloadable.with_filter(LevelFilter::INFO);
    with_default(Registry::default().with(reloadable).with(other()), || {
        let before = info_span!("before").entered();
        handle.reload(Some(layer)).unwrap();
        drop(debug_span!("hidden").entered());
        info!("x");
        drop(before);
    });
    drop(guard);
    let messages: Vec<_> = read(&log.path()).iter().map(|line| line["message"].clone()).collect();
    assert_eq!(messages, ["x"]);
}

#[test]
fn a_layer_that_moves_to_another_subscriber_shows_the_spans_of_that() {
    let _alone = alone();
    let log = Log::new();
    let (layer, guard) = writer_tracing::layer(log.path()).unwrap();
    let (one, from) = reload::Layer::new(Some(layer));
    let (two, to) = reload::Layer::new(None::<JsonLayer>);
    let first = Dispatch::new(Registry::default().with(one));
    let second = Dispatch::new(Registry::default().with(two).with(other()));
    let open = dispatcher::with_default(&first, || {
        let open = info_span!("a", of = "first");
        open.in_scope(|| info!("x"));
        open
    });
    // One span of each subscriber, with the same id.
    let before = dispatcher::with_default(&second, || info_span!("b", of = "second"));
    assert_eq!(open.id(), before.id());
    let mut moved = None;
    from.modify(|layer| moved = layer.take()).unwrap();
    to.modify(|layer| *layer = moved.take()).unwrap();
    dispatcher::with_default(&second, || {
        before.in_scope(|| info!("x"));
        drop(before);
        info_span!("c", of = "second").in_scope(|| info!("x"));
    });
    drop((open, guard));
    let seen: Vec<_> = read(&log.path()).iter().map(spans).collect();
    let expected =
        [r#"[{"name":"a","of":"first"}]"#, r#"[{"name":"b"}]"#, r#"[{"name":"c","of":"second"}]"#];
    assert_eq!(seen, expected);
}
