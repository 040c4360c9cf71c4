//! The whole way of an event, from the macro to the file.
//!
//! `cargo bench --bench events [-- --quick --rounds 5 --count 1000000 WORD...]`
//!
//! One event with four fields and a message, about 180 bytes as a line, through `log` and through
//! `tracing`, from one thread and from four, outside spans and inside one and four, and with the
//! other sources of time. A case ends when the last line is in the file and the count is checked.
//! Cases are interleaved; printed are medians and the spread, and what spans and the clock make of
//! an event as a ratio.

use std::path::Path;
use std::time::{Duration, Instant};

use tracing_subscriber::prelude::*;
use writer_benches::{Event, Options, Rounds};
use writer_core::WriterGuard;
use writer_core::json::TimeSource;

#[derive(Clone, Copy)]
enum Case {
    Log,
    Tracing { spans: usize },
    Time(TimeSource),
}

impl Case {
    fn name(self, threads: usize) -> String {
        match self {
            Case::Log => format!("log, {threads} threads"),
            Case::Tracing { spans } => format!("tracing, {spans} spans, {threads} threads"),
            Case::Time(source) => format!("tracing, {source:?} time, {threads} threads"),
        }
    }
}

fn log_events(path: &Path, events: usize, threads: usize) -> (Duration, WriterGuard) {
    let (logger, guard) =
        writer_log::builder(path).filter("info").truncate(true).build().expect("a logger");
    let start = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                for number in 0..events / threads {
                    let Event { user_id, latency_ms, path, ok } = Event::new(number as u64);
                    log::info!(logger: logger, user_id, latency_ms, path, ok; "request handled");
                }
            });
        }
    });
    guard.shutdown(Duration::from_secs(600)).expect("a complete shutdown");
    (start.elapsed(), guard)
}

fn tracing_events(
    path: &Path,
    events: usize,
    threads: usize,
    spans: usize,
    time_source: TimeSource,
) -> (Duration, WriterGuard) {
    let builder = writer_tracing::builder(path).truncate(true).time_source(time_source);
    let (layer, guard) = builder.build().expect("a layer");
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
                    for number in 0..events / threads {
                        let Event { user_id, latency_ms, path, ok } = Event::new(number as u64);
                        tracing::info!(user_id, latency_ms, path, ok, "request handled");
                    }
                });
            });
        }
    });
    guard.shutdown(Duration::from_secs(600)).expect("a complete shutdown");
    (start.elapsed(), guard)
}

fn main() {
    let options = Options::read(5, 1_000_000);
    let events = options.count.next_multiple_of(4);
    log::set_max_level(log::LevelFilter::Info);
    let folder = tempfile::tempdir_in(&options.dir).expect("a folder");
    let path = folder.path().join("app.jsonl");
    let kinds = [
        Case::Log,
        Case::Tracing { spans: 0 },
        Case::Tracing { spans: 1 },
        Case::Tracing { spans: 4 },
        Case::Time(TimeSource::System),
        Case::Time(TimeSource::Coarse),
    ];
    let cases = kinds.iter().flat_map(|&kind| [(kind, 1), (kind, 4)]);
    let cases: Vec<_> =
        cases.filter(|&(case, threads)| options.wants(&case.name(threads))).collect();
    let mut times = Rounds::default();
    for _ in 0..options.rounds {
        for &(case, threads) in &cases {
            let (elapsed, guard) = match case {
                Case::Log => log_events(&path, events, threads),
                Case::Tracing { spans } => {
                    tracing_events(&path, events, threads, spans, TimeSource::default())
                }
                Case::Time(source) => tracing_events(&path, events, threads, 0, source),
            };
            assert_eq!(guard.writer().metrics().written, events as u64);
            times.add(&case.name(threads), elapsed.as_nanos() as f64 / events as f64);
        }
    }
    println!("{events} events, {} rounds, in {}", options.rounds, options.dir.display());
    println!("{:<30} {:>28} {:>20}", "", "ns per event (min..max)", "of no spans");
    for (name, time) in times.spreads() {
        let bare = ["1 spans", "4 spans", "System time", "Coarse time"]
            .iter()
            .fold(name.to_owned(), |bare, other| bare.replace(other, "0 spans"));
        let part = times.ratio(name, &bare).filter(|_| bare != name);
        let part = part.map_or(String::new(), |part| format!("{part:.2}"));
        println!("{name:<30} {time:>28.1} {part:>20}");
    }
}
