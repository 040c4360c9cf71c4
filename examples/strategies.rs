//! The three strategies side by side: the same lines, the same file in the end.
//!
//! `cargo run --release --example strategies`

use std::error::Error;
use std::time::Duration;

use writer_core::{Strategy, Writer};
use writer_examples::assert_balanced;

const LINES: u64 = 20_000;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    println!("{:<9} {:>8} {:>14} {:>14}", "strategy", "flushes", "bytes running", "bytes closed");

    let mut files = Vec::new();
    for &strategy in Strategy::ALL {
        let path = folder.path().join(format!("{strategy}.jsonl"));
        let (writer, guard) =
            Writer::builder(&path).strategy(strategy).mmap_chunk(1 << 20).build()?;
        for n in 0..LINES {
            writer.send(format!(r#"{{"n":{n}}}"#))?;
        }
        writer.flush(Duration::from_secs(5))?;
        // A mapped file may end in reserved space while it is in use, and only then.
        let running = path.metadata()?.len();
        guard.shutdown(Duration::from_secs(5))?;

        let metrics = writer.metrics();
        let closed = path.metadata()?.len();
        println!("{strategy:<9} {:>8} {running:>14} {closed:>14}", metrics.flush_count);
        assert_eq!(metrics.written, LINES);
        assert_eq!(metrics.bytes_written, closed);
        assert!(running == closed || strategy == Strategy::MemoryMapped && running > closed);
        assert_balanced(&metrics, LINES);
        files.push(std::fs::read(&path)?);
    }
    assert!(files.iter().all(|file| *file == files[0]));
    println!("ok: {LINES} lines per strategy, three files alike");
    Ok(())
}
