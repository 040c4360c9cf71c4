//! The time that deadlines are measured in; tests bring their own.

use std::sync::PoisonError;
use std::time::{Duration, Instant};

use crate::sync::{Condvar, MutexGuard};

/// Where "now" comes from, and how to wait for a later now.
#[derive(Debug, Clone)]
pub(crate) enum Clock {
    /// The monotonic clock of the system.
    System,
    /// Stands still until a test moves it; whoever moves it wakes all waiters.
    #[cfg(test)]
    Manual(std::sync::Arc<ManualClock>),
}

impl Clock {
    pub(crate) fn now(&self) -> Instant {
        match self {
            Clock::System => Instant::now(),
            #[cfg(test)]
            Clock::Manual(clock) => clock.now(),
        }
    }

    /// Waits for a notification, at most until `until`. May return early: the caller looks again.
    pub(crate) fn wait<'a, T>(
        &self,
        condvar: &Condvar,
        guard: MutexGuard<'a, T>,
        until: Option<Instant>,
    ) -> MutexGuard<'a, T> {
        #[cfg(test)]
        let until = match self {
            Clock::System => until,
            // Whoever moves the clock notifies.
            Clock::Manual(clock) => {
                let breaks = clock.breaks.swap(false, std::sync::atomic::Ordering::SeqCst);
                assert!(!breaks, "on purpose");
                None
            }
        };
        match until {
            None => condvar.wait(guard).unwrap_or_else(PoisonError::into_inner),
            Some(until) => {
                // Also with no time left: a wait always lets others have the lock in between.
                let left = until.saturating_duration_since(Instant::now());
                let (guard, _) =
                    condvar.wait_timeout(guard, left).unwrap_or_else(PoisonError::into_inner);
                guard
            }
        }
    }
}

/// When a wait of `timeout` from `now` ends; `None` = never, which is what an overflow means.
pub(crate) fn deadline(now: Instant, timeout: Duration) -> Option<Instant> {
    now.checked_add(timeout)
}

/// A clock that a test sets.
#[cfg(test)]
#[derive(Debug)]
pub(crate) struct ManualClock {
    base: Instant,
    nanos: std::sync::atomic::AtomicU64,
    /// How often it was asked for the time.
    pub(crate) asked: std::sync::atomic::AtomicUsize,
    /// The next wait panics.
    pub(crate) breaks: std::sync::atomic::AtomicBool,
}

#[cfg(test)]
impl ManualClock {
    pub(crate) fn new() -> std::sync::Arc<Self> {
        std::sync::Arc::new(ManualClock {
            base: Instant::now(),
            nanos: 0.into(),
            asked: 0.into(),
            breaks: false.into(),
        })
    }

    pub(crate) fn now(&self) -> Instant {
        let nanos = self.nanos.load(std::sync::atomic::Ordering::SeqCst);
        self.asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        self.base + Duration::from_nanos(nanos)
    }

    #[cfg(not(loom))]
    pub(crate) fn advance(&self, by: Duration) {
        let nanos = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
        self.nanos.fetch_add(nanos, std::sync::atomic::Ordering::SeqCst);
    }
}
