//! The four queue policies under overload: a fast program, a slow disk, a queue of ten lines.
//!
//! `cargo run --release --example policies`

use std::error::Error;
use std::fs::{self, File};
use std::io::{self, Write};
use std::thread::sleep;
use std::time::{Duration, Instant};

use writer_core::{QueuePolicy, Sink, Writer};
use writer_examples::assert_balanced;

const LINES: u64 = 300;

/// Takes one line at a time, and its time for each.
struct SlowDisk(File);

impl Sink for SlowDisk {
    fn write(&mut self, lines: &[u8], _more_waiting: bool) -> io::Result<usize> {
        sleep(Duration::from_micros(200));
        let end = lines.iter().position(|&byte| byte == b'\n').map_or(lines.len(), |at| at + 1);
        self.0.write(&lines[..end])
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    println!(
        "{:<12} {:>8} {:>8} {:>8} {:>8}",
        "policy", "written", "refused", "evicted", "send ms"
    );

    for &policy in QueuePolicy::ALL {
        let path = folder.path().join(format!("{policy}.jsonl"));
        let (writer, guard) = Writer::to(SlowDisk(File::create(&path)?))
            .queue_policy(policy)
            .max_queue_size(10)
            .build()?;
        let start = Instant::now();
        writer.send_batch((0..LINES).map(|n| n.to_string()))?;
        let sending = start.elapsed().as_millis();
        guard.shutdown(Duration::from_secs(5))?;

        let m = writer.metrics();
        println!("{policy:<12} {:>8} {:>8} {:>8} {sending:>8}", m.written, m.refused, m.evicted);
        assert_balanced(&m, LINES);
        assert_eq!((m.sent, m.pending, m.lost), (LINES, 0, 0));
        let text = fs::read_to_string(&path)?;
        assert_eq!(text.lines().count() as u64, m.written);
        match policy {
            QueuePolicy::Block => assert_eq!(m.written, LINES),
            QueuePolicy::DropOldest => assert!(m.evicted > 0 && text.ends_with("\n299\n")),
            _ => assert!(m.refused > 0 && text.starts_with("0\n1\n2\n")),
        }
    }
    println!("ok: every line of every policy is accounted for");
    Ok(())
}
