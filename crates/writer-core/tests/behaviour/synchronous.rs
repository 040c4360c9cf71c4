//! The mode without worker and queue: the same lines in the same file, written when `send` returns.

mod failing;
mod reentrant;

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use crate::common::{
    Combination, Gate, LIMIT, Record, Target, TestSink, assert_ended, assert_snapshot,
    combinations, eventually, for_each, in_time, lines_of, numbered, of_thread, send_from_threads,
    send_numbered, stays,
};
use writer_core::{
    FlushError, Operation, QueuePolicy, ReopenError, ReopenReason, Reopened, SendError,
    ShutdownError, Sink, State, Strategy, Writer, WriterGuard,
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
    assert!(!writer.is_running(), "no worker drains on");
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
