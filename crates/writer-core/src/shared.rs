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

use crate::chunk::{ChunkPool, Line};
use crate::clock::Clock;
use crate::config::Config;
use crate::delivery::Delivery;
use crate::error::State;
use crate::io::{Reopened, Sink};
use crate::losses::Episode;
use crate::metrics::{Counters, Metrics};
use crate::process;
use crate::queue::Queue;
use crate::report::Callbacks;
use crate::round::Failure;
use crate::states::{Rejected, States};
use crate::sync::{Condvar, Mutex, MutexGuard, lock};
use crate::thread::Thread;
use crate::turns::Turns;

/// The least time between two reports of dropped lines.
pub(crate) const DROP_REPORT_EVERY: Duration = Duration::from_secs(1);

/// Smallest and largest memory of a chunk, in bytes of lines.
const CHUNK_BYTES: std::ops::RangeInclusive<usize> = 64 << 10..=1 << 20;

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
    pub(crate) born: u64,
    #[cfg(all(unix, feature = "signals"))]
    pub(crate) served: crate::signals::Served,
    /// What adapters keep, where this writer is one of a child.
    pub(crate) states: States,
    /// What was sent in a child.
    pub(crate) rejected_in_child: Rejected,
    /// The writer that takes this one's place in a child.
    pub(crate) successor: OnceLock<Arc<Shared>>,
    pub(crate) thread: std::sync::Mutex<Option<Thread>>,
}

/// Begins a pair of cache lines of its own, which some processors fetch together.
#[repr(align(128))]
pub(crate) struct Apart<T>(pub(crate) T);

/// What the lock protects.
///
/// What every accepted line needs comes first and stands in one cache line with the lock itself.
/// Where senders run on several cores, that line goes from core to core for each line.
#[repr(C)]
pub(crate) struct Inner {
    pub(crate) queue: Queue,
    /// When a sender must wake the worker.
    alarm: Alarm,
    /// Senders waiting for room whose line passes the byte bound.
    oversized: u32,
    /// No line comes in any more.
    closed: bool,
    pub(crate) count: Counters,
    pub(crate) state: State,
    /// Waiting for room or for a flush is in vain, and why: the state is Failed, no fallback takes
    /// the lines, and no other target is about to be tried.
    pub(crate) in_vain: Option<Failure>,
    /// The time of a shutdown is over: a failing sink is given up.
    pub(crate) give_up: bool,
    /// The worker has gone, and with it all that was pending.
    pub(crate) ended: bool,
    /// Lines given up at the end.
    pub(crate) given_up: u64,
    pub(crate) close_error: Option<io::Error>,
    /// A trigger that no write has served.
    pub(crate) triggered: bool,
    /// A line found no room since the last take.
    pub(crate) no_room: bool,
    /// A sender began to wait for room since the last take.
    pub(crate) room_wanted: bool,
    /// Senders waiting for room.
    pub(crate) room_waiters: usize,
    /// How many oversized lines came in, and how many of the senders with others who waited then
    /// still do: the next oversized line comes after these.
    turn: u64,
    turn_waiters: usize,
    /// The highest sequence number that somebody waits for in a flush.
    pub(crate) flush_upto: u64,
    /// All lines up to this sequence number are written, evicted or lost.
    pub(crate) flushed: u64,
    pub(crate) syncs: Syncs,
    pub(crate) reopens: Reopens,
    /// Waiters on `progress`.
    pub(crate) watchers: usize,
    /// Lines in the queue that were sent on the worker's own thread, and when they stop being
    /// special, unless a line from elsewhere finds no room before; `echoed` counts all there ever
    /// were.
    pub(crate) echoes: usize,
    pub(crate) echoes_until: Option<Instant>,
    pub(crate) echoed: u64,
    /// Dropped lines that `on_drop` has not heard of, and when it last heard of some.
    pub(crate) unreported: u64,
    pub(crate) reported_at: Option<Instant>,
    /// Dropped lines that no loss marker has told of.
    pub(crate) episode: Option<Episode>,
    /// Without a worker: written lines that `on_write` has not heard of, and the worst state that
    /// `on_error` has heard of since the sink last worked.
    pub(crate) untold: usize,
    pub(crate) reported: State,
    /// The sink panicked, as was reported, and has written nothing in peace since.
    pub(crate) sink_panics: bool,
    /// While the worker sleeps: when it wakes by itself.
    #[cfg(all(test, not(loom)))]
    pub(crate) asleep: Option<Option<Instant>>,
}

/// A sender that waits for room.
pub(crate) struct Waiter {
    /// Its line passes the byte bound.
    oversized: bool,
    /// How many oversized lines had come in when it came.
    turn: u64,
}

/// Requests to sync. Each has a ticket; the worker serves all that are there with one call.
#[derive(Default)]
pub(crate) struct Syncs {
    pub(crate) requested: u64,
    /// The highest sequence number that a request covers.
    pub(crate) upto: u64,
    pub(crate) served: u64,
    /// All lines up to this sequence number are durable.
    pub(crate) durable: u64,
    /// The last failure, and the last ticket that it answers. Later ones may have succeeded since.
    pub(crate) failed: Option<(u64, io::Error)>,
}

impl Syncs {
    /// Takes a ticket.
    pub(crate) fn request(&mut self) -> u64 {
        self.requested += 1;
        self.requested
    }

    /// What came of the sync with this ticket, which is served. Who wakes late may be told of a
    /// failure that came after its own success, never the other way round.
    pub(crate) fn failure(&self, ticket: u64) -> Option<&io::Error> {
        self.failed.as_ref().filter(|(last, _)| ticket <= *last).map(|(_, error)| error)
    }
}

/// Requests to reopen, likewise.
#[derive(Default)]
pub(crate) struct Reopens {
    pub(crate) requested: u64,
    pub(crate) served: u64,
    /// Why the target could not be reopened, and the last ticket that this answers.
    pub(crate) failed: Option<(u64, io::Error)>,
}

/// When a sender must wake the worker, which sleeps: at so many lines, so many bytes, or when a
/// line finds no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Alarm {
    pub(crate) lines: usize,
    pub(crate) bytes: usize,
    pub(crate) no_room: bool,
}

impl Alarm {
    /// For a worker that is awake, or that no line concerns.
    pub(crate) const NEVER: Alarm = Alarm { lines: usize::MAX, bytes: usize::MAX, no_room: false };
}

impl Inner {
    fn new(config: &Config) -> Self {
        Inner {
            // Without a worker the queue is only the way from the sender to its own write.
            queue: match config.synchronous {
                true => Queue::new(0, 0),
                false => Queue::new(config.max_queue_size, config.max_queue_bytes),
            },
            count: Counters::default(),
            state: State::Healthy,
            in_vain: None,
            alarm: Alarm::NEVER,
            closed: false,
            give_up: false,
            ended: false,
            given_up: 0,
            close_error: None,
            triggered: false,
            no_room: false,
            room_wanted: false,
            room_waiters: 0,
            oversized: 0,
            turn: 0,
            turn_waiters: 0,
            flush_upto: 0,
            flushed: 0,
            syncs: Syncs::default(),
            reopens: Reopens::default(),
            watchers: 0,
            echoes: 0,
            echoes_until: None,
            echoed: 0,
            unreported: 0,
            reported_at: None,
            episode: None,
            untold: 0,
            reported: State::Healthy,
            sink_panics: false,
            #[cfg(all(test, not(loom)))]
            asleep: None,
        }
    }

    /// Accepted lines that have not come to an end.
    pub(crate) fn pending(&self) -> u64 {
        self.queue.accepted() - self.count.settled()
    }

    /// Lines that came from elsewhere than the worker's own thread, ever.
    pub(crate) fn arrivals(&self) -> u64 {
        self.queue.accepted() - self.echoed
    }

    /// Whether no line comes in any more.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Lets no further line in.
    pub(crate) fn close(&mut self) {
        self.closed = true;
        self.queue.forbid();
    }

    /// Senders waiting for room whose line passes the byte bound. Nobody else comes in before them,
    /// except who waited already when the last such line came in.
    #[cfg(all(test, not(loom)))]
    pub(crate) fn oversized(&self) -> u32 {
        self.oversized
    }

    /// One more sender waits for room.
    pub(crate) fn begin_wait(&mut self, oversized: bool) -> Waiter {
        self.room_waiters += 1;
        if oversized {
            self.oversized += 1;
            self.queue.forbid();
        }
        Waiter { oversized, turn: self.turn }
    }

    /// Whether there is room for the line of `len` bytes that it waits with, and nobody who comes
    /// first.
    pub(crate) fn lets_in(&self, waiter: &Waiter, len: usize) -> bool {
        if waiter.oversized {
            self.queue.is_empty() && self.turn_waiters == 0
        } else {
            (self.oversized == 0 || waiter.turn < self.turn) && self.queue.fits(len)
        }
    }

    /// It waits no more, and comes in or not. Returns whether others may come in now who could not
    /// before.
    pub(crate) fn end_wait(&mut self, waiter: &Waiter, comes_in: bool) -> bool {
        self.room_waiters -= 1;
        if waiter.oversized {
            self.oversized -= 1;
            if comes_in {
                self.turn += 1;
                self.turn_waiters = self.room_waiters - self.oversized as usize;
            }
            true
        } else if waiter.turn < self.turn {
            self.turn_waiters -= 1;
            self.turn_waiters == 0
        } else {
            false
        }
    }

    /// Whether there is room for a line of `len` bytes, and nobody who comes first.
    pub(crate) fn admits(&self, len: usize) -> bool {
        self.oversized == 0 && self.queue.fits(len)
    }

    /// Puts a line into the queue, for which there must be room and which must not be closed, and
    /// looks how many may follow unseen. Returns whether the alarm goes off; then it is off until
    /// the worker sets it again.
    pub(crate) fn accept(&mut self, pool: &ChunkPool, line: Line<'_>) -> bool {
        debug_assert!(!self.closed);
        self.queue.push(pool, line);
        let rings =
            self.queue.lines() >= self.alarm.lines || self.queue.bytes() >= self.alarm.bytes;
        if rings {
            self.alarm = Alarm::NEVER;
        }
        self.allow();
        rings
    }

    /// Allows as many lines as need no other look.
    fn allow(&mut self) {
        if self.closed || self.oversized > 0 {
            return self.queue.forbid();
        }
        // The line that sets the alarm off must be seen.
        let Alarm { lines, bytes, .. } = self.alarm;
        self.queue.allow(lines.saturating_sub(1), bytes.saturating_sub(1));
    }

    /// Whether the worker must be woken because a line found no room; once until it sleeps again.
    pub(crate) fn alarm_rings_without_room(&mut self) -> bool {
        std::mem::take(&mut self.alarm.no_room)
    }

    /// Takes the number of dropped lines that may be reported now, if any.
    pub(crate) fn drops_to_report(&mut self, now: Instant) -> Option<u64> {
        let due = self.reported_at.is_none_or(|last| now >= last + DROP_REPORT_EVERY);
        (self.unreported > 0 && due).then(|| {
            self.reported_at = Some(now);
            std::mem::take(&mut self.unreported)
        })
    }
}

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
        Shared {
            callbacks,
            pool: ChunkPool::new(chunk_bytes, queue_bytes),
            inner: Apart(Mutex::new(inner)),
            work: Condvar::new(),
            room: Condvar::new(),
            progress: Condvar::new(),
            delivery: Mutex::new(Delivery::new(sink, clock.now())),
            turns: Turns::new(),
            format_errors: AtomicU64::new(0),
            truncated: AtomicU64::new(0),
            born: process::forks(),
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
        inner.alarm = alarm;
        // What was allowed before may lead past it. Left to the next sender, this would have it
        // fetch from the worker's core what else is looked at: p99 of `send` 90 ns or 290.
        inner.allow();
        #[cfg(all(test, not(loom)))]
        {
            inner.asleep = Some(until);
        }
        let mut inner = self.clock.wait(&self.work, inner, until);
        inner.alarm = Alarm::NEVER;
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

    #[test]
    fn what_every_line_needs_stands_in_one_cache_line() {
        let lock = size_of::<Mutex<u64>>() - size_of::<u64>();
        let hot = lock + std::mem::offset_of!(Inner, queue) + Queue::HOT;
        assert!(hot <= crate::cache::LINE, "{hot} bytes");
        // Or the mark of an option would come before the chunk.
        assert_eq!(size_of::<Option<crate::chunk::Chunk>>(), size_of::<crate::chunk::Chunk>());
        assert_eq!(std::mem::offset_of!(Shared, inner) % align_of::<Apart<u8>>(), 0);
    }

    #[test]
    fn no_line_comes_in_unseen_behind_an_oversized_one_or_into_a_closed_queue() {
        let line = Line::new(b"a", crate::Severity::Info);
        let rig = crate::testing::Rig::without_worker(|_| {});
        let shared = &rig.shared;
        let mut inner = shared.lock();
        assert!(inner.queue.lay_in(shared.pool.get_ready()).is_none());
        assert!(!inner.queue.put(line), "nothing has been looked at");
        inner.accept(&shared.pool, line);
        assert!(inner.queue.put(line));
        let waiter = inner.begin_wait(true);
        assert!(!inner.queue.put(line));
        // The one who waits comes in, and leaves it so for others who do.
        inner.accept(&shared.pool, line);
        assert!(!inner.queue.put(line));
        assert!(inner.end_wait(&waiter, true));
        inner.accept(&shared.pool, line);
        assert!(inner.queue.put(line));
        shared.close(&mut inner);
        assert!(!inner.queue.put(line));
        assert_eq!((inner.queue.lines(), inner.queue.accepted()), (5, 5));
    }
}
