//! The three modes side by side: the same stream of lines, written at different moments.
//!
//! `cargo run --release --example modes`

use std::error::Error;
use std::thread::sleep;
use std::time::Duration;

use writer_core::{Mode, Writer};
use writer_examples::{assert_balanced, lines_in};

const LINES: u64 = 400;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    println!("{LINES} lines, one a millisecond; batch 50 lines, interval 100 ms, tick 80 ms");
    println!("{:<8} {:>9} {:>8} {:>8}", "mode", "half-way", "flushes", "wakes");

    for &mode in Mode::ALL {
        let path = folder.path().join(format!("{mode}.jsonl"));
        let (writer, guard) = Writer::builder(&path)
            .mode(mode)
            .batch_size(50)
            .flush_interval(Duration::from_millis(100))
            .tick(Duration::from_millis(80))
            .build()?;
        let mut half_way = 0;
        for n in 0..LINES {
            if n == LINES / 2 {
                half_way = writer.metrics().written;
                writer.trigger(); // Only Manual cares.
            }
            writer.send(format!(r#"{{"n":{n}}}"#))?;
            sleep(Duration::from_millis(1));
        }
        guard.shutdown(Duration::from_secs(5))?;

        let metrics = writer.metrics();
        let (flushes, wakes) = (metrics.flush_count, metrics.wake_count);
        println!("{mode:<8} {half_way:>9} {flushes:>8} {wakes:>8}");
        if mode == Mode::Manual {
            // One write for the trigger, one for the shutdown.
            assert_eq!(half_way, 0);
            assert!(flushes <= 2);
        } else {
            assert!(half_way > 0);
            assert!(flushes > 2);
        }
        assert_eq!((metrics.written, lines_in(&path)?), (LINES, LINES));
        assert_balanced(&metrics, LINES);
    }
    println!("ok: {LINES} lines per mode");
    Ok(())
}
