//! Waiting for the worker: flush, sync, reopen, shutdown.
//!
//! No request travels through the queue, so none can be dropped. A flush is a number: all lines up
//! to the last one accepted before the call. The worker publishes up to which number everything has
//! come to an end.

use std::io;
use std::time::{Duration, Instant};

use crate::clock;
use crate::error::{FlushError, ReopenError, ShutdownError, State, copy_error};
use crate::inner::Inner;
use crate::shared::Shared;
use crate::sync::MutexGuard;
use crate::thread_mark::ThreadMark;

/// How long a worker has to give up after the time of a shutdown is over.
pub(crate) const GIVE_UP_WITHIN: Duration = Duration::from_millis(150);

impl Shared {
    /// Waits until all that is accepted so far is written.
    pub(crate) fn flush(&self, timeout: Duration) -> Result<(), FlushError> {
        if ThreadMark::is_on(self) {
            return Err(FlushError::WouldDeadlock);
        }
        let inner = self.lock();
        let (target, lost_before) = (inner.queue.accepted(), inner.lost_before());
        let inner = if inner.flushed < target && !inner.ended {
            self.await_flush(inner, target, clock::deadline(self.clock.now(), timeout))
        } else {
            inner
        };
        self.flush_result(&inner, target, lost_before)
    }

    /// Has the worker write all lines up to `target` and waits for it.
    pub(crate) fn await_flush<'a>(
        &'a self,
        mut inner: MutexGuard<'a, Inner>,
        target: u64,
        until: Option<Instant>,
    ) -> MutexGuard<'a, Inner> {
        self.ask_for_flush(&mut inner, target);
        let errors = inner.count.errors;
        self.watch(inner, until, |inner| {
            inner.ended || inner.flushed >= target || inner.failed_after(errors)
        })
    }

    /// Has the worker write all lines up to `target`.
    pub(crate) fn ask_for_flush(&self, inner: &mut Inner, target: u64) {
        inner.flush_upto = inner.flush_upto.max(target);
        self.work.notify_one();
    }

    /// Waits until all that is accepted so far is durable.
    pub(crate) fn sync(&self, timeout: Duration) -> Result<(), FlushError> {
        if ThreadMark::is_on(self) {
            return Err(FlushError::WouldDeadlock);
        }
        let mut inner = self.lock();
        let (target, lost_before) = (inner.queue.accepted(), inner.lost_before());
        let mut ticket = inner.syncs.served;
        if !inner.ended {
            ticket = inner.syncs.request();
            inner.sync_upto = target;
            self.ask_for_flush(&mut inner, target);
            let until = clock::deadline(self.clock.now(), timeout);
            let errors = inner.count.errors;
            inner = self.watch(inner, until, |inner| {
                inner.ended || inner.syncs.served >= ticket || inner.failed_after(errors)
            });
            if !inner.ended && inner.syncs.served < ticket {
                return Err(self.not_in_time(&inner));
            }
        }
        self.flush_result(&inner, target, lost_before)?;
        self.sync_result(&inner, ticket, target)
    }

    /// Has the worker reopen the target, and waits until it has.
    pub(crate) fn reopen(&self, timeout: Duration) -> Result<(), ReopenError> {
        let mut inner = self.lock();
        if inner.ended {
            return Err(ReopenError::Closed);
        }
        let ticket = inner.reopens.request();
        self.work.notify_one();
        if ThreadMark::is_on(self) {
            return Err(ReopenError::WouldDeadlock);
        }
        let until = clock::deadline(self.clock.now(), timeout);
        inner = self.watch(inner, until, |inner| inner.ended || inner.reopens.served >= ticket);
        if inner.reopens.served >= ticket {
            inner.reopens.failure(ticket).map_or(Ok(()), |error| Err(reopen_error(error)))
        } else if inner.ended {
            Err(ReopenError::Closed)
        } else {
            Err(ReopenError::Timeout)
        }
    }

    /// Closes the writer and waits until the worker has drained the queue and gone.
    pub(crate) fn shutdown(&self, timeout: Duration) -> Result<(), ShutdownError> {
        let mut inner = self.lock();
        if !inner.is_closed() {
            self.close(&mut inner);
        }
        if ThreadMark::is_on(self) {
            return Err(ShutdownError::WouldDeadlock);
        }
        let until = clock::deadline(self.clock.now(), timeout);
        inner = self.watch(inner, until, |inner| inner.ended);
        if !inner.ended && inner.state != State::Healthy {
            self.give_up(&mut inner);
            let until = clock::deadline(self.clock.now(), GIVE_UP_WITHIN);
            inner = self.watch(inner, until, |inner| inner.ended);
        }
        self.shutdown_result(&inner)
    }

    /// Has the worker of the closed writer end although its target fails.
    pub(crate) fn give_up(&self, inner: &mut Inner) {
        inner.give_up = true;
        self.work.notify_one();
    }

    fn flush_result(&self, inner: &Inner, target: u64, lost_before: u64) -> Result<(), FlushError> {
        if inner.flushed < target {
            return Err(self.not_in_time(inner));
        }
        inner.lost_since(lost_before)
    }

    /// What the sync with this ticket, which is served or never will be, is answered: with success
    /// if the lines up to `target` are durable.
    pub(crate) fn sync_result(
        &self,
        inner: &Inner,
        ticket: u64,
        target: u64,
    ) -> Result<(), FlushError> {
        match inner.syncs.failure(ticket) {
            Some(error) if error.kind() == io::ErrorKind::Unsupported => {
                Err(FlushError::Unsupported)
            }
            Some(error) => {
                let path = self.config.path.clone();
                Err(FlushError::Sync { path, source: copy_error(error) })
            }
            None if inner.durable >= target => Ok(()),
            None => Err(FlushError::Closed),
        }
    }

    /// What a shutdown has come to so far.
    pub(crate) fn shutdown_result(&self, inner: &Inner) -> Result<(), ShutdownError> {
        if !inner.ended {
            return Err(ShutdownError::Timeout { remaining: inner.pending() });
        }
        if inner.given_up > 0 {
            return Err(ShutdownError::Lost { lines: inner.given_up });
        }
        match &inner.close_error {
            Some(error) => {
                let path = self.config.path.clone();
                Err(ShutdownError::Close { path, source: copy_error(error) })
            }
            None => Ok(()),
        }
    }

    /// Why what was waited for has not come.
    fn not_in_time(&self, inner: &Inner) -> FlushError {
        match &inner.in_vain {
            Some(failure) => self.failed_flush(inner.pending(), failure),
            None => FlushError::Timeout { pending: inner.pending() },
        }
    }

    /// Waits on `progress` until `done` or the time is over.
    pub(crate) fn watch<'a>(
        &'a self,
        mut inner: MutexGuard<'a, Inner>,
        until: Option<Instant>,
        done: impl Fn(&Inner) -> bool,
    ) -> MutexGuard<'a, Inner> {
        inner.watchers += 1;
        while !done(&inner) && until.is_none_or(|until| self.clock.now() < until) {
            inner = self.clock.wait(&self.progress, inner, until);
        }
        inner.watchers -= 1;
        inner
    }
}

impl Inner {
    /// Whether an attempt has failed after so many, and nobody need wait for the next one. An older
    /// answer may be a second old: meanwhile somebody may have made room on the disk.
    fn failed_after(&self, errors: u64) -> bool {
        self.in_vain.is_some() && self.count.errors > errors
    }

    /// The lines that were lost before this call: those that a shutdown gave up concern every call.
    pub(crate) fn lost_before(&self) -> u64 {
        self.count.lost - self.given_up
    }

    /// Whether none was lost since a call that found so many.
    pub(crate) fn lost_since(&self, before: u64) -> Result<(), FlushError> {
        match self.count.lost - before {
            0 => Ok(()),
            lines => Err(FlushError::Lost { lines }),
        }
    }
}

pub(crate) fn reopen_error(error: &io::Error) -> ReopenError {
    match error.kind() {
        io::ErrorKind::Unsupported => ReopenError::Unsupported,
        _ => ReopenError::Refused { source: copy_error(error) },
    }
}
