//! The end of the process: what was accepted is written, whoever forgot the guard.
//!
//! Statics are never dropped and threads are killed when `main` returns, so one hook for all
//! living writers runs at exit. It uses no thread-local with a destructor, no channel, and no lock
//! without a time limit.

use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use crate::process;
use crate::report::survives;
use crate::shared::{Inner, Shared};
use crate::sync::{MutexGuard, try_lock};
use crate::thread_mark::ThreadMark;

/// The time that the hook has for all writers together.
const EXIT_WITHIN: Duration = Duration::from_secs(2);
/// The pause between two tries at a lock.
const PAUSE: Duration = Duration::from_millis(1);

static LIVING: Mutex<Vec<Weak<Shared>>> = Mutex::new(Vec::new());

/// Has the writer ended properly when the process ends.
pub(crate) fn register(shared: &Arc<Shared>) {
    process::at_exit(at_exit);
    let until = Instant::now() + EXIT_WITHIN;
    // In a forked child the list may be locked for ever; then this writer relies on its guard.
    if let Some(mut living) = retry(until, || LIVING.try_lock().ok()) {
        living.retain(|writer| writer.strong_count() > 0);
        living.push(Arc::downgrade(shared));
    }
}

extern "C" fn at_exit() {
    survives(|| {
        let until = Instant::now() + EXIT_WITHIN;
        let Some(living) = retry(until, || LIVING.try_lock().ok()) else { return };
        let writers: Vec<_> = living.iter().filter_map(Weak::upgrade).collect();
        drop(living);
        let ours = || writers.iter().filter(|writer| !writer.is_foreign());
        for writer in ours() {
            if let Some(mut inner) = retry(until, || try_lock(&writer.inner)) {
                writer.close(&mut inner);
            }
        }
        for writer in ours() {
            writer.end_by(until);
        }
        // The last handle may be in here: a destructor of a sink has no business at exit.
        std::mem::forget(writers);
    });
}

fn retry<T>(until: Instant, attempt: impl Fn() -> Option<T>) -> Option<T> {
    loop {
        if let Some(done) = attempt() {
            return Some(done);
        }
        if Instant::now() >= until {
            return None;
        }
        pause();
    }
}

#[expect(clippy::disallowed_methods, reason = "a lock that may never be released has no signal")]
pub(crate) fn pause() {
    std::thread::sleep(PAUSE);
}

impl Shared {
    /// Waits until the closed writer has ended; without a worker to wait for, writes what is left
    /// in this thread.
    fn end_by(&self, until: Instant) {
        if self.config.synchronous || ThreadMark::is_on(self) {
            // A thread that works for this writer and finds the lock taken holds it itself: it is
            // inside the sink, where nothing can be done.
            let until = if ThreadMark::is_on(self) { Instant::now() } else { until };
            if let Some(mut delivery) = retry(until, || try_lock(&self.delivery))
                && delivery.drain(self)
            {
                // Nobody is left to be told of a failure.
                drop(delivery.close());
            }
            return;
        }
        let Some(mut inner) = retry(until, || try_lock(&self.inner)) else { return };
        inner.watchers += 1;
        while !inner.ended && Instant::now() < until {
            inner = self.wait_for_end(inner, until);
        }
    }

    fn wait_for_end<'a>(
        &'a self,
        inner: MutexGuard<'a, Inner>,
        until: Instant,
    ) -> MutexGuard<'a, Inner> {
        self.clock.wait(&self.progress, inner, Some(until))
    }
}
