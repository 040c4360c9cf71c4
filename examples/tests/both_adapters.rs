//! `log` and `tracing` in one process, into two files.

use serde_json::Value;
use tracing_subscriber::prelude::*;

const RECORDS: u64 = 20_000;

fn numbers(path: &std::path::Path) -> Vec<u64> {
    let text = std::fs::read_to_string(path).expect("a file");
    let number = |line| serde_json::from_str::<Value>(line).expect("JSON")["n"].as_u64();
    text.lines().map(|line| number(line).expect("a number")).collect()
}

#[test]
fn a_72_each_file_is_complete_after_flush_and_after_the_guards() {
    let folder = tempfile::tempdir().expect("a folder");
    let [log_file, tracing_file] =
        ["log.jsonl", "tracing.jsonl"].map(|name| folder.path().join(name));
    let log_guard = writer_log::builder(&log_file).filter("info").init().expect("a logger");
    let (layer, tracing_guard) = writer_tracing::layer(&tracing_file).expect("a layer");
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer))
        .expect("no other subscriber");

    std::thread::scope(|scope| {
        scope.spawn(|| (0..RECORDS).for_each(|n| log::info!(n = n; "through log")));
        scope.spawn(|| (0..RECORDS).for_each(|n| tracing::info!(n, "through tracing")));
    });
    log::logger().flush();
    let expected: Vec<u64> = (0..RECORDS).collect();
    assert_eq!(numbers(&log_file), expected);

    log::info!(n = RECORDS; "one more");
    tracing::info!(n = RECORDS, "one more");
    drop((log_guard, tracing_guard));
    let expected: Vec<u64> = (0..=RECORDS).collect();
    assert_eq!(numbers(&log_file), expected);
    assert_eq!(numbers(&tracing_file), expected);
}
