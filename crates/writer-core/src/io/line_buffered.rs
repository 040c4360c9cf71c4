//! Every line goes to the system at once.

use std::io;

use super::Sink;
use super::file::LogFile;
use super::named::OverFile;

/// Hands whatever it gets to `write(2)`, and holds nothing back.
#[derive(Debug)]
pub(super) struct LineBuffered {
    file: LogFile,
}

impl LineBuffered {
    /// Writes to `file`.
    pub(super) fn new(file: LogFile) -> LineBuffered {
        LineBuffered { file }
    }
}

impl Sink for LineBuffered {
    fn write(&mut self, lines: &[u8], _more_waiting: bool) -> io::Result<usize> {
        self.file.append(lines)
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

impl OverFile for LineBuffered {
    const EXCLUSIVE: bool = false;

    fn file(&self) -> &LogFile {
        &self.file
    }

    fn exchange(&mut self, file: LogFile, _end: u64) {
        self.file.replace(file);
    }
}
