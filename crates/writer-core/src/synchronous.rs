//! The mode without worker and queue: each line is written when `send` returns.
//!
//! Senders take turns on the lock around the sink. A line goes the same way as with a worker, into
//! the queue, the hand, the sink, but all in the sender's thread.

mod retry;

use std::time::{Duration, Instant};

use crate::barrier::{GIVE_UP_WITHIN, reopen_error};
use crate::chunk::Line;
use crate::clock;
use crate::delivery::Delivery;
use crate::error::{FlushError, ReopenError, SendError, ShutdownError, State};
use crate::exit;
use crate::inner::Inner;
use crate::outlet::plain;
use crate::round::{Failure, Round, Untold};
use crate::shared::Shared;
use crate::sync::{MutexGuard, lock, try_lock};
use crate::thread_mark::ThreadMark;

impl Shared {
    /// Writes a line now; `Ok(false)` if the sink fails and the policy does not wait for it.
    pub(crate) fn send_now(&self, line: Line<'_>) -> Result<bool, SendError> {
        if ThreadMark::is_on(self) {
            // The sink itself sends: the lock is taken, further up in this very thread.
            self.lock().count.rejected += 1;
            return Err(SendError::WouldBlock);
        }
        let called = self.clock.now();
        let (mut is_in, mut pause) = (false, Duration::ZERO);
        loop {
            let mut delivery = self.delivery_in_turn();
            if !is_in && let Some(ticket) = self.put_in(line)? {
                let _mark = ThreadMark::enter(self);
                delivery.serve_reopens(self, ticket);
            }
            let until = self.patience(called);
            let round = self.write_now(&mut delivery);
            let failed = round.has_failed();
            // Of one that stayed, a part was out: what is last now may be the line of another.
            is_in = is_in || !failed || !delivery.take_back_last(self);
            if !is_in {
                // While nobody else has the sink: a sync counts what is accepted by then as out.
                self.lock().queue.withdraw();
            }
            let marked = if failed { None } else { self.mark_when_due(&mut delivery) };
            let next = if failed { self.next_try(&delivery, &mut pause) } else { None };
            drop(delivery);
            self.tell(round);
            if let Some(marked) = marked {
                self.tell(marked);
            }
            // Others have the sink meanwhile, and may go over to a file that works.
            if !failed || !self.await_try(next, until, Inner::may_be_tried) {
                break;
            }
        }
        if is_in { Ok(true) } else { self.leave_out(line) }
    }

    /// Puts a line into the queue, on its way to the sink. Returns up to which ticket the sink is to
    /// be reopened before, for callers who could not wait for their turn.
    fn put_in(&self, line: Line<'_>) -> Result<Option<u64>, SendError> {
        let mut inner = self.lock();
        if inner.is_closed() {
            inner.count.rejected += 1;
            return Err(SendError::Closed);
        }
        inner.queue.push(&self.pool, line);
        Ok(inner.reopens.waiting())
    }

    /// Counts a line that did not go out.
    fn leave_out(&self, line: Line<'_>) -> Result<bool, SendError> {
        if self.is_foreign() {
            self.rejected_in_child.add();
            return Err(SendError::Closed);
        }
        let mut inner = self.lock();
        if inner.is_closed() {
            inner.count.rejected += 1;
            return Err(SendError::Closed);
        }
        Ok(self.refuse(inner, line.severity()))
    }

    /// Puts a line about losses into the file if they began a second ago; the sink works again.
    fn mark_when_due(&self, delivery: &mut Delivery) -> Option<Round> {
        let losses = {
            let mut inner = self.lock();
            inner.episode.as_ref()?;
            let now = self.clock.now();
            inner.calm_at().filter(|&at| now >= at && self.callbacks.marker.encoder().is_some())?;
            inner.take_losses()?
        };
        self.put_marker(delivery, &losses);
        // The code that makes the line may fork, like any callback.
        (!self.is_foreign()).then(|| self.write_now(delivery))
    }

    /// Runs the callbacks. Those of a line that a callback sent are left to the next sender, or
    /// each would call for another for ever.
    fn tell(&self, mut round: Round) {
        // A callback of the round before may have forked.
        if self.is_foreign() {
            return;
        }
        if ThreadMark::is_in_callback_of(self) {
            // Its flush is that of the next sender, which `on_flush` hears of.
            self.lock().untold.add(round.untold());
            return;
        }
        let before = std::mem::take(&mut self.lock().untold);
        round.take_over(before);
        let _mark = ThreadMark::enter_callback(self);
        if let Some((state, operation, error)) = round.news.take() {
            self.report(state, operation, error);
        }
        self.after_round(&mut round);
        if self.is_foreign() {
            return;
        }
        self.tell_what_is_left();
    }

    /// After the end no sender comes that could tell what a callback has written.
    fn tell_what_is_left(&self) {
        let mut inner = self.lock();
        let left = if inner.ended { std::mem::take(&mut inner.untold) } else { Untold::default() };
        drop(inner);
        self.tell_untold(left);
    }

    pub(crate) fn flush_now(&self, timeout: Duration) -> Result<(), FlushError> {
        if ThreadMark::is_on(self) {
            return Err(FlushError::WouldDeadlock);
        }
        let until = clock::deadline(self.clock.now(), timeout);
        self.once_flushed(until, |_| false, |_| ())
    }

    /// Does something with the sink once no line is partly out or taken and not flushed, or there is
    /// no need to wait for that. Between two tries of a sink that fails others have it.
    fn once_flushed<T>(
        &self,
        until: Option<Instant>,
        is_needless: impl Fn(&Inner) -> bool,
        work: impl Fn(&mut Delivery) -> T,
    ) -> Result<T, FlushError> {
        let (lost_before, mut pause) = (self.lock().lost_before(), Duration::ZERO);
        loop {
            let mut delivery = self.delivery_by(until).ok_or_else(|| self.unfinished(None))?;
            let waits = delivery.is_unfinished() && !is_needless(&self.lock());
            let round = waits.then(|| self.write_now(&mut delivery));
            let failure = {
                // The error may be one of the user's, and send when it is printed.
                let _mark = ThreadMark::enter(self);
                round.as_ref().and_then(Round::failure)
            };
            let lost_since = || self.lock().lost_since(lost_before);
            let done = failure.is_none().then(|| lost_since().map(|()| work(&mut delivery)));
            let next = self.next_try(&delivery, &mut pause);
            drop(delivery);
            if let Some(round) = round {
                self.tell(round);
            }
            // A callback may have forked.
            if self.is_foreign() {
                return Err(FlushError::Closed);
            }
            if let Some(done) = done {
                return done;
            }
            // One that has failed is tried once: nobody else does it before the next line comes.
            if !self.await_try(next, until, |inner| inner.state != State::Failed) {
                return Err(self.unfinished(failure));
            }
        }
    }

    /// Why something is still not out.
    fn unfinished(&self, failure: Option<Failure>) -> FlushError {
        let metrics = self.metrics();
        match failure {
            Some(failure) if metrics.state == State::Failed => {
                self.failed_flush(metrics.pending, &failure)
            }
            _ => FlushError::Timeout { pending: metrics.pending },
        }
    }

    pub(crate) fn sync_now(&self, timeout: Duration) -> Result<(), FlushError> {
        if ThreadMark::is_on(self) {
            return Err(FlushError::WouldDeadlock);
        }
        let until = clock::deadline(self.clock.now(), timeout);
        let ticket = {
            let mut inner = self.lock();
            if inner.ended { inner.syncs.served } else { inner.syncs.request() }
        };
        // Who had the sink in between has served all that had asked by then.
        let is_served = |inner: &Inner| inner.syncs.served >= ticket;
        let ended = self.once_flushed(until, is_served, |delivery| {
            let requested = {
                let mut inner = self.lock();
                if inner.ended || is_served(&inner) {
                    return inner.ended;
                }
                inner.flushed = inner.queue.accepted();
                inner.syncs.requested
            };
            let _mark = ThreadMark::enter(self);
            delivery.serve_syncs(self, requested);
            false
        })?;
        let inner = self.lock();
        // Before the end, what was accepted by then is what was synced.
        let target = if ended { inner.queue.accepted() } else { 0 };
        self.sync_result(&inner, ticket, target)
    }

    pub(crate) fn reopen_now(&self, timeout: Duration) -> Result<(), ReopenError> {
        let ticket = {
            let mut inner = self.lock();
            if inner.ended {
                return Err(ReopenError::Closed);
            }
            inner.reopens.request()
        };
        if ThreadMark::is_on(self) {
            return Err(ReopenError::WouldDeadlock);
        }
        let until = clock::deadline(self.clock.now(), timeout);
        let mut delivery = self.delivery_by(until).ok_or(ReopenError::Timeout)?;
        let (is_served, ended) = {
            let inner = self.lock();
            (inner.reopens.served >= ticket, inner.ended)
        };
        if !is_served && ended {
            return Err(ReopenError::Closed);
        }
        if !is_served {
            let _mark = ThreadMark::enter(self);
            delivery.serve_reopens(self, ticket);
        }
        drop(delivery);
        let inner = self.lock();
        inner.reopens.failure(ticket).map_or(Ok(()), |error| Err(reopen_error(error)))
    }

    pub(crate) fn shutdown_now(&self, timeout: Duration) -> Result<(), ShutdownError> {
        let until = clock::deadline(self.clock.now(), timeout);
        {
            let mut inner = self.lock();
            inner.close();
            self.notify_room(&inner);
        }
        if ThreadMark::is_on(self) {
            return Err(ShutdownError::WouldDeadlock);
        }
        let (mut free_by, mut pause) = (until, Duration::ZERO);
        loop {
            let Some(mut delivery) = self.delivery_by(free_by) else {
                return Err(ShutdownError::Timeout { remaining: self.metrics().pending });
            };
            if self.lock().ended {
                return self.shutdown_result(&self.lock());
            }
            if let Some(losses) = self.last_losses() {
                self.put_marker(&mut delivery, &losses);
            }
            if self.is_foreign() {
                return Ok(());
            }
            let round = self.write_now(&mut delivery);
            let failed = round.has_failed();
            // A marker alone is worth one try of a target that has failed for good.
            let is_left = delivery.is_unfinished() || self.lock().state != State::Failed;
            let waits = is_left && !self.has_lost_its_target(&round);
            let is_over = until.is_some_and(|until| self.clock.now() >= until);
            if !failed || !waits || is_over {
                return self.end_now(delivery, round);
            }
            let next = self.next_try(&delivery, &mut pause);
            // Senders learn that the writer is closed, and a reopening may be what helps.
            drop(delivery);
            self.tell(round);
            self.await_try(next, until, |inner| !inner.ended);
            if self.is_foreign() {
                return Ok(());
            }
            free_by = until.and_then(|until| clock::deadline(until, GIVE_UP_WITHIN));
        }
    }

    /// Ends the writer, whose last round was this one: whatever is left goes to the fallback, or is
    /// given up.
    fn end_now(
        &self,
        mut delivery: MutexGuard<'_, Delivery>,
        mut round: Round,
    ) -> Result<(), ShutdownError> {
        let close_error = {
            let _mark = ThreadMark::enter(self);
            if delivery.has_unwritten() && delivery.divert_for_good(self) {
                let before = std::mem::replace(&mut round, self.write_now(&mut delivery));
                round.follow(before);
            }
            round.lines += delivery.settle_completed(self);
            if delivery.lines_in_hand() > 0 {
                delivery.give_up(self);
            }
            delivery.close(self).err().map(|error| plain(&error))
        };
        let mut inner = self.lock();
        inner.ended = true;
        inner.close_error = close_error;
        self.notify_room(&inner);
        drop(inner);
        drop(delivery);
        self.tell(round);
        if self.is_foreign() {
            return Ok(());
        }
        let unreported = std::mem::take(&mut self.lock().unreported);
        self.report_drops((unreported > 0).then_some(unreported));
        if self.is_foreign() {
            return Ok(());
        }
        self.shutdown_result(&self.lock())
    }

    /// The sink, for a sender, as soon as those have done with it that have it, and the callers that
    /// came before.
    fn delivery_in_turn(&self) -> MutexGuard<'_, Delivery> {
        self.turns.let_callers_go();
        try_lock(&self.delivery).unwrap_or_else(|| {
            let _waiting = self.turns.send();
            lock(&self.delivery)
        })
    }

    /// The sink, for a caller with a time limit, as soon as those have done with it that have it or
    /// came before.
    fn delivery_by(&self, until: Option<Instant>) -> Option<MutexGuard<'_, Delivery>> {
        if self.turns.is_free()
            && let Some(delivery) = try_lock(&self.delivery)
        {
            return Some(delivery);
        }
        let waiting = self.turns.call();
        loop {
            if waiting.is_next()
                && let Some(delivery) = try_lock(&self.delivery)
            {
                return Some(delivery);
            }
            if until.is_some_and(|until| self.clock.now() >= until) {
                return None;
            }
            exit::pause();
        }
    }
}
