//! Logs as many records as its argument says into a queue that nobody empties before the end, for
//! counting the instructions of one (`scripts/instructions`).

use log::Log;
use writer_core::Mode;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let records: u64 = std::env::args().nth(1).ok_or("a number of records")?.parse()?;
    let folder = tempfile::tempdir()?;
    let (logger, guard) = writer_log::builder(folder.path().join("app.jsonl"))
        .mode(Mode::Manual)
        .max_queue_size(0)
        .max_queue_bytes(0)
        .filter("info")
        .build()?;
    log::set_max_level(log::LevelFilter::Info);
    for i in 0..records {
        log::info!(logger: logger, user_id = i, latency_ms = (i % 1000) as f64 + 0.125,
            path = "/api/v1/orders", ok = i % 2 == 0; "request handled");
    }
    assert_eq!(guard.writer().metrics().enqueued, records);
    logger.flush();
    Ok(())
}
