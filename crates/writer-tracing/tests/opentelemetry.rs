//! The ids of OpenTelemetry's trace and span in the lines, with the layer of
//! `tracing-opentelemetry` in the same registry.

#![cfg(feature = "opentelemetry")]
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use opentelemetry::trace::{
    Span as OtelSpan, SpanBuilder, SpanContext, SpanId, Status, TraceContextExt, TraceFlags,
    TraceId, TraceState, Tracer,
};
use opentelemetry::{Context, KeyValue};
use serde_json::{Map, Value, json};
use support::{Log, read};
use tracing::{Dispatch, Span, dispatcher, info, info_span, subscriber::with_default};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::prelude::*;
use tracing_subscriber::{Layer, Registry, reload};
use writer_tracing::json::{Part, Schema};
use writer_tracing::{LayerBuilder, SpanEvents};

/// A tracer that counts: a root is the next trace, every span the next span.
#[derive(Default)]
struct Counts {
    traces: AtomicU64,
    spans: AtomicU64,
}

struct Started(SpanContext);

impl Tracer for Counts {
    type Span = Started;

    fn build_with_context(&self, _: SpanBuilder, parent: &Context) -> Started {
        let parent = parent.span().span_context().clone();
        let trace = match parent.is_valid() {
            true => parent.trace_id(),
            false => trace_id(self.traces.fetch_add(1, Ordering::Relaxed) + 1),
        };
        let span = SpanId::from(self.spans.fetch_add(1, Ordering::Relaxed) + 1);
        Started(SpanContext::new(trace, span, TraceFlags::SAMPLED, false, TraceState::NONE))
    }
}

impl OtelSpan for Started {
    fn add_event_with_timestamp<T>(&mut self, _: T, _: SystemTime, _: Vec<KeyValue>)
    where
        T: Into<Cow<'static, str>>,
    {
    }
    fn span_context(&self) -> &SpanContext {
        &self.0
    }
    fn is_recording(&self) -> bool {
        true
    }
    fn set_attribute(&mut self, _: KeyValue) {}
    fn set_status(&mut self, _: Status) {}
    fn update_name<T>(&mut self, _: T)
    where
        T: Into<Cow<'static, str>>,
    {
    }
    fn add_link(&mut self, _: SpanContext, _: Vec<KeyValue>) {}
    fn end_with_timestamp(&mut self, _: SystemTime) {}
}

fn trace_id(number: u64) -> TraceId {
    TraceId::from(u128::from(number) | 0xAB << 120)
}

/// The ids of the lines' own span, as the layer of OpenTelemetry says it.
fn expected(span: &Span) -> [Option<String>; 2] {
    let context = span.context();
    let span = context.span();
    let context = span.span_context();
    assert!(context.is_valid());
    [Some(context.trace_id().to_string()), Some(context.span_id().to_string())]
}

/// The ids in a line.
fn ids(line: &Map<String, Value>, schema: Schema) -> [Option<String>; 2] {
    let line = Value::Object(line.clone());
    let (record, keys) = match schema {
        Schema::Otel => ("/resourceLogs/0/scopeLogs/0/logRecords/0", ["traceId", "spanId"]),
        Schema::Ecs => ("", ["trace.id", "span.id"]),
        Schema::Gcp => ("", ["logging.googleapis.com/trace", "logging.googleapis.com/spanId"]),
        _ => ("", ["trace_id", "span_id"]),
    };
    let record = line.pointer(record).unwrap();
    keys.map(|key| record.get(key).map(|id| id.as_str().unwrap().to_owned()))
}

fn layer_of_opentelemetry() -> tracing_opentelemetry::OpenTelemetryLayer<Registry, Counts> {
    tracing_opentelemetry::layer().with_tracer(Counts::default())
}

/// The lines of a layer with the layer of OpenTelemetry below it.
fn lines(
    set: impl FnOnce(LayerBuilder) -> LayerBuilder,
    body: impl FnOnce(),
) -> Vec<Map<String, Value>> {
    let log = Log::new();
    let builder = writer_tracing::builder(log.path()).schema(Schema::Ecs);
    let (layer, guard) = set(builder).build().unwrap();
    with_default(Registry::default().with(layer_of_opentelemetry()).with(layer), body);
    drop(guard);
    read(&log.path())
}

const NONE: [Option<String>; 2] = [None, None];

#[test]
fn every_line_in_a_span_carries_its_ids_in_every_schema_with_places_for_them() {
    for &schema in Schema::ALL {
        let mut wanted = Vec::new();
        let lines = lines(
            |builder| builder.schema(schema).show(Part::TraceId).show(Part::SpanId),
            || {
                info!("outside");
                wanted.push(NONE);
                let outer = info_span!("outer");
                outer.in_scope(|| {
                    for _ in 0..3 {
                        info!("in outer");
                        wanted.push(expected(&outer));
                    }
                    let inner = info_span!("inner");
                    inner.in_scope(|| info!("in inner"));
                    wanted.push(expected(&inner));
                    assert_eq!(expected(&inner)[0], expected(&outer)[0]);
                    info!("in outer again");
                    wanted.push(expected(&outer));
                });
                let other = info_span!("other");
                other.in_scope(|| info!("another trace"));
                wanted.push(expected(&other));
                assert_ne!(expected(&other)[0], expected(&outer)[0]);
                info!("outside again");
                wanted.push(NONE);
            },
        );
        let seen: Vec<_> = lines.iter().map(|line| ids(line, schema)).collect();
        assert_eq!(seen, wanted, "{schema:?}");
    }
}

#[test]
fn a_schema_without_places_stays_as_it_is() {
    for schema in [Schema::Default, Schema::Tracing, Schema::Bunyan, Schema::Logxpy] {
        let lines = lines(
            |builder| builder.schema(schema),
            || {
                let span = info_span!("s");
                info!(parent: &span, "x");
                // Not even started: a remote parent can still be set.
                span.set_parent(remote()).unwrap();
            },
        );
        assert_eq!(ids(&lines[0], schema), NONE);
    }
}

/// A context that came from another process.
fn remote() -> Context {
    let (trace, span) = (TraceId::from(77_u128), SpanId::from(88_u64));
    let state = TraceState::NONE;
    let context = SpanContext::new(trace, span, TraceFlags::SAMPLED, true, state);
    Context::new().with_remote_span_context(context)
}

#[test]
fn a_remote_parent_gives_its_trace() {
    let lines = lines(
        |builder| builder.span_events(SpanEvents::NewAndClose),
        || {
            let span = info_span!("server");
            span.set_parent(remote()).unwrap();
            span.in_scope(|| info!("x"));
        },
    );
    let trace = ids(&lines[1], Schema::Ecs)[0].clone();
    assert_eq!(trace.as_deref(), Some("0000000000000000000000000000004d"));
}

#[test]
fn an_event_has_the_ids_of_the_parent_it_names() {
    let mut wanted = Vec::new();
    let lines = lines(
        |builder| builder,
        || {
            let (a, b) = (info_span!("a"), info_span!("b"));
            let _a = a.enter();
            info!(parent: &b, "in b");
            wanted.push(expected(&b));
            info!(parent: None, "in none");
            wanted.push(NONE);
            info!("in a");
            wanted.push(expected(&a));
        },
    );
    assert_eq!(lines.iter().map(|line| ids(line, Schema::Ecs)).collect::<Vec<_>>(), wanted);
}

#[test]
fn the_line_of_a_closing_span_has_its_ids_in_either_order_of_the_layers() {
    for ours_first in [false, true] {
        let log = Log::new();
        let (layer, guard) = writer_tracing::builder(log.path())
            .schema(Schema::Ecs)
            .span_events(SpanEvents::NewAndClose)
            .build()
            .unwrap();
        let mut wanted = Vec::new();
        let mut body = || {
            let span = info_span!("s");
            span.in_scope(|| ());
            wanted = vec![NONE, expected(&span)];
        };
        if ours_first {
            let other = tracing_opentelemetry::layer().with_tracer(Counts::default());
            with_default(Registry::default().with(layer).with(other), &mut body);
        } else {
            let other = layer_of_opentelemetry();
            with_default(Registry::default().with(other).with(layer), &mut body);
        }
        drop(guard);
        let lines = read(&log.path());
        assert_eq!(lines.iter().map(|line| ids(line, Schema::Ecs)).collect::<Vec<_>>(), wanted);
    }
}

#[test]
fn a_span_hidden_from_opentelemetry_is_in_the_one_around_it() {
    let log = Log::new();
    let (layer, guard) = writer_tracing::builder(log.path()).schema(Schema::Ecs).build().unwrap();
    let other =
        layer_of_opentelemetry().with_filter(filter_fn(|metadata| metadata.name() != "hidden"));
    let mut wanted = Vec::new();
    with_default(Registry::default().with(other).with(layer.boxed()), || {
        let outer = info_span!("outer");
        let _outer = outer.enter();
        info_span!("hidden").in_scope(|| info!("x"));
        wanted.push(expected(&outer));
    });
    drop(guard);
    let lines = read(&log.path());
    assert_eq!(lines.iter().map(|line| ids(line, Schema::Ecs)).collect::<Vec<_>>(), wanted);
    assert_eq!(lines[0]["spans"], json!([{"name": "outer"}, {"name": "hidden"}]));
}

#[test]
fn ids_in_fields_go_before() {
    let mut own = NONE;
    let lines = lines(
        |builder| builder,
        || {
            let span = info_span!("s", trace_id = "mine", span_id = tracing::field::Empty);
            span.in_scope(|| info!("another trace"));
            let span = info_span!("s", span_id = "its own");
            span.in_scope(|| info!("this trace"));
            own = expected(&span);
        },
    );
    assert_eq!(ids(&lines[0], Schema::Ecs), [Some("mine".to_owned()), None]);
    assert_eq!(ids(&lines[1], Schema::Ecs), [own[0].clone(), Some("its own".to_owned())]);
}

#[test]
fn without_activated_contexts_the_ids_are_there_too() {
    let log = Log::new();
    let (layer, guard) = writer_tracing::builder(log.path()).schema(Schema::Ecs).build().unwrap();
    let other = layer_of_opentelemetry().with_context_activation(false);
    let mut wanted = NONE;
    with_default(Registry::default().with(other).with(layer), || {
        let span = info_span!("s");
        span.in_scope(|| info!("x"));
        wanted = expected(&span);
    });
    drop(guard);
    assert_eq!(ids(&read(&log.path())[0], Schema::Ecs), wanted);
}

// It asked the first one for the span of the same id, and showed the trace of that.
#[test]
fn a_layer_that_moves_to_another_subscriber_shows_no_ids_of_the_first() {
    let log = Log::new();
    let (layer, guard) = writer_tracing::builder(log.path()).schema(Schema::Ecs).build().unwrap();
    let (one, from) = reload::Layer::new(layer);
    let (two, to) = reload::Layer::new(None);
    let other = layer_of_opentelemetry();
    let first = Dispatch::new(Registry::default().with(other).with(one));
    let second = Dispatch::new(Registry::default().with(layer_of_opentelemetry()).with(two));
    let open = dispatcher::with_default(&first, || {
        let open = info_span!("a");
        open.in_scope(|| info!("x"));
        assert!(expected(&open)[0].is_some());
        open
    });
    // Something must stay in the place of the layer.
    let (spare, spare_guard) = writer_tracing::layer(log.other()).unwrap();
    let mut moved = Some(spare);
    from.modify(|layer| moved = moved.take().map(|spare| std::mem::replace(layer, spare))).unwrap();
    to.modify(|layer| *layer = moved.take()).unwrap();
    dispatcher::with_default(&second, || {
        let span = info_span!("b");
        assert_eq!(span.id(), open.id());
        span.in_scope(|| info!("x"));
    });
    drop((guard, spare_guard));
    let lines = read(&log.path());
    assert!(ids(&lines[0], Schema::Ecs)[0].is_some());
    assert_eq!((&lines[1]["spans"], ids(&lines[1], Schema::Ecs)), (&json!([{"name": "b"}]), NONE));
}
