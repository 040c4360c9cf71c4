//! A sink of one's own: files of limited size, cut at line ends.
//!
//! `cargo run --release --example custom_sink`

use std::error::Error;
use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use writer_core::{Sink, Writer};

const LIMIT: usize = 10_000;

struct Pieces {
    folder: PathBuf,
    count: usize,
    file: File,
    room: usize,
    /// Why something may never be on the disk.
    unsynced: Option<io::ErrorKind>,
}

impl Sink for Pieces {
    fn write(&mut self, lines: &[u8], _more_waiting: bool) -> io::Result<usize> {
        let line_end =
            lines.iter().position(|&byte| byte == b'\n').map_or(lines.len(), |at| at + 1);
        if line_end > self.room {
            let _ = self.sync(); // Nobody asks for this file again; the next sync tells a failure.
            self.file = File::create(self.folder.join(self.count.to_string()))?;
            (self.count, self.room) = (self.count + 1, LIMIT);
        }
        let fits = &lines[..lines.len().min(self.room)];
        let end = fits.iter().rposition(|&byte| byte == b'\n').map_or(line_end, |at| at + 1);
        let written = self.file.write(&lines[..end])?;
        self.room = self.room.saturating_sub(written);
        Ok(written)
    }

    fn sync(&mut self) -> io::Result<()> {
        // The next sync of a file whose first has failed may say that all is well.
        if let Some(failed) = self.unsynced {
            return Err(failed.into());
        }
        self.file.sync_data().inspect_err(|error| self.unsynced = Some(error.kind()))
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let temp = tempfile::tempdir()?;
    let folder = temp.path().to_path_buf();
    let file = File::create(folder.join("0"))?;
    let pieces = Pieces { folder, count: 1, file, room: LIMIT, unsynced: None };
    let (writer, guard) = Writer::to(pieces).build()?;
    writer.send_batch((0..5000).map(|n| format!(r#"{{"n":{n}}}"#)))?;
    writer.sync(Duration::from_secs(5))?;
    guard.shutdown(Duration::from_secs(5))?;

    let (mut files, mut lines) = (0, 0);
    for entry in std::fs::read_dir(&temp)? {
        let path = entry?.path();
        assert!(path.metadata()?.len() <= LIMIT as u64);
        (files, lines) = (files + 1, lines + writer_examples::lines_in(&path)?);
    }
    let metrics = writer.metrics();
    assert_eq!((lines, metrics.written, metrics.errors), (5000, 5000, 0));
    writer_examples::assert_balanced(&metrics, 5000);
    println!("ok: {lines} lines in {files} files of at most {LIMIT} bytes");
    Ok(())
}
