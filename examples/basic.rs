//! A writer, a hundred lines, and the end: `cargo run --release --example basic`.

use std::error::Error;
use std::time::Duration;

use writer_core::Writer;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("logs/app.jsonl");

    let (writer, guard) = Writer::builder(&path).build()?;
    for n in 0..100 {
        writer.send(format!(r#"{{"n":{n},"message":"hello"}}"#))?;
    }
    // From here on the lines survive the death of the process; `sync` waits for the disk too.
    writer.flush(Duration::from_secs(5))?;
    assert_eq!(std::fs::read_to_string(&path)?.lines().count(), 100);

    writer.send(r#"{"message":"goodbye"}"#)?;
    drop(guard);

    let text = std::fs::read_to_string(&path)?;
    assert_eq!(text.lines().next(), Some(r#"{"n":0,"message":"hello"}"#));
    assert_eq!(text.lines().last(), Some(r#"{"message":"goodbye"}"#));
    assert!(writer.send("too late").is_err());

    let metrics = writer.metrics();
    assert_eq!((metrics.written, metrics.rejected), (101, 1));
    assert_eq!(metrics.bytes_written, text.len() as u64);
    writer_examples::assert_balanced(&metrics, 102);
    println!("ok: {} lines, {} bytes", metrics.written, metrics.bytes_written);
    Ok(())
}
