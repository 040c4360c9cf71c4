//! A value that prints without end costs time and no memory.

use std::fmt;
use std::time::Duration;

use crate::common::{is_child, run_alone};
use writer_core::json::{Format, Meta};
use writer_core::{Severity, Writer};

/// How much the value prints, in bytes.
const PRINTED: u64 = 1 << 30;

/// What the process may need at the most, in bytes.
const ALLOWED: u64 = 64 << 20;

struct Huge;

impl fmt::Display for Huge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = "0123456789abcdef".repeat(4 << 10);
        (0..PRINTED / part.len() as u64).try_for_each(|_| f.write_str(&part))
    }
}

/// The most memory that this process has had, in bytes.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let text = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    text.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() << 10
}

#[test]
fn a_display_of_a_gibibyte_is_cut_without_being_held() {
    if !is_child() {
        run_alone("huge_display::a_display_of_a_gibibyte_is_cut_without_being_held", &[]);
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.jsonl");
    let (writer, guard) = Writer::builder(&path).build().unwrap();
    let encoded = Format::default().encode(
        &Meta::new(Severity::Info, "t"),
        |record| {
            record.field("huge").display(&Huge);
            record.field("later").u64(1);
        },
        |_, line| writer.send(line),
    );
    let encoded = encoded.unwrap();
    assert_eq!((encoded.result, encoded.truncated), (Ok(true), true));
    guard.shutdown(Duration::from_secs(60)).unwrap();
    assert!(peak() < ALLOWED, "{} bytes", peak());
    let line = std::fs::read_to_string(&path).unwrap();
    assert!(line.len() <= 1 << 20);
    let json: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert!(json["original_bytes"].as_u64().unwrap() > PRINTED);
    assert_eq!((&json["truncated"], json.get("later")), (&true.into(), None));
}
