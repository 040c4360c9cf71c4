//! The spans around an event, and what the layer keeps of each.

use std::sync::Arc;

use tracing_core::{Event, Subscriber};
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::{LookupSpan, SpanRef};
use writer_core::json::{EncodedSpan, Record};

use crate::layer::JsonLayer;
use crate::recent::Recent;
use crate::span::{Node, Nodes};

impl JsonLayer {
    /// Gives the record the spans around its event. Runs no code of the user.
    #[inline]
    pub(crate) fn spans<S>(&self, event: &Event<'_>, record: &mut Record<'_>, ctx: &Context<'_, S>)
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let current;
        let id = if event.is_contextual() {
            current = ctx.current_span();
            current.id()
        } else {
            event.parent()
        };
        let Some(id) = id else { return };
        // The thread may remember a span only if this layer may see it, so no filter is passed by.
        // If it may not see the current one, it may see another around it, found below.
        if let Some(mut recent) = self.take_recent(id) {
            let fresh = match &recent.list {
                Some((stamp, list)) if recent.node.stamp() == *stamp => {
                    record.span_list(list);
                    true
                }
                _ => self.renew_list(&mut recent, record),
            };
            if fresh {
                return self.put_recent(id, recent);
            }
        }
        if let Some(span) = ctx.event_span(event) {
            self.spans_of(&span, record);
        }
    }

    /// Gives the record the spans as they are now; false if more must be asked than what the thread
    /// remembers.
    #[cold]
    fn renew_list(&self, recent: &mut Recent, record: &mut Record<'_>) -> bool {
        if recent.node.is_inherited() || self.lacks_trace(&recent.node) {
            return false;
        }
        let (stamp, list, keep) = recent.node.list();
        record.span_list(&list);
        recent.list = keep.then_some((stamp, list));
        true
    }

    /// Whether a line should show where OpenTelemetry has the span, and that is not known.
    #[cfg(feature = "opentelemetry")]
    pub(crate) fn lacks_trace(&self, node: &Node) -> bool {
        self.format.shows_trace() && !node.has_trace()
    }

    #[cfg(not(feature = "opentelemetry"))]
    pub(crate) fn lacks_trace(&self, _node: &Node) -> bool {
        false
    }

    #[cold]
    fn spans_of<'a, R: LookupSpan<'a>>(&self, span: &SpanRef<'a, R>, record: &mut Record<'_>) {
        let node = self.node(span);
        #[cfg(feature = "opentelemetry")]
        self.learn_trace(span, &node);
        let (stamp, list, keep) = node.list();
        record.span_list(&list);
        self.put_new(&span.id(), Recent { node, list: keep.then_some((stamp, list)) });
    }

    /// What this layer keeps of a span. A span from before the layer was there has only its name.
    pub(crate) fn node<'a, R: LookupSpan<'a>>(&self, span: &SpanRef<'a, R>) -> Arc<Node> {
        if let Some(node) = self.kept(span).filter(|node| !node.is_inherited()) {
            return node;
        }
        let mut parent = None;
        let mut unknown = Vec::new();
        for outer in span.scope() {
            match self.kept(&outer) {
                Some(node) if !node.is_inherited() => {
                    parent = Some(node);
                    break;
                }
                old => unknown.push((outer, old)),
            }
        }
        for (span, old) in unknown.iter().rev() {
            let outer = parent.take();
            let fresh = || self.encoded(span.name(), outer.as_deref());
            parent = Some(match old {
                Some(old) => old.renew(outer.clone(), fresh),
                None => self.attach(span, Node::new(self.id, fresh(), outer.clone())),
            });
        }
        // The scope begins with the span itself, so the last one attached is its own.
        parent
            .unwrap_or_else(|| Arc::new(Node::new(self.id, self.encoded(span.name(), None), None)))
    }

    /// A span without fields yet.
    pub(crate) fn encoded(&self, name: &str, parent: Option<&Node>) -> EncodedSpan {
        match parent {
            Some(parent) => parent.child(&self.format, name),
            None => self.format.span(name),
        }
    }

    /// What this layer keeps of a span that it has met, for use in this process.
    pub(crate) fn known<'a, R: LookupSpan<'a>>(&self, span: &SpanRef<'a, R>) -> Option<Arc<Node>> {
        let node = self.kept(span)?;
        Some(if node.is_inherited() { self.node(span) } else { node })
    }

    /// The same, which may still be that of the parent process.
    pub(crate) fn kept<'a, R: LookupSpan<'a>>(&self, span: &SpanRef<'a, R>) -> Option<Arc<Node>> {
        span.extensions().get::<Nodes>()?.get(self.id).map(Node::latest)
    }

    /// Keeps what a span begins with. It takes the place of what was made of its name alone where a
    /// layer below has logged in the span before this one has heard of it. Fields that such a layer
    /// has recorded by then are lost to this one, as they are to every layer that comes later.
    pub(crate) fn begin<'a, R: LookupSpan<'a>>(
        &self,
        span: &SpanRef<'a, R>,
        node: Node,
    ) -> Arc<Node> {
        let node = Arc::new(node);
        let mut extensions = span.extensions_mut();
        match extensions.get_mut::<Nodes>() {
            None => extensions.insert(Nodes::new(Arc::clone(&node))),
            Some(nodes) => nodes.set(Arc::clone(&node)),
        }
        node
    }

    /// Keeps what is new, or returns what another thread has put there meanwhile.
    fn attach<'a, R: LookupSpan<'a>>(&self, span: &SpanRef<'a, R>, node: Node) -> Arc<Node> {
        let node = Arc::new(node);
        let mut extensions = span.extensions_mut();
        match extensions.get_mut::<Nodes>() {
            None => extensions.insert(Nodes::new(Arc::clone(&node))),
            Some(nodes) => match nodes.get(self.id) {
                Some(known) => return Arc::clone(known),
                None => nodes.add(Arc::clone(&node)),
            },
        }
        node
    }
}
