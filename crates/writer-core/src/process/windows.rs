//! Windows: there is no fork, and two ends.
//!
//! Return from `main` and a panic in it go through the C library, whose `atexit` handlers run while
//! the other threads live. `std::process::exit` calls the system directly, which first kills every
//! other thread, wherever it is, and then tells the last one that its fiber-local values end, if it
//! has any. That call is the hook there; it can wait for nobody, and a lock that a killed thread
//! held stays taken.
#![allow(unsafe_code, reason = "these calls of the system have no safe wrapper")]

use std::cell::Cell;
use std::ffi::c_int;
use std::sync::{Once, OnceLock};

static HOOK: OnceLock<extern "C" fn()> = OnceLock::new();
/// The number of the fiber-local value that marks a thread.
static SLOT: OnceLock<u32> = OnceLock::new();

// SAFETY: the signatures are those of the C library.
unsafe extern "C" {
    safe fn atexit(hook: extern "C" fn()) -> c_int;
}

// SAFETY: the signatures are those of kernel32; the value is a pointer there, which nobody follows.
unsafe extern "system" {
    /// <https://learn.microsoft.com/windows/win32/api/fibersapi/nf-fibersapi-flsalloc>
    safe fn FlsAlloc(at_end: extern "system" fn(usize)) -> u32;
    safe fn FlsSetValue(slot: u32, value: usize) -> c_int;
}

// SAFETY: the signature is that of ntdll.
#[link(name = "ntdll")]
unsafe extern "system" {
    /// <https://learn.microsoft.com/windows/win32/devnotes/rtldllshutdowninprogress>
    safe fn RtlDllShutdownInProgress() -> u8;
}

/// Runs when a marked thread ends, which matters only if the process ends with it.
extern "system" fn at_thread_end(_value: usize) {
    if others_are_gone()
        && let Some(hook) = HOOK.get()
    {
        hook();
    }
}

/// There is no fork.
#[inline]
pub(crate) fn forks() -> u64 {
    0
}

/// There is no fork.
pub(crate) fn watch_forks() {}

/// Has `hook` run when the process ends by return from `main` or after a panic in it, and by
/// `std::process::exit` on a marked thread; once, however often it is called.
pub(crate) fn at_exit(hook: extern "C" fn()) {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // What cannot be registered leaves the guard, which still works.
        let _ = HOOK.set(hook);
        let _ = atexit(hook);
        let _ = SLOT.set(FlsAlloc(at_thread_end));
    });
    mark_thread();
}

/// Lets this thread run the hook if it ends the process by `std::process::exit`.
#[inline]
pub(crate) fn mark_thread() {
    thread_local! {
        static MARKED: Cell<bool> = const { Cell::new(false) };
    }
    // A thread whose thread-locals are gone ends no process.
    let _ = MARKED.try_with(|marked| {
        if !marked.get()
            && let Some(&slot) = SLOT.get()
        {
            FlsSetValue(slot, 1);
            marked.set(true);
        }
    });
}

/// Whether the process is ending and this is its last thread.
pub(crate) fn others_are_gone() -> bool {
    RtlDllShutdownInProgress() != 0
}
