//! A layer that nobody tells of its subscriber finds OpenTelemetry's ids under that of the process.

#![cfg(feature = "opentelemetry")]
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use opentelemetry::trace::{
    SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState, noop::NoopTracer,
};
use support::{Log, read};
use tracing::{info, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::prelude::*;
use writer_tracing::Schema;

#[test]
fn a_layer_in_an_option_has_the_ids_under_the_subscriber_of_the_process() {
    let log = Log::new();
    let (layer, guard) = writer_tracing::builder(log.path()).schema(Schema::Ecs).build().unwrap();
    // Gives each span the ids of its parent.
    let other = tracing_opentelemetry::layer().with_tracer(NoopTracer::new());
    tracing_subscriber::registry().with(other).with(Some(layer)).init();
    let (trace, id) = (TraceId::from(77_u128), SpanId::from(88_u64));
    let remote = SpanContext::new(trace, id, TraceFlags::SAMPLED, true, TraceState::NONE);
    let span = info_span!("s");
    span.set_parent(opentelemetry::Context::new().with_remote_span_context(remote)).unwrap();
    span.in_scope(|| info!("x"));
    drop(guard);
    let line = read(&log.path()).remove(0);
    assert_eq!(line["trace.id"], trace.to_string());
    assert_eq!(line["span.id"], id.to_string());
}
