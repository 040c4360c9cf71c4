//! What changes with the number of lines, with the number of threads, and with the size of the
//! queue.
//!
//! `cargo bench --bench scale [-- --quick --count 100000000 WORD...]`
//!
//! Lines of 100 bytes. *Length*: powers of ten from 1000 lines to `--count`, two threads, into a
//! sink that counts, and up to 10 million into a file. *Threads*: 4 million lines, shared out among
//! 1 to 64. *Queue*: 4 million lines through queues of 100 to 1 000 000 lines, under Block with a
//! worker that writes; and under DropOldest with one that does not, so that each `send` into the
//! full queue pushes out the oldest line. *Hand-over*: a cache line that two threads change in
//! turn, the part of a lock that does not get faster with more cores. Printed is the time per line
//! and the most memory that was resident; all counters are checked.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use writer_benches::{LINE_BYTES, Options, Rounds, Spread, line, peak_memory, reset_peak_memory};
use writer_core::{Mode, QueuePolicy, Sink, Writer, WriterBuilder};

/// Takes everything.
struct Nowhere;

impl Sink for Nowhere {
    fn write(&mut self, lines: &[u8], _more_waiting: bool) -> std::io::Result<usize> {
        Ok(lines.len())
    }
}

/// What comes out of a row's rounds.
#[derive(Default)]
struct Table {
    times: Rounds,
    memory: Rounds,
}

impl Table {
    /// Sends all lines from so many threads, and ends the writer.
    fn run(&mut self, name: &str, builder: WriterBuilder, lines: usize, threads: usize) {
        reset_peak_memory();
        let (writer, guard) = builder.build().expect("a writer");
        let line = line(LINE_BYTES);
        let start = Instant::now();
        std::thread::scope(|scope| {
            for thread in 0..threads {
                let (writer, line) = (&writer, &line);
                let share = lines / threads + usize::from(thread < lines % threads);
                scope.spawn(move || {
                    for _ in 0..share {
                        writer.send(line).expect("a running writer");
                    }
                });
            }
        });
        let sent = start.elapsed();
        guard.shutdown(Duration::from_secs(600)).expect("a complete shutdown");
        let counted = writer.metrics();
        assert_eq!(counted.written + counted.evicted, lines as u64);
        assert_eq!(counted.bytes_written, counted.written * LINE_BYTES as u64);
        // Where lines are pushed out, the price of that is the question and not the writing.
        let time = if counted.evicted > 0 { sent } else { start.elapsed() };
        self.times.add(name, time.as_nanos() as f64 / lines as f64);
        self.memory.add(name, peak_memory() as f64 / 1024.0);
    }

    fn print(&self, title: &str) {
        println!("\n{title:<36} {:>26} {:>26}", "ns per line (min..max)", "peak memory, MiB");
        for ((name, time), (_, memory)) in self.times.spreads().zip(self.memory.spreads()) {
            println!("{name:<36} {time:>26.1} {memory:>26.1}");
        }
    }
}

fn length(options: &Options, path: &Path) {
    const LONGEST_FILE: usize = 10_000_000;
    let mut table = Table::default();
    for round in 0..options.rounds {
        let mut lines = 1000;
        while lines <= options.count {
            let (sink, file) = (format!("length {lines}, sink"), format!("length {lines}, file"));
            // The longest once: they take as long as all the others together.
            if options.wants(&sink) && (lines <= LONGEST_FILE || round == 0) {
                table.run(&sink, Writer::to(Nowhere), lines, 2);
            }
            if options.wants(&file) && lines <= LONGEST_FILE {
                table.run(&file, Writer::builder(path).truncate(true), lines, 2);
            }
            lines *= 10;
        }
    }
    table.print("length");
}

fn threads(options: &Options, path: &Path, lines: usize) {
    let mut table = Table::default();
    for _ in 0..options.rounds {
        for threads in [1, 2, 4, 8, 16, 32, 64] {
            let name = format!("threads {threads}");
            if options.wants(&name) {
                table.run(&name, Writer::builder(path).truncate(true), lines, threads);
            }
        }
    }
    table.print("threads, file");
}

fn queue(options: &Options, path: &Path, lines: usize) {
    let mut table = Table::default();
    for _ in 0..options.rounds {
        for size in [100, 1_000, 10_000, 1_000_000] {
            let builder = || {
                let builder = Writer::builder(path).truncate(true);
                builder.max_queue_size(size).max_queue_bytes(0)
            };
            let name = format!("queue {size}, Block, file");
            if options.wants(&name) {
                table.run(&name, builder(), lines, 2);
            }
            let name = format!("queue {size}, DropOldest, full");
            if options.wants(&name) {
                let full = builder().queue_policy(QueuePolicy::DropOldest).mode(Mode::Manual);
                table.run(&name, full.on_drop(|_| ()), lines, 2);
            }
        }
    }
    table.print("queue");
}

/// What it takes to get a cache line from another core, in ns.
fn handover(turns: u64) -> f64 {
    let turn = AtomicU64::new(0);
    let play = |mine: u64| {
        for number in 0..turns {
            while turn.load(Ordering::Acquire) != 2 * number + mine {
                std::hint::spin_loop();
            }
            turn.store(2 * number + mine + 1, Ordering::Release);
        }
    };
    let start = Instant::now();
    std::thread::scope(|scope| {
        scope.spawn(|| play(0));
        scope.spawn(|| play(1));
    });
    start.elapsed().as_nanos() as f64 / (2 * turns) as f64
}

fn main() {
    let options = Options::read(3, 100_000_000);
    let folder = tempfile::tempdir_in(&options.dir).expect("a folder");
    let path = folder.path().join("lines");
    let lines = options.count.min(4_000_000);
    println!("{} rounds, in {}", options.rounds, options.dir.display());
    length(&options, &path);
    threads(&options, &path, lines);
    queue(&options, &path, lines);
    if options.wants("handover") {
        let turns = (lines / 4) as u64;
        let times: Vec<f64> = (0..options.rounds).map(|_| handover(turns)).collect();
        println!("\n{:<36} {:>26.1}", "handover of a cache line, ns", Spread::of(times));
    }
}
