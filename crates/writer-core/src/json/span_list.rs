//! Lists of spans, put together ahead of the lines that show them.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use super::escape;
use super::span::EncodedSpan;
use super::task::Task;
use crate::veil::Veil;

/// Where a list is longer than this, copying it into a line costs more than fetching it.
const LONG: usize = 8 << 10;

/// The objects of several spans, root first, ready to be copied into a line.
///
/// A span's list is its parent's list and itself. Put together when the fields change, it makes a
/// line in four spans hardly dearer than a line in one.
#[derive(Clone, Default)]
pub struct SpanList {
    /// Objects, each with a comma after it. Where `left_out` is not 0, ids that were taken out of
    /// the others, and the innermost.
    pub(super) bytes: Vec<u8>,
    /// Where the innermost begins.
    pub(super) last: usize,
    /// Something is missing.
    pub(super) cut: bool,
    /// The length of the other objects, if no line can hold the list. Then `cut` is set.
    pub(super) left_out: usize,
    /// No line can hold the list, which is there as a whole: fields of the outer spans may fit.
    too_long: bool,
    /// How many bytes of them were counted and not kept: of all, and of the innermost.
    pub(super) skipped: [u64; 2],
    /// They are of a format of OTLP.
    pub(super) typed: bool,
    /// The task of the innermost span, where the schema has tasks.
    pub(super) task: Option<Arc<Task>>,
    /// Where in `bytes` the ids of trace and span stand, where the schema has keys for them.
    pub(super) ids: [Range<usize>; 2],
    /// The fields of all spans, where the schema puts them among those of the record.
    pub(super) fields: Vec<SpanField>,
    /// Ids given by [`SpanList::set_trace`].
    trace: Option<TraceIds>,
    /// How many spans were added.
    spans: u32,
}

impl fmt::Debug for SpanList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpanList")
            .field("objects", &Veil(self.bytes.len()))
            .field("cut", &self.cut)
            .finish_non_exhaustive()
    }
}

/// The ids of a trace and of a span, as JSON.
#[derive(Clone)]
struct TraceIds {
    trace: [u8; 34],
    span: [u8; 18],
}

impl TraceIds {
    fn new(trace: [u8; 16], span: [u8; 8]) -> Self {
        let mut ids = TraceIds { trace: [b'"'; 34], span: [b'"'; 18] };
        let digits = |digits: &mut [u8], bytes: &[u8]| {
            for (pair, byte) in digits.chunks_exact_mut(2).zip(bytes) {
                pair.copy_from_slice(&escape::hex(*byte));
            }
        };
        digits(&mut ids.trace[1..], &trace);
        digits(&mut ids.span[1..], &span);
        ids
    }
}

/// A field of a span in a [`SpanList`].
#[derive(Debug, Clone)]
pub(super) struct SpanField {
    /// Whose field it is: a number counted from the root.
    pub(super) span: u32,
    pub(super) key: Range<usize>,
    pub(super) value: Range<usize>,
}

impl SpanList {
    /// Starts without spans.
    pub const fn new() -> Self {
        SpanList {
            bytes: Vec::new(),
            last: 0,
            cut: false,
            left_out: 0,
            too_long: false,
            skipped: [0; 2],
            typed: false,
            task: None,
            ids: [0..0, 0..0],
            fields: Vec::new(),
            trace: None,
            spans: 0,
        }
    }

    /// Adds a span as the innermost. A span of [`Schema::Otel`](super::Schema::Otel) beside one of
    /// another schema is left out, and the line counts as truncated. Of a list that is longer than
    /// a line of the span's format, only the innermost is kept, and what the schema takes out of
    /// the others.
    pub fn push(&mut self, span: &EncodedSpan) {
        if self.is_empty() {
            self.typed = span.is_typed();
        } else if self.typed != span.is_typed() {
            self.cut = true;
            return;
        }
        let too_long = self.bytes.len() + span.object().len() > span.inner.limit;
        if too_long && !span.inner.flat_spans || self.left_out > 0 {
            self.leave_outer_out();
        }
        self.too_long |= too_long && span.inner.flat_spans;
        self.last = self.bytes.len();
        self.bytes.extend_from_slice(span.object());
        self.bytes.pop();
        self.bytes.extend_from_slice(span.inner.shape.object);
        self.cut |= span.truncated();
        let skipped = span.skipped();
        self.skipped = [self.skipped[0] + skipped, skipped];
        if span.inner.reads_spans {
            self.read(span);
        }
    }

    /// Keeps no more of the spans added before than their length and the ids.
    #[cold]
    fn leave_outer_out(&mut self) {
        let kept = if self.left_out > 0 { self.last } else { 0 };
        self.left_out += self.bytes.len() - kept;
        self.cut = true;
        let [trace, span] = self.ids.clone();
        self.ids = [0..trace.len(), trace.len()..trace.len() + span.len()];
        self.bytes = [&self.bytes[trace], &self.bytes[span]].concat();
    }

    /// Whether a line can hold the list, and keeping it for the next one is worth the memory.
    #[doc(hidden)]
    pub fn is_worth_keeping(&self) -> bool {
        !self.too_long
    }

    /// Whether the memory for it is little enough for each thread to keep it.
    #[doc(hidden)]
    pub fn is_short(&self) -> bool {
        self.bytes.len() <= LONG
    }

    /// Keeps what the schema takes out of the spans.
    #[cold]
    fn read(&mut self, span: &EncodedSpan) {
        self.task.clone_from(&span.task);
        self.spans += 1;
        let (inner, members) = (&span.inner, &span.members);
        let mut own = [const { None }; 2];
        for (position, key) in members.keys.list().iter().enumerate() {
            let key = self.last + key.start as usize..self.last + key.end();
            let value = members.value_at(position, &inner.span_rules);
            let value = self.last + value.start..self.last + value.end;
            let id = match &self.bytes[key.clone()] {
                b"trace_id" => Some(0),
                b"span_id" => Some(1),
                _ => None,
            };
            if let Some(id) = id
                && let Some(text) = inner.trace_id(id, &self.bytes[value.clone()])
            {
                own[id] = Some(value.start + text.start..value.start + text.end);
            }
            if inner.flat_spans {
                self.fields.push(SpanField { span: self.spans, key, value });
            }
        }
        let [trace, span] = own;
        if let Some(trace) = trace {
            let known = &self.bytes[self.ids[0].clone()];
            if !known.is_empty() && !known.eq_ignore_ascii_case(&self.bytes[trace.clone()]) {
                // What spans around it say is a span of another trace.
                self.ids[1] = 0..0;
            }
            self.ids[0] = trace;
        }
        if let Some(span) = span {
            self.ids[1] = span;
        }
    }

    /// Says in which trace and span, as OpenTelemetry has them, the innermost span is. A line whose
    /// schema has places for the ids shows them, unless fields of the spans say otherwise: a field
    /// `trace_id` or `span_id` goes before, and where the field names another trace, no id of this
    /// one is shown. An id of zeros is none, as in
    /// [W3C trace context](https://www.w3.org/TR/trace-context/#trace-id).
    pub fn set_trace(&mut self, trace_id: [u8; 16], span_id: [u8; 8]) {
        let valid = trace_id != [0; 16] && span_id != [0; 8];
        self.trace = valid.then(|| TraceIds::new(trace_id, span_id));
    }

    /// The id of the trace (0) or the span (1) as JSON.
    pub(super) fn id(&self, which: usize) -> Option<&[u8]> {
        let [of_trace, of_span] = self.ids.each_ref().map(|range| &self.bytes[range.clone()]);
        let field = [of_trace, of_span][which];
        if !field.is_empty() {
            return Some(field);
        }
        let ids = self.trace.as_ref()?;
        let same = of_trace.is_empty() || of_trace.eq_ignore_ascii_case(&ids.trace);
        same.then_some(if which == 0 { &ids.trace } else { &ids.span })
    }

    /// Removes all spans and keeps the memory.
    pub fn clear(&mut self) {
        let SpanList { mut bytes, mut fields, .. } = std::mem::take(self);
        bytes.clear();
        fields.clear();
        *self = SpanList { bytes, fields, ..SpanList::new() };
    }

    /// Whether there are no spans.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}
