//! Who goes first at the sink of a writer without worker.
//!
//! The lock around the sink is had by whoever asks at the right moment: by a thread that comes back
//! at once before one that sleeps until it is free, and by that before a caller that has a time
//! limit, and so looks at the lock once in a while. Two rules keep everyone moving:
//!
//! * Who comes lets those callers go first that wait by then. So callers go one after the other, and
//!   no sender waits for callers that came after it.
//! * A caller lets those senders go first that sleep by then on the taken lock. They wait for nobody
//!   any more, so no two ever wait for each other.

use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::sync::{Condvar, Mutex, lock};

/// How many have begun to wait, ever, and how many of them no longer do.
#[derive(Default)]
struct Passage {
    came: AtomicU64,
    gone: AtomicU64,
}

impl Passage {
    /// How many have come so far.
    fn came(&self) -> u64 {
        self.came.load(Ordering::SeqCst)
    }

    /// Begins to wait; returns how many came before.
    fn come(&self) -> u64 {
        self.came.fetch_add(1, Ordering::SeqCst)
    }

    fn go(&self) {
        self.gone.fetch_add(1, Ordering::SeqCst);
    }

    /// Whether as many have gone as had come when this was counted. Where a caller's time was over
    /// these may be others: then somebody goes too early once, and nobody too late.
    fn have_gone(&self, came: u64) -> bool {
        self.gone.load(Ordering::SeqCst) >= came
    }
}

/// Those that wait for the lock around the sink.
#[derive(Default)]
pub(crate) struct Turns {
    /// With a time limit. They go under the lock, so that no sender misses it.
    callers: Passage,
    senders: Passage,
    lock: Mutex<()>,
    went: Condvar,
}

/// A caller with a time limit, while it waits.
pub(crate) struct Caller<'a> {
    turns: &'a Turns,
    /// How many came before.
    callers: u64,
    senders: u64,
}

/// A sender, while it sleeps on the taken lock.
pub(crate) struct Sender<'a>(&'a Turns);

impl Turns {
    /// Whether nobody waits.
    pub(crate) fn is_free(&self) -> bool {
        self.callers.have_gone(self.callers.came()) && self.senders.have_gone(self.senders.came())
    }

    /// Has those that come from now on wait.
    pub(crate) fn call(&self) -> Caller<'_> {
        Caller { turns: self, callers: self.callers.come(), senders: self.senders.came() }
    }

    /// Has the callers wait that come from now on. Only for who has [let those go
    /// first](Self::let_callers_go) that came before.
    pub(crate) fn send(&self) -> Sender<'_> {
        self.senders.come();
        Sender(self)
    }

    /// Lets every caller go first who waits now. Where nobody does, these are two loads.
    #[inline]
    pub(crate) fn let_callers_go(&self) {
        let came = self.callers.came();
        if !self.callers.have_gone(came) {
            self.let_go(came);
        }
    }

    #[cold]
    fn let_go(&self, came: u64) {
        let mut guard = lock(&self.lock);
        while !self.callers.have_gone(came) {
            guard = self.went.wait(guard).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Caller<'_> {
    /// Whether all that came before have gone.
    pub(crate) fn is_next(&self) -> bool {
        self.turns.callers.have_gone(self.callers) && self.turns.senders.have_gone(self.senders)
    }
}

impl Drop for Caller<'_> {
    fn drop(&mut self) {
        let _guard = lock(&self.turns.lock);
        self.turns.callers.go();
        self.turns.went.notify_all();
    }
}

impl Drop for Sender<'_> {
    fn drop(&mut self) {
        self.0.senders.go();
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn no_sender_waits_for_callers_that_came_later() {
        let turns = &Turns::default();
        turns.let_callers_go();
        let first = turns.call();
        std::thread::scope(|scope| {
            let came = turns.callers.came();
            let sender = scope.spawn(move || turns.let_go(came));
            let _second = turns.call();
            drop(first);
            assert!(sender.join().is_ok());
            assert!(!turns.is_free());
        });
        assert!(turns.is_free());
        turns.let_callers_go();
    }

    #[test]
    fn callers_go_after_all_that_came_before() {
        let turns = Turns::default();
        let sender = turns.send();
        let first = turns.call();
        let second = turns.call();
        let later = turns.send();
        assert!(!first.is_next());
        drop(sender);
        assert!(first.is_next() && !second.is_next());
        drop(first);
        assert!(second.is_next() && !turns.is_free());
        drop((second, later));
        assert!(turns.is_free());
    }

    #[test]
    fn of_callers_whose_time_is_over_none_keeps_others_waiting() {
        let turns = Turns::default();
        let (first, second, third) = (turns.call(), turns.call(), turns.call());
        drop(second);
        assert!(first.is_next() && !third.is_next());
        drop(first);
        assert!(third.is_next());
    }
}
