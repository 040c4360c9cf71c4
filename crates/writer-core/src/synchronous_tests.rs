//! The mode without a worker, over a sink that fails.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::testing::{MS, Rig, SEC, send};
use crate::{FlushError, QueuePolicy, ReopenError, SendError, ShutdownError, State};

fn rig(policy: QueuePolicy) -> Rig {
    Rig::without_worker(|c| {
        c.synchronous = true;
        c.queue_policy = policy;
    })
}

#[test]
fn a_line_behind_a_broken_one_is_refused_and_not_kept() {
    let rig = rig(QueuePolicy::DropNewest);
    rig.probe.script(|script| {
        script.block = 1 << 20;
        script.room = Some(2);
    });
    assert_eq!(rig.send("abc"), Ok(true), "it went out in part, so it stays");
    for _ in 0..100 {
        assert_eq!(rig.send("def"), Ok(false));
    }
    let m = rig.metrics();
    assert_eq!((m.pending, m.refused, m.state), (1, 100, State::Retrying));
    rig.probe.script(|script| script.room = None);
    assert_eq!(rig.send("ghi"), Ok(true));
    assert_eq!(rig.probe.text(), "abc\nghi\n");
    assert_eq!(rig.metrics().state, State::Healthy);
}

#[test]
fn under_block_a_line_is_tried_again_until_the_time_is_over() {
    let rig = Rig::without_worker(|c| {
        c.synchronous = true;
        c.block_timeout = Some(25 * MS);
    });
    rig.probe.script(|script| script.room = Some(0));
    let sender = rig.spawn(|shared| send(shared, "a"));
    for (after, errors) in [(0, 1), (10, 2), (15, 3)] {
        rig.shared.advance(after * MS);
        rig.until(|inner| inner.count.errors == errors);
        rig.until(|inner| inner.room_waiters == 1 || errors == 3);
    }
    assert_eq!(sender.join().unwrap(), Ok(false));
    assert_eq!(rig.metrics().refused, 1);
}

/// Failed without a report: the sender waited out the whole episode first, and spoke of its end.
#[test]
fn a_failure_is_told_before_the_sender_waits_for_its_end() {
    for (room, text) in [(0, "nothing is out"), (1, "a part is out")] {
        let rig = rig(QueuePolicy::Block);
        rig.probe.script(|script| script.room = Some(room));
        let sender = rig.spawn(|shared| send(shared, "abc"));
        for (errors, pause) in [(1, 10), (2, 20), (3, 40)] {
            rig.until(|inner| inner.count.errors == errors && inner.room_waiters == 1);
            assert_eq!(rig.errors(), [State::Retrying], "{text}");
            rig.shared.advance(pause * MS);
        }
        rig.probe.script(|script| script.room = None);
        rig.shared.advance(SEC);
        assert_eq!(sender.join().unwrap(), Ok(true));
        assert_eq!((rig.probe.text(), rig.errors()), ("abc\n".into(), vec![State::Retrying]));
        assert_eq!(rig.heard.lock().unwrap().recovered, [0], "{text}");
        assert_eq!((rig.metrics().state, rig.metrics().written), (State::Healthy, 1));
    }
}

#[test]
fn others_have_the_sink_between_a_failure_and_the_next_try() {
    let rig = rig(QueuePolicy::Block);
    rig.probe.script(|script| script.room = Some(0));
    let sender = rig.spawn(|shared| send(shared, "a"));
    rig.until(|inner| inner.room_waiters == 1);
    rig.probe.script(|script| script.room = None);
    assert_eq!(rig.send("b"), Ok(true));
    assert_eq!((rig.errors(), rig.metrics().state), (vec![State::Retrying], State::Healthy));
    rig.shared.advance(10 * MS);
    assert_eq!(sender.join().unwrap(), Ok(true));
    assert_eq!((rig.probe.text(), rig.metrics().enqueued), ("b\na\n".into(), 2));
}

/// Failed: a sender kept the sink from the second try on, and a reopening, which may be what helps,
/// waited for it in vain.
#[test]
fn nobody_keeps_a_failing_sink_between_two_tries() {
    let rig = rig(QueuePolicy::Block);
    rig.probe.script(|script| script.room = Some(0));
    let sender = rig.spawn(|shared| send(shared, "a"));
    for (errors, pause) in [(1, 10), (2, 20), (3, 40)] {
        rig.until(|inner| inner.count.errors == errors && inner.room_waiters == 1);
        assert_eq!(rig.shared.reopen_now(Duration::ZERO), Err(ReopenError::Unsupported));
        assert_eq!(rig.shared.flush_now(Duration::ZERO), Ok(()), "nothing is accepted");
        rig.shared.advance(pause * MS);
    }
    rig.probe.script(|script| script.room = None);
    rig.shared.advance(SEC);
    assert_eq!(sender.join().unwrap(), Ok(true));
}

/// Failed: it waited for the sink as long as the flush did.
#[test]
fn a_line_that_waits_for_nothing_does_not_wait_for_a_flush_either() {
    let rig = rig(QueuePolicy::DropNewest);
    rig.probe.script(|script| script.room = Some(1));
    assert_eq!(rig.send("abc"), Ok(true), "it went out in part, so it stays");
    let flush = rig.spawn(|shared| shared.flush_now(Duration::MAX));
    rig.until(|inner| inner.room_waiters == 1);
    let sender = rig.spawn(|shared| send(shared, "def"));
    rig.until(|_| sender.is_finished());
    assert_eq!(sender.join().unwrap(), Ok(false));
    rig.probe.script(|script| script.room = None);
    rig.shared.advance(SEC);
    assert_eq!(flush.join().unwrap(), Ok(()));
    assert_eq!(rig.probe.text(), "abc\n");
}

#[test]
fn a_target_that_does_not_flush_is_flushed_until_it_does() {
    let rig = rig(QueuePolicy::Block);
    rig.probe.script(|script| script.flush_fails = true);
    let sender = rig.spawn(|shared| send(shared, "a"));
    for (errors, pause) in [(1, 10), (2, 20), (3, 40)] {
        rig.until(|inner| inner.count.errors == errors && inner.room_waiters == 1);
        rig.shared.advance(pause * MS);
    }
    rig.probe.script(|script| script.flush_fails = false);
    rig.shared.advance(SEC);
    assert_eq!(sender.join().unwrap(), Ok(true));
    assert_eq!(rig.heard.lock().unwrap().recovered, [0]);
    assert_eq!((rig.probe.text(), rig.metrics().state), ("a\n".into(), State::Healthy));
}

/// Failed: a flush was Ok although the sink had taken a line and not handed it on.
#[test]
fn a_flush_waits_for_a_line_that_was_taken_and_not_flushed() {
    let rig = rig(QueuePolicy::DropNewest);
    rig.probe.script(|script| script.flush_fails = true);
    assert_eq!(rig.send("a"), Ok(true), "it is out");
    let in_vain = Err(FlushError::Timeout { pending: 0 });
    assert_eq!(rig.shared.flush_now(Duration::ZERO), in_vain);
    assert_eq!(rig.shared.sync_now(Duration::ZERO), in_vain);
    rig.probe.script(|script| script.flush_fails = false);
    assert_eq!(rig.shared.flush_now(Duration::ZERO), Ok(()));
    assert_eq!(rig.heard.lock().unwrap().recovered, [0]);
    assert_eq!((rig.probe.text(), rig.metrics().state), ("a\n".into(), State::Healthy));
}

/// Failed: the round of a shutdown, in which nothing was left to write, passed for a success.
#[test]
fn a_sink_that_has_taken_nothing_since_it_failed_does_not_work_again() {
    let rig = rig(QueuePolicy::DropNewest);
    rig.probe.script(|script| script.room = Some(0));
    assert_eq!(rig.send("a"), Ok(false));
    rig.shared.shutdown_now(SEC).unwrap();
    assert_eq!(rig.metrics().state, State::Retrying);
    assert!(rig.heard.lock().unwrap().recovered.is_empty());
}

/// Failed when the first try took its time: the state stayed `Retrying`, and the next line waited
/// as long again.
#[test]
fn a_sink_has_failed_when_a_line_has_waited_for_fail_after() {
    let rig = Rig::without_worker(|c| {
        c.synchronous = true;
        c.fail_after = 25 * MS;
    });
    rig.probe.script(|script| (script.room, script.gate) = (Some(0), true));
    let sender = rig.spawn(|shared| send(shared, "a"));
    rig.until_call(1);
    rig.shared.advance(MS);
    rig.probe.script(|script| script.gate = false);
    for (after, errors) in [(0, 1), (10, 2), (15, 3)] {
        rig.shared.advance(after * MS);
        rig.until(|inner| inner.count.errors == errors);
        rig.until(|inner| inner.room_waiters == 1 || errors == 3);
    }
    assert_eq!(sender.join().unwrap(), Ok(false));
    assert_eq!(rig.send("b"), Ok(false), "at once");
    assert_eq!(rig.errors(), [State::Retrying, State::Failed]);
}

#[test]
fn a_sink_that_makes_progress_between_failures_has_not_failed() {
    let rig = Rig::without_worker(|c| {
        c.synchronous = true;
        c.queue_policy = QueuePolicy::DropNewest;
        c.fail_after = SEC;
    });
    let send_with_room = |room, state| {
        rig.probe.script(|script| script.room = Some(room));
        rig.shared.advance(600 * MS);
        assert_eq!(rig.send("x"), Ok(false), "a part of the first line is out");
        assert_eq!(rig.metrics().state, state);
    };
    rig.probe.script(|script| script.room = Some(1));
    assert_eq!(rig.send("abcdefgh"), Ok(true));
    (0..3).for_each(|_| send_with_room(1, State::Retrying));
    send_with_room(0, State::Retrying);
    send_with_room(0, State::Failed);
    send_with_room(1, State::Retrying);
    send_with_room(0, State::Retrying);
    send_with_room(0, State::Failed);
    assert_eq!(rig.errors(), [State::Retrying, State::Failed], "one report of each");
}

#[test]
fn what_a_sender_waits_for_its_turn_counts_as_waiting() {
    let rig = Rig::without_worker(|c| {
        c.synchronous = true;
        c.block_timeout = Some(25 * MS);
    });
    rig.probe.script(|script| script.room = Some(0));
    let crate::clock::Clock::Manual(clock) = &rig.shared.clock else { unreachable!() };
    let asked = || clock.asked.load(std::sync::atomic::Ordering::SeqCst);
    let turn = rig.shared.delivery.lock().unwrap();
    let before = asked();
    let sender = rig.spawn(|shared| send(shared, "a"));
    rig.until(|_| asked() > before);
    rig.shared.advance(25 * MS);
    drop(turn);
    assert_eq!(sender.join().unwrap(), Ok(false), "the time was over when it had its turn");
    assert_eq!(rig.metrics().errors, 1);
}

/// Failed under load: senders that came back at once had the sink for ever.
#[test]
fn who_waits_with_a_time_limit_goes_before_senders_that_come_later() {
    type Call = fn(&crate::shared::Shared) -> bool;
    let calls: [Call; 4] = [
        |shared| shared.flush_now(Duration::MAX).is_ok(),
        |shared| shared.sync_now(Duration::MAX).is_ok(),
        |shared| shared.reopen_now(Duration::MAX).is_err(),
        |shared| shared.shutdown_now(Duration::MAX).is_ok(),
    ];
    for call in calls {
        let rig = rig(QueuePolicy::Block);
        let crate::clock::Clock::Manual(clock) = &rig.shared.clock else { unreachable!() };
        let asked = || clock.asked.load(std::sync::atomic::Ordering::SeqCst);
        let turn = rig.shared.delivery.lock().unwrap();
        let waiting = rig.spawn(call);
        rig.until(|_| !rig.shared.turns.is_free());
        // Who is in the sink stays there.
        rig.probe.script(|script| script.gate = true);
        let before = asked();
        let sender = rig.spawn(|shared| send(shared, "a"));
        rig.until(|_| asked() > before);
        drop(turn);
        rig.until(|_| waiting.is_finished());
        assert!(waiting.join().unwrap());
        rig.probe.script(|script| script.gate = false);
        let sent = sender.join().unwrap();
        assert!(matches!(sent, Ok(true) | Err(SendError::Closed)), "{sent:?}");
    }
}

/// Failed: threads that reopened without pause kept all others from the sink for seconds.
#[test]
fn who_calls_lets_those_go_first_that_wait_already() {
    let rig = rig(QueuePolicy::Block);
    let refused = || rig.shared.reopen_now(Duration::ZERO) == Err(ReopenError::Timeout);
    let caller = rig.shared.turns.call();
    assert!(refused());
    drop(caller);
    assert!(!refused());
    let turn = rig.shared.delivery.lock().unwrap();
    // It sleeps, or is about to.
    let sender = rig.spawn(|shared| send(shared, "a"));
    rig.until(|_| !rig.shared.turns.is_free());
    let caller = rig.shared.turns.call();
    assert!(!caller.is_next());
    drop(turn);
    assert_eq!(sender.join().unwrap(), Ok(true));
    assert!(caller.is_next());
    drop(caller);
    assert!(!refused());
}

#[test]
fn of_several_syncs_that_wait_each_is_told_of_a_failure() {
    let rig = rig(QueuePolicy::Block);
    rig.probe.script(|script| script.sync_fails = Some(std::io::ErrorKind::StorageFull));
    let turn = rig.shared.delivery.lock().unwrap();
    let syncs: Vec<_> =
        (0..3).map(|_| rig.spawn(|shared| shared.sync_now(Duration::MAX))).collect();
    rig.until(|inner| inner.syncs.requested == 3);
    drop(turn);
    for sync in syncs {
        let answer = sync.join().unwrap();
        assert!(matches!(answer, Err(FlushError::Sync { .. })), "{answer:?}");
    }
    assert_eq!(rig.probe.script(|script| script.syncs), 1, "one for all");
}

#[test]
fn a_failed_sync_and_a_failed_close_name_the_file_with_and_without_a_worker() {
    let kind = std::io::ErrorKind::StorageFull;
    let named = |config: &mut crate::Config| config.path = Some("app.jsonl".into());
    for rig in [
        Rig::new(named),
        Rig::without_worker(|config| {
            named(config);
            config.synchronous = true;
        }),
    ] {
        rig.probe
            .script(|script| (script.sync_fails, script.close_fails) = (Some(kind), Some(kind)));
        let (sync, shutdown) = match rig.shared.config.synchronous {
            true => (rig.shared.sync_now(SEC), rig.shared.shutdown_now(SEC)),
            false => (rig.shared.sync(SEC), rig.shared.shutdown(SEC)),
        };
        let path = || Some("app.jsonl".into());
        assert_eq!(sync, Err(FlushError::Sync { path: path(), source: kind.into() }));
        assert_eq!(shutdown, Err(ShutdownError::Close { path: path(), source: kind.into() }));
    }
}

#[test]
fn a_shutdown_releases_a_sender_that_tries_again() {
    let rig = rig(QueuePolicy::Block);
    rig.probe.script(|script| script.room = Some(0));
    let sender = rig.spawn(|shared| send(shared, "a"));
    rig.until(|inner| inner.room_waiters == 1);
    let shutdown = rig.spawn(|shared| shared.shutdown_now(Duration::MAX));
    assert!(sender.join().unwrap().is_err());
    shutdown.join().unwrap().unwrap();
    assert_eq!(rig.metrics().rejected, 1);
    rig.shared.flush_now(SEC).unwrap();
}

#[test]
fn a_flush_tries_a_sink_that_has_failed_once_and_waits_for_nothing() {
    let rig = Rig::without_worker(|c| {
        c.synchronous = true;
        c.fail_after = Duration::ZERO;
    });
    rig.probe.script(|script| script.room = Some(1));
    assert_eq!(rig.send("abc"), Ok(true), "it went out in part, so it stays");
    for wait in [crate::shared::Shared::flush_now, crate::shared::Shared::sync_now] {
        let errors = rig.metrics().errors;
        let waiting = rig.spawn(move |shared| wait(shared, Duration::MAX));
        rig.until(|_| waiting.is_finished());
        let answer = waiting.join().unwrap();
        assert!(matches!(answer, Err(FlushError::Failed { pending: 1, .. })), "{answer:?}");
        assert_eq!(rig.metrics().errors, errors + 1);
    }
    rig.probe.script(|script| script.room = None);
    rig.shared.flush_now(Duration::ZERO).unwrap();
    assert_eq!(rig.probe.text(), "abc\n");
}

#[test]
fn a_flush_after_lines_were_given_up_says_so() {
    let rig = rig(QueuePolicy::DropNewest);
    rig.probe.script(|script| script.room = Some(1));
    assert_eq!(rig.send("abc"), Ok(true));
    let result = rig.shared.shutdown_now(Duration::ZERO);
    assert!(matches!(result, Err(ShutdownError::Lost { lines: 1 })), "{result:?}");
    let flush = rig.shared.flush_now(SEC);
    assert!(matches!(flush, Err(FlushError::Lost { lines: 1 })), "{flush:?}");
}

/// Failed: the flush was Ok, as if the rest of the line had been written.
#[test]
fn a_flush_in_which_a_line_is_lost_says_so() {
    for wait in [crate::shared::Shared::flush_now, crate::shared::Shared::sync_now] {
        let rig = rig(QueuePolicy::DropNewest);
        rig.probe.script(|script| script.room = Some(1));
        assert_eq!(rig.send("abc"), Ok(true), "it went out in part, so it stays");
        rig.probe.script(|script| script.panics = true);
        assert_eq!(wait(&rig.shared, SEC), Err(FlushError::Lost { lines: 1 }));
        assert_eq!(wait(&rig.shared, SEC), Ok(()), "it was lost before this call");
    }
}

/// Failed: a shutdown kept a failing sink until its time was over. Whoever sent meanwhile waited as
/// long, and a reopening, which may be what helps, in vain.
#[test]
fn others_have_the_sink_between_two_tries_of_a_shutdown() {
    let rig = rig(QueuePolicy::Block);
    rig.probe.script(|script| script.room = Some(1));
    let torn = rig.spawn(|shared| send(shared, "abc"));
    rig.until(|inner| inner.room_waiters == 1);
    let shutdown = rig.spawn(|shared| shared.shutdown_now(Duration::MAX));
    assert_eq!(torn.join().unwrap(), Ok(true), "it went out in part, so it stays");
    for (errors, pause) in [(2, 10), (3, 20), (4, 40)] {
        rig.until(|inner| inner.count.errors == errors && inner.room_waiters == 1);
        let late = rig.spawn(|shared| send(shared, "late"));
        rig.until(|_| late.is_finished());
        assert_eq!(late.join().unwrap(), Err(SendError::Closed));
        assert_eq!(rig.shared.reopen_now(Duration::ZERO), Err(ReopenError::Unsupported));
        rig.shared.advance(pause * MS);
    }
    rig.until(|inner| inner.count.errors == 5 && inner.room_waiters == 1);
    rig.probe.script(|script| script.room = None);
    assert_eq!(rig.shared.flush_now(Duration::ZERO), Ok(()));
    assert_eq!(shutdown.join().unwrap(), Ok(()));
    assert_eq!((rig.probe.text(), rig.metrics().pending), ("abc\n".into(), 0));
}

/// Failed: where the path is not followed, the file that was moved away went on being written.
#[test]
fn a_reopening_that_could_not_wait_comes_before_the_next_line() {
    let rig = rig(QueuePolicy::Block);
    let turn = rig.shared.delivery.lock().unwrap();
    assert_eq!(rig.shared.reopen_now(Duration::ZERO), Err(ReopenError::Timeout));
    drop(turn);
    assert_eq!(rig.shared.lock().reopens.served, 0);
    assert_eq!(rig.send("a"), Ok(true));
    assert_eq!(rig.shared.lock().reopens.served, 1);
}

#[test]
fn what_happens_in_a_callback_is_told_by_the_next_sender() {
    let rig = rig(QueuePolicy::DropNewest);
    let (probe, shared) = (Arc::clone(&rig.probe), Arc::downgrade(&rig.shared));
    let once = AtomicBool::new(true);
    *rig.on_write.lock().unwrap() = Some(Box::new(move || {
        if once.swap(false, Ordering::Relaxed) {
            let shared = shared.upgrade().unwrap();
            probe.script(|script| script.room = Some(0));
            assert_eq!(send(&shared, "refused"), Ok(false));
            probe.script(|script| script.room = None);
        }
    }));
    assert_eq!(rig.send("a"), Ok(true));
    assert_eq!((rig.metrics().errors, rig.errors()), (1, vec![]));
    rig.probe.script(|script| script.room = Some(0));
    assert_eq!(rig.send("b"), Ok(false));
    assert_eq!(rig.errors(), [State::Retrying]);
    rig.probe.script(|script| (script.room, script.flush_fails) = (None, true));
    // The line is out, its flush fails, and the callback of that finds the sink working again.
    let (probe, shared) = (Arc::clone(&rig.probe), Arc::downgrade(&rig.shared));
    *rig.on_write.lock().unwrap() = Some(Box::new(move || {
        if probe.script(|script| std::mem::take(&mut script.flush_fails)) {
            assert_eq!(send(&shared.upgrade().unwrap(), "d"), Ok(true));
        }
    }));
    assert_eq!(rig.send("c"), Ok(true));
    assert_eq!((rig.metrics().state, rig.probe.text()), (State::Healthy, "a\nc\nd\n".into()));
    assert!(rig.heard.lock().unwrap().recovered.is_empty(), "nothing is told in a callback");
    assert_eq!(rig.send("e"), Ok(true));
    assert_eq!(rig.send("f"), Ok(true));
    assert_eq!(rig.heard.lock().unwrap().recovered, [0]);
}

#[test]
fn what_a_sink_takes_and_cannot_flush_is_no_progress() {
    let rig = rig(QueuePolicy::DropNewest);
    rig.probe.script(|script| script.flush_fails = true);
    assert_eq!(rig.send("a"), Ok(true));
    rig.shared.advance(rig.shared.config.fail_after);
    assert_eq!(rig.send("b"), Ok(true));
    assert_eq!(rig.metrics().state, State::Failed);
}

#[test]
fn a_sync_that_wrote_the_lines_itself_still_holds_after_the_end() {
    let rig = rig(QueuePolicy::DropNewest);
    rig.probe.script(|script| script.flush_fails = true);
    assert_eq!(rig.send("a"), Ok(true));
    rig.probe.script(|script| script.flush_fails = false);
    rig.shared.sync_now(SEC).unwrap();
    rig.shared.shutdown_now(SEC).unwrap();
    assert_eq!(rig.shared.sync_now(SEC), Ok(()));
}
