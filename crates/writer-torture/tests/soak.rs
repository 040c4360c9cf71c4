//! A long run with a random fault now and then.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::disallowed_macros)]

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use writer_core::Strategy;
use writer_torture::rig::{Running, Seen, Tmpfs, Torture, figure, pause, random_below, row};
use writer_torture::verify::Allowed;

/// How long, from `WRITER_SOAK_MINUTES`; else five minutes, or some seconds in the small form.
fn length() -> Duration {
    let minutes = std::env::var("WRITER_SOAK_MINUTES").ok().and_then(|text| text.parse().ok());
    minutes.map_or(Duration::from_secs(figure(3, 300)), |minutes: u64| {
        Duration::from_secs(60 * minutes)
    })
}

/// What a process holds at a moment of its run.
#[derive(Debug, Clone, Copy)]
struct Sample {
    /// Since the first fault.
    at: Duration,
    /// Memory that is no part of a file, so without the window of a mapping, in KiB.
    memory: u64,
    open_files: usize,
}

fn sample(process: u32, at: Duration) -> Sample {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let memory = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    let memory = memory.trim().trim_end_matches(" kB").parse().unwrap();
    let open_files = fs::read_dir(format!("/proc/{process}/fd")).unwrap().count();
    Sample { at, memory, open_files }
}

/// By how much the memory may grow after the first fault, in KiB. Allocator and threads take their
/// share late: a run must be long for its slope to say something.
const MAY_GROW: u64 = 4 << 10;

/// How long a strategy must run for a limit to the slope, and that limit, in KiB an hour.
const LONG: Duration = Duration::from_secs(2 * 3600);
const MAY_CLIMB: f64 = 1024.0;

/// The slope, in KiB an hour, of the straight line through the samples of the second half.
fn slope(samples: &[Sample]) -> f64 {
    let half = &samples[samples.len() / 2..];
    let points = || half.iter().map(|s| (s.at.as_secs_f64() / 3600.0, s.memory as f64));
    let mean = |values: &mut dyn Iterator<Item = f64>| values.sum::<f64>() / half.len() as f64;
    let (x, y) = (mean(&mut points().map(|p| p.0)), mean(&mut points().map(|p| p.1)));
    let covariance: f64 = points().map(|p| (p.0 - x) * (p.1 - y)).sum();
    covariance / points().map(|p| (p.0 - x).powi(2)).sum::<f64>()
}

/// How the memory grew in a run of this length, in words.
///
/// # Panics
///
/// It grew by more than it may.
fn growth(samples: &[Sample], time: Duration) -> String {
    let [first, .., last] = samples else { panic!("two samples at least") };
    let (grown, slope) = (last.memory.saturating_sub(first.memory), slope(samples));
    assert!(grown < MAY_GROW, "{grown} KiB more: {samples:?}");
    if time < LONG {
        return format!("+{grown} KiB");
    }
    assert!(slope < MAY_CLIMB, "{slope:.0} KiB an hour: {samples:?}");
    format!("+{grown} KiB, in the second half {slope:.0} KiB an hour")
}

/// Does something to the process or its disk; what it is called.
fn disturb(running: &mut Running, filler: &Path) -> &'static str {
    match random_below(3) {
        0 => {
            running.signal(Signal::STOP);
            pause(Duration::from_millis(300));
            running.signal(Signal::CONT);
            "stopped"
        }
        1 => {
            // Until nothing more fits; how much did is of no interest.
            let _ = fs::write(filler, vec![0; 512 << 20]);
            pause(Duration::from_millis(500));
            fs::remove_file(filler).unwrap();
            "disk full"
        }
        _ => {
            // The same load under pressure: a second process busy on the same file system.
            let until = Instant::now() + Duration::from_millis(300);
            while Instant::now() < until {
                fs::write(filler, vec![0; 1 << 16]).unwrap();
            }
            fs::remove_file(filler).unwrap();
            "busy disk"
        }
    }
}

#[test]
fn g09_a_soak_with_random_faults() {
    let time = length();
    let expected = if time / 3 >= LONG {
        format!("by less than {MAY_CLIMB} KiB an hour in the second half of each third")
    } else {
        let unseen = MAY_GROW as f64 / 1024.0 * 3600.0 / (time / 3).as_secs_f64();
        format!("a climb of less than {unseen:.0} MiB an hour cannot be seen in this time")
    };
    row(
        "G9",
        &format!(
            "{time:?} in all, a third for each strategy; 4 threads; now and then a fault: \
                  full or busy disk, SIGSTOP"
        ),
        &format!(
            "identity exact; memory grows by less than 4 MiB after the first fault, {expected}; \
             number of open files constant"
        ),
        || {
            let mut seen = Vec::new();
            for &strategy in Strategy::ALL {
                seen.push(soak(strategy, time / 3)?);
            }
            Ok(seen.join("; "))
        },
    );
}

fn soak(strategy: Strategy, time: Duration) -> Seen {
    let disk = Tmpfs::mount(512 << 20)?;
    let path = disk.join("log");
    // About 1.5 MB a second: a third of half an hour fills no disk for good.
    let mut running = Torture::new(env!("CARGO_BIN_EXE_torture"), &path)
        .args(format!("--strategy {strategy} --threads 4 --per-thread 0 --pause 2ms --rec 200"))
        .args("--flush-every 500 --exit-after eof --fail-after 60s --cap 1000")
        .start();
    let mut faults = Vec::new();
    let mut samples = Vec::new();
    let mut began = None;
    let times = figure(2, 10);
    for _ in 0..times {
        // Between two faults a few looks at the memory, which make a slope.
        for _ in 0..10 {
            pause(time / u32::try_from(10 * times).unwrap());
            if let Some(began) = began {
                samples.push(sample(running.id(), Instant::elapsed(&began)));
            }
        }
        faults.push(disturb(&mut running, &disk.join("filler")));
        assert!(running.is_alive(), "it died after {faults:?}");
        began.get_or_insert_with(Instant::now);
    }
    samples.push(sample(running.id(), began.map_or(time, |began| began.elapsed())));
    running.close_input();
    let ended = running.finish().expect_code(0);
    let found = ended.verify(&path, &Allowed::default());
    assert_eq!((ended.count("lost"), ended.count("dropped")), (0, 0), "{faults:?}");
    // A moment may see one more, of somebody in the process who reads its counters.
    let files = |half: &[Sample]| half.iter().map(|sample| sample.open_files).min();
    let (first, second) = samples.split_at(samples.len() / 2);
    assert_eq!(files(first), files(second), "open files: {samples:?}");
    let growth = growth(&samples, time);
    Ok(format!(
        "{strategy}: {} records, {} faults, {} reports, {growth}",
        found.records,
        faults.len(),
        ended.errors.len()
    ))
}

#[test]
fn a_leak_is_seen_in_hours_and_noise_is_none() {
    let hours = |hours: u64, leak: fn(f64) -> f64| {
        let minute = |minute| {
            let (at, noise) = (Duration::from_secs(60 * minute), minute * 7_919 % 500);
            let memory = 9_000 + noise + leak(minute as f64 / 60.0) as u64;
            Sample { at, memory, open_files: 9 }
        };
        let samples: Vec<_> = (0..=60 * hours).map(minute).collect();
        std::panic::catch_unwind(|| growth(&samples, Duration::from_secs(3600 * hours))).ok()
    };
    // What comes early and stays is no leak; a climb of 1.5 MiB an hour is one, and one that is
    // steeper is seen earlier.
    let settles = |at: f64| if at > 0.5 { 3_000.0 } else { 0.0 };
    assert!(hours(2, settles).is_some_and(|said| said.contains("in the second half")));
    assert!(hours(1, |at| 1_536.0 * at).is_some());
    assert_eq!(hours(2, |at| 1_536.0 * at), None);
    assert_eq!(hours(1, |at| 8_192.0 * at), None);
}
