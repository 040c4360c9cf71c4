//! The bytes of a line, with a cap on how many are kept.

use std::fmt;

use super::buf::Buf;
use super::escape;
use super::short::MOST;

/// A buffer that keeps bytes up to a limit and from then on only counts them.
///
/// Pieces of bounded length are appended without a look at the limit while there is room; whoever
/// appends one checks [`Out::over`] afterwards. Strings are cut at the limit on the spot, because
/// their length has no bound.
#[derive(Debug, Default, Clone)]
pub(super) struct Out {
    /// What is kept.
    pub(super) buf: Buf,
    /// The length at which `buf` is full.
    limit: usize,
    /// How many bytes were counted and not kept.
    pub(super) skipped: u64,
    /// Once true, nothing but the closing marks of what is open is kept.
    full: bool,
    /// Nothing is kept beyond this length: the limit, or 0 once full. One comparison with it
    /// answers both questions.
    kept: usize,
}

/// So many marks close a value at most, in bytes: four for each of 24 levels in OTLP, one for each of
/// 64 elsewhere, and those of the text inside.
const MOST_CLOSING: usize = 104;

/// A state of an [`Out`] to roll back to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    len: usize,
    skipped: u64,
    full: bool,
}

impl Mark {
    /// The state of what was not full.
    pub(super) fn stored_at(len: usize, skipped: u64) -> Self {
        Mark { len, skipped, full: false }
    }

    /// Whether what follows the mark is kept.
    pub(super) fn stored(self) -> bool {
        !self.full
    }

    pub(super) fn len(self) -> usize {
        self.len
    }
}

impl Out {
    pub(super) fn with_limit(limit: usize) -> Self {
        Out { limit, kept: limit, ..Out::default() }
    }

    pub(super) fn reset(&mut self, limit: usize) {
        self.buf.truncate(0);
        self.limit = limit;
        self.skipped = 0;
        self.set_full(false);
    }

    #[inline]
    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    pub(super) fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
        self.set_full(self.full);
    }

    /// Whether nothing more is kept.
    #[inline]
    pub(super) fn full(&self) -> bool {
        self.full
    }

    #[inline]
    pub(super) fn set_full(&mut self, full: bool) {
        self.full = full;
        self.kept = if full { 0 } else { self.limit };
    }

    /// Whether so many more bytes are kept.
    #[inline(always)]
    pub(super) fn keeps(&self, more: usize) -> bool {
        self.buf.len() + more <= self.kept
    }

    #[inline]
    pub(super) fn mark(&self) -> Mark {
        Mark { len: self.buf.len(), skipped: self.skipped, full: self.full }
    }

    pub(super) fn roll_back(&mut self, mark: Mark) {
        self.buf.truncate(mark.len);
        self.skipped = mark.skipped;
        self.set_full(mark.full);
    }

    /// Writes a metadata string. Each may fill an eighth of the line, so that a hostile one leaves
    /// room for the others and for the message. Returns whether it was cut.
    pub(super) fn metadata(&mut self, key: &[u8], text: &str) -> bool {
        self.raw(key);
        let limit = self.limit();
        self.set_limit(self.buf.len() + limit / 8);
        self.string(text);
        self.set_limit(limit);
        let cut = self.full();
        self.set_full(false);
        cut
    }

    /// Whether the buffer holds more than it may; only bounded pieces can lead here.
    #[inline]
    pub(super) fn over(&self) -> bool {
        self.buf.len() > self.limit
    }

    /// As [`Out::over`], by more than what closes values, for which room is kept; `end` more bytes
    /// are closing marks in any case.
    ///
    /// A value that is cut exceeds the limit by its closing marks, so one that fits but for them
    /// may too, and is not left out as a whole.
    #[cold]
    pub(super) fn over_by_content(&self, end: usize) -> bool {
        let beyond = self.buf.get(self.limit..self.buf.len().saturating_sub(end));
        let closes = |beyond: &[u8]| beyond.iter().all(|byte| b"\"]}".contains(byte));
        // A value that was encoded apart is appended as a whole: there these may be its text.
        beyond.is_some_and(|beyond| beyond.len() > MOST_CLOSING || !closes(beyond))
    }

    /// Takes everything since the mark out again and counts it instead.
    #[cold]
    pub(super) fn discard(&mut self, mark: Mark) {
        self.skipped += (self.buf.len() - mark.len) as u64;
        self.buf.truncate(mark.len);
        self.set_full(true);
    }

    /// The next `N` bytes, if they are there and all of them would be kept.
    #[inline(always)]
    pub(super) fn space_ahead<const N: usize>(&mut self) -> Option<&mut [u8; N]> {
        if self.keeps(N) { self.buf.ahead() } else { None }
    }

    /// Appends a piece of bounded length that needs no escaping.
    #[inline(always)]
    pub(super) fn raw(&mut self, bytes: &[u8]) {
        if self.full {
            self.skipped += bytes.len() as u64;
        } else {
            self.buf.extend_from_slice(bytes);
        }
    }

    /// Appends at most 32 bytes that need no escaping, which `write` puts in place.
    #[inline(always)]
    pub(super) fn digits(&mut self, write: impl FnOnce(&mut [u8; 32]) -> usize) {
        if self.full {
            self.skipped += write(&mut [0; 32]) as u64;
        } else {
            self.buf.fill(write);
        }
    }

    /// Appends a closing mark for something that was opened at `mark`.
    #[inline]
    pub(super) fn close(&mut self, mark: Mark, byte: u8) {
        if mark.stored() {
            self.buf.push(byte);
        } else {
            self.skipped += 1;
        }
    }

    /// Appends a piece of any length that needs no escaping, cut at the limit at a multiple of
    /// `unit` bytes.
    pub(super) fn bounded(&mut self, bytes: &[u8], unit: usize) {
        let room = self.room();
        let kept = bytes.len().min(room / unit * unit);
        self.buf.extend_from_slice(&bytes[..kept]);
        if kept < bytes.len() {
            self.set_full(true);
            self.skipped += (bytes.len() - kept) as u64;
        }
    }

    /// As [`Out::escaped`], and has room be there for the next short text.
    #[inline(never)]
    fn write_long(&mut self, text: &str) {
        self.escaped(text);
        self.prepare();
    }

    /// Has room be there for the next short member, if that would be kept.
    #[inline]
    pub(super) fn prepare(&mut self) {
        if self.keeps(MOST) {
            self.buf.make_room(MOST);
        }
    }

    /// Appends the escaped form of a text, cut between two characters at the limit.
    #[inline]
    pub(super) fn escaped(&mut self, text: &str) {
        if text.len() <= self.room() / escape::WORST {
            escape::push(&mut self.buf, text);
        } else {
            self.escaped_slow(text);
        }
    }

    #[cold]
    fn escaped_slow(&mut self, mut text: &str) {
        while !self.full && !text.is_empty() {
            let room = self.limit.saturating_sub(self.buf.len());
            // A part that fits in the worst case needs no look at each character.
            let (mut part, mut rest) = split(text, room / escape::WORST);
            if part.is_empty() {
                let first = text.chars().next().map_or(0, char::len_utf8);
                (part, rest) = text.split_at(first);
                if escape::len(part) > room {
                    self.set_full(true);
                    break;
                }
            }
            escape::push(&mut self.buf, part);
            text = rest;
        }
        self.skipped += escape::len(text) as u64;
    }

    /// How many bytes are still kept.
    #[inline]
    pub(super) fn room(&self) -> usize {
        self.kept.saturating_sub(self.buf.len())
    }

    /// Appends a JSON string.
    #[inline]
    pub(super) fn string(&mut self, text: &str) {
        if text.len() + 2 <= self.room() && escape::is_plain(text.as_bytes()) {
            self.buf.extend_quoted(text.as_bytes(), b"\"");
        } else {
            self.string_slow(text);
        }
    }

    #[inline(never)]
    fn string_slow(&mut self, text: &str) {
        let mark = self.mark();
        self.raw(b"\"");
        self.escaped(text);
        self.close(mark, b'"');
    }

    /// Appends a JSON string of what the arguments print.
    pub(super) fn format(&mut self, args: fmt::Arguments<'_>) -> fmt::Result {
        let mark = self.mark();
        self.raw(b"\"");
        fmt::Write::write_fmt(self, args)?;
        self.close(mark, b'"');
        Ok(())
    }
}

/// Escapes whatever user code prints, on the fly.
impl fmt::Write for Out {
    #[inline]
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let short =
            self.space_ahead().is_some_and(|space| escape::copy_plain(space, text.as_bytes()));
        if short {
            self.buf.advance(text.len());
        } else {
            self.write_long(text);
        }
        Ok(())
    }
}

/// Splits before the character that holds the byte at `at`.
fn split(text: &str, at: usize) -> (&str, &str) {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    text.split_at(at)
}
