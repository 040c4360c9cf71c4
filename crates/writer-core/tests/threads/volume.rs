//! Many lines: every byte arrives, in order, and everything is counted.
//!
//! `WRITER_FULL=1` runs the long form.

use std::fs;
use std::path::Path;
use std::time::Duration;

use writer_core::{Mode, QueuePolicy, Strategy, Writer};

const STRATEGIES: [Strategy; 3] =
    [Strategy::LineBuffered, Strategy::BlockBuffered, Strategy::MemoryMapped];

fn full() -> bool {
    std::env::var_os("WRITER_FULL").is_some_and(|value| value == "1")
}

/// A line whose length differs from that of its neighbours.
fn varied(number: usize) -> String {
    format!("{number:06} {}\n", &"abcdefghijklmnopqrstuvwxyz".repeat(8)[..number * 7 % 200])
}

#[test]
fn a_mapped_file_has_exactly_the_bytes_sent() {
    let expected: String = (0..100_000).map(varied).collect();
    for run in 0..if full() { 100 } else { 5 } {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        // Chunks that are left often, and the default.
        let chunk = if run % 2 == 0 { 256 << 10 } else { 32 << 20 };
        let (writer, guard) = Writer::builder(&path)
            .strategy(Strategy::MemoryMapped)
            .mmap_chunk(chunk)
            .build()
            .unwrap();
        for number in 0..100_000 {
            assert_eq!(writer.send(varied(number)), Ok(true));
        }
        guard.shutdown(Duration::from_secs(60)).unwrap();
        assert!(fs::read(&path).unwrap() == expected.as_bytes(), "run {run}: the bytes differ");
        assert_eq!(writer.metrics().bytes_written, expected.len() as u64);
    }
}

#[test]
fn eight_producers_keep_their_order_and_lose_nothing() {
    let per_thread = if full() { 250_000 } else { 25_000 };
    for strategy in STRATEGIES {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let (writer, guard) = Writer::builder(&path).strategy(strategy).build().unwrap();
        send_from_eight(&writer, per_thread);
        guard.shutdown(Duration::from_secs(60)).unwrap();
        let metrics = writer.metrics();
        assert_eq!((metrics.dropped, metrics.pending, metrics.lost), (0, 0, 0));
        assert_eq!(metrics.written, 8 * per_thread as u64);
        let counts = count_in_order(&path, |last, number| number == last + 1);
        assert_eq!(counts, [per_thread; 8], "{strategy}");
    }
}

#[test]
fn eight_producers_lose_exactly_what_is_counted() {
    for policy in [QueuePolicy::DropOldest, QueuePolicy::DropNewest] {
        for mode in [Mode::Trigger, Mode::Loop] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("log");
            let (writer, guard) = Writer::builder(&path)
                .queue_policy(policy)
                .mode(mode)
                .max_queue_size(500)
                .build()
                .unwrap();
            send_from_eight(&writer, 10_000);
            guard.shutdown(Duration::from_secs(60)).unwrap();
            let metrics = writer.metrics();
            assert_eq!(metrics.sent, 80_000);
            let counts = count_in_order(&path, |last, number| number > last);
            assert_eq!(counts.iter().sum::<usize>() as u64, metrics.written, "{policy} {mode}");
            assert_eq!(metrics.written + metrics.dropped, 80_000);
        }
    }
}

fn send_from_eight(writer: &Writer, per_thread: usize) {
    std::thread::scope(|scope| {
        for thread in 0..8 {
            scope.spawn(move || {
                for number in 1..=per_thread {
                    writer
                        .send(format!("{thread} {number:07} some text to fill the line"))
                        .unwrap();
                }
            });
        }
    });
}

/// Counts the lines of each thread; each must follow its thread's last one as `follows` says.
fn count_in_order(path: &Path, follows: impl Fn(usize, usize) -> bool) -> [usize; 8] {
    let mut counts = [0; 8];
    let mut last = [0; 8];
    for line in fs::read_to_string(path).unwrap().lines() {
        let thread: usize = line[..1].parse().unwrap();
        let number: usize = line[2..9].parse().unwrap();
        assert_eq!(&line[9..], " some text to fill the line");
        assert!(follows(last[thread], number), "{number} after {}", last[thread]);
        last[thread] = number;
        counts[thread] += 1;
    }
    counts
}
