//! Other writers of the same file, and what they leave in front of our lines.
//!
//! Writes that append never overlap, but a process that is killed inside one leaves the front of a
//! line, and the next line stands glued behind it: one line broken, and ours lost with it. Where a
//! write began shows it, at the price of one look at the position after each write, and one at a
//! byte of the file where somebody else has written. The line is then written once more, on a line
//! of its own.
//!
//! Looking before a write instead would mistake the write of a living process for a broken line.

use std::fs::File;
use std::io;

use super::{calls, os};

/// What is known of others that append to the file.
#[derive(Debug, Default)]
pub(super) struct Neighbours {
    /// Where the last write of this writer ended; `None` before the first.
    end: Option<u64>,
    /// Somebody else has written to the file.
    seen: bool,
}

impl Neighbours {
    /// The front of `lines` to be written first. Where others write it is one line, so that it can
    /// be repeated in front of the lines behind it, which follow at once.
    pub(super) fn portion<'a>(&self, lines: &'a [u8]) -> &'a [u8] {
        if self.end.is_none() || self.seen { first_line(lines) } else { lines }
    }

    /// Whether the file ends elsewhere than with what this writer wrote last: somebody has cut that
    /// off, or has written behind it.
    pub(super) fn has_changed(&self, file: &File) -> io::Result<bool> {
        Ok(match self.end {
            Some(end) => calls::metadata(file)?.len() != end,
            None => false,
        })
    }

    /// Where the last write of this writer ended.
    pub(super) fn end(&self) -> Option<u64> {
        self.end
    }

    /// Takes note of where the file ended when nobody else could write to it.
    pub(super) fn start(&mut self, end: u64) {
        self.end = Some(end);
    }

    /// Takes note of a write that is not looked at any closer.
    pub(super) fn follow(&mut self, file: &File) {
        self.end = os::position(file);
    }

    /// Looks whether the last `taken` bytes came to stand elsewhere than behind what this writer
    /// wrote before.
    pub(super) fn is_apart(&mut self, file: &File, taken: usize) -> bool {
        let expected = self.end.map(|end| end + taken as u64);
        self.follow(file);
        self.end.is_some() && expected.is_some_and(|end| self.end != Some(end))
    }

    /// Looks where the last `taken` bytes came to stand: whether the first of them follow half a
    /// line that somebody else has left.
    pub(super) fn is_glued(&mut self, file: &File, taken: usize) -> bool {
        let Some(end) = os::position(file) else { return false };
        let start = end.saturating_sub(taken as u64);
        let before = self.end.replace(end);
        // Shorter than before: cut by somebody, who cuts all of it.
        self.seen |= before.is_some_and(|before| before < start);
        if before == Some(start) || start == 0 {
            return false;
        }
        let mut last = [b'\n'];
        os::read_exact_at(file, &mut last, start - 1).is_ok() && last != *b"\n"
    }
}

/// The first of `lines`, with its end if it has one.
pub(super) fn first_line(lines: &[u8]) -> &[u8] {
    let end = lines.iter().position(|&byte| byte == b'\n').map_or(lines.len(), |at| at + 1);
    &lines[..end]
}
