//! What a line tells of its thread: name and number.
//!
//! `thread::current` panics once the thread's own handle is torn down, while a destructor that C
//! knows of (`pthread_key_create`) may still log. Both are therefore asked for once per thread and
//! kept where no destructor takes them away; a thread that logs for the first time so late has
//! neither.

use std::cell::Cell;
use std::panic::catch_unwind;
use std::thread;

use super::value::discard_payload;

/// How long a name may be to be kept, in bytes. Linux shows the first 15.
const LONGEST: usize = 54;

/// What is kept of a thread.
#[derive(Clone, Copy)]
struct Known {
    /// The number that `ThreadId` prints; 0 is none.
    number: u64,
    name: [u8; LONGEST],
    len: u8,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Unasked,
    /// All that is kept is all there is.
    Asked,
    /// The name is too long to be kept.
    LongName,
}

thread_local! {
    static KNOWN: Cell<Known> =
        const { Cell::new(Known { number: 0, name: [0; LONGEST], len: 0, state: State::Unasked }) };
}

/// Calls with the name of the thread, if it has one.
pub(super) fn with_name(call: impl FnOnce(&str)) {
    let known = known();
    let kept = str::from_utf8(&known.name[..known.len as usize]).unwrap_or_default();
    if !kept.is_empty() {
        call(kept);
    } else if known.state == State::LongName
        && let Some(thread) = current()
    {
        call(thread.name().unwrap_or_default());
    }
}

/// The number that `ThreadId` prints; std offers it in no other way yet.
pub(super) fn number() -> Option<u64> {
    Some(known().number).filter(|&number| number != 0)
}

fn known() -> Known {
    let known = KNOWN.get();
    if known.state == State::Unasked { ask() } else { known }
}

#[cold]
fn ask() -> Known {
    let mut known = KNOWN.get();
    // First, because a panic hook may log.
    known.state = State::Asked;
    KNOWN.set(known);
    if let Some(thread) = current() {
        let text = format!("{:?}", thread.id());
        let digits = text.trim_matches(|c: char| !c.is_ascii_digit());
        known.number = digits.parse().unwrap_or(0);
        let name = thread.name().unwrap_or_default();
        match known.name.get_mut(..name.len()) {
            Some(kept) => {
                kept.copy_from_slice(name.as_bytes());
                known.len = name.len() as u8;
            }
            None => known.state = State::LongName,
        }
        KNOWN.set(known);
    }
    known
}

/// The thread, as long as there is a handle for it. The first call that is too late is the last
/// one.
fn current() -> Option<thread::Thread> {
    let current = catch_unwind(thread::current);
    if current.is_err() {
        KNOWN.set(Known { state: State::Asked, ..KNOWN.get() });
    }
    current.map_err(discard_payload).ok()
}
