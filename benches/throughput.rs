//! Raw lines from `send` to the file, beside the limits of the machine, in one run.
//!
//! `cargo bench --bench throughput [-- --quick --rounds 5 --count 2000000 WORD...]`
//!
//! Lines of 50, 150 and 1000 bytes (as many as make the same number of bytes as `--count` lines of
//! 100) go through a writer from 1, 2, 4 and 8 threads. Each round measures, one after the other so
//! that a noisy moment hits all alike: a loop of `write(2)` calls of 1 MiB; a line by line copy
//! into a reserved mapping; the writer; and the obvious queue, an `ArrayQueue` of `Vec<u8>` with a
//! thread that pops and writes through a `BufWriter`. A case ends when the last line is in the
//! file; the length of the file and the counters are checked.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crossbeam_queue::ArrayQueue;
use writer_benches::{Options, Rounds, line, map_limit, write_limit};
use writer_core::{Strategy, Writer};

const PRODUCERS: [usize; 4] = [1, 2, 4, 8];

/// A line and how often it is sent.
struct Load {
    line: Vec<u8>,
    lines: usize,
}

#[derive(Clone, Copy)]
enum Case {
    WriteLimit,
    MapLimit,
    Writer(Strategy, usize),
    ArrayQueue(usize),
}

impl Case {
    fn all() -> Vec<Case> {
        let mut cases = vec![Case::WriteLimit, Case::MapLimit];
        cases.extend(PRODUCERS.map(|producers| Case::Writer(Strategy::BlockBuffered, producers)));
        for strategy in [Strategy::LineBuffered, Strategy::MemoryMapped] {
            cases.extend([1, 4].map(|producers| Case::Writer(strategy, producers)));
        }
        cases.extend([1, 4].map(Case::ArrayQueue));
        cases
    }

    fn name(self) -> String {
        match self {
            Case::WriteLimit => "limit: write(2), 1 MiB".into(),
            Case::MapLimit => "limit: copy into a mapping".into(),
            Case::Writer(strategy, producers) => format!("{strategy}, {producers} producers"),
            Case::ArrayQueue(producers) => format!("(ArrayQueue of Vec), {producers} producers"),
        }
    }

    fn run(self, load: &Load, path: &Path) -> Duration {
        match self {
            Case::WriteLimit => write_limit(path, &load.line, load.lines),
            Case::MapLimit => map_limit(path, &load.line, load.lines),
            Case::Writer(strategy, producers) => load.send(path, strategy, producers),
            Case::ArrayQueue(producers) => load.array_queue(path, producers),
        }
    }
}

impl Load {
    /// Sends all lines from so many threads and waits until they are in the file.
    fn send(&self, path: &Path, strategy: Strategy, producers: usize) -> Duration {
        let (writer, guard) = Writer::builder(path).strategy(strategy).build().expect("a writer");
        let start = Instant::now();
        self.produce(producers, |line| assert_eq!(writer.send(line), Ok(true)));
        guard.shutdown(Duration::from_secs(600)).expect("a complete shutdown");
        let elapsed = start.elapsed();
        assert_eq!(writer.metrics().written, self.lines as u64);
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
        start.elapsed()
    }

    fn produce(&self, producers: usize, send: impl Fn(&[u8]) + Sync) {
        std::thread::scope(|scope| {
            for _ in 0..producers {
                scope.spawn(|| (0..self.lines / producers).for_each(|_| send(&self.line)));
            }
        });
    }
}

fn main() {
    let options = Options::read(5, 2_000_000);
    let folder = tempfile::tempdir_in(&options.dir).expect("a folder");
    let path = folder.path().join("lines");
    println!("{} rounds in {}", options.rounds, options.dir.display());
    for bytes in [50, 150, 1000] {
        // A multiple of the most producers, so that lines can be shared out evenly.
        let lines = (options.count * 100 / bytes).next_multiple_of(8);
        let load = Load { line: line(bytes), lines };
        let wanted = |case: &Case| options.wants(&format!("{bytes} bytes, {}", case.name()));
        let cases: Vec<Case> = Case::all().into_iter().filter(wanted).collect();
        let mut times = Rounds::default();
        for _ in 0..options.rounds {
            for case in &cases {
                drop(std::fs::remove_file(&path));
                let time = case.run(&load, &path);
                let length = path.metadata().expect("a file").len();
                assert_eq!(length, (lines * bytes) as u64);
                times.add(&case.name(), time.as_nanos() as f64 / lines as f64);
            }
        }
        print(&times, lines, bytes);
    }
}

fn print(times: &Rounds, lines: usize, bytes: usize) {
    println!("\n{lines} lines of {bytes} bytes");
    println!("{:<36} {:>28} {:>26}", "", "ns per line (min..max)", "of write(2) (min..max)");
    for (name, time) in times.spreads() {
        // The limit by the case's time is the part of the limit that the case reaches.
        let part = times.ratio(&Case::WriteLimit.name(), name);
        let part = part.map_or(String::new(), |part| format!("{part:.2}"));
        println!("{name:<36} {time:>28.1} {part:>26}");
    }
}
