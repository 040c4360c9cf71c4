//! A writer that has nothing to do does next to nothing.

use std::time::Duration;

use writer_core::{Mode, Strategy, Writer};

use crate::Test;
use crate::child::{self, Args, say};

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
            roles.push((format!("{strategy} {mode} {interval} {tick}"), mode, tick, role, folder));
        }
    }
    for (label, mode, tick, role, _folder) in roles {
        let outcome = role.finish();
        outcome.expect_code(0);
        let figure = |name: &str| -> u64 {
            outcome.said.iter().find_map(|word| word.strip_prefix(name)).unwrap().parse().unwrap()
        };
        let (wakes, cpu, millis) = (figure("wakes="), figure("cpu="), figure("millis="));
        assert!(cpu < MOST_CPU.as_micros() as u64, "{label}: {cpu} us of processor time");
        match mode {
            Mode::Loop => {
                let ticks = millis / tick;
                // A busy machine skips ticks; none come on top.
                let allowed = ticks / 4..=ticks + 2;
                assert!(allowed.contains(&wakes), "{label}: {wakes} wake-ups in {millis} ms");
            }
            _ => assert_eq!(wakes, 0, "{label}"),
        }
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
    writer.flush(Duration::from_secs(5)).unwrap();
    std::thread::sleep(AFTER_EFFECTS);
    let (wakes, cpu) = (writer.metrics().wake_count, cpu_time());
    let start = std::time::Instant::now();
    std::thread::sleep(MEASURED);
    let (wakes, cpu) = (writer.metrics().wake_count - wakes, cpu_time() - cpu);
    say(format_args!("wakes={wakes}"));
    say(format_args!("cpu={}", cpu.as_micros()));
    say(format_args!("millis={}", start.elapsed().as_millis()));
    drop(guard);
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
