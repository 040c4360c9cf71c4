//! What the way out of the queue owes to lines, markers and counters, step by step.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::delivery::Drained;
use crate::outlets::Outlets;
use crate::sync::lock;
use crate::testing::{Probe, ProbeSink, Rig, SEC};
use crate::{Mode, ReopenReason, Reopened, Sink};

/// Is at another target when somebody asks for that, and looks when it is told to.
struct Movable {
    sink: ProbeSink,
    checks: Arc<AtomicUsize>,
    /// It says that the line which is partly out is whole where it was, the first time.
    completes: bool,
}

impl Sink for Movable {
    fn write(&mut self, lines: &[u8], more_waiting: bool) -> io::Result<usize> {
        self.sink.write(lines, more_waiting)
    }

    fn reopen(&mut self, reason: ReopenReason<'_>) -> io::Result<Option<Reopened>> {
        match reason {
            ReopenReason::Asked => {
                let line_completed = std::mem::take(&mut self.completes);
                Ok(Some(Reopened { line_completed, ..Reopened::default() }))
            }
            ReopenReason::Check => {
                self.checks.fetch_add(1, Ordering::Relaxed);
                Err(io::ErrorKind::NotFound.into())
            }
            ReopenReason::Failure(_) => Ok(None),
        }
    }
}

fn movable(rig: &Rig) -> Arc<AtomicUsize> {
    put_movable(rig, false)
}

fn put_movable(rig: &Rig, completes: bool) -> Arc<AtomicUsize> {
    let checks = Arc::default();
    let sink = ProbeSink(Arc::clone(&rig.probe));
    let movable = Movable { sink, checks: Arc::clone(&checks), completes };
    lock(&rig.shared.delivery).outlets = Outlets::new(Box::new(movable));
    checks
}

fn trigger(rig: &Rig) {
    rig.shared.lock().triggered = true;
    rig.shared.work.notify_one();
}

fn set_fallback(rig: &Rig) -> Arc<Probe> {
    let fallback = Arc::new(Probe::default());
    lock(&rig.shared.delivery).outlets.set_fallback(Box::new(ProbeSink(Arc::clone(&fallback))));
    fallback
}

#[test]
fn a_marker_waits_for_the_end_of_a_line_that_is_partly_out() {
    let rig = Rig::without_worker(|_| {});
    let mut delivery = lock(&rig.shared.delivery);
    rig.probe.script(|script| script.room = Some(2));
    rig.send("abc").unwrap();
    delivery.round(&rig.shared, |_| false);
    assert_eq!(rig.probe.text(), "ab");
    rig.probe.script(|script| script.room = None);
    delivery.mark(&rig.shared, b"<marker>\n".to_vec());
    assert_eq!(rig.probe.text(), "abc\n<marker>\n");
    assert_eq!((rig.metrics().written, rig.metrics().markers), (1, 1));
}

#[test]
fn all_that_waits_behind_lines_in_hand_is_given_up_with_them() {
    let rig = Rig::without_worker(|config| config.max_queue_size = 2);
    rig.probe.script(|script| script.room = Some(0));
    let mut delivery = lock(&rig.shared.delivery);
    for _ in 0..2 {
        rig.send("a").unwrap();
        rig.send("b").unwrap();
        delivery.round(&rig.shared, |_| false);
    }
    assert_eq!((delivery.lines_in_hand(), rig.metrics().queue_len), (2, 2));
    delivery.give_up(&rig.shared);
    assert_eq!((rig.metrics().lost, rig.metrics().pending), (4, 0));
}

#[test]
fn a_sink_that_moves_does_not_hide_that_a_line_is_partly_out_in_the_fallback() {
    let rig = Rig::without_worker(|_| {});
    movable(&rig);
    let fallback = set_fallback(&rig);
    let mut delivery = lock(&rig.shared.delivery);
    assert!(delivery.divert_for_good(&rig.shared));
    fallback.script(|script| script.room = Some(2));
    rig.send("abc").unwrap();
    delivery.round(&rig.shared, |_| false);
    delivery.reopen_as_asked(&rig.shared).unwrap();
    fallback.script(|script| script.room = None);
    delivery.round(&rig.shared, |_| false);
    assert_eq!((rig.probe.text(), rig.metrics().reopened), ("abc\n".into(), 1));
    assert!(delivery.divert_for_good(&rig.shared));
    rig.send("d").unwrap();
    delivery.round(&rig.shared, |_| false);
    assert_eq!(fallback.text(), "ab\nd\n", "the part is closed");
}

#[test]
fn the_end_of_the_process_has_the_fallback_take_what_the_sink_does_not() {
    let rig = Rig::without_worker(|_| {});
    let fallback = set_fallback(&rig);
    let until = rig.shared.clock.now() + SEC;
    rig.probe.script(|script| script.room = Some(0));
    rig.send("a").unwrap();
    let drained = lock(&rig.shared.delivery).drain(&rig.shared, until);
    assert_eq!((drained, fallback.text()), (Drained::All, "a\n".into()));
    fallback.script(|script| script.room = Some(0));
    rig.send("b").unwrap();
    let drained = lock(&rig.shared.delivery).drain(&rig.shared, until);
    assert_eq!((drained, rig.metrics().pending), (Drained::Failed, 1));
}

#[test]
fn a_flush_waits_for_a_line_that_goes_from_a_broken_sink_to_a_broken_fallback() {
    let rig = Rig::without_worker(|config| {
        config.synchronous = true;
        config.fail_after = SEC;
        config.queue_policy = crate::QueuePolicy::DropNewest;
    });
    let fallback = set_fallback(&rig);
    fallback.script(|script| script.room = Some(0));
    rig.probe.script(|script| script.room = Some(2));
    assert_eq!(rig.send("abc"), Ok(true), "a part is out");
    rig.shared.advance(SEC);
    assert_eq!(rig.send("d"), Ok(false));
    assert!(rig.shared.flush_now(SEC).is_err());
    assert_eq!(rig.metrics().pending, 1);
    fallback.script(|script| script.room = None);
    rig.shared.advance(SEC);
    rig.probe.script(|script| script.room = None);
    rig.shared.flush_now(SEC).unwrap();
    assert_eq!(rig.metrics().pending, 0);
}

#[test]
fn a_trigger_is_over_with_the_lines_that_were_there() {
    let rig = Rig::new(|config| config.mode = Mode::Manual);
    rig.probe.script(|script| script.gate = true);
    rig.send("a").unwrap();
    trigger(&rig);
    rig.until_call(1);
    rig.send("b").unwrap();
    rig.probe.script(|script| script.gate = false);
    rig.quiet();
    assert_eq!(rig.probe.text(), "a\n");
}

#[test]
fn a_target_is_looked_for_once_a_second_between_two_lines() {
    let rig = Rig::without_worker(|_| {});
    let checks = movable(&rig);
    let mut delivery = lock(&rig.shared.delivery);
    let mut write = |room, expected, notice| {
        rig.probe.script(|script| script.room = room);
        rig.send("abc").unwrap();
        let round = delivery.round(&rig.shared, |_| false);
        assert_eq!(checks.load(Ordering::Relaxed), expected);
        assert_eq!(round.notice.is_some(), notice);
    };
    write(None, 0, false);
    rig.shared.advance(SEC);
    write(Some(2), 1, true);
    rig.shared.advance(SEC);
    write(Some(1), 1, false);
    write(None, 2, false);
    write(None, 2, false);
    assert_eq!(rig.probe.text(), "abc\n".repeat(5));
    // Found by somebody who asked, and lost again: that is news.
    delivery.reopen_as_asked(&rig.shared).unwrap();
    rig.shared.advance(SEC);
    rig.send("abc").unwrap();
    assert!(delivery.round(&rig.shared, |_| false).notice.is_some());
}

#[test]
fn no_target_is_looked_for_inside_a_marker() {
    let rig = Rig::without_worker(|_| {});
    let checks = movable(&rig);
    let mut delivery = lock(&rig.shared.delivery);
    rig.probe.script(|script| script.room = Some(2));
    delivery.mark(&rig.shared, b"<marker>\n".to_vec());
    rig.shared.advance(SEC);
    rig.probe.script(|script| script.room = None);
    delivery.round(&rig.shared, |_| false);
    assert_eq!((rig.probe.text(), checks.load(Ordering::Relaxed)), ("<marker>\n".into(), 0));
}

#[test]
fn what_is_partly_out_begins_anew_at_another_target_without_a_line_end_in_front() {
    for marker in [false, true] {
        let rig = Rig::without_worker(|_| {});
        movable(&rig);
        let mut delivery = lock(&rig.shared.delivery);
        rig.probe.script(|script| script.room = Some(2));
        if marker {
            delivery.mark(&rig.shared, b"abc\n".to_vec());
        } else {
            rig.send("abc").unwrap();
            delivery.round(&rig.shared, |_| false);
        }
        delivery.reopen_as_asked(&rig.shared).unwrap();
        rig.probe.script(|script| script.room = None);
        delivery.round(&rig.shared, |_| false);
        assert_eq!(rig.probe.text(), "ababc\n", "the first two went to the old one");
    }
}

#[test]
fn what_was_completed_in_the_target_that_was_left_is_not_offered_again() {
    for marker in [false, true] {
        for moves in [1, 2] {
            let rig = Rig::without_worker(|_| {});
            put_movable(&rig, true);
            let mut delivery = lock(&rig.shared.delivery);
            rig.probe.script(|script| script.room = Some(3));
            if marker {
                delivery.mark(&rig.shared, b"abc\n".to_vec());
            } else {
                rig.send("abc").unwrap();
                delivery.round(&rig.shared, |_| false);
            }
            for _ in 0..moves {
                delivery.reopen_as_asked(&rig.shared).unwrap();
            }
            rig.send("d").unwrap();
            rig.probe.script(|script| script.room = None);
            delivery.round(&rig.shared, |_| false);
            assert_eq!(rig.probe.text(), "abcd\n", "the first three went to the old one");
            let metrics = rig.metrics();
            let markers = u64::from(marker);
            assert_eq!((metrics.written, metrics.markers), (2 - markers, markers));
            assert_eq!((metrics.bytes_written, metrics.pending), (6, 0));
        }
    }
}

#[test]
fn what_cannot_be_completed_begins_anew_whatever_the_sink_says() {
    // A raw line may have a line end inside.
    for (line, room, torn) in [("abc", 0, 0), ("abc", 2, 1), ("ab\ncd", 2, 1)] {
        let rig = Rig::without_worker(|_| {});
        put_movable(&rig, true);
        let mut delivery = lock(&rig.shared.delivery);
        rig.probe.script(|script| script.room = Some(room));
        rig.send(line).unwrap();
        delivery.round(&rig.shared, |_| false);
        delivery.reopen_as_asked(&rig.shared).unwrap();
        rig.probe.script(|script| script.room = None);
        delivery.round(&rig.shared, |_| false);
        assert_eq!(rig.probe.text(), format!("{}{line}\n", &line[..room]));
        assert_eq!((rig.metrics().written, rig.metrics().torn_lines), (1, torn), "{line:?}");
    }
}

#[test]
fn what_was_completed_is_not_given_up() {
    let rig = Rig::without_worker(|_| {});
    put_movable(&rig, true);
    rig.probe.script(|script| script.room = Some(3));
    rig.send("abc").unwrap();
    let mut delivery = lock(&rig.shared.delivery);
    delivery.round(&rig.shared, |_| false);
    delivery.reopen_as_asked(&rig.shared).unwrap();
    assert_eq!(delivery.settle_completed(&rig.shared), 1);
    delivery.give_up(&rig.shared);
    let metrics = rig.metrics();
    assert_eq!((metrics.written, metrics.lost, metrics.pending), (1, 0, 0));
}

#[test]
fn what_was_completed_does_not_go_to_the_fallback() {
    let rig = Rig::without_worker(|_| {});
    put_movable(&rig, true);
    let fallback = set_fallback(&rig);
    let mut delivery = lock(&rig.shared.delivery);
    rig.probe.script(|script| script.room = Some(3));
    rig.send("abc").unwrap();
    delivery.round(&rig.shared, |_| false);
    delivery.reopen_as_asked(&rig.shared).unwrap();
    rig.probe.script(|script| script.room = None);
    assert!(delivery.divert_for_good(&rig.shared));
    delivery.round(&rig.shared, |_| false);
    delivery.outlets.divert(Some(rig.shared.clock.now()));
    rig.send("d").unwrap();
    delivery.round(&rig.shared, |_| false);
    assert_eq!((rig.probe.text(), fallback.text()), ("abcd\n".into(), "".into()));
    assert_eq!((rig.metrics().written, rig.metrics().diverted), (2, 0));
}

#[test]
fn a_target_that_moves_takes_the_line_end_with_it_that_is_owed() {
    let rig = Rig::without_worker(|_| {});
    movable(&rig);
    let mut delivery = lock(&rig.shared.delivery);
    delivery.outlets.main().tear();
    delivery.reopen_as_asked(&rig.shared).unwrap();
    rig.send("a").unwrap();
    delivery.round(&rig.shared, |_| false);
    assert_eq!(rig.probe.text(), "a\n");
}

#[test]
fn a_flush_is_one_where_something_was_written_since_the_last() {
    let rig = Rig::without_worker(|_| {});
    let mut delivery = lock(&rig.shared.delivery);
    rig.send("a").unwrap();
    assert!(delivery.round(&rig.shared, |_| false).flushed);
    assert!(!delivery.round(&rig.shared, |_| false).flushed);
}
