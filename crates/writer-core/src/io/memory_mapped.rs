//! Lines are copied into a mapping of the file that moves ahead of its end.

use std::io;

use super::block_buffered::BlockBuffered;
use super::file::LogFile;
use super::mapping::{Mapping, longest_file};
use super::named::OverFile;
use super::{Reopened, Sink, calls, os, tail};

/// How far ahead of the last one pages are made ready, in bytes: one call for several short writes,
/// and few enough that the zeroed pages are still in the processor's cache when they are filled.
/// Steps from 64 KiB to 4 MiB measured the same within 10 %.
const POPULATE_STEP: u64 = 256 << 10;

/// The first step in which space is reserved, in bytes, where the chunk is not smaller: a log of a
/// few lines should not meet a limit on the length of files or on memory that it never needs.
const FIRST_STEP: u64 = 1 << 20;

/// Copies lines into a window of the file, in space reserved in steps that double up to one chunk.
///
/// Lengths, from the start of the file: `end <= reserved`, bytes between them are NUL, and
/// `reserved` is the length that the file has for the system. A window, if there is one, starts at
/// a page in front of or at `end`; it may reach beyond `reserved`. Where a copy has failed, its
/// bytes may stand between `end` and `stained`.
///
/// A fault while storing would end the process (`SIGBUS`), so each write first compares the length
/// of the file, reserves space and has the pages made ready, which all fail as errors. A file cut
/// by somebody between that look and the end of the copy is an error too where the system copies
/// (Linux); where it may not, in some sandboxes, that danger remains. A cut at the very moment
/// space is reserved leaves NULs in front of the next lines. Files that are cut while in use are
/// better served by another strategy.
///
/// There is no `Drop` that trims: after a fork the child would drop the sink too and cut off what
/// the parent has written since. A sink dropped without [`close`](Sink::close) leaves reserved
/// NULs, which the next opening removes.
#[derive(Debug)]
pub(super) struct MemoryMapped {
    file: LogFile,
    chunk: u64,
    /// The step of the next reservation: a whole number of pages, at most `chunk`.
    step: u64,
    block_size: usize,
    end: u64,
    reserved: u64,
    stained: u64,
    /// What was mended at the end of the file since somebody asked.
    mended: Reopened,
    window: Option<Mapping>,
    /// Up to where the pages of the window are ready, from the start of the file.
    populated: u64,
    /// Whether the kernel can make pages ready; until it says no.
    can_populate: bool,
    /// Whether the file system can serve a mapping; until it says no. Then lines are appended.
    can_map: bool,
}

impl MemoryMapped {
    /// Writes to `file`, open for reading too, exclusively locked and `end` bytes long.
    ///
    /// `chunk` is a multiple of the page size; `block_size` is for a file system without mappings.
    pub(super) fn new(file: LogFile, end: u64, chunk: usize, block_size: usize) -> MemoryMapped {
        MemoryMapped {
            file,
            chunk: chunk as u64,
            step: first_step(chunk as u64),
            block_size,
            end,
            reserved: end,
            stained: end,
            mended: Reopened::default(),
            window: None,
            populated: 0,
            can_populate: true,
            can_map: true,
        }
    }

    /// Makes the window fit the file again if somebody else has changed its length.
    fn follow_file(&mut self) -> io::Result<()> {
        let len = self.file.len()?;
        if len == self.reserved {
            return Ok(());
        }
        self.window = None;
        if self.end <= len && len < self.reserved && self.has_only_lines(len)? {
            // Only reserved space is gone, or what a copy that failed had put there.
            self.reserved = len;
            return Ok(());
        }
        // The new end is an unknown place: NULs are cut, and the half of a line is closed.
        let repair = tail::repair(self.file.file())?;
        self.mended.recovered_nul_bytes += repair.recovered_nul_bytes;
        self.mended.torn_lines += repair.torn_lines;
        (self.end, self.reserved, self.stained) = (repair.end, repair.end, repair.end);
        Ok(())
    }

    /// Whether a file that somebody has shortened to `len` ends as it was left: with a line end and
    /// nothing of others behind it. A file emptied and written anew may have any length.
    fn has_only_lines(&self, len: u64) -> io::Result<bool> {
        let file = self.file.file();
        let mut last = [b'\n'];
        if let Some(at) = self.end.checked_sub(1) {
            os::read_exact_at(file, &mut last, at)?;
        }
        Ok(last == *b"\n" && tail::text_end(file, len)? <= self.stained.max(self.end))
    }

    /// Gives the reserved space behind the last line back.
    fn trim(&mut self) -> io::Result<()> {
        if self.reserved == self.end {
            return Ok(());
        }
        self.follow_file()?;
        self.window = None;
        self.step = first_step(self.chunk);
        if self.reserved > self.end {
            calls::set_len(self.file.file(), self.end)?;
            (self.reserved, self.stained) = (self.end, self.end);
        }
        Ok(())
    }

    /// Makes `len` bytes behind the end ready to be stored to, and with `ahead` reserves a whole
    /// step.
    fn make_room(&mut self, len: u64, ahead: bool) -> io::Result<()> {
        self.follow_file()?;
        let page = os::page_size() as u64;
        let needed = self.end + len;
        let start = self.end / page * page;
        let target = if needed <= self.reserved {
            self.reserved.next_multiple_of(page)
        } else {
            start + (needed - start).next_multiple_of(self.step)
        };
        let fits = self.window.as_ref().is_some_and(|window| window.end() >= needed);
        if !fits {
            self.window = None;
            // Mapped before it is reserved: where it is refused, the file is still as it was. Any
            // refusal counts, a lack of address space too: plain writes serve there as well.
            let mapping = usize::try_from(target - start)
                .map_err(|_| io::ErrorKind::OutOfMemory.into())
                .and_then(|size| Mapping::new(self.file.file(), start, size));
            match mapping {
                Ok(mapping) => self.window = Some(mapping),
                Err(_) => return Err(io::ErrorKind::Unsupported.into()),
            }
            self.populated = start;
        }
        if needed > self.reserved {
            // A longer file would be answered with a signal, which ends the process.
            let longest = longest_file().max(needed);
            let least = needed.next_multiple_of(page).min(longest);
            self.reserve(if ahead { target.min(longest) } else { least }, least)?;
        }
        self.populate(needed)
    }

    /// Reserves space up to `target`, or, when that much is not there, up to `least`.
    fn reserve(&mut self, target: u64, least: u64) -> io::Result<()> {
        for goal in [target, least] {
            match os::reserve(self.file.file(), self.reserved, goal - self.reserved) {
                Ok(()) => {
                    self.reserved = goal;
                    if goal > least {
                        self.step = (2 * self.step).min(self.chunk);
                    }
                    return Ok(());
                }
                Err(e) => {
                    self.step = first_step(self.chunk);
                    // A part may have been reserved. Without this the next write sees a length
                    // that is not ours and finds out by itself.
                    let undone = calls::set_len(self.file.file(), self.reserved);
                    if goal == least || undone.is_err() {
                        // The rest goes back too: whoever waits for the disk sees whole lines.
                        let _ = self.trim();
                        return Err(e);
                    }
                }
            }
        }
        Ok(())
    }

    /// Makes the pages up to `needed` ready, and some ahead.
    fn populate(&mut self, needed: u64) -> io::Result<()> {
        if !self.can_populate || self.populated >= needed {
            return Ok(());
        }
        let Some(window) = &self.window else { return Ok(()) };
        let page = os::page_size() as u64;
        let ahead = (self.populated + POPULATE_STEP).min(self.reserved);
        let to = needed.max(ahead).next_multiple_of(page).min(window.end());
        match window.populate(self.populated, to) {
            Ok(()) => self.populated = to,
            Err(e) if e.kind() == io::ErrorKind::Unsupported => self.can_populate = false,
            Err(e) => return Err(e),
        }
        Ok(())
    }

    /// Gives up mapping: from here on the file is appended to.
    fn fall_back(&mut self) -> io::Result<()> {
        self.window = None;
        self.trim()?;
        self.can_map = false;
        Ok(())
    }

    /// Copies the lines, or as many from the front as there is space for: also `write(2)` takes
    /// what fits.
    fn copy(&mut self, lines: &[u8]) -> io::Result<usize> {
        match self.copy_all(lines, true) {
            Err(e) if calls::is_out_of_space(&e) => self.copy_what_fits(lines, e),
            copied => copied,
        }
    }

    /// The same for lines of which it is known that not all fit.
    ///
    /// The first line comes first: on a disk that stays full, each try costs two calls and no
    /// search. The rest is halved until a line is left.
    fn copy_what_fits(&mut self, lines: &[u8], error: io::Error) -> io::Result<usize> {
        let Some((first, mut rest)) = split_after(lines, 0) else { return Err(error) };
        let mut copied = self.copy_all(first, false)?;
        while let Some((half, behind)) = split_after(rest, rest.len() / 2) {
            match self.copy_all(half, false) {
                Ok(more) => (copied, rest) = (copied + more, behind),
                Err(e) if calls::is_out_of_space(&e) => rest = half,
                // What is copied stays; the next write meets the error too.
                Err(_) => break,
            }
        }
        Ok(copied)
    }

    fn copy_all(&mut self, lines: &[u8], ahead: bool) -> io::Result<usize> {
        let mut copied = self.try_copy(lines, ahead);
        if matches!(&copied, Err(e) if os::is_bad_address(e)) {
            // Cut by somebody since the look at its length: one more look finds the new end.
            copied = self.try_copy(lines, ahead);
        }
        match copied {
            Err(e) if os::is_bad_address(&e) => Err(io::Error::new(
                io::ErrorKind::StorageFull,
                "the file system has no space for the pages of the mapping",
            )),
            other => other.map(|()| lines.len()),
        }
    }

    fn try_copy(&mut self, lines: &[u8], ahead: bool) -> io::Result<()> {
        self.make_room(lines.len() as u64, ahead)?;
        let Some(window) = &mut self.window else { return Err(io::ErrorKind::Unsupported.into()) };
        let end = self.end + lines.len() as u64;
        self.stained = self.stained.max(end);
        window.copy(self.end, lines)?;
        self.end = end;
        self.file.wrote();
        Ok(())
    }
}

/// The step to begin with.
fn first_step(chunk: u64) -> u64 {
    FIRST_STEP.min(chunk)
}

/// Splits at the last line end among the first `most` bytes, or else behind the first line; `None`
/// if there is only one.
fn split_after(lines: &[u8], most: usize) -> Option<(&[u8], &[u8])> {
    let is_end = |&byte: &u8| byte == b'\n';
    let within = lines[..most].iter().rposition(is_end);
    let end = within.or_else(|| lines.iter().position(is_end))? + 1;
    (end < lines.len()).then(|| lines.split_at(end))
}

impl Sink for MemoryMapped {
    fn write(&mut self, lines: &[u8], more_waiting: bool) -> io::Result<usize> {
        if self.can_map {
            match self.copy(lines) {
                Err(e) if e.kind() == io::ErrorKind::Unsupported => self.fall_back()?,
                other => return other,
            }
        }
        BlockBuffered::write_blocks(&mut self.file, self.block_size, lines, more_waiting)
    }

    /// A copy is written at once; only lines that had to be appended may leave something.
    fn flush(&mut self) -> io::Result<()> {
        self.file.append_repeat()
    }

    /// Syncs the lines, and trims the file so that its length on the disk is that of its lines.
    fn sync(&mut self) -> io::Result<()> {
        if let Some(window) = &self.window {
            let end = self.end;
            self.file.sync_with(|| window.sync(end))?;
        }
        self.trim()?;
        self.file.sync()
    }

    fn close(&mut self) -> io::Result<()> {
        let trimmed = self.trim();
        self.window = None;
        let closed = self.file.close();
        trimmed.and(closed)
    }

    fn mended(&mut self) -> Reopened {
        std::mem::take(&mut self.mended)
    }

    fn wants_idle(&self) -> bool {
        self.reserved > self.end
    }

    fn idle(&mut self) -> io::Result<()> {
        self.trim()
    }
}

impl OverFile for MemoryMapped {
    const EXCLUSIVE: bool = true;

    fn file(&self) -> &LogFile {
        &self.file
    }

    fn exchange(&mut self, file: LogFile, end: u64) {
        // A file system that fails to trim leaves NULs, which the next opening of that file
        // removes.
        let _ = self.trim();
        self.window = None;
        self.file.replace(file);
        (self.end, self.reserved, self.stained) = (end, end, end);
        self.step = first_step(self.chunk);
        self.can_map = true;
    }
}
