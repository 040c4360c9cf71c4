//! When the worker wakes, writes and rests, by a clock that only the test moves.

use std::sync::Arc;
use std::time::Duration;

use crate::shared::Shared;
use crate::testing::{MS, Rig, SEC, send};
use crate::{Mode, QueuePolicy, State};

fn trigger() -> Rig {
    Rig::new(|_| {})
}

#[test]
fn trigger_writes_at_once_after_a_quiet_time_and_then_one_interval_later() {
    let rig = trigger();
    rig.advance(SEC);
    rig.send("a").unwrap();
    rig.quiet();
    assert_eq!(rig.probe.text(), "a\n");
    rig.advance(30 * MS);
    rig.send("b").unwrap();
    for _ in 0..3 {
        rig.advance(20 * MS);
        rig.send("c").unwrap();
    }
    assert_eq!(rig.probe.text(), "a\n");
    rig.advance(9 * MS);
    assert_eq!(rig.probe.text(), "a\n");
    rig.advance(MS);
    assert_eq!(rig.probe.text(), "a\nb\nc\nc\nc\n");
    assert_eq!(rig.metrics().flush_count, 2);
}

#[test]
fn a_line_sent_during_a_slow_write_is_due_one_interval_after_it_was_sent() {
    let rig = trigger();
    rig.advance(SEC);
    rig.probe.script(|script| script.gate = true);
    rig.send("a").unwrap();
    rig.until_call(1);
    rig.send("b").unwrap();
    rig.shared.advance(60 * MS);
    rig.probe.script(|script| script.gate = false);
    rig.until(|inner| inner.count.flush_count == 1);
    rig.quiet();
    rig.advance(39 * MS);
    assert_eq!(rig.probe.text(), "a\n");
    rig.advance(MS);
    assert_eq!(rig.probe.text(), "a\nb\n");
}

#[test]
fn a_full_batch_is_written_without_the_clock() {
    let rig = Rig::new(|c| c.batch_size = 4);
    rig.send("a").unwrap();
    rig.quiet();
    rig.quiet();
    assert_eq!(rig.probe.text(), "");
    for text in ["b", "c", "d"] {
        rig.send(text).unwrap();
    }
    rig.until(|inner| inner.count.written == 4);
}

#[test]
fn a_queue_filled_to_its_last_byte_is_written_without_the_clock() {
    let rig = Rig::new(|c| c.max_queue_bytes = 20);
    rig.send("a").unwrap();
    rig.quiet();
    rig.quiet();
    assert_eq!(rig.probe.text(), "");
    for text in ["b", "exactly 15 long"] {
        rig.send(text).unwrap();
    }
    rig.until(|inner| inner.count.written == 3);
}

#[test]
fn a_worker_that_is_parked_is_never_woken_by_the_clock() {
    for mode in [Mode::Trigger, Mode::Manual] {
        let rig = Rig::new(|c| c.mode = mode);
        rig.send("a").unwrap();
        rig.shared.flush(Duration::MAX).unwrap();
        rig.quiet();
        assert_eq!(rig.quiet(), None, "{mode}");
        let before = rig.metrics().wake_count;
        // The one notification of the test itself.
        rig.shared.advance(1000 * SEC);
        rig.until(|inner| inner.count.wake_count == before + 1 && inner.asleep == Some(None));
    }
}

#[test]
fn a_loop_writes_at_ticks_only() {
    let rig = Rig::new(|c| {
        c.mode = Mode::Loop;
        c.tick = 10 * MS;
        c.flush_interval = Some(25 * MS);
        c.batch_size = 2;
        c.max_queue_size = 4;
    });
    rig.send("a").unwrap();
    assert_eq!(rig.quiet(), Some(10 * MS));
    rig.advance(20 * MS);
    assert_eq!(rig.probe.text(), "", "neither interval nor batch");
    rig.advance(5 * MS);
    assert_eq!(rig.probe.text(), "", "between ticks");
    rig.advance(5 * MS);
    assert_eq!(rig.probe.text(), "a\n");
    for text in ["b", "c", "d", "e"] {
        rig.send(text).unwrap();
    }
    assert_eq!(rig.quiet(), Some(10 * MS));
    assert_eq!(rig.probe.text(), "a\n", "full, but between ticks");
    rig.advance(10 * MS);
    assert_eq!(rig.probe.text(), "a\nb\nc\nd\ne\n");
    rig.advance(57 * MS);
    assert_eq!(rig.quiet(), Some(3 * MS), "missed ticks are skipped");
}

#[test]
fn a_blocked_sender_has_a_full_queue_written_in_every_mode() {
    for mode in [Mode::Trigger, Mode::Loop, Mode::Manual] {
        let rig = Rig::new(|c| {
            c.mode = mode;
            c.max_queue_size = 2;
            c.batch_size = 0;
        });
        let sender = rig.spawn(|shared| (0..7).all(|_| send(shared, "x") == Ok(true)));
        assert!(sender.join().unwrap(), "{mode}");
        assert_eq!(rig.metrics().forced_flushes > 0, mode != Mode::Trigger, "{mode}");
    }
}

#[test]
fn a_sender_that_gives_up_at_once_still_has_the_queue_written() {
    let rig = Rig::new(|c| {
        (c.mode, c.tick) = (Mode::Loop, Duration::MAX);
        c.max_queue_size = 1;
        c.block_timeout = Some(Duration::ZERO);
    });
    assert_eq!(rig.send("a"), Ok(true));
    assert_eq!(rig.send("b"), Ok(false));
    rig.quiet();
    assert_eq!(rig.send("c"), Ok(true));
    assert_eq!(rig.probe.text(), "a\n");
}

#[test]
fn a_sender_waits_no_longer_than_block_timeout() {
    let rig = Rig::new(|c| {
        c.max_queue_size = 1;
        c.block_timeout = Some(50 * MS);
    });
    rig.probe.script(|script| script.gate = true);
    rig.send("a").unwrap();
    rig.until_call(1);
    rig.send("b").unwrap();
    let sender = rig.spawn(|shared| send(shared, "c"));
    rig.until(|inner| inner.room_waiters == 1);
    rig.shared.advance(49 * MS);
    assert_eq!(rig.metrics().refused, 0);
    rig.shared.advance(MS);
    assert_eq!(sender.join().unwrap(), Ok(false));
    assert_eq!(rig.metrics().refused, 1);
}

#[test]
fn an_idle_sink_tidies_up_once() {
    for mode in [Mode::Trigger, Mode::Loop, Mode::Manual] {
        let rig = Rig::new(|c| c.mode = mode);
        rig.probe.script(|script| script.wants_idle = true);
        rig.send("a").unwrap();
        rig.shared.flush(Duration::MAX).unwrap();
        rig.advance(999 * MS);
        assert_eq!(rig.probe.script(|script| script.idles), 0, "{mode}");
        rig.advance(MS);
        rig.advance(1000 * SEC);
        assert_eq!(rig.probe.script(|script| script.idles), 1, "{mode}");
    }
}

#[test]
fn a_sink_that_cannot_be_tidied_up_is_told_of_and_left_until_the_next_idle_time() {
    let rig = trigger();
    rig.probe.script(|script| (script.wants_idle, script.idle_fails) = (true, true));
    for times in 1..=2 {
        rig.send("a").unwrap();
        rig.shared.flush(Duration::MAX).unwrap();
        rig.advance(SEC);
        rig.advance(1000 * SEC);
        assert_eq!(rig.probe.script(|script| script.idles), times);
        assert_eq!(rig.errors(), vec![State::Healthy; times]);
    }
}

#[test]
fn cache_lines_are_passed_down_for_another_core_while_there_is_time() {
    let rig = Rig::without_worker(|c| c.max_queue_size = 4);
    for (lines, demotes) in [(1, true), (2, false), (4, false), (1, true)] {
        (0..lines).for_each(|_| assert_eq!(rig.send("a"), Ok(true)));
        let mut delivery = rig.shared.delivery.lock().unwrap();
        delivery.round(&rig.shared, |_| false);
        assert_eq!(delivery.demotes(), demotes, "{lines} of 4 lines");
    }
    let alone = Rig::without_worker(|c| c.synchronous = true);
    alone.send("a").unwrap();
    assert!(!alone.shared.delivery.lock().unwrap().demotes());
}

/// Each line is a batch, and half of the queue, so that it waits for no other.
fn due_at_once(config: &mut crate::config::Config) {
    (config.batch_size, config.max_queue_size) = (1, 2);
}

#[test]
fn a_remainder_is_held_back_only_while_a_batch_waits() {
    let rig = Rig::new(due_at_once);
    rig.probe.script(|script| {
        script.block = 1 << 20;
        script.gate = true;
    });
    rig.send("a").unwrap();
    rig.until_call(1);
    rig.send("b").unwrap();
    rig.probe.script(|script| script.gate = false);
    rig.until(|inner| inner.count.written == 2);
    assert_eq!(rig.quiet(), None);
}

#[test]
fn a_remainder_is_held_back_for_one_interval_at_most() {
    let rig = Rig::new(|c| (c.batch_size, c.max_queue_size) = (1, 10));
    rig.probe.script(|script| (script.block, script.gate) = (1 << 20, true));
    rig.send("one").unwrap();
    for (joins, offers) in [(None, 1), (Some(3), 4), (Some(6), 7)] {
        if let Some(call) = joins {
            // Of two pieces, before they are made one.
            rig.until_call(call);
            rig.probe.script(|script| script.passes = 1);
        }
        rig.until_call(offers);
        // A line is due, and of the one before a part goes out: the rest may be held back for it.
        rig.send("more").unwrap();
        rig.probe.script(|script| (script.room, script.passes) = (Some(1), 1));
        rig.until_call(offers + 1);
        rig.shared.advance(60 * MS);
        rig.probe.script(|script| (script.room, script.passes) = (None, 1));
    }
    rig.probe.script(|script| script.gate = false);
    rig.quiet();
    // It is in the second round, 60 ms after the last flush, and not in the third, after 120.
    let more_waited = rig.probe.script(|script| script.more_waited[..8].to_vec());
    assert_eq!(more_waited, [false, true, true, false, true, true, false, false]);
    assert_eq!(rig.probe.text(), "one\nmore\nmore\nmore\n");
}

#[test]
fn sync_ends_under_continuous_load() {
    let rig = Rig::new(due_at_once);
    // Whenever a write ends, the next batch is there.
    let shared = Arc::downgrade(&rig.shared);
    let (tell, told) = std::sync::mpsc::channel::<()>();
    let callback = move || {
        let shared = shared.upgrade().unwrap();
        std::thread::spawn(move || send(&shared, "more")).join().unwrap().unwrap();
        tell.send(()).unwrap();
    };
    *rig.on_write.lock().unwrap() = Some(Box::new(callback));
    let sync = rig.spawn(|shared| {
        send(shared, "first").unwrap();
        shared.sync(SEC)
    });
    for _ in 0..1000 {
        told.recv().unwrap();
    }
    rig.shared.advance(SEC);
    let result = sync.join().unwrap();
    *rig.on_write.lock().unwrap() = None;
    result.unwrap();
}

#[test]
fn a_sync_ends_although_others_ask_for_one_all_the_time_and_do_not_wait() {
    let rig = Rig::new(due_at_once);
    let shared = Arc::downgrade(&rig.shared);
    let (tell, told) = std::sync::mpsc::channel::<()>();
    // Whenever a write ends, somebody has asked for one more line to be durable.
    let callback = move || {
        let shared = shared.upgrade().unwrap();
        let impatient = std::thread::spawn(move || {
            send(&shared, "more").unwrap();
            shared.sync(Duration::ZERO)
        });
        assert!(impatient.join().unwrap().is_err());
        tell.send(()).unwrap();
    };
    *rig.on_write.lock().unwrap() = Some(Box::new(callback));
    let sync = rig.spawn(|shared| {
        send(shared, "first").unwrap();
        shared.sync(SEC)
    });
    for _ in 0..100 {
        told.recv().unwrap();
    }
    rig.shared.advance(SEC);
    let result = sync.join().unwrap();
    *rig.on_write.lock().unwrap() = None;
    result.unwrap();
    assert!(rig.probe.script(|script| script.syncs) > 0);
}

#[test]
fn a_line_over_the_byte_bound_goes_in_alone() {
    let rig = Rig::new(|c| {
        (c.mode, c.tick) = (Mode::Loop, Duration::MAX);
        c.max_queue_bytes = 10;
    });
    rig.send("abc").unwrap();
    assert_eq!(rig.send(&"x".repeat(100)), Ok(true));
    assert_eq!(rig.metrics().queue_len, 1);
    assert_eq!(rig.send("def"), Ok(true));
    rig.shared.flush(Duration::MAX).unwrap();
    assert_eq!(rig.probe.text(), format!("abc\n{}\ndef\n", "x".repeat(100)));
}

#[test]
fn a_line_that_never_fits_goes_before_other_waiters() {
    let rig = Rig::new(|c| {
        c.max_queue_size = 2;
        c.max_queue_bytes = 20;
        c.batch_size = 1;
    });
    rig.probe.script(|script| script.gate = true);
    rig.send("held").unwrap();
    rig.until_call(1);
    for text in ["a", "b"] {
        rig.send(text).unwrap();
    }
    let large = "x".repeat(100);
    let mut senders = vec![rig.spawn(move |shared| send(shared, &large))];
    rig.until(|inner| inner.oversized() == 1);
    for _ in 0..4 {
        senders.push(rig.spawn(|shared| send(shared, "small")));
    }
    rig.until(|inner| inner.room_waiters == 5);
    rig.probe.script(|script| script.gate = false);
    for sender in senders {
        assert_eq!(sender.join().unwrap(), Ok(true));
    }
    rig.shared.flush(Duration::MAX).unwrap();
    let expected = format!("held\na\nb\n{}\n{}", "x".repeat(100), "small\n".repeat(4));
    assert_eq!(rig.probe.text(), expected);
}

#[test]
fn of_two_lines_that_never_fit_the_second_lets_those_in_who_waited_for_the_first() {
    for mode in [Mode::Trigger, Mode::Manual] {
        let rig = Rig::new(|c| {
            (c.mode, c.max_queue_bytes, c.batch_size) = (mode, 20, 1);
        });
        rig.probe.script(|script| script.gate = true);
        rig.send("held").unwrap();
        rig.shared.lock().triggered = true;
        rig.shared.work.notify_one();
        rig.until_call(1);
        rig.send("a").unwrap();
        let large = |shared: &Shared| send(shared, &"x".repeat(100));
        let mut senders = vec![rig.spawn(large)];
        rig.until(|inner| inner.oversized() == 1);
        for waiters in [2, 3] {
            senders.push(rig.spawn(|shared| send(shared, "small")));
            rig.until(|inner| inner.room_waiters == waiters);
        }
        senders.push(rig.spawn(large));
        rig.until(|inner| inner.oversized() == 2);
        rig.probe.script(|script| script.gate = false);
        for sender in senders {
            assert_eq!(sender.join().unwrap(), Ok(true), "{mode}");
        }
        rig.shared.flush(Duration::MAX).unwrap();
        let large = "x".repeat(100);
        let expected = format!("held\na\n{large}\nsmall\nsmall\n{large}\n");
        assert_eq!(rig.probe.text(), expected, "{mode}");
    }
}

#[test]
fn a_trigger_during_a_write_is_served_after_it() {
    let rig = Rig::new(|c| {
        c.mode = Mode::Manual;
        c.queue_policy = QueuePolicy::DropNewest;
    });
    let trigger = || {
        let mut inner = rig.shared.lock();
        inner.triggered = true;
        rig.shared.work.notify_one();
    };
    rig.probe.script(|script| script.gate = true);
    rig.send("a").unwrap();
    trigger();
    rig.until_call(1);
    rig.send("b").unwrap();
    trigger();
    rig.send("c").unwrap();
    rig.probe.script(|script| script.gate = false);
    rig.until(|inner| inner.count.written == 3);
    rig.send("d").unwrap();
    assert_eq!(rig.quiet(), None);
    assert_eq!(rig.metrics().pending, 1);
}

#[test]
fn a_trigger_holds_for_lines_that_a_full_hand_left_in_the_queue() {
    let rig = Rig::new(|c| {
        c.mode = Mode::Manual;
        c.max_queue_size = 4;
        c.queue_policy = QueuePolicy::DropNewest;
    });
    rig.probe.script(|script| script.room = Some(0));
    for text in ["a", "b", "c"] {
        rig.send(text).unwrap();
    }
    rig.shared.lock().triggered = true;
    rig.shared.work.notify_one();
    rig.until(|inner| inner.count.errors == 1);
    // Not taken by the next round: the hand and these would be more than one queue.
    for text in ["d", "e", "f"] {
        rig.send(text).unwrap();
    }
    rig.shared.lock().triggered = true;
    rig.shared.work.notify_one();
    rig.probe.script(|script| script.room = None);
    rig.advance(SEC);
    rig.quiet();
    assert_eq!(rig.probe.text(), "a\nb\nc\nd\ne\nf\n");
}
