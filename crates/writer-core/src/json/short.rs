//! Members whose key is a [`Block`], written in as few steps as possible.
//!
//! Every value first tries what is here; where more is to be decided, nothing has been written, and
//! [`Members::write_simple`] tries (keys of the user, other lengths), then [`Members::open`] and
//! [`Members::close`] (nested fields, OTLP, redaction, a line that becomes full). All give the same
//! line; `tests/short.rs` and `tests/properties.rs` hold them to it.
//!
//! A key is at most 31 bytes long, a number 31, a text 32, and there are up to four marks: all of
//! it fits [`MOST`], which is looked for once. The masks and the empty branches below are there for
//! the compiler alone, which then sees that no index is out of bounds.

use super::buf::Block;
use super::escape;
use super::members::{Members, Open};
use super::name::Name;
use super::out::Mark;
use super::schema::Rules;
use super::site::ReadyKey;

/// The bytes that a member may take here.
const MOST: usize = 96;

impl Members {
    /// Writes a member of a call site whose value is at most 31 bytes long, in fewer steps than
    /// [`Members::write_simple`]. Returns false, with nothing written, where that has to look.
    #[inline(always)]
    pub(super) fn write_short(
        &mut self,
        name: Name<'_>,
        write: impl FnOnce(&mut [u8; 32]) -> usize,
    ) -> bool {
        let Name::Ready(ready @ ReadyKey { block: Some(key), .. }) = name else { return false };
        let Some(space) = self.out.space_ahead::<MOST>() else { return false };
        let at = space.first_chunk_mut().map_or(0, |space| key.copy_to(space));
        let len = space[at..].first_chunk_mut().map_or(0, write);
        debug_assert!(at > 0 && (1..=31).contains(&len));
        let end = at + (len & 31);
        space[end] = b',';
        self.written |= ready.bit;
        self.out.buf.advance(end + 1);
        true
    }

    /// The key of a field of a call site, with its bit, or of a message that comes where it
    /// belongs, if that is short and nothing else is to be decided.
    #[inline(always)]
    fn short_key<'k>(&self, name: Name<'k>, rules: &'k Rules) -> Option<(&'k Block, u64)> {
        match name {
            Name::Ready(ReadyKey { block: Some(key), bit, .. }) => Some((key, *bit)),
            Name::Message if self.message_comes_here() => Some((rules.message.block.as_ref()?, 0)),
            _ => None,
        }
    }

    /// Begins such a member whose value is a string of any length: key and quote. The marks are
    /// those of the member and of the string.
    #[inline(always)]
    pub(super) fn open_string(&mut self, name: Name<'_>, rules: &Rules) -> Option<(Open, Mark)> {
        let (key, bit) = self.short_key(name, rules)?;
        let mark = self.out.mark();
        let space = self.out.space_ahead::<MOST>()?;
        let at = space.first_chunk_mut().map_or(0, |space| key.copy_to(space));
        space[at] = b'"';
        self.out.buf.advance(at);
        let inside = self.out.mark();
        self.out.buf.advance(1);
        self.written |= bit;
        self.message_is_done(name);
        Some((Open::simple(name, mark), inside))
    }

    /// Ends such a member in few steps; false if it is not as short as expected.
    #[inline(always)]
    pub(super) fn close_string(&mut self) -> bool {
        let Some(space) = self.out.space_ahead() else { return false };
        *space = *b"\",";
        self.out.buf.advance(2);
        true
    }

    /// Writes such a member whose value is a text that needs no escaping.
    #[inline(always)]
    pub(super) fn write_short_str(&mut self, name: Name<'_>, rules: &Rules, text: &str) -> bool {
        let Some((key, bit)) = self.short_key(name, rules) else { return false };
        let bytes = text.as_bytes();
        if bytes.len() > 32 {
            if !self.out.keeps(MOST + bytes.len()) || !escape::is_plain(bytes) {
                return false;
            }
            self.out.buf.fill(|space| key.copy_to(space));
            self.out.buf.extend_quoted(bytes, b"\",");
        } else {
            let Some(space) = self.out.space_ahead::<MOST>() else { return false };
            let at = space.first_chunk_mut().map_or(0, |space| key.copy_to(space));
            space[at] = b'"';
            let inside = space[at + 1..].first_chunk_mut();
            if !inside.is_some_and(|space| escape::copy_plain(space, bytes)) {
                return false;
            }
            let end = at + 1 + bytes.len();
            space[end..end + 2].copy_from_slice(b"\",");
            self.out.buf.advance(end + 2);
        }
        self.written |= bit;
        self.message_is_done(name);
        true
    }
}
