//! What happens while the sink fails, by a clock that only the test moves.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use crate::shared::Shared;
use crate::testing::{MS, Rig, SEC, send};
use crate::{FlushError, Mode, Operation, QueuePolicy, SendError, ShutdownError, State};

fn full_disk(rig: &Rig, room: usize) {
    rig.probe.script(|script| script.room = Some(room));
}

/// A rig whose first line has just failed for the first time.
fn failing(change: impl FnOnce(&mut crate::Config)) -> Rig {
    let rig = Rig::new(change);
    rig.advance(SEC);
    full_disk(&rig, 0);
    rig.send("a").unwrap();
    rig.until(|inner| inner.count.errors == 1);
    rig
}

#[test]
fn retries_back_off_from_10_ms_to_one_second_and_one_success_is_healthy() {
    let rig = failing(|_| {});
    for pause in [10, 20, 40, 80, 160, 320, 640, 1000, 1000] {
        let errors = rig.metrics().errors;
        assert_eq!(rig.quiet(), Some(pause * MS));
        rig.advance((pause - 1) * MS);
        assert_eq!(rig.metrics().errors, errors);
        rig.advance(MS);
        assert_eq!(rig.metrics().errors, errors + 1);
    }
    assert_eq!(rig.metrics().state, State::Retrying);
    rig.probe.script(|script| script.room = None);
    rig.advance(SEC);
    assert_eq!((rig.metrics().state, rig.probe.text()), (State::Healthy, "a\n".into()));
    assert_eq!(rig.errors(), [State::Retrying]);
}

#[test]
fn a_sink_that_fails_for_long_is_failed_until_its_first_success() {
    let rig = failing(|c| c.fail_after = 2 * SEC);
    for _ in 0..10 {
        rig.advance(SEC);
    }
    assert_eq!(rig.metrics().state, State::Failed);
    assert_eq!(rig.errors(), [State::Retrying, State::Failed]);
    let errors = rig.metrics().errors;
    assert_eq!(rig.quiet(), Some(SEC), "one try a second");
    rig.advance(SEC);
    assert_eq!(rig.metrics().errors, errors + 1);
    rig.probe.script(|script| script.room = None);
    rig.advance(SEC);
    assert_eq!(rig.metrics().state, State::Healthy);
    full_disk(&rig, 0);
    rig.send("b").unwrap();
    rig.advance(SEC);
    assert_eq!(rig.errors(), [State::Retrying, State::Failed, State::Retrying], "a new episode");
}

#[test]
fn progress_between_failures_is_one_episode_and_starts_its_time_anew() {
    let rig = failing(|c| c.fail_after = 3 * SEC);
    for text in ["b", "c", "d", "e"] {
        rig.send(text).unwrap();
    }
    for room in [1, 2, 1, 3] {
        rig.advance(SEC);
        full_disk(&rig, room);
        rig.advance(SEC);
        assert_eq!(rig.metrics().state, State::Retrying);
        assert_eq!(rig.quiet(), Some(10 * MS), "a piece went out");
    }
    assert_eq!(rig.errors(), [State::Retrying]);
    rig.probe.script(|script| script.room = None);
    rig.advance(SEC);
    assert_eq!(rig.probe.text(), "a\nb\nc\nd\ne\n");
}

#[test]
fn a_target_that_takes_lines_but_cannot_flush_is_failed_in_the_end() {
    let rig = Rig::new(|c| c.fail_after = 2 * SEC);
    rig.advance(SEC);
    rig.probe.script(|script| script.flush_fails = true);
    for _ in 0..5 {
        rig.send("a").unwrap();
        rig.advance(SEC);
    }
    assert_eq!(rig.metrics().state, State::Failed);
    assert_eq!(rig.errors(), [State::Retrying, State::Failed]);
    rig.probe.script(|script| script.flush_fails = false);
    rig.advance(SEC);
    assert_eq!(rig.metrics().state, State::Healthy);
}

#[test]
fn a_failed_sink_releases_blocked_senders_and_lets_nobody_wait() {
    let rig = failing(|c| {
        c.max_queue_size = 1;
        c.fail_after = 2 * SEC;
    });
    rig.send("b").unwrap();
    let sender = rig.spawn(|shared| send(shared, "c"));
    rig.until(|inner| inner.room_waiters == 1);
    for _ in 0..3 {
        rig.advance(SEC);
    }
    assert_eq!(sender.join().unwrap(), Ok(false));
    assert_eq!(rig.send("d"), Ok(false));
    assert_eq!(rig.metrics().refused, 2);
    rig.probe.script(|script| script.room = None);
    rig.advance(SEC);
    assert_eq!(rig.send("e"), Ok(true));
}

#[test]
fn a_worker_that_breaks_off_leaves_nobody_waiting() {
    let rig = Rig::new(|c| {
        c.max_queue_size = 2;
        c.batch_size = 10;
    });
    rig.send("a").unwrap();
    rig.quiet();
    let crate::clock::Clock::Manual(clock) = &rig.shared.clock else { unreachable!() };
    clock.breaks.store(true, std::sync::atomic::Ordering::SeqCst);
    rig.shared.work.notify_one();
    rig.until(|inner| inner.ended);
    assert!(rig.send("b").is_err());
    for wait in [Shared::flush, Shared::sync] {
        let answer = wait(&rig.shared, std::time::Duration::MAX);
        assert!(matches!(answer, Err(FlushError::Lost { lines: 1 })), "{answer:?}");
    }
    assert!(rig.shared.shutdown(std::time::Duration::MAX).is_err());
    let m = rig.metrics();
    assert_eq!((m.state, m.lost, m.rejected), (State::Failed, 1, 1));
}

#[test]
fn a_failure_is_told_to_a_sync_that_wakes_after_the_next_success() {
    let rig = Rig::without_worker(|_| {});
    let mut delivery = rig.shared.delivery.lock().unwrap();
    for (ticket, fails) in [(1, None), (2, Some(std::io::ErrorKind::StorageFull)), (3, None)] {
        rig.probe.script(|script| script.sync_fails = fails);
        delivery.serve_syncs(&rig.shared, ticket);
    }
    let inner = rig.shared.lock();
    assert!(inner.syncs.failure(2).is_some());
    assert!(inner.syncs.failure(3).is_none());
}

#[test]
fn flush_and_sync_end_with_the_next_try_when_the_sink_has_failed_and_say_what_failed() {
    for wait in [Shared::flush, Shared::sync] {
        let rig = failing(|c| c.fail_after = 2 * SEC);
        let waiting = rig.spawn(move |shared| wait(shared, Duration::MAX));
        rig.until(|inner| inner.watchers == 1);
        rig.advance(SEC);
        assert!(!waiting.is_finished(), "it may work again");
        let later = rig.spawn(move |shared| {
            while shared.metrics().state != State::Failed {
                std::thread::yield_now();
            }
            wait(shared, Duration::MAX)
        });
        while !(waiting.is_finished() && later.is_finished()) {
            rig.advance(SEC);
        }
        for waiting in [waiting, later] {
            let Err(FlushError::Failed { pending: 1, source }) = waiting.join().unwrap() else {
                panic!("not at once");
            };
            assert_eq!((source.operation, source.state), (Operation::Write, State::Failed));
            assert_eq!(source.source.kind(), std::io::ErrorKind::StorageFull);
        }
        // Room that was made since the last try counts.
        rig.probe.script(|script| script.room = None);
        assert_eq!(rig.metrics().state, State::Failed);
        let waiting = rig.spawn(move |shared| wait(shared, Duration::MAX));
        rig.until(|inner| inner.watchers == 1);
        rig.advance(SEC);
        waiting.join().unwrap().unwrap();
    }
}

#[test]
fn a_panic_waits_for_the_next_try_of_a_sink_that_has_failed() {
    let rig = failing(|c| c.fail_after = Duration::ZERO);
    rig.until(|inner| inner.state == State::Failed);
    rig.probe.script(|script| script.room = None);
    let panicking = rig.spawn(|shared| {
        let until = shared.clock.now() + 2 * SEC;
        shared.end_flush(shared.begin_flush(until), until);
    });
    rig.until(|inner| inner.watchers == 1);
    rig.advance(SEC);
    panicking.join().unwrap();
    assert_eq!(rig.metrics().pending, 0);
}

#[test]
fn after_a_reopen_a_flush_waits_for_the_try_that_follows() {
    let rig = failing(|c| c.fail_after = Duration::ZERO);
    rig.until(|inner| inner.state == State::Failed);
    let calls = rig.probe.script(|script| {
        (script.gate, script.room) = (true, None);
        script.calls
    });
    // This sink cannot be reopened, but whoever wants it to be has done something about it.
    assert!(rig.shared.reopen(Duration::MAX).is_err());
    rig.until_call(calls + 1);
    let flush = rig.spawn(|shared| shared.flush(Duration::MAX));
    rig.until(|inner| inner.watchers == 1);
    rig.probe.script(|script| script.gate = false);
    flush.join().unwrap().unwrap();
}

#[test]
fn drops_are_reported_at_once_then_once_a_second_then_when_room_returned() {
    let rig = Rig::new(|c| {
        c.mode = Mode::Manual;
        c.queue_policy = QueuePolicy::DropNewest;
        c.max_queue_size = 1;
    });
    for _ in 0..4 {
        rig.send("a").unwrap();
    }
    assert_eq!(rig.drops(), [1]);
    rig.advance(SEC);
    assert_eq!(rig.drops(), [1]);
    rig.send("a").unwrap();
    assert_eq!(rig.drops(), [1, 3]);
    rig.send("a").unwrap();
    rig.shared.flush(Duration::MAX).unwrap();
    assert_eq!(rig.quiet(), Some(SEC), "the rest is reported when its second is over");
    rig.advance(SEC);
    assert_eq!(rig.drops(), [1, 3, 1]);
    assert_eq!(rig.quiet(), None);
}

/// Each second another sender was held up as well.
#[test]
fn no_sender_follows_one_that_a_report_of_drops_holds_up() {
    let rig = Rig::new(|c| {
        c.mode = Mode::Manual;
        c.queue_policy = QueuePolicy::DropNewest;
        c.max_queue_size = 1;
    });
    for _ in 0..2 {
        rig.send("a").unwrap();
    }
    assert_eq!(rig.drops(), [1]);
    rig.shared.lock().reporting = true;
    for _ in 0..3 {
        rig.advance(SEC);
        rig.send("a").unwrap();
        assert_eq!(rig.drops(), [1]);
    }
    rig.shared.flush(Duration::MAX).unwrap();
    assert_eq!(rig.quiet(), None, "nothing is to be done before the report has come back");
    rig.shared.end_drop_report();
    rig.quiet();
    assert_eq!(rig.drops(), [1, 3]);
}

#[test]
fn drops_not_reported_yet_are_reported_at_shutdown() {
    let rig = Rig::new(|c| {
        c.mode = Mode::Manual;
        c.queue_policy = QueuePolicy::DropOldest;
        c.max_queue_size = 2;
    });
    for _ in 0..20 {
        rig.send("a").unwrap();
    }
    assert_eq!(rig.drops(), [1]);
    rig.shared.shutdown(Duration::MAX).unwrap();
    assert_eq!(rig.drops(), [1, 17]);
    assert_eq!(rig.send("b"), Err(SendError::Closed));
}

#[test]
fn lines_over_the_byte_bound_are_reported_though_the_queue_has_room() {
    let rig = Rig::new(|c| {
        c.queue_policy = QueuePolicy::DropNewest;
        c.max_queue_bytes = 10;
    });
    for _ in 0..3 {
        assert_eq!(rig.send("0123456789"), Ok(false));
    }
    assert_eq!(rig.drops(), [1]);
    rig.advance(SEC);
    assert_eq!(rig.drops(), [1, 2]);
    assert_eq!(rig.quiet(), None);
}

#[test]
fn the_rest_of_the_drops_is_reported_under_continuous_load_too() {
    let rig = Rig::new(|c| {
        c.queue_policy = QueuePolicy::DropNewest;
        c.max_queue_bytes = 10;
        c.batch_size = 1;
    });
    for _ in 0..3 {
        assert_eq!(rig.send("0123456789"), Ok(false));
    }
    rig.quiet();
    rig.probe.script(|script| script.gate = true);
    rig.send("a").unwrap();
    rig.until_call(1);
    rig.shared.advance(SEC);
    rig.send("b").unwrap();
    let heard = std::sync::Arc::clone(&rig.heard);
    let (tell, told) = std::sync::mpsc::channel();
    let calls = std::sync::atomic::AtomicUsize::new(0);
    *rig.on_write.lock().unwrap() = Some(Box::new(move || {
        if calls.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 1 {
            tell.send(heard.lock().unwrap().drops.clone()).unwrap();
        }
    }));
    rig.probe.script(|script| script.gate = false);
    assert_eq!(told.recv().unwrap(), [1, 2]);
}

#[test]
fn a_shutdown_gives_up_a_failing_sink_and_loses_what_was_pending() {
    let rig = failing(|_| {});
    rig.send("b").unwrap();
    let pending = rig.metrics().pending;
    let result = rig.shared.shutdown(Duration::ZERO);
    assert!(matches!(result, Err(ShutdownError::Lost { lines: 2 })), "{result:?}");
    let m = rig.metrics();
    assert_eq!((m.lost, m.pending), (pending, 0));
    let again = rig.shared.shutdown(SEC);
    assert!(matches!(again, Err(ShutdownError::Lost { lines: 2 })), "{again:?}");
    let flush = rig.shared.flush(SEC);
    assert!(matches!(flush, Err(FlushError::Lost { lines: 2 })), "{flush:?}");
}

#[test]
fn a_shutdown_shorter_than_the_pause_tries_a_sink_that_may_work_again() {
    let rig = failing(|_| {});
    rig.send("b").unwrap();
    assert_eq!(rig.quiet(), Some(10 * MS));
    rig.probe.script(|script| script.room = None);
    let shutdown = rig.spawn(|shared| shared.shutdown(5 * MS));
    rig.until(|inner| inner.watchers == 1);
    rig.shared.advance(5 * MS);
    shutdown.join().unwrap().unwrap();
    assert_eq!((rig.metrics().lost, rig.probe.text()), (0, "a\nb\n".into()));
}

#[test]
fn each_episode_of_failures_has_its_last_try() {
    let rig = failing(|c| c.max_queue_size = 2);
    // More than the hand takes at once, beside the line that is there.
    for text in ["b", "c"] {
        rig.send(text).unwrap();
    }
    full_disk(&rig, 2);
    let shutdown = rig.spawn(|shared| shared.shutdown(Duration::ZERO));
    rig.until(|inner| inner.count.errors == 2);
    assert_eq!(rig.probe.text(), "a\n", "by the last try of the first episode");
    rig.shared.advance(SEC);
    assert!(matches!(shutdown.join().unwrap(), Err(ShutdownError::Timeout { remaining: 2 })));
    rig.until(|inner| inner.count.errors == 3);
    rig.probe.script(|script| script.room = None);
    rig.shared.shutdown(Duration::ZERO).unwrap();
    assert_eq!(rig.probe.text(), "a\nb\nc\n");
}

#[test]
fn a_slow_sink_is_waited_for_and_never_failed() {
    let rig = Rig::new(|c| c.fail_after = SEC);
    rig.advance(SEC);
    rig.probe.script(|script| script.gate = true);
    rig.send("a").unwrap();
    rig.until_call(1);
    rig.send("b").unwrap();
    rig.shared.advance(100 * SEC);
    assert_eq!(rig.metrics().state, State::Healthy);
    let flush = rig.shared.flush(Duration::ZERO);
    assert!(matches!(flush, Err(FlushError::Timeout { pending: 2 })), "{flush:?}");
    let result = rig.shared.shutdown(Duration::ZERO);
    assert!(matches!(result, Err(ShutdownError::Timeout { remaining: 2 })), "{result:?}");
    rig.probe.script(|script| script.gate = false);
    rig.shared.shutdown(Duration::MAX).unwrap();
    rig.shared.flush(Duration::ZERO).unwrap();
    assert_eq!(rig.probe.text(), "a\nb\n");
}

#[test]
fn giving_up_ends_with_the_episode_that_it_was_for() {
    let rig = failing(|_| {});
    rig.probe.script(|script| {
        script.room = Some(2);
        script.gate = true;
    });
    rig.shared.advance(10 * MS);
    rig.until_call(2);
    rig.send("b").unwrap();
    // The time is over while the sink, in a slow call, is still taken for failing.
    let shutdown = rig.spawn(|shared| shared.shutdown(Duration::ZERO));
    rig.until(|inner| inner.give_up);
    rig.shared.advance(SEC);
    assert!(matches!(shutdown.join().unwrap(), Err(ShutdownError::Timeout { .. })));
    rig.probe.script(|script| script.gate = false);
    rig.until(|inner| inner.count.errors == 2);
    rig.probe.script(|script| script.room = None);
    rig.shared.advance(10 * MS);
    rig.until(|inner| inner.ended);
    assert_eq!((rig.metrics().lost, rig.probe.text()), (0, "a\nb\n".into()));
}

/// Failed: the part stayed without a newline, unless another line came.
#[test]
fn a_line_that_a_panic_broke_off_is_closed_at_the_end() {
    for synchronous in [false, true] {
        let change = |c: &mut crate::Config| c.synchronous = synchronous;
        let rig = if synchronous { Rig::without_worker(change) } else { Rig::new(change) };
        rig.probe.script(|script| (script.room, script.panics_when_full) = (Some(2), true));
        rig.send("abc").unwrap();
        if !synchronous {
            rig.shared.flush(SEC).unwrap_err();
        }
        rig.probe.script(|script| script.room = None);
        let ended = match synchronous {
            true => rig.shared.shutdown_now(SEC),
            false => rig.shared.shutdown(SEC),
        };
        assert_eq!((ended, rig.metrics().lost), (Ok(()), 1));
        assert_eq!(rig.probe.text(), "ab\n");
    }
}

#[test]
fn a_sink_that_panics_is_reported_once_an_episode_and_counted_every_time() {
    let rig = Rig::new(|_| {});
    for episode in 1..=2 {
        rig.probe.script(|script| script.panics = true);
        for _ in 0..5 {
            rig.send("a").unwrap();
            rig.advance(SEC);
        }
        let m = rig.metrics();
        assert_eq!((m.errors, m.lost, m.written), (5 * episode, 5 * episode, episode - 1));
        assert_eq!(rig.errors().len() as u64, episode);
        rig.probe.script(|script| script.panics = false);
        rig.send("b").unwrap();
        rig.advance(SEC);
    }
    assert_eq!(rig.probe.text(), "b\nb\n");
    assert_eq!(rig.metrics().state, State::Healthy);
}

#[test]
fn a_sink_interrupted_for_ever_is_a_failing_sink() {
    let rig = Rig::new(|_| {});
    rig.advance(SEC);
    rig.probe.script(|script| script.interrupts = 999);
    rig.send("a").unwrap();
    // Written at this moment, so that the next line is due as soon as it comes.
    rig.quiet();
    rig.advance(SEC);
    assert_eq!((rig.metrics().errors, rig.probe.text()), (0, "a\n".into()));
    rig.probe.script(|script| script.interrupts = usize::MAX);
    rig.send("b").unwrap();
    assert_eq!(rig.quiet(), Some(10 * MS), "it rests between the tries");
    rig.advance(10 * MS);
    assert_eq!(rig.quiet(), Some(20 * MS));
    assert_eq!((rig.metrics().errors, rig.metrics().state), (2, State::Retrying));
    assert_eq!(rig.errors(), [State::Retrying]);
    rig.probe.script(|script| script.interrupts = 0);
    rig.advance(SEC);
    assert_eq!((rig.metrics().state, rig.probe.text()), (State::Healthy, "a\nb\n".into()));
}
