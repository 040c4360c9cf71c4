//! What one call costs its caller, as a distribution.
//!
//! `cargo bench --bench latency [-- --quick --count 200000 WORD...]`
//!
//! Calls come one every 10 us, or in bursts of 100 every millisecond; the pace is kept by spinning,
//! so that the caller's processor stays awake. Each value includes reading the clock, about 20 ns:
//! the row `no-op` shows how much. `encode` is the common event turned into a line and no more, by
//! the only thread there is: its tail is that of the machine. `refused` is the event through
//! `tracing` to a full queue that nobody takes from: encoded, looked at under the lock, counted as
//! lost; no copy, and nothing done by a second thread. `send` is a line of 150 bytes, `log` and
//! `tracing` the common event. After each case the counters are checked: every line is written, or
//! refused.

use std::hint::black_box;
use std::path::Path;
use std::time::Duration;

use tracing_subscriber::prelude::*;
use writer_benches::{Event, FIRST, Options, Pace, QUANTILES, encode, line, measure};
use writer_core::{Mode, QueuePolicy, Strategy, Writer, WriterBuilder};

#[derive(Clone, Copy)]
enum Call {
    NoOp,
    Encode,
    Refused,
    Send,
    Log,
    Tracing,
}

type Case = (Call, Mode, Strategy);

fn cases() -> Vec<Case> {
    let alone = [Call::NoOp, Call::Encode, Call::Refused];
    let mut cases: Vec<Case> =
        alone.map(|call| (call, Mode::default(), Strategy::default())).into();
    for mode in [Mode::Trigger, Mode::Loop] {
        cases.extend(Strategy::ALL.iter().map(|&strategy| (Call::Send, mode, strategy)));
        cases.extend([Call::Log, Call::Tracing].map(|call| (call, mode, Strategy::default())));
    }
    cases
}

fn name((call, mode, strategy): Case, pace: Pace) -> String {
    let pace = match pace {
        Pace::Steady => "every 10 us",
        Pace::Bursts => "bursts of 100",
    };
    match call {
        Call::NoOp => format!("no-op, {pace}"),
        Call::Encode => format!("encode, {pace}"),
        Call::Refused => format!("refused, {pace}"),
        Call::Send => format!("send, {mode}, {strategy}, {pace}"),
        Call::Log => format!("log, {mode}, {strategy}, {pace}"),
        Call::Tracing => format!("tracing, {mode}, {strategy}, {pace}"),
    }
}

/// A writer that takes one line, and nothing more until it ends.
fn full(builder: WriterBuilder) -> WriterBuilder {
    let builder = builder.mode(Mode::Manual).max_queue_size(1);
    builder.queue_policy(QueuePolicy::DropNewest)
}

fn run((call, mode, strategy): Case, pace: Pace, calls: usize, path: &Path) -> Vec<u64> {
    let builder = Writer::builder(path).strategy(strategy).mode(mode).truncate(true);
    let writer = |builder: WriterBuilder| builder.build().expect("a writer");
    let (histogram, guard) = match call {
        Call::NoOp => (measure(pace, calls, |number| _ = black_box(number)), None),
        Call::Encode => (measure(pace, calls, encode), None),
        Call::Send => {
            let line = line(150);
            let (writer, guard) = writer(builder);
            let send = |_| assert!(writer.send(&line).expect("a running writer"));
            (measure(pace, calls, send), Some(guard))
        }
        Call::Log => {
            let (logger, guard) = writer_log::builder(builder).filter("info").build().expect("one");
            let log = |number| {
                let Event { user_id, latency_ms, path, ok } = Event::new(number);
                log::info!(logger: logger, user_id, latency_ms, path, ok; "request handled");
            };
            (measure(pace, calls, log), Some(guard))
        }
        Call::Tracing | Call::Refused => {
            let builder = if matches!(call, Call::Refused) { full(builder) } else { builder };
            let (layer, guard) = writer_tracing::builder(builder).build().expect("a layer");
            let event = |number| {
                let Event { user_id, latency_ms, path, ok } = Event::new(number);
                tracing::info!(user_id, latency_ms, path, ok, "request handled");
            };
            let subscriber = tracing_subscriber::registry().with(layer);
            let measured =
                tracing::subscriber::with_default(subscriber, || measure(pace, calls, event));
            (measured, Some(guard))
        }
    };
    if let Some(guard) = guard {
        guard.shutdown(Duration::from_secs(60)).expect("a complete shutdown");
        let m = guard.writer().metrics();
        let written = if matches!(call, Call::Refused) { 1 } else { m.sent };
        assert_eq!((m.sent, m.written), ((FIRST + calls) as u64, written));
    }
    QUANTILES.iter().map(|&(quantile, _)| histogram.value_at_quantile(quantile)).collect()
}

fn main() {
    let options = Options::read(1, 200_000);
    log::set_max_level(log::LevelFilter::Info);
    let folder = tempfile::tempdir_in(&options.dir).expect("a folder");
    let path = folder.path().join("lines");
    println!("{} calls each, in ns", options.count);
    print!("{:<40}", "");
    for (_, name) in QUANTILES {
        print!(" {name:>9}");
    }
    println!();
    for _ in 0..options.rounds {
        for pace in [Pace::Steady, Pace::Bursts] {
            for case in cases() {
                let name = name(case, pace);
                if options.wants(&name) {
                    print!("{name:<40}");
                    for value in run(case, pace, options.count, &path) {
                        print!(" {value:>9}");
                    }
                    println!();
                }
            }
        }
    }
}
