//! On which writers' behalf the current thread is working.
//!
//! A worker, or a sender in the middle of a synchronous write, must never wait for itself. The sink
//! of one writer may send to another without worker, whose sink sends to the first: so the marks of
//! a thread form a chain. They are plain numbers without a destructor: readable in other
//! thread-locals' destructors and in the exit hook.

use crate::shared::Shared;

#[cfg(not(loom))]
mod imp {
    use std::cell::Cell;

    /// How many marks a thread keeps. With more at a time the newest takes the place of the one
    /// before until it is gone.
    const KEPT: usize = 16;

    struct Marks {
        /// How many there are, those without a place of their own included.
        depth: Cell<usize>,
        /// From the oldest on.
        writers: [Cell<usize>; KEPT],
    }

    thread_local! {
        static MARKS: Marks =
            const { Marks { depth: Cell::new(0), writers: [const { Cell::new(0) }; KEPT] } };
    }

    impl Marks {
        fn newest(&self) -> &Cell<usize> {
            &self.writers[self.depth.get().clamp(1, KEPT) - 1]
        }
    }

    /// Adds a mark and returns what was in its place.
    pub(super) fn push(writer: usize) -> usize {
        // Without a destructor the marks outlive every other value of their thread.
        let push = |marks: &Marks| {
            marks.depth.set(marks.depth.get() + 1);
            marks.newest().replace(writer)
        };
        MARKS.try_with(push).unwrap_or(0)
    }

    /// Takes the newest mark away and puts back what was in its place.
    pub(super) fn pop(before: usize) {
        let _ = MARKS.try_with(|marks| {
            marks.newest().set(before);
            marks.depth.set(marks.depth.get().saturating_sub(1));
        });
    }

    /// Whether the thread has this mark. Most threads have none.
    #[inline]
    pub(super) fn has(writer: usize) -> bool {
        MARKS.try_with(|marks| marks.depth.get() > 0 && among(marks, writer)).unwrap_or(false)
    }

    #[cold]
    fn among(marks: &Marks, writer: usize) -> bool {
        marks.writers.iter().take(marks.depth.get()).any(|mark| mark.get() == writer)
    }
}

/// The models run all threads on one, and no model sends from the worker.
#[cfg(loom)]
mod imp {
    pub(super) fn push(_writer: usize) -> usize {
        0
    }

    pub(super) fn pop(_before: usize) {}

    pub(super) fn has(_writer: usize) -> bool {
        false
    }
}

/// What a mark has on top of the address, a multiple of four, in a callback.
const IN_CALLBACK: usize = 1;
/// The same in `on_drop`, with a worker and without.
const IN_ON_DROP: usize = 2;

/// What a thread can work for, by its address: not any handle of it, which has another.
pub(crate) trait Marked {}

impl Marked for Shared {}

/// While it lives, this thread works for one writer, and still for those of older marks. Marks end
/// in the reverse order of their beginning.
pub(crate) struct ThreadMark {
    /// What was in the place of this mark.
    before: usize,
}

impl ThreadMark {
    /// Marks the thread; `writer` is the address of the writer's shared part.
    pub(crate) fn enter<T: Marked>(writer: &T) -> Self {
        ThreadMark { before: imp::push(std::ptr::from_ref(writer).addr()) }
    }

    /// Marks the thread as running a callback of a writer without worker.
    pub(crate) fn enter_callback<T: Marked>(writer: &T) -> Self {
        ThreadMark { before: imp::push(std::ptr::from_ref(writer).addr() + IN_CALLBACK) }
    }

    /// Marks the thread as running `on_drop`.
    pub(crate) fn enter_on_drop<T: Marked>(writer: &T) -> Self {
        ThreadMark { before: imp::push(std::ptr::from_ref(writer).addr() + IN_ON_DROP) }
    }

    /// Whether this thread runs `on_drop` of `writer`.
    pub(crate) fn is_in_on_drop_of<T: Marked>(writer: &T) -> bool {
        imp::has(std::ptr::from_ref(writer).addr() + IN_ON_DROP)
    }

    /// Whether this thread runs a callback of `writer`, which has no worker.
    pub(crate) fn is_in_callback_of<T: Marked>(writer: &T) -> bool {
        imp::has(std::ptr::from_ref(writer).addr() + IN_CALLBACK)
    }

    /// Whether this thread works for `writer`.
    #[inline]
    pub(crate) fn is_on<T: Marked>(writer: &T) -> bool {
        imp::has(std::ptr::from_ref(writer).addr())
    }
}

impl Drop for ThreadMark {
    fn drop(&mut self) {
        imp::pop(self.before);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    impl Marked for u64 {}

    #[test]
    fn a_thread_works_for_the_writers_of_all_its_marks() {
        let (first, second) = (0_u64, 0_u64);
        let outer = ThreadMark::enter(&first);
        let inner = ThreadMark::enter_callback(&second);
        assert!(ThreadMark::is_on(&first) && ThreadMark::is_in_callback_of(&second));
        assert!(!ThreadMark::is_on(&second) && !ThreadMark::is_in_callback_of(&first));
        drop(inner);
        assert!(ThreadMark::is_on(&first) && !ThreadMark::is_in_callback_of(&second));
        drop(outer);
        assert!(!ThreadMark::is_on(&first));
    }

    #[test]
    fn marks_without_a_place_of_their_own_leave_the_others_as_they_were() {
        let (first, deepest) = (0_u64, 0_u64);
        let others = [0_u64; 40];
        let _outer = ThreadMark::enter(&first);
        let mut marks: Vec<_> = others.iter().map(ThreadMark::enter).collect();
        let innermost = ThreadMark::enter(&deepest);
        assert!(ThreadMark::is_on(&deepest) && ThreadMark::is_on(&first));
        drop(innermost);
        assert!(!ThreadMark::is_on(&deepest));
        for other in others.iter().rev() {
            assert!(ThreadMark::is_on(other));
            marks.pop();
            assert!(!ThreadMark::is_on(other));
        }
        assert!(ThreadMark::is_on(&first));
    }
}
