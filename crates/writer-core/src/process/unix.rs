//! Unix: a handler of the C library for forks, and one for the end, in which other threads still
//! run.
#![allow(unsafe_code, reason = "atexit and pthread_atfork have no safe wrapper")]

use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering};

static FORKS: AtomicU64 = AtomicU64::new(0);

/// How often this process was forked off from one that knew of writers: 0 in the first, 1 in its
/// child, and so on. One relaxed load.
#[inline]
pub(crate) fn forks() -> u64 {
    FORKS.load(Ordering::Relaxed)
}

/// Runs in a fresh child, where little more than this is allowed.
extern "C" fn in_child() {
    FORKS.fetch_add(1, Ordering::Relaxed);
}

/// Starts counting forks; once, however often it is called.
pub(crate) fn watch_forks() {
    static ONCE: Once = Once::new();
    // SAFETY: `in_child` is a plain function of the right type, lives as long as the program,
    // and does one atomic addition, which is allowed between fork and exec. If the system has
    // no memory for the registration, forks go unnoticed; there is nobody to tell.
    ONCE.call_once(|| unsafe {
        libc::pthread_atfork(None, None, Some(in_child));
    });
}

/// Has `hook` run when the process ends by return from `main`, by `std::process::exit` or after a
/// panic in `main`; once, however often it is called.
pub(crate) fn at_exit(hook: extern "C" fn()) {
    static ONCE: Once = Once::new();
    // SAFETY: `hook` is a plain function of the right type that lives as long as the program,
    // and does not unwind: `extern "C"` would abort, and `exit::at_exit` catches panics before.
    // If the system has no memory for the registration, the guard still works.
    ONCE.call_once(|| unsafe {
        libc::atexit(hook);
    });
}

/// The hook runs on every thread that ends the process: none needs a mark.
#[inline]
pub(crate) fn mark_thread() {}

/// Whether the process is ending and this is its last thread. While the hook runs, all others do.
pub(crate) fn others_are_gone() -> bool {
    false
}
