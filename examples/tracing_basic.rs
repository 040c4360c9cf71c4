//! The shortest program over `tracing`: `cargo run --release --example tracing_basic`.

use serde_json::Value;
use tracing_subscriber::prelude::*;

/// The program of the README, as its `main`.
fn program() -> Result<(), writer_tracing::BuildError> {
    let (layer, _guard) = writer_tracing::layer("app.jsonl")?;
    tracing_subscriber::registry().with(layer).init();

    let _span = tracing::info_span!("request", request_id = "7f3a").entered();
    tracing::info!(user_id = 42, ok = true, "request handled");
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    std::env::set_current_dir(&folder)?;
    program()?;

    let text = std::fs::read_to_string("app.jsonl")?;
    print!("{text}");
    let lines = text.lines().map(serde_json::from_str).collect::<Result<Vec<Value>, _>>()?;
    assert_eq!(lines.len(), 1);
    assert_eq!(
        (&lines[0]["level"], &lines[0]["target"]),
        (&"INFO".into(), &"tracing_basic".into())
    );
    assert_eq!(lines[0]["message"], "request handled");
    assert_eq!((&lines[0]["user_id"], &lines[0]["ok"]), (&42.into(), &true.into()));
    assert_eq!(lines[0]["spans"][0]["name"], "request");
    assert_eq!(lines[0]["spans"][0]["request_id"], "7f3a");
    println!("ok: {} event", lines.len());
    Ok(())
}
