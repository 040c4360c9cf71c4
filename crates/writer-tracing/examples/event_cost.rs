//! Sends as many events as its argument says into a queue that nobody empties before the end, for
//! counting the instructions of one (`scripts/instructions`).

use tracing_subscriber::prelude::*;
use writer_core::Mode;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let events: u64 = std::env::args().nth(1).ok_or("a number of events")?.parse()?;
    let folder = tempfile::tempdir()?;
    let (layer, guard) = writer_tracing::builder(folder.path().join("app.jsonl"))
        .mode(Mode::Manual)
        .max_queue_size(0)
        .max_queue_bytes(0)
        .build()?;
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer))?;
    for i in 0..events {
        tracing::info!(
            user_id = i,
            latency_ms = (i % 1000) as f64 + 0.125,
            path = "/api/v1/orders",
            ok = i % 2 == 0,
            "request handled"
        );
    }
    assert_eq!(guard.writer().metrics().enqueued, events);
    Ok(())
}
