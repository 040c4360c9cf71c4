//! Locks and waits, in one place so that loom can take the place of std.

#[cfg(not(loom))]
pub(crate) use std::sync::{Condvar, Mutex, MutexGuard};

#[cfg(loom)]
pub(crate) use loom::sync::{Condvar, Mutex, MutexGuard};

use std::sync::{PoisonError, TryLockError, TryLockResult};

/// How often a thread looks at a taken lock again before it offers its time slice.
///
/// If the lock is free by then, no system call was needed. Each look takes the cache line from the
/// thread that is about to let go; the figures are in docs/design.md.
#[cfg(not(loom))]
const LOOKS: usize = 2;

/// How many pauses of the processor come before each look. One takes 25 ns on AMD's Zen 3, and on
/// Intel's processors since Skylake some 140 cycles (their optimization manual): after many, the
/// lock has been let go and taken anew.
#[cfg(not(loom))]
const PAUSES: usize = 4;

/// How often a thread offers its time slice before it sleeps on a taken lock.
///
/// The critical sections are some tens of nanoseconds long; sleeping and being woken costs
/// microseconds. With these rounds std's mutex keeps pace with the adaptive ones.
#[cfg(not(loom))]
const YIELDS: usize = 16;

/// Takes the lock, whatever a panicking thread left behind: each critical section leaves its data
/// consistent at every point where it could unwind. Foreign code runs under the lock around the
/// sink only, and its panics are caught there.
#[cfg(not(loom))]
#[inline]
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Not by `match`: an error that says the lock is poisoned holds it until the end of one.
    if let Some(guard) = try_lock(mutex) {
        return guard;
    }
    lock_contended(mutex)
}

#[cfg(not(loom))]
#[cold]
fn lock_contended<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    for _ in 0..LOOKS {
        (0..PAUSES).for_each(|_| std::hint::spin_loop());
        if let Some(guard) = try_lock(mutex) {
            return guard;
        }
    }
    for _ in 0..YIELDS {
        std::thread::yield_now();
        if let Some(guard) = try_lock(mutex) {
            return guard;
        }
    }
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(loom)]
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes the lock if it is free.
#[inline]
pub(crate) fn try_lock<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    unless_taken(mutex.try_lock())
}

/// What is behind a lock, poisoned or not, unless the lock is taken.
#[doc(hidden)]
#[inline]
pub fn unless_taken<T>(attempt: TryLockResult<T>) -> Option<T> {
    match attempt {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::sync::{Arc, mpsc};
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_lock_that_a_panic_has_poisoned_is_taken_like_any_other() {
        let mutex = Arc::new(Mutex::new(1));
        let poisoner = Arc::clone(&mutex);
        let poisoned = std::thread::spawn(move || {
            let _guard = lock(&poisoner);
            panic!("while the lock is held");
        });
        assert!(poisoned.join().is_err());
        // By another thread, since the fault was to wait for ever.
        let (done, is_done) = mpsc::channel();
        std::thread::spawn(move || {
            *lock(&mutex) += 1;
            done.send(*lock(&mutex))
        });
        assert_eq!(is_done.recv_timeout(Duration::from_secs(30)), Ok(2));
    }
}
