//! When a loss marker comes without a worker.

use super::*;

/// A rig that drops what its sink does not take.
fn rig(change: impl FnOnce(&mut crate::Config)) -> Rig {
    let rig = Rig::without_worker(|c| {
        (c.synchronous, c.queue_policy) = (true, QueuePolicy::DropNewest);
        change(c);
    });
    mark(&rig);
    rig
}

#[test]
fn the_marker_follows_a_line_that_is_written_again() {
    let rig = rig(|_| {});
    rig.probe.script(|script| script.room = Some(0));
    for _ in 0..3 {
        assert_eq!(rig.send("no"), Ok(false));
    }
    rig.probe.script(|script| script.room = None);
    assert_eq!(rig.send("a"), Ok(true));
    assert_eq!(rig.probe.text(), "a\n", "at most one a second");
    rig.shared.advance(SEC);
    assert_eq!(rig.send("b"), Ok(true));
    assert_eq!(rig.probe.text(), "a\nb\n<3: 0 0 3 0 0 drop_newest>\n");
    rig.probe.script(|script| script.room = Some(0));
    assert_eq!(rig.send("no"), Ok(false));
    rig.probe.script(|script| script.room = None);
    rig.shared.shutdown_now(Duration::MAX).unwrap();
    assert_eq!(rig.markers()[1..], ["<1: 0 0 1 0 0 drop_newest>"]);
    assert_eq!(rig.metrics().markers, 2);
}

/// Failed: dropping the guard of a program whose disk was full took five seconds.
#[test]
fn no_shutdown_waits_for_a_target_that_has_failed_with_a_marker_alone() {
    let rig = rig(|c| c.fail_after = Duration::ZERO);
    rig.probe.script(|script| script.room = Some(0));
    assert_eq!(rig.send("no"), Ok(false));
    let ended = rig.spawn(|shared| shared.shutdown_now(Duration::MAX));
    rig.until(|_| ended.is_finished());
    assert!(ended.join().unwrap().is_ok(), "no line was lost");
    assert_eq!((rig.metrics().markers, rig.metrics().errors), (0, 2));
}

#[test]
fn a_marker_alone_goes_to_the_fallback_at_the_end() {
    let rig = rig(|_| {});
    let fallback = Arc::new(Probe::default());
    lock(&rig.shared.delivery).outlets.set_fallback(Box::new(ProbeSink(Arc::clone(&fallback))));
    rig.probe.script(|script| script.room = Some(0));
    assert_eq!(rig.send("no"), Ok(false), "it has not failed for good");
    rig.shared.shutdown_now(Duration::ZERO).unwrap();
    assert_eq!(fallback.text(), "<1: 0 0 1 0 0 drop_newest>\n");
    assert_eq!((rig.metrics().markers, rig.probe.text()), (1, String::new()));
}

/// Failed: a fallback that could not be flushed was told of, although nothing was for it.
#[test]
fn a_fallback_has_no_part_in_a_line_that_was_taken_and_not_flushed() {
    let rig = rig(|_| {});
    let fallback = Arc::new(Probe::default());
    lock(&rig.shared.delivery).outlets.set_fallback(Box::new(ProbeSink(Arc::clone(&fallback))));
    for probe in [&rig.probe, &fallback] {
        probe.script(|script| script.flush_fails = true);
    }
    assert_eq!(rig.send("a"), Ok(true));
    rig.shared.shutdown_now(Duration::ZERO).unwrap();
    assert_eq!((rig.probe.text(), rig.metrics().errors), ("a\n".to_owned(), 2));
}

#[test]
fn markers_that_fail_are_all_written_later() {
    let rig = rig(|_| {});
    let refuse = || {
        rig.probe.script(|script| script.room = Some(0));
        assert_eq!(rig.send("no"), Ok(false));
        rig.shared.advance(SEC);
    };
    refuse();
    // Room for the line and two bytes of the marker.
    rig.probe.script(|script| script.room = Some(4));
    assert_eq!(rig.send("a"), Ok(true));
    refuse();
    rig.probe.script(|script| script.room = None);
    assert_eq!(rig.send("b"), Ok(true));
    let marker = "<1: 0 0 1 0 0 drop_newest>\n";
    assert_eq!(rig.probe.text(), format!("a\n{marker}b\n{marker}"));
    assert_eq!(rig.metrics().markers, 2);
}
