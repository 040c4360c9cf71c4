//! Acceptance cases: many lines, many threads.

use std::thread;
use std::time::Instant;

use crate::common::{
    self, LIMIT, Target, assert_ended, of_thread, send_from_threads, send_numbered,
};
use writer_core::{Severity, Strategy};

#[test]
fn a_58_as_many_lines_as_were_sent_in_order() {
    let begun = Instant::now();
    let mut sizes = vec![(100_000, 100), (500_000, 100), (1_000_000, 10)];
    while let Some((count, batch)) = sizes.pop() {
        let target = Target::new();
        let (writer, guard) = target.builder().batch_size(batch).build().unwrap();
        let start = Instant::now();
        send_numbered(&writer, 0..count);
        guard.shutdown(LIMIT).unwrap();
        let took = start.elapsed();
        let bytes = target.bytes();
        let text = std::str::from_utf8(&bytes).unwrap();
        let mut lines = 0;
        for line in text.split_terminator('\n') {
            assert_eq!(line, format!("line {lines}"));
            lines += 1;
        }
        assert_eq!(lines, count);
        assert_ended(&writer.metrics(), count);
        let rate = count as f64 / took.as_secs_f64();
        if cfg!(not(debug_assertions)) && rate < 100_000.0 {
            // A busy machine may be slow once, and is not slow every time.
            assert!(begun.elapsed() < LIMIT, "{rate:.0} lines/s");
            sizes.push((count, batch));
        }
    }
}

#[test]
fn a_59_each_threads_lines_are_all_there_in_order() {
    for threads in [1, 2, 8, 32] {
        let target = Target::new();
        let (writer, guard) = target.builder().max_queue_size(500).build().unwrap();
        let accepted = send_from_threads(&writer, threads, 2_000);
        guard.shutdown(LIMIT).unwrap();
        let lines = target.lines();
        assert_eq!(lines.len(), threads * 2_000);
        for (t, accepted) in accepted.iter().enumerate() {
            assert_eq!(&of_thread(&lines, t), accepted, "thread {t} of {threads}");
        }
        assert_ended(&writer.metrics(), threads * 2_000);
    }
}

#[test]
fn a_60_six_threads_with_three_severities() {
    let target = Target::new();
    let (writer, guard) = target.builder().build().unwrap();
    let severities = [Severity::Debug, Severity::Info, Severity::Error];
    let senders: Vec<_> = (0..6)
        .map(|t| {
            let writer = writer.clone();
            let severity = severities[t % 3];
            thread::spawn(move || {
                for i in 0..5_000 {
                    let line = format!("{} {t} {i}", severity.as_str());
                    assert_eq!(writer.send_with(severity, line), Ok(true));
                }
            })
        })
        .collect();
    senders.into_iter().for_each(|sender| sender.join().unwrap());
    guard.shutdown(LIMIT).unwrap();
    let lines = target.lines();
    assert_eq!(lines.len(), 30_000);
    for severity in severities {
        let of_severity = lines.iter().filter(|line| line.starts_with(severity.as_str()));
        assert_eq!(of_severity.count(), 10_000, "{severity:?}");
    }
    assert_ended(&writer.metrics(), 30_000);
}

#[test]
fn a_61_many_lines_through_line_and_mmap() {
    for (strategy, count) in [(Strategy::LineBuffered, 50_000), (Strategy::MemoryMapped, 100_000)] {
        let target = Target::new();
        let (writer, guard) = target.builder().strategy(strategy).build().unwrap();
        send_numbered(&writer, 0..count);
        guard.shutdown(LIMIT).unwrap();
        assert!(target.lines() == common::numbered(0..count), "{strategy}");
        assert_ended(&writer.metrics(), count);
    }
}

/// The resident memory of this process, in bytes.
#[cfg(target_os = "linux")]
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() << 10
}

#[cfg(target_os = "linux")]
#[test]
fn a_62_memory_does_not_grow_from_round_to_round() {
    if !common::is_child() {
        common::run_alone("volume::a_62_memory_does_not_grow_from_round_to_round", &[]);
        return;
    }
    let target = Target::new();
    let (writer, guard) = target.builder().max_queue_size(10_000).build().unwrap();
    let line = "x".repeat(200);
    let mut first = 0;
    for round in 0..10 {
        for _ in 0..10_000 {
            writer.send(&line).unwrap();
        }
        writer.flush(LIMIT).unwrap();
        if round == 0 {
            first = resident();
        }
        common::assert_snapshot(&writer.metrics());
    }
    let last = resident();
    // A round has 2 MB of lines, and the worker may have kept up better in the first one.
    assert!(last < first + (6 << 20), "{first} bytes after the first round, {last} after the last");
    guard.shutdown(LIMIT).unwrap();
    let m = writer.metrics();
    assert_ended(&m, 100_000);
    assert!(m.high_water <= 10_000);
    assert_eq!(m.written, 100_000);
}
