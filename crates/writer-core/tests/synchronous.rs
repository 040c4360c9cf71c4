//! The mode without worker and queue: the same lines in the same file, written when `send` returns.
#![allow(missing_docs, clippy::unwrap_used, clippy::disallowed_macros, clippy::disallowed_methods)]

mod common;

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use common::{
    Combination, Gate, LIMIT, Record, Target, TestSink, assert_ended, assert_snapshot,
    combinations, eventually, for_each, in_time, lines_of, numbered, of_thread, send_from_threads,
    send_numbered, stays,
};
use writer_core::{
    FlushError, QueuePolicy, ReopenError, ReopenReason, Reopened, SendError, ShutdownError, Sink,
    State, Strategy, Writer, WriterGuard,
};

const MS: Duration = Duration::from_millis(1);

#[test]
fn a_sync_after_a_shutdown_is_answered_alike_with_and_without_a_worker() {
    for synchronous in [false, true] {
        for (synced, unsynced) in [(0, 0), (3, 0), (3, 1), (0, 1)] {
            let target = Target::new();
            let builder = target.builder().synchronous(synchronous);
            let (writer, guard) = builder.build().unwrap();
            send_numbered(&writer, 0..synced);
            if synced > 0 {
                writer.sync(LIMIT).unwrap();
            }
            send_numbered(&writer, synced..synced + unsynced);
            guard.shutdown(LIMIT).unwrap();
            let answer = writer.sync(LIMIT);
            let case = format!("{synchronous} {synced} {unsynced}: {answer:?}");
            match unsynced {
                0 => assert!(answer.is_ok(), "{case}"),
                _ => assert!(matches!(answer, Err(FlushError::Closed)), "{case}"),
            }
        }
    }
}

#[test]
fn every_line_is_readable_when_send_returns() {
    for_each(combinations(), |c| {
        let target = Target::new();
        let (writer, guard) = c.builder(&target).synchronous(true).build().unwrap();
        assert!(writer.config().synchronous && writer.is_running());
        for i in 0..20 {
            send_numbered(&writer, i..i + 1);
            assert_eq!(lines_of(&target.bytes_so_far()), numbered(0..i + 1));
            let m = writer.metrics();
            assert_snapshot(&m);
            assert_eq!((m.written, m.pending, m.queue_len), (i as u64 + 1, 0, 0));
        }
        writer.trigger();
        writer.flush(Duration::ZERO).unwrap();
        guard.shutdown(LIMIT).unwrap();
        assert_eq!(target.lines(), numbered(0..20));
        assert_eq!(writer.send("late"), Err(SendError::Closed));
        let m = writer.metrics();
        assert_ended(&m, 21);
        assert_eq!((m.sent, m.written, m.rejected), (21, 20, 1));
        assert_eq!((m.bytes_written, m.wake_count), (target.len(), 0));
        assert!(!writer.is_running());
    });
}

#[test]
fn the_file_is_the_same_as_with_a_worker() {
    for &strategy in Strategy::ALL {
        let [with, without] = [false, true].map(|synchronous| {
            let target = Target::new();
            std::fs::write(&target.path, "old\n").unwrap();
            let (writer, guard) =
                target.builder().strategy(strategy).synchronous(synchronous).build().unwrap();
            for line in ["a\n", "b", "", "c\nd", "ä 世界"] {
                writer.send(line).unwrap();
            }
            writer.send([0x80, 0xff, b'\n']).unwrap();
            writer.send("x".repeat(3_000_000)).unwrap();
            drop(guard);
            target.bytes()
        });
        assert!(with == without, "{strategy}");
        assert!(with.starts_with("old\na\nb\n\nc\nd\nä 世界\n".as_bytes()), "{strategy}");
    }
}

#[test]
fn queue_settings_have_no_effect() {
    for &policy in QueuePolicy::ALL {
        let target = Target::new();
        let (writer, guard) = target
            .builder()
            .synchronous(true)
            .queue_policy(policy)
            .max_queue_size(1)
            .max_queue_bytes(1)
            .build()
            .unwrap();
        send_numbered(&writer, 0..100);
        assert_eq!(writer.send_batch(["x", "y"]), Ok(2));
        drop(guard);
        assert_eq!(target.lines().len(), 102, "{policy}");
        assert_eq!(writer.metrics().dropped, 0, "{policy}");
    }
}

#[test]
fn senders_take_turns() {
    for &strategy in Strategy::ALL {
        let target = Target::new();
        let (writer, guard) =
            target.builder().strategy(strategy).synchronous(true).build().unwrap();
        let accepted = send_from_threads(&writer, 8, 300);
        guard.shutdown(LIMIT).unwrap();
        let lines = target.lines();
        assert_eq!(lines.len(), 2400);
        for (t, accepted) in accepted.iter().enumerate() {
            assert_eq!(&of_thread(&lines, t), accepted, "{strategy}");
        }
        assert_ended(&writer.metrics(), 2400);
    }
}

#[test]
fn a_shutdown_against_racing_senders_keeps_every_accepted_line() {
    for round in 0..30 {
        in_time(move || {
            let target = Target::new();
            let (writer, guard) = target.builder().synchronous(true).build().unwrap();
            let running = Arc::new(AtomicU64::new(0));
            let threads: Vec<_> = (0..4)
                .map(|t| {
                    let (writer, running) = (writer.clone(), Arc::clone(&running));
                    thread::spawn(move || {
                        let mut accepted = Vec::new();
                        for i in 0.. {
                            let line = format!("t{t} {i}");
                            match writer.send(&line) {
                                Ok(taken) => assert!(taken),
                                Err(error) => {
                                    assert_eq!(error, SendError::Closed);
                                    break;
                                }
                            }
                            accepted.push(line);
                            if i == 3 {
                                running.fetch_add(1, Ordering::Relaxed);
                            }
                        }
                        accepted
                    })
                })
                .collect();
            eventually("they send", || running.load(Ordering::Relaxed) == 4);
            guard.shutdown(LIMIT).unwrap();
            let lines = target.lines();
            for (t, thread) in threads.into_iter().enumerate() {
                assert_eq!(of_thread(&lines, t), thread.join().unwrap(), "round {round}");
            }
            assert_ended(&writer.metrics(), lines.len() + 4);
            assert_eq!(writer.metrics().rejected, 4);
        });
    }
}

#[test]
fn a_failing_sink_is_tried_again_under_block() {
    let (sink, record) = TestSink::failing(3);
    let (writer, guard) = Writer::to(sink).synchronous(true).on_error(|_| {}).build().unwrap();
    send_numbered(&writer, 0..5);
    assert_eq!(record.lines(), numbered(0..5));
    guard.shutdown(LIMIT).unwrap();
    let m = writer.metrics();
    assert_ended(&m, 5);
    assert_eq!((m.errors, m.written, m.state), (3, 5, State::Healthy));
}

#[test]
fn a_failing_sink_is_tried_once_under_the_other_policies() {
    for policy in [QueuePolicy::DropNewest, QueuePolicy::DropOldest, QueuePolicy::Warn] {
        let drops = Arc::new(AtomicU64::new(0));
        let heard = Arc::clone(&drops);
        let (sink, record) = TestSink::failing(2);
        let (writer, guard) = Writer::to(sink)
            .synchronous(true)
            .queue_policy(policy)
            .on_error(|_| {})
            .on_drop(move |lines| {
                heard.fetch_add(lines, Ordering::Relaxed);
            })
            .build()
            .unwrap();
        let taken = [0, 1, 2].map(|i| writer.send(format!("line {i}")).unwrap());
        assert_eq!(taken, [false, false, true], "{policy}");
        guard.shutdown(LIMIT).unwrap();
        assert_eq!(record.lines(), ["line 2"], "{policy}");
        let m = writer.metrics();
        assert_ended(&m, 3);
        assert_eq!((m.errors, m.dropped, m.written, m.lost), (2, 2, 1, 0), "{policy}");
        assert_eq!(drops.load(Ordering::Relaxed), 2, "{policy}");
    }
}

/// A sink that fails while it is told to.
fn breakable() -> (TestSink, Arc<Record>, Arc<AtomicBool>) {
    let broken = Arc::new(AtomicBool::new(true));
    let is_broken = Arc::clone(&broken);
    let (sink, record) = TestSink::answering(move |lines, _| {
        if is_broken.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(lines.len())
    });
    (sink, record, broken)
}

#[test]
fn block_gives_up_after_its_timeout() {
    let (sink, record, broken) = breakable();
    let (writer, guard) =
        Writer::to(sink).synchronous(true).block_timeout(50 * MS).on_error(|_| {}).build().unwrap();
    in_time(move || {
        let start = Instant::now();
        assert_eq!(writer.send("refused"), Ok(false));
        assert!(start.elapsed() >= 50 * MS);
        broken.store(false, Ordering::Relaxed);
        assert_eq!(writer.send("taken"), Ok(true));
        guard.shutdown(LIMIT).unwrap();
        let m = writer.metrics();
        assert_ended(&m, 2);
        assert_eq!((m.refused, m.written), (1, 1));
        assert!(m.errors >= 2);
    });
    assert_eq!(record.lines(), ["taken"]);
}

#[test]
fn block_does_not_wait_for_a_sink_that_has_failed() {
    let states = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&states);
    let (sink, record, broken) = breakable();
    let (writer, guard) = Writer::to(sink)
        .synchronous(true)
        .fail_after(50 * MS)
        .on_error(move |error| heard.lock().unwrap().push(error.state))
        .build()
        .unwrap();
    in_time(move || {
        assert_eq!(writer.send("refused"), Ok(false));
        assert_eq!(writer.send("refused"), Ok(false));
        assert_eq!(writer.metrics().state, State::Failed);
        assert!(states.lock().unwrap().contains(&State::Failed));
        broken.store(false, Ordering::Relaxed);
        assert_eq!(writer.send("taken"), Ok(true));
        assert_eq!(writer.metrics().state, State::Healthy);
        guard.shutdown(LIMIT).unwrap();
        assert_ended(&writer.metrics(), 3);
    });
    assert_eq!(record.lines(), ["taken"]);
}

#[test]
fn a_sender_that_tries_again_is_released_by_a_shutdown() {
    let (sink, record, _broken) = breakable();
    let (writer, guard) = Writer::to(sink).synchronous(true).on_error(|_| {}).build().unwrap();
    let sender = {
        let writer = writer.clone();
        thread::spawn(move || writer.send("x"))
    };
    eventually("it has failed once", || writer.metrics().errors >= 1);
    let result = guard.shutdown(LIMIT);
    assert_eq!(in_time(move || sender.join().unwrap()), Err(SendError::Closed));
    assert!(result.is_ok(), "nothing accepted is left: {result:?}");
    assert!(record.bytes().is_empty());
    let m = writer.metrics();
    assert_ended(&m, 1);
    assert_eq!((m.rejected, m.enqueued, m.lost), (1, 0, 0));
}

#[test]
fn the_rest_of_a_torn_line_goes_first() {
    let mut calls = 0;
    let (sink, record) = TestSink::answering(move |lines, _| {
        calls += 1;
        match calls {
            1 => Ok(3),
            2 | 3 => Err(io::Error::other("no")),
            _ => Ok(lines.len()),
        }
    });
    let (writer, guard) = Writer::to(sink)
        .synchronous(true)
        .queue_policy(QueuePolicy::DropNewest)
        .on_error(|_| {})
        .on_drop(|_| {})
        .build()
        .unwrap();
    // A part of it is out: it cannot be refused any more.
    assert_eq!(writer.send("first line"), Ok(true));
    assert_eq!((writer.metrics().pending, record.bytes()), (1, b"fir".to_vec()));
    assert_eq!(writer.send("refused"), Ok(false));
    assert_eq!(writer.send("third line"), Ok(true));
    assert_eq!(record.lines(), ["first line", "third line"]);
    guard.shutdown(LIMIT).unwrap();
    let m = writer.metrics();
    assert_ended(&m, 3);
    assert_eq!((m.written, m.refused, m.lost), (2, 1, 0));
}

#[test]
fn a_torn_line_is_finished_by_a_flush_and_given_up_by_a_shutdown() {
    for finished in [true, false] {
        let broken = Arc::new(AtomicBool::new(false));
        let breaks = Arc::clone(&broken);
        let (sink, record) = TestSink::answering(move |lines, _| {
            if breaks.load(Ordering::Relaxed) {
                return Err(io::Error::other("no"));
            }
            if lines == b"torn line\n" {
                breaks.store(true, Ordering::Relaxed);
                return Ok(4);
            }
            Ok(lines.len())
        });
        let (writer, guard) = Writer::to(sink)
            .synchronous(true)
            .queue_policy(QueuePolicy::DropNewest)
            .on_error(|_| {})
            .build()
            .unwrap();
        assert_eq!(writer.send("torn line"), Ok(true));
        let result = writer.flush(20 * MS);
        assert!(matches!(result, Err(FlushError::Timeout { pending: 1 })), "{result:?}");
        if finished {
            broken.store(false, Ordering::Relaxed);
            writer.flush(LIMIT).unwrap();
            assert_eq!(record.lines(), ["torn line"]);
            guard.shutdown(LIMIT).unwrap();
        } else {
            let result = guard.shutdown(20 * MS);
            assert!(matches!(result, Err(ShutdownError::Lost { lines: 1 })), "{result:?}");
        }
        let m = writer.metrics();
        assert_ended(&m, 1);
        assert_eq!((m.written, m.lost), if finished { (1, 0) } else { (0, 1) });
    }
}

#[test]
fn a_panicking_sink_loses_the_line_and_repeats_nothing() {
    let mut calls = 0;
    let (sink, record) = TestSink::answering(move |lines, _| {
        calls += 1;
        assert!(calls != 2, "the sink's own");
        Ok(lines.len())
    });
    let (writer, guard) = Writer::to(sink).synchronous(true).on_error(|_| {}).build().unwrap();
    for i in 0..4 {
        writer.send(format!("line {i}")).unwrap();
    }
    guard.shutdown(LIMIT).unwrap();
    assert_eq!(record.lines(), ["line 0", "line 2", "line 3"]);
    let m = writer.metrics();
    assert_ended(&m, 4);
    assert_eq!((m.written, m.lost), (3, 1));
}

#[test]
fn callbacks_run_on_the_sender_and_may_use_the_writer() {
    let here = thread::current().id();
    let handle: Arc<OnceLock<Writer>> = Arc::default();
    let (lines, flushes) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let target = Target::new();
    let (writer, guard) = {
        let (handle, lines, flushes) =
            (Arc::clone(&handle), Arc::clone(&lines), Arc::clone(&flushes));
        target
            .builder()
            .synchronous(true)
            .on_write(move |n| {
                assert_eq!(thread::current().id(), here);
                let so_far = lines.fetch_add(n as u64, Ordering::Relaxed) + n as u64;
                let writer = handle.wait();
                assert!(writer.metrics().written >= so_far);
                // The lock is free again.
                if so_far < 10 {
                    assert_eq!(writer.send("echo"), Ok(true));
                }
            })
            .on_flush(move || {
                assert_eq!(thread::current().id(), here);
                flushes.fetch_add(1, Ordering::Relaxed);
            })
            .build()
            .unwrap()
    };
    handle.set(writer.clone()).unwrap();
    send_numbered(&writer, 0..20);
    guard.shutdown(LIMIT).unwrap();
    let m = writer.metrics();
    assert_ended(&m, target.lines().len());
    assert_eq!(m.callback_panics, 0);
    assert_eq!(lines.load(Ordering::Relaxed), m.written, "on_write adds up");
    assert_eq!(flushes.load(Ordering::Relaxed), m.flush_count, "on_flush is each flush");
    let lines = target.lines();
    assert_eq!(lines.len() as u64, m.written);
    let mine: Vec<_> = lines.into_iter().filter(|line| line != "echo").collect();
    assert_eq!(mine, numbered(0..20));
}

#[test]
fn on_write_adds_up_when_a_callback_sends_and_ends_the_writer() {
    let slot: Arc<Mutex<Option<WriterGuard>>> = Arc::default();
    let lines = Arc::new(AtomicU64::new(0));
    let target = Target::new();
    let (writer, guard) = {
        let (slot, lines) = (Arc::clone(&slot), Arc::clone(&lines));
        target
            .builder()
            .synchronous(true)
            .on_write(move |n| {
                lines.fetch_add(n as u64, Ordering::Relaxed);
                let guard = slot.lock().unwrap().take();
                if let Some(guard) = guard {
                    assert_eq!(guard.writer().send("last"), Ok(true));
                }
            })
            .build()
            .unwrap()
    };
    *slot.lock().unwrap() = Some(guard);
    in_time(move || {
        writer.send("first").unwrap();
        writer.shutdown(LIMIT).unwrap();
        let m = writer.metrics();
        assert_ended(&m, 2);
        assert_eq!((m.written, m.callback_panics), (2, 0));
        assert_eq!(lines.load(Ordering::Relaxed), 2, "each written line is told");
    });
    assert_eq!(target.lines(), ["first", "last"]);
}

#[test]
fn panicking_callbacks_are_counted_and_the_sender_lives() {
    let target = Target::new();
    let (writer, guard) = target
        .builder()
        .synchronous(true)
        .on_write(|_| panic!("on_write"))
        .on_flush(|| panic!("on_flush"))
        .build()
        .unwrap();
    send_numbered(&writer, 0..3);
    guard.shutdown(LIMIT).unwrap();
    assert_eq!((writer.metrics().written, writer.metrics().callback_panics), (3, 6));
    assert_eq!(target.lines(), numbered(0..3));
}

/// Sends and waits in the middle of its own write.
struct Talking {
    handle: Arc<OnceLock<Writer>>,
    answers: Arc<Mutex<Vec<bool>>>,
}

impl Sink for Talking {
    fn write(&mut self, lines: &[u8], _more_waiting: bool) -> io::Result<usize> {
        let writer = self.handle.wait();
        let mut answers = self.answers.lock().unwrap();
        answers.push(writer.send("from the sink") == Err(SendError::WouldBlock));
        answers.push(matches!(writer.flush(LIMIT), Err(FlushError::WouldDeadlock)));
        answers.push(matches!(writer.sync(LIMIT), Err(FlushError::WouldDeadlock)));
        Ok(lines.len())
    }
}

#[test]
fn a_sink_that_sends_does_not_deadlock() {
    let handle: Arc<OnceLock<Writer>> = Arc::default();
    let answers = Arc::default();
    let sink = Talking { handle: Arc::clone(&handle), answers: Arc::clone(&answers) };
    let (writer, guard) = Writer::to(sink).synchronous(true).build().unwrap();
    handle.set(writer.clone()).unwrap();
    in_time(move || {
        writer.send("x").unwrap();
        guard.shutdown(LIMIT).unwrap();
        let m = writer.metrics();
        assert_ended(&m, 2);
        assert_eq!((m.written, m.rejected), (1, 1));
    });
    assert_eq!(*answers.lock().unwrap(), [true, true, true]);
}

/// Sends to another writer in the middle of its own write, and gives each answer away.
struct Passing {
    to: Arc<OnceLock<Writer>>,
    answers: mpsc::Sender<Result<bool, SendError>>,
}

impl Sink for Passing {
    fn write(&mut self, lines: &[u8], _more_waiting: bool) -> io::Result<usize> {
        // Whether anybody is left to hear it does not matter.
        let _ = self.answers.send(self.to.wait().send("from the sink of another"));
        Ok(lines.len())
    }
}

#[test]
fn a_worker_does_not_wait_for_itself_behind_the_sink_of_a_second_writer() {
    let (first, second): (Arc<OnceLock<Writer>>, Arc<OnceLock<Writer>>) = Default::default();
    let (to_second, of_first) = mpsc::channel();
    let (to_first, of_second) = mpsc::channel();
    let sink = Passing { to: Arc::clone(&second), answers: to_second };
    let (with_worker, guard) =
        Writer::to(sink).queue_policy(QueuePolicy::Block).max_queue_size(1).build().unwrap();
    let sink = Passing { to: Arc::clone(&first), answers: to_first };
    let (without, _guard) = Writer::to(sink).synchronous(true).build().unwrap();
    first.set(with_worker.clone()).unwrap();
    in_time(move || {
        with_worker.send("taken").unwrap();
        // The worker is in its sink until there is a second writer: the queue is full then.
        eventually("the worker takes the line", || with_worker.metrics().queue_len == 0);
        with_worker.send("fills the queue").unwrap();
        second.set(without).unwrap();
        assert_eq!(of_second.recv(), Ok(Err(SendError::WouldBlock)));
        assert_eq!(of_first.recv(), Ok(Ok(true)));
        drop(guard);
    });
}

/// Sends whatever it is called for.
struct Chatty(Arc<OnceLock<Writer>>);

impl Chatty {
    fn chat(&self) -> io::Result<()> {
        let sent = self.0.get().unwrap().send("I am at work");
        assert!(matches!(sent, Err(SendError::WouldBlock | SendError::Closed)), "{sent:?}");
        Ok(())
    }
}

impl Sink for Chatty {
    fn write(&mut self, lines: &[u8], _more_waiting: bool) -> io::Result<usize> {
        self.chat().map(|()| lines.len())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.chat()
    }

    fn reopen(&mut self, _reason: ReopenReason<'_>) -> io::Result<Option<Reopened>> {
        self.chat().map(|()| None)
    }

    fn close(&mut self) -> io::Result<()> {
        self.chat()
    }
}

#[test]
fn a_sink_may_send_in_each_of_its_calls() {
    let handle: Arc<OnceLock<Writer>> = Arc::default();
    let (writer, guard) =
        Writer::to(Chatty(Arc::clone(&handle))).synchronous(true).build().unwrap();
    handle.set(writer.clone()).unwrap();
    in_time(move || {
        writer.send("x").unwrap();
        writer.sync(LIMIT).unwrap();
        writer.reopen().unwrap();
        guard.shutdown(LIMIT).unwrap();
        let m = writer.metrics();
        assert_ended(&m, 5);
        assert_eq!((m.written, m.rejected), (1, 4));
    });
}

/// An error of a sink that sends while it is printed.
#[derive(Debug)]
struct Telling(Arc<OnceLock<Writer>>);

impl std::fmt::Display for Telling {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let _ = self.0.get().unwrap().send("I am printed");
        f.write_str("told")
    }
}

impl std::error::Error for Telling {}

struct Failing(Arc<OnceLock<Writer>>);

impl Failing {
    fn fail<T>(&self) -> io::Result<T> {
        Err(io::Error::other(Telling(Arc::clone(&self.0))))
    }
}

impl Sink for Failing {
    fn write(&mut self, lines: &[u8], _more_waiting: bool) -> io::Result<usize> {
        Ok(lines.len())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.fail()
    }

    fn reopen(&mut self, _reason: ReopenReason<'_>) -> io::Result<Option<Reopened>> {
        self.fail()
    }

    fn close(&mut self) -> io::Result<()> {
        self.fail()
    }
}

#[test]
fn an_error_of_a_sink_may_send_while_it_is_printed() {
    for synchronous in [false, true] {
        let handle: Arc<OnceLock<Writer>> = Arc::default();
        let sink = Failing(Arc::clone(&handle));
        let (writer, guard) = Writer::to(sink).synchronous(synchronous).build().unwrap();
        handle.set(writer.clone()).unwrap();
        in_time(move || {
            let sync = writer.sync(LIMIT);
            assert!(
                matches!(&sync, Err(FlushError::Sync { source }) if source.to_string() == "told")
            );
            assert!(matches!(writer.reopen(), Err(ReopenError::Refused { .. })));
            assert!(matches!(guard.shutdown(LIMIT), Err(ShutdownError::Close { .. })));
        });
    }
}

#[test]
fn a_shutdown_waits_no_longer_than_asked_for_a_sender_in_the_sink() {
    let gate = Gate::new_closed();
    let (sink, record) = TestSink::gated(&gate);
    let (writer, guard) = Writer::to(sink).synchronous(true).build().unwrap();
    let sender = {
        let writer = writer.clone();
        thread::spawn(move || writer.send("x"))
    };
    gate.wait_until_entered(1);
    let flush = writer.flush(10 * MS);
    assert!(matches!(flush, Err(FlushError::Timeout { pending: 1 })), "{flush:?}");
    let result = guard.shutdown(10 * MS);
    assert!(matches!(result, Err(ShutdownError::Timeout { remaining: 1 })), "{result:?}");
    stays(10 * MS, "the sender goes on", || !sender.is_finished());
    gate.open();
    assert_eq!(sender.join().unwrap(), Ok(true));
    guard.shutdown(LIMIT).unwrap();
    assert_eq!(record.lines(), ["x"]);
    assert_ended(&writer.metrics(), 1);
}

#[test]
fn sync_reaches_the_sink() {
    for c in [QueuePolicy::Block, QueuePolicy::DropOldest].map(|policy| Combination {
        strategy: Strategy::MemoryMapped,
        mode: writer_core::Mode::Manual,
        policy,
    }) {
        let target = Target::new();
        let (writer, guard) = c.builder(&target).synchronous(true).build().unwrap();
        send_numbered(&writer, 0..3);
        writer.sync(LIMIT).unwrap();
        assert_eq!(target.lines(), numbered(0..3), "trimmed");
        send_numbered(&writer, 3..6);
        drop(guard);
        assert_eq!(target.lines(), numbered(0..6));
    }
}
