//! Where OpenTelemetry has a span: the ids of its trace and its own, from the layer of
//! `tracing-opentelemetry`.

use std::panic::{AssertUnwindSafe, RefUnwindSafe, UnwindSafe, catch_unwind};
use std::sync::OnceLock;

use opentelemetry::trace::TraceContextExt;
use tracing_core::dispatcher::{self, Dispatch, WeakDispatch};
use tracing_core::span::Id;
use tracing_opentelemetry::get_otel_context;
use tracing_subscriber::Registry;
use tracing_subscriber::registry::{LookupSpan, SpanRef};

use crate::layer::JsonLayer;
use crate::span::Node;

/// The ids of trace and span.
pub(crate) type TraceIds = ([u8; 16], [u8; 8]);

/// The way to the contexts of spans.
#[derive(Debug, Default)]
pub(crate) struct Traces {
    /// The subscriber that the layer became a part of first; unset where something around the layer
    /// does not pass the news on, as `Option` and `Vec` do not, and `reload` does not for a later
    /// layer.
    dispatch: OnceLock<WeakDispatch>,
}

/// It is set once as a whole, so a panic leaves nothing half done in it.
impl UnwindSafe for Traces {}
impl RefUnwindSafe for Traces {}

impl Traces {
    pub(crate) fn register(&self, dispatch: &Dispatch) {
        // Under a second subscriber the layer keeps to its first, while it has that one's spans.
        let _ = self.dispatch.set(dispatch.downgrade());
    }
}

impl JsonLayer {
    /// Asks for the ids of a span unless they are known. Where OpenTelemetry does not see the span,
    /// those of the nearest one around it count.
    ///
    /// The answer starts OpenTelemetry's span if nothing has before. No lock may be held meanwhile:
    /// its tracer is code of the user.
    #[cold]
    pub(crate) fn learn_trace<'a, R: LookupSpan<'a>>(&self, span: &SpanRef<'a, R>, node: &Node) {
        if node.has_trace() || !self.format.shows_trace() {
            return;
        }
        let find = |dispatch: &Dispatch| span.scope().find_map(|span| ids(&span.id(), dispatch));
        let keeps = |dispatch: &Dispatch| self.has_kept(node, &span.id(), dispatch);
        let own = || self.traces.dispatch.get().and_then(WeakDispatch::upgrade);
        let ask = || match own().filter(|own| keeps(own).unwrap_or(true)) {
            Some(own) => find(&own),
            // None while the dispatcher of this thread is in use, unless it is that of the process.
            None => dispatcher::get_default(|dispatch| match keeps(dispatch) {
                Some(true) => find(dispatch),
                _ => None,
            }),
        };
        // Unwind safety: nothing is written here before the answer is there. It panics where the
        // lock of that layer is poisoned; the line is worth more than the ids.
        match catch_unwind(AssertUnwindSafe(ask)) {
            Ok(Some(ids)) => node.set_trace(ids),
            Ok(None) => {}
            // The destructor of what the panic carries could panic again.
            Err(payload) => std::mem::forget(payload),
        }
    }

    /// Whether it is in a span of this subscriber that the layer keeps the node: another one may
    /// have a span of the same id. `None` where the registry is of an unknown kind.
    fn has_kept(&self, node: &Node, id: &Id, dispatch: &Dispatch) -> Option<bool> {
        let registry = dispatch.downcast_ref::<Registry>()?;
        let kept = registry.span(id).and_then(|span| self.kept(&span));
        Some(kept.is_some_and(|kept| std::ptr::eq(&*kept, node)))
    }
}

fn ids(id: &Id, dispatch: &Dispatch) -> Option<TraceIds> {
    let context = get_otel_context(id, dispatch)?;
    let span = context.span();
    let context = span.span_context();
    context.is_valid().then(|| (context.trace_id().to_bytes(), context.span_id().to_bytes()))
}
