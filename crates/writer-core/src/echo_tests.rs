//! When lines are written that a callback sends, by a clock that only the test moves.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use crate::testing::{MS, Rig, SEC, send};
use crate::{Mode, QueuePolicy, SendError};

fn echo(rig: &Rig) {
    let shared: Weak<_> = Arc::downgrade(&rig.shared);
    let echo = move || assert_eq!(send(&shared.upgrade().unwrap(), "echo"), Ok(true));
    *rig.on_write.lock().unwrap() = Some(Box::new(echo));
}

#[test]
fn lines_of_a_callback_wait_one_interval_and_make_no_loop() {
    for batch in [1, 100] {
        let rig = Rig::new(|c| c.batch_size = batch);
        echo(&rig);
        rig.advance(SEC);
        rig.send("a").unwrap();
        assert_eq!(rig.quiet(), Some(100 * MS));
        assert_eq!(rig.probe.text(), "a\n");
        rig.advance(99 * MS);
        assert_eq!(rig.probe.text(), "a\n");
        rig.advance(MS);
        assert_eq!(rig.probe.text(), "a\necho\n");
        assert_eq!(rig.metrics().flush_count, 2);
    }
}

#[test]
fn an_echo_goes_out_with_a_line_that_is_due() {
    let rig = Rig::new(|c| c.batch_size = 2);
    echo(&rig);
    rig.advance(SEC);
    rig.send("a").unwrap();
    rig.quiet();
    for text in ["b", "c"] {
        rig.send(text).unwrap();
    }
    rig.advance(MS);
    rig.advance(MS);
    assert_eq!(rig.probe.text(), "a\necho\nb\nc\n");
}

#[test]
fn lines_of_a_callback_keep_no_others_out_for_an_interval() {
    for mode in [Mode::Trigger, Mode::Loop] {
        let rig = Rig::new(|c| {
            (c.mode, c.tick) = (mode, 10 * MS);
            (c.max_queue_size, c.batch_size) = (4, 1);
            c.queue_policy = QueuePolicy::DropNewest;
            c.flush_interval = Some(3600 * SEC);
        });
        let (shared, done) = (Arc::downgrade(&rig.shared), AtomicBool::new(false));
        let once = move || {
            if !done.swap(true, Ordering::Relaxed) {
                let shared = shared.upgrade().unwrap();
                (0..4).for_each(|_| assert_eq!(send(&shared, "echo"), Ok(true)));
                assert_eq!(send(&shared, "one too many"), Ok(false));
            }
        };
        *rig.on_write.lock().unwrap() = Some(Box::new(once));
        rig.send("a").unwrap();
        rig.advance(10 * MS);
        rig.advance(10 * MS);
        assert_eq!(rig.probe.text(), "a\n", "{mode}: they make no write due by themselves");
        assert_eq!(rig.send("b"), Ok(false));
        rig.advance(10 * MS);
        assert_eq!(rig.probe.text(), "a\necho\necho\necho\necho\n", "{mode}");
        assert_eq!(rig.send("c"), Ok(true));
    }
}

#[test]
fn lines_that_evicted_echoes_are_not_taken_for_echoes() {
    let rig = Rig::new(|c| {
        c.queue_policy = QueuePolicy::DropOldest;
        c.max_queue_size = 2;
        c.mode = Mode::Loop;
        c.tick = 10 * MS;
        c.flush_interval = Some(SEC);
    });
    let shared: Weak<_> = Arc::downgrade(&rig.shared);
    let two = move || {
        for _ in 0..2 {
            assert_eq!(send(&shared.upgrade().unwrap(), "echo"), Ok(true));
        }
    };
    *rig.on_write.lock().unwrap() = Some(Box::new(two));
    rig.advance(SEC);
    rig.send("a").unwrap();
    rig.advance(SEC);
    assert_eq!((rig.probe.text(), rig.shared.lock().echoes), ("a\n".into(), 2));
    rig.send("b").unwrap();
    rig.send("c").unwrap();
    rig.advance(10 * MS);
    assert_eq!(rig.probe.text(), "a\nb\nc\n");
    assert_eq!(rig.metrics().evicted, 2);
}

#[test]
fn a_callback_never_waits_for_room() {
    let rig = Rig::new(|c| c.max_queue_size = 1);
    let shared = Arc::downgrade(&rig.shared);
    let callback = move || {
        let shared = shared.upgrade().unwrap();
        assert_eq!(send(&shared, "first"), Ok(true));
        assert_eq!(send(&shared, "second"), Err(SendError::WouldBlock));
    };
    *rig.on_write.lock().unwrap() = Some(Box::new(callback));
    rig.send("a").unwrap();
    rig.until(|inner| inner.count.rejected == 1);
    assert_eq!(rig.metrics().callback_panics, 0);
}
