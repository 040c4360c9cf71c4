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
struct Running(u32);

impl Drop for Running {
    fn drop(&mut self) {
        RUNNING.set(self.0);
    }
}

/// Calls with the thread's buffer, moved out of its store, or with a new one where the store is
/// empty (a record inside a record) or torn down. Returns `None`, and does not call, when too many
/// records are under way in this thread.
pub(super) fn with<R>(call: impl FnOnce(&mut Members) -> R) -> Option<R> {
    let depth = RUNNING.get();
    if depth >= DEPTH {
        return None;
    }
    RUNNING.set(depth + 1);
    let _running = Running(depth);
    let mut members = SPARE.try_with(Cell::take).ok().flatten().unwrap_or_default();
    let result = call(&mut members);
    members.out.buf.reset(KEPT);
    members.keys.shrink();
    // Where the store is torn down, the buffer is dropped here.
    let _ = SPARE.try_with(|spare| spare.set(Some(members)));
    Some(result)
}
