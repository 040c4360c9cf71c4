//! The three axes: what strategies and modes cost, what the sizes of blocks and mappings make of
//! it, and what a flood does under each policy.
//!
//! `cargo bench --bench grid [-- --quick --rounds 5 --count 2000000 WORD...]`
//!
//! `--count` lines of 100 bytes from two threads. The grid of strategies and modes runs with the
//! policy Block: nothing is lost, and the time ends with the last line in the file. In Manual the
//! queue has no bound in lines and the end writes what is there, as a program would that logs first
//! and writes later. The sizes are those of `block_size` and `mmap_chunk`. The flood sends without
//! a pause into a queue of 10 000 lines over a sink that takes 20 us for each write, under each
//! policy; what was written and what was dropped are both shown and add up.

use std::path::Path;
use std::time::{Duration, Instant};

use writer_benches::{LINE_BYTES, Options, Rounds, line};
use writer_core::{Mode, QueuePolicy, Sink, Strategy, Writer, WriterBuilder, WriterGuard};

const PRODUCERS: usize = 2;

/// Sends all lines and ends the writer. Returns the time until the last `send` came back, and the
/// time until everything was written.
fn flood(builder: WriterBuilder, lines: usize) -> (Duration, Duration, WriterGuard) {
    let (writer, guard) = builder.build().expect("a writer");
    let line = line(LINE_BYTES);
    let start = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..PRODUCERS {
            scope.spawn(|| {
                for _ in 0..lines / PRODUCERS {
                    writer.send(&line).expect("a running writer");
                }
            });
        }
    });
    let sent = start.elapsed();
    guard.shutdown(Duration::from_secs(600)).expect("a complete shutdown");
    (sent, start.elapsed(), guard)
}

/// Floods a fresh file. Returns the nanoseconds per line until all of them were in it.
fn fill(builder: WriterBuilder, path: &Path, lines: usize) -> f64 {
    let (_, time, guard) = flood(builder, lines);
    let written = guard.writer().metrics().written;
    assert_eq!(written, lines as u64);
    let length = path.metadata().expect("a file").len();
    assert_eq!(length, written * LINE_BYTES as u64);
    std::fs::remove_file(path).expect("a file of our own");
    time.as_nanos() as f64 / lines as f64
}

fn print(head: &str, times: &Rounds) {
    println!("{head:<30} {:>28}", "ns per line (min..max)");
    for (name, time) in times.spreads() {
        println!("{name:<30} {time:>28.1}");
    }
}

fn grid(options: &Options, path: &Path, lines: usize) {
    let mut times = Rounds::default();
    for _ in 0..options.rounds {
        for (&strategy, &mode) in
            Strategy::ALL.iter().flat_map(|s| Mode::ALL.iter().map(move |m| (s, m)))
        {
            let name = format!("{strategy}, {mode}");
            if !options.wants(&name) {
                continue;
            }
            let mut builder = Writer::builder(path).strategy(strategy).mode(mode);
            if mode == Mode::Manual {
                builder = builder.max_queue_size(0).max_queue_bytes(0);
            }
            times.add(&name, fill(builder, path, lines));
        }
    }
    print("strategy, mode", &times);
}

fn sizes(options: &Options, path: &Path, lines: usize) {
    type Set = fn(WriterBuilder, usize) -> WriterBuilder;
    let block: Set = |builder, kib| builder.block_size(kib << 10);
    let mapping: Set =
        |builder, mib| builder.strategy(Strategy::MemoryMapped).mmap_chunk(mib << 20);
    let blocks = [4, 16, 64, 256, 1024].map(|kib| (format!("block_size, {kib} KiB"), block, kib));
    let chunks = [1, 8, 32, 128].map(|mib| (format!("mmap_chunk, {mib} MiB"), mapping, mib));
    let cases: Vec<_> =
        blocks.into_iter().chain(chunks).filter(|(name, ..)| options.wants(name)).collect();
    let mut times = Rounds::default();
    for _ in 0..options.rounds {
        for (name, set, size) in &cases {
            times.add(name, fill(set(Writer::builder(path), *size), path, lines));
        }
    }
    println!();
    print("size", &times);
}

/// A target that is slower than its senders.
struct Slow;

impl Sink for Slow {
    fn write(&mut self, lines: &[u8], _more_waiting: bool) -> std::io::Result<usize> {
        let until = Instant::now() + Duration::from_micros(20);
        while Instant::now() < until {
            std::hint::spin_loop();
        }
        // One block, cut at a line end.
        Ok(lines.len().min(100 * LINE_BYTES))
    }
}

fn policies(options: &Options, lines: usize) {
    println!(
        "\n{:<14} {:>24} {:>20} {:>20}",
        "policy", "ns per send (min..max)", "written, % of sent", "dropped, % of sent"
    );
    for &policy in QueuePolicy::ALL {
        if !options.wants(&format!("policy {policy}")) {
            continue;
        }
        let (mut times, mut written, mut dropped) = <(Rounds, Rounds, Rounds)>::default();
        for _ in 0..options.rounds {
            // Warn would tell stderr.
            let builder = Writer::to(Slow).queue_policy(policy).on_drop(|_| ());
            let (sent, _, guard) = flood(builder, lines);
            let counted = guard.writer().metrics();
            assert_eq!(counted.written + counted.dropped, lines as u64);
            let percent = |part: u64| 100.0 * part as f64 / lines as f64;
            times.add("", sent.as_nanos() as f64 / lines as f64);
            written.add("", percent(counted.written));
            dropped.add("", percent(counted.dropped));
        }
        let first = |rounds: &Rounds| rounds.spreads().next().expect("a round").1;
        println!(
            "{:<14} {:>24.1} {:>20.1} {:>20.1}",
            policy.to_string(),
            first(&times),
            first(&written).median,
            first(&dropped).median
        );
    }
}

fn main() {
    let options = Options::read(5, 2_000_000);
    let lines = options.count.next_multiple_of(PRODUCERS);
    let folder = tempfile::tempdir_in(&options.dir).expect("a folder");
    println!("{lines} lines, {} rounds, in {}", options.rounds, options.dir.display());
    let path = folder.path().join("lines");
    grid(&options, &path, lines);
    sizes(&options, &path, lines);
    policies(&options, lines);
}
