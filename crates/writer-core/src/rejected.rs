//! Records that come too late, or in a child that has no writer of its own: counted, and told of
//! once.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::exit;
use crate::process;
use crate::report::to_stderr;
use crate::thread_mark::ThreadMark;
use crate::writer::Writer;

/// How many lines a child has sent before it was restarted. In the upper bits stands which child:
/// one that is forked off from it begins anew.
#[derive(Default)]
pub(crate) struct Rejected(AtomicU64);

impl Rejected {
    const BITS: u32 = 48;

    fn here() -> u64 {
        process::forks() << Self::BITS
    }

    fn of(value: u64) -> u64 {
        let count = value & ((1 << Self::BITS) - 1);
        if value - count == Self::here() { count } else { 0 }
    }

    /// Counts one more. Waits for nobody.
    pub(crate) fn add(&self) {
        let next = |value| Some(Self::here() + Self::of(value) + 1);
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
    }

    /// Those of this process.
    pub(crate) fn get(&self) -> u64 {
        Self::of(self.0.load(Ordering::Relaxed))
    }
}

impl Writer {
    /// Counts a record that comes while [`Writer::is_left_behind`]. Waits for nobody.
    #[doc(hidden)]
    #[cold]
    pub fn reject_record(&self) {
        // It is closed, which is what the caller asked.
        let _ = self.reject_in_child();
        self.report_closed_once();
    }

    /// Says on stderr, once in a process, that a record came too late. No lock guards the once: a
    /// thread of the parent might hold it for ever.
    ///
    /// Not of one that a callback of this writer logs: the last callbacks come after the last line.
    /// Nor of one that comes while the process ends, whose guard may well be alive.
    #[cold]
    pub(crate) fn report_closed_once(&self) {
        if exit::is_ending() || self.shared().is_some_and(|shared| ThreadMark::is_on(&**shared)) {
            return;
        }
        static REPORTED: AtomicU64 = AtomicU64::new(u64::MAX);
        let forks = process::forks();
        if REPORTED.swap(forks, Ordering::Relaxed) == forks {
            return;
        }
        let reason = if self.is_left_behind() {
            "in a forked child, where the writer does not run, and is not in the file; call \
             `restart_after_fork` of the guard in the child first"
        } else {
            "after the writer was shut down and is not in the file; keep the guard alive to the end of \
             main (`let _guard = init(..)`, not `let _ = init(..)`)"
        };
        to_stderr(format_args!("writer: a record came {reason}"));
    }
}
