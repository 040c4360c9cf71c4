//! Eight threads log at once: no line is torn, and each thread's lines stay in order.
//!
//! `cargo run --release --example multi_thread`

use std::collections::HashMap;
use std::error::Error;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use writer_core::Strategy;
use writer_examples::assert_balanced;

const THREADS: u64 = 8;
const RECORDS: u64 = 10_000;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("app.jsonl");
    let guard =
        writer_log::builder(&path).filter("info").strategy(Strategy::MemoryMapped).init()?;

    let start = Instant::now();
    thread::scope(|scope| {
        for thread in 0..THREADS {
            scope.spawn(move || {
                for n in 0..RECORDS {
                    log::info!(thread, n; "order accepted");
                }
            });
        }
    });
    let logging = start.elapsed();
    guard.shutdown(Duration::from_secs(30))?;

    let mut next: HashMap<u64, u64> = HashMap::new();
    for line in std::fs::read_to_string(&path)?.lines() {
        let line: Value = serde_json::from_str(line)?;
        let number = |key: &str| line[key].as_u64().ok_or("not a number");
        let expected = next.entry(number("thread")?).or_default();
        assert_eq!(number("n")?, *expected);
        *expected += 1;
    }
    assert!(next.len() as u64 == THREADS && next.values().all(|&n| n == RECORDS));

    let metrics = guard.writer().metrics();
    assert_eq!(metrics.written, THREADS * RECORDS);
    assert_eq!(metrics.bytes_written, path.metadata()?.len());
    assert_balanced(&metrics, THREADS * RECORDS);
    println!("ok: {} lines of {THREADS} threads, logged in {logging:.0?}", metrics.written);
    Ok(())
}
