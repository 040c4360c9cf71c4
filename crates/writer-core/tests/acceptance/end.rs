//! Acceptance cases: stop, close, errors, environment.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::common::{
    self, Gate, LIMIT, NEVER, Paused, Target, TestSink, assert_ended, assert_snapshot, eventually,
    give_up, in_time, numbered, send_numbered, stays, text_of,
};
use writer_core::{
    FlushError, Mode, QueuePolicy, SendError, ShutdownError, State, Strategy, Writer,
};

const MS: Duration = Duration::from_millis(1);

#[test]
fn a_51_the_end_of_the_guards_scope_is_the_end_of_the_writer() {
    let target = Target::new();
    let (writer, guard) = target.builder().build().unwrap();
    {
        let guard = guard;
        send_numbered(guard.writer(), 0..2);
    }
    assert_eq!(target.lines(), numbered(0..2));
    for _ in 0..3 {
        writer.shutdown(Duration::ZERO).unwrap();
    }
    assert_eq!(target.lines(), numbered(0..2));
}

#[test]
fn a_52_a_shutdown_in_vain_says_what_is_left_and_a_later_one_succeeds() {
    let paused = Paused::with(|b| b);
    send_numbered(&paused.writer, 0..10);
    let start = Instant::now();
    let result = paused.guard.shutdown(500 * MS);
    let took = start.elapsed();
    assert!(matches!(result, Err(ShutdownError::Timeout { remaining: 11 })), "{result:?}");
    assert!(took >= 500 * MS && took < LIMIT, "{took:?}");
    assert!(paused.writer.is_running(), "the worker drains on");
    assert_eq!(paused.writer.send("late"), Err(SendError::Closed));
    let (lines, m) = paused.finish();
    assert_eq!(lines, numbered(0..10));
    assert_eq!((m.lost, m.rejected), (0, 1));
}

#[test]
fn a_53_a_send_after_the_stop_changes_nothing_but_a_counter() {
    for c in common::combinations() {
        let target = Target::new();
        let (writer, guard) = c.builder(&target).build().unwrap();
        send_numbered(&writer, 0..3);
        guard.shutdown(LIMIT).unwrap();
        for i in 1..=3 {
            assert_eq!(writer.send("late"), Err(SendError::Closed), "{c}");
            assert_eq!(writer.metrics().rejected, i, "{c}");
        }
        assert_eq!(writer.send_batch(["late", "later"]), Err(SendError::Closed), "{c}");
        writer.trigger();
        writer.flush(LIMIT).unwrap();
        assert_eq!(target.lines(), numbered(0..3), "{c}");
        // Of the batch the first line says that there is no point in sending the other.
        assert_ended(&writer.metrics(), 3 + 3 + 1);
    }
}

#[test]
fn a_54_three_failures_lose_and_double_nothing() {
    let (sink, record) = TestSink::failing(3);
    let (writer, guard) = Writer::to(sink).on_error(|_| {}).build().unwrap();
    send_numbered(&writer, 0..100);
    writer.flush(LIMIT).unwrap();
    assert!(writer.is_running());
    assert_eq!(record.lines(), numbered(0..100));
    guard.shutdown(LIMIT).unwrap();
    let m = writer.metrics();
    assert_ended(&m, 100);
    assert_eq!((m.errors, m.written, m.lost, m.state), (3, 100, 0, State::Healthy));
}

#[test]
fn a_54_a_sink_that_always_fails_does_not_hold_the_stop_up() {
    let (sink, record) = TestSink::answering(|_, _| Err(io::Error::other("no")));
    let (writer, guard) = Writer::to(sink).max_queue_size(10).on_error(|_| {}).build().unwrap();
    let senders: Vec<_> = (0..4)
        .map(|_| {
            let writer = writer.clone();
            thread::spawn(move || {
                let mut sent = 1;
                while writer.send("x").is_ok() {
                    sent += 1;
                }
                sent
            })
        })
        .collect();
    eventually("the senders wait", || writer.metrics().queue_len == 10);
    let start = Instant::now();
    let result = give_up(&guard, 200 * MS);
    let took = start.elapsed();
    let sent = in_time(move || senders.into_iter().map(|s| s.join().unwrap()).sum());
    let m = writer.metrics();
    assert!(matches!(result, Err(ShutdownError::Lost { lines }) if lines == m.lost), "{result:?}");
    assert!(took >= 200 * MS, "{took:?}");
    assert_ended(&m, sent);
    assert_eq!((m.lost, m.written, m.rejected), (m.enqueued, 0, 4));
    assert!(!writer.is_running());
    assert!(record.bytes().is_empty());
    // What was given up is said to everyone who asks.
    assert!(matches!(writer.flush(LIMIT), Err(FlushError::Lost { .. })));
}

/// Fails unless a shutdown ends between its time and 200 ms later. A busy machine is late, but not
/// each time. The sink is made anew for each try, and has met its fate when its gate is come to.
#[track_caller]
fn assert_shutdown_in_time(
    sink: impl Fn(Arc<Gate>) -> TestSink,
    expected: impl Fn(&Result<(), ShutdownError>) -> bool,
) {
    let mut tries = (0..20).map(|_| {
        let gate = Gate::new_closed();
        let (writer, guard) = Writer::to(sink(Arc::clone(&gate))).on_error(|_| {}).build().unwrap();
        send_numbered(&writer, 0..10);
        gate.wait_until_entered(1);
        let start = Instant::now();
        let result = guard.shutdown(50 * MS);
        let took = start.elapsed();
        gate.open();
        assert!(took >= 50 * MS, "{took:?}");
        (result, took)
    });
    let in_time = tries.any(|(result, took)| expected(&result) && took < 250 * MS);
    assert!(in_time, "longer than 250 ms, or another result, in each of 20 tries");
}

#[test]
fn a_54_a_shutdown_takes_its_time_and_at_most_200_ms_more() {
    let no = || Err(io::Error::other("no"));
    let time_is_over =
        |result: &Result<(), ShutdownError>| matches!(result, Err(ShutdownError::Timeout { .. }));

    // A write that does not come back.
    assert_shutdown_in_time(|gate| TestSink::recording().0.at_gate(&gate), time_is_over);

    // One that does not come back after one that failed: it is told to give up, in vain.
    let stuck_after_a_failure = |gate: Arc<Gate>| {
        let mut failed = false;
        let answer = move |lines: &[u8], _| match std::mem::replace(&mut failed, true) {
            false => no(),
            true => {
                gate.pass();
                Ok(lines.len())
            }
        };
        TestSink::answering(answer).0
    };
    assert_shutdown_in_time(stuck_after_a_failure, time_is_over);

    // Writes that fail, after the eighth of which the worker pauses for a second.
    let failing = |gate: Arc<Gate>| {
        let mut calls = 0;
        let answer = move |_: &[u8], _| {
            calls += 1;
            if calls == 8 {
                gate.open();
                gate.pass();
            }
            no()
        };
        TestSink::answering(answer).0
    };
    let all_lost = |result: &Result<(), ShutdownError>| {
        matches!(result, Err(ShutdownError::Lost { lines: 10 }))
    };
    assert_shutdown_in_time(failing, all_lost);
}

#[test]
fn a_55_settings_are_as_given_and_have_effect() {
    let target = Target::new();
    let (writer, _guard) = target
        .builder()
        .max_queue_size(5000)
        .batch_size(50)
        .flush_interval(50 * MS)
        .build()
        .unwrap();
    let config = writer.config();
    assert_eq!((config.max_queue_size, config.batch_size), (5000, 50));
    assert_eq!(config.flush_interval, Some(50 * MS));
    assert_eq!(config.path.as_deref(), Some(target.path.as_path()));
    send_numbered(&writer, 0..49);
    eventually("the interval has effect", || target.count_so_far() == 49);

    let target = Target::new();
    let (writer, _guard) = target.builder().batch_size(50).flush_interval(NEVER).build().unwrap();
    send_numbered(&writer, 0..50);
    eventually("the batch has effect", || target.count_so_far() == 50);
}

#[test]
fn a_56_a_flush_writes_at_once_in_every_mode() {
    for &mode in Mode::ALL {
        let target = Target::new();
        let (writer, guard) = target
            .builder()
            .mode(mode)
            .tick(NEVER)
            .batch_size(10_000)
            .flush_interval(NEVER)
            .build()
            .unwrap();
        writer.flush(Duration::ZERO).unwrap();
        assert_eq!(writer.metrics().flush_count, 0, "{mode}: nothing to flush");
        send_numbered(&writer, 0..200);
        stays(20 * MS, "nothing is due", || target.len() == 0);
        let mut sent = 200;
        for (more, flushes) in [(0, 1), (10, 2), (15, 3)] {
            send_numbered(&writer, sent..sent + more);
            sent += more;
            writer.flush(LIMIT).unwrap();
            assert_eq!(target.lines(), numbered(0..sent), "{mode}");
            assert_eq!(writer.metrics().flush_count, flushes, "{mode}");
            writer.flush(Duration::ZERO).unwrap();
            assert_eq!(writer.metrics().flush_count, flushes, "{mode}: nothing to flush");
        }
        guard.shutdown(LIMIT).unwrap();
        writer.flush(Duration::ZERO).unwrap();
    }
}

/// The child's side of the cases of the environment: builds a writer as told, and says how it went.
fn build_in_child(overrides: bool) {
    let target = Target::new();
    let builder = target
        .builder()
        .strategy(Strategy::MemoryMapped)
        .mode(Mode::Loop)
        .queue_policy(QueuePolicy::Warn);
    let builder = if overrides { builder.env_overrides("WRITER") } else { builder };
    let (writer, guard) = match builder.build() {
        Ok(built) => built,
        Err(error) => return println!("error: {error}"),
    };
    let config = writer.config();
    println!(
        "built {} {} {} {} {} {:?} {:?} {}",
        config.strategy,
        config.mode,
        config.queue_policy,
        config.max_queue_size,
        config.batch_size,
        config.flush_interval.unwrap(),
        config.tick,
        config.synchronous
    );
    if config.synchronous {
        for i in 0..10 {
            send_numbered(&writer, i..i + 1);
            assert_eq!(target.count_so_far(), i + 1, "written when send returns");
        }
    } else {
        send_numbered(&writer, 0..10);
    }
    if config.mode == Mode::Manual && !config.synchronous {
        stays(50 * MS, "empty without a trigger", || target.len() == 0);
    }
    drop(guard);
    check_ten_lines(&target.path);
}

fn check_ten_lines(path: &Path) {
    assert_eq!(common::lines_of(&std::fs::read(path).unwrap()), numbered(0..10));
}

#[test]
fn a_57_the_environment_beats_the_builder() {
    if common::is_child() {
        return build_in_child(true);
    }
    let name = "end::a_57_the_environment_beats_the_builder";
    let given = |variables: &[(&str, &str)]| text_of(&common::run_alone(name, variables));
    let defaults = "built mmap loop warn 10000 100 100ms 10ms false\n";

    let text = given(&[]);
    assert!(text.contains(defaults), "{text}");
    let text = given(&[("WRITER_TYPE", "line"), ("WRITER_MODE", "manual")]);
    assert!(text.contains("built line manual warn 10000 100 100ms 10ms false\n"), "{text}");
    let text = given(&[
        ("WRITER_ASYNC", "1"),
        ("WRITER_POLICY", "replace"),
        ("WRITER_QUEUE_SIZE", "77"),
        ("WRITER_BATCH_SIZE", "7"),
        ("WRITER_FLUSH_INTERVAL", "0.5s"),
        ("WRITER_TICK", "250us"),
    ]);
    assert!(text.contains("built mmap loop drop_oldest 77 7 500ms 250µs false\n"), "{text}");
    for strategy in ["line", "block", "mmap"] {
        let text = given(&[("WRITER_ASYNC", "0"), ("WRITER_TYPE", strategy)]);
        let expected = format!("built {strategy} loop warn 10000 100 100ms 10ms true\n");
        assert!(text.contains(&expected), "{text}");
    }
    for (variable, value) in [
        ("WRITER_ASYNC", "perhaps"),
        ("WRITER_TYPE", "tape"),
        ("WRITER_MODE", "later"),
        ("WRITER_POLICY", "hope"),
        ("WRITER_QUEUE_SIZE", "many"),
        ("WRITER_BATCH_SIZE", "-1"),
        ("WRITER_FLUSH_INTERVAL", "soon"),
        ("WRITER_TICK", "tock"),
    ] {
        let text = given(&[(variable, value)]);
        let error = text.lines().find(|line| line.contains("error:")).unwrap_or_default();
        assert!(error.contains(variable) && error.contains(value), "{text}");
    }
}

#[test]
fn a_57_without_the_call_the_environment_is_ignored() {
    if common::is_child() {
        return build_in_child(false);
    }
    let text = text_of(&common::run_alone(
        "end::a_57_without_the_call_the_environment_is_ignored",
        &[("WRITER_TYPE", "tape"), ("WRITER_MODE", "manual"), ("WRITER_ASYNC", "0")],
    ));
    assert!(text.contains("built mmap loop warn 10000 100 100ms 10ms false\n"), "{text}");
}

#[test]
fn lines_lost_in_between_fail_only_the_flush_that_waited_for_them() {
    let mut panics = 1;
    let (sink, record) = TestSink::answering(move |lines, _| {
        if panics > 0 {
            panics -= 1;
            panic!("the sink's own");
        }
        Ok(lines.len())
    });
    let (writer, guard) = Writer::to(sink).mode(Mode::Manual).on_error(|_| {}).build().unwrap();
    send_numbered(&writer, 0..3);
    let result = writer.flush(LIMIT);
    assert!(matches!(result, Err(FlushError::Lost { lines: 3 })), "{result:?}");
    send_numbered(&writer, 3..6);
    writer.flush(LIMIT).unwrap();
    assert_snapshot(&writer.metrics());
    guard.shutdown(LIMIT).unwrap();
    assert_eq!(record.lines(), numbered(3..6));
    let m = writer.metrics();
    assert_ended(&m, 6);
    assert_eq!((m.written, m.lost), (3, 3));
}
