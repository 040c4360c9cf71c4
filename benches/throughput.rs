//! Raw throughput beside the limit of the machine, in one run.
//!
//! `cargo bench --bench throughput [-- --rounds 7 --lines 4000000 --dir FOLDER]`
//!
//! Each round measures the limit (a loop of `write(2)` calls of 1 MiB into a new file) and every
//! case once, one after the other, so that a noisy moment hits all alike. A case ends when the last
//! line is in the file; the file's length and the counters are checked. Printed are medians and the
//! spread, and the ratio to the limit of the same round.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use writer_core::{Strategy, Writer};

const LINE: [u8; 100] = {
    let mut line = [b'x'; 100];
    line[99] = b'\n';
    line
};

struct Options {
    rounds: usize,
    lines: usize,
    dir: PathBuf,
}

fn options() -> Options {
    let mut options = Options { rounds: 7, lines: 4_000_000, dir: std::env::temp_dir() };
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut value = || args.next().unwrap_or_else(|| panic!("{arg} needs a value"));
        match arg.as_str() {
            "--rounds" => options.rounds = value().parse().expect("a number"),
            "--lines" => options.lines = value().parse().expect("a number"),
            "--dir" => options.dir = value().into(),
            // Cargo passes it to every benchmark.
            "--bench" => {}
            other => panic!("unknown argument {other}"),
        }
    }
    options
}

/// Writes as many bytes in blocks of 1 MiB.
fn limit(path: &Path, lines: usize) -> Duration {
    let block: Vec<u8> = LINE.iter().copied().cycle().take(1 << 20).collect();
    let mut left = lines * LINE.len();
    let mut file = File::create(path).expect("a new file");
    let start = Instant::now();
    while left > 0 {
        let piece = left.min(block.len());
        file.write_all(&block[..piece]).expect("room on the disk");
        left -= piece;
    }
    start.elapsed()
}

fn send(path: &Path, lines: usize, strategy: Strategy, producers: usize) -> Duration {
    let (writer, guard) = Writer::builder(path).strategy(strategy).build().expect("a writer");
    let start = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..producers {
            let writer = writer.clone();
            scope.spawn(move || {
                for _ in 0..lines / producers {
                    writer.send(LINE).expect("a running writer");
                }
            });
        }
    });
    guard.shutdown(Duration::from_secs(600)).expect("a complete shutdown");
    let elapsed = start.elapsed();
    assert_eq!(writer.metrics().written, lines as u64);
    assert_eq!(path.metadata().expect("a file").len(), (lines * LINE.len()) as u64);
    elapsed
}

/// The middle of the values, and how far the others are from it.
fn median(values: &mut [f64]) -> (f64, f64, f64) {
    values.sort_by(f64::total_cmp);
    (values[values.len() / 2], values[0], values[values.len() - 1])
}

fn main() {
    let Options { rounds, lines, dir } = options();
    let folder = tempfile::tempdir_in(&dir).expect("a folder");
    let path = folder.path().join("lines");
    let fresh = || drop(std::fs::remove_file(&path));
    let cases: Vec<(Strategy, usize)> =
        Strategy::ALL.iter().flat_map(|&strategy| [1, 4].map(|n| (strategy, n))).collect();
    let mut limits = Vec::new();
    let mut results = vec![(Vec::new(), Vec::new()); cases.len()];
    let per_line = |time: Duration| time.as_nanos() as f64 / lines as f64;
    for _ in 0..rounds {
        fresh();
        let limit = per_line(limit(&path, lines));
        limits.push(limit);
        for (&(strategy, producers), (times, ratios)) in cases.iter().zip(&mut results) {
            fresh();
            let time = per_line(send(&path, lines, strategy, producers));
            times.push(time);
            ratios.push(limit / time);
        }
    }
    println!("{lines} lines of {} bytes, {rounds} rounds, in {}", LINE.len(), dir.display());
    println!("{:<24} {:>28} {:>24}", "", "ns per line (min..max)", "of the limit (min..max)");
    let (middle, min, max) = median(&mut limits);
    println!("{:<24} {middle:>10.1} ({min:.1}..{max:.1})", "write(2), 1 MiB");
    for ((strategy, producers), (times, ratios)) in cases.into_iter().zip(&mut results) {
        let (time, fast, slow) = median(times);
        let (ratio, low, high) = median(ratios);
        println!(
            "{:<24} {time:>10.1} ({fast:.1}..{slow:.1}) {ratio:>12.2} ({low:.2}..{high:.2})",
            format!("{strategy}, {producers} producers")
        );
    }
}
