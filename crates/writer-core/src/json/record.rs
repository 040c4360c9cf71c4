//! A record being filled in.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use super::format::Inner;
use super::members::Members;
use super::name::Name;
use super::site::{ReadyKey, Site};
use super::span::EncodedSpan;
use super::span_list::SpanList;
use super::value::Value;

/// A record that takes its message, its fields and its spans.
///
/// They come in any order but are best given in this one: a message that comes after fields is
/// moved before them, and a field that comes after the spans is written after them.
pub struct Record<'a> {
    pub(super) members: &'a mut Members,
    pub(super) inner: &'a Inner,
    pub(super) site: Option<&'a Site>,
    /// The keys that are known ahead by position, unless they are only expected.
    keys: &'a [ReadyKey],
}

impl fmt::Debug for Record<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record").field("line", &self.members.out.buf).finish_non_exhaustive()
    }
}

/// Ways to write a field as [`Record::site_field`] and [`Record::next_field`] do that return false,
/// with nothing written, where few steps are not enough: the [`Value`] for the longer ways need not
/// be made.
macro_rules! short {
    ($($site:ident $next:ident($type:ty) => $write:ident,)+) => {
        impl Record<'_> {
            $(
                #[doc(hidden)]
                #[inline(always)]
                pub fn $site(&mut self, position: usize, value: $type) -> bool {
                    self.ready(position).is_some_and(|ready| self.members.$write(ready, value))
                }

                #[doc(hidden)]
                #[inline(always)]
                pub fn $next(&mut self, name: &str, value: $type) -> bool {
                    self.ready_next(name).is_some_and(|ready| self.members.$write(ready, value))
                }
            )+
        }
    };
}

short! {
    site_u64 next_u64(u64) => short_u64,
    site_i64 next_i64(i64) => short_i64,
    site_f64 next_f64(f64) => short_f64,
    site_bool next_bool(bool) => short_bool,
    site_str next_str(&str) => short_str,
}

impl<'a> Record<'a> {
    #[inline(always)]
    pub(super) fn new(members: &'a mut Members, inner: &'a Inner, site: Option<&'a Site>) -> Self {
        let keys = site.filter(|site| !site.expecting).map_or(&[][..], |site| &site.keys);
        Record { members, inner, site, keys }
    }

    /// Begins the message. A second one becomes a field under the same name, by the clash rule.
    #[inline]
    pub fn message(&mut self) -> Value<'_> {
        let name = if self.inner.message_hidden { Name::Hidden } else { Name::Message };
        self.value(name)
    }

    /// As [`Record::message`] and [`Value::str`], or returns false, with nothing written, where few
    /// steps are not enough.
    #[doc(hidden)]
    #[inline(always)]
    pub fn message_str(&mut self, text: &str) -> bool {
        !self.inner.message_hidden && self.members.short_message(&self.inner.rules, text)
    }

    /// Begins a field. If its key is taken, `_` is appended until it is free.
    #[inline]
    pub fn field<'r>(&'r mut self, name: &'r str) -> Value<'r> {
        self.value(Name::User(name, 0))
    }

    /// Begins a field of the [`CallSite`](super::CallSite) by its position in the list that the
    /// call site was made with: cheaper than [`Record::field`], because its key is ready. `name` is
    /// called where it is not: in a record without call site, or of one whose fields are only
    /// [expected](super::Format::expected_call_site), the second time, and from position 64 on.
    #[inline]
    pub fn site_field<'r>(
        &'r mut self,
        position: usize,
        name: impl FnOnce() -> &'r str,
    ) -> Value<'r> {
        match self.ready(position) {
            Some(key) if !key.whole.is_empty() => self.value(Name::Ready(key)),
            _ => self.field(name()),
        }
    }

    /// The key of a field of the call site, if it is ready and free.
    #[inline(always)]
    fn ready(&self, position: usize) -> Option<&'a ReadyKey> {
        self.keys.get(position).filter(|key| key.bit & self.members.written == 0)
    }

    /// Which of the first 64 fields of the call site were written, a bit for each.
    #[doc(hidden)]
    #[inline]
    pub fn site_fields_written(&self) -> u64 {
        self.members.written
    }

    /// Whether there is a message, or can be none.
    #[doc(hidden)]
    #[inline]
    pub fn message_is_settled(&self) -> bool {
        self.members.message_done || self.inner.message_hidden
    }

    /// Begins the next field of a call site made by
    /// [`Format::expected_call_site`](super::Format::expected_call_site). Otherwise, and in the
    /// same line as, [`Record::field`]: cheaper while the names come as expected.
    #[inline]
    pub fn next_field<'r>(&'r mut self, name: &'r str) -> Value<'r> {
        match self.ready_next(name) {
            Some(key) => self.value(Name::Ready(key)),
            None => self.field(name),
        }
    }

    /// The key of the next field that is expected, if it is this one.
    #[inline(always)]
    fn ready_next(&self, name: &str) -> Option<&'a ReadyKey> {
        // The next one is the first that is not written.
        let position = self.members.written.trailing_ones() as usize;
        let key = self.site?.keys.get(position)?;
        (!self.members.unexpected && key.is_expected_as(name)).then_some(key)
    }

    /// Whether a field that is nothing is written, as `null`.
    #[doc(hidden)]
    pub fn shows_null(&self) -> bool {
        !self.inner.rules.options.no_null
    }

    /// Whether the value of a field of this name is not to be written, nor to be looked at.
    #[doc(hidden)]
    #[inline]
    pub fn hides(&self, name: &str) -> bool {
        self.inner.rules.redact.is_some() && Name::User(name, 0).is_secret(&self.inner.rules)
    }

    /// Writes the spans, root first, the innermost last; nothing where there are none. A second
    /// list is ignored. A list that does not fit into the line is left out as a whole. A span of
    /// [`Schema::Otel`](super::Schema::Otel) in a line of another schema, or the other way round,
    /// is left out, and the line counts as truncated.
    ///
    /// A schema that takes ids, tasks or fields out of the spans makes a [`SpanList`] of them here,
    /// which allocates; keep one and give it to [`Record::span_list`] where that matters.
    pub fn spans<'s>(&mut self, spans: impl IntoIterator<Item = &'s EncodedSpan>) {
        if self.inner.reads_spans {
            let mut list = SpanList::new();
            spans.into_iter().for_each(|span| list.push(span));
            return self.span_list(&list);
        }
        let (mut cut, mut skipped) = (false, [0; 2]);
        let typed = self.inner.rules.options.typed;
        let objects = spans.into_iter().filter_map(|span| {
            if span.is_typed() != typed {
                cut = true;
                return None;
            }
            cut |= span.truncated();
            skipped = [skipped[0] + span.skipped(), span.skipped()];
            Some(span.object())
        });
        write_spans(self.members, self.inner, objects);
        if cut {
            self.note_cut_spans(skipped);
        }
    }

    /// Tells that of the spans, and of the innermost, so many bytes are missing where they stand.
    #[cold]
    fn note_cut_spans(&mut self, [all, last]: [u64; 2]) {
        let inner = self.inner;
        let copies = u64::from(inner.spans.is_some()) + u64::from(inner.flat_spans);
        self.members.cut = true;
        self.members.out.skipped += copies * all + u64::from(inner.span.is_some()) * last;
    }

    /// Writes a list of spans that was put together before; otherwise like [`Record::spans`].
    #[inline]
    pub fn span_list(&mut self, spans: &SpanList) {
        let short = match &self.inner.common_spans {
            Some(key) if !spans.cut && !spans.typed => self.members.short_list(key, &spans.bytes),
            _ => false,
        };
        if !short {
            self.span_list_at(spans, None);
        }
    }

    /// The same with this place in the innermost span's task instead of the next one.
    #[inline(never)]
    pub(super) fn span_list_at(&mut self, spans: &SpanList, place: Option<u64>) {
        if spans.is_empty() {
            return;
        }
        self.members.out.prepare();
        if spans.typed != self.inner.rules.options.typed {
            self.members.cut = true;
            return;
        }
        if !self.members.begin_spans(&self.inner.rules) {
            return;
        }
        if spans.cut {
            self.note_cut_spans(spans.skipped);
            if spans.left_out > 0 {
                return self.skip_list(spans, place);
            }
        }
        if self.inner.reads_spans {
            self.read_spans(spans, place);
        }
        if let Some(key) = &self.inner.spans {
            write_piece(self.members, key, &spans.bytes, self.inner.shape.list);
        }
        self.innermost(spans);
    }

    /// Writes the innermost span on its own, where the schema shows it.
    #[inline(always)]
    fn innermost(&mut self, spans: &SpanList) {
        let shape = self.inner.shape;
        if let Some(key) = &self.inner.span {
            let span = &spans.bytes[spans.last..];
            let unclosed = span.len() + 1 - shape.object.len();
            write_piece(self.members, key, &span[..unclosed], shape.single);
        }
    }

    /// Writes what there is of a list that no line can hold, and counts the rest.
    #[cold]
    fn skip_list(&mut self, spans: &SpanList, place: Option<u64>) {
        if self.inner.reads_spans {
            self.read_spans(spans, place);
        }
        if let Some(key) = &self.inner.spans {
            let list = spans.left_out + spans.bytes.len() - spans.last;
            let out = &mut self.members.out;
            out.set_full(true);
            out.skipped += (key.len() + list - 1 + self.inner.shape.list.len()) as u64;
        }
        self.innermost(spans);
    }

    /// Writes what the schema takes out of the spans.
    #[cold]
    fn read_spans(&mut self, spans: &SpanList, place: Option<u64>) {
        if let Some(task) = &spans.task {
            self.inner.write_task(self.members, Some((task, place)));
        }
        self.inner.write_ids(self.members, spans);
        let site = self.site;
        // The innermost first: it takes the plain name, the others what the clash rule leaves.
        for fields in spans.fields.chunk_by(|a, b| a.span == b.span).rev() {
            for field in fields {
                let (key, value) = (field.key.clone(), field.value.clone());
                let (key, value) = (&spans.bytes[key], &spans.bytes[value]);
                self.members.copy_member(key, value, &self.inner.rules, site);
            }
        }
        let listed = self.inner.spans.is_some() || self.inner.span.is_some();
        if self.inner.flat_spans && listed && !self.inner.rules.options.typed {
            // The list stands beside the fields.
            self.members.end_fields(&self.inner.rules);
        }
    }

    #[inline]
    fn value<'r>(&'r mut self, name: Name<'r>) -> Value<'r> {
        Value { members: self.members, rules: &self.inner.rules, site: self.site, name }
    }
}

/// Writes one object after the other, each given without its closing brace, with a comma at its
/// end.
fn write_spans<'s>(members: &mut Members, inner: &Inner, spans: impl Iterator<Item = &'s [u8]>) {
    let mut spans = spans.peekable();
    if spans.peek().is_none() || !members.begin_spans(&inner.rules) {
        return;
    }
    let mark = members.out.mark();
    if let Some(key) = &inner.spans {
        members.out.raw(key);
    }
    // Unwind safety: where the iterator panics, all that was written here is taken back.
    let written = catch_unwind(AssertUnwindSafe(|| {
        let mut last: &[u8] = b"";
        for span in spans {
            last = span;
            if inner.spans.is_some() {
                if !members.out.full() && members.out.buf.len() + span.len() > members.out.limit() {
                    members.out.discard(mark);
                }
                members.out.raw(&span[..span.len() - 1]);
                members.out.raw(inner.shape.object);
            }
        }
        last
    }));
    let last = written.unwrap_or_else(|payload| {
        members.out.roll_back(mark);
        resume_unwind(payload)
    });
    if inner.spans.is_some() {
        if members.out.full() {
            members.out.skipped += 1;
        } else {
            members.out.buf.pop();
            members.out.buf.extend_from_slice(inner.shape.list);
        }
    }
    if let Some(key) = &inner.span {
        write_piece(members, key, last, inner.shape.single);
    }
}

/// Writes a key, a piece that ends in a comma, and instead of the comma what closes the member;
/// nothing if that does not fit.
fn write_piece(members: &mut Members, key: &[u8], piece: &[u8], close: &[u8]) {
    let out = &mut members.out;
    let len = key.len() + piece.len() + close.len() - 1;
    if !out.full() && out.buf.len() + len > out.limit() {
        out.set_full(true);
    }
    out.raw(key);
    out.raw(&piece[..piece.len() - 1]);
    out.raw(close);
}
