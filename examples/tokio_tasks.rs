//! Tasks of tokio: spans follow them from thread to thread, and a flush does not hold up the
//! runtime.
//!
//! `cargo run --release --example tokio_tasks`

use std::error::Error;
use std::time::Duration;

use serde_json::Value;
use tracing::{Instrument, info, info_span};
use tracing_subscriber::prelude::*;
use writer_core::Writer;
use writer_examples::assert_balanced;

const TASKS: u64 = 100;
const STEPS: u64 = 20;

async fn work(task: u64) {
    for step in 0..STEPS {
        info!(step, "working");
        // Not `span.enter()`: a span entered across an `await` would be left in the thread.
        tokio::task::yield_now().await;
    }
    info!(task, "done");
}

/// Waits for the disk in a thread that may wait.
async fn flushed(writer: Writer) -> Result<(), Box<dyn Error + Send + Sync>> {
    tokio::task::spawn_blocking(move || writer.flush(Duration::from_secs(5))).await??;
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("app.jsonl");
    let (layer, guard) = writer_tracing::layer(&*path)?;
    tracing_subscriber::registry().with(layer).init();

    let tasks: Vec<_> = (0..TASKS)
        .map(|task| tokio::spawn(work(task).instrument(info_span!("task", id = task))))
        .collect();
    for task in tasks {
        task.await?;
    }
    flushed(guard.writer().clone()).await?;

    // The program still runs, and everything is in the file.
    let text = std::fs::read_to_string(&path)?;
    let mut next = [0; TASKS as usize];
    for line in text.lines() {
        let line: Value = serde_json::from_str(line)?;
        let task = line["spans"][0]["id"].as_u64().ok_or("a line without its task")?;
        assert_eq!(line["spans"].as_array().map(Vec::len), Some(1));
        match line["step"].as_u64() {
            Some(step) => assert_eq!(step, next[task as usize]),
            None => assert_eq!(line["task"], task),
        }
        next[task as usize] += 1;
    }
    assert_eq!(next, [STEPS + 1; TASKS as usize]);
    let metrics = guard.writer().metrics();
    assert_eq!((metrics.written, metrics.pending), (TASKS * (STEPS + 1), 0));
    assert_balanced(&metrics, TASKS * (STEPS + 1));
    println!("ok: {TASKS} tasks, {} lines, each in its own order", metrics.written);
    Ok(())
}
