//! A writer that has nothing to do does next to nothing.

use std::time::{Duration, Instant};

use writer_core::{Mode, Strategy, Writer};

use crate::Test;
use crate::child::{self, Args, LIMIT, say};

pub(crate) const TESTS: &[Test] =
    &[("idle::an_idle_writer_rests_in_every_mode", an_idle_writer_rests)];

/// After the last line the mapping is trimmed once, and a drop might be reported.
const AFTER_EFFECTS: Duration = Duration::from_secs(2);
const MEASURED: Duration = Duration::from_secs(1);
const MOST_CPU: Duration = Duration::from_millis(30);

fn an_idle_writer_rests() {
    let mut roles = Vec::new();
    for strategy in child::STRATEGIES {
        for (mode, interval, tick) in [
            (Mode::Trigger, 100, 10),
            (Mode::Trigger, 0, 10),
            (Mode::Manual, 100, 10),
            (Mode::Loop, 100, 10),
            (Mode::Loop, 100, 50),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let role = child::Role::start(
                "idle",
                &[
                    ("strategy", &strategy),
                    ("mode", &mode),
                    ("interval", &interval),
                    ("tick", &tick),
                    ("path", &folder.path().join("log").display()),
                ],
            );
            roles.push((format!("{strategy} {mode} {interval} {tick}"), role, folder));
        }
    }
    for (label, role, _folder) in roles {
        let outcome = role.finish();
        outcome.expect_code(0);
        assert_eq!(
            outcome.said.last().map(String::as_str),
            Some("rests"),
            "{label}: {:?}",
            outcome.said
        );
    }
}

pub(crate) fn play(args: &Args) {
    let strategy: Strategy = args.parse("strategy");
    let (writer, guard) = Writer::builder(args.path())
        .strategy(strategy)
        .mode(args.parse("mode"))
        .flush_interval(Duration::from_millis(args.parse("interval")))
        .tick(Duration::from_millis(args.parse("tick")))
        .build()
        .unwrap();
    assert_eq!(writer.send("a line"), Ok(true));
    writer.flush(LIMIT).unwrap();
    std::thread::sleep(AFTER_EFFECTS);
    // On a busy machine after-effects are late, ticks are skipped, and time that was taken from a
    // virtual one counts as used. A writer that does not rest has no quiet second at all.
    let start = Instant::now();
    while !rests(&writer, Duration::from_millis(args.parse("tick"))) && start.elapsed() < LIMIT {}
    drop(guard);
}

/// Measures a second, and says whether the writer did next to nothing in it.
fn rests(writer: &Writer, tick: Duration) -> bool {
    let (wakes, cpu, start) = (writer.metrics().wake_count, cpu_time(), Instant::now());
    std::thread::sleep(MEASURED);
    let (wakes, cpu) = (writer.metrics().wake_count - wakes, cpu_time() - cpu);
    let passed = start.elapsed();
    let ticks = (passed.as_millis() / tick.as_millis()) as u64;
    let woke_as_often_as_it_must = match writer.config().mode {
        // A busy machine skips ticks; none come on top.
        Mode::Loop => (ticks / 4..=ticks + 2).contains(&wakes),
        _ => wakes == 0,
    };
    let rests = woke_as_often_as_it_must && cpu < MOST_CPU;
    match rests {
        true => say("rests"),
        false => say(format_args!("{wakes} wake-ups and {cpu:?} of processor time in {passed:?}")),
    }
    rests
}

/// The processor time of this process so far, in user and in kernel mode.
fn cpu_time() -> Duration {
    // SAFETY: all bytes zero is a valid rusage, and it lives through the call.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        assert_eq!(libc::getrusage(libc::RUSAGE_SELF, &raw mut usage), 0);
        usage
    };
    let duration = |time: libc::timeval| {
        Duration::from_secs(time.tv_sec as u64) + Duration::from_micros(time.tv_usec as u64)
    };
    duration(usage.ru_utime) + duration(usage.ru_stime)
}
