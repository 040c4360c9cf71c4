//! A file that takes its time.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use writer_core::Sink;

/// Appends to a file; each write, or one of them, takes a while before it begins.
pub(crate) struct SlowFile {
    file: File,
    each: Duration,
    stuck: Option<(u64, Duration)>,
    writes: u64,
}

impl SlowFile {
    pub(crate) fn open(
        path: &Path,
        each: Duration,
        stuck: Option<(u64, Duration)>,
    ) -> io::Result<SlowFile> {
        let file = File::options().append(true).create(true).open(path)?;
        Ok(SlowFile { file, each, stuck, writes: 0 })
    }
}

impl Sink for SlowFile {
    #[allow(clippy::disallowed_methods, reason = "to be slow is what it is for")]
    fn write(&mut self, lines: &[u8], _more_waiting: bool) -> io::Result<usize> {
        self.writes += 1;
        let time = match self.stuck {
            Some((number, time)) if number == self.writes => time,
            _ => self.each,
        };
        std::thread::sleep(time);
        self.file.write(lines)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }
}
