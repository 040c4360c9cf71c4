//! What the lock of a writer protects: the queue, what is counted, who waits for what, and who comes in
//! first.

use std::io;
use std::time::{Duration, Instant};

use crate::chunk::{ChunkPool, Line};
use crate::config::Config;
use crate::error::State;
use crate::losses::Episode;
use crate::metrics::Counters;
use crate::queue::Queue;
use crate::round::{Failure, Untold};
use crate::tickets::Tickets;

/// The least time between two reports of dropped lines.
const DROP_REPORT_EVERY: Duration = Duration::from_secs(1);

/// What the lock protects.
///
/// What every accepted line needs comes first and stands in one cache line with the lock itself.
/// Where senders run on several cores, that line goes from core to core for each line.
#[derive(Default)]
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
    /// A shutdown has returned what came of it.
    pub(crate) end_told: bool,
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
    pub(crate) syncs: Tickets,
    /// The highest sequence number that a request to sync covers.
    pub(crate) sync_upto: u64,
    /// All lines up to this sequence number are durable.
    pub(crate) durable: u64,
    pub(crate) reopens: Tickets,
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
    reported_at: Option<Instant>,
    /// A thread is about to tell it, or in the middle of that: no other follows, for where stderr
    /// or a callback holds one up it would hold up one a second.
    pub(crate) reporting: bool,
    /// Dropped lines that no loss marker has told of.
    pub(crate) episode: Option<Episode>,
    /// Without a worker: what callbacks have not heard of.
    pub(crate) untold: Untold,
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

impl Default for Alarm {
    fn default() -> Self {
        Alarm::NEVER
    }
}

impl Inner {
    pub(crate) fn new(config: &Config) -> Self {
        Inner {
            // Without a worker the queue is only the way from the sender to its own write.
            queue: match config.synchronous {
                true => Queue::default(),
                false => Queue::new(config.max_queue_size, config.max_queue_bytes),
            },
            ..Inner::default()
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
            self.clear_alarm();
        }
        self.allow();
        rings
    }

    /// Sets the alarm, for a worker that goes to sleep.
    pub(crate) fn set_alarm(&mut self, alarm: Alarm) {
        self.alarm = alarm;
        // What was allowed before may lead past it. Left to the next sender, this would have it
        // fetch from the worker's core what else is looked at: p99 of `send` 90 ns or 290.
        self.allow();
    }

    /// Takes it back, for a worker that is awake.
    pub(crate) fn clear_alarm(&mut self) {
        self.alarm = Alarm::NEVER;
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

    /// When the next report of dropped lines is due, if there is something to report and nobody is
    /// at it; `Some(None)` = now.
    pub(crate) fn next_drop_report(&self) -> Option<Option<Instant>> {
        let waits = self.unreported > 0 && !self.reporting;
        waits.then(|| self.reported_at.map(|last| last + DROP_REPORT_EVERY))
    }

    /// Takes the number of dropped lines that may be reported now, if any, for
    /// [`report_drops`](crate::shared::Shared::report_drops).
    pub(crate) fn drops_to_report(&mut self, now: Instant) -> Option<u64> {
        let due = self.next_drop_report()?.is_none_or(|at| now >= at);
        due.then(|| {
            (self.reported_at, self.reporting) = (Some(now), true);
            std::mem::take(&mut self.unreported)
        })
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

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
