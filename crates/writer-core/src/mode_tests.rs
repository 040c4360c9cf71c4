use super::*;
use crate::axes::QueuePolicy;

const MS: Duration = Duration::from_millis(1);

fn rhythm(mode: Mode, change: impl Fn(&mut Config)) -> (Rhythm, Instant) {
    let start = Instant::now();
    let mut config = Config { mode, ..Config::default() };
    change(&mut config);
    (Rhythm::new(&config, false, start), start)
}

fn lines(lines: usize) -> Look {
    Look { lines, ..Look::default() }
}

#[test]
fn trigger_decides_by_size_then_time_then_traffic() {
    let (rhythm, start) = rhythm(Mode::Trigger, |_| {});
    let end = start + 100 * MS;
    let busy = |n| Look { busy: true, ..lines(n) };
    let full = |n| Look { full: true, ..lines(n) };
    let at = |ms| start + ms * MS;
    for (look, now, expected) in [
        (lines(0), at(0), Verdict::Wait(None, 1)),
        (lines(0), at(500), Verdict::Wait(None, 1)),
        (lines(1), at(0), Verdict::Wait(Some(end), 100)),
        (lines(99), at(99), Verdict::Wait(Some(end), 100)),
        (lines(100), at(0), Verdict::Write),
        (lines(1), at(100), Verdict::Write),
        (lines(1), at(5000), Verdict::Write),
        (full(5), at(0), Verdict::Write),
        (full(0), at(0), Verdict::Wait(None, 1)),
        (busy(1), at(0), Verdict::Nap(at(1))),
        (busy(0), at(50), Verdict::Nap(at(51))),
        (busy(1), at(99) + MS / 2, Verdict::Nap(end)),
    ] {
        assert_eq!(rhythm.decide(&look, now), expected, "{look:?} after {:?}", now - start);
    }
}

#[test]
fn trigger_counts_from_the_last_flush_and_never_restarts() {
    let (mut rhythm, start) = rhythm(Mode::Trigger, |_| {});
    rhythm.flushed(start + 70 * MS);
    rhythm.go_on();
    assert_eq!(
        rhythm.decide(&lines(1), start + 150 * MS),
        Verdict::Wait(Some(start + 170 * MS), 100)
    );
    assert_eq!(rhythm.decide(&lines(1), start + 170 * MS), Verdict::Write);
}

#[test]
fn trigger_without_interval_or_batch_waits_for_the_other() {
    let (by_size, start) = rhythm(Mode::Trigger, |c| c.flush_interval = None);
    assert_eq!(by_size.decide(&lines(99), start + 1_000_000 * MS), Verdict::Wait(None, 100));
    let (by_time, start) = rhythm(Mode::Trigger, |c| c.batch_size = 0);
    assert_eq!(
        by_time.decide(&lines(1_000_000), start),
        Verdict::Wait(Some(start + 100 * MS), usize::MAX)
    );
    let (at_once, start) = rhythm(Mode::Trigger, |c| c.flush_interval = Some(Duration::ZERO));
    assert_eq!(at_once.decide(&lines(1), start), Verdict::Write);
    assert_eq!(at_once.decide(&lines(0), start), Verdict::Wait(None, 1));
    let (for_ever, start) = rhythm(Mode::Trigger, |c| c.flush_interval = Some(Duration::MAX));
    assert_eq!(for_ever.decide(&lines(1), start), Verdict::Wait(None, 100));
}

#[test]
fn at_once_has_no_naps() {
    let start = Instant::now();
    let rhythm = Rhythm::new(&Config::default(), true, start);
    let look = Look { busy: true, ..lines(0) };
    assert_eq!(rhythm.decide(&look, start), Verdict::Wait(None, 1));
    assert_eq!(rhythm.decide(&lines(1), start), Verdict::Write);
}

#[cfg(not(windows))]
#[test]
fn trigger_gathers_what_came_during_a_write_unless_it_is_much_or_not_due() {
    let start = Instant::now();
    for at_once in [false, true] {
        let config = Config { batch_size: 9, ..Config::default() };
        let mut rhythm = Rhythm::new(&config, at_once, start);
        rhythm.flushed(start);
        assert_eq!(rhythm.decide(&lines(0), start), Verdict::Wait(None, 1));
        assert_eq!(rhythm.decide(&lines(9), start), Verdict::Nap(start + GATHER));
        let late = start + 100 * MS;
        assert_eq!(rhythm.decide(&lines(8), late), Verdict::Nap(late + GATHER));
        for much in [Look { eighth_full: true, ..lines(9) }, Look { full: true, ..lines(9) }] {
            assert_eq!(rhythm.decide(&much, start), Verdict::Write);
        }
        if !at_once {
            let until = Some(start + 100 * MS);
            assert_eq!(rhythm.decide(&lines(8), start), Verdict::Wait(until, 9));
        }
        rhythm.go_on();
        assert_eq!(rhythm.decide(&lines(9), start), Verdict::Write);
    }
}

#[test]
fn echoes_make_no_write_due_before_their_time() {
    let (rhythm, start) = rhythm(Mode::Trigger, |c| c.batch_size = 1);
    let until = start + 300 * MS;
    let look = |lines| Look { lines, echoes: 2, echoes_until: Some(until), ..Look::default() };
    let late = start + 200 * MS;
    assert_eq!(rhythm.decide(&look(2), late), Verdict::Wait(Some(until), 3));
    assert_eq!(rhythm.decide(&look(3), late), Verdict::Write);
    assert_eq!(rhythm.decide(&look(2), until), Verdict::Write);
}

/// Eleven lines waited for a batch of ten, five of them for ever.
#[test]
fn echoes_beside_lines_are_waited_for_until_they_count() {
    let (rhythm, start) = rhythm(Mode::Trigger, |c| (c.batch_size, c.flush_interval) = (10, None));
    let grown = start + 100 * MS;
    let look = Look { echoes: 5, echoes_until: Some(grown), ..lines(11) };
    assert_eq!(rhythm.decide(&look, start), Verdict::Wait(Some(grown), 15));
    assert_eq!(rhythm.decide(&look, grown), Verdict::Write);
    let few = Look { lines: 9, ..look };
    assert_eq!(rhythm.decide(&few, grown), Verdict::Wait(None, 10));
}

#[test]
fn loop_writes_at_ticks_only_and_skips_missed_ones() {
    let (mut rhythm, start) = rhythm(Mode::Loop, |c| c.tick = 30 * MS);
    let at = |ms| start + ms * MS;
    let mut at_time = |look: Look, ms| {
        rhythm.reach(at(ms));
        let verdict = rhythm.decide(&look, at(ms));
        rhythm.go_on();
        verdict
    };
    assert_eq!(at_time(lines(1000), 29), Verdict::Wait(Some(at(30)), usize::MAX));
    assert_eq!(at_time(lines(1000), 30), Verdict::Write);
    assert_eq!(at_time(lines(1000), 31), Verdict::Wait(Some(at(60)), usize::MAX));
    assert_eq!(at_time(lines(5), 65), Verdict::Wait(Some(at(90)), usize::MAX));
    assert_eq!(at_time(lines(5), 100), Verdict::Write);
    assert_eq!(at_time(lines(0), 1000), Verdict::Wait(Some(at(1020)), usize::MAX));
}

#[test]
fn a_tick_beyond_the_end_of_the_clock_never_comes() {
    let (mut rhythm, start) = rhythm(Mode::Loop, |c| c.tick = Duration::MAX);
    rhythm.reach(start);
    assert_eq!(rhythm.decide(&lines(1_000_000), start), Verdict::Wait(None, usize::MAX));
}

#[test]
fn loop_with_a_tick_as_long_as_the_interval_writes_at_every_tick() {
    let (mut rhythm, start) = rhythm(Mode::Loop, |c| c.tick = 100 * MS);
    for tick in 1..5 {
        let now = start + tick * 100 * MS;
        rhythm.reach(now);
        rhythm.flushed(now - MS);
        assert_eq!(rhythm.decide(&lines(1), now), Verdict::Write);
        rhythm.go_on();
    }
}

#[test]
fn a_full_queue_forces_a_write_in_manual_where_senders_wait_and_not_for_echoes() {
    let full = |n| Look { full: true, ..lines(n) };
    for (mode, policy, forced) in [
        (Mode::Manual, QueuePolicy::Block, true),
        (Mode::Manual, QueuePolicy::DropNewest, false),
        (Mode::Loop, QueuePolicy::Block, false),
        (Mode::Trigger, QueuePolicy::Block, false),
    ] {
        let (rhythm, start) = rhythm(mode, |c| c.queue_policy = policy);
        assert_eq!(rhythm.is_forced(&full(5), start), forced, "{mode} {policy}");
        assert!(!rhythm.is_forced(&lines(5), start), "{mode} {policy}");
        let until = Some(start + MS);
        let echoes = Look { echoes: 5, echoes_until: until, ..full(5) };
        assert!(!rhythm.is_forced(&echoes, start), "{mode} {policy}");
        assert_eq!(rhythm.is_forced(&echoes, start + MS), forced, "{mode} {policy}");
        assert_eq!(rhythm.wakes_when_full(), forced || mode == Mode::Trigger);
    }
}

#[test]
fn manual_writes_when_triggered_and_something_is_there() {
    let (rhythm, start) = rhythm(Mode::Manual, |_| {});
    let hour = start + Duration::from_secs(3600);
    let triggered = |n| Look { triggered: true, ..lines(n) };
    assert_eq!(rhythm.decide(&lines(1_000_000), hour), Verdict::Wait(None, usize::MAX));
    assert_eq!(rhythm.decide(&triggered(1), start), Verdict::Write);
    assert_eq!(rhythm.decide(&triggered(0), start), Verdict::Wait(None, usize::MAX));
}
