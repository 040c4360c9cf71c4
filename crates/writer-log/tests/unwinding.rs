//! Panics of the program while it has a logger.
#![allow(missing_docs)]

use std::panic::{RefUnwindSafe, UnwindSafe};

use writer_log::{Logger, WriterGuard};

#[test]
fn a_logger_may_go_through_a_panic_that_is_caught() {
    fn may<T: UnwindSafe + RefUnwindSafe>() {}
    may::<Logger>();
    may::<WriterGuard>();
}
