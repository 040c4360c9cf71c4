//! Any `io::Write` as a sink.

use std::io::{self, Write};

use super::Sink;

/// A [`Sink`] over any [`io::Write`], for targets that are not files.
///
/// Lines go to [`Write::write`] as they are; the target is flushed at the end of each round of
/// writes and at close. It cannot be synced: [`FlushError::Unsupported`](crate::FlushError).
///
/// ```
/// let sink = writer_core::WriteSink::new(Vec::new());
/// assert!(sink.get_ref().is_empty());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WriteSink<W: Write + Send> {
    inner: W,
}

impl<W: Write + Send> WriteSink<W> {
    /// Wraps `inner`, which must not hold bytes of its own longer than until its `flush`.
    pub fn new(inner: W) -> WriteSink<W> {
        WriteSink { inner }
    }

    /// The target.
    pub fn get_ref(&self) -> &W {
        &self.inner
    }

    /// Gives the target back.
    pub fn into_inner(self) -> W {
        self.inner
    }
}

impl<W: Write + Send> From<W> for WriteSink<W> {
    fn from(inner: W) -> WriteSink<W> {
        WriteSink::new(inner)
    }
}

impl<W: Write + Send> Sink for WriteSink<W> {
    fn write(&mut self, lines: &[u8], _more_waiting: bool) -> io::Result<usize> {
        self.inner.write(lines)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }

    /// Flushes, and reports that a foreign target cannot promise more.
    fn sync(&mut self) -> io::Result<()> {
        self.inner.flush()?;
        Err(io::ErrorKind::Unsupported.into())
    }

    fn close(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
