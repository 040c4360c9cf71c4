//! Tasks: what belongs together in the lines of logxpy.

use std::process;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// How long the places of a task's tree may get, in bytes. A span deeper than that shares the place
/// of its parent.
const DEEPEST: usize = 800;

/// What a line may need for the members of a task, besides their keys, in bytes.
pub(super) const RESERVE: usize = 1024;

/// A span as a node in the tree of its task.
///
/// The first place inside a span is left to the line that tells of its beginning, whether that line
/// is written or not, so that places do not depend on options.
#[derive(Debug)]
pub(super) struct Task {
    id: Box<str>,
    /// The places of the span and its parents, each with a comma after it.
    path: Box<str>,
    next: AtomicU32,
}

impl Task {
    /// A task of its own.
    pub(super) fn root() -> Self {
        Task { id: next_id(), path: "".into(), next: AtomicU32::new(2) }
    }

    /// The next place inside this task's node as a node.
    pub(super) fn child(&self) -> Option<Self> {
        if self.path.len() > DEEPEST {
            return None;
        }
        let path = format!("{}{},", self.path, self.place()).into();
        Some(Task { id: self.id.clone(), path, next: AtomicU32::new(2) })
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// The places before the last, each with a comma after it.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Takes the next place.
    pub(super) fn place(&self) -> u32 {
        // Nothing else is published with the number.
        self.next.fetch_add(1, Ordering::Relaxed)
    }
}

/// The task of all records outside spans.
pub(super) fn process_id() -> &'static str {
    static ID: OnceLock<Box<str>> = OnceLock::new();
    ID.get_or_init(next_id)
}

/// The last two base-62 digits of the process id, a dot, and a number counted from 1 in base 62.
fn next_id() -> Box<str> {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let pid = u64::from(process::id() % (62 * 62));
    let mut id = String::new();
    id.push(digit(pid / 62));
    id.push(digit(pid % 62));
    id.push('.');
    let mut number = NEXT.fetch_add(1, Ordering::Relaxed);
    let mut digits = [' '; 11];
    let mut at = digits.len();
    while at == digits.len() || number > 0 {
        at -= 1;
        digits[at] = digit(number % 62);
        number /= 62;
    }
    id.extend(&digits[at..]);
    id.into()
}

/// `0-9a-zA-Z`
fn digit(number: u64) -> char {
    const DIGITS: &[u8; 62] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    char::from(DIGITS[number as usize % 62])
}
