//! The way of lines out of the queue, through the hand, into the sink.

use std::io;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::error::{Operation, State, WriteError};
use crate::io::{ReopenReason, Sink};
use crate::queue::Hand;
use crate::report::survives;
use crate::shared::{Inner, Shared};

/// How many times in a row a sink may be interrupted before that counts as a failure.
const INTERRUPTIONS: usize = 1000;

/// The least time between two looks whether the sink's target is still at its name.
const CHECK_EVERY: Duration = Duration::from_secs(1);

/// The sink, and the lines on their way to it. Whoever has the lock around it writes.
pub(crate) struct Delivery {
    pub(crate) sink: Box<dyn Sink>,
    hand: Hand,
    /// A line broke off in the middle for good: the next bytes out must be a newline.
    torn: bool,
    /// Something was written since a round last ended clean.
    dirty: bool,
    closed: bool,
    /// When the sink is next asked whether its target is still at its name.
    check_at: Instant,
    /// It is not, and cannot be found; that was reported.
    astray: bool,
    /// Without a worker: since when writes fail.
    pub(crate) failing_since: Option<Instant>,
}

/// How a round of writes ended.
#[derive(Debug)]
pub(crate) enum RoundEnd {
    /// Everything taken is out.
    Clean,
    /// The sink held a remainder back because more lines wait.
    Held,
    /// The sink failed; what it did not take stays in the hand.
    Failed(Operation, io::Error),
}

/// What a round of writes did.
#[derive(Debug)]
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
    /// Why what is at the target's name now could not be opened, if that is news.
    pub(crate) astray: Option<io::Error>,
}

/// Calls the sink and turns a panic into `None`.
fn guarded<T>(call: impl FnOnce() -> T) -> Option<T> {
    let mut result = None;
    survives(|| result = Some(call()));
    result
}

/// The error that stands for a panic of the sink.
fn panic_error() -> io::Error {
    io::Error::other("the sink panicked")
}

/// Takes the place of a sink that is closed.
struct Closed;

impl Sink for Closed {
    fn write(&mut self, _lines: &[u8], _more_waiting: bool) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }
}

impl Delivery {
    /// `now` is when the target of `sink` was opened.
    pub(crate) fn new(sink: Box<dyn Sink>, now: Instant) -> Self {
        Delivery {
            sink,
            hand: Hand::default(),
            torn: false,
            dirty: false,
            closed: false,
            check_at: now + CHECK_EVERY,
            astray: false,
            failing_since: None,
        }
    }

    /// Takes what the queue has and offers it to the sink until nothing is left, the sink holds a
    /// remainder back, or fails. The sink may hold back only while `may_hold` says so.
    pub(crate) fn round(&mut self, shared: &Shared, may_hold: impl Fn(&Inner) -> bool) -> Round {
        let taken = self.take(shared);
        let mut round = Round {
            lines: 0,
            progress: false,
            flushed: false,
            end: RoundEnd::Clean,
            panicked: false,
            astray: None,
        };
        let mut force = taken == 0;
        while !self.hand.is_empty() {
            let more = !force && (self.hand.has_more() || may_hold(&shared.lock()));
            force = false;
            if let Some(error) = self.check(shared) {
                round.astray = Some(error);
            }
            match self.offer(more) {
                Some(Ok(0)) if more && !self.hand.has_more() => {
                    round.end = RoundEnd::Held;
                    return round;
                }
                Some(Ok(0)) if more => force = !self.hand.lengthen_front(&shared.pool),
                Some(Ok(bytes)) => {
                    round.lines += self.advance(shared, bytes);
                    round.progress = true;
                }
                Some(Err(error)) => {
                    // A refusal is no news beside the failure itself.
                    drop(self.reopen(shared, ReopenReason::Failure(&error)));
                    round.end = RoundEnd::Failed(Operation::Write, error);
                    return round;
                }
                None => {
                    round.panicked = true;
                    self.lose_front(shared);
                }
            }
        }
        match guarded(|| self.sink.flush()) {
            Some(Ok(())) => round.flushed = std::mem::take(&mut self.dirty),
            Some(Err(error)) => round.end = RoundEnd::Failed(Operation::Flush, error),
            None => round.end = RoundEnd::Failed(Operation::Flush, panic_error()),
        }
        round
    }

    /// Lines of the hand, and thus not in the queue and not written.
    pub(crate) fn lines_in_hand(&self) -> usize {
        self.hand.lines()
    }

    fn take(&mut self, shared: &Shared) -> usize {
        let mut inner = shared.lock();
        let taken = inner.queue.take_into(&mut self.hand);
        if inner.queue.is_empty() {
            inner.triggered = false;
            (inner.echoes, inner.echoes_until) = (0, None);
        }
        (inner.no_room, inner.room_wanted) = (false, false);
        shared.notify_room(&inner);
        taken
    }

    /// Between two lines, once in a while: has the sink look whether its target is still at its
    /// name. Returns a failure of which nothing was heard yet.
    fn check(&mut self, shared: &Shared) -> Option<io::Error> {
        let now = shared.clock.now();
        if now < self.check_at || self.hand.inside_line() {
            return None;
        }
        self.check_at = now + CHECK_EVERY;
        let failed = self.reopen(shared, ReopenReason::Check).err();
        let known = std::mem::replace(&mut self.astray, failed.is_some());
        failed.filter(|_| !known)
    }

    /// Has the sink look for its target by name, and begins a line anew that the old one has a part
    /// of.
    pub(crate) fn reopen(&mut self, shared: &Shared, reason: ReopenReason<'_>) -> io::Result<()> {
        let reopened =
            guarded(|| self.sink.reopen(reason)).unwrap_or_else(|| Err(panic_error()))?;
        if let Some(found) = reopened {
            self.hand.rewind();
            self.torn = false;
            let mut inner = shared.lock();
            inner.count.reopened += 1;
            inner.count.found(found);
        }
        Ok(())
    }

    /// Reopens because somebody asked for it, and tells everyone who did up to `ticket`.
    pub(crate) fn serve_reopens(&mut self, shared: &Shared, ticket: u64) {
        let result = self.reopen(shared, ReopenReason::Asked);
        self.astray &= result.is_err();
        let mut inner = shared.lock();
        inner.reopens.served = ticket;
        inner.reopens.error = result.err();
        shared.notify_progress(&inner);
    }

    /// One call of the sink; `None` if it panicked.
    fn offer(&mut self, more: bool) -> Option<io::Result<usize>> {
        let mut left = INTERRUPTIONS;
        let mut again = |error: &io::Error| {
            left = left.saturating_sub(1);
            error.kind() == io::ErrorKind::Interrupted && left > 0
        };
        loop {
            if self.torn {
                match guarded(|| self.sink.write(b"\n", false)) {
                    Some(Ok(0)) => return Some(Err(io::ErrorKind::WriteZero.into())),
                    Some(Ok(_)) => self.torn = false,
                    Some(Err(error)) if again(&error) => continue,
                    Some(Err(error)) => return Some(Err(error)),
                    None => return Some(Err(panic_error())),
                }
            }
            let lines = self.hand.front()?;
            let offered = lines.len();
            return match guarded(|| self.sink.write(lines, more)) {
                Some(Ok(0)) if !more => Some(Err(io::ErrorKind::WriteZero.into())),
                Some(Ok(taken)) => Some(Ok(taken.min(offered))),
                Some(Err(error)) if again(&error) => continue,
                other => other,
            };
        }
    }

    fn advance(&mut self, shared: &Shared, bytes: usize) -> usize {
        self.dirty = true;
        let lines = self.hand.advance(&shared.pool, bytes);
        let mut inner = shared.lock();
        inner.count.written += lines as u64;
        inner.count.bytes_written += bytes as u64;
        lines
    }

    /// Gives up the lines of the call in which the sink panicked: what it did with them is unknown,
    /// and repeating them could double them.
    fn lose_front(&mut self, shared: &Shared) {
        let (lines, inside_line) = self.hand.discard_front(&shared.pool);
        self.torn |= inside_line;
        let mut inner = shared.lock();
        inner.count.lost += lines as u64;
        inner.count.errors += 1;
    }

    /// Gives up all that is in the hand and in the queue.
    pub(crate) fn give_up(&mut self, shared: &Shared) {
        let mut lines = 0;
        let mut inner = shared.lock();
        loop {
            inner.queue.take_into(&mut self.hand);
            if self.hand.is_empty() {
                break;
            }
            while !self.hand.is_empty() {
                lines += self.hand.discard_front(&shared.pool).0 as u64;
            }
        }
        inner.count.lost += lines;
        inner.given_up += lines;
        inner.flushed = inner.count.enqueued;
        shared.notify_room(&inner);
        shared.notify_progress(&inner);
    }

    /// Makes all that is written durable, for everyone who asked up to `ticket`: their lines must
    /// be out. Those of later requests may not be, although they came before this call.
    pub(crate) fn sync(&mut self, shared: &Shared, ticket: u64) {
        let flushed = shared.lock().flushed;
        let result = guarded(|| self.sink.sync()).unwrap_or_else(|| Err(panic_error()));
        let mut inner = shared.lock();
        inner.syncs.served = ticket;
        if result.is_ok() {
            inner.syncs.durable = flushed;
        }
        inner.syncs.error = result.err();
        shared.notify_progress(&inner);
    }

    /// Whether the sink wants to tidy up when nothing comes.
    pub(crate) fn wants_idle(&self) -> bool {
        guarded(|| self.sink.wants_idle()).unwrap_or(false)
    }

    /// Lets the sink tidy up.
    pub(crate) fn idle(&mut self) -> io::Result<()> {
        guarded(|| self.sink.idle()).unwrap_or_else(|| Err(panic_error()))
    }

    /// Takes the last line back if nothing of it is out.
    pub(crate) fn take_back_last(&mut self, shared: &Shared) -> bool {
        self.hand.take_back_last(&shared.pool)
    }

    /// Closes the sink, once, and lets go of it: handles may live on in statics for ever, and must
    /// not keep a file open.
    pub(crate) fn close(&mut self) -> io::Result<()> {
        if std::mem::replace(&mut self.closed, true) {
            return Ok(());
        }
        let closed = guarded(|| self.sink.close()).unwrap_or_else(|| Err(panic_error()));
        let sink = std::mem::replace(&mut self.sink, Box::new(Closed));
        survives(|| drop(sink));
        closed
    }

    /// Writes everything at once, in the calling thread: for the end of a process whose worker
    /// cannot do it. Returns whether nothing is left.
    pub(crate) fn drain(&mut self, shared: &Shared) -> bool {
        loop {
            let round = self.round(shared, |_| false);
            if matches!(round.end, RoundEnd::Failed(..)) {
                return false;
            }
            if shared.lock().queue.is_empty() && self.hand.is_empty() {
                return true;
            }
        }
    }
}

impl Shared {
    /// Tells `on_write`, `on_flush` and `on_error` what a round did, with the counters already
    /// right, and releases everyone whose flush it completed. No lock may be held.
    pub(crate) fn after_round(&self, round: &mut Round) {
        if round.lines > 0 {
            self.callbacks.written(round.lines);
        }
        // A callback may fork: in the child the locks may be taken for ever.
        if self.is_foreign() {
            return;
        }
        if round.panicked && !std::mem::replace(&mut self.lock().sink_panics, true) {
            self.report_failure(Operation::Write, panic_error());
        }
        if let Some(error) = round.astray.take() {
            self.report_failure(Operation::Reopen, error);
        }
        if !matches!(round.end, RoundEnd::Clean) {
            return;
        }
        let mut inner = self.lock();
        // The hand is empty: what is accepted and not in the queue any more has come to an end.
        inner.flushed = inner.count.enqueued - inner.queue.lines() as u64;
        inner.count.flush_count += u64::from(round.flushed);
        inner.sink_panics &= round.panicked || round.lines == 0;
        self.notify_progress(&inner);
        drop(inner);
        if round.flushed {
            self.callbacks.flushed();
        }
    }

    /// Reports a failure with the state it led to.
    pub(crate) fn report_failure(&self, operation: Operation, source: io::Error) {
        let state = self.lock().state;
        let path = self.config.path.clone();
        self.callbacks.failed(&WriteError { operation, path, state, source });
    }

    /// Counts a failed attempt and changes the state.
    pub(crate) fn count_failure(&self, state: State) {
        let mut inner = self.lock();
        inner.count.errors += 1;
        inner.state = state;
        if state == State::Failed {
            self.notify_room(&inner);
        }
    }

    /// Counts values that an adapter could not format, and records that it cut.
    pub(crate) fn note_record(&self, format_errors: u64, truncated: bool) {
        if format_errors > 0 {
            self.format_errors.fetch_add(format_errors, Ordering::Relaxed);
        }
        if truncated {
            self.truncated.fetch_add(1, Ordering::Relaxed);
        }
    }
}
