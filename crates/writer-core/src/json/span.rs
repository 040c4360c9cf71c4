//! Spans, encoded when their fields are recorded and copied into every line inside.

use std::fmt;
use std::sync::Arc;

use super::format::{Format, Inner};
use super::kind::Kind;
use super::members::Members;
use super::name::Name;
use super::out::Out;
use super::schema::Options;
use super::task::Task;
use super::value::Value;

/// More bytes than this are not kept for what may not be asked for again.
const LONG: usize = 1024;

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
    pub(super) inner: Arc<Inner>,
    pub(super) members: Members,
    pub(super) task: Option<Arc<Task>>,
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
    /// and `span_id` are cut to some 130 bytes instead, and so is the new value of a field that is
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
    /// as if it had been recorded here. Of [`Schema::Otel`](super::Schema::Otel) beside another
    /// schema nothing is taken over, and the span counts as truncated.
    pub fn update<'n>(
        &mut self,
        newer: &EncodedSpan,
        fields: impl IntoIterator<Item = (u32, &'n str)>,
    ) {
        if newer.is_typed() != self.is_typed() {
            return self.members.out.set_full(true);
        }
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

    /// Gives up fields that take much memory, when nobody will look at them any more.
    #[doc(hidden)]
    pub fn release(&mut self) {
        let Some(first) = self.members.keys.list().first() else { return };
        if self.object().len() > LONG {
            let mark = if self.is_typed() { b"{'key':'".len() } else { 1 };
            let name = self.object()[..first.start as usize - mark].to_vec();
            self.members = Members::default();
            self.members.out.buf.extend_from_slice(&name);
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
