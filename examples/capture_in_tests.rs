//! A program that logs, and its tests: each test sees its own records, and no file is written.
//!
//! `cargo test -p writer-examples --example capture_in_tests` runs the tests,
//! `cargo run --release --example capture_in_tests` the program.

use std::error::Error;
use std::fs;

/// What the program does.
fn reserve(stock: u32, wanted: u32) -> Option<u32> {
    let rest = stock.checked_sub(wanted);
    match rest {
        Some(rest) => log::info!(wanted, rest; "reserved"),
        None => log::warn!(wanted, stock; "sold out"),
    }
    rest
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("app.jsonl");
    let guard = writer_log::builder(&path).filter("info").init()?;
    reserve(5, 2);
    reserve(1, 2);
    drop(guard);

    let text = fs::read_to_string(&path)?;
    print!("{text}");
    assert_eq!(text.lines().count(), 2);
    println!("ok: the program logs to a file, its tests to memory");
    Ok(())
}

/// They need the feature `capture` of `writer-log`, under `[dev-dependencies]`.
#[cfg(test)]
mod tests {
    use std::sync::OnceLock;
    use std::thread;

    use serde_json::json;
    use writer_log::WriterGuard;
    use writer_log::capture::{self, Capture};

    use super::reserve;

    /// What each test begins with: the one logger of the process, and a capture for this thread.
    fn start() -> Capture {
        static LOGGER: OnceLock<WriterGuard> = OnceLock::new();
        LOGGER.get_or_init(|| {
            let builder = writer_log::builder(capture::builder()).filter("debug");
            builder.init().expect("no other logger")
        });
        Capture::start()
    }

    #[test]
    fn enough_in_stock_is_reserved() {
        let capture = start();
        assert_eq!(reserve(5, 2), Some(3));
        capture.assert_logged(json!({"level": "INFO", "message": "reserved", "rest": 3}));
        assert_eq!(capture.len(), 1);
    }

    #[test]
    fn too_little_in_stock_is_a_warning() {
        let capture = start();
        assert_eq!(reserve(1, 2), None);
        let warning = capture.find(|record| record["level"] == "WARN").expect("a warning");
        assert_eq!((&warning["wanted"], &warning["stock"]), (&json!(2), &json!(1)));
        assert_eq!(warning["target"], "capture_in_tests");
    }

    #[test]
    fn work_on_another_thread_is_seen_by_the_test_that_started_it() {
        let capture = start();
        let handle = capture.handle();
        let worker = thread::spawn(move || {
            let _entered = handle.enter();
            reserve(9, 9)
        });
        assert_eq!(worker.join().expect("the worker ends"), Some(0));
        capture.assert_logged(json!({"wanted": 9, "rest": 0}));
    }
}
