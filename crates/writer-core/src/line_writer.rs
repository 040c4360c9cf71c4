//! A writer as `io::Write`.

use std::fmt;
use std::io::{self, Write};
use std::time::Duration;

use crate::error::{FlushError, SendError};
use crate::veil::Veil;
use crate::writer::Writer;

/// How long a flush waits.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(5);

/// Assembles what is written to it into lines and sends each complete one.
///
/// A fragment waits for its newline; [`flush`](Write::flush) and drop send it as a line of its own,
/// for whose room drop waits as [`Writer::send`] does.
/// A flush then waits until everything is written, at most 5 seconds. A line that the queue policy
/// drops is no error here; [`Metrics::dropped`](crate::Metrics::dropped) counts it. Where waiting
/// for room would never end, as in a callback, the error is
/// [`WouldBlock`](io::ErrorKind::WouldBlock): what was to be written with that call was not taken,
/// what came before it is kept, and both may be tried again. After shutdown every write is a
/// [`BrokenPipe`](io::ErrorKind::BrokenPipe), also one of a fragment. A flush whose time is over is
/// [`TimedOut`](io::ErrorKind::TimedOut).
///
/// ```
/// use std::io::Write;
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("app.log");
/// let (writer, _guard) = writer_core::Writer::builder(&path).build()?;
/// let mut out = writer.line_writer();
/// write!(out, "{} + {} ", 1, 2)?;
/// writeln!(out, "= {}", 3)?;
/// out.flush()?;
/// assert_eq!(std::fs::read_to_string(&path)?, "1 + 2 = 3\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct LineWriter {
    writer: Writer,
    fragment: Vec<u8>,
}

impl fmt::Debug for LineWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LineWriter")
            .field("writer", &self.writer)
            .field("fragment", &Veil(self.fragment.len()))
            .finish()
    }
}

impl LineWriter {
    pub(crate) fn new(writer: Writer) -> Self {
        LineWriter { writer, fragment: Vec::new() }
    }

    fn send(&self, line: &[u8]) -> io::Result<()> {
        match self.writer.send(line) {
            Ok(_) => Ok(()),
            Err(SendError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
            Err(error) => Err(io::Error::new(io::ErrorKind::BrokenPipe, error)),
        }
    }

    /// Keeps the beginning of a line, unless its end could not be sent any more.
    fn keep(&mut self, piece: &[u8]) -> io::Result<()> {
        if self.writer.is_closed() {
            return Err(io::Error::new(io::ErrorKind::BrokenPipe, SendError::Closed));
        }
        self.fragment.extend_from_slice(piece);
        Ok(())
    }

    fn send_fragment(&mut self) -> io::Result<()> {
        if self.fragment.is_empty() {
            return Ok(());
        }
        let sent = self.send(&self.fragment);
        // What would block is to be tried again, and nobody else has it any more.
        if !sent.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock) {
            self.fragment.clear();
        }
        sent
    }
}

impl Write for LineWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut done = 0;
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            let sent = if !piece.ends_with(b"\n") {
                self.keep(piece)
            } else if self.fragment.is_empty() {
                self.send(piece)
            } else {
                let before = self.fragment.len();
                self.fragment.extend_from_slice(piece);
                let sent = self.send_fragment();
                // What was not taken is written anew as a whole.
                self.fragment.truncate(before);
                sent
            };
            match sent {
                Ok(()) => done += piece.len(),
                // What went before is sent and must not be written again.
                Err(_) if done > 0 => return Ok(done),
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.send_fragment()?;
        self.writer.flush(FLUSH_TIMEOUT).map_err(|error| match error {
            FlushError::Timeout { .. } => io::Error::new(io::ErrorKind::TimedOut, error),
            _ => io::Error::other(error),
        })
    }
}

impl Drop for LineWriter {
    fn drop(&mut self) {
        // A rejected fragment is counted; a destructor has nobody to tell.
        drop(self.send_fragment());
    }
}
