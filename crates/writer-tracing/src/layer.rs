//! The layer: an event of `tracing` in, a line to the writer out.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tracing_core::span::{Attributes, Id, Record as Values};
use tracing_core::{Event, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::{LookupSpan, SpanRef};
use writer_core::Writer;
use writer_core::json::{Encoded, EncodedSpan, Format, Meta, Record, SpanLines, SpanMoment};

use crate::log_record::{self, LogFields};
#[cfg(feature = "opentelemetry")]
use crate::opentelemetry::Traces;
use crate::recent::Recent;
use crate::site::{Site, Sites, plain_name, severity};
use crate::span::{Node, Nodes};
use crate::span_events::{SpanEvents, Times};
use crate::visit::{EventFields, SpanFields};

/// Tells layers apart, in the extensions of spans and in the caches of threads. Never used twice.
static NEXT_LAYER: AtomicU64 = AtomicU64::new(0);

/// A layer that writes every event as one line of JSON; made by [`layer`](crate::layer()),
/// [`builder`](crate::builder()) or [`on`](crate::on).
///
/// It has no filter of its own and takes whatever the subscriber and the layer's own filter let
/// through. Encoding happens in the thread of the event; the line is then given to the writer,
/// which may block as its queue policy says. No method panics.
///
/// Spans that a filter of this layer hides are left out of the list. If the filter hides the parent
/// that an event names, the event has no list at all; if it hides the current span, the list is
/// that of the innermost entered span that the layer may see, which a parent never entered is not.
pub struct JsonLayer {
    pub(crate) id: u64,
    writer: Writer,
    pub(crate) format: Format,
    sites: Sites,
    span_events: Option<(SpanEvents, SpanLines)>,
    #[cfg(feature = "opentelemetry")]
    pub(crate) traces: Traces,
}

impl fmt::Debug for JsonLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JsonLayer").field("writer", &self.writer).finish_non_exhaustive()
    }
}

impl JsonLayer {
    pub(crate) fn new(
        writer: Writer,
        format: Format,
        span_events: Option<(SpanEvents, SpanLines)>,
    ) -> Self {
        writer.default_loss_marker(&format);
        let id = NEXT_LAYER.fetch_add(1, Ordering::Relaxed);
        JsonLayer {
            id,
            writer,
            format,
            sites: Sites::default(),
            span_events,
            #[cfg(feature = "opentelemetry")]
            traces: Traces::default(),
        }
    }

    /// The writer, for flush, trigger, metrics.
    pub fn writer(&self) -> &Writer {
        &self.writer
    }

    fn event<S>(&self, event: &Event<'_>, site: &Site, ctx: &Context<'_, S>)
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let send = |severity, line: &[u8]| self.writer.send_record(severity, line);
        let encoded = if site.from_log {
            log_record::with_origin(event, |origin| {
                let fill = |record: &mut Record<'_>| {
                    event.record(&mut LogFields(record));
                    self.spans(event, record, ctx);
                };
                self.format.encode(&origin.meta(*event.metadata().level()), fill, send)
            })
        } else {
            let fill = |record: &mut Record<'_>| {
                EventFields::give(record, site, event);
                self.spans(event, record, ctx);
            };
            site.prepared.encode(None, fill, send)
        };
        self.note(encoded);
    }

    /// Counts what went wrong with a line.
    #[inline]
    fn note<R>(&self, encoded: Option<Encoded<R>>) {
        match encoded {
            // What went wrong is known only when the line has gone.
            Some(encoded) => {
                self.writer.note_record(u64::from(encoded.format_errors), encoded.truncated);
            }
            // A `Display` that logs itself without end.
            None => self.writer.note_record(1, false),
        }
    }

    /// Writes a line that tells of a span. Runs no code of the user.
    #[cold]
    fn span_line(
        &self,
        lines: &SpanLines,
        metadata: &Metadata<'_>,
        node: &Node,
        moment: SpanMoment,
    ) {
        let meta = Meta::new(severity(*metadata.level()), metadata.target())
            .module(metadata.module_path())
            .file(metadata.file())
            .line(metadata.line());
        let (_, list, _) = node.list();
        let send = |severity, line: &[u8]| self.writer.send_record(severity, line);
        self.note(lines.encode(&meta, metadata.name(), moment, &list, send));
    }

    /// Counts a line about a span that would have been written, in a forked child without a writer.
    #[cold]
    fn reject_span_line(&self, wanted: bool) {
        if wanted {
            self.writer.reject_record();
        }
    }

    /// Follows what happens to a span that was here from its beginning.
    #[cold]
    fn measured<S>(&self, id: &Id, ctx: &Context<'_, S>, step: fn(&mut Times))
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        if let Some(node) = self.remembered(id)
            && !self.lacks_trace(&node)
        {
            node.times(step);
        } else if let Some(span) = ctx.span(id)
            && let Some(node) = self.known(&span)
        {
            node.times(step);
            #[cfg(feature = "opentelemetry")]
            self.learn_trace(&span, &node);
            self.remember(id, node);
        }
    }

    /// Has this thread remember a span that it enters.
    #[cold]
    fn meet<S>(&self, id: &Id, ctx: &Context<'_, S>)
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        if let Some(span) = ctx.span(id)
            && let Some(node) = self.known(&span)
        {
            self.remember(id, node);
        }
    }

    /// Keeps a panic from the program that only wanted to log. What the user's code panics with,
    /// the encoder has caught before; this is for the registry, which may be gone in the
    /// destructors of a thread.
    #[inline]
    fn contain(&self, call: impl FnOnce()) {
        // Unwind safety: what is shared is behind locks and whole after every step.
        if let Err(payload) = catch_unwind(AssertUnwindSafe(call)) {
            // The destructor of what the panic carries could panic again.
            std::mem::forget(payload);
            self.writer.note_record(1, false);
        }
    }

    /// Gives the record the spans around its event. Runs no code of the user.
    #[inline]
    fn spans<S>(&self, event: &Event<'_>, record: &mut Record<'_>, ctx: &Context<'_, S>)
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let current;
        let id = if event.is_contextual() {
            current = ctx.current_span();
            match current.id() {
                None if current.is_known() => return,
                id => id,
            }
        } else {
            match event.parent() {
                None => return,
                id => id,
            }
        };
        // The thread may remember a span only if this layer may see it, so no filter is passed by.
        // If it may not see the current one, it may see another around it, found below.
        if let Some(id) = id
            && let Some(mut recent) = self.take_recent(id)
        {
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
    fn lacks_trace(&self, node: &Node) -> bool {
        self.format.shows_trace() && !node.has_trace()
    }

    #[cfg(not(feature = "opentelemetry"))]
    fn lacks_trace(&self, _node: &Node) -> bool {
        false
    }

    #[cold]
    fn spans_of<'a, R: LookupSpan<'a>>(&self, span: &SpanRef<'a, R>, record: &mut Record<'_>) {
        let node = self.node(span);
        #[cfg(feature = "opentelemetry")]
        self.learn_trace(span, &node);
        let (stamp, list, keep) = node.list();
        record.span_list(&list);
        let recent = Recent { node, list: keep.then_some((stamp, list)) };
        self.put_recent(&span.id(), recent);
    }

    /// What this layer keeps of a span. A span from before the layer was there has only its name.
    fn node<'a, R: LookupSpan<'a>>(&self, span: &SpanRef<'a, R>) -> Arc<Node> {
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
    fn encoded(&self, name: &str, parent: Option<&Node>) -> EncodedSpan {
        match parent {
            Some(parent) => parent.child(&self.format, name),
            None => self.format.span(name),
        }
    }

    /// What this layer keeps of a span that it has met, for use in this process.
    fn known<'a, R: LookupSpan<'a>>(&self, span: &SpanRef<'a, R>) -> Option<Arc<Node>> {
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
    fn begin<'a, R: LookupSpan<'a>>(&self, span: &SpanRef<'a, R>, node: Node) -> Arc<Node> {
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

impl<S> Layer<S> for JsonLayer
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    #[cfg(feature = "opentelemetry")]
    fn on_register_dispatch(&self, dispatch: &tracing_core::Dispatch) {
        self.traces.register(dispatch);
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, ctx: Context<'_, S>) {
        if self.writer.is_left_behind() {
            let wanted = matches!(self.span_events, Some((SpanEvents::NewAndClose, _)));
            return self.reject_span_line(wanted);
        }
        self.contain(|| {
            let Some(span) = ctx.span(id) else { return };
            // The user's code that another layer runs may be what begins this span: see `Recent`.
            let parent = span
                .parent()
                .map(|parent| self.remembered(&parent.id()).unwrap_or_else(|| self.node(&parent)));
            let mut encoded = self.encoded(span.name(), parent.as_deref());
            // The user's code runs here, while nothing is locked.
            attributes.record(&mut SpanFields(&mut encoded));
            self.writer.note_record(u64::from(encoded.take_format_errors()), false);
            let mut node = Node::new(self.id, encoded, parent);
            if self.span_events.is_some() {
                node.measure();
            }
            let node = self.begin(&span, node);
            // Whoever begins a span mostly enters it.
            self.remember(id, Arc::clone(&node));
            if let Some((SpanEvents::NewAndClose, lines)) = &self.span_events {
                self.span_line(lines, span.metadata(), &node, SpanMoment::New);
            }
        });
    }

    fn on_record(&self, id: &Id, values: &Values<'_>, ctx: Context<'_, S>) {
        if self.writer.is_left_behind() {
            return;
        }
        self.contain(|| {
            let Some(span) = ctx.span(id) else { return };
            // As above: encoded apart, then taken over.
            let mut newer = self.format.span_update();
            values.record(&mut SpanFields(&mut newer));
            self.writer.note_record(u64::from(newer.take_format_errors()), false);
            let fields = span.metadata().fields();
            let names = fields.iter().map(|field| (field.index() as u32, plain_name(field.name())));
            let node = self.node(&span);
            node.update(&newer, names);
            // For what the values log when the layers after this one format them.
            self.remember(id, node);
        });
    }

    fn on_enter(&self, id: &Id, ctx: Context<'_, S>) {
        if self.span_events.is_some() {
            if !self.writer.is_left_behind() {
                self.contain(|| self.measured(id, &ctx, Times::enter));
            }
        } else if let Some(recent) = self.take_recent(id) {
            self.put_recent(id, recent);
        } else if !self.writer.is_left_behind() {
            self.contain(|| self.meet(id, &ctx));
        }
    }

    fn on_exit(&self, id: &Id, ctx: Context<'_, S>) {
        if self.span_events.is_some() && !self.writer.is_left_behind() {
            self.contain(|| self.measured(id, &ctx, Times::exit));
        }
    }

    fn on_close(&self, id: Id, ctx: Context<'_, S>) {
        let Some((_, lines)) = &self.span_events else { return };
        if self.writer.is_left_behind() {
            return self.reject_span_line(true);
        }
        self.contain(|| {
            let Some(span) = ctx.span(&id) else { return };
            let Some(node) = self.known(&span) else { return };
            let metadata = span.metadata();
            let error = metadata.fields().field("error").map(|field| field.index() as u32);
            let error = error.is_some_and(|error| node.has(error));
            let Some((busy, idle, panicked)) = node.times(Times::close) else { return };
            let close = SpanMoment::Close { busy, idle, failed: error || panicked };
            self.span_line(lines, metadata, &node, close);
        });
    }

    fn on_event(&self, event: &Event<'_>, ctx: Context<'_, S>) {
        // Before any lock: a thread of the parent may hold it for ever.
        if self.writer.is_left_behind() {
            return self.writer.reject_record();
        }
        self.contain(|| {
            self.sites.with(self.id, &self.writer, &self.format, event.metadata(), |site| {
                self.event(event, site, &ctx);
            });
        });
    }
}
