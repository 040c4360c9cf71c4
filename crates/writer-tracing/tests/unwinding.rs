//! Panics of the program while it has a layer.
#![allow(missing_docs)]

use std::panic::{RefUnwindSafe, UnwindSafe};

use writer_tracing::{JsonLayer, MakeLineWriter, WriterGuard};

#[test]
fn a_layer_may_go_through_a_panic_that_is_caught() {
    fn may<T: UnwindSafe + RefUnwindSafe>() {}
    may::<JsonLayer>();
    may::<MakeLineWriter>();
    may::<WriterGuard>();
}
