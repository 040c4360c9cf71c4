//! Examples of the writer, one file per task; run one with `cargo run --release --example NAME`.
//!
//! Here are the two checks that most of them end with.

use std::io;
use std::path::Path;

use writer_core::Metrics;

/// Checks that each of the `sent` lines has come to one end, and none is under way.
///
/// How many were sent must come from the program: what the metrics call so is the sum of the ends.
///
/// # Panics
///
/// If a line is unaccounted for.
pub fn assert_balanced(m: &Metrics, sent: u64) {
    assert_eq!(m.written + m.dropped + m.lost + m.rejected, sent, "{m:?}");
    assert_eq!(m.pending, 0, "{m:?}");
}

/// Counts the lines of a file.
///
/// # Errors
///
/// If the file cannot be read.
pub fn lines_in(path: impl AsRef<Path>) -> io::Result<u64> {
    Ok(std::fs::read(path)?.iter().filter(|&&byte| byte == b'\n').count() as u64)
}

/// The programs of the documents, compiled as their users would.
#[cfg(doctest)]
mod documents {
    #[doc = include_str!("../README.md")]
    struct Readme;
    #[doc = include_str!("../docs/guide.md")]
    struct Guide;
    #[doc = include_str!("../docs/lines.md")]
    struct Lines;
    #[doc = include_str!("../docs/rollback.md")]
    struct Rollback;
    #[doc = include_str!("../docs/troubleshooting.md")]
    struct Troubleshooting;
}
