//! What one call costs its caller, as a distribution.
//!
//! `cargo bench --bench latency [-- --calls 500000 --dir FOLDER]`
//!
//! Calls come one every 10 us, or in bursts of 100 every millisecond; the pace is kept by spinning,
//! so that the caller's processor stays awake. Each value includes reading the clock twice, about
//! 20 ns: the row `no-op` shows how much, and how quiet the machine is. After each case the file is
//! checked: every line is there.

use std::hint::{black_box, spin_loop};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use writer_core::{Mode, Severity, Strategy, Writer};

const BURST: u32 = 100;
const LINE: &[u8] = &[b'x'; 150];

#[derive(Clone, Copy)]
enum Pace {
    /// One call, then 10 us of pause.
    Steady,
    /// 100 calls back to back, a burst every millisecond.
    Bursts,
}

/// Measures `calls` calls.
fn measure(pace: Pace, calls: u32, mut call: impl FnMut()) -> Histogram<u64> {
    let mut histogram = Histogram::new(3).expect("three digits are allowed");
    let (burst, period) = match pace {
        Pace::Steady => (1, Duration::from_micros(10)),
        Pace::Bursts => (BURST, Duration::from_millis(1)),
    };
    let mut next = Instant::now();
    for _ in 0..calls / burst {
        while Instant::now() < next {
            spin_loop();
        }
        for _ in 0..burst {
            let start = Instant::now();
            call();
            let elapsed = start.elapsed();
            histogram.record(elapsed.as_nanos() as u64).expect("the histogram grows");
        }
        next += period;
        // A stall is one slow call, not a queue of calls that are late because of it.
        next = next.max(Instant::now());
    }
    histogram
}

fn print(name: &str, histogram: &Histogram<u64>) {
    print!("{name:<34}");
    for quantile in [0.5, 0.9, 0.99, 0.999, 0.9999] {
        print!(" {:>8}", histogram.value_at_quantile(quantile));
    }
    println!(" {:>9}", histogram.max());
}

fn main() {
    let (mut calls, mut dir) = (500_000, std::env::temp_dir());
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut value = || args.next().unwrap_or_else(|| panic!("{arg} needs a value"));
        match arg.as_str() {
            "--calls" => calls = value().parse().expect("a number"),
            "--dir" => dir = PathBuf::from(value()),
            // Cargo passes it to every benchmark.
            "--bench" => {}
            other => panic!("unknown argument {other}"),
        }
    }
    let folder = tempfile::tempdir_in(dir).expect("a folder");
    println!("{calls} calls each, in ns");
    print!("{:<34}", "");
    for name in ["p50", "p90", "p99", "p99.9", "p99.99"] {
        print!(" {name:>8}");
    }
    println!(" {:>9}", "max");
    for (pace, name) in [(Pace::Steady, "every 10 us"), (Pace::Bursts, "bursts of 100")] {
        print(
            &format!("no-op, {name}"),
            &measure(pace, calls, || {
                black_box(LINE);
            }),
        );
        for mode in [Mode::Trigger, Mode::Loop] {
            for strategy in [Strategy::BlockBuffered, Strategy::LineBuffered] {
                let path = folder.path().join("lines");
                let (writer, guard) = Writer::builder(&path)
                    .strategy(strategy)
                    .mode(mode)
                    .truncate(true)
                    .build()
                    .expect("a writer");
                let histogram = measure(pace, calls, || {
                    writer.send_with(Severity::Info, LINE).expect("a running writer");
                });
                guard.shutdown(Duration::from_secs(60)).expect("a complete shutdown");
                assert_eq!(writer.metrics().written, histogram.len());
                print(&format!("send, {mode}, {strategy}, {name}"), &histogram);
            }
        }
    }
}
