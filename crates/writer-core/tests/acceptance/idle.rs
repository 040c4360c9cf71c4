//! Acceptance case A-34, in a process of its own: an idle writer costs next to nothing.

use std::thread;
use std::time::{Duration, Instant};

use crate::common::{self, LIMIT, Target, eventually};
use writer_core::{Mode, Strategy, Writer, WriterGuard};

/// The processor time of this process so far.
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    Duration::from_millis(ticks * 10)
}

#[test]
fn a_34_an_idle_writer_sleeps() {
    if !common::is_child() {
        common::run_alone("idle::a_34_an_idle_writer_sleeps", &[]);
        return;
    }
    let modes = [
        (Mode::Trigger, Strategy::BlockBuffered, Duration::from_millis(100)),
        (Mode::Trigger, Strategy::BlockBuffered, Duration::ZERO),
        (Mode::Trigger, Strategy::LineBuffered, Duration::from_millis(100)),
        (Mode::Manual, Strategy::BlockBuffered, Duration::from_millis(100)),
        (Mode::Loop, Strategy::BlockBuffered, Duration::from_millis(100)),
    ];
    let targets: Vec<_> = modes.iter().map(|_| Target::new()).collect();
    let writers: Vec<_> = modes
        .iter()
        .zip(&targets)
        .map(|(&(mode, strategy, interval), target)| {
            let builder = target.builder().mode(mode).strategy(strategy);
            builder.flush_interval(interval).build().unwrap()
        })
        .collect();
    // One line, so that what comes after a write is over too.
    for ((writer, _), target) in writers.iter().zip(&targets) {
        writer.send("x").unwrap();
        writer.trigger();
        eventually("the line is out", || target.count_so_far() == 1);
    }

    // A busy machine is late with what follows a write, and time that it takes from a virtual
    // machine counts as used. A writer that does not rest has no quiet second at all.
    let start = Instant::now();
    loop {
        let (woke, used) = one_second(&writers);
        // Trigger and Manual sleep through, Loop ticks.
        let rests = woke[..4] == [0; 4] && woke[4] >= 1 && used < Duration::from_millis(50);
        if rests {
            break;
        }
        assert!(start.elapsed() < LIMIT, "{woke:?} wake-ups, {used:?} of processor time");
    }
}

/// How often each worker wakes in a second, and the processor time of all.
fn one_second(writers: &[(Writer, WriterGuard)]) -> (Vec<u64>, Duration) {
    let wakes = || writers.iter().map(|(writer, _)| writer.metrics().wake_count);
    let (before, cpu) = (wakes().collect::<Vec<_>>(), cpu_time());
    thread::sleep(Duration::from_secs(1));
    let used = cpu_time() - cpu;
    (wakes().zip(before).map(|(now, before)| now - before).collect(), used)
}
