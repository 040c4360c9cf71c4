//! What callbacks may do: send, ask, fail, and end the writer.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use crate::common::{
    self, LIMIT, Paused, Target, TestSink, assert_ended, eventually, in_time, numbered,
    send_numbered, stays,
};
use writer_core::{
    FlushError, Mode, Operation, QueuePolicy, SendError, ShutdownError, Sink, State, Writer,
    WriterGuard,
};

const MS: Duration = Duration::from_millis(1);

type Handle = Arc<OnceLock<Writer>>;

#[test]
fn lines_sent_by_on_write_are_written_and_feed_no_loop() {
    let handle = Handle::default();
    let target = Target::new();
    let echoes = Arc::new(AtomicU64::new(0));
    let (echo, counted) = (Arc::clone(&handle), Arc::clone(&echoes));
    let (writer, guard) = target
        .builder()
        .batch_size(1)
        .flush_interval(50 * MS)
        .on_write(move |_| {
            if let Some(writer) = echo.get() {
                // The last ones come after the close.
                let _ = writer.send("echo");
                counted.fetch_add(1, Ordering::Relaxed);
            }
        })
        .build()
        .unwrap();
    handle.set(writer.clone()).unwrap();
    let start = Instant::now();
    writer.send("first").unwrap();
    eventually("echoes of echoes come", || target.count_so_far() >= 5);
    let m = writer.metrics();
    let intervals = start.elapsed().as_millis() / 50;
    assert!(u128::from(m.flush_count) <= intervals + 2, "{m:?} in {intervals} intervals");
    guard.shutdown(LIMIT).unwrap();
    let lines = target.lines();
    let m = writer.metrics();
    assert_ended(&m, 1 + echoes.load(Ordering::Relaxed) as usize);
    assert_eq!((m.written, &lines[0][..]), (lines.len() as u64, "first"));
    assert!(lines[1..].iter().all(|line| line == "echo"));
}

#[test]
fn an_endless_interval_makes_no_loop_of_a_callback_that_sends() {
    let handle = Handle::default();
    let target = Target::new();
    let echo = Arc::clone(&handle);
    let (writer, _guard) = target
        .builder()
        .batch_size(1)
        .flush_interval(Duration::MAX)
        .on_write(move |_| {
            if let Some(writer) = echo.get() {
                // The last one comes after the close.
                let _ = writer.send("echo");
            }
        })
        .build()
        .unwrap();
    handle.set(writer.clone()).unwrap();
    writer.send("first").unwrap();
    eventually("the first line is written", || target.count_so_far() >= 1);
    stays(100 * MS, "no echo of an echo", || target.count_so_far() <= 1);
}

#[test]
fn waiting_in_a_callback_is_refused_at_once() {
    let handle = Handle::default();
    let answers = Arc::new(Mutex::new(Vec::new()));
    let ask = |name: &'static str| {
        let (handle, answers) = (Arc::clone(&handle), Arc::clone(&answers));
        move || {
            let writer = handle.wait();
            let flush = matches!(writer.flush(common::NEVER), Err(FlushError::WouldDeadlock));
            let sync = matches!(writer.sync(common::NEVER), Err(FlushError::WouldDeadlock));
            answers.lock().unwrap().push((name, flush, sync));
        }
    };
    let (on_write, on_flush, on_error) = (ask("on_write"), ask("on_flush"), ask("on_error"));
    let (sink, record) = TestSink::failing(1);
    let (writer, guard) = Writer::to(sink)
        .on_write(move |_| on_write())
        .on_flush(on_flush)
        .on_error(move |_| on_error())
        .build()
        .unwrap();
    handle.set(writer.clone()).unwrap();
    in_time(move || {
        writer.send("x").unwrap();
        writer.flush(LIMIT).unwrap();
        guard.shutdown(LIMIT).unwrap();
    });
    let expected = ["on_error", "on_write", "on_flush"].map(|name| (name, true, true));
    assert_eq!(*answers.lock().unwrap(), expected);
    assert_eq!(record.lines(), ["x"]);
}

#[test]
fn a_shutdown_in_a_callback_closes_the_writer_and_the_worker_drains() {
    for synchronous in [false, true] {
        let handle = Handle::default();
        let answer = Arc::new(Mutex::new(None));
        let target = Target::new();
        let (writer, guard) = {
            let (handle, answer) = (Arc::clone(&handle), Arc::clone(&answer));
            target
                .builder()
                .mode(Mode::Manual)
                .synchronous(synchronous)
                .on_write(move |_| {
                    let writer = handle.wait();
                    // Accepted while the callback runs, before the close.
                    let sent = writer.send("from the callback");
                    let result = writer.shutdown(common::NEVER);
                    let late = writer.send("late");
                    let mut answer = answer.lock().unwrap();
                    if answer.is_none() {
                        *answer = Some((sent, result, late));
                    }
                })
                .build()
                .unwrap()
        };
        handle.set(writer.clone()).unwrap();
        in_time(move || {
            send_numbered(&writer, 0..1);
            if !synchronous {
                writer.flush(LIMIT).unwrap();
            }
            eventually("closed", || writer.send("closed").is_err());
            guard.shutdown(LIMIT).unwrap();
            assert!(!writer.is_running());
            let m = writer.metrics();
            // Each of the two lines has the callback send two, of which it is the first to be
            // taken.
            assert_ended(&m, 6);
            assert_eq!((m.written, m.lost), (2, 0));
        });
        let (sent, result, late) = answer.lock().unwrap().take().unwrap();
        assert_eq!((sent, late), (Ok(true), Err(SendError::Closed)));
        if synchronous {
            // Here the callback runs on the sender's thread, with nobody to wait for.
            result.unwrap();
        } else {
            assert!(matches!(result, Err(ShutdownError::WouldDeadlock)), "{result:?}");
        }
        assert_eq!(target.lines(), ["line 0", "from the callback"]);
    }
}

#[test]
fn the_guard_may_be_dropped_in_a_callback() {
    for synchronous in [false, true] {
        let slot: Arc<Mutex<Option<WriterGuard>>> = Arc::default();
        let target = Target::new();
        let (writer, guard) = {
            let slot = Arc::clone(&slot);
            target
                .builder()
                .synchronous(synchronous)
                .on_flush(move || drop(slot.lock().unwrap().take()))
                .build()
                .unwrap()
        };
        *slot.lock().unwrap() = Some(guard);
        in_time(move || {
            send_numbered(&writer, 0..1);
            eventually("closed and drained", || !writer.is_running());
            writer.shutdown(LIMIT).unwrap();
            assert_eq!(writer.send("late"), Err(SendError::Closed));
            assert_eq!(writer.metrics().callback_panics, 0);
            assert_eq!(writer.metrics().written, 1);
            assert_ended(&writer.metrics(), 2);
        });
        assert_eq!(target.lines(), numbered(0..1), "synchronous: {synchronous}");
    }
}

#[test]
fn a_panic_in_any_callback_is_counted_and_the_worker_lives() {
    let (sink, record) = TestSink::failing(1);
    let (writer, guard) = Writer::to(sink)
        .mode(Mode::Manual)
        .max_queue_size(1)
        .queue_policy(QueuePolicy::DropNewest)
        .on_write(|_| panic!("on_write"))
        .on_flush(|| panic!("on_flush"))
        .on_error(|_| panic!("on_error"))
        .on_drop(|_| panic!("on_drop"))
        .build()
        .unwrap();
    assert_eq!(writer.send("a"), Ok(true));
    assert_eq!(writer.send("b"), Ok(false), "a panic in on_drop does not reach the sender");
    writer.flush(LIMIT).unwrap();
    assert!(writer.is_running());
    assert_eq!(writer.send("c"), Ok(true));
    guard.shutdown(LIMIT).unwrap();
    let m = writer.metrics();
    assert_ended(&m, 3);
    // on_drop, on_error, and twice on_write and on_flush.
    assert_eq!((m.callback_panics, m.written, m.refused, m.errors), (6, 2, 1, 1));
    assert_eq!(record.lines(), ["a", "c"]);
}

#[test]
fn on_drop_runs_without_locks_on_the_sender_and_may_use_the_writer() {
    let handle = Handle::default();
    let (seen, calls) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let (sink, _) = TestSink::recording();
    let (writer, guard) = {
        let (handle, seen, calls) = (Arc::clone(&handle), Arc::clone(&seen), Arc::clone(&calls));
        Writer::to(sink)
            .mode(Mode::Manual)
            .max_queue_size(2)
            .queue_policy(QueuePolicy::DropOldest)
            .on_drop(move |lines| {
                seen.fetch_add(lines, Ordering::Relaxed);
                let writer = handle.wait();
                assert!(writer.metrics().dropped >= 1);
                // The worker's last report comes after the close.
                let _ = writer.send("a line was dropped");
                calls.fetch_add(1, Ordering::Relaxed);
                // On a sender's thread this is no deadlock; on the worker's it is refused.
                drop(writer.flush(LIMIT));
            })
            .build()
            .unwrap()
    };
    handle.set(writer.clone()).unwrap();
    in_time(move || {
        for i in 0..100 {
            writer.send(format!("line {i}")).unwrap();
        }
        guard.shutdown(LIMIT).unwrap();
        let m = writer.metrics();
        assert_ended(&m, 100 + calls.load(Ordering::Relaxed) as usize);
        assert_eq!((seen.load(Ordering::Relaxed), m.callback_panics), (m.dropped, 0));
    });
}

#[test]
fn on_drop_adds_up_with_many_senders_under_every_policy() {
    for &policy in QueuePolicy::ALL {
        let total = Arc::new(AtomicU64::new(0));
        let heard = Arc::clone(&total);
        let paused = Paused::with(|b| {
            b.max_queue_size(10).queue_policy(policy).block_timeout(5 * MS).on_drop(move |lines| {
                heard.fetch_add(lines, Ordering::Relaxed);
            })
        });
        let each = if policy == QueuePolicy::Block { 10 } else { 1000 };
        common::send_from_threads(&paused.writer, 8, each);
        let (_, m) = paused.finish();
        assert!(m.dropped > 0, "{policy}");
        assert_eq!(total.load(Ordering::Relaxed), m.dropped, "{policy}");
    }
}

#[test]
fn one_episode_of_failures_is_reported_once() {
    let reports = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&reports);
    let (sink, record) = TestSink::failing(4);
    let (writer, guard) = Writer::to(sink)
        .on_error(move |error| {
            heard.lock().unwrap().push((error.operation, error.state, error.to_string()));
        })
        .build()
        .unwrap();
    send_numbered(&writer, 0..10);
    writer.flush(LIMIT).unwrap();
    guard.shutdown(LIMIT).unwrap();
    let reports = reports.lock().unwrap();
    assert_eq!(reports.len(), 1, "{reports:?}");
    assert_eq!((reports[0].0, reports[0].1), (Operation::Write, State::Retrying));
    assert_eq!((writer.metrics().errors, record.lines()), (4, numbered(0..10)));
}

#[test]
fn a_sink_that_fails_too_long_makes_block_refuse_until_it_works_again() {
    let broken = Arc::new(AtomicBool::new(true));
    let is_broken = Arc::clone(&broken);
    let (sink, record) = TestSink::answering(move |lines, _| {
        if is_broken.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(lines.len())
    });
    let states = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&states);
    let (writer, guard) = Writer::to(sink)
        .max_queue_size(3)
        .fail_after(50 * MS)
        .on_error(move |error| heard.lock().unwrap().push(error.state))
        .on_drop(|_| {})
        .build()
        .unwrap();
    in_time(move || {
        let mut accepted = Vec::new();
        // Waits while the sink is merely retrying, then refuses.
        for i in 0..20 {
            let line = format!("line {i}");
            if writer.send(&line).unwrap() {
                accepted.push(line);
            }
        }
        assert!(accepted.len() < 20);
        eventually("failed", || writer.metrics().state == State::Failed);
        assert_eq!(writer.send("refused"), Ok(false));
        eventually("both are reported", || {
            *states.lock().unwrap() == [State::Retrying, State::Failed]
        });

        broken.store(false, Ordering::Relaxed);
        eventually("healthy again", || writer.metrics().state == State::Healthy);
        assert_eq!(writer.send("again"), Ok(true));
        accepted.push("again".to_owned());
        guard.shutdown(LIMIT).unwrap();
        let m = writer.metrics();
        assert_ended(&m, 22);
        assert_eq!((m.lost, m.refused), (0, 22 - accepted.len() as u64));
        assert_eq!(record.lines(), accepted);
    });
}

#[test]
fn a_slow_sink_is_never_failed() {
    let paused = Paused::with(|b| b.fail_after(Duration::ZERO));
    send_numbered(&paused.writer, 0..3);
    stays(100 * MS, "healthy", || paused.writer.metrics().state == State::Healthy);
    assert_eq!(paused.finish().1.errors, 0);
}

/// Logs about its own work, through the writer it serves.
struct Talking {
    handle: Handle,
    answers: Arc<Mutex<Vec<Result<bool, SendError>>>>,
}

impl Sink for Talking {
    fn write(&mut self, lines: &[u8], _more_waiting: bool) -> io::Result<usize> {
        if let Some(writer) = self.handle.get() {
            let answer = writer.send("from the sink");
            self.answers.lock().unwrap().push(answer);
            assert!(matches!(writer.flush(LIMIT), Err(FlushError::WouldDeadlock)));
        }
        Ok(lines.len())
    }
}

#[test]
fn a_sink_that_sends_never_waits_for_itself() {
    for &policy in QueuePolicy::ALL {
        let handle = Handle::default();
        let answers: Arc<Mutex<Vec<_>>> = Arc::default();
        let sink = Talking { handle: Arc::clone(&handle), answers: Arc::clone(&answers) };
        let (writer, guard) = Writer::to(sink)
            .queue_policy(policy)
            .max_queue_size(1)
            .on_drop(|_| {})
            .build()
            .unwrap();
        handle.set(writer.clone()).unwrap();
        in_time(move || {
            for _ in 0..20 {
                writer.send("x").unwrap();
                thread::yield_now();
            }
            guard.shutdown(LIMIT).unwrap();
            let answers = answers.lock().unwrap();
            assert!(!answers.is_empty(), "{policy}");
            let m = writer.metrics();
            assert_ended(&m, 20 + answers.len());
            let rejected = answers.iter().filter(|answer| answer.is_err()).count();
            assert_eq!((m.errors, m.lost, m.rejected), (0, 0, rejected as u64), "{policy}");
        });
    }
}

// Wine, under which the tests for Windows run, runs no destructors of thread-locals.
/// Something that a callback leaves in a thread-local of the worker, and what happens when the
/// thread ends.
#[cfg(not(windows))]
struct Left(Box<dyn Fn()>);

#[cfg(not(windows))]
impl Drop for Left {
    fn drop(&mut self) {
        (self.0)();
    }
}

#[cfg(not(windows))]
thread_local! {
    static LEFT: std::cell::RefCell<Option<Left>> = const { std::cell::RefCell::new(None) };
}

/// A writer whose worker does this last.
#[cfg(not(windows))]
fn doing_last(last: impl Fn() + Clone + Send + 'static) -> (Writer, WriterGuard) {
    let last = Mutex::new(last);
    let (sink, _) = TestSink::recording();
    let on_write = move |_| {
        let last = last.lock().unwrap().clone();
        LEFT.set(Some(Left(Box::new(last))));
    };
    Writer::to(sink).on_write(on_write).build().unwrap()
}

#[cfg(not(windows))]
#[test]
fn a_shutdown_waits_for_what_a_callback_left_on_the_worker() {
    for _ in 0..100 {
        let ended = Arc::new(AtomicBool::new(false));
        let end = Arc::clone(&ended);
        let (writer, guard) = doing_last(move || end.store(true, Ordering::SeqCst));
        writer.send("x").unwrap();
        guard.shutdown(LIMIT).unwrap();
        assert!(ended.load(Ordering::SeqCst));
    }
}

/// It waited for ever for a destructor that waited for a lock of the caller.
#[cfg(not(windows))]
#[test]
fn a_shutdown_waits_no_longer_than_asked_for_what_a_callback_left_on_the_worker() {
    let gate = common::Gate::new_closed();
    let last = Arc::clone(&gate);
    let (writer, guard) = doing_last(move || last.pass());
    writer.send("x").unwrap();
    writer.flush(LIMIT).unwrap();
    let result = in_time(move || guard.shutdown(Duration::from_secs(1)));
    result.unwrap();
    gate.wait_until_entered(1);
    gate.open();
    assert_eq!(writer.metrics().written, 1);
}
