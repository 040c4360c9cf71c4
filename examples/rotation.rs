//! Files that somebody else rotates: renamed and reopened on request, as logrotate does, and a file
//! that is deleted under the program.
//!
//! `cargo run --release --example rotation`

use std::error::Error;
use std::fs;
use std::time::Duration;

use serde_json::Value;
use writer_examples::{assert_balanced, lines_in};

const RECORDS: u64 = 20_000;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("app.jsonl");
    let guard = writer_log::builder(&path).filter("info").init()?;
    let writer = guard.writer();

    // Four times, in the middle of the load: each line is in exactly one of the files.
    std::thread::scope(|scope| -> Result<(), Box<dyn Error>> {
        let load = scope.spawn(|| (0..RECORDS).for_each(|n| log::info!(n; "order accepted")));
        for rotation in 1..=4 {
            fs::rename(&path, folder.path().join(format!("app.{rotation}.jsonl")))?;
            writer.reopen()?; // In a service: when SIGHUP comes.
            assert!(path.exists());
        }
        load.join().map_err(|_| "the load failed")?;
        Ok(())
    })?;
    writer.flush(Duration::from_secs(5))?;
    let mut seen = vec![0; RECORDS as usize];
    for entry in fs::read_dir(&folder)? {
        for line in fs::read_to_string(entry?.path())?.lines() {
            let line: Value = serde_json::from_str(line)?;
            seen[line["n"].as_u64().ok_or("no number")? as usize] += 1;
        }
    }
    assert!(seen.iter().all(|&times| times == 1));

    // Somebody deletes the file: it is made anew before the next write after a second, or on
    // request.
    fs::remove_file(&path)?;
    writer.reopen()?;
    log::info!("after the file was deleted");
    writer.flush(Duration::from_secs(5))?;
    assert_eq!(lines_in(&path)?, 1);

    let metrics = writer.metrics();
    assert_eq!((metrics.written, metrics.reopened), (RECORDS + 1, 5));
    assert_balanced(&metrics, RECORDS + 1);
    println!("ok: {RECORDS} lines in five files, each line in one of them");
    Ok(())
}
