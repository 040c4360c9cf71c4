//! A disk that is full for a while: lines go to a fallback, and to the disk again when it has room.
//!
//! `cargo run --release --example full_disk`

use std::error::Error;
use std::fs::File;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use writer_core::{Sink, State, WriteSink, Writer};
use writer_examples::{assert_balanced, lines_in};

/// A disk that takes nothing while the flag says that it is full.
struct Disk(File, Arc<AtomicBool>);

impl Sink for Disk {
    fn write(&mut self, lines: &[u8], _more_waiting: bool) -> io::Result<usize> {
        let full = self.1.load(Relaxed);
        if full { Err(io::ErrorKind::StorageFull.into()) } else { self.0.write(lines) }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let [path, spare] = ["app.jsonl", "spare.jsonl"].map(|name| folder.path().join(name));
    let full = Arc::new(AtomicBool::new(false));
    let returned = Arc::new(AtomicU64::new(0));
    let on_recover = Arc::clone(&returned);

    let (writer, guard) = Writer::to(Disk(File::create(&path)?, Arc::clone(&full)))
        .fallback(WriteSink::new(File::create(&spare)?))
        .fail_after(Duration::from_millis(100)) // 30 s by default
        .on_error(|error| println!("on_error: {error}"))
        .on_recover(move |lines| {
            println!("on_recover: the fallback got {lines} lines");
            on_recover.fetch_add(lines, Relaxed);
        })
        .build()?;
    let mut sent = 0;
    let mut send = |lines| {
        sent += lines;
        writer.send_batch((0..lines).map(|n| format!(r#"{{"n":{n}}}"#)))
    };

    send(1000)?;
    writer.flush(Duration::from_secs(5))?;
    full.store(true, Relaxed);
    send(1000)?;
    // Waits for 100 ms of failures, and then for the fallback.
    writer.flush(Duration::from_secs(5))?;
    let m = writer.metrics();
    assert_eq!((m.state, m.written, m.diverted), (State::Failed, 2000, 1000));

    full.store(false, Relaxed);
    // The disk is tried once a second, with the lines that come.
    while writer.metrics().state != State::Healthy {
        send(1)?;
        std::thread::sleep(Duration::from_millis(50));
    }
    send(1000)?;
    guard.shutdown(Duration::from_secs(5))?;

    let m = writer.metrics();
    let [there, elsewhere] = [lines_in(&path)?, lines_in(&spare)?];
    assert_eq!((elsewhere, returned.load(Relaxed)), (m.diverted, m.diverted));
    assert_eq!((m.sent, m.written, m.lost), (there + elsewhere, there + elsewhere, 0));
    assert_balanced(&m, sent);
    println!("ok: {there} lines are on the disk, {elsewhere} in the fallback, none is missing");
    Ok(())
}
