//! Sends as many events as its argument says into a queue that nobody empties before the end, for
//! counting the instructions of one (`scripts/instructions`).

use std::time::Duration;

use tracing_subscriber::prelude::*;
use writer_core::Mode;

/// At least as many events as are then measured.
const FIRST: u64 = 80_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let events: u64 = std::env::args().nth(1).ok_or("a number of events")?.parse()?;
    let folder = tempfile::tempdir()?;
    let (layer, guard) = writer_tracing::builder(folder.path().join("app.jsonl"))
        .mode(Mode::Manual)
        .max_queue_size(0)
        .max_queue_bytes(0)
        .exit_hook(false)
        .build()?;
    // The open file goes on without a name, and nothing is left behind.
    drop(folder);
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer))?;
    let say = |events: u64| {
        for i in 0..events {
            tracing::info!(
                user_id = i,
                latency_ms = (i % 1000) as f64 + 0.125,
                path = "/api/v1/orders",
                ok = i % 2 == 0,
                "request handled"
            );
        }
    };
    // Memory comes to be in a first round that is the same in every run.
    say(FIRST);
    guard.writer().flush(Duration::MAX)?;
    say(events.min(FIRST));
    assert_eq!(guard.writer().metrics().written, FIRST);
    // The end would write the lines: another thread's work, and not the same in every run.
    std::process::exit(0);
}
