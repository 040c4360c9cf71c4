//! A writer over a sink and a clock that a test holds in its hands.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io;
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::chunk::Line;
use crate::clock::{Clock, ManualClock};
use crate::config::Config;
use crate::inner::Inner;
use crate::mode::NAPS;
use crate::report::Callbacks;
use crate::shared::Shared;
use crate::{Metrics, SendError, Severity, Sink, State, worker};

pub(crate) const MS: Duration = Duration::from_millis(1);
pub(crate) const SEC: Duration = Duration::from_secs(1);

/// How long a test waits for another thread before it fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the sink does, and what it has seen.
#[derive(Default)]
pub(crate) struct Script {
    pub(crate) out: Vec<u8>,
    /// Calls of `write`, counted when they begin.
    pub(crate) calls: usize,
    /// How many more bytes it takes before every write fails.
    pub(crate) room: Option<usize>,
    pub(crate) flush_fails: bool,
    /// Every write panics.
    pub(crate) panics: bool,
    /// A write panics where it would fail.
    pub(crate) panics_when_full: bool,
    /// How many more writes are interrupted.
    pub(crate) interrupts: usize,
    /// A write waits until this is false again.
    pub(crate) gate: bool,
    /// How many writes pass the gate all the same.
    pub(crate) passes: usize,
    /// Of each write that has passed it, whether more lines waited.
    pub(crate) more_waited: Vec<bool>,
    /// Takes nothing of less than this while more waits.
    pub(crate) block: usize,
    pub(crate) wants_idle: bool,
    pub(crate) idles: usize,
    /// Every tidying up fails.
    pub(crate) idle_fails: bool,
    pub(crate) syncs: usize,
    /// Every sync fails like this.
    pub(crate) sync_fails: Option<io::ErrorKind>,
    /// The close fails like this.
    pub(crate) close_fails: Option<io::ErrorKind>,
}

#[derive(Default)]
pub(crate) struct Probe {
    script: Mutex<Script>,
    changed: Condvar,
}

impl Probe {
    pub(crate) fn script<T>(&self, change: impl FnOnce(&mut Script) -> T) -> T {
        let result = change(&mut self.script.lock().unwrap());
        self.changed.notify_all();
        result
    }

    pub(crate) fn text(&self) -> String {
        self.script(|script| String::from_utf8(script.out.clone()).unwrap())
    }
}

pub(crate) struct ProbeSink(pub(crate) Arc<Probe>);

impl Sink for ProbeSink {
    fn write(&mut self, lines: &[u8], more_waiting: bool) -> io::Result<usize> {
        let mut script = self.0.script.lock().unwrap();
        script.calls += 1;
        self.0.changed.notify_all();
        while script.gate && script.passes == 0 {
            script = self.0.changed.wait(script).unwrap();
        }
        script.passes = script.passes.saturating_sub(1);
        script.more_waited.push(more_waiting);
        if script.panics {
            drop(script);
            panic!("on purpose");
        }
        if script.interrupts > 0 {
            script.interrupts -= 1;
            return Err(io::ErrorKind::Interrupted.into());
        }
        if more_waiting && lines.len() < script.block {
            return Ok(0);
        }
        let taken = lines.len().min(script.room.unwrap_or(usize::MAX));
        if taken == 0 {
            if script.panics_when_full {
                drop(script);
                panic!("on purpose");
            }
            return Err(io::ErrorKind::StorageFull.into());
        }
        if let Some(room) = &mut script.room {
            *room -= taken;
        }
        script.out.extend_from_slice(&lines[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.0.script(|script| script.flush_fails) {
            true => Err(io::ErrorKind::StorageFull.into()),
            false => Ok(()),
        }
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.script(|script| {
            script.syncs += 1;
            script.sync_fails.map_or(Ok(()), |kind| Err(kind.into()))
        })
    }

    fn close(&mut self) -> io::Result<()> {
        self.0.script(|script| script.close_fails.map_or(Ok(()), |kind| Err(kind.into())))
    }

    fn wants_idle(&self) -> bool {
        self.0.script(|script| script.wants_idle)
    }

    fn idle(&mut self) -> io::Result<()> {
        self.0.script(|script| {
            script.idles += 1;
            if script.idle_fails { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
        })
    }
}

/// What the callbacks were told.
#[derive(Default)]
pub(crate) struct Heard {
    pub(crate) written: usize,
    pub(crate) errors: Vec<State>,
    pub(crate) drops: Vec<u64>,
    pub(crate) recovered: Vec<u64>,
}

type Extra = Arc<Mutex<Option<Box<dyn Fn() + Send>>>>;

pub(crate) struct Rig {
    pub(crate) shared: Arc<Shared>,
    pub(crate) probe: Arc<Probe>,
    pub(crate) heard: Arc<Mutex<Heard>>,
    /// Runs in `on_write`.
    pub(crate) on_write: Extra,
    worker: Option<JoinHandle<()>>,
}

impl Shared {
    /// Moves the clock and has everyone look at it.
    pub(crate) fn advance(&self, by: Duration) {
        let _inner = self.lock();
        match &self.clock {
            Clock::Manual(clock) => clock.advance(by),
            Clock::System => unreachable!(),
        }
        self.work.notify_all();
        self.room.notify_all();
        self.progress.notify_all();
    }
}

impl Rig {
    /// A writer with a worker that is asleep.
    pub(crate) fn new(change: impl FnOnce(&mut Config)) -> Rig {
        Rig::without_worker(change).work(false)
    }

    /// One for which every line is due at once.
    #[cfg(not(windows))]
    pub(crate) fn at_once(change: impl FnOnce(&mut Config)) -> Rig {
        Rig::without_worker(change).work(true)
    }

    fn work(mut self, at_once: bool) -> Rig {
        let shared = Arc::clone(&self.shared);
        self.worker = Some(std::thread::spawn(move || worker::run(&shared, at_once)));
        self.quiet();
        self
    }

    pub(crate) fn without_worker(change: impl FnOnce(&mut Config)) -> Rig {
        let mut config = Config::default();
        change(&mut config);
        let probe = Arc::new(Probe::default());
        let heard = Arc::new(Mutex::new(Heard::default()));
        let on_write: Extra = Extra::default();
        let callbacks = callbacks(&heard, &on_write);
        let clock = Clock::Manual(ManualClock::new());
        let sink = Box::new(ProbeSink(Arc::clone(&probe)));
        let shared = Arc::new(Shared::new(
            config,
            clock,
            Arc::new(callbacks),
            sink,
            crate::Reopened::default(),
        ));
        Rig { shared, probe, heard, on_write, worker: None }
    }

    /// Waits until the worker sleeps, has done with its naps, and knows everything that this thread
    /// has done; returns when it wakes by itself, counted from now.
    pub(crate) fn quiet(&self) -> Option<Duration> {
        for _ in 0..=NAPS {
            {
                let mut inner = self.shared.lock();
                inner.asleep = None;
                self.shared.work.notify_one();
            }
            self.until(|inner| inner.asleep.is_some());
        }
        let until = self.shared.lock().asleep.unwrap();
        until.map(|until| until - self.shared.clock.now())
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.shared.advance(by);
        self.quiet();
    }

    pub(crate) fn until(&self, done: impl Fn(&Inner) -> bool) {
        let start = Instant::now();
        while !done(&self.shared.lock()) {
            assert!(start.elapsed() < PATIENCE, "nothing happens");
            std::thread::yield_now();
        }
    }

    /// Waits until the sink is in its `calls`-th call of `write`.
    pub(crate) fn until_call(&self, calls: usize) {
        self.until(|_| self.probe.script(|script| script.calls >= calls));
    }

    pub(crate) fn send(&self, text: &str) -> Result<bool, SendError> {
        send(&self.shared, text)
    }

    pub(crate) fn metrics(&self) -> Metrics {
        let m = self.shared.metrics();
        assert!(m.queue_len as u64 <= m.pending && m.queue_len <= m.high_water, "{m:?}");
        m
    }

    pub(crate) fn errors(&self) -> Vec<State> {
        self.heard.lock().unwrap().errors.clone()
    }

    pub(crate) fn drops(&self) -> Vec<u64> {
        self.heard.lock().unwrap().drops.clone()
    }

    /// Runs `call` in a thread of its own.
    pub(crate) fn spawn<T: Send + 'static>(
        &self,
        call: impl FnOnce(&Shared) -> T + Send + 'static,
    ) -> JoinHandle<T> {
        let shared = Arc::clone(&self.shared);
        std::thread::spawn(move || call(&shared))
    }
}

pub(crate) fn send(shared: &Shared, text: &str) -> Result<bool, SendError> {
    let line = Line::new(text.as_bytes(), Severity::Info);
    if shared.config.synchronous { shared.send_now(line) } else { shared.admit(line) }
}

fn callbacks(heard: &Arc<Mutex<Heard>>, on_write: &Extra) -> Callbacks {
    let (of_write, of_error, of_drop) = (Arc::clone(heard), Arc::clone(heard), Arc::clone(heard));
    let (extra, of_recover) = (Arc::clone(on_write), Arc::clone(heard));
    Callbacks {
        on_write: Some(Box::new(move |lines| {
            of_write.lock().unwrap().written += lines;
            if let Some(extra) = &*extra.lock().unwrap() {
                extra();
            }
        })),
        on_error: Some(Box::new(move |error| of_error.lock().unwrap().errors.push(error.state))),
        on_recover: Some(Box::new(move |lines| of_recover.lock().unwrap().recovered.push(lines))),
        on_drop: Some(Box::new(move |lines| of_drop.lock().unwrap().drops.push(lines))),
        ..Callbacks::default()
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        let Some(worker) = self.worker.take() else { return };
        *self.on_write.lock().unwrap() = None;
        self.probe.script(|script| {
            script.gate = false;
            script.room = None;
        });
        {
            let mut inner = self.shared.lock();
            inner.give_up = true;
            self.shared.close(&mut inner);
        }
        if !std::thread::panicking() {
            worker.join().unwrap();
            let m = self.metrics();
            let heard = self.heard.lock().unwrap();
            assert_eq!((m.pending, m.dropped), (0, heard.drops.iter().sum()));
            assert_eq!(m.written, heard.written as u64);
            // Unless some of what was written went elsewhere, or came from elsewhere.
            if m.lost + m.diverted + m.markers == 0 {
                assert_eq!(m.written, self.probe.text().matches('\n').count() as u64);
            }
        }
    }
}
