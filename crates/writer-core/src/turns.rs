//! Who goes first at the sink of a writer without worker.
//!
//! The lock around the sink is had by whoever asks at the right moment. Senders that come back at
//! once are always faster than a caller that has a time limit, and so looks at the lock once in a
//! while. Each sender therefore lets those callers go first that waited when it came: the callers
//! wait for no more than the senders that were before them, and no sender for callers that came
//! after it.

use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::sync::{Condvar, Mutex, lock};

/// The callers with a time limit that wait for the lock around the sink.
pub(crate) struct Turns {
    /// How many have begun to wait, ever.
    came: AtomicU64,
    /// How many of them no longer wait. Grows under the lock, so that no sender misses it.
    gone: AtomicU64,
    lock: Mutex<()>,
    went: Condvar,
}

/// A caller, while it waits.
pub(crate) struct Waiting<'a>(&'a Turns);

impl Turns {
    pub(crate) fn new() -> Self {
        Turns {
            came: AtomicU64::new(0),
            gone: AtomicU64::new(0),
            lock: Mutex::new(()),
            went: Condvar::new(),
        }
    }

    /// Has the senders that come from now on wait.
    pub(crate) fn wait(&self) -> Waiting<'_> {
        self.came.fetch_add(1, Ordering::SeqCst);
        Waiting(self)
    }

    /// Lets everyone go first who waits now. Where nobody does, these are two loads.
    #[inline]
    pub(crate) fn let_others_go(&self) {
        let came = self.came.load(Ordering::SeqCst);
        if self.gone.load(Ordering::SeqCst) < came {
            self.let_go(came);
        }
    }

    #[cold]
    fn let_go(&self, came: u64) {
        let mut guard = lock(&self.lock);
        while self.gone.load(Ordering::SeqCst) < came {
            guard = self.went.wait(guard).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Whether somebody waits.
    #[cfg(all(test, not(loom)))]
    pub(crate) fn is_waited_for(&self) -> bool {
        self.gone.load(Ordering::SeqCst) < self.came.load(Ordering::SeqCst)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let _guard = lock(&self.0.lock);
        self.0.gone.fetch_add(1, Ordering::SeqCst);
        self.0.went.notify_all();
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn nobody_waits_for_those_that_came_later() {
        let turns = &Turns::new();
        turns.let_others_go();
        let first = turns.wait();
        std::thread::scope(|scope| {
            let came = turns.came.load(Ordering::SeqCst);
            let sender = scope.spawn(move || turns.let_go(came));
            let _second = turns.wait();
            drop(first);
            assert!(sender.join().is_ok());
            assert!(turns.is_waited_for());
        });
        assert!(!turns.is_waited_for());
        turns.let_others_go();
    }
}
