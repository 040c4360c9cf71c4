//! What senders, waiters and the worker share: one lock, and who is woken when.
//!
//! Three condition variables belong to the lock, one per kind of waiter, so that a wake-up is never
//! taken by the wrong one: `work` (the worker), `room` (senders under Block), `progress` (flush,
//! sync, reopen, shutdown). Every waiter looks at the state again before it sleeps, under the same
//! lock under which the others change it, so none misses a change.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use crate::chunk::ChunkPool;
use crate::clock::Clock;
use crate::config::Config;
use crate::delivery::Delivery;
use crate::inner::{Alarm, Inner};
use crate::io::{Reopened, Sink, is_anonymous};
use crate::metrics::Metrics;
use crate::process;
use crate::rejected::Rejected;
use crate::report::Callbacks;
use crate::states::States;
use crate::sync::{Condvar, Mutex, MutexGuard, lock};
use crate::thread::Thread;
use crate::turns::Turns;

/// Smallest and largest memory of a chunk, in bytes of lines.
pub(crate) const CHUNK_BYTES: std::ops::RangeInclusive<usize> = 64 << 10..=1 << 20;

/// What a chunk holds unless the queue is smaller or a block larger. Under load each is one write:
/// larger ones cost a system less per byte, smaller ones leave more room in the caches of the
/// processor.
const USUAL_CHUNK: usize = 512 << 10;

/// One writer, as its handles and its worker see it.
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) clock: Clock,
    pub(crate) callbacks: Arc<Callbacks>,
    pub(crate) pool: ChunkPool,
    pub(crate) inner: Apart<Mutex<Inner>>,
    pub(crate) work: Condvar,
    pub(crate) room: Condvar,
    pub(crate) progress: Condvar,
    /// Locked by whoever writes: the worker for a round, a synchronous sender for a line, the exit
    /// hook. Taken before `inner`, never while holding it, and never while a callback runs.
    pub(crate) delivery: Mutex<Delivery>,
    /// Who waits for that lock while there is no worker.
    pub(crate) turns: Turns,
    pub(crate) format_errors: AtomicU64,
    pub(crate) truncated: AtomicU64,
    /// How often this process had been forked off when the writer was built. In a child of it the
    /// locks may be taken for ever and the worker does not exist.
    born: u64,
    /// The path names a pipe or a socket without a name.
    anonymous: bool,
    #[cfg(all(unix, feature = "signals"))]
    pub(crate) served: crate::signals::Served,
    /// What adapters keep, where this writer is one of a child.
    pub(crate) states: States,
    /// What was sent in a child.
    pub(crate) rejected_in_child: Rejected,
    /// The writer that takes this one's place in a child.
    pub(crate) successor: OnceLock<Arc<Shared>>,
    /// Who makes it: see [`RestartTurn`](crate::guard).
    pub(crate) restarting: AtomicU64,
    pub(crate) thread: std::sync::Mutex<Option<Thread>>,
}

/// Begins a pair of cache lines of its own, which some processors fetch together.
#[repr(align(128))]
pub(crate) struct Apart<T>(pub(crate) T);

impl Shared {
    pub(crate) fn new(
        config: Config,
        clock: Clock,
        callbacks: Arc<Callbacks>,
        sink: Box<dyn Sink>,
        found: Reopened,
    ) -> Self {
        let mut inner = Inner::new(&config);
        inner.count.found(found);
        let queue_bytes = match config.max_queue_bytes {
            0 => usize::MAX,
            bytes => bytes,
        };
        let chunk_bytes = config.block_size.max(USUAL_CHUNK.min(queue_bytes));
        let chunk_bytes = chunk_bytes.clamp(*CHUNK_BYTES.start(), *CHUNK_BYTES.end());
        let anonymous = config.path.as_deref().is_some_and(is_anonymous);
        Shared {
            callbacks,
            pool: ChunkPool::new(chunk_bytes, queue_bytes),
            inner: Apart(Mutex::new(inner)),
            work: Condvar::new(),
            room: Condvar::new(),
            progress: Condvar::new(),
            delivery: Mutex::new(Delivery::new(sink, clock.now())),
            turns: Turns::default(),
            format_errors: AtomicU64::new(0),
            truncated: AtomicU64::new(0),
            born: process::forks(),
            anonymous,
            restarting: AtomicU64::new(0),
            #[cfg(all(unix, feature = "signals"))]
            served: crate::signals::Served::default(),
            states: States::default(),
            rejected_in_child: Rejected::default(),
            successor: OnceLock::new(),
            thread: std::sync::Mutex::new(None),
            clock,
            config,
        }
    }

    #[inline]
    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        lock(&self.inner.0)
    }

    /// Wakes everyone who waits for progress. Call it with the lock held, after the change.
    pub(crate) fn notify_progress(&self, inner: &Inner) {
        if inner.watchers > 0 {
            self.progress.notify_all();
        }
    }

    /// Wakes every sender that waits for room. Call it with the lock held, after the change.
    pub(crate) fn notify_room(&self, inner: &Inner) {
        if inner.room_waiters > 0 {
            self.room.notify_all();
        }
    }

    /// Puts the worker to sleep until then, a notification, or the alarm.
    pub(crate) fn sleep<'a>(
        &self,
        mut inner: MutexGuard<'a, Inner>,
        alarm: Alarm,
        until: Option<Instant>,
    ) -> MutexGuard<'a, Inner> {
        inner.set_alarm(alarm);
        #[cfg(all(test, not(loom)))]
        {
            inner.asleep = Some(until);
        }
        let mut inner = self.clock.wait(&self.work, inner, until);
        inner.clear_alarm();
        #[cfg(all(test, not(loom)))]
        {
            inner.asleep = None;
        }
        inner.count.wake_count += 1;
        inner
    }

    /// Lets no further line in, releases blocked senders, and sends the worker on its last way.
    pub(crate) fn close(&self, inner: &mut Inner) {
        inner.close();
        self.notify_room(inner);
        self.work.notify_one();
    }

    /// Whether this is a forked child of the process that built the writer.
    #[inline]
    pub(crate) fn is_foreign(&self) -> bool {
        self.born != process::forks()
    }

    /// Whether writes that fail like this never succeed again: the other end of a pipe or socket
    /// that was inherited, as stdout is, has gone. A named pipe may get another reader.
    pub(crate) fn is_cut_off(&self, error: &io::Error) -> bool {
        self.anonymous && error.kind() == io::ErrorKind::BrokenPipe
    }

    /// How long writes go on failing before they have failed.
    pub(crate) fn fails_after(&self, cut_off: bool) -> Duration {
        if cut_off { Duration::ZERO } else { self.config.fail_after }
    }

    pub(crate) fn metrics(&self) -> Metrics {
        let inner = self.lock();
        Metrics {
            queue_len: inner.queue.lines(),
            queue_bytes: inner.queue.bytes(),
            high_water: inner.queue.high_water(),
            format_errors: self.format_errors.load(Ordering::Relaxed),
            truncated: self.truncated.load(Ordering::Relaxed),
            callback_panics: self.callbacks.panics.load(Ordering::Relaxed),
            state: inner.state,
            ..inner.count.snapshot(inner.queue.accepted())
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::queue::Queue;

    #[test]
    fn what_every_line_needs_stands_in_one_cache_line() {
        let lock = size_of::<Mutex<u64>>() - size_of::<u64>();
        let hot = lock + std::mem::offset_of!(Inner, queue) + Queue::HOT;
        assert!(hot <= crate::cache::LINE, "{hot} bytes");
        // Or the mark of an option would come before the chunk.
        assert_eq!(size_of::<Option<crate::chunk::Chunk>>(), size_of::<crate::chunk::Chunk>());
        assert_eq!(std::mem::offset_of!(Shared, inner) % align_of::<Apart<u8>>(), 0);
    }
}
