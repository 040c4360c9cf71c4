//! Where a program takes layers: through panics that it catches, and to other threads.

use std::panic::{RefUnwindSafe, UnwindSafe};

use writer_tracing::{JsonLayer, LayerBuilder, LayerOn, MakeLineWriter, WriterGuard};

#[test]
fn a_layer_may_go_through_a_panic_that_is_caught() {
    fn may<T: UnwindSafe + RefUnwindSafe>() {}
    may::<JsonLayer>();
    may::<MakeLineWriter>();
    may::<WriterGuard>();
}

#[test]
fn threads_may_pass_on_and_share_a_layer() {
    fn may<T: Send + Sync + 'static>() {}
    may::<(JsonLayer, MakeLineWriter, LayerOn)>();

    fn may_be_passed_on<T: Send + 'static>() {}
    may_be_passed_on::<LayerBuilder>();
}
