//! How long a sink that fails is left alone, with a worker and without.

use std::time::{Duration, Instant};

use crate::clock;
use crate::error::State;

/// The pause after a first failure.
pub(crate) const FIRST_PAUSE: Duration = Duration::from_millis(10);

/// The longest pause in an episode, and the one between tries of a sink that has failed.
pub(crate) const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// An episode of failures.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Backoff {
    /// When it began, or last made progress.
    since: Instant,
    /// Until the next try.
    pub(crate) pause: Duration,
}

impl Backoff {
    /// What follows from a failure `now` in the episode so far, if there is one. If something went
    /// out before it, the episode is as young as a new one.
    pub(crate) fn after(so_far: Option<Backoff>, progress: bool, now: Instant) -> Backoff {
        match so_far {
            Some(so_far) if !progress => {
                let pause = (so_far.pause * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE);
                Backoff { pause, ..so_far }
            }
            _ => Backoff { since: now, pause: FIRST_PAUSE },
        }
    }

    /// When writes will have failed for `time`.
    pub(crate) fn fails_at(&self, time: Duration) -> Option<Instant> {
        clock::deadline(self.since, time)
    }

    /// The state of a sink that fails `now`, and is given up for failed after `time`.
    pub(crate) fn state(&self, time: Duration, now: Instant) -> State {
        let lasts = now.saturating_duration_since(self.since);
        if lasts >= time { State::Failed } else { State::Retrying }
    }
}
