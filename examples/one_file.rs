//! `log` and `tracing` into one file, through one writer and its one queue.
//!
//! `cargo run --release --example one_file`

use std::error::Error;
use std::time::Duration;

use serde_json::Value;
use tracing_subscriber::prelude::*;
use writer_core::Writer;
use writer_examples::assert_balanced;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("app.jsonl");

    let (writer, guard) = Writer::builder(&path).build()?;
    writer_log::on(writer.clone()).filter("info").init()?;
    let layer = writer_tracing::on(writer.clone()).layer();
    // Not `init()`: with tracing-subscriber's feature `tracing-log` that would install a logger of
    // its own, and `log` has room for one.
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer))?;

    for order in 0..100 {
        log::info!(order; "from log");
        tracing::info!(order, "from tracing");
    }
    guard.shutdown(Duration::from_secs(5))?;

    let text = std::fs::read_to_string(&path)?;
    for (n, line) in text.lines().enumerate() {
        let line: Value = serde_json::from_str(line)?;
        assert_eq!(line["order"], n / 2);
        assert_eq!(line["message"], ["from log", "from tracing"][n % 2]);
    }
    let metrics = writer.metrics();
    assert_eq!((metrics.written, text.lines().count()), (200, 200));
    assert_balanced(&metrics, 200);
    println!("ok: {} lines, in the order of the program", metrics.written);
    Ok(())
}
