//! Who wakes whom. The helpers that move the clock wake everybody, and so would hide a wake-up that
//! is missing: here nobody is woken but by those who must.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::axes::{Mode, QueuePolicy};
use crate::clock::Clock;
use crate::error::{FlushError, State};
use crate::testing::{MS, Rig, SEC, send};
use crate::thread_mark::ThreadMark;

/// Waits until the worker is asleep and wakes by itself `after` from now.
fn until_it_wakes(rig: &Rig, after: Duration) {
    let at = rig.shared.clock.now() + after;
    rig.until(|inner| inner.asleep == Some(Some(at)));
}

fn no_line_fits() -> Rig {
    Rig::new(|c| (c.queue_policy, c.max_queue_bytes) = (QueuePolicy::DropNewest, 8))
}

#[test]
fn a_parked_worker_learns_of_drops_that_it_must_report_later() {
    let rig = no_line_fits();
    assert_eq!(rig.send("far too long"), Ok(false));
    assert_eq!(rig.drops(), [1], "told by the sender");
    rig.until(|inner| inner.asleep == Some(None));
    assert_eq!(rig.send("as long again"), Ok(false));
    until_it_wakes(&rig, SEC);
}

#[test]
fn a_parked_worker_learns_of_drops_that_it_must_mark_later() {
    let rig = no_line_fits();
    rig.shared.callbacks.marker.or_format(&crate::json::Format::default());
    assert_eq!(rig.send("far too long"), Ok(false));
    until_it_wakes(&rig, SEC);
    rig.advance(SEC);
    assert_eq!(rig.metrics().markers, 1);
}

#[test]
fn a_napping_worker_is_woken_by_the_line_with_which_the_queue_is_half_full() {
    for (lines, bytes) in [(4, 1 << 20), (0, 100)] {
        let rig = Rig::new(|c| {
            (c.max_queue_size, c.max_queue_bytes) = (lines, bytes);
            c.flush_interval = Some(10 * SEC);
        });
        rig.send("a").unwrap();
        until_it_wakes(&rig, MS);
        let wakes = rig.metrics().wake_count;
        rig.send(&"x".repeat(50)).unwrap();
        rig.until(|inner| inner.count.wake_count > wakes);
    }
}

#[test]
fn a_line_that_never_fits_and_gave_up_lets_those_behind_it_in() {
    let rig = Rig::new(|c| {
        (c.max_queue_bytes, c.batch_size) = (20, 1);
        c.block_timeout = Some(10 * SEC);
    });
    rig.probe.script(|script| script.gate = true);
    rig.send("held").unwrap();
    rig.until_call(1);
    rig.send("a").unwrap();
    let large = rig.spawn(|shared| send(shared, &"x".repeat(100)));
    rig.until(|inner| inner.oversized() == 1);
    rig.shared.advance(SEC);
    let small = rig.spawn(|shared| send(shared, "b"));
    rig.until(|inner| inner.room_waiters == 2);
    // The time of the first is over, and not that of the second. Whichever is woken first, the
    // second finds the first still there, or is told by it.
    let Clock::Manual(clock) = &rig.shared.clock else { unreachable!() };
    clock.advance(9 * SEC);
    rig.until(|inner| {
        if inner.oversized() == 1 {
            rig.shared.room.notify_one();
        }
        inner.oversized() == 0
    });
    assert_eq!(large.join().unwrap(), Ok(false));
    rig.until(|inner| inner.room_waiters == 0);
    assert_eq!(small.join().unwrap(), Ok(true));
}

#[test]
fn after_a_reopen_a_sender_waits_for_the_try_that_follows() {
    let rig = Rig::new(|c| {
        (c.max_queue_size, c.batch_size) = (1, 1);
        c.fail_after = Duration::ZERO;
    });
    rig.probe.script(|script| script.room = Some(0));
    rig.send("a").unwrap();
    rig.until(|inner| inner.state == State::Failed);
    rig.send("b").unwrap();
    assert_eq!(rig.send("refused"), Ok(false), "nobody waits for a sink that has failed");
    let calls = rig.probe.script(|script| {
        (script.gate, script.room) = (true, None);
        script.calls
    });
    // This sink cannot be reopened, but whoever wants it to be has done something about it.
    assert!(rig.shared.reopen(Duration::MAX).is_err());
    rig.until_call(calls + 1);
    let sender = rig.spawn(|shared| send(shared, "c"));
    rig.until(|inner| inner.room_waiters == 1 || inner.count.refused == 2);
    rig.probe.script(|script| script.gate = false);
    assert_eq!(sender.join().unwrap(), Ok(true));
}

/// Failed: the lines stayed in the queue until one more sender came and waited.
#[test]
fn in_manual_the_line_that_fills_the_queue_has_it_written_where_senders_would_wait() {
    for bytes in [false, true] {
        let rig = Rig::new(|c| {
            c.mode = Mode::Manual;
            (c.max_queue_size, c.max_queue_bytes) = if bytes { (0, 6) } else { (3, 0) };
        });
        for text in ["a", "b"] {
            rig.send(text).unwrap();
        }
        assert_eq!(rig.quiet(), None);
        assert_eq!(rig.probe.text(), "", "there is room");
        rig.send("c").unwrap();
        rig.until(|inner| inner.count.written == 3);
        let m = rig.metrics();
        assert_eq!((m.forced_flushes, m.pending), (1, 0));
    }
}

#[test]
fn a_sync_makes_durable_what_was_written_and_not_what_was_accepted() {
    let rig = Rig::new(|c| c.mode = Mode::Manual);
    rig.probe.script(|script| script.gate = true);
    rig.send("a").unwrap();
    let sync = rig.spawn(|shared| shared.sync(Duration::MAX));
    rig.until_call(1);
    rig.send("b").unwrap();
    rig.probe.script(|script| script.gate = false);
    sync.join().unwrap().unwrap();
    assert_eq!((rig.probe.text(), rig.metrics().pending), ("a\n".into(), 1));
    // The end writes the other line and syncs nothing.
    rig.shared.shutdown(Duration::MAX).unwrap();
    assert_eq!(rig.probe.text(), "a\nb\n");
    let late = rig.shared.sync(Duration::MAX);
    assert!(matches!(late, Err(FlushError::Closed)), "{late:?}");

    let rig = Rig::new(|_| {});
    rig.send("a").unwrap();
    rig.shared.sync(Duration::MAX).unwrap();
    rig.shared.shutdown(Duration::MAX).unwrap();
    rig.shared.sync(Duration::MAX).unwrap();
}

/// A callback's own line meets a line that waits, in a queue with room for one: the line that comes
/// from elsewhere is due, the callback's is not.
#[test]
fn of_a_line_of_a_callback_and_one_that_waits_only_the_latter_is_due() {
    for &policy in QueuePolicy::ALL {
        let rig = Rig::new(|c| {
            (c.max_queue_size, c.batch_size, c.queue_policy) = (1, 1, policy);
        });
        let (shared, done) = (Arc::downgrade(&rig.shared), AtomicBool::new(false));
        let once = move || {
            if !done.swap(true, Ordering::Relaxed) {
                // What becomes of it is up to the policy.
                let _ = send(&shared.upgrade().unwrap(), "echo");
            }
        };
        *rig.on_write.lock().unwrap() = Some(Box::new(once));
        rig.probe.script(|script| script.gate = true);
        rig.send("a").unwrap();
        rig.until_call(1);
        rig.send("b").unwrap();
        rig.probe.script(|script| script.gate = false);
        if policy == QueuePolicy::DropOldest {
            rig.until(|inner| inner.count.evicted == 1);
            rig.quiet();
            assert_eq!((rig.probe.text(), rig.metrics().pending), ("a\n".into(), 1), "{policy}");
        } else {
            // Nobody moves the clock.
            rig.until(|inner| inner.count.written == 2);
            assert_eq!(rig.probe.text(), "a\nb\n", "{policy}");
        }
    }
}

#[test]
fn lines_of_a_callback_stop_being_special_one_interval_after_the_first() {
    let intervals = [(None, 100 * MS), (Some(Duration::ZERO), 100 * MS), (Some(SEC), SEC)];
    for (interval, expected) in intervals {
        for policy in [QueuePolicy::DropNewest, QueuePolicy::DropOldest] {
            let rig = Rig::without_worker(|c| {
                (c.flush_interval, c.queue_policy, c.max_queue_size) = (interval, policy, 2);
            });
            let _callback = ThreadMark::enter(&*rig.shared);
            let until = Some(rig.shared.clock.now() + expected);
            for text in ["a", "b", "one too many"] {
                rig.send(text).unwrap();
                rig.shared.advance(MS);
            }
            let inner = rig.shared.lock();
            assert_eq!((inner.echoes_until, inner.echoes), (until, 2), "{policy}, {interval:?}");
            assert_eq!(inner.arrivals(), 0, "{policy}");
        }
    }
}

#[test]
fn lines_of_a_callback_wait_for_an_interval_that_is_never_over() {
    let rig = Rig::without_worker(|c| c.flush_interval = Some(Duration::MAX));
    let _callback = ThreadMark::enter(&*rig.shared);
    rig.send("a").unwrap();
    assert!(rig.shared.lock().echoes_until.is_some());
}

#[test]
fn a_worker_wakes_by_itself_to_have_its_sink_tidy_up() {
    let rig = Rig::new(|c| c.mode = Mode::Manual);
    rig.probe.script(|script| script.wants_idle = true);
    rig.send("a").unwrap();
    rig.shared.flush(Duration::MAX).unwrap();
    assert_eq!(rig.quiet(), Some(SEC));
}

#[test]
fn no_write_is_forced_in_trigger_by_a_line_that_never_fits() {
    let rig = Rig::new(|c| c.max_queue_bytes = 10);
    rig.send("abc").unwrap();
    let waiting = rig.spawn(|shared| send(shared, &"x".repeat(100)));
    assert_eq!(waiting.join().unwrap(), Ok(true));
    assert!(rig.probe.text().starts_with("abc\n"));
    assert_eq!(rig.metrics().forced_flushes, 0);
}

#[test]
fn a_line_that_finds_no_room_has_the_queue_written() {
    let rig = Rig::new(|c| {
        (c.max_queue_bytes, c.queue_policy) = (10, QueuePolicy::DropNewest);
    });
    rig.send("abcdef").unwrap();
    assert_eq!(rig.quiet(), Some(100 * MS));
    assert_eq!(rig.send("ghijkl"), Ok(false));
    rig.until(|inner| inner.queue.is_empty());
}

#[test]
fn senders_wait_for_room_again_when_a_sink_works_again() {
    let rig = Rig::new(|c| {
        (c.max_queue_size, c.batch_size) = (1, 1);
        (c.queue_policy, c.fail_after) = (QueuePolicy::Block, MS);
    });
    rig.probe.script(|script| script.room = Some(0));
    rig.send("a").unwrap();
    rig.quiet();
    rig.advance(10 * MS);
    assert_eq!(rig.metrics().state, State::Failed);
    rig.probe.script(|script| script.room = None);
    rig.advance(SEC);
    assert_eq!(rig.metrics().state, State::Healthy);
    let calls = rig.probe.script(|script| {
        script.gate = true;
        script.calls
    });
    rig.send("b").unwrap();
    rig.until_call(calls + 1);
    rig.send("c").unwrap();
    let waiting = rig.spawn(|shared| send(shared, "d"));
    rig.until(|inner| inner.room_waiters == 1);
    rig.probe.script(|script| script.gate = false);
    assert_eq!(waiting.join().unwrap(), Ok(true));
}
