//! How a line gets into the queue: the sender's side, with the four policies.

use std::time::Duration;

use crate::axes::QueuePolicy;
use crate::chunk::Line;
use crate::clock;
use crate::error::SendError;
use crate::inner::Inner;
use crate::losses::BySeverity;
use crate::severity::Severity;
use crate::shared::Shared;
use crate::sync::MutexGuard;
use crate::thread_mark::ThreadMark;

/// How long a line from the worker's own thread makes no write due where the writer itself has no
/// interval to go by.
const ECHO_INTERVAL: Duration = Duration::from_millis(100);

/// As long as for ever, and still a moment that the clock can name.
const LONGEST_ECHO: Duration = Duration::from_secs(365 * 24 * 3600);

impl Shared {
    /// Offers a line to the queue; `Ok(false)` if the policy dropped it.
    ///
    /// The common way is short: one lock, a look at what is allowed, a copy.
    #[inline]
    pub(crate) fn admit(&self, line: Line<'_>) -> Result<bool, SendError> {
        let own_thread = ThreadMark::is_on(self);
        let mut inner = self.lock();
        if own_thread || !inner.queue.put(line) {
            return self.admit_rarely(inner, line, own_thread);
        }
        Ok(true)
    }

    /// Lets a line in for which there is room. The worker is woken after unlocking, so that it does
    /// not run into the lock.
    fn accept(&self, mut inner: MutexGuard<'_, Inner>, line: Line<'_>) {
        let rings = inner.accept(&self.pool, line);
        drop(inner);
        if rings {
            self.work.notify_one();
        }
    }

    #[cold]
    fn admit_rarely(
        &self,
        mut inner: MutexGuard<'_, Inner>,
        line: Line<'_>,
        own_thread: bool,
    ) -> Result<bool, SendError> {
        if inner.is_closed() {
            inner.count.rejected += 1;
            return Err(SendError::Closed);
        }
        let never_fits = inner.queue.never_fits(line.len());
        if own_thread {
            self.mark_echo(&mut inner);
        }
        if inner.admits(line.len()) {
            self.accept(inner, line);
            return Ok(true);
        }
        // A line that never fits says nothing about the room.
        if !never_fits {
            self.note_no_room(&mut inner, own_thread);
        }
        match self.config.queue_policy {
            QueuePolicy::Block if own_thread => {
                self.unmark_echo(&mut inner);
                inner.count.rejected += 1;
                Err(SendError::WouldBlock)
            }
            QueuePolicy::Block => self.wait_for_room(inner, line, never_fits),
            QueuePolicy::DropOldest if !never_fits => {
                let lines = inner.queue.evict_for(&self.pool, line.len());
                let evicted = lines.iter().sum::<u64>();
                inner.count.evicted += evicted;
                // Which of them were echoes is not known. An echo taken for another line is written
                // early; another line taken for an echo would have to wait.
                let echoes = inner.echoes.saturating_sub(evicted as usize);
                inner.echoes = echoes.max(usize::from(own_thread));
                let report = self.note_drops(&mut inner, &lines);
                self.accept(inner, line);
                self.report_drops(report);
                Ok(true)
            }
            QueuePolicy::DropOldest | QueuePolicy::DropNewest | QueuePolicy::Warn => {
                if own_thread {
                    self.unmark_echo(&mut inner);
                }
                Ok(self.refuse(inner, line.severity()))
            }
        }
    }

    /// Block: waits until the line fits, the writer closes, waiting is in vain, or the time is
    /// over. A line that never fits waits for the moment when the queue is empty, and nobody else
    /// is let in before it, except those who waited already when the last such line came in.
    fn wait_for_room(
        &self,
        mut inner: MutexGuard<'_, Inner>,
        line: Line<'_>,
        never_fits: bool,
    ) -> Result<bool, SendError> {
        let until = self
            .config
            .block_timeout
            .and_then(|timeout| clock::deadline(self.clock.now(), timeout));
        let waiter = inner.begin_wait(never_fits);
        let admitted = loop {
            if inner.is_closed() {
                inner.count.rejected += 1;
                break Err(SendError::Closed);
            }
            if inner.lets_in(&waiter, line.len()) {
                break Ok(true);
            }
            // Also for a sender that gives up at once: a full queue is written in every mode.
            if !inner.room_wanted {
                inner.room_wanted = true;
                self.work.notify_one();
            }
            if inner.in_vain.is_some() || until.is_some_and(|until| self.clock.now() >= until) {
                break Ok(false);
            }
            inner = self.clock.wait(&self.room, inner, until);
        };
        if inner.end_wait(&waiter, admitted == Ok(true)) {
            self.notify_room(&inner);
        }
        if !admitted? {
            return Ok(self.refuse(inner, line.severity()));
        }
        // Who waits on has asked for room before there was this line to write.
        let wanted = inner.room_wanted;
        self.accept(inner, line);
        if wanted {
            self.work.notify_one();
        }
        Ok(true)
    }

    /// Counts a refused line; returns `false` for the sender.
    pub(crate) fn refuse(&self, mut inner: MutexGuard<'_, Inner>, severity: Severity) -> bool {
        inner.count.refused += 1;
        let mut lines = BySeverity::default();
        lines[severity as usize] = 1;
        let report = self.note_drops(&mut inner, &lines);
        drop(inner);
        self.report_drops(report);
        false
    }

    fn note_no_room(&self, inner: &mut Inner, own_thread: bool) {
        inner.no_room = true;
        if !own_thread {
            // Echoes keep nobody out until their time is over: now they are as due as any line.
            (inner.echoes, inner.echoes_until) = (0, None);
        }
        if inner.alarm_rings_without_room() {
            self.work.notify_one();
        }
    }

    fn mark_echo(&self, inner: &mut Inner) {
        if inner.echoes == 0 {
            let interval = self.config.flush_interval.filter(|interval| !interval.is_zero());
            let interval = interval.unwrap_or(ECHO_INTERVAL).min(LONGEST_ECHO);
            inner.echoes_until = clock::deadline(self.clock.now(), interval);
        }
        inner.echoes += 1;
        inner.echoed += 1;
    }

    fn unmark_echo(&self, inner: &mut Inner) {
        inner.echoes -= 1;
        inner.echoed -= 1;
    }

    /// Notes dropped lines and returns how many are to be reported now, after unlocking.
    fn note_drops(&self, inner: &mut Inner, lines: &BySeverity) -> Option<u64> {
        let policy = self.config.queue_policy;
        let first = inner.note_losses(lines, policy, || self.clock.now());
        let mut remind = first && self.callbacks.marker.encoder().is_some();
        let mut report = None;
        if self.callbacks.hears_drops() {
            let first = inner.unreported == 0;
            inner.unreported += lines.iter().sum::<u64>();
            // Were it told of a line that it sends itself, it could call for itself for ever.
            if !ThreadMark::is_in_on_drop_of(self) {
                report = inner.drops_to_report(self.clock.now());
            }
            remind |= first && report.is_none();
        }
        if remind && !inner.no_room {
            // No take will follow to remind the worker of them.
            self.work.notify_one();
        }
        report
    }

    /// Tells `on_drop`, with no lock held.
    pub(crate) fn report_drops(&self, lines: Option<u64>) {
        let Some(lines) = lines else { return };
        {
            let _mark = ThreadMark::enter_on_drop(self);
            self.callbacks.dropped(lines);
        }
        // The callback may have forked.
        if !self.is_foreign() {
            self.end_drop_report();
        }
    }

    /// Lets the next report follow.
    pub(crate) fn end_drop_report(&self) {
        let mut inner = self.lock();
        inner.reporting = false;
        if inner.unreported > 0 && !inner.no_room {
            // It has not put an end to its sleep for these.
            self.work.notify_one();
        }
    }
}
