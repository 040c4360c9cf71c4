//! Spans, encoded when their fields are recorded and copied into every line inside.

use std::sync::Arc;

use super::format::{Format, Inner};
use super::members::{Members, Name};
use super::value::Value;

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
#[derive(Debug)]
pub struct EncodedSpan {
    inner: Arc<Inner>,
    members: Members,
}

impl Format {
    /// Begins the object of a span with its name. The key `name` is taken: a field of that name
    /// becomes `name_`.
    ///
    /// A span may fill a quarter of the line; beyond it, further fields are left out and each line
    /// inside counts as truncated.
    pub fn span(&self, name: &str) -> EncodedSpan {
        let mut members = Members::default();
        members.out.limit = self.inner.limit / 4;
        members.out.raw(b"{\"name\":");
        members.out.string(name);
        members.out.buf.push(b',');
        EncodedSpan { inner: Arc::clone(&self.inner), members }
    }
}

impl EncodedSpan {
    /// Begins a field, or its new value at the old place if this `id` was recorded before. The `id`
    /// tells fields apart, also those of one name; it is the position in the list of fields that
    /// the span was declared with.
    pub fn record<'v>(&'v mut self, id: u32, name: &'v str) -> Value<'v> {
        let name = match self.members.keys.position(id) {
            Some(position) => Name::Again(position),
            None => Name::User(name, id),
        };
        Value { members: &mut self.members, rules: &self.inner.span_rules, site: None, name }
    }

    /// The value of the field with this `id`, as JSON.
    pub fn value(&self, id: u32) -> Option<&[u8]> {
        self.members.keys.position(id).map(|position| self.members.value(position))
    }

    /// Takes over the values that `newer`, a span of the same format, holds for these fields, each
    /// at its old place if it was recorded before. Runs no code of the user: what was recorded apart
    /// can be added under a lock.
    pub fn update<'n>(
        &mut self,
        newer: &EncodedSpan,
        fields: impl IntoIterator<Item = (u32, &'n str)>,
    ) {
        for (id, name) in fields {
            if let Some(json) = newer.value(id) {
                self.record(id, name).plain(|out, _| out.raw(json));
            }
        }
        self.members.out.full |= newer.truncated();
    }

    /// The whole object.
    pub fn json(&self) -> Vec<u8> {
        let mut json = self.object().to_vec();
        json.pop();
        json.push(b'}');
        json
    }

    /// How many values failed or panicked while formatting since the last call.
    pub fn take_format_errors(&mut self) -> u32 {
        std::mem::take(&mut self.members.errors)
    }

    /// Whether something was cut or left out because of the cap on the size.
    pub fn truncated(&self) -> bool {
        self.members.out.full
    }

    /// The object with a comma instead of its closing brace.
    pub(super) fn object(&self) -> &[u8] {
        &self.members.out.buf
    }
}

/// The objects of several spans, root first, ready to be copied into a line.
///
/// A span's list is its parent's list and itself. Put together when the fields change, it makes a
/// line in four spans hardly dearer than a line in one.
#[derive(Debug, Clone, Default)]
pub struct SpanList {
    /// Objects, each with a comma after it.
    pub(super) bytes: Vec<u8>,
    last: usize,
    pub(super) cut: bool,
}

impl SpanList {
    /// Starts without spans.
    pub const fn new() -> Self {
        SpanList { bytes: Vec::new(), last: 0, cut: false }
    }

    /// Adds a span as the innermost.
    pub fn push(&mut self, span: &EncodedSpan) {
        self.last = self.bytes.len();
        self.bytes.extend_from_slice(span.object());
        if let Some(comma) = self.bytes.last_mut() {
            *comma = b'}';
        }
        self.bytes.push(b',');
        self.cut |= span.truncated();
    }

    /// Removes all spans and keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.last = 0;
        self.cut = false;
    }

    /// Whether there are no spans.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The innermost object with a comma instead of its closing brace: `…},` without the `}`.
    pub(super) fn innermost(&self) -> &[u8] {
        &self.bytes[self.last..self.bytes.len() - 1]
    }
}
