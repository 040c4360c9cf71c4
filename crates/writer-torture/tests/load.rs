//! Much load: every line is there or counted, in order.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::disallowed_macros)]

use std::time::Duration;

use writer_core::{Mode, QueuePolicy, Strategy};
use writer_torture::rig::{Torture, figure, is_full, row};
use writer_torture::verify::Allowed;

fn torture(path: &std::path::Path) -> Torture {
    Torture::new(env!("CARGO_BIN_EXE_torture"), path)
}

#[test]
fn g01_steady_load_through_36_configurations() {
    let each = figure(2_500, 250_000);
    row(
        "G1",
        &format!("8 threads x {each} records through 3 strategies x 3 modes x 4 policies"),
        "Block: all there; others: every line written or counted; order per thread; in all 36",
        || {
            let (mut written, mut dropped) = (0, 0);
            for strategy in Strategy::ALL {
                for mode in Mode::ALL {
                    for policy in QueuePolicy::ALL {
                        let folder = tempfile::tempdir().unwrap();
                        let path = folder.path().join("log");
                        let ended = torture(&path)
                            .args(format!("--per-thread {each} --strategy {strategy}"))
                            .args(format!("--mode {mode} --policy {policy}"))
                            .run()
                            .expect_code(0);
                        let found = ended.verify(&path, &Allowed::default());
                        let label = format!("{strategy} {mode} {policy}");
                        assert_eq!(ended.count("calls"), 8 * each, "{label}");
                        if *policy == QueuePolicy::Block {
                            assert_eq!(found.records, 8 * each, "{label}");
                        }
                        written += found.records;
                        dropped += ended.count("dropped");
                    }
                }
            }
            assert_eq!(written + dropped, 36 * 8 * each);
            Ok(format!("{written} written + {dropped} counted as dropped, all 36 in order"))
        },
    );
}

/// With the time of a write stretched; what the numbers are about is asserted in a quiet full run.
#[test]
fn g02_a_storm_on_a_small_queue_is_counted_exactly() {
    let each = figure(2_000, 50_000);
    row(
        "G2",
        &format!("16 threads x {each} records, a queue of 64, each write takes 1 ms more"),
        "identity exact; what is missing, counted, and told by loss markers is the same; memory flat; \
         DropOldest, DropNewest: no send takes 50 ms",
        || {
            let mut seen = Vec::new();
            for policy in QueuePolicy::ALL {
                let folder = tempfile::tempdir().unwrap();
                let path = folder.path().join("log");
                let ended = torture(&path)
                    .args(format!("--threads 16 --per-thread {each} --policy {policy}"))
                    .args("--cap 64 --slow 1ms --loss-marker")
                    .run()
                    .expect_code(0);
                let allowed = Allowed { loss_markers: true, ..Allowed::default() };
                let found = ended.verify(&path, &allowed);
                assert_eq!(found.markers > 0, ended.count("dropped") > 0, "{policy}");
                assert!(ended.count("high_water") <= 64);
                let grown = ended.count("rss_peak_kb") - ended.count("rss_after_build_kb");
                assert!(grown < 16 << 10, "{policy}: {grown} KiB more");
                let longest = Duration::from_micros(ended.count("longest_send_us"));
                if is_full() && *policy != QueuePolicy::Block {
                    assert!(longest < Duration::from_millis(50), "{policy}: {longest:?}");
                }
                let dropped = ended.count("dropped");
                seen.push(format!(
                    "{policy}: {dropped} dropped, +{grown} KiB, send <= {longest:?}"
                ));
            }
            Ok(seen.join("; "))
        },
    );
}

#[test]
fn g03_a_write_that_is_stuck_delays_only_those_who_wait() {
    let stuck = Duration::from_millis(figure(600, 5_000));
    let timeout = Duration::from_millis(figure(250, 1_000));
    row(
        "G3",
        &format!("8 threads send every 1 ms; the third write is stuck for {stuck:?}"),
        "Block: none lost, none waits longer than that; drop policies: no send takes 50 ms; a flush \
         with a limit times out at the limit, and is Ok afterwards",
        || {
            let mut seen = Vec::new();
            for policy in QueuePolicy::ALL {
                let folder = tempfile::tempdir().unwrap();
                let path = folder.path().join("log");
                let ended = torture(&path)
                    .args(format!("--per-thread 2000 --pause 1ms --policy {policy} --cap 256"))
                    .args(format!(
                        "--stuck 3:{}ms --probe {}ms",
                        stuck.as_millis(),
                        timeout.as_millis()
                    ))
                    .args(format!("--exit-after {}ms", stuck.as_millis() + 400))
                    .run()
                    .expect_code(0);
                ended.verify(&path, &Allowed::default());
                let longest = Duration::from_micros(ended.count("longest_send_us"));
                let first = Duration::from_micros(ended.count("probe_shortest_timeout_us"));
                let last = Duration::from_micros(ended.count("probe_longest_us"));
                assert!(ended.count("probe_timeout") > 0 && ended.count("probe_ok") > 0);
                assert!(first >= timeout, "a flush timed out after {first:?}");
                if *policy == QueuePolicy::Block {
                    assert_eq!(ended.count("dropped"), 0);
                }
                if is_full() {
                    assert!(last <= timeout + Duration::from_millis(200), "{last:?}");
                    let bound = match policy {
                        QueuePolicy::Block => stuck + Duration::from_millis(200),
                        _ => Duration::from_millis(50),
                    };
                    assert!(longest <= bound, "{policy}: {longest:?}");
                }
                seen.push(format!("{policy}: send <= {longest:?}, flush <= {last:?}"));
            }
            Ok(seen.join("; "))
        },
    );
}

#[test]
fn g08_flushes_of_many_threads_on_a_full_queue_all_return() {
    let flushes = figure(100, 1_000);
    row(
        "G8",
        &format!("16 threads x {flushes} flushes, DropOldest, a queue of 8"),
        "all return Ok; none hangs",
        || {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("log");
            let ended = torture(&path)
                .args(format!("--threads 16 --per-thread {}", flushes * 10))
                .args("--flush-every 10 --policy drop-oldest --cap 8")
                .run()
                .expect_code(0);
            ended.verify(&path, &Allowed::default());
            assert_eq!(ended.count("flush_ok"), 16 * flushes);
            let longest = Duration::from_micros(ended.count("longest_flush_us"));
            Ok(format!("{} of {} Ok, the longest {longest:?}", 16 * flushes, 16 * flushes))
        },
    );
}
