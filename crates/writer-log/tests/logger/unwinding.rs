//! Where a program takes loggers: through panics that it catches, and to other threads.

use std::panic::{RefUnwindSafe, UnwindSafe};

use writer_log::{InitError, LogBuilder, LogOn, Logger, WriterGuard};

#[test]
fn a_logger_may_go_through_a_panic_that_is_caught() {
    fn may<T: UnwindSafe + RefUnwindSafe>() {}
    may::<Logger>();
    may::<WriterGuard>();
}

#[test]
fn threads_may_pass_on_and_share_a_logger() {
    fn may<T: Send + Sync + 'static>() {}
    may::<(Logger, InitError, LogOn)>();

    fn may_be_passed_on<T: Send + 'static>() {}
    may_be_passed_on::<LogBuilder>();
}
