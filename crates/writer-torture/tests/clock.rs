//! The clock of the wall is set while lines are written.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::disallowed_macros)]

use std::fs;
use std::path::Path;
use std::time::Duration;

use writer_core::Strategy;
use writer_torture::rig::{Ended, FakeClock, Seen, Skip, Torture, eventually, row};
use writer_torture::verify::Allowed;

/// An hour and ten years back, a day forward, to the epoch, before it, and right again.
const TIMES: [&str; 6] =
    ["-3600", "+86400", "-315360000", "@1970-01-01 00:00:01", "@1969-12-31 23:00:00", "+0"];

/// A run in which the clock is set under four busy threads, and they go on each time.
fn under_a_moving_clock(path: &Path, args: &str) -> Result<Ended, Skip> {
    let clock = FakeClock::new()?;
    clock.set("@2001-02-03 04:05:06")?;
    let mut torture = Torture::new(env!("CARGO_BIN_EXE_torture"), path)
        .args("--threads 4 --per-thread 0 --flush-every 20 --exit-after eof")
        .args(args);
    for (name, value) in clock.variables() {
        torture = torture.variable(name, value);
    }
    let mut running = torture.start();
    for time in TIMES {
        clock.set(time)?;
        let before = running.acks_so_far();
        let goes_on = eventually(Duration::from_secs(60), || running.acks_so_far() > before + 20);
        assert!(goes_on, "nothing more is flushed at {time}");
    }
    running.close_input();
    Ok(running.finish().expect_code(0))
}

#[test]
fn g33_a_clock_that_is_set_stops_nothing_and_disorders_nothing() {
    row(
        "G33",
        "faketime: an hour back, a day forward, ten years back, to the epoch, before it, right again, under \
         4 threads with flushes; 3 strategies, and a slow disk with loss markers",
        "no panic; every flush returns; all there, in order; no episode of losses ends before it began",
        || -> Seen {
            let mut seen = Vec::new();
            for strategy in Strategy::ALL {
                let folder = tempfile::tempdir().unwrap();
                let path = folder.path().join("log");
                let args = format!("--strategy {strategy} --pause 100us");
                let ended = under_a_moving_clock(&path, &args)?;
                let found = ended.verify(&path, &Allowed::default());
                assert_eq!(ended.count("flush_timeout") + ended.count("dropped"), 0, "{strategy}");
                seen.push(format!("{strategy}: {} records", found.records));
            }
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("log");
            let args = "--policy drop-newest --cap 8 --slow 1ms --loss-marker";
            let ended = under_a_moving_clock(&path, args)?;
            let found = ended.verify(&path, &Allowed { loss_markers: true, ..Allowed::default() });
            let text = fs::read_to_string(&path).unwrap();
            let markers: Vec<_> = text.lines().filter(|line| line.contains("\"since\"")).collect();
            assert!(!markers.is_empty() && markers.len() as u64 == found.markers);
            for line in markers {
                let marker: serde_json::Value = serde_json::from_str(line).unwrap();
                let time = |key: &str| marker[key].as_str().expect("a time").to_owned();
                assert!(time("since") <= time("until"), "{line}");
            }
            seen.push(format!("{} markers tell of {} lines", found.markers, found.told));
            Ok(seen.join("; "))
        },
    );
}
