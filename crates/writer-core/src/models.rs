//! Models of the hand-over between senders, waiters and the worker, explored by loom: every
//! interleaving within the bound on preemptions. Timeouts never fire, so a wake-up that is lost
//! shows as a deadlock.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io;
use std::sync::{Arc, Mutex as StdMutex};
use std::time::Duration;

use loom::thread;

use crate::chunk::Line;
use crate::clock::{Clock, ManualClock};
use crate::config::Config;
use crate::report::Callbacks;
use crate::shared::Shared;
use crate::sync::{Condvar, Mutex, lock};
use crate::{Mode, QueuePolicy, SendError, Severity, ShutdownError, Sink, worker};

const FOREVER: Duration = Duration::MAX;

/// What has reached the sink, for a thread that waits for it without asking the writer.
#[derive(Default)]
struct Out {
    lines: Mutex<Vec<u8>>,
    came: Condvar,
}

impl Out {
    fn wait_for(&self, bytes: usize) {
        let mut lines = lock(&self.lines);
        while lines.len() < bytes {
            lines = self.came.wait(lines).unwrap();
        }
    }

    fn has(&self, line: &str) -> bool {
        let lines = lock(&self.lines);
        lines.split(|&byte| byte == b'\n').any(|written| written == line.as_bytes())
    }
}

/// Loom's objects must be made inside the model.
struct OutSink(Arc<Out>);

impl Sink for OutSink {
    fn write(&mut self, lines: &[u8], _more_waiting: bool) -> io::Result<usize> {
        lock(&self.0.lines).extend_from_slice(lines);
        self.0.came.notify_one();
        Ok(lines.len())
    }
}

/// A sink with a plain lock: one loom object less to explore.
struct PlainSink(Arc<StdMutex<String>>);

impl Sink for PlainSink {
    fn write(&mut self, lines: &[u8], _more_waiting: bool) -> io::Result<usize> {
        self.0.lock().unwrap().push_str(std::str::from_utf8(lines).unwrap());
        Ok(lines.len())
    }
}

struct SyncingSink(PlainSink);

impl Sink for SyncingSink {
    fn write(&mut self, lines: &[u8], more_waiting: bool) -> io::Result<usize> {
        self.0.write(lines, more_waiting)
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct FailingSink;

impl Sink for FailingSink {
    fn write(&mut self, _lines: &[u8], _more_waiting: bool) -> io::Result<usize> {
        Err(io::ErrorKind::StorageFull.into())
    }
}

fn shared(change: impl FnOnce(&mut Config), sink: impl Sink + 'static) -> Arc<Shared> {
    let mut config = Config { batch_size: 0, flush_interval: None, ..Config::default() };
    change(&mut config);
    let clock = Clock::Manual(ManualClock::new());
    let callbacks = Callbacks { on_error: Some(Box::new(|_| {})), ..Callbacks::default() };
    Arc::new(Shared::new(
        config,
        clock,
        Arc::new(callbacks),
        Box::new(sink),
        crate::Reopened::default(),
    ))
}

fn start(shared: &Arc<Shared>, at_once: bool) -> thread::JoinHandle<()> {
    let shared = Arc::clone(shared);
    thread::spawn(move || worker::run(&shared, at_once))
}

fn send(shared: &Shared, text: &str) -> Result<bool, SendError> {
    shared.admit(Line::new(text.as_bytes(), Severity::Info))
}

fn trigger(shared: &Shared) {
    let mut inner = shared.lock();
    inner.triggered = true;
    shared.work.notify_one();
}

fn explore(preemptions: usize, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    // The environment may ask for more or less.
    builder.preemption_bound = builder.preemption_bound.or(Some(preemptions));
    builder.max_branches = 100_000;
    let (runs, start) =
        (Arc::new(std::sync::atomic::AtomicUsize::new(0)), std::time::Instant::now());
    let counted = Arc::clone(&runs);
    builder.check(move || {
        counted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        model();
    });
    let runs = runs.load(std::sync::atomic::Ordering::Relaxed);
    let mut stderr = io::stderr();
    io::Write::write_fmt(
        &mut stderr,
        format_args!("{runs} interleavings, {:?}\n", start.elapsed()),
    )
    .unwrap();
}

/// The counters of a writer that has ended, with nothing under way.
fn ended(shared: &Shared) -> crate::Metrics {
    let m = shared.metrics();
    assert_eq!((m.pending, m.queue_len), (0, 0));
    m
}

#[test]
fn every_line_is_written_without_anyone_asking() {
    explore(3, || {
        let out = Arc::new(Out::default());
        let shared = shared(|_| {}, OutSink(Arc::clone(&out)));
        let worker = start(&shared, true);
        let other = Arc::clone(&shared);
        let sender = thread::spawn(move || assert_eq!(send(&other, "a"), Ok(true)));
        assert_eq!(send(&shared, "b"), Ok(true));
        out.wait_for(4);
        sender.join().unwrap();
        shared.shutdown(FOREVER).unwrap();
        worker.join().unwrap();
        assert_eq!(ended(&shared).written, 2);
    });
}

fn blocked_senders_are_woken(capacity: usize, mode: Mode) {
    explore(3, move || {
        let out = Arc::new(StdMutex::new(String::new()));
        let change = |c: &mut Config| {
            (c.max_queue_size, c.mode, c.tick) = (capacity, mode, Duration::MAX);
        };
        let shared = shared(change, PlainSink(Arc::clone(&out)));
        let worker = start(&shared, false);
        let other = Arc::clone(&shared);
        let sender = thread::spawn(move || {
            assert_eq!(send(&other, "a"), Ok(true));
            assert_eq!(send(&other, "b"), Ok(true));
        });
        assert_eq!(send(&shared, "c"), Ok(true));
        sender.join().unwrap();
        shared.shutdown(FOREVER).unwrap();
        worker.join().unwrap();
        let m = ended(&shared);
        assert_eq!((m.written, m.refused), (3, 0));
        assert!(m.high_water <= capacity);
        let out = out.lock().unwrap();
        assert!(out.find('a') < out.find('b'));
    });
}

#[test]
fn blocked_senders_are_woken_by_trigger_with_room_for_one() {
    blocked_senders_are_woken(1, Mode::Trigger);
}

#[test]
fn blocked_senders_are_woken_by_manual_with_room_for_one() {
    blocked_senders_are_woken(1, Mode::Manual);
}

#[test]
fn blocked_senders_are_woken_by_loop_with_room_for_one() {
    blocked_senders_are_woken(1, Mode::Loop);
}

#[test]
fn blocked_senders_are_woken_by_manual_with_room_for_two() {
    blocked_senders_are_woken(2, Mode::Manual);
}

/// Whoever of the two is woken first by a take finds nothing to write, and has the worker look in
/// vain.
#[test]
fn a_sender_beside_one_whose_line_never_fits_is_woken() {
    explore(3, || {
        let out = Arc::new(StdMutex::new(String::new()));
        // No queue is full in the eyes of the worker, and no tick comes.
        let change = |c: &mut Config| {
            (c.max_queue_bytes, c.mode, c.tick) = (6, Mode::Loop, Duration::MAX);
        };
        let shared = shared(change, PlainSink(Arc::clone(&out)));
        let worker = start(&shared, false);
        let other = Arc::clone(&shared);
        let sender = thread::spawn(move || assert_eq!(send(&other, "never fits"), Ok(true)));
        for text in ["one", "two"] {
            assert_eq!(send(&shared, text), Ok(true));
        }
        sender.join().unwrap();
        shared.shutdown(FOREVER).unwrap();
        worker.join().unwrap();
        let m = ended(&shared);
        assert_eq!((m.written, m.refused), (3, 0));
    });
}

#[test]
fn drop_oldest_writes_or_evicts_each_line_once() {
    explore(3, || {
        let out = Arc::new(StdMutex::new(String::new()));
        let change =
            |c: &mut Config| (c.max_queue_size, c.queue_policy) = (2, QueuePolicy::DropOldest);
        let shared = shared(change, PlainSink(Arc::clone(&out)));
        let worker = start(&shared, true);
        let other = Arc::clone(&shared);
        let sender = thread::spawn(move || {
            for text in ["a", "b"] {
                assert_eq!(send(&other, text), Ok(true));
            }
        });
        for text in ["c", "d"] {
            assert_eq!(send(&shared, text), Ok(true));
        }
        sender.join().unwrap();
        shared.shutdown(FOREVER).unwrap();
        worker.join().unwrap();
        let m = ended(&shared);
        assert!(m.high_water <= 2);
        assert_eq!((m.enqueued, m.written + m.evicted), (4, 4));
        let out = out.lock().unwrap();
        let mut lines: Vec<&str> = out.lines().collect();
        assert_eq!(lines.len() as u64, m.written);
        lines.sort_unstable();
        lines.dedup();
        assert_eq!(lines.len() as u64, m.written, "{lines:?}");
    });
}

#[test]
fn a_flush_is_ok_only_when_all_sent_before_is_written() {
    explore(3, || {
        let out = Arc::new(Out::default());
        let shared = shared(|c| c.mode = Mode::Manual, OutSink(Arc::clone(&out)));
        let worker = start(&shared, false);
        let other = Arc::clone(&shared);
        let sender = thread::spawn(move || assert_eq!(send(&other, "a"), Ok(true)));
        assert_eq!(send(&shared, "b"), Ok(true));
        shared.flush(FOREVER).unwrap();
        assert!(out.has("b"));
        sender.join().unwrap();
        shared.flush(FOREVER).unwrap();
        assert!(out.has("a"));
        shared.shutdown(FOREVER).unwrap();
        worker.join().unwrap();
    });
}

#[test]
fn two_flushes_at_once_both_end_and_both_are_true() {
    explore(3, || {
        let out = Arc::new(Out::default());
        let shared = shared(|c| c.mode = Mode::Manual, OutSink(Arc::clone(&out)));
        let worker = start(&shared, false);
        let (other, seen) = (Arc::clone(&shared), Arc::clone(&out));
        let flusher = thread::spawn(move || {
            assert_eq!(send(&other, "a"), Ok(true));
            other.flush(FOREVER).unwrap();
            assert!(seen.has("a"));
        });
        assert_eq!(send(&shared, "b"), Ok(true));
        shared.flush(FOREVER).unwrap();
        assert!(out.has("b"));
        flusher.join().unwrap();
        shared.shutdown(FOREVER).unwrap();
        worker.join().unwrap();
    });
}

#[test]
fn a_line_that_races_with_shutdown_is_written_or_rejected() {
    explore(3, || {
        let out = Arc::new(StdMutex::new(String::new()));
        let shared = shared(|_| {}, PlainSink(Arc::clone(&out)));
        let worker = start(&shared, false);
        let other = Arc::clone(&shared);
        let sender = thread::spawn(move || [send(&other, "a"), send(&other, "b")]);
        shared.shutdown(FOREVER).unwrap();
        let sent = sender.join().unwrap();
        worker.join().unwrap();
        let m = ended(&shared);
        let out = out.lock().unwrap();
        for (text, sent) in ["a\n", "b\n"].iter().zip(sent) {
            assert_eq!(sent, if out.contains(text) { Ok(true) } else { Err(SendError::Closed) });
        }
        assert_eq!((m.sent, m.written + m.rejected, m.pending), (2, 2, 0));
    });
}

#[test]
fn a_trigger_during_a_write_is_served() {
    explore(3, || {
        let out = Arc::new(Out::default());
        let shared = shared(|c| c.mode = Mode::Manual, OutSink(Arc::clone(&out)));
        let worker = start(&shared, false);
        let other = Arc::clone(&shared);
        let sender = thread::spawn(move || {
            assert_eq!(send(&other, "a"), Ok(true));
            trigger(&other);
        });
        assert_eq!(send(&shared, "b"), Ok(true));
        trigger(&shared);
        // Nobody flushes: only the triggers can have brought them here.
        out.wait_for(4);
        sender.join().unwrap();
        shared.shutdown(FOREVER).unwrap();
        worker.join().unwrap();
    });
}

#[test]
fn a_blocked_sender_is_released_by_shutdown() {
    explore(3, || {
        let out = Arc::new(StdMutex::new(String::new()));
        let change = |c: &mut Config| (c.max_queue_size, c.mode) = (1, Mode::Manual);
        let shared = shared(change, PlainSink(Arc::clone(&out)));
        let worker = start(&shared, false);
        let other = Arc::clone(&shared);
        let sender = thread::spawn(move || [send(&other, "a"), send(&other, "b")]);
        shared.shutdown(FOREVER).unwrap();
        let sent = sender.join().unwrap();
        worker.join().unwrap();
        let m = ended(&shared);
        let accepted = sent.iter().filter(|&&sent| sent == Ok(true)).count() as u64;
        assert_eq!((m.written, m.rejected), (accepted, 2 - accepted));
    });
}

#[test]
fn a_sender_blocked_behind_a_failing_sink_is_released_by_shutdown() {
    explore(3, || {
        let shared = shared(|c| c.max_queue_size = 1, FailingSink);
        let worker = start(&shared, true);
        let other = Arc::clone(&shared);
        let sender = thread::spawn(move || {
            let results = ["a", "b", "c"].map(|text| send(&other, text));
            results.iter().filter(|&&sent| sent == Ok(true)).count() as u64
        });
        // Slow is waited for, failing is given up: whichever it is at that moment.
        let mut result = shared.shutdown(Duration::ZERO);
        let accepted = sender.join().unwrap();
        while matches!(result, Err(ShutdownError::Timeout { .. })) {
            thread::yield_now();
            result = shared.shutdown(Duration::ZERO);
        }
        worker.join().unwrap();
        let m = ended(&shared);
        assert_eq!((m.written, m.lost, m.rejected), (0, accepted, 3 - accepted));
    });
}

#[test]
fn a_sync_is_served_while_another_thread_sends() {
    explore(3, || {
        let out = Arc::new(StdMutex::new(String::new()));
        let shared = shared(|_| {}, PlainSink(Arc::clone(&out)));
        let worker = start(&shared, true);
        let other = Arc::clone(&shared);
        let sender = thread::spawn(move || assert_eq!(send(&other, "a"), Ok(true)));
        assert_eq!(send(&shared, "b"), Ok(true));
        let unsupported = shared.sync(FOREVER).unwrap_err();
        assert!(matches!(unsupported, crate::FlushError::Unsupported));
        assert!(out.lock().unwrap().contains("b\n"));
        sender.join().unwrap();
        shared.shutdown(FOREVER).unwrap();
        worker.join().unwrap();
    });
}

/// A request that comes between the worker's look and its sync was answered before its line was
/// out: with a timeout that nobody had waited for.
#[test]
fn two_syncs_at_once_are_each_served_after_their_own_line() {
    explore(3, || {
        let out = Arc::new(StdMutex::new(String::new()));
        let shared = shared(|c| c.mode = Mode::Manual, SyncingSink(PlainSink(Arc::clone(&out))));
        let worker = start(&shared, false);
        let (other, seen) = (Arc::clone(&shared), Arc::clone(&out));
        let syncer = thread::spawn(move || {
            assert_eq!(send(&other, "a"), Ok(true));
            other.sync(FOREVER).unwrap();
            assert!(seen.lock().unwrap().contains("a\n"));
        });
        assert_eq!(send(&shared, "b"), Ok(true));
        shared.sync(FOREVER).unwrap();
        assert!(out.lock().unwrap().contains("b\n"));
        syncer.join().unwrap();
        shared.shutdown(FOREVER).unwrap();
        worker.join().unwrap();
    });
}

#[test]
fn a_synchronous_sender_behind_a_failing_sink_is_released_by_shutdown() {
    explore(3, || {
        let shared = shared(|c| c.synchronous = true, FailingSink);
        let other = Arc::clone(&shared);
        let line = || Line::new(b"a", Severity::Info);
        let sender = thread::spawn(move || other.send_now(line()));
        // The sender may hold the lock around the sink: it must let go without the clock.
        let _timeout_or_done = shared.shutdown_now(Duration::ZERO);
        assert_eq!(sender.join().unwrap(), Err(SendError::Closed));
        assert_eq!(ended(&shared).rejected, 1);
    });
}
