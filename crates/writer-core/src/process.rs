//! What the process around the writer does: it forks, and it ends.

/// How often this process was forked off from one that knew of writers: 0 in the first, 1 in its
/// child, and so on. One relaxed load.
#[cfg(unix)]
#[inline]
pub(crate) fn forks() -> u64 {
    unix::FORKS.load(std::sync::atomic::Ordering::Relaxed)
}

/// Starts counting forks; once, however often it is called.
#[cfg(unix)]
pub(crate) fn watch_forks() {
    unix::watch_forks();
}

/// Has `hook` run when the process ends by return from `main`, by `std::process::exit` or after a
/// panic in `main`; once, however often it is called.
#[cfg(unix)]
pub(crate) fn at_exit(hook: extern "C" fn()) {
    unix::at_exit(hook);
}

#[cfg(not(unix))]
#[inline]
pub(crate) fn forks() -> u64 {
    0
}

/// There is no fork here.
#[cfg(not(unix))]
pub(crate) fn watch_forks() {}

/// No hook that could wait for another thread exists here: the other threads are gone when it
/// would run. The guard is what ends a writer.
#[cfg(not(unix))]
pub(crate) fn at_exit(_hook: extern "C" fn()) {}

#[cfg(unix)]
#[allow(unsafe_code, reason = "atexit and pthread_atfork have no safe wrapper")]
mod unix {
    use std::sync::Once;
    use std::sync::atomic::{AtomicU64, Ordering};

    pub(super) static FORKS: AtomicU64 = AtomicU64::new(0);

    /// Runs in a fresh child, where little more than this is allowed.
    extern "C" fn in_child() {
        FORKS.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn watch_forks() {
        static ONCE: Once = Once::new();
        // SAFETY: `in_child` is a plain function of the right type, lives as long as the program,
        // and does one atomic addition, which is allowed between fork and exec. If the system has
        // no memory for the registration, forks go unnoticed; there is nobody to tell.
        ONCE.call_once(|| unsafe {
            libc::pthread_atfork(None, None, Some(in_child));
        });
    }

    pub(super) fn at_exit(hook: extern "C" fn()) {
        static ONCE: Once = Once::new();
        // SAFETY: `hook` is a plain function of the right type that lives as long as the program,
        // and does not unwind: `extern "C"` would abort, and `exit::at_exit` catches panics before.
        // If the system has no memory for the registration, the guard still works.
        ONCE.call_once(|| unsafe {
            libc::atexit(hook);
        });
    }
}
