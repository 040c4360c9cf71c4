//! A round of writes, and what it means for everyone who waits or listens.

use std::io;

use crate::error::{FlushError, Operation, State, WriteError, copy_error};
use crate::outlet::{panic_error, plain};
use crate::shared::Shared;

/// How a round of writes ended.
#[derive(Debug, Default)]
pub(crate) enum RoundEnd {
    /// Everything taken is out.
    #[default]
    Clean,
    /// The sink held a remainder back because more lines wait.
    Held,
    /// The sink failed; what it did not take stays in the hand.
    Failed(Operation, io::Error),
}

/// What failed, and how.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) operation: Operation,
    pub(crate) error: io::Error,
}

/// What a round of writes did.
#[derive(Debug, Default)]
pub(crate) struct Round {
    /// Lines now written.
    pub(crate) lines: usize,
    /// The sink took something.
    pub(crate) progress: bool,
    /// It completed a flush: something was written, and nothing is held back any more.
    pub(crate) flushed: bool,
    pub(crate) end: RoundEnd,
    /// The sink panicked, and lines were lost by it.
    pub(crate) panicked: bool,
    /// The lines went to the fallback.
    pub(crate) diverted: bool,
    /// What else failed, if that is news, and writing goes on.
    pub(crate) notice: Option<(Operation, io::Error)>,
    /// Without a worker: a failure of which `on_error` has not heard, and the state it led to.
    pub(crate) news: Option<(State, Operation, io::Error)>,
    /// The sink works again, and so many lines went to the fallback before.
    pub(crate) recovered: Option<u64>,
}

/// What a round has to tell even if nobody asked: of one that a callback caused it is left to the
/// next sender.
#[derive(Debug, Default)]
pub(crate) struct Untold {
    lines: usize,
    panicked: bool,
    notice: Option<(Operation, io::Error)>,
}

impl Untold {
    #[cfg(all(test, not(loom)))]
    pub(crate) fn is_nothing(&self) -> bool {
        self.lines == 0 && !self.panicked && self.notice.is_none()
    }

    /// Adds that of a later round.
    pub(crate) fn add(&mut self, later: Untold) {
        self.lines += later.lines;
        self.panicked |= later.panicked;
        self.notice = self.notice.take().or(later.notice);
    }
}

impl Round {
    /// Takes what it has to tell.
    pub(crate) fn untold(&mut self) -> Untold {
        Untold { lines: self.lines, panicked: self.panicked, notice: self.notice.take() }
    }

    /// Adds what callbacks have left to be told.
    pub(crate) fn take_over(&mut self, mut before: Untold) {
        before.add(self.untold());
        Untold { lines: self.lines, panicked: self.panicked, notice: self.notice } = before;
    }

    /// Takes over what is to be told of a round that failed before this one.
    pub(crate) fn follow(&mut self, mut before: Round) {
        self.news = self.news.take().or(before.news.take());
        self.take_over(before.untold());
    }

    pub(crate) fn has_failed(&self) -> bool {
        matches!(self.end, RoundEnd::Failed(..))
    }

    /// Whether something went out before the sink proper failed. What a target takes and cannot
    /// flush is no progress.
    pub(crate) fn went_on(&self) -> bool {
        self.progress
            && !self.diverted
            && !matches!(self.end, RoundEnd::Failed(Operation::Flush, _))
    }

    /// What failed in it, for those who wait.
    pub(crate) fn failure(&self) -> Option<Failure> {
        let RoundEnd::Failed(operation, error) = &self.end else { return None };
        let operation = if self.diverted { Operation::Fallback } else { *operation };
        Some(Failure { operation, error: plain(error) })
    }
}

impl Shared {
    /// Tells `on_write`, `on_error`, `on_recover` and `on_flush` what a round did, with the
    /// counters already right, and releases everyone whose flush it completed. No lock may be held.
    pub(crate) fn after_round(&self, round: &mut Round) {
        self.tell_untold(round.untold());
        if let Some(diverted) = round.recovered
            && !self.is_foreign()
        {
            self.callbacks.recovered(self.config.path.as_deref(), diverted);
        }
        if self.is_foreign() || !matches!(round.end, RoundEnd::Clean) {
            return;
        }
        let mut inner = self.lock();
        // Unless another thread has lines in the hand since, as at the end of the process, what is
        // accepted and not in the queue any more has come to an end.
        let queued = inner.queue.lines() as u64;
        if inner.pending() == queued {
            inner.flushed = inner.queue.accepted() - queued;
        }
        inner.count.flush_count += u64::from(round.flushed);
        inner.sink_panics &= round.panicked || round.lines == 0;
        self.notify_progress(&inner);
        drop(inner);
        if round.flushed {
            self.callbacks.flushed();
        }
    }

    /// Tells `on_write` and `on_error` what a round, or several that callbacks caused, have to tell.
    pub(crate) fn tell_untold(&self, Untold { lines, panicked, notice }: Untold) {
        if lines > 0 {
            self.callbacks.written(lines);
        }
        // Any callback may fork: in the child the locks may be taken for ever.
        if self.is_foreign() {
            return;
        }
        if panicked && !std::mem::replace(&mut self.lock().sink_panics, true) {
            self.report_failure(Operation::Write, panic_error());
        }
        if let Some((operation, error)) = notice {
            self.report_failure(operation, error);
        }
    }

    /// Whether the round failed because the target has gone for good. What a fallback says is of
    /// another target.
    pub(crate) fn has_lost_its_target(&self, round: &Round) -> bool {
        match &round.end {
            RoundEnd::Failed(_, error) => !round.diverted && self.is_cut_off(error),
            RoundEnd::Clean | RoundEnd::Held => false,
        }
    }

    /// Reports a failure with the state it led to; in a child that a callback forked, nothing.
    pub(crate) fn report_failure(&self, operation: Operation, source: io::Error) {
        if self.is_foreign() {
            return;
        }
        let state = self.lock().state;
        self.report(state, operation, source);
    }

    pub(crate) fn report(&self, state: State, operation: Operation, source: io::Error) {
        let path = self.config.path.clone();
        self.callbacks.failed(&WriteError { operation, path, state, source });
    }

    /// Counts a failed attempt and changes the state. If from now on nobody need wait, `in_vain`
    /// says why.
    pub(crate) fn count_failure(&self, state: State, in_vain: Option<Failure>) {
        let mut inner = self.lock();
        inner.count.errors += 1;
        inner.state = state;
        inner.in_vain = in_vain;
        if inner.in_vain.is_some() {
            self.notify_room(&inner);
            self.notify_progress(&inner);
        }
    }

    /// The answer to a flush while the sink has failed.
    pub(crate) fn failed_flush(&self, pending: u64, failure: &Failure) -> FlushError {
        let Failure { operation, error } = failure;
        let (operation, path) = (*operation, self.config.path.clone());
        let source =
            WriteError { operation, path, state: State::Failed, source: copy_error(error) };
        FlushError::Failed { pending, source }
    }
}

#[cfg(all(test, unix, not(loom)))]
#[path = "round_tests.rs"]
mod tests;
