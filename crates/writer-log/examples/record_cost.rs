//! Logs as many records as its argument says into a queue that nobody empties before the end, for
//! counting the instructions of one (`scripts/instructions`).

use log::Log;
use writer_core::Mode;

/// At least as many records as are then measured.
const FIRST: u64 = 80_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let records: u64 = std::env::args().nth(1).ok_or("a number of records")?.parse()?;
    let folder = tempfile::tempdir()?;
    let (logger, guard) = writer_log::builder(folder.path().join("app.jsonl"))
        .mode(Mode::Manual)
        .max_queue_size(0)
        .max_queue_bytes(0)
        .filter("info")
        .exit_hook(false)
        .build()?;
    // The open file goes on without a name, and nothing is left behind.
    drop(folder);
    log::set_max_level(log::LevelFilter::Info);
    let say = |records: u64| {
        for i in 0..records {
            log::info!(logger: logger, user_id = i, latency_ms = (i % 1000) as f64 + 0.125,
                path = "/api/v1/orders", ok = i % 2 == 0; "request handled");
        }
    };
    // Memory comes to be in a first round that is the same in every run.
    say(FIRST);
    logger.flush();
    say(records.min(FIRST));
    assert_eq!(guard.writer().metrics().written, FIRST);
    // The end would write the lines: another thread's work, and not the same in every run.
    std::process::exit(0);
}
