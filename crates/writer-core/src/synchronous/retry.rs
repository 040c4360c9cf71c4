//! What a writer without worker does while its sink fails: it tries again, and keeps in mind what
//! is to be told.

use std::time::{Duration, Instant};

use crate::axes::QueuePolicy;
use crate::backoff::{Backoff, FIRST_PAUSE, LONGEST_PAUSE};
use crate::clock;
use crate::delivery::Delivery;
use crate::error::State;
use crate::inner::Inner;
use crate::outlet::plain;
use crate::round::{Round, RoundEnd};
use crate::shared::Shared;
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

    /// Offers all that is there to the sink, and what it does not take to the fallback once it has
    /// failed for good.
    pub(super) fn write_now(&self, delivery: &mut Delivery) -> Round {
        // The sink may send, and so may its errors when they are printed or dropped.
        let _mark = ThreadMark::enter(self);
        let mut before = None;
        loop {
            let mut round = delivery.round(self, |_| false);
            if let Some(before) = before {
                round.follow(before);
            }
            if !round.has_failed() {
                self.note_success(delivery, &mut round);
                return round;
            }
            let now = self.clock.now();
            let state = self.note_failure(delivery, &mut round, now);
            let until = clock::deadline(now, LONGEST_PAUSE);
            if state != State::Failed || round.diverted || !delivery.outlets.divert(until) {
                return round;
            }
            before = Some(round);
        }
    }

    /// Ends the episode, if there was one, with a round in which something went out. In a callback,
    /// where nothing is told, it is left to the next sender to say so.
    fn note_success(&self, delivery: &mut Delivery, round: &mut Round) {
        if !round.flushed || round.diverted {
            return;
        }
        let failed = delivery.backoff.take().is_some();
        if failed {
            let mut inner = self.lock();
            inner.state = State::Healthy;
            self.notify_room(&inner);
        }
        let untold = failed || delivery.reported != State::Healthy;
        if untold && !ThreadMark::is_in_callback_of(self) {
            round.recovered = Some(delivery.recover());
        }
    }

    /// Counts a failed round and, if it is news, takes down what is to be told of it. Returns the
    /// state that it leads to.
    fn note_failure(&self, delivery: &mut Delivery, round: &mut Round, now: Instant) -> State {
        let (progress, cut_off) = (round.went_on(), self.has_lost_its_target(round));
        let RoundEnd::Failed(operation, error) = &mut round.end else { return State::Healthy };
        let backoff = Backoff::after(delivery.backoff, progress, now);
        delivery.backoff = Some(backoff);
        let state = backoff.state(self.fails_after(cut_off), now);
        self.count_failure(state, None);
        // In a callback nothing is told: the next sender does it.
        if state > delivery.reported && !ThreadMark::is_in_callback_of(self) {
            delivery.reported = state;
            let copy = plain(error);
            round.news = Some((state, *operation, std::mem::replace(error, copy)));
        }
        state
    }

    /// When the sink, should it fail, is tried again by a caller who has last waited for `pause`:
    /// after twice that, or when it will have failed for good.
    pub(super) fn next_try(&self, delivery: &Delivery, pause: &mut Duration) -> Option<Instant> {
        *pause = (*pause * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE);
        let now = self.clock.now();
        let fails_at =
            delivery.backoff.and_then(|backoff| backoff.fails_at(self.config.fail_after));
        let fails_at = fails_at.filter(|&at| now < at);
        clock::deadline(now, *pause).into_iter().chain(fails_at).min()
    }

    /// After a failure, rests until `next`, or until the sink works again, with the sink let go.
    /// Returns whether it may be tried once more, which is not after `until`.
    pub(super) fn await_try(
        &self,
        next: Option<Instant>,
        until: Option<Instant>,
        go_on: impl Fn(&Inner) -> bool,
    ) -> bool {
        // A callback may have forked: in the child the locks may be taken for ever.
        if self.is_foreign() || until.is_some_and(|until| self.clock.now() >= until) {
            return false;
        }
        let next = next.into_iter().chain(until).min();
        let mut inner = self.lock();
        inner.room_waiters += 1;
        while go_on(&inner)
            && inner.state != State::Healthy
            && next.is_none_or(|next| self.clock.now() < next)
        {
            inner = self.clock.wait(&self.room, inner, next);
        }
        inner.room_waiters -= 1;
        go_on(&inner)
    }
}
