//! The process in which one case runs once.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use writer_benches::{
    LINE_BYTES, Pace, QUANTILES, cpu_time, line, measure, peak_memory, write_limit,
};

use crate::allocations;
use crate::case::{self, Case, Running, WRITE_LIMIT};
use crate::data::{Kind, Measured};
use crate::peers::FILE;

/// The first argument of a child.
pub const WORD: &str = "child";

/// A file that has not grown for so long is complete.
const QUIET: Duration = Duration::from_millis(200);

/// Runs as `child CASE KIND THREADS EVENTS FOLDER RESULT`.
pub fn main(args: &[String]) {
    let [name, kind, threads, events, folder, result] = args else {
        panic!("six arguments");
    };
    let case = case::find(name).expect("a case");
    let kind: Kind = kind.parse().expect("a kind");
    let threads: u64 = threads.parse().expect("a number");
    let events: u64 = events.parse().expect("a number");
    let folder = PathBuf::from(folder);
    let mut measured = match kind {
        Kind::Throughput if case.name == WRITE_LIMIT => limit(&folder, events),
        Kind::Throughput => throughput(case, &folder, threads, events),
        Kind::Latency => latency(case, &folder, Pace::Steady, events),
        Kind::Bursts => latency(case, &folder, Pace::Bursts, events),
        Kind::Allocations => allocated(case, &folder, events),
    };
    measured.peak_kib = peak_memory();
    let file = std::fs::File::create(result).expect("a file for the result");
    serde_json::to_writer(file, &measured).expect("room for the result");
}

/// Bytes in all files of the folder.
fn size(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let sizes = entries.map(|entry| entry.and_then(|entry| entry.metadata()));
    sizes.map(|entry| entry.map_or(0, |entry| entry.len())).sum()
}

fn limit(folder: &Path, lines: u64) -> Measured {
    let cpu = cpu_time();
    let time = write_limit(&folder.join(FILE), &line(LINE_BYTES), lines as usize);
    let cpu = cpu_time() - cpu;
    Measured { seconds: time.as_secs_f64(), cpu_seconds: cpu.as_secs_f64(), ..Default::default() }
}

fn throughput(case: &Case, folder: &Path, threads: u64, events: u64) -> Measured {
    let Running { event, finish } = (case.start)(folder);
    let (start, cpu) = (Instant::now(), cpu_time());
    let each = events / threads;
    std::thread::scope(|scope| {
        for thread in 0..threads {
            scope.spawn(move || (thread * each..(thread + 1) * each).for_each(event));
        }
    });
    finish();
    // Some libraries return from their last call before everything is in the file.
    let (mut end, mut cpu_end, mut bytes) = (Instant::now(), cpu_time(), size(folder));
    while end.elapsed() < QUIET {
        std::thread::sleep(Duration::from_millis(1));
        let now = size(folder);
        if now != bytes {
            (end, cpu_end, bytes) = (Instant::now(), cpu_time(), now);
        }
    }
    Measured {
        seconds: (end - start).as_secs_f64(),
        cpu_seconds: (cpu_end - cpu).as_secs_f64(),
        ..Default::default()
    }
}

fn latency(case: &Case, folder: &Path, pace: Pace, calls: u64) -> Measured {
    let Running { event, finish } = (case.start)(folder);
    let (start, cpu) = (Instant::now(), cpu_time());
    // The first calls, which are not measured, are among those asked for.
    let histogram = measure(pace, calls as usize - writer_benches::FIRST, event);
    let quantiles = QUANTILES.iter().map(|&(q, _)| histogram.value_at_quantile(q)).collect();
    finish();
    let (seconds, cpu) = (start.elapsed(), cpu_time() - cpu);
    settle(folder);
    Measured {
        seconds: seconds.as_secs_f64(),
        cpu_seconds: cpu.as_secs_f64(),
        quantiles,
        ..Default::default()
    }
}

fn allocated(case: &Case, folder: &Path, events: u64) -> Measured {
    let Running { event, finish } = (case.start)(folder);
    // What comes to be once in a thread is no cost of an event.
    let first = events / 2;
    (0..first).for_each(event);
    settle(folder);
    let allocations = allocations::count(|| (first..events).for_each(event));
    finish();
    settle(folder);
    Measured { allocations, ..Default::default() }
}

/// Waits until the files grow no more.
fn settle(folder: &Path) {
    let (mut since, mut bytes) = (Instant::now(), size(folder));
    while since.elapsed() < QUIET {
        std::thread::sleep(Duration::from_millis(5));
        let now = size(folder);
        if now != bytes {
            (since, bytes) = (Instant::now(), now);
        }
    }
}
