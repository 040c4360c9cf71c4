//! Raw throughput beside the limit of the machine, in one run.
//!
//! `cargo bench --bench throughput [-- --rounds 7 --lines 4000000 --bytes 100 --dir FOLDER]`
//!
//! Each round measures the limit (a loop of `write(2)` calls of 1 MiB into a new file), every case,
//! and for comparison the obvious queue (an `ArrayQueue` of `Vec<u8>` with a thread that pops and
//! writes through a `BufWriter`) once, one after the other, so that a noisy moment hits all alike. A case ends when the last
//! line is in the file; the file's length and the counters are checked. Printed are medians and the
//! spread, and the ratio to the limit of the same round.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crossbeam_queue::ArrayQueue;
use writer_core::{Strategy, Writer};

struct Options {
    rounds: usize,
    lines: usize,
    bytes: usize,
    dir: PathBuf,
}

fn options() -> Options {
    let mut options =
        Options { rounds: 7, lines: 4_000_000, bytes: 100, dir: std::env::temp_dir() };
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut value = || args.next().unwrap_or_else(|| panic!("{arg} needs a value"));
        match arg.as_str() {
            "--rounds" => options.rounds = value().parse().expect("a number"),
            "--lines" => options.lines = value().parse().expect("a number"),
            "--bytes" => options.bytes = value().parse().expect("a number"),
            "--dir" => options.dir = value().into(),
            // Cargo passes it to every benchmark.
            "--bench" => {}
            other => panic!("unknown argument {other}"),
        }
    }
    options
}

/// A line and how often it is sent.
struct Load {
    line: Vec<u8>,
    lines: usize,
}

impl Load {
    fn bytes(&self) -> usize {
        self.lines * self.line.len()
    }

    fn check(&self, path: &Path) {
        assert_eq!(path.metadata().expect("a file").len(), self.bytes() as u64);
    }

    /// Writes as many bytes in blocks of 1 MiB.
    fn limit(&self, path: &Path) -> Duration {
        let block: Vec<u8> = self.line.iter().copied().cycle().take(1 << 20).collect();
        let mut left = self.bytes();
        let mut file = File::create(path).expect("a new file");
        let start = Instant::now();
        while left > 0 {
            let piece = left.min(block.len());
            file.write_all(&block[..piece]).expect("room on the disk");
            left -= piece;
        }
        start.elapsed()
    }

    /// Sends all lines from so many threads and waits until they are in the file.
    fn send(&self, path: &Path, strategy: Strategy, producers: usize) -> Duration {
        let (writer, guard) = Writer::builder(path).strategy(strategy).build().expect("a writer");
        let start = Instant::now();
        self.produce(producers, |line| assert_eq!(writer.send(line), Ok(true)));
        guard.shutdown(Duration::from_secs(600)).expect("a complete shutdown");
        let elapsed = start.elapsed();
        assert_eq!(writer.metrics().written, self.lines as u64);
        self.check(path);
        elapsed
    }

    /// The same through the obvious queue.
    fn array_queue(&self, path: &Path, producers: usize) -> Duration {
        let queue: ArrayQueue<Vec<u8>> = ArrayQueue::new(10_000);
        let done = AtomicBool::new(false);
        let mut file = BufWriter::with_capacity(64 << 10, File::create(path).expect("a new file"));
        let start = Instant::now();
        std::thread::scope(|scope| {
            let worker = scope.spawn(|| {
                loop {
                    let last = done.load(Ordering::Acquire);
                    while let Some(line) = queue.pop() {
                        file.write_all(&line).expect("room on the disk");
                    }
                    if last {
                        return file.flush().expect("room on the disk");
                    }
                    std::thread::yield_now();
                }
            });
            self.produce(producers, |line| {
                let mut line = line.to_vec();
                while let Err(refused) = queue.push(line) {
                    line = refused;
                    std::thread::yield_now();
                }
            });
            done.store(true, Ordering::Release);
            worker.join().expect("a worker without panic");
        });
        let elapsed = start.elapsed();
        self.check(path);
        elapsed
    }

    fn produce(&self, producers: usize, send: impl Fn(&[u8]) + Sync) {
        std::thread::scope(|scope| {
            for _ in 0..producers {
                scope.spawn(|| (0..self.lines / producers).for_each(|_| send(&self.line)));
            }
        });
    }
}

/// The middle of the values, and how far the others are from it.
fn median(values: &mut [f64]) -> (f64, f64, f64) {
    values.sort_by(f64::total_cmp);
    (values[values.len() / 2], values[0], values[values.len() - 1])
}

#[derive(Clone, Copy)]
enum Case {
    Writer(Strategy),
    ArrayQueue,
}

impl Case {
    fn name(self) -> String {
        match self {
            Case::Writer(strategy) => strategy.to_string(),
            Case::ArrayQueue => "(ArrayQueue of Vec)".into(),
        }
    }
}

fn main() {
    let Options { rounds, lines, bytes, dir } = options();
    assert!(bytes > 0 && lines.is_multiple_of(4), "lines must be shared out evenly");
    let mut line = vec![b'x'; bytes - 1];
    line.push(b'\n');
    let load = Load { line, lines };
    let folder = tempfile::tempdir_in(&dir).expect("a folder");
    let path = folder.path().join("lines");
    let fresh = || drop(std::fs::remove_file(&path));
    let cases: Vec<(Case, usize)> = Strategy::ALL
        .iter()
        .map(|&strategy| Case::Writer(strategy))
        .chain([Case::ArrayQueue])
        .flat_map(|case| [(case, 1), (case, 4)])
        .collect();
    let mut limits = Vec::new();
    let mut results = vec![(Vec::new(), Vec::new()); cases.len()];
    let per_line = |time: Duration| time.as_nanos() as f64 / lines as f64;
    for _ in 0..rounds {
        fresh();
        let limit = per_line(load.limit(&path));
        limits.push(limit);
        for (&(case, producers), (times, ratios)) in cases.iter().zip(&mut results) {
            fresh();
            let time = per_line(match case {
                Case::Writer(strategy) => load.send(&path, strategy, producers),
                Case::ArrayQueue => load.array_queue(&path, producers),
            });
            times.push(time);
            ratios.push(limit / time);
        }
    }
    println!("{lines} lines of {bytes} bytes, {rounds} rounds, in {}", dir.display());
    println!("{:<34} {:>24} {:>24}", "", "ns per line (min..max)", "of the limit (min..max)");
    let (middle, min, max) = median(&mut limits);
    println!("{:<34} {middle:>8.1} ({min:.1}..{max:.1})", "write(2), 1 MiB");
    for ((case, producers), (times, ratios)) in cases.into_iter().zip(&mut results) {
        let (time, fast, slow) = median(times);
        let (ratio, low, high) = median(ratios);
        println!(
            "{:<34} {time:>8.1} ({fast:.1}..{slow:.1}) {ratio:>8.2} ({low:.2}..{high:.2})",
            format!("{}, {producers} producers", case.name())
        );
    }
}
