//! The layer: an event of `tracing` in, a line to the writer out.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tracing_core::span::{Attributes, Id, Record as Values};
use tracing_core::{Event, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;
use writer_core::Writer;
use writer_core::json::{Encoded, Format, Record, SpanLines, SpanMoment};

use crate::log_record::{self, LogFields};
#[cfg(feature = "opentelemetry")]
use crate::opentelemetry::Traces;
use crate::site::{Site, Sites, meta, plain_name};
use crate::span::Node;
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
#[must_use = "a layer does nothing until it is added to a subscriber"]
pub struct JsonLayer {
    pub(crate) id: u64,
    writer: Writer,
    pub(crate) format: Format,
    pub(crate) sites: Sites,
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

    #[inline(always)]
    fn event<S>(&self, event: &Event<'_>, site: &Site, ctx: &Context<'_, S>)
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        if site.from_log {
            return self.log_record(event, ctx);
        }
        let fill = |record: &mut Record<'_>| {
            EventFields::give(record, site, event);
            self.spans(event, record, ctx);
        };
        let send = |severity, line: &[u8]| self.writer.send_record(severity, line);
        self.note(site.prepared.encode(None, fill, send));
    }

    /// Writes a record of the `log` crate.
    #[inline(never)]
    fn log_record<S>(&self, event: &Event<'_>, ctx: &Context<'_, S>)
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let send = |severity, line: &[u8]| self.writer.send_record(severity, line);
        self.note(log_record::with_origin(event, |origin| {
            let fill = |record: &mut Record<'_>| {
                event.record(&mut LogFields(record));
                self.spans(event, record, ctx);
            };
            self.format.encode(&origin.meta(*event.metadata().level()), fill, send)
        }));
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
        let (_, list, _) = node.list();
        let send = |severity, line: &[u8]| self.writer.send_record(severity, line);
        self.note(lines.encode(&meta(metadata), metadata.name(), moment, &list, send));
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
            let metadata = event.metadata();
            let site = self.take_site(metadata);
            self.event(event, &site, &ctx);
            self.put_back_site(metadata, site);
        });
    }
}
