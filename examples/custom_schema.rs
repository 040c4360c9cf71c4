//! Lines of one's own shape: other keys, numbers for levels, fields in an object, secrets left out.
//!
//! `cargo run --release --example custom_schema`

use std::error::Error;

use serde_json::{Value, json};
use writer_log::json::{Part, Precision, TimeStyle};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("app.jsonl");
    let guard = writer_log::builder(&path)
        .filter("info")
        .rename(Part::Timestamp, "at")
        .time_style(TimeStyle::Unix)
        .precision(Precision::Millis)
        .rename(Part::Level, "severity")
        .level_numbers([7, 6, 5, 4, 3])
        .rename(Part::Message, "what")
        .hide(Part::Target)
        .show(Part::Line)
        .nest_fields("data")
        .static_field("service", |value| value.str("shop"))
        .static_field("shard", |value| value.u64(3))
        .redact_defaults()
        .init()?;

    log::warn!(user_id = 42, token = "5ecret"; "slow answer");
    let line_number = line!() - 1;
    drop(guard);

    let text = std::fs::read_to_string(&path)?;
    print!("{text}");
    let mut line: Value = serde_json::from_str(&text)?;
    let at = line["at"].take().as_f64().ok_or("a time")?;
    assert!(at > 1.7e9);
    let expected = json!({
        "at": null, "severity": 4, "what": "slow answer", "line": line_number,
        "service": "shop", "shard": 3, "data": {"user_id": 42, "token": "[redacted]"},
    });
    assert_eq!(line, expected);
    println!("ok: a line with keys of one's own");
    Ok(())
}
