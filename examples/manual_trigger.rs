//! Writes when the program says so, for example at the end of a request or a frame.
//!
//! `cargo run --release --example manual_trigger`

use std::error::Error;
use std::sync::mpsc;
use std::time::Duration;

use writer_core::{Mode, QueuePolicy, Writer};
use writer_examples::{assert_balanced, lines_in};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("frames.jsonl");
    let (flushed, wait) = mpsc::channel();
    let on_flush = move || flushed.send(()).unwrap_or(());
    let (writer, guard) = Writer::builder(&path).mode(Mode::Manual).on_flush(on_flush).build()?;
    for frame in 1..=3 {
        for n in 0..1000 {
            writer.send(format!(r#"{{"frame":{frame},"n":{n}}}"#))?;
        }
        // Nothing moves before the trigger, and the trigger itself does not wait.
        assert_eq!(lines_in(&path)?, (frame - 1) * 1000);
        writer.trigger();
        wait.recv_timeout(Duration::from_secs(5))?;
        assert_eq!(lines_in(&path)?, frame * 1000);
    }
    assert_eq!(writer.metrics().flush_count, 3);
    drop(guard);

    // A flight recorder: the queue keeps the last five lines, the trigger writes them down.
    let path = folder.path().join("recorder.jsonl");
    let (recorder, guard) = Writer::builder(&path)
        .mode(Mode::Manual)
        .queue_policy(QueuePolicy::DropOldest)
        .max_queue_size(5)
        .build()?;
    for n in 0..20 {
        recorder.send(format!("{n}"))?;
    }
    recorder.trigger();
    guard.shutdown(Duration::from_secs(5))?;
    assert_eq!(std::fs::read_to_string(&path)?, "15\n16\n17\n18\n19\n");

    let metrics = recorder.metrics();
    assert_eq!((metrics.written, metrics.evicted), (5, 15));
    assert_balanced(&metrics, 20);
    assert_balanced(&writer.metrics(), 3000);
    println!("ok: 3 frames in 3 writes; the recorder kept the last 5 of 20 lines");
    Ok(())
}
