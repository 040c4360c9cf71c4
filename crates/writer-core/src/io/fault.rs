//! Operations that fail when a test says so.
//!
//! Every operation on a file asks [`strike`] first. Outside of tests that is nothing at all.

#[cfg(not(test))]
use std::io;

/// No operation fails here but by itself.
#[cfg(not(test))]
#[inline(always)]
pub(super) fn strike() -> io::Result<()> {
    Ok(())
}

/// As [`strike`], for a write of `bytes`: how many of them the system may take.
#[cfg(not(test))]
#[inline(always)]
pub(super) fn strike_write(bytes: &[u8]) -> io::Result<&[u8]> {
    Ok(bytes)
}

#[cfg(all(test, unix))]
pub(crate) use plan::do_before;
#[cfg(test)]
pub(crate) use plan::{Plan, enter, entered};
#[cfg(test)]
pub(super) use plan::{strike, strike_write};

#[cfg(test)]
mod plan {
    use std::cell::RefCell;
    use std::io;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    type Act = Box<dyn FnOnce()>;

    thread_local! {
        static PLAN: RefCell<Option<Arc<Plan>>> = const { RefCell::new(None) };
        /// After how many operations what happens.
        static ACT: RefCell<Option<(usize, Act)>> = const { RefCell::new(None) };
    }

    /// Which operations fail, counted over all threads that follow the plan.
    #[derive(Debug)]
    pub(crate) struct Plan {
        /// The first that fails, from 0 on.
        pub(crate) from: usize,
        /// How many fail.
        pub(crate) times: usize,
        /// The code of the system.
        pub(crate) error: i32,
        /// A write that is the first to fail takes half instead, and never all of a line but its
        /// end: given one later, it would be the line itself and no fragment.
        pub(crate) short: bool,
        pub(crate) count: AtomicUsize,
    }

    impl Plan {
        /// Whether the next operation fails, and whether it is the first.
        fn next(&self) -> (bool, bool) {
            let at = self.count.fetch_add(1, Ordering::Relaxed);
            (at >= self.from && at - self.from < self.times, at == self.from)
        }
    }

    /// Has this thread, and those of writers that it builds, follow a plan.
    pub(crate) fn enter(plan: Option<Arc<Plan>>) {
        PLAN.set(plan);
    }

    /// The plan of this thread.
    pub(crate) fn entered() -> Option<Arc<Plan>> {
        PLAN.with_borrow(Clone::clone)
    }

    /// Has something happen in this thread right before one of the next operations: at 0, the
    /// first.
    #[cfg(unix)]
    pub(crate) fn do_before(operation: usize, act: impl FnOnce() + 'static) {
        ACT.set(Some((operation, Box::new(act))));
    }

    fn act() {
        let due = ACT.with_borrow_mut(|act| match act {
            Some((0, _)) => act.take(),
            Some((left, _)) => {
                *left -= 1;
                None
            }
            None => None,
        });
        if let Some((_, act)) = due {
            act();
        }
    }

    pub(in super::super) fn strike() -> io::Result<()> {
        act();
        match entered() {
            Some(plan) if plan.next().0 => Err(io::Error::from_raw_os_error(plan.error)),
            _ => Ok(()),
        }
    }

    pub(in super::super) fn strike_write(bytes: &[u8]) -> io::Result<&[u8]> {
        act();
        let Some(plan) = entered() else { return Ok(bytes) };
        match plan.next() {
            (true, true) if plan.short && bytes.len() > 2 => {
                let half = bytes.len() / 2;
                Ok(&bytes[..half - usize::from(bytes[half] == b'\n')])
            }
            (true, _) => Err(io::Error::from_raw_os_error(plan.error)),
            _ => Ok(bytes),
        }
    }
}
