//! Spans, encoded when their fields are recorded and copied into every line inside.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use super::escape;
use super::format::{Format, Inner};
use super::kind::Kind;
use super::members::Members;
use super::name::Name;
use super::out::Out;
use super::schema::Options;
use super::task::Task;
use super::value::Value;
use crate::veil::Veil;

/// The object of one span: its name and its fields.
///
/// ```
/// use writer_core::json::Format;
///
/// let mut span = Format::default().span("request");
/// span.record(0, "request_id").str("7f3a");
/// span.record(0, "request_id").u64(7); // the same field again: replaced at its place
/// assert_eq!(span.json(), br#"{"name":"request","request_id":7}"#);
/// ```
#[derive(Clone)]
pub struct EncodedSpan {
    inner: Arc<Inner>,
    members: Members,
    task: Option<Arc<Task>>,
    /// It holds values that are recorded apart, all of which may replace one that is there.
    update: bool,
}

impl fmt::Debug for EncodedSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EncodedSpan")
            .field("object", &self.members.out.buf)
            .field("fields", &self.members.keys.list().len())
            .finish_non_exhaustive()
    }
}

impl Format {
    /// Begins the object of a span with its name. The key `name` is taken: a field of that name
    /// becomes `name_`.
    ///
    /// A span may fill a quarter of the line; beyond it, further fields are left out and each line
    /// inside counts as truncated. What is known by a field is not lost with it: `error`, `trace_id`
    /// and `span_id` are cut to some 64 bytes instead, and so is the new value of a field that is
    /// there. A value that cannot be cut becomes [`TOO_LONG`](super::TOO_LONG).
    ///
    /// The span is a root: in a schema with tasks it begins one. A span inside another one is made
    /// by [`Format::child_span`].
    pub fn span(&self, name: &str) -> EncodedSpan {
        let task = self.inner.task.as_ref().map(|keys| Arc::new(Task::root(keys.ids)));
        self.new_span(name, task)
    }

    /// Begins the object of a span inside another one, as [`Format::span`] does for a root. In a
    /// schema with tasks it belongs to its parent's; elsewhere the two are the same.
    pub fn child_span(&self, name: &str, parent: &EncodedSpan) -> EncodedSpan {
        let task = parent.task.as_ref().map(|task| match task.child() {
            Some(child) => Arc::new(child),
            None => Arc::clone(task),
        });
        self.new_span(name, task)
    }

    /// Begins values that are recorded apart from their span, for [`EncodedSpan::update`].
    pub fn span_update(&self) -> EncodedSpan {
        EncodedSpan { update: true, ..self.new_span("", None) }
    }

    fn new_span(&self, name: &str, task: Option<Arc<Task>>) -> EncodedSpan {
        let mut members = Members::default();
        let options = self.inner.span_rules.options;
        members.out.set_limit(self.inner.limit / 4);
        let (open, close) = self.inner.shape.name;
        members.out.raw(open);
        Kind::String.write(&mut members.out, options, |out| out.string(name));
        members.out.buf.extend_from_slice(close);
        EncodedSpan { inner: Arc::clone(&self.inner), members, task, update: false }
    }
}

impl EncodedSpan {
    /// Begins a field, or its new value at the old place if this `id` was recorded before. The `id`
    /// tells fields apart, also those of one name; it is the position in the list of fields that
    /// the span was declared with.
    pub fn record<'v>(&'v mut self, id: u32, name: &'v str) -> Value<'v> {
        let rules = &self.inner.span_rules;
        let name = match self.members.keys.position(id) {
            Some(position) => Name::Again(position, name),
            None if self.update || matches!(name, "error" | "trace_id" | "span_id") => {
                Name::Promised(name, id)
            }
            None => Name::User(name, id),
        };
        Value { members: &mut self.members, rules, site: None, name }
    }

    /// The value of the field with this `id`, as JSON.
    pub fn value(&self, id: u32) -> Option<&[u8]> {
        let position = self.members.keys.position(id)?;
        Some(self.members.value(position, &self.inner.span_rules))
    }

    /// Takes over the values that `newer`, made by [`Format::span_update`] of the same format,
    /// holds for these fields, each at its old place if it was recorded before. Runs no code of the
    /// user: what was recorded apart can be added under a lock. A string that does not fit is cut
    /// as if it had been recorded here.
    pub fn update<'n>(
        &mut self,
        newer: &EncodedSpan,
        fields: impl IntoIterator<Item = (u32, &'n str)>,
    ) {
        for (id, name) in fields {
            if let Some(json) = newer.value(id) {
                self.record(id, name).plain(Kind::Bare, |out, options| copy(out, json, options));
            }
        }
        self.members.out.skipped += newer.members.out.skipped;
        if newer.truncated() {
            self.members.out.set_full(true);
        }
    }

    /// The whole object.
    pub fn json(&self) -> Vec<u8> {
        let mut json = self.object().to_vec();
        json.pop();
        json.extend_from_slice(self.inner.shape.object);
        json.pop();
        json
    }

    /// How many values failed or panicked while formatting since the last call.
    pub fn take_format_errors(&mut self) -> u32 {
        std::mem::take(&mut self.members.errors)
    }

    /// Whether something was cut or left out because of the cap on the size.
    pub fn truncated(&self) -> bool {
        self.members.out.full()
    }

    /// How many bytes were counted and not kept.
    pub(super) fn skipped(&self) -> u64 {
        self.members.out.skipped
    }

    /// Whether it is of a format of OTLP.
    pub(super) fn is_typed(&self) -> bool {
        self.inner.span_rules.options.typed
    }

    /// The object with a comma instead of its closing brace.
    pub(super) fn object(&self) -> &[u8] {
        &self.members.out.buf
    }
}

/// Copies a value that was encoded apart; a string is cut between two characters at the limit.
fn copy(out: &mut Out, value: &[u8], options: Options) {
    let (open, close) = if options.typed { Kind::String.ends() } else { ("", "") };
    let string = value.strip_prefix(open.as_bytes());
    let string = string.and_then(|value| value.strip_suffix(close.as_bytes()));
    let Some([b'"', text @ .., b'"']) = string.filter(|_| value.len() > out.room()) else {
        return out.raw(value);
    };
    Kind::String.write(out, options, |out| {
        let mark = out.mark();
        out.raw(b"\"");
        let kept = cut(text, out.room());
        out.raw(&text[..kept]);
        out.set_full(out.full() || kept < text.len());
        out.raw(&text[kept..]);
        out.close(mark, b'"');
    });
}

/// The length of the longest beginning of an escaped text that fits and ends between two
/// characters.
fn cut(text: &[u8], room: usize) -> usize {
    let mut at = 0;
    loop {
        let len = match &text[at..] {
            [] => return at,
            [b'\\', b'u', ..] => 6,
            [b'\\', ..] => 2,
            // UTF-8 says how long a character is in its first byte.
            [first, ..] => first.leading_ones().max(1) as usize,
        };
        if at + len > room {
            return at;
        }
        at += len;
    }
}

/// The objects of several spans, root first, ready to be copied into a line.
///
/// A span's list is its parent's list and itself. Put together when the fields change, it makes a
/// line in four spans hardly dearer than a line in one.
#[derive(Clone, Default)]
pub struct SpanList {
    /// Objects, each with a comma after it.
    pub(super) bytes: Vec<u8>,
    /// Where the innermost begins.
    pub(super) last: usize,
    pub(super) cut: bool,
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
    /// another schema is left out, and the line counts as truncated.
    pub fn push(&mut self, span: &EncodedSpan) {
        if self.is_empty() {
            self.typed = span.is_typed();
        } else if self.typed != span.is_typed() {
            self.cut = true;
            return;
        }
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

    /// Keeps what the schema takes out of the spans.
    #[cold]
    fn read(&mut self, span: &EncodedSpan) {
        self.task.clone_from(&span.task);
        self.spans += 1;
        let (inner, members) = (&span.inner, &span.members);
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
                self.ids[id] = value.start + text.start..value.start + text.end;
            }
            if inner.flat_spans {
                self.fields.push(SpanField { span: self.spans, key, value });
            }
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
        self.bytes.clear();
        self.last = 0;
        self.cut = false;
        self.skipped = [0; 2];
        self.task = None;
        self.ids = [0..0, 0..0];
        self.fields.clear();
        self.trace = None;
        self.spans = 0;
    }

    /// Whether there are no spans.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}
