//! Tests of a program that logs, in which each test sees its own records and no file is written.
//!
//! `cargo run --release --example capture_in_tests`

use std::error::Error;
use std::sync::OnceLock;
use std::thread;

use serde_json::json;
use writer_log::WriterGuard;
use writer_log::capture::{self, Capture};

/// The function under test.
fn reserve(stock: u32, wanted: u32) -> Option<u32> {
    let rest = stock.checked_sub(wanted);
    match rest {
        Some(rest) => log::info!(wanted, rest; "reserved"),
        None => log::warn!(wanted, stock; "sold out"),
    }
    rest
}

/// What each test begins with: the one logger of the process, and a capture for this thread.
fn start() -> Capture {
    static LOGGER: OnceLock<WriterGuard> = OnceLock::new();
    LOGGER.get_or_init(|| {
        let builder = writer_log::builder(capture::builder()).filter("debug");
        builder.init().expect("no other logger")
    });
    Capture::start()
}

/// In a crate these three stand under `#[cfg(test)]`, each with `#[test]`.
fn enough_in_stock() {
    let capture = start();
    assert_eq!(reserve(5, 2), Some(3));
    capture.assert_logged(json!({"level": "INFO", "message": "reserved", "rest": 3}));
    assert_eq!(capture.len(), 1);
}

fn too_little_in_stock() {
    let capture = start();
    assert_eq!(reserve(1, 2), None);
    let warning = capture.find(|record| record["level"] == "WARN").expect("a warning");
    assert_eq!((&warning["wanted"], &warning["stock"]), (&json!(2), &json!(1)));
    assert_eq!(warning["target"], "capture_in_tests");
}

fn work_on_another_thread() {
    let capture = start();
    let handle = capture.handle();
    let worker = thread::spawn(move || {
        let _entered = handle.enter();
        reserve(9, 9)
    });
    assert_eq!(worker.join().expect("the worker ends"), Some(0));
    capture.assert_logged(json!({"wanted": 9, "rest": 0}));
}

fn main() -> Result<(), Box<dyn Error>> {
    let tests = [enough_in_stock, too_little_in_stock, work_on_another_thread];
    // Side by side, as the test harness runs them.
    let running = tests.map(thread::spawn);
    for test in running {
        test.join().map_err(|_| "a test failed")?;
    }

    let capture = start();
    reserve(5, 2);
    for line in capture.lines() {
        println!("{line}");
    }
    println!("ok: {} tests, each with its own records", tests.len());
    Ok(())
}
