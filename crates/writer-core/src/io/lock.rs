//! Who may write to a file at the same time: advisory locks on the open file.
//!
//! | holder | lock while opening | lock while writing |
//! |---|---|---|
//! | append writers (line, block) | exclusive for a moment, if nobody else is there | shared |
//! | mapping writer | exclusive | exclusive |
//!
//! A lock belongs to the open file, not to the process: two writers of one process exclude each
//! other too. A file system without locks excludes nobody.

use std::fs::{File, TryLockError};
use std::time::{Duration, Instant};

use super::os;

/// How long an append writer puts up with the exclusive lock that another one holds for the
/// moment of its repair. A mapping writer holds it for good: this is then the time to the refusal.
pub(super) const PATIENCE: Duration = Duration::from_millis(250);

/// The time between two attempts.
const PAUSE: Duration = Duration::from_millis(1);

/// Another writer excludes this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refused;

/// What a lock at open allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Held {
    /// Nobody else has the file: its end may be repaired, and it may be emptied.
    Alone,
    /// Other append writers have it: it may only be appended to.
    BesideOthers,
}

/// Takes the exclusive lock that a mapping writer keeps.
pub(super) fn exclusive(file: &File) -> Result<Held, Refused> {
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Err(Refused),
        Ok(()) | Err(TryLockError::Error(_)) => Ok(Held::Alone),
    }
}

/// Takes the exclusive lock if nobody has the file, else a shared one.
///
/// After [`Held::Alone`] the caller does its repair and then calls [`share`].
pub(super) fn append(file: &File, patience: Duration) -> Result<Held, Refused> {
    with_patience(patience, || match file.try_lock() {
        Ok(()) | Err(TryLockError::Error(_)) => Some(Held::Alone),
        Err(TryLockError::WouldBlock) => try_share(file).then_some(Held::BesideOthers),
    })
}

/// Turns the exclusive lock into a shared one.
///
/// The system gives up the one before it takes the other: a second append writer can come between
/// for the moment of its own repair. It is waited for.
pub(super) fn share(file: &File, patience: Duration) -> Result<(), Refused> {
    if !os::KEEPS_SHARED_LOCKS {
        release(file);
        return Ok(());
    }
    with_patience(patience, || try_share(file).then_some(()))
}

/// Gives up any lock, also for copies of the descriptor that a forked child still has.
pub(super) fn release(file: &File) {
    // A file system without locks has nothing to release, and closing the file does the rest.
    let _ = file.unlock();
}

fn try_share(file: &File) -> bool {
    os::KEEPS_SHARED_LOCKS && !matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
}

fn with_patience<T>(
    patience: Duration,
    mut attempt: impl FnMut() -> Option<T>,
) -> Result<T, Refused> {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(value) = attempt() {
            return Ok(value);
        }
        if Instant::now() >= deadline {
            return Err(Refused);
        }
        pause(PAUSE);
    }
}

/// Waits before the next attempt.
///
/// Build runs in the caller's thread, before there is a worker or a clock to wait with; a worker
/// that reopens has nothing else to do. The system can only announce a lock to those who would wait
/// for it without limit.
#[allow(clippy::disallowed_methods)]
pub(super) fn pause(time: Duration) {
    std::thread::sleep(time);
}
