//! The value that ends a writer.

use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::config::Config;
use crate::error::{BuildError, ShutdownError};
use crate::exit;
use crate::process;
use crate::report::to_stderr;
use crate::start::{self, Fallback, Recipe};
use crate::writer::Writer;

/// How long a dropped guard waits.
const DROP_TIMEOUT: Duration = Duration::from_secs(5);

/// Shuts the writer down when dropped, within 5 seconds, and never panics. If lines were given up
/// or are still pending, or the target could not be closed, stderr is told, unless a call of
/// [`shutdown`](Self::shutdown) has already returned how the writer ended.
///
/// Keep it to the end of `main`, under a name: `let _ = …` drops it at once, and everything logged
/// afterwards is rejected.
#[must_use = "dropping the guard shuts the writer down; bind it to a name such as `_guard`"]
pub struct WriterGuard {
    writer: Writer,
    recipe: Recipe,
}

// As the writer. The recipe only builds a new writer in a child: if its opener panics, nothing of
// that writer exists yet.
impl UnwindSafe for WriterGuard {}
impl RefUnwindSafe for WriterGuard {}

impl std::fmt::Debug for WriterGuard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WriterGuard").field("writer", &self.writer).finish_non_exhaustive()
    }
}

impl WriterGuard {
    pub(crate) fn new(writer: Writer, recipe: Recipe) -> Self {
        WriterGuard { writer, recipe }
    }

    /// The writer, for flush, trigger, metrics.
    pub fn writer(&self) -> &Writer {
        &self.writer
    }

    /// Shuts the writer down; see [`Writer::shutdown`].
    ///
    /// # Errors
    ///
    /// As [`Writer::shutdown`].
    pub fn shutdown(&self, timeout: Duration) -> Result<(), ShutdownError> {
        self.writer.shutdown(timeout)
    }

    /// In a forked child, opens the file anew and starts a worker; from then on every handle of
    /// this writer works in the child. Elsewhere it does nothing. What is in the file stays there,
    /// and a relative path means the file it meant to the parent. A
    /// [`fallback`](crate::WriterBuilder::fallback) stays with the parent, one by
    /// [`fallback_with`](crate::WriterBuilder::fallback_with) is opened anew as well.
    ///
    /// # Errors
    ///
    /// As [`build`](crate::WriterBuilder::build); [`BuildError::NotRestartable`] for a writer over
    /// a sink. With [`Strategy::MemoryMapped`](crate::Strategy) it is
    /// [`BuildError::Locked`] for as long as the parent has the file: one process at a time maps it.
    pub fn restart_after_fork(&self) -> Result<(), BuildError> {
        if self.writer.shared().is_some() {
            return Ok(());
        }
        let mut last = self.writer.original();
        while let Some(next) = last.successor.get() {
            last = next;
        }
        let _turn = RestartTurn::take(&last.restarting);
        if last.successor.get().is_some() {
            return Ok(());
        }
        // What is in the file is the parent's.
        let config = Config { truncate: false, ..self.writer.config().clone() };
        let Recipe { callbacks, fallback } = &self.recipe;
        let fallback = fallback.clone().map_or(Fallback::Nowhere, Fallback::Opened);
        let shared = start::start(config, Arc::clone(callbacks), None, fallback)?;
        // Nobody else sets it meanwhile.
        drop(last.successor.set(shared));
        Ok(())
    }
}

/// The right to restart a writer in a forked child, for one thread at a time: a second one would find
/// the file in use by the first.
struct RestartTurn<'w>(&'w AtomicU64);

impl<'w> RestartTurn<'w> {
    /// `holder` is the process in which a thread has it, as [`process::forks`] counts them; 0 = none.
    /// What a child inherits is that of its parent, and says nothing.
    fn take(holder: &'w AtomicU64) -> Self {
        let here = process::forks();
        let taken = |holder| (holder != here).then_some(here);
        while holder.fetch_update(Ordering::Acquire, Ordering::Relaxed, taken).is_err() {
            exit::pause();
        }
        RestartTurn(holder)
    }
}

impl Drop for RestartTurn<'_> {
    fn drop(&mut self) {
        self.0.store(0, Ordering::Release);
    }
}

impl Drop for WriterGuard {
    fn drop(&mut self) {
        let told = self.writer.is_end_told();
        match self.writer.shutdown(DROP_TIMEOUT) {
            Ok(()) | Err(ShutdownError::WouldDeadlock) => {}
            Err(_) if told => {}
            Err(error) => to_stderr(format_args!("writer: incomplete shutdown: {error}")),
        }
    }
}
