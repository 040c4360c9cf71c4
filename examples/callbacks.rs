//! What the writer tells the program: callbacks as it happens, metrics at any time.
//!
//! `cargo run --release --example callbacks`

use std::error::Error;
use std::fs::File;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use writer_core::{QueuePolicy, Sink, Writer};

/// A disk whose third write fails.
struct Moody(File, u32);

impl Sink for Moody {
    fn write(&mut self, lines: &[u8], _more_waiting: bool) -> io::Result<usize> {
        self.1 += 1;
        if self.1 == 3 { Err(io::ErrorKind::StorageFull.into()) } else { self.0.write(lines) }
    }
}

fn add(counter: &AtomicU64, n: u64) {
    counter.fetch_add(n, Relaxed);
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("app.jsonl");
    let [written, flushed, failed, dropped] = [(); 4].map(|()| Arc::new(AtomicU64::new(0)));
    let [on_write, on_flush, on_error, on_drop] =
        [&written, &flushed, &failed, &dropped].map(Arc::clone);

    let (writer, guard) = Writer::to(Moody(File::create(&path)?, 0))
        .queue_policy(QueuePolicy::DropNewest)
        .max_queue_size(100)
        .on_write(move |lines| add(&on_write, lines as u64))
        .on_flush(move || add(&on_flush, 1))
        .on_error(move |error| {
            println!("on_error: {error}");
            add(&on_error, 1);
        })
        .on_drop(move |lines| add(&on_drop, lines))
        .build()?;
    for round in 0..20 {
        writer.send_batch((0..200).map(|n| format!(r#"{{"round":{round},"n":{n}}}"#)))?;
        writer.flush(Duration::from_secs(5))?;
    }
    guard.shutdown(Duration::from_secs(5))?;

    let m = writer.metrics();
    println!("{m:#?}");
    assert_eq!(m.written, written.load(Relaxed));
    assert_eq!(m.flush_count, flushed.load(Relaxed));
    assert_eq!(m.dropped, dropped.load(Relaxed));
    assert_eq!((m.errors, failed.load(Relaxed)), (1, 1));
    assert_eq!((m.sent, writer_examples::lines_in(&path)?), (4000, m.written));
    writer_examples::assert_balanced(&m, 4000);
    println!("ok: callbacks and metrics agree");
    Ok(())
}
