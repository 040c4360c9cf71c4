//! When the worker wakes and writes: pure decisions, one arm per mode.
//!
//! What every mode has in common (flush, sync, shutdown, a sender that waits for room) is decided
//! by the worker before it asks here.

use std::time::{Duration, Instant};

use crate::axes::Mode;
use crate::config::Config;

/// The longest nap of a worker that has traffic. A napping worker is woken only when the queue is
/// half full, so a steady stream pays no wake-up per line.
const NAP: Duration = Duration::from_millis(1);

/// How long lines that came during a write and are due wait for others. Linux makes some 75 us of
/// it.
///
/// Without it a worker under load would write again at once, half as much as before, and again,
/// until a batch is as small as it may be: the figures are in docs/design.md. Where more than an
/// eighth of the queue is full it does so: a small queue would fill up while it sleeps.
pub(crate) const GATHER: Duration = Duration::from_micros(20);

/// How many looks in a row must find no new line before the worker stops napping. Bursts that are a
/// few milliseconds apart, or lines that come one by one, then pay no wake-up either: it would take
/// the caller 5 to 10 us instead of 50 ns.
pub(crate) const NAPS: u32 = 4;

/// What the worker sees when it looks at the queue.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Look {
    /// Lines in the queue.
    pub(crate) lines: usize,
    /// Those among them that were sent on the worker's own thread and are younger than one flush
    /// interval: they make no write due. There are none where a line from elsewhere found no room.
    pub(crate) echoes: usize,
    /// When the echoes become lines like any other.
    pub(crate) echoes_until: Option<Instant>,
    /// Whether lines came since one of the last [`NAPS`] looks.
    pub(crate) busy: bool,
    /// Whether the queue has no room, or had none for a line since the last take.
    pub(crate) full: bool,
    /// Whether the queue is at least an eighth full.
    pub(crate) eighth_full: bool,
    /// Whether a trigger waits (only in [`Mode::Manual`]).
    pub(crate) triggered: bool,
}

/// What to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Take what is there and write it.
    Write,
    /// Sleep until then, or until the queue is half full.
    Nap(Instant),
    /// Sleep until then, or until the queue holds so many lines.
    Wait(Option<Instant>, usize),
}

/// A mode with its settings, and the moments it counts from.
#[derive(Debug, Clone)]
pub(crate) struct Rhythm {
    mode: Mode,
    batch: usize,
    interval: Option<Duration>,
    tick: Duration,
    naps: bool,
    /// A full queue is a trigger, where only triggers are a reason to write: the next sender would
    /// wait.
    full_triggers: bool,
    last_flush: Instant,
    /// `None` = beyond the end of the clock.
    next_tick: Option<Instant>,
    at_tick: bool,
    /// Whether due lines that came during a write wait for others.
    gathers: bool,
    /// A write has ended, and the worker has not slept since.
    wrote: bool,
}

impl Rhythm {
    /// The rhythm that `config` asks for; `now` counts as a flush. `at_once` makes every line due
    /// in [`Mode::Trigger`], without naps.
    pub(crate) fn new(config: &Config, at_once: bool, now: Instant) -> Self {
        let at_once = at_once && config.mode == Mode::Trigger;
        Rhythm {
            mode: config.mode,
            batch: if config.batch_size == 0 { usize::MAX } else { config.batch_size },
            interval: if at_once { Some(Duration::ZERO) } else { config.flush_interval },
            tick: config.tick,
            naps: !at_once,
            full_triggers: config.mode == Mode::Manual && config.queue_policy.waits(),
            last_flush: now,
            next_tick: now.checked_add(config.tick),
            at_tick: false,
            // In the models no time passes, and on Windows the shortest sleep takes 1 to 16 ms.
            gathers: config.mode == Mode::Trigger && cfg!(not(any(loom, windows))),
            wrote: false,
        }
    }

    /// Notes a round that ended with nothing held back.
    pub(crate) fn flushed(&mut self, now: Instant) {
        self.last_flush = now;
        self.wrote = true;
    }

    /// Notes that the worker goes on to write or to sleep: a tick serves one look.
    pub(crate) fn go_on(&mut self) {
        self.at_tick = false;
        self.wrote = false;
    }

    /// Notes the time: reaches a tick, and skips those that were missed.
    pub(crate) fn reach(&mut self, now: Instant) {
        let Some(tick) = self.next_tick.filter(|&tick| self.mode == Mode::Loop && tick <= now)
        else {
            return;
        };
        self.at_tick = true;
        let late = (now - tick).as_nanos() % self.tick.as_nanos().max(1);
        let late = Duration::from_nanos(u64::try_from(late).unwrap_or(0));
        self.next_tick = (now - late).checked_add(self.tick);
    }

    /// Whether the interval since the last flush is over, so that nothing may be held back.
    pub(crate) fn interval_over(&self, now: Instant) -> bool {
        self.interval_end().is_some_and(|end| end <= now)
    }

    /// Whether a full queue is a reason to write, as far as the mode is concerned.
    pub(crate) fn writes_when_full(&self) -> bool {
        self.mode == Mode::Trigger
    }

    /// Whether the line that fills the queue must wake the worker.
    pub(crate) fn wakes_when_full(&self) -> bool {
        self.writes_when_full() || self.full_triggers
    }

    /// Whether the queue is so full that it is written although the mode has no reason to.
    pub(crate) fn is_forced(&self, look: &Look, now: Instant) -> bool {
        self.full_triggers && look.full && due_lines(look, now) > 0
    }

    fn interval_end(&self) -> Option<Instant> {
        self.interval.and_then(|interval| self.last_flush.checked_add(interval))
    }

    /// What to do now.
    pub(crate) fn decide(&self, look: &Look, now: Instant) -> Verdict {
        let due_lines = due_lines(look, now);
        match self.mode {
            Mode::Trigger => self.decide_trigger(look, due_lines, now),
            Mode::Loop => self.decide_loop(look, due_lines, now),
            Mode::Manual if look.triggered && look.lines > 0 => Verdict::Write,
            Mode::Manual => Verdict::Wait(None, usize::MAX),
        }
    }

    fn decide_trigger(&self, look: &Look, due_lines: usize, now: Instant) -> Verdict {
        if due_lines > 0 && (look.full || due_lines >= self.batch || self.interval_over(now)) {
            if self.gathers && self.wrote && !look.full && !look.eighth_full {
                return Verdict::Nap(now.checked_add(GATHER).unwrap_or(now));
            }
            return Verdict::Write;
        }
        let end = if due_lines > 0 { self.interval_end() } else { None };
        if look.busy && self.naps {
            let nap = now.checked_add(NAP).unwrap_or(now);
            return Verdict::Nap(end.map_or(nap, |end| end.min(nap)));
        }
        if due_lines > 0 {
            let echoes = look.lines - due_lines;
            // Then they count like any other.
            let grown = if echoes > 0 { look.echoes_until } else { None };
            let until = end.into_iter().chain(grown).min();
            return Verdict::Wait(until, self.batch.saturating_add(echoes));
        }
        let until = if look.lines > 0 { look.echoes_until } else { None };
        Verdict::Wait(until, look.lines.saturating_add(1))
    }

    fn decide_loop(&self, look: &Look, due_lines: usize, now: Instant) -> Verdict {
        let every_tick = self.interval.is_some_and(|interval| self.tick >= interval);
        let due = look.full || due_lines >= self.batch || every_tick || self.interval_over(now);
        if self.at_tick && due_lines > 0 && due {
            return Verdict::Write;
        }
        Verdict::Wait(self.next_tick, usize::MAX)
    }
}

/// The lines that are not young echoes.
fn due_lines(look: &Look, now: Instant) -> usize {
    let young = look.echoes_until.is_some_and(|until| now < until);
    if young { look.lines.saturating_sub(look.echoes) } else { look.lines }
}

#[cfg(test)]
#[path = "mode_tests.rs"]
mod tests;
