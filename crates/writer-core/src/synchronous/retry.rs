//! What a writer without worker does while its sink fails: it tries again, and keeps in mind what
//! is to be told.

use std::time::{Duration, Instant};

use crate::axes::QueuePolicy;
use crate::backoff::{Backoff, FIRST_PAUSE, LONGEST_PAUSE};
use crate::clock;
use crate::delivery::Delivery;
use crate::error::{Operation, State};
use crate::inner::Inner;
use crate::outlet::plain;
use crate::round::{Round, RoundEnd};
use crate::shared::Shared;
use crate::sync::MutexGuard;
use crate::thread_mark::ThreadMark;

impl Inner {
    /// Whether a sink that fails is tried again for a line that waits.
    pub(super) fn may_be_tried(&self) -> bool {
        !self.is_closed() && self.state != State::Failed
    }
}

impl Shared {
    /// Until when a failing sink is tried again for a line that came at `called`, unless it has
    /// failed for good before: others may have had the sink since.
    pub(super) fn patience(&self, called: Instant) -> Option<Instant> {
        if self.config.queue_policy != QueuePolicy::Block || self.lock().state == State::Failed {
            return Some(called);
        }
        clock::deadline(called, self.config.block_timeout.unwrap_or(Duration::MAX))
    }

    /// Offers all that is there to the sink until it is out, the time is over, or `go_on` says no.
    pub(super) fn write_now(
        &self,
        delivery: &mut Delivery,
        until: Option<Instant>,
        go_on: impl Fn(&Inner, &Round) -> bool,
    ) -> Round {
        // Who comes anew need not wait as long as those before came to.
        if let Some(backoff) = &mut delivery.backoff {
            backoff.restart();
        }
        let mut before = None;
        loop {
            let mut round = {
                let _mark = ThreadMark::enter(self);
                delivery.round(self, |_| false)
            };
            if let Some(before) = before {
                round.follow(before);
            }
            if !matches!(round.end, RoundEnd::Failed(..)) {
                if !round.diverted && delivery.backoff.take().is_some() {
                    round.recovered = Some(delivery.recover());
                    self.lock().state = State::Healthy;
                }
                return round;
            }
            let now = self.clock.now();
            let (state, next) = self.note_failure(delivery, &mut round, now);
            let until_next = clock::deadline(now, LONGEST_PAUSE);
            if state == State::Failed && !round.diverted && delivery.divert(until_next) {
                before = Some(round);
                continue;
            }
            let inner = self.lock();
            if until.is_some_and(|until| now >= until) || !go_on(&inner, &round) {
                return round;
            }
            drop(self.wait_to_try(inner, next.min(until.or(next))));
            before = Some(round);
        }
    }

    /// Counts a failed round and, if it is news, takes down what is to be told of it. Returns the
    /// state that it leads to, and when to try again.
    fn note_failure(
        &self,
        delivery: &mut Delivery,
        round: &mut Round,
        now: Instant,
    ) -> (State, Option<Instant>) {
        let RoundEnd::Failed(operation, error) = &mut round.end else {
            return (State::Healthy, None);
        };
        // What a target takes and cannot flush is no progress.
        let progress = round.progress && *operation == Operation::Write && !round.diverted;
        let backoff = Backoff::after(delivery.backoff, progress, now);
        delivery.backoff = Some(backoff);
        let failed = backoff.has_lasted(self.config.fail_after, now);
        let state = if failed { State::Failed } else { State::Retrying };
        self.count_failure(state, None);
        // In a callback nothing is told: the next sender does it.
        if state > delivery.reported && !ThreadMark::is_in_callback_of(self) {
            delivery.reported = state;
            let _mark = ThreadMark::enter(self);
            let copy = plain(error);
            round.news = Some((state, *operation, std::mem::replace(error, copy)));
        }
        (state, backoff.next(self.config.fail_after, now))
    }

    /// After a failure that was told, rests as long as the sink does. Returns whether it may be
    /// tried again.
    pub(super) fn await_next_try(&self, until: Option<Instant>) -> bool {
        // A callback may have forked: in the child the locks may be taken for ever.
        if self.is_foreign() {
            return false;
        }
        let now = self.clock.now();
        if until.is_some_and(|until| now >= until) {
            return false;
        }
        let next = now + FIRST_PAUSE;
        let next = until.map_or(next, |until| until.min(next));
        let mut inner = self.lock();
        while inner.may_be_tried() && self.clock.now() < next {
            inner = self.wait_to_try(inner, Some(next));
        }
        inner.may_be_tried()
    }

    /// Waits until then, or until the writer is closed.
    fn wait_to_try<'a>(
        &'a self,
        mut inner: MutexGuard<'a, Inner>,
        until: Option<Instant>,
    ) -> MutexGuard<'a, Inner> {
        inner.room_waiters += 1;
        inner = self.clock.wait(&self.room, inner, until);
        inner.room_waiters -= 1;
        inner
    }
}
