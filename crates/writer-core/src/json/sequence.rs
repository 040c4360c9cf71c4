//! Numbers that let a reader tell whether lines are missing.

use std::hash::{BuildHasher, RandomState};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use super::build::FormatBuilder;
use super::task;

/// The key of a line's number.
pub(super) const NUMBER: &str = "seq";

/// The key of what tells the numbers of one format from those of all others.
pub(super) const RUN: &str = "run";

/// The most that a number adds to its key, in bytes.
pub(super) const LONGEST: usize = 24;

/// A counter on a cache line of its own: what else a format holds is read by all threads and never
/// written.
#[derive(Debug)]
#[repr(align(128))]
struct Counter(AtomicU64);

/// The numbers of one format.
#[derive(Debug)]
pub(super) struct Sequence {
    pub(super) key: Box<[u8]>,
    next: Counter,
}

impl Sequence {
    pub(super) fn new(key: Box<[u8]>) -> Self {
        Sequence { key, next: Counter(AtomicU64::new(1)) }
    }

    /// Takes the next number.
    pub(super) fn next(&self) -> u64 {
        // Nothing else is published with the number.
        self.next.0.fetch_add(1, Ordering::Relaxed)
    }
}

/// Eleven characters that no other format has, in this process or another, as a JSON string.
pub(super) fn run() -> String {
    let mut random = RandomState::new().hash_one((process::id(), SystemTime::now()));
    let mut run = String::from("\"");
    for _ in 0..11 {
        run.push(task::digit(random % 62));
        random /= 62;
    }
    run.push('"');
    run
}

impl FormatBuilder {
    /// Whether each line has a number, `seq`, counted from 1, and the name of the sequence that it
    /// belongs to, `run`, which each format has for itself. Default: no.
    ///
    /// Numbers are taken when a record is encoded, in the thread that logs it, and one that does
    /// not come belongs to a line that is missing: it was dropped, or the file was damaged. Lines
    /// of several threads may stand a little out of the order of their numbers. `writer verify` of
    /// the crate `writer-cli` tells which are missing, and where. What was lost behind the last
    /// line of a run cannot be seen. A forked child that goes on with
    /// [`restart_after_fork`](crate::WriterGuard::restart_after_fork) has the name and the counter
    /// of its parent: the numbers from there on come twice.
    ///
    /// ```
    /// use writer_core::Severity;
    /// use writer_core::json::{Format, Meta};
    ///
    /// let format = Format::builder().sequence(true).build()?;
    /// let meta = Meta::new(Severity::Info, "shop");
    /// format.encode(
    ///     &meta,
    ///     |record| record.message().str("hello"),
    ///     |_, line| assert!(line.ends_with(b",\"seq\":1,\"message\":\"hello\"}\n")),
    /// );
    /// # Ok::<(), writer_core::BuildError>(())
    /// ```
    pub fn sequence(mut self, sequence: bool) -> Self {
        self.sequence = sequence;
        self
    }
}
