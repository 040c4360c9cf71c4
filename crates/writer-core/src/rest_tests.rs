//! How a worker in Trigger rests after a write during which lines came, by a clock that only the
//! test moves. On Windows it does not.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use crate::mode::GATHER;
use crate::testing::{Rig, SEC};

/// A worker for which every line is due at once.
fn at_once() -> Rig {
    Rig::at_once(|c| c.max_queue_bytes = 1 << 20)
}

/// One for which every line is a batch.
fn batches() -> Rig {
    Rig::new(|c| (c.batch_size, c.max_queue_bytes) = (1, 1 << 20))
}

/// The worker has written `a`, and `b` came meanwhile.
fn one_came_during_the_write(rig: Rig) -> Rig {
    rig.probe.script(|script| script.gate = true);
    rig.send("a").unwrap();
    rig.until_call(1);
    rig.send("b").unwrap();
    rig.probe.script(|script| script.gate = false);
    rig.until(|inner| inner.count.flush_count == 1 && inner.asleep.is_some());
    assert_eq!(rig.probe.text(), "a\n");
    rig
}

#[test]
fn lines_that_come_during_a_write_go_out_together_a_moment_later() {
    for rig in [at_once(), batches()] {
        let rig = one_came_during_the_write(rig);
        let due = rig.shared.lock().asleep.unwrap();
        assert_eq!(due, Some(rig.shared.clock.now() + GATHER));
        rig.send("c").unwrap();
        assert_eq!(rig.probe.text(), "a\n");
        rig.advance(GATHER);
        assert_eq!(rig.probe.text(), "a\nb\nc\n");
        assert_eq!(rig.metrics().flush_count, 2);
        // It found none when it had written them, and waits for nothing.
        rig.send("d").unwrap();
        rig.until(|inner| inner.count.written == 4);
    }
}

#[test]
fn who_waits_for_the_worker_waits_for_no_further_lines() {
    for of in [at_once, batches] {
        let rig = || one_came_during_the_write(of());
        let (flushed, synced, shut, full) = (rig(), rig(), rig(), rig());
        flushed.shared.flush(Duration::MAX).unwrap();
        synced.shared.sync(Duration::MAX).unwrap();
        shut.shared.shutdown(Duration::MAX).unwrap();
        for rig in [flushed, synced, shut] {
            assert_eq!(rig.probe.text(), "a\nb\n");
        }
        // It never fits, and so waits until the queue is empty.
        let long = "x".repeat(full.shared.config.max_queue_bytes + 1);
        full.send(&long).unwrap();
        full.until(|inner| inner.count.written >= 2);
        full.shared.flush(Duration::MAX).unwrap();
        assert_eq!(full.probe.text().len(), "a\nb\n".len() + long.len() + 1);
    }
}

#[test]
fn a_queue_that_gets_half_full_is_written_without_waiting_for_more() {
    for rig in [at_once(), batches()] {
        let rig = one_came_during_the_write(rig);
        let half = rig.shared.config.max_queue_size / 2;
        for _ in 1..half {
            rig.send("c").unwrap();
        }
        rig.until(|inner| inner.count.written == half as u64 + 1);
    }
}

#[test]
fn a_sink_is_not_tidied_up_while_lines_wait_that_came_during_a_write() {
    let rig = batches();
    let shared = std::sync::Arc::clone(&rig.shared);
    // When the write has ended, a slow callback: the sink has been idle for long, and a line is
    // there.
    *rig.on_write.lock().unwrap() = Some(Box::new(move || shared.advance(2 * SEC)));
    rig.probe.script(|script| script.wants_idle = true);
    let rig = one_came_during_the_write(rig);
    *rig.on_write.lock().unwrap() = None;
    assert_eq!(rig.probe.script(|script| script.idles), 0);
    rig.advance(GATHER);
    assert_eq!(rig.probe.text(), "a\nb\n");
    rig.advance(2 * SEC);
    assert_eq!(rig.probe.script(|script| script.idles), 1);
}
