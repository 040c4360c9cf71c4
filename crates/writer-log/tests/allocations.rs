//! What a record costs the allocator on the caller's side: nothing.
#![allow(missing_docs, clippy::unwrap_used, unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::path::Path;
use std::time::Duration;

use writer_log::{Logger, Mode, WriterGuard};

struct Counting;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = COUNT.try_with(|count| count.set(count.get() + 1));
        // SAFETY: the caller keeps the contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let _ = COUNT.try_with(|count| count.set(count.get() + 1));
        // SAFETY: the caller keeps the contract.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A logger whose worker takes lines at a flush alone. One that woke in the middle of a round would
/// hold a chunk while the queue takes another: fuller than ever before, whenever that happens.
fn steady(folder: &Path, filter: &str) -> (Logger, WriterGuard) {
    let builder = writer_log::builder(folder.join("app.jsonl")).filter(filter);
    builder.mode(Mode::Manual).build().unwrap()
}

#[test]
fn a_record_allocates_nothing_in_the_steady_state() {
    let folder = tempfile::tempdir().unwrap();
    let guard = writer_log::builder(folder.path().join("app.jsonl")).filter("info").init().unwrap();
    let say = |i: u64| {
        log::info!(user_id = i, latency_ms = 1.25, path = "/api/v1/orders", ok = true; "request {i} handled");
    };
    // Chunks, the thread's buffer and the filter's place in it come to be.
    (0..100_000).for_each(say);
    guard.writer().flush(Duration::from_secs(10)).unwrap();
    let before = COUNT.get();
    (0..100_000).for_each(say);
    // A queue that gets fuller than ever before needs a new chunk for each 64 KiB.
    let chunks_of_a_full_queue_and_hand = 2 * 10_000 * 200 / (64 << 10);
    let allocations = COUNT.get() - before;
    assert!(allocations <= chunks_of_a_full_queue_and_hand, "{allocations}");
    assert_eq!(guard.writer().metrics().enqueued, 200_000);
}

#[test]
fn while_the_queue_does_not_grow_the_count_is_exactly_zero() {
    let folder = tempfile::tempdir().unwrap();
    let (logger, _guard) = steady(folder.path(), "info,hyper=warn");
    log::set_max_level(log::LevelFilter::Info);
    let text = "quoted \"text\" \n";
    let say = |i: u64| {
        log::info!(logger: logger,
            user_id = i, latency_ms = 1.25, path = text, ok = true; "request {i} {text:?}");
        log::info!(logger: logger, target: "hyper", "stopped by the filter {i}");
    };
    let mut allocations = 0;
    for round in 0..200 {
        let before = COUNT.get();
        (0..50).for_each(say);
        if round >= 100 {
            allocations += COUNT.get() - before;
        }
        logger.writer().flush(Duration::from_secs(10)).unwrap();
    }
    assert_eq!(allocations, 0);
    assert_eq!(logger.writer().metrics().written, 10_000);
}

#[test]
fn values_by_debug_display_serde_and_sval_cost_nothing_either() {
    let folder = tempfile::tempdir().unwrap();
    let (logger, _guard) = steady(folder.path(), "info");
    log::set_max_level(log::LevelFilter::Info);
    let say = |i: u64| {
        log::info!(logger: logger, debug:? = [i], display:% = std::net::Ipv4Addr::LOCALHOST; "");
        #[cfg(feature = "sval")]
        log::info!(logger: logger, nested:sval = [[i, 1], [2, i]], text:sval = "a\n"; "");
        #[cfg(feature = "serde")]
        log::info!(logger: logger, nested:serde = [[i, 1], [2, i]], pair:serde = ("a\n", i); "");
    };
    let mut allocations = 0;
    for round in 0..200 {
        let before = COUNT.get();
        (0..50).for_each(say);
        if round >= 100 {
            allocations += COUNT.get() - before;
        }
        logger.writer().flush(Duration::from_secs(10)).unwrap();
    }
    assert_eq!(allocations, 0);
}
