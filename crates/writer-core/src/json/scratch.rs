//! The buffer that a thread reuses from record to record.

use std::cell::Cell;

use super::members::Members;

/// How many records may be under way in one thread, each inside a `Display` of the one before.
const DEPTH: u32 = 8;

/// A buffer that has grown beyond this gives the rest back, in bytes.
const KEPT: usize = 64 << 10;

thread_local! {
    // Without a destructor the guard also works while the thread's other values are torn down.
    static RUNNING: Cell<u32> = const { Cell::new(0) };
    static SPARE: Cell<Option<Box<Members>>> = const { Cell::new(None) };
}

/// Counts a record as under way, also when the code inside unwinds.
pub(super) struct Running(u32);

impl Drop for Running {
    #[inline]
    fn drop(&mut self) {
        RUNNING.set(self.0);
    }
}

/// Counts a record; `None` when too many are under way in this thread.
#[inline]
pub(super) fn begin() -> Option<Running> {
    let depth = RUNNING.get();
    if depth >= DEPTH {
        return None;
    }
    RUNNING.set(depth + 1);
    Some(Running(depth))
}

/// Takes the thread's buffer out of its store, or a new one where the store is empty (a record
/// inside a record) or torn down.
#[inline]
pub(super) fn take() -> Box<Members> {
    match SPARE.try_with(Cell::take) {
        Ok(Some(members)) => members,
        _ => new(),
    }
}

// What few records need is apart, so that the code of all others stands close together.
#[cold]
#[inline(never)]
fn new() -> Box<Members> {
    Box::default()
}

#[cold]
#[inline(never)]
fn discard(_members: Box<Members>) {}

/// Puts a buffer into the store for the next record, and gives up memory that common ones do not
/// need.
#[inline]
pub(super) fn put_back(mut members: Box<Members>) {
    members.out.buf.reset(KEPT);
    members.keys.shrink();
    // Where the store is torn down, the buffer is dropped here.
    if let Ok(Some(other)) = SPARE.try_with(|spare| spare.replace(Some(members))) {
        discard(other);
    }
}
