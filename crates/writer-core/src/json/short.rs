//! Members whose key is a [`Block`], written in as few steps as possible.
//!
//! Every value first tries what is here; where more is to be decided, nothing has been written, and
//! [`Members::write_simple`] tries (keys of the user, other lengths), then [`Members::open`] and
//! [`Members::close`] (nested fields, OTLP, redaction, a line that becomes full). All give the same
//! line; `tests/short.rs` and `tests/properties.rs` hold them to it.
//!
//! A key is at most 31 bytes long, a number 31, a text 32, and there are up to four marks: all of
//! it fits [`MOST`], which is looked for once. If it is not there, the longer ways see to it that it
//! is for the next member. The masks and the empty branches below are there for the compiler alone,
//! which then sees that no index is out of bounds.

use super::buf::{Block, copy_short};
use super::digits;
use super::escape;
use super::fields::Nested;
use super::members::Members;
use super::name::Name;
use super::schema::Rules;
use super::site::ReadyKey;

/// The bytes that a member may take here.
pub(super) const MOST: usize = 96;

/// A string whose end is not written yet.
pub(super) struct OpenString {
    /// Where the member begins, and the string with its quote.
    pub(super) start: usize,
    pub(super) inside: usize,
    /// [`Out::skipped`](super::out::Out::skipped) at its beginning.
    pub(super) skipped: u64,
}

impl Members {
    /// Puts a key into what comes next; returns that and the length of the key. It counts only
    /// after [`Members::end_short`].
    #[inline(always)]
    fn begin_short(&mut self, key: &Block) -> Option<(&mut [u8; MOST], usize)> {
        let space = self.out.space_ahead::<MOST>()?;
        let at = space.first_chunk_mut().map_or(0, |space| key.copy_to(space));
        Some((space, at))
    }

    /// Has the member count that was put there, with the bit of its key.
    #[inline(always)]
    fn end_short(&mut self, len: usize, bit: u64) {
        self.out.buf.advance(len);
        self.written |= bit;
    }

    /// Writes a member of a call site whose value is at most 31 bytes long; `write` returns how
    /// long, if it is.
    #[inline(always)]
    fn write_short(
        &mut self,
        ready: &ReadyKey,
        write: impl FnOnce(&mut [u8; 32]) -> Option<usize>,
    ) -> bool {
        let Some(key) = &ready.block else { return false };
        let Some((space, at)) = self.begin_short(key) else { return false };
        let Some(len) = space[at..].first_chunk_mut().and_then(write) else { return false };
        debug_assert!(at > 0 && (1..=31).contains(&len));
        let end = at + (len & 31);
        space[end] = b',';
        self.end_short(end + 1, ready.bit);
        true
    }

    #[inline(always)]
    pub(super) fn short_u64(&mut self, ready: &ReadyKey, value: u64) -> bool {
        self.write_short(ready, |space| Some(digits::unsigned(space, value)))
    }

    #[inline(always)]
    pub(super) fn short_i64(&mut self, ready: &ReadyKey, value: i64) -> bool {
        self.write_short(ready, |space| Some(digits::signed(space, value)))
    }

    #[inline(always)]
    pub(super) fn short_f64(&mut self, ready: &ReadyKey, value: f64) -> bool {
        self.write_short(ready, |space| match digits::thousandths(space, value) {
            0 => shortest(space, value),
            len => Some(len),
        })
    }

    #[inline(always)]
    pub(super) fn short_bool(&mut self, ready: &ReadyKey, value: bool) -> bool {
        self.write_short(ready, |space| {
            let (text, len) = if value { (*b"true    ", 4) } else { (*b"false   ", 5) };
            space[..8].copy_from_slice(&text);
            Some(len)
        })
    }

    /// Writes a member whose value is a text that needs no escaping.
    #[inline(always)]
    fn short_text(&mut self, key: &Block, bit: u64, text: &str) -> bool {
        let bytes = text.as_bytes();
        if bytes.len() > 32 {
            return self.plain_text(key, bit, bytes);
        }
        let Some((space, at)) = self.begin_short(key) else { return false };
        space[at] = b'"';
        let inside = space[at + 1..].first_chunk_mut();
        if !inside.is_some_and(|space| escape::copy_plain(space, bytes)) {
            return false;
        }
        let end = at + 1 + bytes.len();
        space[end..end + 2].copy_from_slice(b"\",");
        self.end_short(end + 2, bit);
        true
    }

    /// The same for one that is not short.
    #[inline(never)]
    fn plain_text(&mut self, key: &Block, bit: u64, bytes: &[u8]) -> bool {
        if !self.out.keeps(MOST + bytes.len()) || !escape::is_plain(bytes) {
            return false;
        }
        self.out.buf.extend_from_slice(key.piece());
        self.out.buf.extend_quoted(bytes, b"\",");
        self.written |= bit;
        true
    }

    #[inline(always)]
    pub(super) fn short_str(&mut self, ready: &ReadyKey, text: &str) -> bool {
        ready.block.as_ref().is_some_and(|key| self.short_text(key, ready.bit, text))
    }

    /// Writes a message as [`Members::short_str`], where it belongs.
    #[inline(always)]
    pub(super) fn short_message(&mut self, rules: &Rules, text: &str) -> bool {
        let Some(key) = &rules.message.block else { return false };
        if !self.message_comes_here() || !self.short_text(key, 0, text) {
            return false;
        }
        self.message_done = true;
        true
    }

    /// Writes a list of spans whose key is short and that stands alone behind the fields.
    #[inline(always)]
    pub(super) fn short_list(&mut self, key: &Block, list: &[u8]) -> bool {
        if self.nested != Nested::Before
            || !self.out.keeps(MOST + list.len())
            || !self.out.buf.extend_list(key, list)
        {
            return false;
        }
        self.nested = Nested::After;
        true
    }

    /// Begins a member whose value is a string of any length: key and quote.
    #[inline(always)]
    pub(super) fn open_string(&mut self, name: Name<'_>, rules: &Rules) -> Option<OpenString> {
        let (key, bit, message) = match name {
            Name::Ready(ReadyKey { block: Some(key), bit, .. }) => (key, *bit, false),
            Name::Message if self.message_comes_here() => (rules.message.block.as_ref()?, 0, true),
            _ => return None,
        };
        let start = self.out.buf.len();
        let (space, at) = self.begin_short(key)?;
        space[at] = b'"';
        self.end_short(at + 1, bit);
        self.message_done |= message;
        Some(OpenString { start, inside: start + at, skipped: self.out.skipped })
    }

    /// Ends such a member in few steps; false if it is not as short as expected.
    #[inline(always)]
    pub(super) fn close_string(&mut self) -> bool {
        let Some(space) = self.out.space_ahead() else { return false };
        *space = *b"\",";
        self.out.buf.advance(2);
        true
    }
}

/// Writes the shortest digits that read back as the same number, unless it is none.
#[inline(never)]
fn shortest(space: &mut [u8; 32], number: f64) -> Option<usize> {
    let finite = number.is_finite();
    finite.then(|| copy_short(space, zmij::Buffer::new().format_finite(number).as_bytes()))
}
