//! What a writer counts.

use crate::error::State;
use crate::io::Reopened;

/// A consistent snapshot of a writer's counters, all in lines unless said otherwise.
///
/// In every snapshot, also while lines are under way:
///
/// ```text
/// sent     = enqueued + refused + rejected
/// enqueued = written + evicted + lost + pending
/// dropped  = refused + evicted
/// ```
///
/// `sent`, `dropped` and `pending` are worked out from the others by these lines. To check them
/// from outside, compare with what `send` returned: `Ok(true)` is enqueued, `Ok(false)` refused, an
/// error rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Metrics {
    /// Lines offered, counted when the call returns; each line of a `send_batch` by itself.
    pub sent: u64,
    /// Accepted into the queue.
    pub enqueued: u64,
    /// Handed over to the target with their newline.
    pub written: u64,
    /// Not taken because the queue was full.
    pub refused: u64,
    /// Pushed out of the queue by newer lines.
    pub evicted: u64,
    /// Sent after close, in a forked child without a writer of its own, on the worker's own thread
    /// with a full queue under Block, or by the sink of a writer without worker.
    pub rejected: u64,
    /// Accepted and given up, because the sink failed until the end or panicked.
    pub lost: u64,
    /// `refused + evicted`.
    pub dropped: u64,
    /// Accepted and neither written nor evicted nor lost yet.
    pub pending: u64,
    /// Written to the fallback instead of the target; a part of `written`.
    pub diverted: u64,
    /// Attempts to write or flush that failed, or in which the sink panicked.
    pub errors: u64,
    /// Bytes handed over to the target.
    pub bytes_written: u64,
    /// Rounds of writes that ended with nothing held back.
    pub flush_count: u64,
    /// Returns of the worker from a wait.
    pub wake_count: u64,
    /// Writes in Loop or Manual made only because a sender waited for room, or in Manual, under
    /// [`Block`](crate::QueuePolicy::Block), because the queue was full.
    pub forced_flushes: u64,
    /// Lines waiting in the queue.
    pub queue_len: usize,
    /// Bytes waiting in the queue.
    pub queue_bytes: usize,
    /// The most lines that ever waited in the queue at once.
    pub high_water: usize,
    /// Lines about losses that the writer itself put into the file.
    pub markers: u64,
    /// Fragments of lines that were found and closed with a newline: at the end of a file when it
    /// was opened, or of a mapped one that others had changed. And those left in a file when the
    /// writer went over to another.
    pub torn_lines: u64,
    /// Bytes of a NUL tail that were cut when a file was opened, or others had changed one that is
    /// mapped.
    pub recovered_nul_bytes: u64,
    /// How often the writer went over to another file at its path, opened a failing one anew, or
    /// began a line anew because somebody had cut the file inside it or written behind its front.
    pub reopened: u64,
    /// Values that failed or panicked while an adapter formatted them.
    pub format_errors: u64,
    /// Records that an adapter cut because they were too long.
    pub truncated: u64,
    /// Panics of callbacks, all caught.
    pub callback_panics: u64,
    /// How the sink is doing.
    pub state: State,
}

/// The counters that move under the queue's lock.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counters {
    pub(crate) written: u64,
    pub(crate) refused: u64,
    pub(crate) evicted: u64,
    pub(crate) rejected: u64,
    pub(crate) lost: u64,
    pub(crate) diverted: u64,
    pub(crate) errors: u64,
    pub(crate) bytes_written: u64,
    pub(crate) flush_count: u64,
    pub(crate) wake_count: u64,
    pub(crate) forced_flushes: u64,
    pub(crate) torn_lines: u64,
    pub(crate) recovered_nul_bytes: u64,
    pub(crate) reopened: u64,
    pub(crate) markers: u64,
}

impl Counters {
    /// Notes what was found at the end of a file that was opened.
    pub(crate) fn found(&mut self, found: Reopened) {
        self.torn_lines += found.torn_lines;
        self.recovered_nul_bytes += found.recovered_nul_bytes;
    }

    /// Lines that have come to an end after they were accepted.
    pub(crate) fn settled(&self) -> u64 {
        self.written + self.evicted + self.lost
    }

    /// The public view, with so many lines accepted; what is not counted here stays zero.
    pub(crate) fn snapshot(&self, enqueued: u64) -> Metrics {
        Metrics {
            sent: enqueued + self.refused + self.rejected,
            enqueued,
            written: self.written,
            refused: self.refused,
            evicted: self.evicted,
            rejected: self.rejected,
            lost: self.lost,
            dropped: self.refused + self.evicted,
            pending: enqueued - self.settled(),
            diverted: self.diverted,
            errors: self.errors,
            bytes_written: self.bytes_written,
            flush_count: self.flush_count,
            wake_count: self.wake_count,
            forced_flushes: self.forced_flushes,
            torn_lines: self.torn_lines,
            recovered_nul_bytes: self.recovered_nul_bytes,
            reopened: self.reopened,
            markers: self.markers,
            ..Metrics::default()
        }
    }
}
