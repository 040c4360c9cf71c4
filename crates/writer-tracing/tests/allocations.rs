//! In the steady state an event allocates nothing.

#![allow(missing_docs, clippy::unwrap_used, unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use tracing::{info, info_span, subscriber::with_default};
use tracing_subscriber::Registry;
use tracing_subscriber::prelude::*;
use writer_tracing::{Mode, Writer};

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, old: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.realloc(old, layout, size) }
    }

    unsafe fn dealloc(&self, old: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(old, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn log(events: u64) {
    for number in 0..events {
        info!(user_id = number, latency_ms = 12.345, path = "/api/v1/orders", ok = true, "handled");
    }
}

/// How many times this thread allocates for some events, the writer's chunks being there already.
fn count(writer: &Writer) -> u64 {
    log(300);
    writer.flush(std::time::Duration::from_secs(10)).unwrap();
    let before = COUNT.get();
    log(200);
    let after = COUNT.get();
    writer.flush(std::time::Duration::from_secs(10)).unwrap();
    after - before
}

#[test]
fn an_event_in_the_steady_state_allocates_nothing() {
    let folder = tempfile::tempdir().unwrap();
    // Manual: nothing competes for the chunks that the flush has emptied.
    let (layer, guard) = writer_tracing::builder(folder.path().join("app.jsonl"))
        .mode(Mode::Manual)
        .build()
        .unwrap();
    let writer = guard.writer();
    let before = COUNT.get();
    drop(std::hint::black_box(Box::new(1)));
    assert_eq!(COUNT.get() - before, 1, "allocations are counted at all");
    with_default(Registry::default().with(layer), || {
        assert_eq!(count(writer), 0, "outside spans");
        let _one = info_span!("one", id = 1, name = "first").entered();
        assert_eq!(count(writer), 0, "in one span");
        let _two = info_span!("two", id = 2, name = "second").entered();
        let _three = info_span!("three", id = 3, name = "third").entered();
        let _four = info_span!("four", id = 4, name = "fourth").entered();
        assert_eq!(count(writer), 0, "in four spans");
    });
}

/// Failed: each span that a thread did not remember took memory anew.
#[test]
fn an_event_in_ever_other_spans_allocates_nothing_either() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.jsonl");
    let (layer, guard) = writer_tracing::builder(path).mode(Mode::Manual).build().unwrap();
    with_default(Registry::default().with(layer), || {
        let spans: Vec<_> = (0..64).map(|id| info_span!("request", id)).collect();
        let round = || {
            for span in &spans {
                info!(parent: span, user_id = 1, "named as parent");
                span.in_scope(|| info!(user_id = 1, "entered"));
            }
        };
        (0..6).for_each(|_| round());
        guard.writer().flush(std::time::Duration::from_secs(10)).unwrap();
        let before = COUNT.get();
        round();
        assert_eq!(COUNT.get() - before, 0);
    });
}
