//! Whether the files hold what was logged.

use std::path::Path;

use serde::de::IgnoredAny;

use crate::case::{Case, Lines};
use crate::data::Found;

/// Reads every file in the folder. Links are left out: they lead to files that are there anyway.
pub fn check(case: &Case, folder: &Path, events: u64) -> Found {
    let mut found = Found::default();
    let mut seen = vec![false; events as usize];
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let entry = entry.expect("an entry");
        if !entry.file_type().expect("a type").is_file() {
            continue;
        }
        let bytes = std::fs::read(entry.path()).expect("a readable file");
        found.bytes += bytes.len() as u64;
        for line in bytes.split_inclusive(|&byte| byte == b'\n') {
            found.lines += 1;
            let line = std::str::from_utf8(line).unwrap_or("");
            if case.lines == Lines::Json && serde_json::from_str::<IgnoredAny>(line).is_err() {
                found.invalid += 1;
            }
            if let Some(number) = event(line).filter(|&number| number < events) {
                seen[number as usize] = true;
            }
        }
    }
    found.events = seen.into_iter().filter(|&seen| seen).count() as u64;
    if case.lines == Lines::Raw {
        found.events = found.bytes / writer_benches::LINE_BYTES as u64;
    }
    found
}

/// The number of the event in the line, if all of the event is there.
fn event(line: &str) -> Option<u64> {
    let whole = ["request handled", "latency_ms", "/api/v1/orders", "ok"];
    let whole = whole.into_iter().all(|part| line.contains(part)) && line.ends_with('\n');
    let (_, rest) = line.split_once("user_id").filter(|_| whole)?;
    let start = rest.find(|c: char| c.is_ascii_digit()).filter(|&start| start <= 4)?;
    let digits = &rest[start..];
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    digits[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::event;

    #[test]
    fn events_are_found_in_json_and_in_text() {
        let json = "{\"fields\":{\"message\":\"request handled\",\"user_id\":17,\
            \"latency_ms\":0.1,\"path\":\"/api/v1/orders\",\"ok\":true}}\n";
        let text = "request handled user_id=17 latency_ms=0.1 path=/api/v1/orders ok=true\n";
        assert_eq!((event(json), event(text)), (Some(17), Some(17)));
    }

    #[test]
    fn a_torn_or_poorer_event_is_not_found() {
        assert_eq!(event("request handled user_id=17 latency_ms=0.1 path=/api/v1/orders ok"), None);
        assert_eq!(event("request handled user_id=17 latency_ms=0.1 ok=true\n"), None);
    }
}
