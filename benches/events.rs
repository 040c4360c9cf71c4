//! The whole way of an event, from the macro to the file.
//!
//! `cargo bench --bench events [-- --rounds 7 --events 2000000 --dir FOLDER]`
//!
//! One event with four fields and a message, about 180 bytes as a line, through `log` and through
//! `tracing`, from one thread and from four, outside spans and inside one and four. A case ends when
//! the last line is in the file and the count is checked. Cases are interleaved; printed are medians
//! and the spread.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tracing_subscriber::prelude::*;
use writer_core::WriterGuard;

#[derive(Clone, Copy)]
enum Case {
    Log,
    Tracing { spans: usize },
}

impl Case {
    fn name(self) -> String {
        match self {
            Case::Log => "log".into(),
            Case::Tracing { spans } => format!("tracing, {spans} spans"),
        }
    }
}

fn log_events(path: &Path, events: u64, threads: u64) -> (Duration, WriterGuard) {
    let (logger, guard) =
        writer_log::builder(path).filter("info").truncate(true).build().expect("a logger");
    let start = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                for i in 0..events / threads {
                    log::info!(logger: logger, user_id = i, latency_ms = (i % 1000) as f64 + 0.125,
                        path = "/api/v1/orders", ok = i % 2 == 0; "request handled");
                }
            });
        }
    });
    guard.shutdown(Duration::from_secs(600)).expect("a complete shutdown");
    (start.elapsed(), guard)
}

fn tracing_events(path: &Path, events: u64, threads: u64, spans: usize) -> (Duration, WriterGuard) {
    let (layer, guard) = writer_tracing::builder(path).truncate(true).build().expect("a layer");
    let dispatch = tracing::Dispatch::new(tracing_subscriber::registry().with(layer));
    let start = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                tracing::dispatcher::with_default(&dispatch, || {
                    let _entered: Vec<_> = (0..spans)
                        .map(|depth| {
                            tracing::info_span!("request", request_id = "7f3a9c", depth).entered()
                        })
                        .collect();
                    for i in 0..events / threads {
                        tracing::info!(
                            user_id = i,
                            latency_ms = (i % 1000) as f64 + 0.125,
                            path = "/api/v1/orders",
                            ok = i % 2 == 0,
                            "request handled"
                        );
                    }
                });
            });
        }
    });
    guard.shutdown(Duration::from_secs(600)).expect("a complete shutdown");
    (start.elapsed(), guard)
}

fn main() {
    let (mut rounds, mut events, mut dir) = (7, 2_000_000_u64, std::env::temp_dir());
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut value = || args.next().unwrap_or_else(|| panic!("{arg} needs a value"));
        match arg.as_str() {
            "--rounds" => rounds = value().parse().expect("a number"),
            "--events" => events = value().parse().expect("a number"),
            "--dir" => dir = PathBuf::from(value()),
            // Cargo passes it to every benchmark.
            "--bench" => {}
            other => panic!("unknown argument {other}"),
        }
    }
    assert!(events.is_multiple_of(4), "events must be shared out evenly");
    log::set_max_level(log::LevelFilter::Info);
    let folder = tempfile::tempdir_in(&dir).expect("a folder");
    let path = folder.path().join("app.jsonl");
    let kinds = [
        Case::Log,
        Case::Tracing { spans: 0 },
        Case::Tracing { spans: 1 },
        Case::Tracing { spans: 4 },
    ];
    let cases: Vec<(Case, u64)> = kinds.iter().flat_map(|&kind| [(kind, 1), (kind, 4)]).collect();
    let mut times = vec![Vec::new(); cases.len()];
    for _ in 0..rounds {
        for (&(case, threads), times) in cases.iter().zip(&mut times) {
            let (elapsed, guard) = match case {
                Case::Log => log_events(&path, events, threads),
                Case::Tracing { spans } => tracing_events(&path, events, threads, spans),
            };
            assert_eq!(guard.writer().metrics().written, events);
            times.push(elapsed.as_nanos() as f64 / events as f64);
        }
    }
    println!("{events} events, {rounds} rounds, in {}; ns per event (min..max)", dir.display());
    for ((case, threads), mut times) in cases.into_iter().zip(times) {
        times.sort_by(f64::total_cmp);
        let (first, middle, last) = (times[0], times[times.len() / 2], times[times.len() - 1]);
        println!("{:<20} {threads} threads {middle:>8.1} ({first:.1}..{last:.1})", case.name());
    }
}
