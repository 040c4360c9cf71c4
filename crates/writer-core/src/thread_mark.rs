//! On which writer's behalf the current thread is working.
//!
//! A worker, or a sender in the middle of a synchronous write, must never wait for itself. The mark
//! is a plain number without a destructor: readable in other thread-locals' destructors and in the
//! exit hook.

#[cfg(not(loom))]
mod imp {
    use std::cell::Cell;

    thread_local! {
        static WORKS_FOR: Cell<usize> = const { Cell::new(0) };
    }

    pub(crate) fn get() -> usize {
        WORKS_FOR.try_with(Cell::get).unwrap_or(0)
    }

    pub(crate) fn set(writer: usize) {
        // Without a destructor the slot outlives every other one of its thread.
        let _ = WORKS_FOR.try_with(|mark| mark.set(writer));
    }
}

/// The models run all threads on one, and no model sends from the worker.
#[cfg(loom)]
mod imp {
    pub(crate) fn get() -> usize {
        0
    }

    pub(crate) fn set(_writer: usize) {}
}

/// What a mark has on top of the address, which is never odd, in a callback.
const IN_CALLBACK: usize = 1;

/// While it lives, this thread works for one writer.
pub(crate) struct ThreadMark {
    before: usize,
}

impl ThreadMark {
    /// Marks the thread; `writer` is the address of the writer's shared part.
    pub(crate) fn enter<T>(writer: &T) -> Self {
        let before = imp::get();
        imp::set(std::ptr::from_ref(writer).addr());
        ThreadMark { before }
    }

    /// Marks the thread as running a callback of a writer without worker.
    pub(crate) fn enter_callback<T>(writer: &T) -> Self {
        let before = imp::get();
        imp::set(std::ptr::from_ref(writer).addr() + IN_CALLBACK);
        ThreadMark { before }
    }

    /// Whether this thread runs a callback of `writer`, which has no worker.
    pub(crate) fn is_in_callback_of<T>(writer: &T) -> bool {
        imp::get() == std::ptr::from_ref(writer).addr() + IN_CALLBACK
    }

    /// Whether this thread works for `writer`.
    #[inline]
    pub(crate) fn is_on<T>(writer: &T) -> bool {
        imp::get() == std::ptr::from_ref(writer).addr()
    }
}

impl Drop for ThreadMark {
    fn drop(&mut self) {
        imp::set(self.before);
    }
}
