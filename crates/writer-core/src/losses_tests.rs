//! When a loss marker comes, by a clock that only the test moves.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::{Arc, Mutex, Weak};

use super::*;
use crate::chunk::Line;
use crate::report::Callbacks;
use crate::shared::Shared;
use crate::sync::lock;
use crate::testing::{MS, Probe, ProbeSink, Rig, SEC};
use crate::{Mode, State};

#[path = "losses_synchronous_tests.rs"]
mod synchronous;

/// Has markers look like `<15: 0 1 14 0 0 drop_oldest>`.
fn mark(rig: &Rig) {
    let encode: Encode = Box::new(|losses, line| {
        let [trace, debug, info, warn, error] = losses.by_severity;
        assert!(losses.since <= losses.until);
        let (lines, policy) = (losses.lines(), losses.policy);
        let text = format!("<{lines}: {trace} {debug} {info} {warn} {error} {policy}>");
        line.extend_from_slice(text.as_bytes());
    });
    assert!(rig.shared.callbacks.marker.0.set(Some(encode)).is_ok());
}

fn rig(change: impl FnOnce(&mut crate::Config)) -> Rig {
    let rig = Rig::new(|c| {
        (c.max_queue_size, c.queue_policy) = (4, QueuePolicy::DropNewest);
        change(c);
    });
    mark(&rig);
    rig
}

fn send(rig: &Rig, count: usize) -> usize {
    (0..count).filter(|_| rig.send("x").unwrap()).count()
}

fn send_as(rig: &Rig, severity: Severity, text: &str) -> bool {
    rig.shared.admit(Line::new(text.as_bytes(), severity)).unwrap()
}

/// Fills the queue while the sink is stuck, so that lines are dropped, and lets the sink go on.
fn storm(rig: &Rig, dropped: usize) {
    let calls = rig.probe.script(|script| {
        script.gate = true;
        script.calls
    });
    rig.send("x").unwrap();
    rig.quiet_or_stuck(calls + 1);
    assert_eq!(send(rig, 4 + dropped), 4);
    rig.probe.script(|script| script.gate = false);
    rig.until(|inner| inner.queue.is_empty());
    rig.quiet();
}

impl Rig {
    fn quiet_or_stuck(&self, calls: usize) {
        self.shared.advance(SEC);
        self.until_call(calls);
    }

    fn markers(&self) -> Vec<String> {
        let text = self.probe.text();
        text.lines().filter(|line| line.starts_with('<')).map(str::to_owned).collect()
    }
}

#[test]
fn one_marker_follows_when_the_queue_has_been_below_half_for_a_second() {
    let rig = rig(|_| {});
    storm(&rig, 3);
    assert_eq!(rig.quiet(), Some(SEC), "the one wake-up that is left");
    rig.advance(999 * MS);
    assert_eq!(rig.markers().len(), 0);
    rig.advance(MS);
    assert_eq!(rig.markers(), ["<3: 0 0 3 0 0 drop_newest>"]);
    let m = rig.metrics();
    assert_eq!((m.markers, m.written, m.dropped), (1, 5, 3));
    assert_eq!(m.bytes_written as usize, rig.probe.text().len());
    assert_eq!(rig.drops().iter().sum::<u64>(), 3);
    rig.advance(1000 * SEC);
    assert_eq!((rig.markers().len(), rig.quiet()), (1, None));
}

#[test]
fn an_episode_does_not_end_before_it_began_when_the_clock_is_put_back() {
    let rig = rig(|c| c.max_queue_bytes = 8);
    assert_eq!(rig.send("far too long"), Ok(false));
    let since = SystemTime::now() + 3600 * SEC;
    rig.shared.lock().episode.as_mut().unwrap().losses.since = since;
    let losses = rig.shared.lock().take_losses().unwrap();
    assert_eq!((losses.since, losses.until), (since, since));
}

#[test]
fn storms_within_a_second_are_one_episode_and_later_ones_another() {
    let rig = rig(|c| c.flush_interval = Some(Duration::ZERO));
    storm(&rig, 1);
    rig.advance(500 * MS);
    // The line at the head of a storm needs a second on the clock of its own.
    rig.probe.script(|script| script.gate = true);
    let calls = rig.probe.script(|script| script.calls);
    rig.send("x").unwrap();
    rig.until_call(calls + 1);
    assert_eq!(send(&rig, 6), 4);
    rig.probe.script(|script| script.gate = false);
    rig.until(|inner| inner.queue.is_empty());
    rig.quiet();
    rig.advance(999 * MS);
    assert_eq!(rig.markers().len(), 0);
    rig.advance(MS);
    assert_eq!(rig.markers(), ["<3: 0 0 3 0 0 drop_newest>"]);
    storm(&rig, 1);
    rig.advance(SEC);
    assert_eq!(rig.markers()[1..], ["<1: 0 0 1 0 0 drop_newest>"]);
}

#[test]
fn a_queue_that_is_half_full_again_keeps_the_episode_open_without_a_timer() {
    let rig = rig(|c| c.mode = Mode::Manual);
    assert_eq!(send(&rig, 6), 4);
    assert_eq!(rig.quiet(), None, "nothing can end the episode but a take");
    let trigger = || {
        rig.shared.lock().triggered = true;
        rig.shared.work.notify_one();
        rig.until(|inner| inner.queue.is_empty());
    };
    trigger();
    rig.advance(500 * MS);
    assert_eq!(send(&rig, 2), 2);
    rig.advance(800 * MS);
    assert_eq!((rig.markers().len(), rig.quiet()), (0, None));
    trigger();
    assert_eq!(rig.quiet(), Some(SEC));
    assert_eq!(send(&rig, 1), 1);
    rig.advance(SEC);
    assert_eq!(rig.markers(), ["<2: 0 0 2 0 0 drop_newest>"]);
    assert_eq!(rig.metrics().queue_len, 1, "a marker writes no lines that are not due");
}

#[test]
fn a_line_that_never_fits_is_marked_although_the_worker_was_parked() {
    let rig = rig(|c| c.max_queue_bytes = 8);
    assert_eq!(rig.quiet(), None);
    assert_eq!(rig.send("far too long"), Ok(false));
    assert_eq!(rig.quiet(), Some(SEC));
    rig.advance(500 * MS);
    assert_eq!(rig.send("as long again"), Ok(false));
    rig.advance(500 * MS);
    assert_eq!(rig.markers(), ["<2: 0 0 2 0 0 drop_newest>"], "drops do not put it off");
    assert_eq!(rig.quiet(), None);
}

#[test]
fn evicted_lines_are_counted_by_their_own_severity() {
    let rig = rig(|c| (c.queue_policy, c.mode) = (QueuePolicy::DropOldest, Mode::Manual));
    for severity in Severity::ALL {
        assert!(send_as(&rig, severity, "old"));
    }
    // One was evicted already; of the others two go, one of them for a line in its place.
    for _ in 0..2 {
        assert!(send_as(&rig, Severity::Error, "new"));
    }
    rig.shared.flush(Duration::MAX).unwrap();
    rig.advance(SEC);
    assert_eq!(rig.markers(), ["<3: 1 1 1 0 0 drop_oldest>"]);
}

#[test]
fn a_marker_that_went_out_in_part_is_finished_before_anything_else() {
    let rig = rig(|_| {});
    storm(&rig, 1);
    rig.probe.script(|script| script.room = Some(5));
    rig.advance(SEC);
    rig.until(|inner| inner.state == State::Retrying);
    rig.send("after").unwrap();
    rig.quiet();
    assert!(rig.probe.text().ends_with("x\n<1: 0"));
    assert_eq!(rig.metrics().markers, 0);
    rig.probe.script(|script| script.room = None);
    rig.advance(SEC);
    rig.advance(SEC);
    assert!(rig.probe.text().ends_with("x\n<1: 0 0 1 0 0 drop_newest>\nafter\n"));
    let m = rig.metrics();
    assert_eq!((m.markers, m.bytes_written as usize), (1, rig.probe.text().len()));
}

#[test]
fn what_no_marker_has_told_comes_at_the_end() {
    let rig = rig(|_| {});
    storm(&rig, 2);
    let shutdown = rig.spawn(|shared| shared.shutdown(Duration::MAX));
    shutdown.join().unwrap().unwrap();
    assert!(rig.probe.text().ends_with("x\n<2: 0 0 2 0 0 drop_newest>\n"));
}

#[test]
fn a_sink_that_fails_to_the_end_takes_the_marker_with_it() {
    let rig = rig(|_| {});
    storm(&rig, 2);
    rig.probe.script(|script| script.room = Some(0));
    let shutdown = rig.spawn(|shared| shared.shutdown(SEC));
    rig.until(|inner| inner.state == State::Retrying);
    // Its time is over; from here on only the worker's giving up is waited for.
    rig.shared.advance(SEC);
    assert!(shutdown.join().unwrap().is_ok(), "no line was lost");
    assert_eq!((rig.metrics().markers, rig.markers().len()), (0, 0));
}

/// A rig with a fallback, which lines go to at the first failure.
fn with_fallback(change: impl FnOnce(&mut crate::Config)) -> (Rig, Arc<Probe>) {
    let rig = rig(|c| {
        c.fail_after = Duration::ZERO;
        change(c);
    });
    let fallback = Arc::new(Probe::default());
    lock(&rig.shared.delivery).outlets.set_fallback(Box::new(ProbeSink(Arc::clone(&fallback))));
    (rig, fallback)
}

#[test]
fn a_marker_goes_where_the_lines_go_and_is_told_and_counted_once() {
    let (rig, fallback) = with_fallback(|_| {});
    rig.probe.script(|script| script.room = Some(0));
    storm(&rig, 3);
    assert_eq!(fallback.text(), "x\n".repeat(5));
    rig.advance(SEC);
    let expected = "x\n".repeat(5) + "<3: 0 0 3 0 0 drop_newest>\n";
    assert_eq!((rig.probe.text(), fallback.text()), (String::new(), expected.clone()));
    let m = rig.metrics();
    assert_eq!((m.markers, m.dropped, m.written, m.diverted), (1, 3, 5, 5));
    assert_eq!(m.bytes_written as usize, expected.len());
    rig.probe.script(|script| script.room = None);
    rig.send("y").unwrap();
    rig.advance(SEC);
    rig.shared.shutdown(Duration::MAX).unwrap();
    assert_eq!((rig.probe.text(), fallback.text()), ("y\n".into(), expected));
    assert_eq!((rig.metrics().markers, rig.metrics().state), (1, State::Healthy));
}

#[test]
fn lines_dropped_while_the_fallback_is_slow_are_marked_in_it() {
    let (rig, fallback) = with_fallback(|_| {});
    rig.advance(SEC);
    rig.probe.script(|script| script.room = Some(0));
    rig.send("x").unwrap();
    rig.quiet();
    assert_eq!(fallback.text(), "x\n");
    let calls = fallback.script(|script| {
        script.gate = true;
        script.calls
    });
    rig.send("x").unwrap();
    rig.shared.advance(100 * MS);
    rig.until(|_| fallback.script(|script| script.calls > calls));
    assert_eq!(send(&rig, 6), 4);
    fallback.script(|script| script.gate = false);
    rig.until(|inner| inner.queue.is_empty());
    rig.quiet();
    rig.advance(SEC);
    let expected = "x\n".repeat(6) + "<2: 0 0 2 0 0 drop_newest>\n";
    assert_eq!((rig.probe.text(), fallback.text()), (String::new(), expected));
    assert_eq!((rig.metrics().markers, rig.metrics().dropped), (1, 2));
}

#[test]
fn a_marker_that_is_partly_out_is_whole_in_the_fallback_and_closed_in_the_sink() {
    let (rig, fallback) = with_fallback(|_| {});
    storm(&rig, 2);
    rig.probe.script(|script| script.room = Some(5));
    rig.advance(SEC);
    assert!(rig.probe.text().ends_with("x\n<2: 0"), "{}", rig.probe.text());
    assert_eq!(fallback.text(), "<2: 0 0 2 0 0 drop_newest>\n");
    assert_eq!(rig.metrics().markers, 1);
    rig.probe.script(|script| script.room = None);
    rig.send("y").unwrap();
    rig.advance(SEC);
    assert!(rig.probe.text().ends_with("x\n<2: 0\ny\n"), "{}", rig.probe.text());
    assert_eq!((rig.metrics().markers, rig.metrics().diverted), (1, 0));
}

#[test]
fn what_no_marker_has_told_goes_to_the_fallback_at_the_end() {
    let (rig, fallback) = with_fallback(|c| c.fail_after = 3600 * SEC);
    rig.advance(SEC);
    rig.probe.script(|script| script.room = Some(0));
    rig.send("x").unwrap();
    rig.until(|inner| inner.state == State::Retrying);
    let taken = 1 + send(&rig, 10);
    let m = rig.metrics();
    assert!(m.dropped > 0);
    let ended = rig.spawn(|shared| shared.shutdown(Duration::ZERO));
    rig.until(|inner| inner.ended);
    ended.join().unwrap().unwrap();
    let text = fallback.text();
    let markers: Vec<_> = text.lines().filter(|line| line.starts_with('<')).collect();
    let dropped = m.dropped;
    assert_eq!(markers, [format!("<{dropped}: 0 0 {dropped} 0 0 drop_newest>")]);
    assert_eq!(text.lines().count(), taken + 1);
    assert_eq!((rig.metrics().markers, rig.metrics().lost), (1, 0));
    assert_eq!(rig.probe.text(), "");
}

#[test]
fn a_marker_alone_goes_to_the_fallback_at_the_end() {
    let (rig, fallback) = with_fallback(|c| c.fail_after = 3600 * SEC);
    storm(&rig, 2);
    rig.probe.script(|script| script.room = Some(0));
    rig.advance(SEC);
    assert_eq!(rig.metrics().state, State::Retrying);
    let ended = rig.spawn(|shared| shared.shutdown(Duration::ZERO));
    rig.until(|inner| inner.ended);
    ended.join().unwrap().unwrap();
    assert_eq!(fallback.text(), "<2: 0 0 2 0 0 drop_newest>\n");
    assert_eq!((rig.metrics().markers, rig.markers().len()), (1, 0));
}

#[test]
fn an_encoder_that_panics_costs_its_marker_and_nothing_else() {
    let rig = Rig::new(|c| (c.max_queue_size, c.queue_policy) = (4, QueuePolicy::DropNewest));
    let encode: Encode = Box::new(|_, line| {
        line.extend_from_slice(b"half a mar");
        panic!("on purpose")
    });
    assert!(rig.shared.callbacks.marker.0.set(Some(encode)).is_ok());
    storm(&rig, 1);
    rig.advance(SEC);
    rig.advance(SEC);
    let m = rig.metrics();
    assert_eq!((m.markers, m.callback_panics, rig.quiet()), (0, 1, None));
    assert!(!rig.probe.text().contains("half"));
}

/// Failed where each send waits for longer than a second, as with a sink that hangs: `on_drop` was
/// called for each line that it sent itself, and the sender never came back.
#[test]
fn what_on_drop_sends_itself_it_is_told_of_later() {
    for synchronous in [false, true] {
        let mut rig = Rig::without_worker(|c| {
            (c.max_queue_size, c.queue_policy) = (1, QueuePolicy::DropNewest);
            c.synchronous = synchronous;
        });
        let heard = Arc::new(Mutex::new(Vec::new()));
        let (itself, drops) = (Arc::new(OnceLock::<Weak<Shared>>::new()), Arc::clone(&heard));
        let of_itself = Arc::clone(&itself);
        let on_drop = move |lines| {
            drops.lock().unwrap().push(lines);
            assert!(drops.lock().unwrap().len() < 5, "calls for itself");
            let shared = of_itself.wait().upgrade().unwrap();
            shared.advance(SEC);
            assert_eq!(crate::testing::send(&shared, "from on_drop"), Ok(false));
        };
        let callbacks = Callbacks { on_drop: Some(Box::new(on_drop)), ..Callbacks::default() };
        Arc::get_mut(&mut rig.shared).unwrap().callbacks = Arc::new(callbacks);
        itself.set(Arc::downgrade(&rig.shared)).unwrap();
        rig.probe.script(|script| script.room = Some(1));
        assert_eq!(rig.send("abc"), Ok(true), "there is no room behind it");
        assert_eq!(rig.send("d"), Ok(false));
        assert_eq!(*heard.lock().unwrap(), [1], "synchronous: {synchronous}");
        rig.shared.advance(SEC);
        assert_eq!(rig.send("e"), Ok(false));
        assert_eq!(*heard.lock().unwrap(), [1, 2], "synchronous: {synchronous}");
        assert_eq!(rig.metrics().dropped, 4);
    }
}

/// Failed: dropping the guard of a program whose disk was full took five seconds.
#[test]
fn no_shutdown_waits_for_a_target_that_has_failed_with_a_marker_alone() {
    let rig = rig(|c| c.fail_after = Duration::ZERO);
    storm(&rig, 3);
    rig.probe.script(|script| script.room = Some(0));
    rig.advance(SEC);
    assert_eq!(rig.metrics().state, State::Failed);
    assert!(rig.shared.shutdown(Duration::MAX).is_ok(), "no line was lost");
    assert_eq!((rig.metrics().markers, rig.metrics().errors), (0, 2));
}

#[test]
fn an_episode_ends_when_there_was_room_again_after_its_last_line() {
    let rig = Rig::without_worker(|_| {});
    let (mut inner, now) = (rig.shared.lock(), rig.shared.clock.now());
    let moment = || {
        let before = SystemTime::now();
        while SystemTime::now() == before {}
        SystemTime::now()
    };
    let drop_one = |inner: &mut Inner| {
        inner.note_losses(&[0, 0, 1, 0, 0], QueuePolicy::DropNewest, || now);
    };
    drop_one(&mut inner);
    inner.watch_losses(|| now);
    drop_one(&mut inner);
    let last = moment();
    inner.watch_losses(|| now);
    let after = moment();
    let losses = inner.take_losses().unwrap();
    assert!(last <= losses.until && losses.until < after);
}

#[test]
fn a_queue_without_room_for_a_line_keeps_the_episode_open_however_empty_it_is() {
    let rig = Rig::without_worker(|_| {});
    let (mut inner, start) = (rig.shared.lock(), rig.shared.clock.now());
    inner.note_losses(&[0, 0, 1, 0, 0], QueuePolicy::DropNewest, || start);
    inner.no_room = true;
    assert_eq!(inner.calm_at(), None);
    inner.watch_losses(|| start + SEC);
    inner.no_room = false;
    assert_eq!(inner.calm_at(), Some(start + SEC + CALM));
}

#[test]
fn what_no_marker_has_told_comes_also_where_the_end_of_the_process_writes() {
    let rig = Rig::without_worker(|c| {
        c.max_queue_size = 2;
        c.queue_policy = QueuePolicy::DropNewest;
    });
    mark(&rig);
    for _ in 0..5 {
        rig.send("line").unwrap();
    }
    let until = rig.shared.clock.now() + SEC;
    let drained = crate::sync::lock(&rig.shared.delivery).drain(&rig.shared, until);
    assert_eq!(drained, crate::delivery::Drained::All);
    assert_eq!(rig.metrics().markers, 1);
    assert_eq!(rig.markers().len(), 1);
}
