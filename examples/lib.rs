//! Examples of the writer, one file per task; run one with `cargo run --release --example NAME`.
//!
//! Here are the two checks that most of them end with.

use std::io;
use std::path::Path;

use writer_core::Metrics;

/// Checks the identity that holds in every snapshot of a writer's metrics.
///
/// # Panics
///
/// If a line is unaccounted for.
pub fn assert_balanced(m: &Metrics) {
    assert_eq!(m.sent, m.enqueued + m.refused + m.rejected, "{m:?}");
    assert_eq!(m.enqueued, m.written + m.evicted + m.lost + m.pending, "{m:?}");
    assert_eq!(m.dropped, m.refused + m.evicted, "{m:?}");
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
