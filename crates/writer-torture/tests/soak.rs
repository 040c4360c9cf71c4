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

/// Resident memory in KiB, and open files.
fn resources(process: u32) -> (u64, usize) {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let resident = resident.trim().trim_end_matches(" kB").parse().unwrap();
    (resident, fs::read_dir(format!("/proc/{process}/fd")).unwrap().count())
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
    row(
        "G9",
        &format!(
            "{time:?} in all, a third for each strategy; 4 threads; now and then a fault: \
                  full or busy disk, SIGSTOP"
        ),
        "identity exact; memory grows by less than 4 MiB after the first fault; number of \
         open files constant",
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
    let mut first = None;
    let mut last = (0, 0);
    let times = figure(2, 10);
    for _ in 0..times {
        pause(time / u32::try_from(times).unwrap());
        faults.push(disturb(&mut running, &disk.join("filler")));
        assert!(running.is_alive(), "it died after {faults:?}");
        // The descriptors of this moment may include one that reads the counters of the process.
        last = resources(running.id());
        first.get_or_insert(last);
    }
    running.close_input();
    let ended = running.finish().expect_code(0);
    let found = ended.verify(&path, &Allowed::default());
    assert_eq!((ended.count("lost"), ended.count("dropped")), (0, 0), "{faults:?}");
    let first = first.unwrap_or_default();
    assert_eq!(first.1, last.1, "open files");
    // A mapping counts its own window, of 32 MiB, as resident while it fills.
    let window = if strategy == Strategy::MemoryMapped { 32 << 10 } else { 0 };
    let grown = last.0.saturating_sub(first.0);
    assert!(grown < (4 << 10) + window, "{strategy}: {grown} KiB more");
    Ok(format!(
        "{strategy}: {} records, {} faults, {} reports, +{grown} KiB",
        found.records,
        faults.len(),
        ended.errors.len()
    ))
}
