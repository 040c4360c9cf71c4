//! The way of lines out of the queue, through the hand, into the sink.

use std::io;
use std::time::{Duration, Instant};

use crate::backoff::Backoff;
use crate::clock;
use crate::error::{Operation, State};
use crate::inner::Inner;
use crate::io::{ReopenReason, Reopened, Sink};
use crate::marker::{Markers, Sent};
use crate::outlet::plain;
use crate::outlets::Outlets;
use crate::queue::Hand;
use crate::round::{Round, RoundEnd};
use crate::shared::Shared;

/// Longer than the end of a writer takes.
const FOR_GOOD: Duration = Duration::from_secs(3600);

/// The least time between two looks whether the sink's target is still at its name.
const CHECK_EVERY: Duration = Duration::from_secs(1);

/// What came of writing everything at once.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Drained {
    /// Nothing is left.
    All,
    /// The sink failed, and so did the fallback if there is one.
    Failed,
    /// The time is over.
    Late,
}

/// The sink, and the lines on their way to it. Whoever has the lock around it writes.
pub(crate) struct Delivery {
    pub(crate) outlets: Outlets,
    /// Lines that went to the fallback since the sink proper failed.
    diverted: u64,
    hand: Hand,
    markers: Markers,
    /// What is partly out lacks its newline alone, and has got that in the target that was left.
    completed: bool,
    /// When the sink is next asked whether its target is still at its name.
    check_at: Instant,
    /// It is not, and cannot be found; that was reported.
    astray: bool,
    /// Without a worker: while writes fail, and the worst state that `on_error` has heard of, or is
    /// about to, since the sink last worked.
    pub(crate) backoff: Option<Backoff>,
    pub(crate) reported: State,
}

impl Delivery {
    /// `now` is when the target of `sink` was opened.
    pub(crate) fn new(sink: Box<dyn Sink>, now: Instant) -> Self {
        Delivery {
            outlets: Outlets::new(sink),
            diverted: 0,
            hand: Hand::default(),
            markers: Markers::default(),
            completed: false,
            check_at: now + CHECK_EVERY,
            astray: false,
            backoff: None,
            reported: State::Healthy,
        }
    }

    /// Has all further lines go to the fallback; `false` if there is none.
    pub(crate) fn divert_for_good(&mut self, shared: &Shared) -> bool {
        self.outlets.divert(clock::deadline(shared.clock.now(), FOR_GOOD))
    }

    /// Ends an episode of failures: returns how many lines went to the fallback in it.
    pub(crate) fn recover(&mut self) -> u64 {
        self.outlets.recover();
        self.reported = State::Healthy;
        std::mem::take(&mut self.diverted)
    }

    /// Takes what the queue has and offers it to the sink until nothing is left, the sink holds a
    /// remainder back, or fails. The sink may hold back only while `may_hold` says so.
    pub(crate) fn round(&mut self, shared: &Shared, may_hold: impl Fn(&Inner) -> bool) -> Round {
        let taken = self.take(shared);
        self.deliver(shared, taken == 0, None, may_hold)
    }

    /// Has a loss marker go out at the next line end.
    pub(crate) fn put_marker(&mut self, marker: Vec<u8>) {
        self.markers.put(marker);
    }

    /// Writes a loss marker. The queue stays as it is.
    pub(crate) fn mark(&mut self, shared: &Shared, marker: Vec<u8>) -> Round {
        self.put_marker(marker);
        self.deliver(shared, true, None, |_| false)
    }

    /// Offers what is in the hand to the sink; with `force` it may at first hold nothing back.
    /// After `until` nothing more is offered, and the rest stays as if the sink held it back.
    fn deliver(
        &mut self,
        shared: &Shared,
        mut force: bool,
        until: Option<Instant>,
        may_hold: impl Fn(&Inner) -> bool,
    ) -> Round {
        let completed = self.settle_completed(shared);
        let diverted = self.outlets.is_to_divert(shared.clock.now());
        self.choose(diverted);
        let mut round = Round { lines: completed, diverted, ..Round::default() };
        while self.has_unwritten() {
            if until.is_some_and(|until| shared.clock.now() >= until) {
                round.end = RoundEnd::Held;
                break;
            }
            if !diverted && let Some(error) = self.check(shared) {
                round.notice = Some((Operation::Reopen, error));
            }
            if let Err(error) = self.offer_markers(shared, &mut round) {
                self.fail(shared, &mut round, Operation::Write, error);
                return round;
            }
            if self.hand.is_empty() {
                break;
            }
            let more = !force && (self.hand.has_more() || may_hold(&shared.lock()));
            force = false;
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
                    self.fail(shared, &mut round, Operation::Write, error);
                    return round;
                }
                None => {
                    round.panicked = true;
                    self.lose_front(shared);
                }
            }
        }
        self.count_mended(shared);
        match self.outlets.current().flush() {
            Ok(flushed) => round.flushed = flushed,
            Err(error) => self.fail(shared, &mut round, Operation::Flush, error),
        }
        round
    }

    /// Changes over to the fallback or back. A line of which a part is out begins anew, and the
    /// part is closed when something is next written there.
    fn choose(&mut self, diverted: bool) {
        let changes = diverted != self.outlets.is_diverted();
        if changes && (self.hand.inside_line() || self.markers.inside_marker()) {
            self.outlets.current().tear();
            self.hand.rewind();
            self.markers.rewind();
        }
        self.outlets.choose(diverted);
    }

    fn fail(&mut self, shared: &Shared, round: &mut Round, operation: Operation, error: io::Error) {
        if self.outlets.is_diverted() {
            if self.outlets.fail_fallback() {
                round.notice = Some((Operation::Fallback, plain(&error)));
            }
        } else if operation == Operation::Write {
            // A refusal is no news beside the failure itself.
            drop(self.reopen(shared, ReopenReason::Failure(&error)));
        }
        round.end = RoundEnd::Failed(operation, error);
    }

    /// Whether cache lines that were read are passed down.
    #[cfg(test)]
    pub(crate) fn demotes(&self) -> bool {
        self.hand.demotes
    }

    /// Lines of the hand, and thus not in the queue and not written.
    pub(crate) fn lines_in_hand(&self) -> usize {
        self.hand.lines()
    }

    /// Whether a line or a loss marker waits for the sink.
    pub(crate) fn has_unwritten(&self) -> bool {
        !self.hand.is_empty() || !self.markers.is_empty()
    }

    /// Whether a line is partly out, or was taken and not flushed.
    pub(crate) fn is_unfinished(&mut self) -> bool {
        !self.hand.is_empty() || self.outlets.current().is_unflushed()
    }

    fn take(&mut self, shared: &Shared) -> usize {
        let ready = shared.pool.get_ready();
        let mut inner = shared.lock();
        inner.watch_losses(|| shared.clock.now());
        // It is of no use to the thread that writes its own line, and takes a worker longer that is
        // slower than the senders already.
        self.hand.demotes = !shared.config.synchronous && !inner.queue.is_half_full();
        let taken = inner.queue.take_into(&mut self.hand);
        let unneeded = inner.queue.lay_in(ready);
        if inner.queue.is_empty() {
            inner.triggered = false;
            (inner.echoes, inner.echoes_until) = (0, None);
        }
        (inner.no_room, inner.room_wanted) = (false, false);
        shared.notify_room(&inner);
        drop(inner);
        unneeded.into_iter().for_each(|chunk| shared.pool.put(chunk));
        taken
    }

    /// Between two lines, once in a while: has the sink look whether its target is still at its
    /// name. Returns a failure of which nothing was heard yet.
    fn check(&mut self, shared: &Shared) -> Option<io::Error> {
        let now = shared.clock.now();
        if now < self.check_at || self.hand.inside_line() || self.markers.inside_marker() {
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
        if let Some(mut found) = self.outlets.main().reopen(reason)? {
            if !self.outlets.is_diverted() {
                self.begin_anew(&mut found);
            }
            let mut inner = shared.lock();
            inner.count.reopened += 1;
            inner.count.found(found);
        }
        Ok(())
    }

    /// Has a line that is partly out begin anew in another target, unless it is whole in the one
    /// that was left.
    fn begin_anew(&mut self, found: &mut Reopened) {
        if self.hand.lacks_newline() || self.markers.lacks_newline() {
            self.completed |= found.line_completed;
        } else if found.line_completed && (self.hand.inside_line() || self.markers.inside_marker())
        {
            // It was a line end inside a raw line: what got that is a part.
            found.torn_lines += 1;
        }
        if !self.completed {
            self.hand.rewind();
            self.markers.rewind();
        }
    }

    /// Counts what was completed in a target that was left as written; returns how many lines.
    pub(crate) fn settle_completed(&mut self, shared: &Shared) -> usize {
        if !std::mem::take(&mut self.completed) {
            return 0;
        }
        if self.hand.lacks_newline() {
            return self.advance(shared, 1);
        }
        if !self.markers.lacks_newline() {
            return 0;
        }
        let sent = self.markers.complete();
        let mut inner = shared.lock();
        inner.count.bytes_written += sent.bytes;
        inner.count.markers += sent.markers;
        0
    }

    /// Reopens because somebody asked for it, and tells everyone who did up to `ticket`.
    pub(crate) fn serve_reopens(&mut self, shared: &Shared, ticket: u64) {
        let result = self.reopen_as_asked(shared).map_err(|error| plain(&error));
        let mut inner = shared.lock();
        inner.reopens.serve(ticket, result);
        shared.notify_progress(&inner);
    }

    /// Reopens the target because somebody asked for it.
    pub(crate) fn reopen_as_asked(&mut self, shared: &Shared) -> io::Result<()> {
        let result = self.reopen(shared, ReopenReason::Asked);
        self.astray &= result.is_err();
        result
    }

    /// One call of the sink; `None` if it panicked.
    fn offer(&mut self, more: bool) -> Option<io::Result<usize>> {
        self.outlets.current().offer(self.hand.front()?, more)
    }

    /// Writes the loss markers, unless a line is partly out.
    fn offer_markers(&mut self, shared: &Shared, round: &mut Round) -> io::Result<()> {
        if self.markers.is_empty() || self.hand.inside_line() {
            return Ok(());
        }
        let mut sent = Sent::default();
        let result = self.markers.offer(self.outlets.current(), &mut sent);
        round.progress |= sent.bytes > 0;
        let mut inner = shared.lock();
        inner.count.bytes_written += sent.bytes;
        inner.count.markers += sent.markers;
        result
    }

    fn advance(&mut self, shared: &Shared, bytes: usize) -> usize {
        let lines = self.hand.advance(&shared.pool, bytes);
        let diverted = if self.outlets.is_diverted() { lines as u64 } else { 0 };
        self.diverted += diverted;
        let mut inner = shared.lock();
        inner.count.written += lines as u64;
        inner.count.diverted += diverted;
        inner.count.bytes_written += bytes as u64;
        lines
    }

    /// Gives up the lines of the call in which the sink panicked: what it did with them is unknown,
    /// and repeating them could double them.
    fn lose_front(&mut self, shared: &Shared) {
        let (lines, inside_line) = self.hand.discard_front(&shared.pool);
        if inside_line {
            self.outlets.current().tear();
        }
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
        inner.flushed = inner.queue.accepted();
        shared.notify_room(&inner);
        shared.notify_progress(&inner);
    }

    /// Makes all that is written durable, for everyone who asked up to `ticket`: their lines must
    /// be out. Those of later requests may not be, although they came before this call.
    pub(crate) fn serve_syncs(&mut self, shared: &Shared, ticket: u64) {
        let flushed = shared.lock().flushed;
        let result = self.outlets.sync().map_err(|error| plain(&error));
        self.count_mended(shared);
        let mut inner = shared.lock();
        if result.is_ok() {
            inner.durable = flushed;
        }
        inner.syncs.serve(ticket, result);
        shared.notify_progress(&inner);
    }

    /// Lets the sink tidy up.
    pub(crate) fn idle(&mut self, shared: &Shared) -> io::Result<()> {
        let result = self.outlets.main().idle();
        self.count_mended(shared);
        result
    }

    /// Counts what the sink has mended by itself.
    fn count_mended(&mut self, shared: &Shared) {
        let mended = self.outlets.main().mended();
        if mended != Reopened::default() {
            shared.lock().count.found(mended);
        }
    }

    /// Takes the last line back if nothing of it is out.
    pub(crate) fn take_back_last(&mut self, shared: &Shared) -> bool {
        self.hand.take_back_last(&shared.pool)
    }

    /// Closes the sinks, once, and lets go of them.
    pub(crate) fn close(&mut self, shared: &Shared) -> io::Result<()> {
        let closed = self.outlets.close();
        self.count_mended(shared);
        closed
    }

    /// Writes everything at once, in the calling thread, as far as that is begun before `until`:
    /// for the end of a process whose worker cannot do it.
    pub(crate) fn drain(&mut self, shared: &Shared, until: Instant) -> Drained {
        loop {
            let taken = self.take(shared);
            let round = self.deliver(shared, taken == 0, Some(until), |_| false);
            match round.end {
                // At the end nobody waits for the sink proper to work again.
                RoundEnd::Failed(..) if !round.diverted && self.divert_for_good(shared) => continue,
                RoundEnd::Failed(..) => return Drained::Failed,
                RoundEnd::Held => return Drained::Late,
                RoundEnd::Clean => {}
            }
            if shared.lock().queue.is_empty() && self.hand.is_empty() {
                match shared.last_losses() {
                    Some(losses) => shared.put_marker(self, &losses),
                    None => return Drained::All,
                }
            }
        }
    }
}
