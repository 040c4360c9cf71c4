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
use tracing_subscriber::reload;
use writer_tracing::Schema;

// After a reload the ids were missing, and all the time where the reloadable layer was an `Option`.
#[test]
fn a_layer_in_an_option_or_reloaded_has_the_ids_under_the_subscriber_of_the_process() {
    let (log, exchanged) = (Log::new(), Log::new());
    let build = |path| writer_tracing::builder(path).schema(Schema::Ecs).build().unwrap();
    let (layer, guard) = build(log.path());
    let (first, first_guard) = build(exchanged.path());
    let (second, second_guard) = build(exchanged.other());
    let (reloadable, handle) = reload::Layer::new(Some(first));
    // Gives each span the ids of its parent.
    let other = tracing_opentelemetry::layer().with_tracer(NoopTracer::new());
    tracing_subscriber::registry().with(other).with(reloadable).with(Some(layer)).init();
    let (trace, id) = (TraceId::from(77_u128), SpanId::from(88_u64));
    let remote = SpanContext::new(trace, id, TraceFlags::SAMPLED, true, TraceState::NONE);
    let span = info_span!("s");
    span.set_parent(opentelemetry::Context::new().with_remote_span_context(remote)).unwrap();
    span.in_scope(|| info!("x"));
    handle.reload(Some(second)).unwrap();
    span.in_scope(|| info!("x"));
    info_span!(parent: &span, "inner").in_scope(|| info!("x"));
    drop((guard, first_guard, second_guard));
    for (path, lines) in [(log.path(), 3), (exchanged.path(), 1), (exchanged.other(), 2)] {
        let read = read(&path);
        assert_eq!(read.len(), lines);
        for line in read {
            assert_eq!(line["trace.id"], trace.to_string());
            assert_eq!(line["span.id"], id.to_string());
        }
    }
}
