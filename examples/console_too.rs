//! Errors on the console for people, everything in the file: two layers, each with a filter of its
//! own.
//!
//! `cargo run --release --example console_too`

use std::error::Error;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt;
use tracing_subscriber::prelude::*;

/// Shows on stderr, and keeps a copy to look at.
#[derive(Clone, Default)]
struct Console(Arc<Mutex<Vec<u8>>>);

impl Write for Console {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no panic").extend_from_slice(text);
        io::stderr().write(text)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("app.jsonl");
    let shown = Console::default();
    let console = shown.clone();
    let (file, guard) = writer_tracing::layer(&*path)?;
    tracing_subscriber::registry()
        .with(file.with_filter(LevelFilter::DEBUG))
        .with(
            // `std::io::stderr` in a program.
            fmt::layer().with_writer(move || console.clone()).with_filter(LevelFilter::ERROR),
        )
        .init();

    let _span = tracing::info_span!("import", file = "orders.csv").entered();
    tracing::debug!(lines = 3, "read");
    tracing::error!(line = 2, "not a number");
    drop(guard);

    let text = std::fs::read_to_string(&path)?;
    let lines: Vec<Value> = text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let messages: Vec<_> = lines.iter().map(|line| line["message"].as_str()).collect();
    assert_eq!(messages, [Some("read"), Some("not a number")]);
    assert!(lines.iter().all(|line| line["spans"][0]["file"] == "orders.csv"));
    let shown = String::from_utf8(shown.0.lock().expect("no panic").clone())?;
    assert!(shown.lines().count() == 1 && shown.contains("not a number"), "{shown}");
    println!("ok: {} lines in the file, the error on the console as well", lines.len());
    Ok(())
}
