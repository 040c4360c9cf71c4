//! An open log file, as the strategies see it.

use std::fmt;
use std::fs::File;
use std::io;

use super::folders::Folders;
use super::left::Left;
use super::neighbours::{Neighbours, first_line};
use super::os::Identity;
use super::sync_state::SyncState;
use super::{calls, lock, os};

/// The most that one `write(2)` takes on Linux, in bytes.
const LARGEST_WRITE: usize = 0x7fff_f000;

/// How often a line is written in the hope that it comes to stand at the start of a line.
const TRIES: usize = 2;

/// A file opened for appending, and locked.
#[derive(Debug)]
pub(super) struct LogFile {
    file: File,
    /// Which file it is, if another one can take its place.
    identity: Option<Identity>,
    folders: Folders,
    /// The last byte appended was no line end.
    unended: bool,
    /// Of the line that broke off there, the line end alone is missing.
    lacks_end: bool,
    /// It ends in a part of a line that is to be written anew.
    broken: bool,
    /// A line that came to stand behind half a line of others, with more lines behind it, and is to
    /// be written once more.
    repeat: Vec<u8>,
    /// Others that write to it, if there can be any.
    neighbours: Option<Neighbours>,
    sync: SyncState,
    /// The files that were written before this one.
    left: Left,
    /// With what the last of them was left.
    left_with: LeftWith,
}

/// What stands at the end of a file that was left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum LeftWith {
    /// Whole lines.
    #[default]
    Lines,
    /// A part of a line.
    Part,
    /// A line that had lacked its line end alone, and has got it, in a file that has a name.
    Completed,
}

impl LogFile {
    /// Takes over a locked file, which file it is, and the folders in which names were made for it.
    pub(super) fn new(file: File, identity: Option<Identity>, folders: Folders) -> LogFile {
        LogFile {
            file,
            identity,
            folders,
            unended: false,
            lacks_end: false,
            broken: false,
            repeat: Vec::new(),
            neighbours: identity.is_some().then(Neighbours::default),
            sync: SyncState::default(),
            left: Left::default(),
            left_with: LeftWith::Lines,
        }
    }

    /// Has the half of a line in which the file ends, `len` bytes long, closed before the next one.
    pub(super) fn owe_line_end(&mut self, len: u64) {
        self.broken = true;
        if let Some(neighbours) = &mut self.neighbours {
            neighbours.start(len);
        }
    }

    /// Which file it is, if another one can take its place.
    pub(super) fn identity(&self) -> Option<Identity> {
        self.identity
    }

    /// Whether the last byte appended was no line end.
    pub(super) fn is_unended(&self) -> bool {
        self.unended
    }

    /// Where the file ends, as it was left by this writer, if it does in a line that lacks its line
    /// end and nothing else.
    pub(super) fn lacks_end_at(&self) -> Option<u64> {
        let lacks_end = self.unended && self.lacks_end && !self.broken && !self.has_changed();
        self.neighbours.as_ref().filter(|_| lacks_end).and_then(Neighbours::end)
    }

    /// Whether others have written to the file or cut it, as far as that can be seen.
    fn has_changed(&self) -> bool {
        self.neighbours.as_ref().is_some_and(|it| it.has_changed(&self.file).unwrap_or(false))
    }

    /// With what the file that was written before was left.
    pub(super) fn left_with(&self) -> LeftWith {
        self.left_with
    }

    /// Appends a line end if the file does not end in one; says whether it did.
    ///
    /// # Errors
    ///
    /// The file cannot be read or appended to.
    pub(super) fn end_line(&mut self) -> io::Result<bool> {
        let mut last = [b'\n'];
        if let Some(at) = self.len()?.checked_sub(1) {
            os::read_exact_at(&self.file, &mut last, at)?;
        }
        let unended = last != *b"\n";
        if unended && self.write(b"\n")? == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        Ok(unended)
    }

    /// Goes over to `new`; the file so far is closed, and on its way to the disk.
    pub(super) fn replace(&mut self, new: LogFile) {
        let mut old = std::mem::replace(self, new);
        self.left = std::mem::take(&mut old.left);
        self.folders.take_over(&mut old.folders);
        if self.identity.is_some() && self.identity == old.identity {
            // The same file again: what a failed sync left behind is still not on the disk.
            self.sync = std::mem::take(&mut old.sync);
            self.repeat = std::mem::take(&mut old.repeat);
            return;
        }
        if old.append_repeat().is_err() {
            // The line then goes to the new file.
            self.repeat = std::mem::take(&mut old.repeat);
        }
        let unheard = old.sync.unheard();
        // Lines without a name are gone, synced or not.
        let unlinked = calls::metadata(&old.file).is_ok_and(|file| os::is_unlinked(&file));
        if (old.unended || old.broken) && !old.has_changed() {
            let (unended, lacks_end) = (old.unended, old.lacks_end_at().is_some());
            // Where there is no room for it, the next opening mends the line.
            let is_ended = matches!(old.write(b"\n"), Ok(1));
            // Others may have written since that look.
            let is_there = old.neighbours.as_mut().is_some_and(|it| !it.is_apart(&old.file, 1));
            self.left_with = match unended {
                true if lacks_end && is_ended && is_there && !unlinked => LeftWith::Completed,
                true => LeftWith::Part,
                false => LeftWith::Lines,
            };
        }
        lock::release(&old.file);
        match unheard {
            _ if unlinked && old.identity.is_some() && old.sync.is_untold() => {
                self.left.note(Err(deleted()));
            }
            _ if unlinked => {}
            Some(error) => self.left.note(Err(error)),
            // Of a failure that was heard of there is no more to say.
            None if old.sync.has_failed() => {}
            None => self.left.add(old.file),
        }
    }

    /// The file itself.
    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// The length of the file at this moment, in bytes.
    pub(super) fn len(&self) -> io::Result<u64> {
        Ok(calls::metadata(&self.file)?.len())
    }

    /// Appends bytes from the front of `lines` and returns how many: with one `write(2)`, or two
    /// where others write to the file, unless a line came to stand behind what another process has
    /// left of a line, and is repeated.
    ///
    /// # Errors
    ///
    /// The answer of the system; `lines` are to be offered again. Interruptions are retried. Or
    /// [`ChangedInLine`]: the line of which a part was taken is to be offered from its start.
    pub(super) fn append(&mut self, lines: &[u8]) -> io::Result<usize> {
        let lines = largest_write(lines, LARGEST_WRITE);
        let Some(mut neighbours) = self.neighbours.take() else { return self.append_alone(lines) };
        let result = self.append_beside(&mut neighbours, lines);
        self.neighbours = Some(neighbours);
        result
    }

    /// Appends lines to what cannot show where they came to stand.
    fn append_alone(&mut self, lines: &[u8]) -> io::Result<usize> {
        if self.broken {
            self.write(b"\n")?;
            self.broken = false;
        }
        self.write(lines)
    }

    /// Appends lines to a file that others may write to as well.
    fn append_beside(&mut self, others: &mut Neighbours, lines: &[u8]) -> io::Result<usize> {
        if self.unended && !self.broken {
            if others.has_changed(&self.file)? {
                self.unended = false;
                return Err(io::Error::other(ChangedInLine));
            }
            // This line alone: it begins anew where another has written since that look.
            let taken = self.write(first_line(lines))?;
            if others.is_apart(&self.file, taken) {
                self.broken = std::mem::take(&mut self.unended);
                return Err(io::Error::other(ChangedInLine));
            }
            return Ok(taken);
        }
        self.repeat_beside(others)?;
        let first = others.portion(lines);
        let taken = self.append_whole(others, first)?;
        if taken < first.len() || taken == lines.len() {
            return Ok(taken);
        }
        // A failure comes again with the next call.
        Ok(taken + self.append_whole(others, &lines[taken..]).unwrap_or(0))
    }

    /// Appends lines, the first of which is repeated should it come to stand behind half a line: at
    /// once, or where others of them are behind it already, late.
    fn append_whole(&mut self, others: &mut Neighbours, lines: &[u8]) -> io::Result<usize> {
        let line = first_line(lines);
        let mut tries = 0;
        loop {
            self.end_broken(others)?;
            let (taken, is_glued) = self.write_beside(others, lines, tries)?;
            if !is_glued {
                return Ok(taken);
            }
            tries += 1;
            self.broken = taken < line.len();
            if taken > line.len() {
                let whole =
                    lines[..taken].iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
                self.broken = whole < taken;
                self.repeat = line.to_vec();
                // A failure comes again with the next call.
                let _ = self.repeat_beside(others);
                return Ok(whole);
            }
        }
    }

    /// One write of lines: how many bytes of them were taken, and whether the first of them came to
    /// stand behind half a line.
    ///
    /// Beside somebody who appends text without line ends that could go on for ever, so after some
    /// tries a line goes out with a line end in front of it.
    fn write_beside(
        &mut self,
        others: &mut Neighbours,
        lines: &[u8],
        tries: usize,
    ) -> io::Result<(usize, bool)> {
        if tries < TRIES {
            let taken = self.write(lines)?;
            return Ok((taken, others.is_glued(&self.file, taken)));
        }
        let taken = self.write(&[b"\n", first_line(lines)].concat())?;
        others.follow(&self.file);
        Ok((taken.saturating_sub(1), false))
    }

    /// Writes what is to be repeated, if there is something.
    ///
    /// # Errors
    ///
    /// The answer of the system; the line is still to be repeated.
    pub(super) fn append_repeat(&mut self) -> io::Result<()> {
        let Some(mut neighbours) = self.neighbours.take() else { return Ok(()) };
        let result = self.repeat_beside(&mut neighbours);
        self.neighbours = Some(neighbours);
        result
    }

    /// As [`append_repeat`](Self::append_repeat), beside others.
    fn repeat_beside(&mut self, others: &mut Neighbours) -> io::Result<()> {
        let mut tries = 0;
        while !self.repeat.is_empty() {
            self.end_broken(others)?;
            let line = std::mem::take(&mut self.repeat);
            let written = match self.write_beside(others, &line, tries) {
                Ok((0, _)) => Err(io::ErrorKind::WriteZero.into()),
                other => other,
            };
            let (taken, is_glued) = *written.as_ref().unwrap_or(&(0, false));
            self.broken = (1..line.len()).contains(&taken);
            if taken < line.len() || is_glued {
                self.repeat = line;
            }
            written?;
            tries += 1;
        }
        Ok(())
    }

    /// Ends a part of a line that is still there, so that the line can be written anew.
    fn end_broken(&mut self, others: &mut Neighbours) -> io::Result<()> {
        if self.broken {
            // Who has written behind it has met it: that line is repeated, on a line of its own.
            if others.has_changed(&self.file)? {
                self.unended = false;
            } else {
                self.write(b"\n")?;
                others.follow(&self.file);
            }
            self.broken = false;
        }
        Ok(())
    }

    /// One `write(2)`, as soon as the target takes or refuses something.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match os::append(&self.file, bytes) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                // Others may have made a pipe or a terminal answer at once: it is slow, and has not
                // failed. Of a regular file the system says so for other reasons, and need not
                // have it waited for.
                Err(e) if e.kind() == io::ErrorKind::WouldBlock && self.identity.is_none() => {
                    os::wait_until_writable(&self.file)?;
                }
                Ok(taken) => {
                    if let Some(last) = taken.checked_sub(1) {
                        self.unended = bytes.get(last) != Some(&b'\n');
                        self.lacks_end = bytes.get(taken) == Some(&b'\n');
                        self.sync.wrote();
                    }
                    return Ok(taken);
                }
                Err(e) => return Err(e),
            }
        }
    }

    /// Waits until everything written is on the disk.
    ///
    /// # Errors
    ///
    /// As [`SyncState::run`]; or one of the files that were written before could not be synced,
    /// which is told once; or there is no descriptor left for a folder in which a name was made.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        self.append_repeat()?;
        let LogFile { file, folders, sync, left, .. } = self;
        left.wait()?;
        // This failure does not stay: nothing of the file is lost by it.
        folders.open_rest()?;
        sync.run(|| {
            calls::sync_data(file)?;
            folders.sync()
        })
    }

    /// Runs a further operation that belongs to syncing; its failure counts as one of [`sync`].
    ///
    /// [`sync`]: LogFile::sync
    pub(super) fn sync_with(
        &mut self,
        operation: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<()> {
        self.sync.run(operation)
    }

    /// Takes note of lines that came into the file in another way.
    pub(super) fn wrote(&mut self) {
        self.sync.wrote();
    }

    /// Ends the use of the file: another writer may have it.
    ///
    /// # Errors
    ///
    /// As [`append_repeat`](Self::append_repeat).
    pub(super) fn close(&mut self) -> io::Result<()> {
        let repeated = self.append_repeat();
        lock::release(&self.file);
        repeated
    }
}

/// The front of `lines` that one call can take, cut at a line end where there is one.
fn largest_write(lines: &[u8], limit: usize) -> &[u8] {
    if lines.len() <= limit {
        return lines;
    }
    let front = &lines[..limit];
    match front.iter().rposition(|&byte| byte == b'\n') {
        Some(at) => &front[..=at],
        None => front,
    }
}

/// What a sync says of lines that were written to a file without a name.
pub(super) fn deleted() -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, "the file was deleted, and what was written to it")
}

/// Somebody has cut the file while a line was partly written, so that its front may be gone, or has
/// written behind that, where its rest would stand apart.
#[derive(Debug)]
struct ChangedInLine;

impl fmt::Display for ChangedInLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the file was changed by others inside a line, which begins anew")
    }
}

impl std::error::Error for ChangedInLine {}

/// Whether a write was refused because a line has to begin anew in the same file.
pub(super) fn begins_line_anew(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<ChangedInLine>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_beyond_the_limit_is_cut_at_a_line_end() {
        assert_eq!(largest_write(b"ab\ncd\n", 6), b"ab\ncd\n");
        assert_eq!(largest_write(b"ab\ncd\n", 5), b"ab\n");
        assert_eq!(largest_write(b"ab\ncd\n", 3), b"ab\n");
        assert_eq!(largest_write(b"a\nb\nc\n", 5), b"a\nb\n");
        assert_eq!(largest_write(b"abcdef\n", 4), b"abcd");
    }
}
