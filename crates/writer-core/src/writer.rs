//! The handle that programs and adapters send lines through.

use std::panic::{RefUnwindSafe, UnwindSafe};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::barrier::GIVE_UP_WITHIN;
use crate::builder::WriterBuilder;
use crate::chunk::Line;
use crate::clock;
use crate::config::Config;
use crate::error::{FlushError, ReopenError, SendError, ShutdownError};
use crate::io::Sink;
use crate::json::Format;
use crate::line_writer::LineWriter;
use crate::metrics::Metrics;
use crate::process;
use crate::severity::Severity;
use crate::shared::Shared;

/// How long a caller waits for a worker that is to reopen.
const REOPEN_WITHIN: Duration = Duration::from_secs(5);

/// A handle to a writer: cheap to clone, usable from any thread.
///
/// Dropping handles ends nothing; the [`WriterGuard`](crate::WriterGuard) does, or the end of the
/// process.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("app.jsonl");
/// let (writer, guard) = writer_core::Writer::builder(&path).build()?;
/// writer.send("{\"message\":\"hello\"}")?;
/// drop(guard);
/// assert_eq!(std::fs::read_to_string(&path)?, "{\"message\":\"hello\"}\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Writer {
    shared: Arc<Shared>,
}

// A panic leaves nothing half done behind: the sink and the callbacks run where panics are caught,
// and no other code of the user runs between a change and its end. See also `crate::sync::lock`.
impl UnwindSafe for Writer {}
impl RefUnwindSafe for Writer {}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer").field("config", &self.shared.config).finish_non_exhaustive()
    }
}

impl Writer {
    /// Starts to set up a writer to the file at `path`, with all defaults.
    pub fn builder(path: impl Into<PathBuf>) -> WriterBuilder {
        WriterBuilder::to_path(path.into())
    }

    /// Starts to set up a writer to `sink` instead of a file. A
    /// [`WriteSink`](crate::WriteSink) makes a sink of any [`std::io::Write`].
    pub fn to(sink: impl Sink + 'static) -> WriterBuilder {
        WriterBuilder::to_sink(Box::new(sink))
    }

    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Writer { shared }
    }

    /// The writer itself, or in a forked child the one opened there.
    #[inline]
    pub(crate) fn shared(&self) -> Option<&Arc<Shared>> {
        if self.shared.is_foreign() { self.successor() } else { Some(&self.shared) }
    }

    #[cold]
    fn successor(&self) -> Option<&Arc<Shared>> {
        let mut shared = &self.shared;
        while shared.is_foreign() {
            shared = shared.successor.get()?;
        }
        Some(shared)
    }

    /// The writer as it was built, whatever process this is.
    #[inline]
    pub(crate) fn original(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Sends one line with [`Severity::Info`]; a newline is added if it does not end in one.
    /// `Ok(false)` means that the queue policy dropped it.
    ///
    /// The line is copied into the queue before this returns. Waits for room only under
    /// [`QueuePolicy::Block`](crate::QueuePolicy::Block) with a full queue; with
    /// [`synchronous`](WriterBuilder::synchronous) for the time of the write, and under `Block`
    /// while writes fail. Under the other policies the thread whose line is dropped may be the one
    /// that reports it, at most once a second: it runs [`on_drop`](WriterBuilder::on_drop), or under
    /// [`Warn`](crate::QueuePolicy::Warn) writes to stderr, for as long as that takes.
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`] after shutdown and in a forked child; [`SendError::WouldBlock`] where
    /// waiting would never end.
    #[inline]
    pub fn send(&self, line: impl AsRef<[u8]>) -> Result<bool, SendError> {
        self.send_with(Severity::Info, line)
    }

    /// [`send`](Self::send) with a severity, which the queue keeps beside the line.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    #[inline]
    pub fn send_with(&self, severity: Severity, line: impl AsRef<[u8]>) -> Result<bool, SendError> {
        self.send_line(Line::new(line.as_ref(), severity))
    }

    #[inline(always)]
    fn send_line(&self, line: Line<'_>) -> Result<bool, SendError> {
        let Some(shared) = self.shared() else { return self.reject_in_child() };
        process::mark_thread();
        if shared.config.synchronous {
            return shared.send_now(line);
        }
        shared.admit(line)
    }

    #[cold]
    pub(crate) fn reject_in_child(&self) -> Result<bool, SendError> {
        self.shared.rejected_in_child.add();
        Err(SendError::Closed)
    }

    /// Sends lines in order, each under the queue policy for itself, and returns how many were
    /// accepted. The first line that is rejected ends it: that one counts as rejected, and what
    /// would have come behind it, which may have no end, is not asked for and counts nowhere.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send), if it happens before any line was accepted; later the number
    /// accepted so far is returned.
    pub fn send_batch<L: AsRef<[u8]>>(
        &self,
        lines: impl IntoIterator<Item = L>,
    ) -> Result<usize, SendError> {
        let mut accepted = 0;
        for line in lines {
            match self.send(line) {
                Ok(taken) => accepted += usize::from(taken),
                Err(error) if accepted == 0 => return Err(error),
                Err(_) => break,
            }
        }
        Ok(accepted)
    }

    /// In [`Mode::Manual`](crate::Mode::Manual), has the worker write at least all that was sent
    /// before; in the other modes does nothing. Never blocks. A trigger during a write is served
    /// by another one after it.
    pub fn trigger(&self) {
        let Some(shared) = self.shared() else { return };
        if shared.config.mode == crate::Mode::Manual {
            let mut inner = shared.lock();
            // What is not in the queue any more is being written.
            if !inner.queue.is_empty() {
                inner.triggered = true;
                shared.work.notify_one();
            }
        }
    }

    /// Waits until every line accepted before the call is written, in every mode.
    ///
    /// Any number of threads may flush at once, and a flush ends under continuous load. A
    /// `timeout` too long for the clock is no limit.
    ///
    /// # Errors
    ///
    /// [`FlushError::Timeout`] when the time is over; [`FlushError::Failed`] where the target has
    /// [`failed`](crate::State::Failed) and no fallback takes the lines, at the first try that
    /// fails after the call, which is within a second, or when the time is over before it;
    /// [`FlushError::Lost`] if lines were given up; [`FlushError::WouldDeadlock`] in a callback or
    /// sink of this writer; [`FlushError::Closed`] in a forked child.
    pub fn flush(&self, timeout: Duration) -> Result<(), FlushError> {
        let shared = self.shared().ok_or(FlushError::Closed)?;
        if shared.config.synchronous {
            return shared.flush_now(timeout);
        }
        shared.flush(timeout)
    }

    /// Waits until every line accepted before the call would survive a loss of power.
    ///
    /// The folders in which names were made for the file are synced with it, except one that this
    /// user may not read. With [`synchronous`](crate::WriterBuilder::synchronous) the calling thread
    /// syncs, for as long as that takes.
    ///
    /// # Errors
    ///
    /// As [`flush`](Self::flush); [`FlushError::Unsupported`] on a target that cannot be synced;
    /// [`FlushError::Sync`] if the system fails to, and then until another file is open, since data
    /// that a failed `fsync` left behind may never reach the disk; [`FlushError::Closed`] after a
    /// shutdown, unless a sync had made all lines durable before it. If a file that was left for
    /// another one, or the fallback, cannot be synced, the calls that wait at that moment get the
    /// error, once; later calls speak only of what was written since.
    pub fn sync(&self, timeout: Duration) -> Result<(), FlushError> {
        let shared = self.shared().ok_or(FlushError::Closed)?;
        if shared.config.synchronous {
            return shared.sync_now(timeout);
        }
        shared.sync(timeout)
    }

    /// Goes over to what is at the path now, made anew if nothing is: for whoever has renamed the
    /// file, as `logrotate` does. If it is still the same file, nothing changes.
    ///
    /// The worker does it between two writes, so that each line is in exactly one of the files:
    /// what is sent after the return is in the new one, what is queued may be in either. The old
    /// one is complete when this returns, and is synced in the background; a
    /// [`sync`](Self::sync) waits for that too. Blocks until then, at most 5 s. Works while writes
    /// fail, and is what helps on a disk that is full of old files.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let (path, rotated) = (folder.path().join("app.jsonl"), folder.path().join("app.1"));
    /// let (writer, _guard) = writer_core::Writer::builder(&path).build()?;
    /// std::fs::rename(&path, &rotated)?;
    /// writer.reopen()?;
    /// assert!(path.exists());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ReopenError::Refused`] if the path cannot be opened, as at
    /// [`build`](WriterBuilder::build): the file so far stays in use. [`ReopenError::Timeout`] if
    /// the worker is held up, and [`ReopenError::WouldDeadlock`] in a callback or sink of this
    /// writer: it is done afterwards, without a worker before the next line.
    /// [`ReopenError::Unsupported`] for descriptors, and sinks that know no reopening;
    /// [`ReopenError::Closed`] after a shutdown and in a forked child.
    pub fn reopen(&self) -> Result<(), ReopenError> {
        let shared = self.shared().ok_or(ReopenError::Closed)?;
        if shared.config.synchronous {
            return shared.reopen_now(REOPEN_WITHIN);
        }
        shared.reopen(REOPEN_WITHIN)
    }

    /// A consistent snapshot of the counters; from any thread, also after shutdown.
    pub fn metrics(&self) -> Metrics {
        // The lock may be taken for ever: a child sees only what it did itself.
        let mut metrics = self.shared().map_or_else(Metrics::default, |shared| shared.metrics());
        let rejected = self.shared.rejected_in_child.get();
        metrics.sent += rejected;
        metrics.rejected += rejected;
        metrics
    }

    /// What was really built, after defaults, environment and rounding.
    pub fn config(&self) -> &Config {
        &self.shared.config
    }

    /// Whether lines are still written: false once the writer is shut down, and in a forked child.
    /// A worker that was not done when the time of a shutdown was over still runs, although it
    /// takes no further lines.
    pub fn is_running(&self) -> bool {
        self.shared().is_some_and(|shared| {
            let inner = shared.lock();
            if shared.config.synchronous { !inner.is_closed() } else { !inner.ended }
        })
    }

    /// Whether no further line is let in.
    pub(crate) fn is_closed(&self) -> bool {
        self.shared().is_none_or(|shared| shared.lock().is_closed())
    }

    /// Lets no further line in and waits until everything accepted is written, or was lost in a sink
    /// that panicked, and the worker has gone. Calling it again is harmless; once the writer has ended, the result stays the same. In
    /// a forked child there is nothing to wait for, and it is `Ok`. What callbacks left in
    /// thread-locals of the worker is dropped by then, unless that takes longer than `timeout` +
    /// 150 ms. A sink that fails is tried once more before lines are given up.
    ///
    /// With [`synchronous`](crate::WriterBuilder::synchronous) the calling thread writes and closes
    /// the target itself, and a call of the target that takes longer holds it up for as long.
    ///
    /// # Errors
    ///
    /// [`ShutdownError::Timeout`] within `timeout` + 200 ms: the worker drains on, and a later call
    /// may be `Ok`. [`ShutdownError::Lost`] if the sink was failing when the time was over: then
    /// what is left is given up. [`ShutdownError::Close`] if all is written and the target could
    /// not be closed properly. [`ShutdownError::WouldDeadlock`] in a callback or sink of this
    /// writer: it is closed, and drains afterwards.
    pub fn shutdown(&self, timeout: Duration) -> Result<(), ShutdownError> {
        // A forked child has nothing to wait for.
        let Some(shared) = self.shared() else { return Ok(()) };
        let until = clock::deadline(shared.clock.now(), timeout.saturating_add(GIVE_UP_WITHIN));
        let result = match shared.config.synchronous {
            true => shared.shutdown_now(timeout),
            false => shared.shutdown(timeout),
        };
        let ended =
            !matches!(result, Err(ShutdownError::Timeout { .. } | ShutdownError::WouldDeadlock));
        // A callback may have forked, and the lock be taken in the child for ever.
        if ended && !shared.is_foreign() {
            shared.lock().end_told = true;
            let thread = shared.thread.lock().unwrap_or_else(|e| e.into_inner()).take();
            // The worker has nothing left to do but to return. What its callbacks left in
            // thread-locals may take its time, or wait for what this thread has.
            if let Some(thread) = thread {
                thread.join_by(until);
            }
        }
        result
    }

    /// Whether a shutdown has returned how the writer ended.
    pub(crate) fn is_end_told(&self) -> bool {
        self.shared().is_some_and(|shared| shared.lock().end_told)
    }

    /// An [`io::Write`](std::io::Write) that assembles lines; make one per place of use.
    pub fn line_writer(&self) -> LineWriter {
        LineWriter::new(self.clone())
    }

    /// Has losses marked in the format of an adapter, unless the program said how, or that they are
    /// not to be marked, or another adapter came first.
    #[doc(hidden)]
    pub fn default_loss_marker(&self, format: &Format) {
        self.shared.callbacks.marker.or_format(format);
    }

    /// Counts what happened to a record of an adapter while it was encoded.
    #[doc(hidden)]
    pub fn note_record(&self, format_errors: u64, cut: bool) {
        if (format_errors > 0 || cut)
            && let Some(shared) = self.shared()
        {
            shared.format_errors.fetch_add(format_errors, Ordering::Relaxed);
            shared.truncated.fetch_add(u64::from(cut), Ordering::Relaxed);
        }
    }

    /// Sends an encoded record on behalf of an adapter. The first that is rejected because the
    /// writer is closed is reported on stderr.
    #[doc(hidden)]
    #[inline]
    pub fn send_record(&self, severity: Severity, line: &[u8]) {
        if self.send_line(Line::complete(line, severity)) == Err(SendError::Closed) {
            self.report_closed_once();
        }
    }
}
