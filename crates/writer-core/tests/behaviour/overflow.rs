//! The edges of a full queue: the bound in bytes, lines that never fit, senders that wait.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::common::{
    self, LIMIT, Paused, Target, assert_ended, eventually, for_each, in_time, numbered,
    send_numbered, stays,
};
use writer_core::{Mode, QueuePolicy, SendError, ShutdownError};

const MS: Duration = Duration::from_millis(1);

#[test]
fn a_line_larger_than_the_queue_is_admitted_alone_or_refused_and_never_hangs() {
    for_each(common::combinations(), |c| {
        in_time(move || {
            let target = Target::new();
            let (writer, guard) =
                c.builder(&target).max_queue_bytes(100).on_drop(|_| {}).build().unwrap();
            let large = "x".repeat(1000);
            let block = c.policy == QueuePolicy::Block;
            assert_eq!(writer.send("before"), Ok(true));
            assert_eq!(writer.send(&large), Ok(block));
            assert_eq!(writer.send("after"), Ok(true));
            guard.shutdown(LIMIT).unwrap();
            let m = writer.metrics();
            assert_ended(&m, 3);
            if block {
                assert_eq!(target.lines(), ["before", &large, "after"]);
                assert_eq!((m.written, m.dropped), (3, 0));
            } else {
                assert_eq!(target.lines(), ["before", "after"]);
                assert_eq!((m.written, m.refused, m.evicted), (2, 1, 0));
            }
        });
    });
}

#[test]
fn many_senders_of_lines_that_never_fit_all_get_through_under_block() {
    in_time(|| {
        let target = Target::new();
        let (writer, guard) =
            target.builder().max_queue_bytes(64).max_queue_size(4).build().unwrap();
        let senders: Vec<_> = (0..6)
            .map(|t| {
                let writer = writer.clone();
                thread::spawn(move || {
                    for i in 0..50 {
                        let filler = if t % 2 == 0 { "x".repeat(200) } else { String::new() };
                        assert_eq!(writer.send(format!("t{t} {i} {filler}")), Ok(true));
                    }
                })
            })
            .collect();
        senders.into_iter().for_each(|sender| sender.join().unwrap());
        guard.shutdown(LIMIT).unwrap();
        let lines = target.lines();
        for t in 0..6 {
            let numbers: Vec<usize> = common::of_thread(&lines, t)
                .iter()
                .map(|line| line.split(' ').nth(1).unwrap().parse().unwrap())
                .collect();
            assert_eq!(numbers, (0..50).collect::<Vec<_>>(), "thread {t}");
        }
        assert_ended(&writer.metrics(), 300);
        assert_eq!(writer.metrics().written, 300);
    });
}

#[test]
fn the_bound_in_bytes_holds_and_evicts_as_many_lines_as_needed() {
    let paused = Paused::with(|b| {
        b.max_queue_bytes(20).max_queue_size(0).queue_policy(QueuePolicy::DropOldest)
    });
    for line in ["aaaa", "bbbb", "cccc", "dddd"] {
        assert_eq!(paused.writer.send(line), Ok(true));
    }
    assert_eq!(paused.writer.metrics().queue_bytes, 20);
    assert_eq!(paused.writer.send("e".repeat(10)), Ok(true));
    let m = paused.writer.metrics();
    assert_eq!((m.evicted, m.queue_len, m.queue_bytes), (3, 2, 16));
    let (lines, m) = paused.finish();
    assert_eq!(lines, ["dddd", &"e".repeat(10)]);
    assert_eq!((m.evicted, m.refused), (3, 0));
}

#[test]
fn the_bound_in_bytes_refuses_what_does_not_fit() {
    for policy in [QueuePolicy::DropNewest, QueuePolicy::Warn] {
        let paused = Paused::with(|b| {
            b.max_queue_bytes(10).max_queue_size(0).queue_policy(policy).on_drop(|_| {})
        });
        assert_eq!(paused.writer.send("1234567"), Ok(true));
        assert_eq!(paused.writer.send("12"), Ok(false), "{policy}: 8 + 3 bytes");
        assert_eq!(paused.writer.send("1"), Ok(true), "{policy}: 8 + 2 bytes");
        let (lines, m) = paused.finish();
        assert_eq!(lines, ["1234567", "1"], "{policy}");
        assert_eq!((m.refused, m.evicted), (1, 0), "{policy}");
    }
}

#[test]
fn no_bound_means_no_bound() {
    let paused = Paused::with(|b| {
        b.max_queue_bytes(0).max_queue_size(0).queue_policy(QueuePolicy::DropNewest)
    });
    send_numbered(&paused.writer, 0..50_000);
    let (lines, m) = paused.finish();
    assert!(lines == numbered(0..50_000));
    assert_eq!((m.high_water, m.dropped), (50_000, 0));
}

#[test]
fn blocked_senders_are_released_by_a_shutdown() {
    let paused = Paused::with(|b| b.max_queue_size(2).max_queue_bytes(50));
    send_numbered(&paused.writer, 0..2);
    let senders: Vec<_> = (0..8)
        .map(|t| {
            let writer = paused.writer.clone();
            let len = if t == 0 { 100 } else { 1 };
            thread::spawn(move || writer.send("x".repeat(len)))
        })
        .collect();
    stays(50 * MS, "they wait", || !senders.iter().any(|sender| sender.is_finished()));
    paused.guard.shutdown(Duration::ZERO).unwrap_err();
    // The worker still stands in the sink: it is the shutdown that lets them go.
    in_time(move || {
        for sender in senders {
            assert_eq!(sender.join().unwrap(), Err(SendError::Closed));
        }
    });
    let (lines, m) = paused.finish();
    assert_eq!(lines, numbered(0..2));
    assert_eq!((m.rejected, m.refused, m.enqueued), (8, 0, 3));
}

#[test]
fn a_sender_waits_no_longer_than_the_block_timeout() {
    let drops = Arc::new(AtomicU64::new(0));
    let heard = Arc::clone(&drops);
    let paused = Paused::with(|b| {
        b.max_queue_size(1).max_queue_bytes(50).block_timeout(50 * MS).on_drop(move |lines| {
            heard.fetch_add(lines, Ordering::Relaxed);
        })
    });
    send_numbered(&paused.writer, 0..1);
    for len in [1, 100] {
        let start = Instant::now();
        assert_eq!(paused.writer.send("x".repeat(len)), Ok(false));
        assert!(start.elapsed() >= 50 * MS);
    }
    let (lines, m) = paused.finish();
    assert_eq!(lines, numbered(0..1));
    assert_eq!((m.refused, m.dropped), (2, 2));
    assert_eq!(drops.load(Ordering::Relaxed), 2);
}

#[test]
fn a_line_that_gave_up_does_not_keep_others_out() {
    let paused = Paused::with(|b| b.max_queue_size(4).max_queue_bytes(50).block_timeout(10 * MS));
    send_numbered(&paused.writer, 0..1);
    assert_eq!(paused.writer.send("x".repeat(100)), Ok(false));
    assert_eq!(paused.writer.send("line 1"), Ok(true), "there is room");
    assert_eq!(paused.finish().0, numbered(0..2));
}

#[test]
fn a_batch_of_sends_follows_the_policy_line_by_line() {
    let all: Vec<String> = numbered(0..20);
    for &policy in QueuePolicy::ALL {
        let target = Target::new();
        let (writer, guard) = target
            .builder()
            .mode(Mode::Manual)
            .max_queue_size(5)
            .queue_policy(policy)
            .on_drop(|_| {})
            .build()
            .unwrap();
        let accepted = writer.send_batch(&all).unwrap();
        assert_eq!(writer.send_batch(Vec::<&str>::new()), Ok(0));
        guard.shutdown(LIMIT).unwrap();
        let (expected, kept) = match policy {
            QueuePolicy::Block => (20, 0..20),
            QueuePolicy::DropOldest => (20, 15..20),
            _ => (5, 0..5),
        };
        assert_eq!(accepted, expected, "{policy}");
        assert_eq!(target.lines(), numbered(kept), "{policy}");
        let m = writer.metrics();
        assert_ended(&m, 20);
        assert_eq!(m.sent, 20, "{policy}");
    }
}

#[test]
fn a_batch_that_a_shutdown_interrupts_says_how_many_lines_were_accepted() {
    let paused = Paused::with(|b| b.max_queue_size(3));
    let result = Arc::new(Mutex::new(None));
    let sender = {
        let (writer, result) = (paused.writer.clone(), Arc::clone(&result));
        thread::spawn(move || *result.lock().unwrap() = Some(writer.send_batch(numbered(0..10))))
    };
    eventually("the queue is full", || paused.writer.metrics().queue_len == 3);
    paused.guard.shutdown(Duration::ZERO).unwrap_err();
    in_time(move || sender.join().unwrap());
    assert_eq!(*result.lock().unwrap(), Some(Ok(3)));
    let (lines, m) = paused.finish();
    assert_eq!(lines, numbered(0..3));
    assert_eq!(m.rejected, 1, "the lines behind it were never sent");
}

#[test]
fn a_full_queue_of_a_stuck_worker_drops_no_flush_and_no_shutdown() {
    for &policy in QueuePolicy::ALL {
        let paused = Paused::with(|b| {
            b.max_queue_size(1).queue_policy(policy).block_timeout(MS).on_drop(|_| {})
        });
        for _ in 0..10 {
            paused.writer.send("x").unwrap();
        }
        let writer = paused.writer.clone();
        let flushing = thread::spawn(move || writer.flush(Duration::MAX));
        stays(10 * MS, "it waits", || !flushing.is_finished());
        // Into a queue that has no room for a line.
        assert_eq!(paused.writer.metrics().queue_len, 1, "{policy}");
        let result = paused.guard.shutdown(Duration::ZERO);
        assert!(
            matches!(result, Err(ShutdownError::Timeout { remaining: 2 })),
            "{policy}: {result:?}"
        );
        assert_eq!(paused.writer.send("late"), Err(SendError::Closed), "{policy}");
        paused.gate.open();
        in_time(move || flushing.join().unwrap()).unwrap();
        let writer = paused.writer.clone();
        // The first call is what ends the worker, without the one that `finish` makes.
        eventually("the worker has gone", || !writer.is_running());
        assert_eq!(paused.finish().0, ["x"], "{policy}");
    }
}
