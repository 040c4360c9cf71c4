//! Sends as many lines as the first argument says, and nothing else: the difference between two
//! runs under an instruction counter is the price of `send`. `scripts/instructions` does that.
//!
//! The worker has no part in it: the mode is Manual, the queue has no bound, and the end of the
//! process waits for nobody. The memory comes from a first round that is the same in every run, as
//! it does in a program that has been logging for a while.

use std::error::Error;
use std::hint::black_box;
use std::time::Duration;

use writer_core::{Mode, Writer};

/// Lines of the first round: at least as many as are then measured, and no more than the writer
/// keeps memory for.
const FIRST: usize = 100_000;

fn main() -> Result<(), Box<dyn Error>> {
    let lines: usize = std::env::args().nth(1).ok_or("the number of lines is missing")?.parse()?;
    let path = std::env::temp_dir().join(format!("send_cost_{}", std::process::id()));
    let (writer, guard) = Writer::builder(&path)
        .mode(Mode::Manual)
        .max_queue_size(0)
        .max_queue_bytes(0)
        .exit_hook(false)
        .build()?;
    std::mem::forget(guard);
    std::fs::remove_file(&path)?;
    let line = [b'x'; 100];
    let send = |lines: usize| -> Result<(), Box<dyn Error>> {
        for _ in 0..lines {
            black_box(&writer).send(black_box(&line))?;
        }
        Ok(())
    };
    send(FIRST)?;
    writer.flush(Duration::from_secs(600))?;
    send(lines.min(FIRST))?;
    assert_eq!(writer.metrics().written, FIRST as u64);
    Ok(())
}
