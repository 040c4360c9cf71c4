//! A flood that the queue cannot hold: the file itself says how many lines are missing.
//!
//! `cargo run --release --example loss_marker`

use std::error::Error;
use std::fs;
use std::time::Duration;

use serde_json::Value;
use tracing_subscriber::prelude::*;
use writer_core::{Mode, QueuePolicy};
use writer_examples::assert_balanced;

const SENT: u64 = 1000;
const ROOM: usize = 100;

/// Of a hundred lines one is an error.
fn flood() {
    for n in 1..=SENT {
        match n % 100 {
            0 => tracing::error!(n, "no answer"),
            _ => tracing::info!(n, "answered"),
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    for policy in [QueuePolicy::DropNewest, QueuePolicy::DropOldest] {
        let path = folder.path().join(format!("{policy}.jsonl"));
        // In Manual, with no trigger, nothing is written during the flood, as if the disk were
        // busy.
        let (layer, guard) = writer_tracing::builder(&path)
            .mode(Mode::Manual)
            .queue_policy(policy)
            .max_queue_size(ROOM)
            .build()?;
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), flood);
        let writer = guard.writer().clone();
        // The marker comes with the end; while a program runs on, a second after the queue has
        // room.
        guard.shutdown(Duration::from_secs(5))?;

        // What somebody sees who has nothing but the file.
        let text = fs::read_to_string(&path)?;
        let lines = text.lines().map(serde_json::from_str).collect::<Result<Vec<Value>, _>>()?;
        let (markers, kept): (Vec<_>, Vec<_>) =
            lines.iter().partition(|line| line["message"] == "lines were dropped");
        assert_eq!((kept.len(), markers.len()), (ROOM, 1));
        let marker = markers[0];
        assert_eq!(kept.len() as u64 + marker["dropped"].as_u64().unwrap_or(0), SENT);
        // One of the ten errors was kept, under either policy.
        assert_eq!((&marker["dropped_error"], &marker["dropped_info"]), (&9.into(), &891.into()));
        assert_eq!(marker["policy"], policy.as_str());
        let first = if policy == QueuePolicy::DropNewest { 1 } else { 901 };
        assert_eq!(kept[0]["n"], first);

        let m = writer.metrics();
        assert_balanced(&m, SENT);
        assert_eq!((m.dropped, m.written, m.markers), (900, ROOM as u64, 1));
        println!("{}", text.lines().last().unwrap_or_default());
    }
    println!("ok: the lines in each file and those its marker counts are all {SENT}");
    Ok(())
}
