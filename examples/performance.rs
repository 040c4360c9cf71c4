//! Speed of the three strategies, from the first send to the last line in the file.
//!
//! `cargo run --release --example performance`; careful measurements are in `benches`.

use std::error::Error;
use std::time::{Duration, Instant};

use writer_core::{Strategy, Writer};
use writer_examples::{assert_balanced, lines_in};

const LINE: &str = concat!(
    r#"{"time":"2024-05-01T12:00:00.000000Z","level":"INFO","target":"shop::orders","#,
    r#""message":"order accepted","order":4711}"#,
    "\n"
);

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    println!("lines of {} bytes, one sender", LINE.len());
    println!("{:<9} {:>9} {:>8} {:>12} {:>8}", "strategy", "lines", "ms", "lines/s", "flushes");

    for lines in [100_000, 1_000_000] {
        for &strategy in Strategy::ALL {
            let path = folder.path().join("lines.jsonl");
            let (writer, guard) = Writer::builder(&path).strategy(strategy).build()?;
            let start = Instant::now();
            for _ in 0..lines {
                writer.send(LINE)?;
            }
            guard.shutdown(Duration::from_secs(60))?;
            let time = start.elapsed();

            let metrics = writer.metrics();
            let (ms, flushes) = (time.as_secs_f64() * 1e3, metrics.flush_count);
            let rate = lines as f64 / time.as_secs_f64();
            println!("{strategy:<9} {lines:>9} {ms:>8.1} {rate:>12.0} {flushes:>8}");
            assert_eq!((metrics.written, lines_in(&path)?), (lines, lines));
            assert_eq!(path.metadata()?.len(), lines * LINE.len() as u64);
            assert_balanced(&metrics, lines);
            std::fs::remove_file(&path)?;
        }
    }
    println!("ok: every line counted and in its file");
    Ok(())
}
