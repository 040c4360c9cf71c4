//! Lines go elsewhere while the sink has failed, and come back.

use std::sync::Arc;

use crate::sync::lock;
use crate::testing::{MS, Probe, ProbeSink, Rig, SEC};
use crate::{FlushError, Operation, QueuePolicy, ShutdownError, State};

/// A writer whose sink fails at once and whose fallback works.
fn failing(change: impl FnOnce(&mut crate::Config)) -> (Rig, Arc<Probe>) {
    let rig = Rig::new(|config| {
        config.fail_after = MS;
        change(config);
    });
    let fallback = Arc::new(Probe::default());
    lock(&rig.shared.delivery).outlets.set_fallback(Box::new(ProbeSink(Arc::clone(&fallback))));
    rig.advance(SEC);
    rig.probe.script(|script| script.room = Some(0));
    (rig, fallback)
}

#[test]
fn lines_go_to_the_fallback_when_the_sink_has_failed_and_back_when_it_works() {
    let (rig, fallback) = failing(|_| {});
    rig.send("a").unwrap();
    rig.quiet();
    assert_eq!((rig.metrics().state, fallback.text()), (State::Retrying, String::new()));
    rig.advance(10 * MS);
    assert_eq!((rig.metrics().state, fallback.text()), (State::Failed, "a\n".into()));
    assert_eq!(rig.quiet(), None, "nothing is left to be tried again");
    for text in ["b", "c"] {
        rig.send(text).unwrap();
        rig.advance(SEC);
    }
    assert_eq!(fallback.text(), "a\nb\nc\n");
    let m = rig.metrics();
    assert_eq!((m.written, m.diverted, m.pending, m.lost), (3, 3, 0, 0));
    assert_eq!(rig.errors(), [State::Retrying, State::Failed], "one report per episode and state");
    rig.probe.script(|script| script.room = None);
    rig.send("d").unwrap();
    rig.advance(SEC);
    rig.send("e").unwrap();
    rig.advance(SEC);
    assert_eq!((rig.probe.text(), fallback.text()), ("d\ne\n".into(), "a\nb\nc\n".into()));
    assert_eq!((rig.metrics().state, rig.metrics().diverted), (State::Healthy, 3));
    assert_eq!(rig.heard.lock().unwrap().recovered, [3]);
}

#[test]
fn the_sink_is_tried_once_a_second() {
    let (rig, fallback) = failing(|config| config.flush_interval = Some(std::time::Duration::ZERO));
    rig.send("a").unwrap();
    rig.quiet();
    rig.advance(10 * MS);
    let errors = rig.metrics().errors;
    for n in 0..20 {
        rig.send("b").unwrap();
        rig.advance(100 * MS);
        assert!(rig.metrics().errors <= errors + 1 + n / 10, "in try {n}");
    }
    assert!(rig.metrics().errors > errors);
    assert_eq!(fallback.text(), "a\n".to_owned() + &"b\n".repeat(20));
}

#[test]
fn a_line_that_is_partly_out_is_whole_in_the_fallback_and_closed_in_the_sink() {
    let (rig, fallback) = failing(|_| {});
    rig.probe.script(|script| script.room = Some(4));
    rig.send("abcdef").unwrap();
    rig.quiet();
    rig.advance(10 * MS);
    assert_eq!((rig.probe.text(), fallback.text()), ("abcd".into(), "abcdef\n".into()));
    rig.probe.script(|script| script.room = None);
    rig.advance(SEC);
    rig.send("g").unwrap();
    rig.advance(SEC);
    assert_eq!((rig.probe.text(), fallback.text()), ("abcd\ng\n".into(), "abcdef\n".into()));
    assert_eq!(rig.metrics().written, 2);
}

#[test]
fn a_fallback_that_fails_too_keeps_the_lines_and_is_reported_once() {
    let (rig, fallback) = failing(|_| {});
    fallback.script(|script| script.room = Some(3));
    rig.send("abc").unwrap();
    rig.send("def").unwrap();
    rig.quiet();
    rig.advance(10 * MS);
    assert_eq!(rig.metrics().state, State::Failed, "what the fallback takes is no progress");
    for _ in 0..5 {
        rig.advance(SEC);
    }
    assert_eq!((rig.metrics().pending, fallback.text()), (2, "abc".into()));
    assert_eq!(rig.errors(), [State::Retrying, State::Failed, State::Failed]);
    fallback.script(|script| script.room = None);
    rig.advance(SEC);
    assert_eq!(fallback.text(), "abc\nabc\ndef\n", "the part is closed, the line is whole");
    assert_eq!((rig.metrics().pending, rig.metrics().diverted), (0, 2));
}

#[test]
fn a_fallback_that_fails_in_a_later_episode_is_reported_again() {
    let (rig, fallback) = failing(|_| {});
    fallback.script(|script| script.room = Some(0));
    for text in ["a", "b"] {
        rig.probe.script(|script| script.room = Some(0));
        rig.send(text).unwrap();
        rig.quiet();
        rig.advance(10 * MS);
        assert_eq!((rig.metrics().state, fallback.text()), (State::Failed, String::new()));
        rig.probe.script(|script| script.room = None);
        rig.advance(SEC);
        assert_eq!((rig.metrics().state, rig.metrics().pending), (State::Healthy, 0));
        rig.advance(SEC);
    }
    let episode = [State::Retrying, State::Failed, State::Failed];
    assert_eq!(rig.errors(), [episode, episode].concat());
}

#[test]
fn a_sink_is_tried_at_once_when_the_fallback_fails() {
    let rig = Rig::without_worker(|config| {
        config.synchronous = true;
        config.fail_after = std::time::Duration::ZERO;
        config.queue_policy = QueuePolicy::DropNewest;
    });
    let fallback = Arc::new(Probe::default());
    lock(&rig.shared.delivery).outlets.set_fallback(Box::new(ProbeSink(Arc::clone(&fallback))));
    rig.probe.script(|script| script.room = Some(0));
    assert_eq!(rig.send("a"), Ok(true));
    fallback.script(|script| script.room = Some(0));
    assert_eq!(rig.send("b"), Ok(false));
    rig.probe.script(|script| script.room = None);
    assert_eq!(rig.send("c"), Ok(true));
    assert_eq!((rig.probe.text(), fallback.text()), ("c\n".into(), "a\n".into()));
}

#[test]
fn the_line_after_a_reopening_is_tried_on_the_new_target() {
    let (rig, fallback) = failing(|_| {});
    rig.send("a").unwrap();
    rig.quiet();
    rig.advance(10 * MS);
    rig.probe.script(|script| script.room = None);
    assert!(rig.shared.reopen(SEC).is_err(), "this sink has no other");
    rig.send("b").unwrap();
    rig.advance(100 * MS);
    assert_eq!((rig.probe.text(), fallback.text()), ("b\n".into(), "a\n".into()));
}

#[test]
fn a_shutdown_says_that_the_fallback_cannot_be_closed() {
    let (rig, fallback) = failing(|_| {});
    rig.probe.script(|script| script.room = None);
    fallback.script(|script| script.close_fails = Some(std::io::ErrorKind::StorageFull));
    let ended = rig.shared.shutdown(SEC);
    assert!(matches!(ended, Err(crate::ShutdownError::Close { .. })), "{ended:?}");
}

#[test]
fn senders_wait_for_room_while_the_fallback_works() {
    let (rig, fallback) = failing(|config| {
        config.max_queue_size = 2;
        config.queue_policy = QueuePolicy::Block;
    });
    rig.send("a").unwrap();
    rig.quiet();
    rig.advance(10 * MS);
    assert_eq!(rig.metrics().state, State::Failed);
    fallback.script(|script| script.gate = true);
    let calls = fallback.script(|script| script.calls);
    rig.send("b").unwrap();
    rig.shared.advance(200 * MS);
    rig.until(|_| fallback.script(|script| script.calls > calls));
    rig.send("c").unwrap();
    rig.send("d").unwrap();
    let waiting = rig.spawn(|shared| crate::testing::send(shared, "e"));
    rig.until(|inner| inner.room_waiters == 1);
    fallback.script(|script| script.gate = false);
    assert_eq!(waiting.join().unwrap(), Ok(true));
    // The worker may still be in the write before, and rest after it.
    rig.quiet();
    rig.advance(SEC);
    assert_eq!((rig.metrics().refused, rig.metrics().pending), (0, 0));
}

#[test]
fn a_flush_waits_for_a_fallback_that_works_and_not_for_one_that_fails_too() {
    let (rig, fallback) = failing(|_| {});
    rig.send("a").unwrap();
    rig.quiet();
    let waiting = rig.spawn(|shared| shared.flush(SEC * 3600));
    rig.until(|inner| inner.watchers == 1);
    rig.advance(10 * MS);
    waiting.join().unwrap().unwrap();
    assert_eq!((rig.metrics().state, fallback.text()), (State::Failed, "a\n".into()));
    fallback.script(|script| script.room = Some(0));
    rig.send("b").unwrap();
    let waiting = rig.spawn(|shared| shared.flush(SEC * 3600));
    while !waiting.is_finished() {
        rig.advance(SEC);
    }
    let Err(FlushError::Failed { pending: 1, source }) = waiting.join().unwrap() else {
        panic!("both have failed");
    };
    assert_eq!(source.operation, Operation::Fallback);
    assert!(source.to_string().starts_with("cannot use the fallback of the sink (failed): "));
}

#[test]
fn nobody_waits_for_room_when_the_fallback_has_failed_too() {
    let (rig, fallback) = failing(|config| {
        config.max_queue_size = 1;
        config.queue_policy = QueuePolicy::Block;
    });
    fallback.script(|script| script.room = Some(0));
    rig.send("a").unwrap();
    rig.quiet();
    rig.send("b").unwrap();
    let waiting = rig.spawn(|shared| crate::testing::send(shared, "c"));
    rig.until(|inner| inner.room_waiters == 1);
    rig.advance(10 * MS);
    rig.until(|_| waiting.is_finished());
    assert_eq!(waiting.join().unwrap(), Ok(false));
    assert_eq!((rig.metrics().state, rig.metrics().refused), (State::Failed, 1));
}

#[test]
fn what_a_shutdown_would_give_up_goes_to_the_fallback() {
    let (rig, fallback) = failing(|config| config.fail_after = 3600 * SEC);
    rig.send("a").unwrap();
    rig.quiet();
    assert_eq!(rig.metrics().state, State::Retrying);
    let ended = rig.spawn(|shared| shared.shutdown(std::time::Duration::ZERO));
    rig.until(|inner| inner.ended);
    assert!(ended.join().unwrap().is_ok());
    assert_eq!((fallback.text(), rig.metrics().lost), ("a\n".into(), 0));
    assert_eq!(rig.heard.lock().unwrap().written, 1);
}

#[test]
fn a_shutdown_ends_though_the_fallback_takes_only_a_part_of_what_is_left() {
    let (rig, fallback) = failing(|config| config.fail_after = 3600 * SEC);
    fallback.script(|script| script.room = Some(2));
    for text in ["a", "b", "c"] {
        rig.send(text).unwrap();
    }
    rig.quiet();
    let ended = rig.spawn(|shared| shared.shutdown(std::time::Duration::ZERO));
    rig.until(|inner| inner.ended);
    assert_eq!(ended.join().unwrap(), Err(ShutdownError::Lost { lines: 2 }));
    let m = rig.metrics();
    assert_eq!((fallback.text(), m.written, m.lost, m.pending), ("a\n".into(), 1, 2, 0));
}

#[test]
fn a_sync_is_served_by_both() {
    let (rig, fallback) = failing(|_| {});
    rig.send("a").unwrap();
    rig.quiet();
    rig.advance(10 * MS);
    rig.shared.sync(SEC).unwrap();
    assert_eq!(fallback.script(|script| script.syncs), 1);
    rig.shared.sync(SEC).unwrap();
    assert_eq!(fallback.script(|script| script.syncs), 1, "nothing came since");
    rig.send("b").unwrap();
    rig.probe.script(|script| script.sync_fails = Some(std::io::ErrorKind::StorageFull));
    let told = rig.shared.sync(SEC);
    assert!(matches!(told, Err(FlushError::Sync { .. })), "as the sink proper says: {told:?}");
    assert_eq!(fallback.script(|script| script.syncs), 2);
    rig.probe.script(|script| script.sync_fails = None);
    assert!(!matches!(rig.shared.flush(SEC), Err(FlushError::Timeout { .. })));
}

#[test]
fn a_fallback_that_cannot_be_synced_says_so_once_for_its_lines() {
    let (rig, fallback) = failing(|_| {});
    fallback.script(|script| script.sync_fails = Some(std::io::ErrorKind::Unsupported));
    for text in ["a", "b"] {
        rig.send(text).unwrap();
        rig.quiet();
        rig.advance(10 * MS);
        let told = rig.shared.sync(SEC);
        assert!(matches!(told, Err(FlushError::Unsupported)), "{text}: {told:?}");
        rig.shared.sync(SEC).unwrap();
    }
    fallback.script(|script| script.sync_fails = Some(std::io::ErrorKind::StorageFull));
    rig.send("c").unwrap();
    for _ in 0..2 {
        assert!(matches!(rig.shared.sync(SEC), Err(FlushError::Sync { .. })), "still to be done");
    }
}

#[test]
fn without_a_worker_lines_take_the_same_ways() {
    let rig = Rig::without_worker(|config| {
        config.synchronous = true;
        config.fail_after = std::time::Duration::ZERO;
    });
    let fallback = Arc::new(Probe::default());
    lock(&rig.shared.delivery).outlets.set_fallback(Box::new(ProbeSink(Arc::clone(&fallback))));
    rig.probe.script(|script| script.room = Some(2));
    for text in ["abc", "d"] {
        assert_eq!(rig.send(text), Ok(true));
    }
    assert_eq!((rig.probe.text(), fallback.text()), ("ab".into(), "abc\nd\n".into()));
    rig.probe.script(|script| script.room = None);
    assert_eq!(rig.send("e"), Ok(true));
    assert_eq!(rig.probe.text(), "ab", "tried once a second");
    assert_eq!(rig.errors(), [State::Failed], "also of a line that went elsewhere");
    rig.shared.advance(SEC);
    assert_eq!(rig.send("f"), Ok(true));
    assert_eq!((rig.probe.text(), fallback.text()), ("ab\nf\n".into(), "abc\nd\ne\n".into()));
    assert_eq!((rig.metrics().state, rig.metrics().diverted), (State::Healthy, 3));
    assert_eq!(rig.heard.lock().unwrap().recovered, [3]);
    assert_eq!(rig.send("g"), Ok(true));
    rig.probe.script(|script| script.room = Some(0));
    assert_eq!(rig.send("h"), Ok(true));
    rig.probe.script(|script| script.room = None);
    rig.shared.advance(SEC);
    assert_eq!(rig.send("i"), Ok(true));
    assert_eq!(rig.errors(), [State::Failed; 2], "each episode is told of");
    assert_eq!(rig.heard.lock().unwrap().recovered, [3, 1], "and counts its own lines");
}

#[test]
fn what_a_failing_fallback_takes_is_no_progress_of_the_sink() {
    let rig = Rig::without_worker(|config| {
        config.synchronous = true;
        config.fail_after = SEC;
        config.queue_policy = QueuePolicy::DropNewest;
    });
    let fallback = Arc::new(Probe::default());
    lock(&rig.shared.delivery).outlets.set_fallback(Box::new(ProbeSink(Arc::clone(&fallback))));
    rig.probe.script(|script| script.room = Some(0));
    fallback.script(|script| script.room = Some(2));
    assert_eq!(rig.send("a"), Ok(false));
    rig.shared.advance(SEC);
    assert_eq!(rig.send("bcd"), Ok(true), "a part is out");
    assert_eq!((fallback.text(), rig.metrics().state), ("bc".into(), State::Failed));
}
