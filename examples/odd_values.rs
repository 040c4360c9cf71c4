//! What comes out for values that break other writers: control characters, terminal escapes, keys
//! that clash, numbers beyond 64 bits, errors with causes, values that fail or panic.
//!
//! `cargo run --release --example odd_values [-- FILE]`

use std::error::Error;
use std::fmt;
use std::path::PathBuf;

use tracing_subscriber::prelude::*;

struct Panics;

impl fmt::Display for Panics {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("a Display that panics")
    }
}

fn log_them() {
    for text in [
        "a\"b\\c",
        "two\nlines",
        "\u{1b}[31mred\u{7f}\u{9b}",
        "\u{202e}sdrawkcab\u{2028}",
        "世界 🌍",
        "",
    ] {
        tracing::info!(text, "text {text}");
    }
    tracing::info!(
        message_ = 1,
        level = 2,
        target = 3,
        spans = 4,
        timestamp = 5,
        "keys that clash"
    );
    tracing::info!(max = u64::MAX, min = i64::MIN, wide = u128::MAX, "integers");
    tracing::info!(tenth = 0.1, zero = -0.0, nan = f64::NAN, infinite = f64::INFINITY, "floats");
    let cause = std::fs::read("/no/such/file").unwrap_err();
    let error = std::io::Error::other(cause);
    tracing::info!(error = &error as &(dyn Error + 'static), "an error with a cause");
    tracing::info!(before = true, broken = %Panics, after = true, "a value that panics");
    let span =
        tracing::info_span!("outer", name = "a field called name", late = tracing::field::Empty);
    span.record("late", "recorded later");
    span.in_scope(|| tracing::info!("inside a span"));
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let path = match std::env::args_os().nth(1) {
        Some(path) => PathBuf::from(path),
        None => folder.path().join("odd.jsonl"),
    };
    let (layer, guard) = writer_tracing::builder(path.as_path()).truncate(true).build()?;
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer))?;
    // The panic is caught; its message on stderr would only confuse here.
    std::panic::set_hook(Box::new(|_| {}));
    log_them();
    guard.shutdown(std::time::Duration::from_secs(5))?;

    let text = std::fs::read_to_string(&path)?;
    print!("{text}");
    for line in text.lines() {
        serde_json::from_str::<serde_json::Value>(line)?;
    }
    assert!(!text.chars().any(|c| c.is_control() && c != '\n'));
    assert_eq!(guard.writer().metrics().format_errors, 1);
    println!("ok: {} lines, each an object", text.lines().count());
    Ok(())
}
