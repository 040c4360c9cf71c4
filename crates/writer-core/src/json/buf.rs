//! A growing buffer of bytes that is cheap to append short pieces to.

use std::fmt;
use std::num::NonZeroU8;
use std::ops::{Deref, DerefMut, Range};

use crate::veil::Veil;

/// Bytes at the start of a store that is filled with zeros ahead.
///
/// Against `Vec<u8>` this spares, for a piece of a length known only at run time, the call that
/// copies it: most pieces of a line are shorter than that call is long. The zeros are written once
/// when the store grows, which a reused buffer rarely does.
#[derive(Default, Clone)]
pub(super) struct Buf {
    store: Vec<u8>,
    len: usize,
}

impl Buf {
    #[inline]
    pub(super) fn push(&mut self, byte: u8) {
        self.space(1)[0] = byte;
    }

    #[inline(always)]
    pub(super) fn extend_from_slice(&mut self, bytes: &[u8]) {
        copy(self.space(bytes.len()), bytes);
    }

    /// Appends a quote, the bytes, and what closes them.
    #[inline]
    pub(super) fn extend_quoted<const N: usize>(&mut self, bytes: &[u8], close: &[u8; N]) {
        let (open, rest) = self.space(1 + bytes.len() + N).split_at_mut(1);
        let (space, end) = rest.split_at_mut(bytes.len());
        open[0] = b'"';
        copy(space, bytes);
        if let Some(end) = end.first_chunk_mut::<N>() {
            *end = *close;
        }
    }

    /// Appends what `fill` writes to the next `N` bytes; it returns how many of them it used.
    #[inline(always)]
    pub(super) fn fill<const N: usize>(&mut self, fill: impl FnOnce(&mut [u8; N]) -> usize) {
        if self.store.len() - self.len < N {
            self.grow(N);
        }
        if let Some(space) = self.store[self.len..].first_chunk_mut::<N>() {
            self.len += fill(space).min(N);
        }
    }

    /// The next `N` bytes, if they are there, of which those count that [`Buf::advance`] is told of.
    #[inline(always)]
    pub(super) fn ahead<const N: usize>(&mut self) -> Option<&mut [u8; N]> {
        self.store.get_mut(self.len..)?.first_chunk_mut()
    }

    /// Has so many bytes be there.
    #[inline]
    pub(super) fn make_room(&mut self, bytes: usize) {
        if self.store.len() - self.len < bytes {
            self.grow(bytes);
        }
    }

    /// Appends a key and a piece that ends in a comma, which becomes `],`; false, with nothing
    /// appended, where there is no room for both, or no piece.
    #[inline(always)]
    pub(super) fn extend_list(&mut self, key: &Block, piece: &[u8]) -> bool {
        let space = self.store.get_mut(self.len..);
        let Some((space, head)) = space.and_then(|space| {
            let head = key.copy_to(space.first_chunk_mut()?);
            Some((space.get_mut(head..head + piece.len() + 1)?, head))
        }) else {
            return false;
        };
        let Some((text, end)) = space.split_last_chunk_mut::<2>() else { return false };
        text.copy_from_slice(&piece[..text.len()]);
        *end = *b"],";
        self.len += head + piece.len() + 1;
        true
    }

    /// Puts `}` and a newline in the place of a comma at the end; false, with nothing changed, if
    /// there is none or no room for both.
    #[inline(always)]
    pub(super) fn comma_to_line_end(&mut self) -> bool {
        let last = self.len.checked_sub(1).and_then(|last| self.store.get_mut(last..));
        let Some(space) = last.and_then(|space| space.first_chunk_mut()) else { return false };
        if space[0] != b',' {
            return false;
        }
        *space = *b"}\n";
        self.len += 1;
        true
    }

    /// Makes the next bytes part of the buffer, which must be there.
    #[inline(always)]
    pub(super) fn advance(&mut self, bytes: usize) {
        debug_assert!(self.len + bytes <= self.store.len());
        self.len += bytes;
    }

    /// The next bytes, to be filled by the caller.
    #[inline(always)]
    fn space(&mut self, len: usize) -> &mut [u8] {
        let start = self.len;
        if self.store.len() - start < len {
            self.grow(len);
        }
        self.len = start + len;
        &mut self.store[start..start + len]
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self, len: usize) {
        self.store.reserve(len.max(64));
        self.store.resize(self.store.capacity(), 0);
    }

    #[inline]
    pub(super) fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    pub(super) fn pop(&mut self) {
        self.len = self.len.saturating_sub(1);
    }

    /// Takes a range out; what follows moves up.
    pub(super) fn remove(&mut self, range: Range<usize>) {
        let removed = range.len();
        self.copy_within(range.end.., range.start);
        self.len -= removed;
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.store.capacity()
    }

    /// Empties the buffer and gives memory beyond `kept` bytes back.
    #[inline]
    pub(super) fn reset(&mut self, kept: usize) {
        self.len = 0;
        if self.store.len() > kept {
            self.store.truncate(kept);
            self.store.shrink_to(kept);
        }
    }
}

/// A piece of 1 to 31 bytes that is copied as a whole block, in moves of constant length.
#[derive(Clone, Copy)]
pub(super) struct Block {
    bytes: [u8; 31],
    len: NonZeroU8,
}

impl Block {
    /// `None` if the piece is too long, or nothing.
    pub(super) fn new(piece: &[u8]) -> Option<Self> {
        let mut bytes = [0; 31];
        bytes.get_mut(..piece.len())?.copy_from_slice(piece);
        Some(Block { bytes, len: NonZeroU8::new(piece.len() as u8)? })
    }

    /// Copies the block and returns the length of the piece.
    #[inline(always)]
    pub(super) fn copy_to(&self, space: &mut [u8; 31]) -> usize {
        *space = self.bytes;
        self.len()
    }

    /// The mask is for the compiler alone.
    #[inline(always)]
    fn len(&self) -> usize {
        usize::from(self.len.get() & 31)
    }

    /// Whether the piece is this name in quotes, with a colon behind.
    #[inline(always)]
    pub(super) fn is_key_of(&self, name: &[u8]) -> bool {
        let key = self.bytes[1..].get(..name.len());
        self.len() == name.len() + 3 && key.is_some_and(|key| short_eq(key, name))
    }

    /// The piece.
    #[inline(always)]
    pub(super) fn piece(&self) -> &[u8] {
        &self.bytes[..self.len()]
    }
}

/// Copies a piece of at most 32 bytes and returns its length.
#[inline(always)]
pub(super) fn copy_short(space: &mut [u8; 32], piece: &[u8]) -> usize {
    if let Some(space) = space.get_mut(..piece.len()) {
        copy(space, piece);
    }
    piece.len()
}

/// Whether two texts of one length are equal, in few steps for short ones: names are.
#[inline(always)]
pub(super) fn short_eq(one: &[u8], other: &[u8]) -> bool {
    debug_assert_eq!(one.len(), other.len());
    match one.len() {
        2..4 => overlap_eq::<2>(one, other),
        4..8 => overlap_eq::<4>(one, other),
        8..=16 => overlap_eq::<8>(one, other),
        _ => one == other,
    }
}

/// Compares as two pieces of constant length that overlap.
#[inline(always)]
fn overlap_eq<const N: usize>(one: &[u8], other: &[u8]) -> bool {
    one.first_chunk::<N>() == other.first_chunk() && one.last_chunk::<N>() == other.last_chunk()
}

/// Copies between slices of one length.
#[inline(always)]
fn copy(space: &mut [u8], bytes: &[u8]) {
    match bytes.len() {
        4..8 => overlap::<4>(space, bytes),
        8..=16 => overlap::<8>(space, bytes),
        17..=32 => overlap::<16>(space, bytes),
        _ => space.copy_from_slice(bytes),
    }
}

/// Copies as two pieces of constant length that overlap.
#[inline(always)]
fn overlap<const N: usize>(space: &mut [u8], bytes: &[u8]) {
    if let (Some(first), Some(last)) = (bytes.first_chunk::<N>(), bytes.last_chunk::<N>()) {
        if let Some(space) = space.first_chunk_mut::<N>() {
            *space = *first;
        }
        if let Some(space) = space.last_chunk_mut::<N>() {
            *space = *last;
        }
    }
}

impl Deref for Buf {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        &self.store[..self.len]
    }
}

impl DerefMut for Buf {
    #[inline]
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.store[..self.len]
    }
}

impl fmt::Debug for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Veil(self.len()).fmt(f)
    }
}

impl fmt::Debug for Buf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Veil(self.len()).fmt(f)
    }
}
