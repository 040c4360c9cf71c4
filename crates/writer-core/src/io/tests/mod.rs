//! The files and the strategies over them, through the same door that the builder uses.

mod completed;
mod cuts;
mod foreign;
mod locks;
mod mapping;
mod neighbours;
mod paths;
mod reopening;
mod shared_folders;
mod steps;
mod streams;
mod tails;
mod writing;

use std::fs;
#[cfg(unix)]
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
#[cfg(unix)]
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::fault::{self, Plan};
use super::{Opened, Sink, open};
use crate::axes::Strategy;
use crate::config::Config;
use crate::error::BuildError;

/// How long anything that must happen may take on the slowest machine.
#[cfg(unix)]
const LIMIT: Duration = Duration::from_secs(60);

/// Waits for what must happen.
#[cfg(unix)]
#[track_caller]
fn until(mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < LIMIT, "hangs");
        std::thread::yield_now();
    }
}

/// Settings for a file, with a mapping step small enough to be left often.
fn config(path: impl Into<PathBuf>, strategy: Strategy) -> Config {
    Config {
        path: Some(path.into()),
        strategy,
        block_size: 1 << 10,
        mmap_chunk: 16 << 10,
        ..Config::default()
    }
}

fn build(path: &Path, strategy: Strategy) -> Result<Opened, BuildError> {
    open(&config(path, strategy))
}

/// Opens a file whose writer was dropped without a close. Another test that starts a program at
/// this moment may hold a copy of the descriptor, and so the lock, until the program runs.
#[cfg(unix)]
fn build_after_drop(path: &Path, strategy: Strategy) -> Opened {
    let deadline = Instant::now() + LIMIT;
    loop {
        match build(path, strategy) {
            Err(BuildError::Locked { .. }) if Instant::now() < deadline => {}
            other => return other.unwrap_or_else(|e| panic!("{e}")),
        }
    }
}

fn sink(path: &Path, strategy: Strategy) -> Box<dyn Sink> {
    build(path, strategy).unwrap().sink
}

/// Why a file was refused; `Opened` cannot be printed, so `unwrap_err` is of no use.
fn refusal(config: &Config) -> BuildError {
    match open(config) {
        Ok(_) => panic!("{:?} was opened", config.path),
        Err(error) => error,
    }
}

/// Writes everything, as the worker does: what was not taken is offered again.
fn write_all(sink: &mut dyn Sink, mut lines: &[u8]) {
    while !lines.is_empty() {
        let taken = sink.write(lines, false).unwrap();
        assert!(taken > 0, "nothing taken although nothing more waits");
        lines = &lines[taken..];
    }
}

/// How many operations on files and folders a piece of code asks of the system.
#[cfg_attr(not(unix), allow(dead_code, reason = "the tests that ask are of Unix"))]
fn operations(code: impl FnOnce()) -> usize {
    let plan = Plan { from: usize::MAX, times: 0, error: 0, short: false, count: 0.into() };
    failing(plan, code)
}

/// Has operations fail as the plan says; returns how many there were.
#[cfg_attr(not(unix), allow(dead_code, reason = "the tests that ask are of Unix"))]
fn failing(plan: Plan, code: impl FnOnce()) -> usize {
    let plan = Arc::new(plan);
    fault::enter(Some(Arc::clone(&plan)));
    code();
    fault::enter(None);
    plan.count.load(Ordering::Relaxed)
}

fn directory() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn file(directory: &TempDir) -> PathBuf {
    directory.path().join("app.jsonl")
}

fn read(path: &Path) -> String {
    String::from_utf8(fs::read(path).unwrap()).unwrap()
}

#[cfg(unix)]
fn fifo(path: &Path) {
    let made = std::process::Command::new("mkfifo").arg(path).status().unwrap();
    assert!(made.success());
}

/// How often this process has a file or folder open.
#[cfg(target_os = "linux")]
fn descriptors_of(path: &Path) -> usize {
    let folder = fs::canonicalize(path.parent().unwrap()).unwrap();
    let path = folder.join(path.file_name().unwrap());
    let descriptors = fs::read_dir("/proc/self/fd").unwrap().flatten();
    descriptors.filter(|one| fs::read_link(one.path()).is_ok_and(|target| target == path)).count()
}

#[cfg(target_os = "linux")]
fn length(path: &Path) -> usize {
    usize::try_from(fs::metadata(path).unwrap().len()).unwrap()
}

/// Lines with their number and a length that varies, to be compared byte by byte.
fn numbered(from: usize, count: usize) -> Vec<u8> {
    (from..from + count)
        .flat_map(|n| format!("{{\"n\":{n},\"pad\":\"{}\"}}\n", "x".repeat(n % 97)).into_bytes())
        .collect()
}

/// Says why a test cannot look at what it is about, or fails where `SKIP_NOTHING` is set.
#[cfg(unix)]
pub(super) fn skip(reason: &str) {
    assert!(std::env::var_os("SKIP_NOTHING").is_none(), "not to be skipped: {reason}");
    // Past what the harness captures; a lost message is no failure.
    let _ = writeln!(std::io::stderr(), "skipped: {reason}");
}
