//! The shortest program over `log`: `cargo run --release --example log_basic`.

use serde_json::Value;
use writer_log::InitError;

/// The program of the README, as its `main`.
fn program() -> Result<(), InitError> {
    let _guard = writer_log::init("app.jsonl")?; // levels from RUST_LOG, else Info

    log::info!("started");
    log::warn!(user_id = 42, retries = 3; "slow answer");
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    std::env::set_current_dir(&folder)?;
    program()?;

    let text = std::fs::read_to_string("app.jsonl")?;
    print!("{text}");
    if std::env::var_os("RUST_LOG").is_some() {
        println!("ok: the records that RUST_LOG lets pass");
        return Ok(());
    }
    let lines = text.lines().map(serde_json::from_str).collect::<Result<Vec<Value>, _>>()?;
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0]["message"], "started");
    assert_eq!(lines[0]["level"], "INFO");
    assert_eq!(lines[0]["target"], "log_basic");
    assert_eq!(lines[1]["message"], "slow answer");
    assert_eq!((&lines[1]["user_id"], &lines[1]["retries"]), (&42.into(), &3.into()));
    println!("ok: {} records", lines.len());
    Ok(())
}
