//! What adapters keep, in a process and in the children forked off from it.
//!
//! A lock of an adapter that a thread of the parent held at the fork is never released in the
//! child. So a child keeps nothing that is behind such a lock: before
//! [`restart_after_fork`](crate::WriterGuard::restart_after_fork) the adapters only count, and
//! after it what they keep is begun anew, beside the writer that is new too.
//!
//! Locks of others are theirs: that of the registry of `tracing-subscriber` around what layers keep
//! of a span is inherited, and other layers may have held it at the fork.

use std::any::{Any, TypeId};
use std::sync::{Arc, Mutex, PoisonError};

use crate::process;
use crate::writer::Writer;

/// What adapters keep in a child, by type and number of the owner. The lock is held for a look-up,
/// and is of the child itself: one that was inherited is behind a writer that nobody asks any more.
#[derive(Default)]
pub(crate) struct States(Mutex<Vec<State>>);

type State = (TypeId, u64, Arc<dyn Any + Send + Sync>);

impl States {
    fn get<T: Any + Send + Sync>(&self, owner: u64, begin: impl FnOnce() -> T) -> Arc<T> {
        let mut states = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = states.iter().find(|(of, by, _)| (*of, *by) == (TypeId::of::<T>(), owner));
        if let Some(Ok(state)) = known.map(|(_, _, state)| Arc::clone(state).downcast()) {
            return state;
        }
        let state = Arc::new(begin());
        states.push((TypeId::of::<T>(), owner, Arc::<T>::clone(&state)));
        state
    }
}

/// How often this process was forked off from one that knew of writers: what was made at another
/// number may have locks that nobody releases. One relaxed load.
#[doc(hidden)]
#[inline]
pub fn forks() -> u64 {
    process::forks()
}

impl Writer {
    /// Whether this is a forked child of the process that built the writer, restarted or not. One
    /// relaxed load and a comparison.
    #[doc(hidden)]
    #[inline]
    pub fn is_inherited(&self) -> bool {
        self.original().is_foreign()
    }

    /// Whether this is a forked child in which the writer was not restarted.
    #[doc(hidden)]
    #[inline]
    pub fn is_left_behind(&self) -> bool {
        self.is_inherited() && self.has_no_successor()
    }

    #[cold]
    #[inline(never)]
    fn has_no_successor(&self) -> bool {
        self.shared().is_none()
    }

    /// What an adapter keeps in this process: `own` where the writer was built, and in a child a
    /// state that is begun there, by code that waits for nothing inherited; `None` while
    /// [`Writer::is_left_behind`]. `owner` is unique among the states of one type.
    #[doc(hidden)]
    #[cold]
    pub fn state_here<T: Any + Send + Sync>(
        &self,
        owner: u64,
        own: &Arc<T>,
        begin: impl FnOnce() -> T,
    ) -> Option<Arc<T>> {
        let shared = self.shared()?;
        if Arc::ptr_eq(shared, self.original()) {
            return Some(Arc::clone(own));
        }
        Some(shared.states.get(owner, begin))
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_of_its_owner_and_of_its_type() {
        let states = States::default();
        let first = states.get(1, || String::from("one"));
        assert!(Arc::ptr_eq(&first, &states.get(1, || String::from("another"))));
        assert_eq!(*states.get(2, || String::from("two")), "two");
        assert_eq!(*states.get(1, || 1_u8), 1);
    }
}
