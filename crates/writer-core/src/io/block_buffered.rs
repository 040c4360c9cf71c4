//! Lines go to the system in blocks.

use std::io;

use super::Sink;
use super::file::LogFile;
use super::named::OverFile;

/// Hands slices of at least one block to `write(2)`, and less only when nothing more waits.
///
/// The bytes held back stay where they are, in the worker's hands. A slice of a block or more is
/// written whole: it ends at a line end, so a cut at a multiple of the block size would only leave
/// a small rest for a call of its own.
#[derive(Debug)]
pub(super) struct BlockBuffered {
    file: LogFile,
    block_size: usize,
}

impl BlockBuffered {
    /// Writes to `file` in blocks of at least `block_size` bytes.
    pub(super) fn new(file: LogFile, block_size: usize) -> BlockBuffered {
        BlockBuffered { file, block_size }
    }

    /// Takes over lines as [`Sink::write`] does; shared with the mapping that has to do without.
    pub(super) fn write_blocks(
        file: &mut LogFile,
        block_size: usize,
        lines: &[u8],
        more_waiting: bool,
    ) -> io::Result<usize> {
        if more_waiting && lines.len() < block_size {
            return Ok(0);
        }
        file.append(lines)
    }
}

impl Sink for BlockBuffered {
    fn write(&mut self, lines: &[u8], more_waiting: bool) -> io::Result<usize> {
        BlockBuffered::write_blocks(&mut self.file, self.block_size, lines, more_waiting)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.append_repeat()
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync()
    }

    fn close(&mut self) -> io::Result<()> {
        self.file.close()
    }
}

impl OverFile for BlockBuffered {
    const EXCLUSIVE: bool = false;

    fn file(&self) -> &LogFile {
        &self.file
    }

    fn exchange(&mut self, file: LogFile, _end: u64) {
        self.file.replace(file);
    }
}
