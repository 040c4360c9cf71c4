//! What follows from a round of writes: it is told of and, if it failed, there is another one
//! later.
//!
//! | state | after a success | after a failure | next try | until then |
//! |---|---|---|---|---|
//! | Healthy | Healthy | Retrying; Failed if `fail_after` is zero, or the target does not come back | after [`FIRST_PAUSE`](crate::backoff::FIRST_PAUSE) | lines wait |
//! | Retrying | Healthy | Retrying, or Failed when `fail_after` is over | the pause doubles, up to [`LONGEST_PAUSE`]; after something went out it is the first again | lines wait |
//! | Failed | Healthy | Failed, or Retrying after something went out | after [`LONGEST_PAUSE`] | lines go to the fallback; without one nobody waits for more than the next try |
//!
//! In each, when the time of a shutdown is over, the next try is made at once and is the last.

use std::time::{Duration, Instant};

use super::Worker;
use crate::backoff::{Backoff, LONGEST_PAUSE};
use crate::clock;
use crate::delivery::Delivery;
use crate::error::State;
use crate::round::{Round, RoundEnd};
use crate::sync::{MutexGuard, lock};

/// How long no line must have come before the sink may tidy up.
const IDLE: Duration = Duration::from_secs(1);

/// An episode of failures.
pub(super) struct Retry {
    backoff: Backoff,
    /// When the sink is tried next.
    pub(super) at: Instant,
    /// The worst state that was reported since it began.
    reported: State,
    /// The target does not come back.
    pub(super) cut_off: bool,
    /// The last try was made when the sink was to be given up: there is no other.
    pub(super) was_last: bool,
}

impl Worker<'_> {
    /// Draws the conclusions from a round: state, callbacks, when to try again.
    pub(super) fn settle(&mut self, mut round: Round, mut delivery: MutexGuard<'_, Delivery>) {
        let shared = self.shared;
        let failed = round.has_failed();
        // Of a sink that has failed, an empty round says nothing.
        let works = !failed && !round.diverted && (round.progress || !self.diverted);
        if self.retry.is_some() && works {
            round.recovered = Some(delivery.recover());
        }
        let wants_idle = delivery.outlets.main().wants_idle();
        self.unfinished = delivery.is_unfinished();
        drop(delivery);
        let now = shared.clock.now();
        self.idle_at = if wants_idle { clock::deadline(now, IDLE) } else { None };
        self.held = matches!(round.end, RoundEnd::Held);
        if round.recovered.is_some() {
            (self.retry, self.diverted) = (None, false);
            let mut inner = shared.lock();
            (inner.state, inner.in_vain) = (State::Healthy, None);
            // Meant for the episode that is over; the next one has not had its time yet.
            inner.give_up = false;
        }
        shared.after_round(&mut round);
        self.fail(round, now);
    }

    /// After a round that failed, decides when to try again, and where lines go until then.
    fn fail(&mut self, round: Round, now: Instant) {
        let shared = self.shared;
        let (failure, progress) = (round.failure(), round.went_on());
        let cut_off = shared.has_lost_its_target(&round);
        let RoundEnd::Failed(operation, error) = round.end else { return };
        if shared.is_foreign() {
            return;
        }
        let so_far = self.retry.take();
        let backoff = Backoff::after(so_far.as_ref().map(|retry| retry.backoff), progress, now);
        let state = backoff.state(shared.fails_after(cut_off), now);
        let failed = state == State::Failed;
        let at = now + if failed { LONGEST_PAUSE } else { backoff.pause };
        let reported = so_far.as_ref().map_or(State::Healthy, |retry| retry.reported);
        let was_last = so_far.is_some_and(|retry| retry.was_last);
        let mut retry = Retry { backoff, at, reported, was_last, cut_off };
        let until = failed.then_some(retry.at);
        self.diverted = !round.diverted && lock(&shared.delivery).outlets.divert(until);
        // What is in the hand goes there at once.
        self.held |= self.diverted;
        shared.count_failure(state, failure.filter(|_| failed && !self.diverted));
        if state > retry.reported {
            retry.reported = state;
            shared.report_failure(operation, error);
        }
        self.retry = Some(retry);
    }

    /// Goes over to another target, as was asked for up to this ticket, and tries it at once.
    pub(super) fn reopen(&mut self, ticket: u64) {
        let shared = self.shared;
        if let Some(retry) = &mut self.retry {
            // Whoever comes when it is done waits for the next try.
            retry.at = shared.clock.now();
            shared.lock().in_vain = None;
        }
        lock(&shared.delivery).serve_reopens(shared, ticket);
        if self.diverted {
            // The next line is tried on the new target.
            lock(&shared.delivery).outlets.divert(Some(shared.clock.now()));
        }
    }
}
