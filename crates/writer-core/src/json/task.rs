//! Tasks: what belongs together in the lines of logxpy.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::process;

/// How long the places of a task's tree may get, in bytes. A span deeper than that shares the place
/// of its parent.
const DEEPEST: usize = 800;

/// What a line may need for the members of a task, besides their keys, in bytes.
pub(super) const RESERVE: usize = 1024;

/// How the ids of tasks look: see [`FormatBuilder::task_ids`](super::FormatBuilder::task_ids). The
/// default is [`TaskIds::Short`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum TaskIds {
    /// Such as `gD.1`: the last two base-62 digits of the process id, a dot, and a number counted
    /// from 1 in base 62; the default. Unique in the process.
    #[default]
    Short,
    /// A random UUID (version 4 of
    /// [RFC 9562](https://www.rfc-editor.org/rfc/rfc9562#name-uuid-version-4)), 36 characters in
    /// five groups: unique also among machines and years. It is a name and no secret.
    Uuid,
}

impl TaskIds {
    fn next(self) -> Box<str> {
        match self {
            TaskIds::Short => next_short(),
            TaskIds::Uuid => next_uuid(),
        }
    }
}

/// A span as a node in the tree of its task.
///
/// The first place inside a span is left to the line that tells of its beginning, whether that line
/// is written or not, so that places do not depend on options.
#[derive(Debug)]
pub(super) struct Task {
    id: Box<str>,
    /// The places of the span and its parents, each with a comma after it.
    path: Box<str>,
    next: AtomicU64,
}

impl Task {
    /// A task of its own.
    pub(super) fn root(ids: TaskIds) -> Self {
        Task { id: ids.next(), path: "".into(), next: AtomicU64::new(2) }
    }

    /// The next place inside this task's node as a node.
    pub(super) fn child(&self) -> Option<Self> {
        if self.path.len() > DEEPEST {
            return None;
        }
        let path = format!("{}{},", self.path, self.place()).into();
        Some(Task { id: self.id.clone(), path, next: AtomicU64::new(2) })
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// The places before the last, each with a comma after it.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Takes the next place.
    pub(super) fn place(&self) -> u64 {
        // Nothing else is published with the number.
        self.next.fetch_add(1, Ordering::Relaxed)
    }
}

/// The tasks of all records outside spans, in one process. A forked child has tasks of its own.
///
/// What is set is made before the cell is touched: a thread that forks while another sets it would
/// have a child in which it can never be set. That gap is a few nanoseconds, and only in a process
/// that is a child itself: the tasks of the first are set while its formats are built.
struct Outside {
    ids: [OnceLock<Box<str>>; 2],
    in_child: OnceLock<Box<Outside>>,
}

impl Outside {
    const fn new() -> Self {
        Outside { ids: [const { OnceLock::new() }; 2], in_child: OnceLock::new() }
    }

    fn here() -> &'static Self {
        static OUTSIDE: Outside = Outside::new();
        let next = |outside: &'static Outside, _| {
            &**get_or_set(&outside.in_child, || Box::new(Outside::new()))
        };
        (0..process::forks()).fold(&OUTSIDE, next)
    }
}

fn get_or_set<T>(cell: &OnceLock<T>, make: impl FnOnce() -> T) -> &T {
    cell.get().unwrap_or_else(|| {
        let made = make();
        cell.get_or_init(|| made)
    })
}

/// The task of all records outside spans.
pub(super) fn process_id(ids: TaskIds) -> &'static str {
    get_or_set::<Box<str>>(&Outside::here().ids[ids as usize], || ids.next())
}

/// Counts the tasks of the process, from 1.
fn next_number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

fn next_short() -> Box<str> {
    let pid = u64::from(std::process::id() % (62 * 62));
    let mut id = String::new();
    id.push(digit(pid / 62));
    id.push(digit(pid % 62));
    id.push('.');
    let mut number = next_number();
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

/// The random bits are a keyed hash (std's SipHash) of process and number under the 128-bit key
/// that std takes from the system's randomness: two processes differ by their keys, two tasks of
/// one by the number, a forked child by its process id. The key is the thread's, for one of the
/// process would need a lock, which a forked child may find taken. For a name that is enough, and
/// spares a dependency.
fn next_uuid() -> Box<str> {
    let (key, number) = (RandomState::new(), next_number());
    let half = |half: u8| u128::from(key.hash_one((std::process::id(), number, half)));
    // Sections 4.1 and 4.2 of the RFC: variant 10 and version 4 in place of six bits.
    const FIXED: u128 = 0xF000_C000_0000_0000_0000;
    let bits = (half(0) << 64 | half(1)) & !FIXED | 0x4000_8000_0000_0000_0000;
    let hex = format!("{bits:032x}");
    let [a, b, c, d, e] = [0..8, 8..12, 12..16, 16..20, 20..32].map(|group| &hex[group]);
    [a, b, c, d, e].join("-").into()
}

/// `0-9a-zA-Z`: the digit of a number below 62.
pub(super) fn digit(number: u64) -> char {
    const DIGITS: &[u8; 62] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    char::from(DIGITS[number as usize % 62])
}

#[cfg(test)]
mod tests {
    use super::*;

    // A span with 10 000 lines a second had used all places after five days and began anew.
    #[test]
    fn no_place_comes_twice_in_a_span_that_stays_open_for_days() {
        let task = Task { next: (u64::from(u32::MAX) - 1).into(), ..Task::root(TaskIds::Short) };
        let places: Vec<_> = (0..4).map(|_| task.place()).collect();
        assert!(places.is_sorted() && places[3] == u64::from(u32::MAX) + 2, "{places:?}");
        assert_eq!(task.child().unwrap().path(), "4294967298,");
    }
}
