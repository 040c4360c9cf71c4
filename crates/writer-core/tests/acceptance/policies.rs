//! Acceptance cases: what a full queue does, and what is counted.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::Duration;

use crate::common::{
    self, LIMIT, NEVER, Paused, Target, TestSink, assert_ended, eventually, in_time, numbered,
    send_numbered, stays,
};
use writer_core::{Metrics, Mode, QueuePolicy, Writer};

#[test]
fn a_40_a_small_queue_under_block_loses_nothing() {
    for (size, sends) in [(100, 10_000), (5, 100)] {
        let target = Target::new();
        let (writer, guard) = target.builder().max_queue_size(size).batch_size(10).build().unwrap();
        send_numbered(&writer, 0..sends);
        guard.shutdown(LIMIT).unwrap();
        assert_eq!(target.lines(), numbered(0..sends));
        let m = writer.metrics();
        assert_ended(&m, sends);
        assert_eq!(m.dropped, 0);
        assert!(m.high_water <= size, "{}", m.high_water);
    }
}

#[test]
fn a_41_a_sender_waits_while_the_queue_is_full() {
    let paused = Paused::with(|b| b.max_queue_size(5));
    send_numbered(&paused.writer, 0..5);
    let sender = {
        let writer = paused.writer.clone();
        thread::spawn(move || send_numbered(&writer, 5..6))
    };
    stays(Duration::from_millis(100), "the sixth send waits", || {
        !sender.is_finished() && paused.writer.metrics().queue_len == 5
    });
    paused.gate.open();
    in_time(move || sender.join().unwrap());
    assert_eq!(paused.finish().0, numbered(0..6));
}

#[test]
fn a_42_counters_start_at_zero_and_count_to_ten() {
    let target = Target::new();
    let (writer, guard) = target.builder().build().unwrap();
    let mut fresh = writer.metrics();
    fresh.wake_count = 0;
    assert_eq!(fresh, Metrics::default());
    send_numbered(&writer, 0..10);
    guard.shutdown(LIMIT).unwrap();
    let m = writer.metrics();
    assert_ended(&m, 10);
    assert_eq!((m.enqueued, m.written, m.dropped, m.errors, m.pending), (10, 10, 0, 0, 0));
}

/// Manual, `size` places, `sends` sends, a trigger: what was accepted, the lines, the counters.
fn overflow(policy: QueuePolicy, size: usize, sends: usize) -> (Vec<bool>, Vec<String>, Metrics) {
    let target = Target::new();
    let (writer, guard) = target
        .builder()
        .mode(Mode::Manual)
        .max_queue_size(size)
        .queue_policy(policy)
        .on_drop(|_| {})
        .build()
        .unwrap();
    let accepted = (0..sends).map(|i| writer.send(format!("line {i}")).unwrap()).collect();
    assert_eq!(target.len(), 0, "a full queue is no trigger under {policy}");
    writer.trigger();
    eventually("the trigger is served", || writer.metrics().pending == 0);
    let m = writer.metrics();
    guard.shutdown(LIMIT).unwrap();
    (accepted, target.lines(), m)
}

#[test]
fn a_43_drop_newest_keeps_the_oldest_lines() {
    let (accepted, lines, m) = overflow(QueuePolicy::DropNewest, 5, 20);
    assert_eq!(accepted, [vec![true; 5], vec![false; 15]].concat());
    assert_eq!(lines, numbered(0..5));
    assert_eq!((m.enqueued, m.refused, m.dropped, m.pending), (5, 15, 15, 0));
}

#[test]
fn a_44_drop_oldest_keeps_the_newest_lines() {
    let (accepted, lines, m) = overflow(QueuePolicy::DropOldest, 5, 20);
    assert_eq!(accepted, vec![true; 20]);
    assert_eq!(lines, numbered(15..20));
    assert_eq!((m.enqueued, m.evicted, m.dropped, m.pending), (20, 15, 15, 0));
}

#[test]
fn a_45_warn_refuses_and_counts() {
    let (accepted, lines, m) = overflow(QueuePolicy::Warn, 2, 4);
    assert_eq!(accepted, [true, true, false, false]);
    assert_eq!(lines, numbered(0..2));
    assert_eq!((m.enqueued, m.dropped), (2, 2));
}

#[test]
fn a_45_drops_are_reported_at_once_then_once_a_second_and_add_up() {
    for policy in [QueuePolicy::Warn, QueuePolicy::DropNewest, QueuePolicy::DropOldest] {
        let reports = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&reports);
        let here = thread::current().id();
        let target = Target::new();
        let (writer, guard) = target
            .builder()
            .mode(Mode::Manual)
            .max_queue_size(2)
            .queue_policy(policy)
            .on_drop(move |lines| heard.lock().unwrap().push((lines, thread::current().id())))
            .build()
            .unwrap();
        let start = std::time::Instant::now();
        for i in 0..3 {
            writer.send(format!("line {i}")).unwrap();
        }
        assert_eq!(*reports.lock().unwrap(), [(1, here)], "{policy}: the first, at once");
        for i in 3..50 {
            writer.send(format!("line {i}")).unwrap();
        }
        let seconds = start.elapsed().as_secs() as usize;
        assert!(reports.lock().unwrap().len() <= 1 + seconds, "{policy}");
        guard.shutdown(LIMIT).unwrap();
        let total: u64 = reports.lock().unwrap().iter().map(|report| report.0).sum();
        assert_eq!((total, writer.metrics().dropped), (48, 48), "{policy}");
    }
}

#[test]
fn a_45_the_worker_reports_the_rest_when_room_has_returned() {
    let total = Arc::new(AtomicU64::new(0));
    let heard = Arc::clone(&total);
    let paused = Paused::with(|b| {
        b.max_queue_size(1).queue_policy(QueuePolicy::DropNewest).on_drop(move |lines| {
            heard.fetch_add(lines, Ordering::Relaxed);
        })
    });
    for _ in 0..11 {
        paused.writer.send("x").unwrap();
    }
    paused.gate.open();
    eventually("all drops are reported without another", || total.load(Ordering::Relaxed) == 10);
    paused.finish();
}

#[test]
fn a_45_warn_without_a_callback_prints_to_stderr() {
    if common::is_child() {
        let target = Target::new();
        let (writer, guard) = target
            .builder()
            .mode(Mode::Manual)
            .max_queue_size(2)
            .queue_policy(QueuePolicy::Warn)
            .build()
            .unwrap();
        for _ in 0..4 {
            writer.send("x").unwrap();
        }
        return drop(guard);
    }
    let output = common::run_alone("policies::a_45_warn_without_a_callback_prints_to_stderr", &[]);
    let stderr = String::from_utf8(output.stderr).unwrap();
    let warnings: Vec<&str> = stderr.lines().filter(|line| line.contains("dropped")).collect();
    assert!((1..=2).contains(&warnings.len()), "{stderr}");
    let number = |warning: &&str| -> u64 {
        warning.split_whitespace().find_map(|word| word.parse().ok()).unwrap()
    };
    assert_eq!(warnings.iter().map(number).sum::<u64>(), 2, "{stderr}");
}

#[test]
fn a_46_a_sender_that_waits_for_room_makes_the_worker_write_in_every_mode() {
    for (mode, sends) in [(Mode::Manual, 20), (Mode::Loop, 100), (Mode::Trigger, 100)] {
        let target = Target::new();
        let (writer, guard) = target
            .builder()
            .mode(mode)
            .tick(NEVER)
            .batch_size(0)
            .no_flush_interval()
            .max_queue_size(5)
            .build()
            .unwrap();
        let sender = writer.clone();
        in_time(move || {
            send_numbered(&sender, 0..sends);
            guard.shutdown(LIMIT).unwrap();
        });
        assert_eq!(target.lines(), numbered(0..sends), "{mode}");
        let m = writer.metrics();
        assert_ended(&m, sends);
        assert_eq!(m.forced_flushes >= 1, mode != Mode::Trigger, "{mode}");
    }
}

#[test]
fn a_47_a_callback_that_sends_cannot_block_the_worker() {
    let handle: Arc<OnceLock<Writer>> = Arc::default();
    let (echoes, errors) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let (sink, record) = TestSink::recording();
    let (writer, guard) = {
        let (handle, echoes, errors) =
            (Arc::clone(&handle), Arc::clone(&echoes), Arc::clone(&errors));
        Writer::to(sink)
            .max_queue_size(1)
            .on_write(move |_| {
                for _ in 0..3 {
                    let Some(writer) = handle.get() else { continue };
                    echoes.fetch_add(1, Ordering::Relaxed);
                    if writer.send("echo").is_err() {
                        errors.fetch_add(1, Ordering::Relaxed);
                    }
                }
            })
            .build()
            .unwrap()
    };
    handle.set(writer.clone()).unwrap();
    in_time(move || {
        send_numbered(&writer, 0..50);
        guard.shutdown(LIMIT).unwrap();
        let m = writer.metrics();
        assert_ended(&m, 50 + echoes.load(Ordering::Relaxed) as usize);
        assert_eq!(m.rejected, errors.load(Ordering::Relaxed));
        assert!(m.rejected > 0, "the second echo finds a full queue");
        assert_eq!(m.dropped, 0);
    });
    let mine: Vec<_> = record.lines().into_iter().filter(|line| line != "echo").collect();
    assert_eq!(mine, numbered(0..50));
}

#[test]
fn a_48_callbacks_add_up_and_come_after_the_counters() {
    let handle: Arc<OnceLock<Writer>> = Arc::default();
    let (lines, flushes, late) =
        (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let target = Target::new();
    let (writer, guard) = {
        let (handle, lines, late) = (Arc::clone(&handle), Arc::clone(&lines), Arc::clone(&late));
        let flushes = Arc::clone(&flushes);
        target
            .builder()
            .on_write(move |n| {
                let so_far = lines.fetch_add(n as u64, Ordering::Relaxed) + n as u64;
                if handle.get().is_some_and(|writer| writer.metrics().written < so_far) {
                    late.fetch_add(1, Ordering::Relaxed);
                }
            })
            .on_flush(move || {
                flushes.fetch_add(1, Ordering::Relaxed);
            })
            .build()
            .unwrap()
    };
    handle.set(writer.clone()).unwrap();
    for round in 0..20 {
        send_numbered(&writer, round * 100..round * 100 + 100);
        writer.flush(LIMIT).unwrap();
    }
    guard.shutdown(LIMIT).unwrap();
    let m = writer.metrics();
    assert_eq!((m.written, lines.load(Ordering::Relaxed)), (2000, 2000));
    assert_eq!(flushes.load(Ordering::Relaxed), m.flush_count);
    assert!(m.flush_count >= 20);
    assert_eq!(late.load(Ordering::Relaxed), 0, "counters were behind the callback");
}

#[test]
fn a_48_a_panicking_callback_leaves_the_worker_alive() {
    let target = Target::new();
    let (writer, guard) = target
        .builder()
        .on_write(|_| panic!("on_write"))
        .on_flush(|| panic!("on_flush"))
        .build()
        .unwrap();
    for i in 0..3 {
        send_numbered(&writer, i..i + 1);
        writer.flush(LIMIT).unwrap();
    }
    assert!(writer.is_running());
    guard.shutdown(LIMIT).unwrap();
    let m = writer.metrics();
    assert_ended(&m, 3);
    assert_eq!((m.written, m.flush_count, m.callback_panics), (3, 3, 6));
    assert_eq!(target.lines(), numbered(0..3));
}

#[test]
fn a_49_with_a_sink_too_slow_every_line_is_written_or_dropped() {
    for policy in [QueuePolicy::DropNewest, QueuePolicy::DropOldest, QueuePolicy::Warn] {
        let paused = Paused::with(|b| b.max_queue_size(1000).queue_policy(policy).on_drop(|_| {}));
        for i in 0..50_000 {
            paused.writer.send(format!("line {i}")).unwrap();
        }
        let (lines, m) = paused.finish();
        assert_eq!((m.written, m.dropped), (1001, 49_000), "{policy}");
        let kept = if policy == QueuePolicy::DropOldest { 49_000..50_000 } else { 0..1000 };
        assert_eq!(lines, numbered(kept), "{policy}");
    }
}

#[test]
fn a_50_flushes_are_rounds_and_not_lines() {
    let paused = Paused::with(|b| b.batch_size(10));
    send_numbered(&paused.writer, 0..1000);
    let (lines, m) = paused.finish();
    assert_eq!((lines.len(), m.written), (1000, 1001));
    assert!((1..=100).contains(&m.flush_count), "{}", m.flush_count);
}
