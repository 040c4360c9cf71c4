//! Acceptance cases, without A-34: when the worker writes.
//!
//! A line that is early is a fault, and so is one that never comes; a late one may be the fault of
//! a busy machine, so upper bounds are loose everywhere.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::common::{
    Gate, LIMIT, NEVER, Target, TestSink, assert_ended, eventually, numbered, send_numbered, stays,
};
use writer_core::{Mode, Strategy, Writer};

const MS: Duration = Duration::from_millis(1);

#[test]
fn a_28_trigger_writes_when_the_batch_is_full() {
    for n in [1, 10, 100, 1000] {
        let target = Target::new();
        let (writer, _guard) =
            target.builder().flush_interval(NEVER).batch_size(n).build().unwrap();
        send_numbered(&writer, 0..n - 1);
        stays(100 * MS, format!("empty below a batch of {n}"), || target.len() == 0);
        send_numbered(&writer, n - 1..n);
        eventually(format!("a batch of {n} lines"), || target.count_so_far() == n);
        assert_eq!(target.lines(), numbered(0..n));
    }
}

#[test]
fn a_29_trigger_writes_what_is_below_a_batch_after_the_interval() {
    let target = Target::new();
    let (writer, guard) =
        target.builder().batch_size(1000).flush_interval(50 * MS).build().unwrap();
    send_numbered(&writer, 0..2);
    eventually("2 lines", || target.count_so_far() == 2);
    send_numbered(&writer, 2..3);
    guard.shutdown(LIMIT).unwrap();
    assert_eq!(target.lines(), numbered(0..3));
}

#[test]
fn a_30_loop_writes_at_the_tick_in_one_flush() {
    let target = Target::new();
    let before = Instant::now();
    let (writer, _guard) =
        target.builder().mode(Mode::Loop).tick(500 * MS).batch_size(1000).build().unwrap();
    send_numbered(&writer, 0..5);
    let len = target.len();
    // Only on a machine that took half a second for this may the tick have come.
    let before_tick = before.elapsed() < 500 * MS;
    assert!(len == 0 || !before_tick, "written between ticks");
    eventually("5 lines", || target.count_so_far() == 5);
    assert!(before.elapsed() >= 500 * MS);
    if before_tick {
        eventually("the flush is counted", || writer.metrics().flush_count == 1);
    }
    assert_eq!(target.lines(), numbered(0..5));
}

#[test]
fn a_30_loop_writes_nothing_between_ticks_however_full_the_batch_is() {
    let target = Target::new();
    let (writer, guard) = target
        .builder()
        .mode(Mode::Loop)
        .tick(NEVER)
        .batch_size(1)
        .flush_interval(MS)
        .build()
        .unwrap();
    send_numbered(&writer, 0..1000);
    stays(100 * MS, "empty between ticks", || target.len() == 0);
    guard.shutdown(LIMIT).unwrap();
    assert_eq!(target.lines(), numbered(0..1000));
}

#[test]
fn a_31_loop_writes_below_a_batch_without_a_stop() {
    for (count, batch) in [(8, 1000), (1000, 10_000)] {
        let target = Target::new();
        let (writer, _guard) =
            target.builder().mode(Mode::Loop).tick(100 * MS).batch_size(batch).build().unwrap();
        send_numbered(&writer, 0..count);
        eventually(format!("{count} lines"), || target.count_so_far() == count);
        assert_eq!(target.lines(), numbered(0..count));
    }
}

#[test]
fn a_32_loop_writes_at_one_tick_after_the_other() {
    let target = Target::new();
    let (writer, _guard) = target.builder().mode(Mode::Loop).tick(100 * MS).build().unwrap();
    send_numbered(&writer, 0..5);
    eventually("5 lines", || target.count_so_far() == 5);
    send_numbered(&writer, 5..10);
    eventually("10 lines", || target.count_so_far() == 10);
    eventually("two flushes counted", || writer.metrics().flush_count >= 2);
    assert_eq!(target.lines(), numbered(0..10));
}

#[test]
fn a_33_loop_writes_with_every_tick_and_a_stop_waits_for_none() {
    for tick in [1, 10, 100] {
        let target = Target::new();
        let (writer, _guard) = target.builder().mode(Mode::Loop).tick(tick * MS).build().unwrap();
        send_numbered(&writer, 0..1);
        eventually(format!("a line with a tick of {tick} ms"), || target.count_so_far() == 1);
    }
    let target = Target::new();
    let (writer, guard) = target.builder().mode(Mode::Loop).tick(NEVER).build().unwrap();
    send_numbered(&writer, 0..1);
    let start = Instant::now();
    guard.shutdown(NEVER).unwrap();
    assert!(start.elapsed() < LIMIT);
    assert_eq!(target.lines(), numbered(0..1));
}

#[test]
fn a_35_manual_writes_on_a_trigger_and_not_for_nothing() {
    let target = Target::new();
    let (writer, guard) =
        target.builder().mode(Mode::Manual).batch_size(1).flush_interval(MS).build().unwrap();
    send_numbered(&writer, 0..2);
    stays(300 * MS, "empty without a trigger", || target.len() == 0);
    writer.trigger();
    eventually("2 lines", || target.count_so_far() == 2);
    eventually("the flush is counted", || writer.metrics().flush_count == 1);
    writer.trigger();
    writer.flush(LIMIT).unwrap();
    guard.shutdown(LIMIT).unwrap();
    assert_eq!(writer.metrics().flush_count, 1, "nothing to write is no flush");
}

#[test]
fn a_35_a_trigger_for_nothing_does_not_write_what_comes_later() {
    let target = Target::new();
    let (writer, _guard) = target.builder().mode(Mode::Manual).build().unwrap();
    writer.trigger();
    send_numbered(&writer, 0..1);
    stays(100 * MS, "empty", || target.len() == 0);
}

#[test]
fn a_36_manual_writes_everything_at_the_end() {
    for &strategy in Strategy::ALL {
        let manual = |target: &Target| {
            target.builder().strategy(strategy).mode(Mode::Manual).build().unwrap()
        };
        let target = Target::new();
        let (writer, guard) = manual(&target);
        send_numbered(&writer, 0..20);
        guard.shutdown(LIMIT).unwrap();
        assert_eq!(target.lines(), numbered(0..20), "shutdown, {strategy}");

        let target = Target::new();
        let (writer, guard) = manual(&target);
        send_numbered(&writer, 0..20);
        drop(guard);
        assert_eq!(target.lines(), numbered(0..20), "drop, {strategy}");

        let target = Target::new();
        let unwound = catch_unwind(AssertUnwindSafe(|| {
            let (writer, _guard) = manual(&target);
            send_numbered(&writer, 0..20);
            panic!("the program's own");
        }));
        unwound.unwrap_err();
        assert_eq!(target.lines(), numbered(0..20), "unwinding, {strategy}");
    }
}

#[test]
fn a_37_a_trigger_during_a_write_is_not_lost() {
    let gate = Gate::new_closed();
    let (sink, record) = TestSink::gated(&gate);
    let (writer, guard) = Writer::to(sink).mode(Mode::Manual).build().unwrap();
    writer.send("A").unwrap();
    writer.trigger();
    gate.wait_until_entered(1);
    writer.send("B").unwrap();
    writer.trigger();
    gate.open();
    eventually("A and B are written", || record.lines() == ["A", "B"]);
    guard.shutdown(LIMIT).unwrap();
    assert_ended(&writer.metrics(), 2);
}

#[test]
fn a_38_a_trigger_elsewhere_than_in_manual_changes_nothing() {
    for mode in [Mode::Trigger, Mode::Loop] {
        let target = Target::new();
        let (writer, _guard) =
            target.builder().mode(mode).batch_size(0).no_flush_interval().build().unwrap();
        assert_eq!(writer.send("line"), Ok(true));
        writer.trigger();
        stays(100 * MS, format!("empty in {mode}"), || target.len() == 0);
        assert_eq!(writer.metrics().flush_count, 0, "{mode}");
    }
}

#[test]
fn a_38_batch_size_zero_leaves_time_as_the_only_reason() {
    let target = Target::new();
    let (writer, _guard) = target.builder().batch_size(0).flush_interval(NEVER).build().unwrap();
    send_numbered(&writer, 0..5000);
    stays(100 * MS, "no number of lines is a reason", || target.len() == 0);

    let target = Target::new();
    let (writer, _guard) = target.builder().batch_size(0).flush_interval(50 * MS).build().unwrap();
    send_numbered(&writer, 0..5);
    eventually("time is a reason", || target.count_so_far() == 5);
}

#[test]
fn a_38_no_interval_leaves_the_batch_as_the_only_reason() {
    let target = Target::new();
    let (writer, _guard) = target.builder().no_flush_interval().batch_size(10).build().unwrap();
    send_numbered(&writer, 0..9);
    stays(300 * MS, "no time is a reason", || target.len() == 0);
    send_numbered(&writer, 9..10);
    eventually("a batch is a reason", || target.count_so_far() == 10);
}

#[test]
fn a_39_a_steady_stream_puts_no_deadline_off() {
    let start = Instant::now();
    // A busy machine is late now and then, a deadline that the lines put off is late every time.
    while latest_of_a_steady_stream() > 300 * MS {
        assert!(start.elapsed() < LIMIT, "a line is later than 300 ms in every stream");
    }
}

/// Sends a line every 50 ms for two seconds, ten times the interval; how long the line took that
/// took longest. No write may come before its interval is over.
fn latest_of_a_steady_stream() -> Duration {
    let written = Arc::new(Mutex::new(Vec::new()));
    let of_sink = Arc::clone(&written);
    let (sink, record) = TestSink::answering(move |lines, _| {
        let count = lines.iter().filter(|&&byte| byte == b'\n').count();
        of_sink.lock().unwrap().push((Instant::now(), count));
        Ok(lines.len())
    });
    let built = Instant::now();
    let (writer, _guard) = Writer::to(sink).batch_size(0).flush_interval(200 * MS).build().unwrap();
    let sent: Vec<Instant> = (0..40)
        .map(|i| {
            let now = Instant::now();
            send_numbered(&writer, i..i + 1);
            thread::sleep(50 * MS);
            now
        })
        .collect();
    eventually("the last deadline comes without a line", || record.lines().len() == sent.len());
    let written = written.lock().unwrap();
    let (mut due, mut of_lines) = (built, Vec::new());
    for &(at, count) in &*written {
        due += 200 * MS;
        assert!(at >= due, "written {:?} too early", due - at);
        of_lines.extend(std::iter::repeat_n(at, count));
    }
    of_lines.iter().zip(&sent).map(|(&written, &sent)| written - sent).max().unwrap()
}

#[test]
fn an_interval_of_zero_writes_on_every_wake() {
    for mode in [Mode::Trigger, Mode::Loop] {
        let target = Target::new();
        let (writer, _guard) = target
            .builder()
            .mode(mode)
            .batch_size(0)
            .flush_interval(Duration::ZERO)
            .build()
            .unwrap();
        for i in 1..=10 {
            writer.send("x").unwrap();
            eventually(format!("line {i} in {mode}"), || target.count_so_far() == i);
        }
    }
}

#[test]
fn a_full_queue_is_a_reason_to_write_in_trigger() {
    let target = Target::new();
    let (writer, _guard) =
        target.builder().max_queue_size(20).batch_size(0).no_flush_interval().build().unwrap();
    send_numbered(&writer, 0..19);
    stays(50 * MS, "empty", || target.len() == 0);
    send_numbered(&writer, 19..20);
    eventually("the full queue is written", || target.count_so_far() == 20);
    assert_eq!(writer.metrics().forced_flushes, 0);
}
