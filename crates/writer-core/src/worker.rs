//! The one background thread of a writer.
//!
//! A loop of two steps: find out what is to be done, sleeping while there is nothing; do it. When
//! to write is decided in [`crate::mode`], how in [`crate::delivery`], what follows from a write in
//! [`retry`], and what from the last one in [`end`].

mod end;
mod retry;

use std::sync::Arc;
use std::time::Instant;

use crate::error::{Operation, State};
use crate::inner::{Alarm, Inner};
use crate::losses::Losses;
use crate::mode::{Look, NAPS, Rhythm, Verdict};
use crate::process;
use crate::report::survives;
use crate::round::RoundEnd;
use crate::shared::Shared;
use crate::sync::lock;
use crate::thread_mark::ThreadMark;
use retry::Retry;

/// Runs the worker of `shared` until the writer is closed and drained.
pub(crate) fn run(shared: &Arc<Shared>, at_once: bool) {
    // For as long as the thread lives: a destructor of a thread-local that a callback left here
    // runs after this function, and must not wait for the end of its own thread either.
    std::mem::forget(ThreadMark::enter(&**shared));
    process::mark_thread();
    let mut worker = Worker {
        shared,
        rhythm: Rhythm::new(&shared.config, at_once, shared.clock.now()),
        seen: 0,
        naps: 0,
        held: false,
        unfinished: false,
        reopened: false,
        retry: None,
        syncing: None,
        diverted: false,
        idle_at: None,
    };
    // Sinks and callbacks are guarded one by one: a panic here is a fault of this crate. Nobody
    // may wait for ever because of it.
    let ended = survives(|| while worker.step() {});
    if !shared.is_foreign() {
        if !ended {
            shared.lock().state = State::Failed;
        }
        end::end(shared);
    }
}

enum Task {
    Write {
        forced: bool,
    },
    /// Serves the requests up to this ticket, whose lines are out.
    Sync(u64),
    /// Serves the requests up to this ticket.
    Reopen(u64),
    ReportDrops(u64),
    /// An episode of losses is over.
    Mark(Losses),
    Idle,
    End,
}

/// A sleep: what wakes the worker, and when it wakes by itself.
struct Sleep {
    alarm: Alarm,
    until: Option<Instant>,
}

struct Worker<'a> {
    shared: &'a Shared,
    rhythm: Rhythm,
    /// The arrivals at the last look.
    seen: u64,
    /// How many more naps it takes although no line comes.
    naps: u32,
    /// The sink holds back a remainder; the worker must not sleep on it.
    held: bool,
    /// After the last round a line was partly out, or taken and not flushed.
    unfinished: bool,
    /// The last thing that it did was to reopen the sink.
    reopened: bool,
    retry: Option<Retry>,
    /// The last ticket of the requests to sync that are served next, and up to which line. Those
    /// that come meanwhile are served after them: otherwise each would put off all before it.
    syncing: Option<(u64, u64)>,
    /// In the episode, lines go to the fallback as if nothing were wrong.
    diverted: bool,
    idle_at: Option<Instant>,
}

impl Worker<'_> {
    /// Does the next thing; `false` when it was the last.
    ///
    /// A child forked by a callback comes back here, with the parent's lines before it: it ends.
    fn step(&mut self) -> bool {
        if self.shared.is_foreign() {
            return false;
        }
        let task = self.next_task();
        self.reopened = matches!(task, Task::Reopen(_));
        match task {
            Task::Write { forced } => self.write(forced),
            Task::Sync(ticket) => lock(&self.shared.delivery).serve_syncs(self.shared, ticket),
            Task::Reopen(ticket) => self.reopen(ticket),
            Task::ReportDrops(lines) => self.shared.report_drops(Some(lines)),
            Task::Mark(losses) => self.mark(&losses),
            Task::Idle => self.idle(),
            Task::End => return false,
        }
        true
    }

    /// Sleeps until there is something to do.
    fn next_task(&mut self) -> Task {
        let shared = self.shared;
        let mut inner = shared.lock();
        loop {
            match self.look(&mut inner) {
                Ok(task) => return task,
                Err(sleep) => inner = shared.sleep(inner, sleep.alarm, sleep.until),
            }
        }
    }

    /// What is to be done now, or how to sleep.
    fn look(&mut self, inner: &mut Inner) -> Result<Task, Sleep> {
        let now = self.shared.clock.now();
        self.rhythm.reach(now);
        let Some(ticket) = inner.reopens.waiting() else { return self.look_further(inner, now) };
        if self.reopened
            && let Ok(task) = self.look_further(inner, now)
        {
            // Or callers that reopen without pause would hold up everything.
            return Ok(task);
        }
        // Also while writes fail: it may be what helps.
        Ok(Task::Reopen(ticket))
    }

    /// What is to be done now besides reopening.
    fn look_further(&mut self, inner: &mut Inner, now: Instant) -> Result<Task, Sleep> {
        if let Some(retry) = &mut self.retry
            && !self.diverted
        {
            // A loss marker alone is worth one try of a target that has failed for good.
            let has_lines = self.unfinished || !inner.queue.is_empty();
            let is_in_vain = inner.state == State::Failed && !has_lines;
            let give_up = inner.is_closed() && (inner.give_up || is_in_vain || retry.cut_off);
            return if give_up && retry.was_last {
                Ok(Task::End)
            } else if give_up || now >= retry.at {
                // The sink may work again since the last try: only one that fails now is given up.
                retry.was_last = give_up;
                Ok(Task::Write { forced: false })
            } else {
                Err(Sleep { alarm: Alarm::NEVER, until: Some(retry.at) })
            };
        }
        // Before the next write: under continuous load there is always one more.
        if let Some(ticket) = self.syncs_to_serve(inner) {
            return Ok(Task::Sync(ticket));
        }
        // Not before there is room again.
        if !inner.no_room
            && let Some(lines) = inner.drops_to_report(now)
        {
            return Ok(Task::ReportDrops(lines));
        }
        if self.marks()
            && inner.calm_at().is_some_and(|at| now >= at)
            && let Some(losses) = inner.take_losses()
        {
            return Ok(Task::Mark(losses));
        }
        let pending = !inner.queue.is_empty();
        let arrived = std::mem::replace(&mut self.seen, inner.arrivals()) != inner.arrivals();
        self.naps = if arrived { NAPS } else { self.naps.saturating_sub(1) };
        let look = look_at(inner, self.naps > 0);
        let verdict = self.rhythm.decide(&look, now);
        let demanded = inner.is_closed() || inner.flush_upto > inner.flushed;
        if self.held || verdict == Verdict::Write || (pending && demanded) {
            return Ok(Task::Write { forced: false });
        }
        if pending && (inner.room_wanted || self.rhythm.is_forced(&look, now)) {
            return Ok(Task::Write { forced: !self.rhythm.writes_when_full() });
        }
        if inner.is_closed() {
            let losses = if self.marks() { inner.take_losses() } else { None };
            return Ok(losses.map_or(Task::End, Task::Mark));
        }
        self.look_around(inner, now, verdict)
    }

    /// The last of the requests to sync whose lines are out.
    fn syncs_to_serve(&mut self, inner: &Inner) -> Option<u64> {
        if self.syncing.is_none() {
            self.syncing = inner.syncs.waiting().map(|ticket| (ticket, inner.sync_upto));
        }
        self.syncing.take_if(|(_, upto)| inner.flushed >= *upto).map(|(ticket, _)| ticket)
    }

    /// Whether losses are marked in the file.
    fn marks(&self) -> bool {
        self.shared.callbacks.marker.encoder().is_some()
    }

    /// The things that are done in no hurry, or else the sleep that the mode asks for.
    fn look_around(
        &mut self,
        inner: &mut Inner,
        now: Instant,
        verdict: Verdict,
    ) -> Result<Task, Sleep> {
        let mut until = match verdict {
            Verdict::Write => Some(now),
            Verdict::Nap(until) => Some(until),
            Verdict::Wait(until, _) => until,
        };
        let mut also_at = |at: Option<Instant>| {
            until = until.into_iter().chain(at).min();
        };
        if let Some(at) = inner.next_drop_report().filter(|_| !inner.no_room) {
            also_at(at);
        }
        if self.marks() {
            also_at(inner.calm_at());
        }
        // Who naps has lines, or expects some.
        if !matches!(verdict, Verdict::Nap(_)) {
            if self.idle_at.is_some_and(|at| now >= at) {
                self.idle_at = None;
                return Ok(Task::Idle);
            }
            also_at(self.idle_at);
        }
        self.rhythm.go_on();
        Err(Sleep { alarm: self.alarm(inner, verdict), until })
    }

    fn alarm(&self, inner: &Inner, verdict: Verdict) -> Alarm {
        let queue = &inner.queue;
        if !self.rhythm.wakes_when_full() {
            return Alarm::NEVER;
        }
        if !self.rhythm.writes_when_full() {
            return Alarm { lines: queue.max_lines(), bytes: queue.max_bytes(), no_room: false };
        }
        let (half, half_bytes) = (queue.half_lines(), queue.half_bytes());
        let lines = match verdict {
            Verdict::Wait(_, lines) => lines,
            _ if queue.lines() < half => half,
            // A queue that is half full and not due has a batch larger than that.
            _ => usize::MAX,
        };
        let bytes = match verdict {
            Verdict::Nap(_) if queue.bytes() < half_bytes => half_bytes,
            _ => queue.max_bytes(),
        };
        Alarm { lines: lines.min(queue.max_lines()), bytes, no_room: true }
    }

    fn write(&mut self, forced: bool) {
        let shared = self.shared;
        self.rhythm.go_on();
        if forced {
            shared.lock().count.forced_flushes += 1;
        }
        let now = shared.clock.now();
        let rhythm = &self.rhythm;
        // A retry that held back would look like a success, and the episode like two.
        let retrying = self.retry.is_some();
        let mut delivery = lock(&shared.delivery);
        let round = delivery.round(shared, |inner| {
            let demanded =
                inner.is_closed() || inner.flush_upto > inner.flushed || inner.room_wanted;
            !demanded
                && !retrying
                && !rhythm.interval_over(now)
                && rhythm.decide(&look_at(inner, false), now) == Verdict::Write
        });
        if matches!(round.end, RoundEnd::Clean) {
            // Lines that came during a slow round wait since its beginning, not since its end.
            self.rhythm.flushed(now);
        }
        self.settle(round, delivery);
    }

    /// Puts a line about losses into the file. What waits in the queue stays as due as it was.
    fn mark(&mut self, losses: &Losses) {
        let marker = self.shared.callbacks.marker_line(losses);
        // The code that makes the line may fork, like any callback.
        if !marker.is_empty() && !self.shared.is_foreign() {
            let mut delivery = lock(&self.shared.delivery);
            let round = delivery.mark(self.shared, marker);
            self.settle(round, delivery);
        }
    }

    fn idle(&mut self) {
        let result = {
            let mut delivery = lock(&self.shared.delivery);
            delivery.idle(self.shared)
        };
        if let Err(error) = result {
            self.shared.report_failure(Operation::Idle, error);
        }
    }
}

/// What the mode needs to know of the queue.
fn look_at(inner: &Inner, busy: bool) -> Look {
    Look {
        lines: inner.queue.lines(),
        echoes: inner.echoes,
        echoes_until: inner.echoes_until,
        busy,
        full: inner.no_room || inner.queue.is_full(),
        eighth_full: inner.queue.is_eighth_full(),
        triggered: inner.triggered,
    }
}
