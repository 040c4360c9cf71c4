//! A line alone is written soon, and a flush that returned means written.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::disallowed_macros)]

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use writer_core::{Mode, Strategy, Writer};
use writer_torture::rig::{figure, is_full, row};

const LONG: Duration = Duration::from_secs(60);

/// Nothing wakes the worker but the line itself: there is no timer behind a parked worker.
#[test]
fn g04_no_single_line_waits_for_a_wake_up_that_was_lost() {
    let lines = figure(10_000, 1_000_000);
    row(
        "G4",
        &format!(
            "{lines} single lines, each sent when the last is written; the worker parks between"
        ),
        "each written within 100 ms; none hangs",
        || {
            let folder = tempfile::tempdir().unwrap();
            let written = Arc::new(AtomicU64::new(0));
            let seen = Arc::clone(&written);
            let (writer, guard) = Writer::builder(folder.path().join("log"))
                .strategy(Strategy::LineBuffered)
                .on_write(move |lines| {
                    seen.fetch_add(lines as u64, Ordering::Release);
                })
                .build()
                .unwrap();
            let mut longest = Duration::ZERO;
            for number in 1..=lines {
                let began = Instant::now();
                writer.send("{}").unwrap();
                while written.load(Ordering::Acquire) < number {
                    std::thread::yield_now();
                    assert!(began.elapsed() < LONG, "line {number} is never written");
                }
                longest = longest.max(began.elapsed());
            }
            guard.shutdown(LONG).unwrap();
            if is_full() {
                assert!(longest < Duration::from_millis(100), "{longest:?}");
            }
            Ok(format!("{lines} of {lines}, the longest {longest:?}"))
        },
    );
}

/// Looks for a line in what came to the file since the last look.
fn find_news(file: &File, path: &Path, from: &mut u64, line: &[u8]) -> bool {
    let length = std::fs::metadata(path).unwrap().len();
    let mut news = vec![0; (length - *from) as usize];
    file.read_exact_at(&mut news, *from).unwrap();
    // A mapping has reserved more than there are lines.
    let end = news.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
    *from += end as u64;
    news[..end].split(|&byte| byte == b'\n').any(|found| found == line)
}

#[test]
fn g07_a_flush_that_returned_means_written() {
    let rounds = figure(100, 10_000);
    row(
        "G7",
        &format!("{rounds} times per strategy and mode: send, flush, read the file; 4 others send"),
        "the own line is there every time; each flush within 1 s",
        || {
            let mut longest = Duration::ZERO;
            for &strategy in Strategy::ALL {
                for &mode in Mode::ALL {
                    longest = longest.max(flush_and_look(strategy, mode, rounds));
                }
            }
            if is_full() {
                assert!(longest < Duration::from_secs(1), "{longest:?}");
            }
            Ok(format!("{} of {}, the longest flush {longest:?}", 9 * rounds, 9 * rounds))
        },
    );
}

fn flush_and_look(strategy: Strategy, mode: Mode, rounds: u64) -> Duration {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let (writer, guard) = Writer::builder(&path)
        .strategy(strategy)
        .mode(mode)
        .max_queue_size(1000)
        .mmap_chunk(1 << 20)
        .build()
        .unwrap();
    let stop = AtomicBool::new(false);
    let file = File::open(&path).unwrap();
    let (mut from, mut longest) = (0, Duration::ZERO);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let _ = writer.send("{\"load\":1}");
                    std::thread::yield_now();
                }
            });
        }
        for round in 0..rounds {
            let line = format!("{{\"own\":{round}}}");
            writer.send(&line).unwrap();
            let began = Instant::now();
            writer.flush(LONG).unwrap();
            longest = longest.max(began.elapsed());
            let found = find_news(&file, &path, &mut from, line.as_bytes());
            assert!(found, "{strategy} {mode}: round {round}");
        }
        stop.store(true, Ordering::Relaxed);
    });
    guard.shutdown(LONG).unwrap();
    longest
}
