//! The thread of a worker, as whoever waits for its end sees it.

use std::cell::RefCell;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Instant;

use crate::exit;

/// How often the end of a thread is looked for before each further look comes after a pause. Most
/// threads end within some tens of microseconds.
const YIELDS: usize = 100;

/// A thread that can be waited for with a time limit.
pub(crate) struct Thread {
    handle: JoinHandle<()>,
    gone: Arc<AtomicBool>,
}

/// Says so when it is dropped.
struct Going(Arc<AtomicBool>);

impl Drop for Going {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

impl Thread {
    /// Starts a thread of this name.
    pub(crate) fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<Self> {
        // A thread counts as finished before the destructors of its thread-locals run, which are
        // code of the user. They run in the reverse order: what is put there first goes last.
        thread_local! {
            static GOING: RefCell<Option<Going>> = const { RefCell::new(None) };
        }
        let gone = Arc::new(AtomicBool::new(false));
        let going = Going(Arc::clone(&gone));
        let thread = std::thread::Builder::new().name(name.to_owned());
        let handle = thread.spawn(move || {
            GOING.set(Some(going));
            work();
        })?;
        Ok(Thread { handle, gone })
    }

    /// On Windows as the standard library says it, since wine runs no destructors of thread-locals.
    fn has_gone(&self) -> bool {
        if cfg!(windows) { self.handle.is_finished() } else { self.gone.load(Ordering::Acquire) }
    }

    /// Waits until the thread has gone; if it has not by then, it is left to itself.
    pub(crate) fn join_by(self, until: Option<Instant>) {
        let mut looks = 0;
        while !self.has_gone() {
            if until.is_some_and(|until| Instant::now() >= until) {
                return;
            }
            if looks < YIELDS {
                looks += 1;
                std::thread::yield_now();
            } else {
                exit::pause();
            }
        }
        // On Windows it may still be in the destructors of its thread-locals, for which nothing
        // waits with a limit.
        if !cfg!(windows) {
            // The worker's panics are caught.
            drop(self.handle.join());
        }
    }
}
