//! The disk is full, slow, broken, or says so only when it is asked to sync.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::disallowed_macros)]

use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use writer_core::{QueuePolicy, Strategy};
use writer_torture::rig::{
    Ended, Ext4, Preload, Seen, Skip, Strace, Tmpfs, Torture, eventually, figure, is_full, pause,
    row,
};
use writer_torture::verify::Allowed;

fn torture(path: &Path) -> Torture {
    Torture::new(env!("CARGO_BIN_EXE_torture"), path)
}

const APPENDING: [Strategy; 2] = [Strategy::LineBuffered, Strategy::BlockBuffered];

/// Runs `trial` with each argument on a thread of its own: most of their time is waiting.
fn side_by_side<T: Sync, R: Send>(
    all: &[T],
    trial: impl Fn(&T) -> Result<R, Skip> + Sync,
) -> Result<Vec<R>, Skip> {
    std::thread::scope(|scope| {
        let threads: Vec<_> = all.iter().map(|one| scope.spawn(|| trial(one))).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    })
}

/// One disk that is full for a while: returns how long writing took to resume.
fn fill_and_free(
    strategy: Strategy,
    policy: QueuePolicy,
    full_for: Duration,
) -> Result<Duration, Skip> {
    let disk = Tmpfs::mount(1 << 20)?;
    let (path, filler) = (disk.join("log"), disk.join("filler"));
    fs::write(&filler, vec![b'f'; 500 << 10]).unwrap();
    let running = torture(&path)
        .args(format!("--strategy {strategy} --policy {policy} --threads 4 --per-thread 1000"))
        .args("--rec 200 --pause 200us --cap 512 --fail-after 60s --loss-marker")
        .start();
    assert!(eventually(Duration::from_secs(20), || running.errors_so_far() > 0), "never full");
    pause(full_for);
    assert_eq!(running.errors_so_far(), 1, "one report per episode: {strategy} {policy}");
    let length = || fs::metadata(&path).unwrap().len();
    let before = length();
    fs::remove_file(&filler).unwrap();
    let freed = Instant::now();
    assert!(eventually(Duration::from_secs(10), || length() > before), "writing never resumed");
    let resumed = freed.elapsed();
    let ended = running.finish().expect_code(0);
    let label = format!("{strategy} {policy}");
    let found = ended.verify(&path, &Allowed { loss_markers: true, ..Allowed::default() });
    // The pages of the filler come free one after the other: for a moment it may be full again.
    assert!(ended.errors.len() <= 2, "{label}: {:?}", ended.errors);
    assert_eq!(ended.count("lost"), 0, "{label}");
    match policy {
        QueuePolicy::Block => assert_eq!((found.records, ended.count("dropped")), (4000, 0)),
        _ => assert_eq!(found.records + ended.count("dropped"), 4000),
    }
    assert!(resumed < Duration::from_secs(2), "{label}: resumed after {resumed:?}");
    Ok(resumed)
}

#[test]
fn g18_a_full_disk_loses_nothing_under_block_and_what_is_counted_elsewhere() {
    let rounds = figure(1, 20);
    let full_for = Duration::from_millis(figure(300, 2_000));
    row(
        "G18",
        &format!(
            "tmpfs of 1 MiB with a filler of 500 KiB, 4000 records of 200 B, freed {full_for:?} \
             after the first error; 3 strategies x Block, DropNewest, DropOldest x {rounds}"
        ),
        "Block: 4000 lines, none lost, torn or doubled; others: lost = counted; resumes within 2 s; \
         one report per episode",
        || {
            let policies = [QueuePolicy::Block, QueuePolicy::DropNewest, QueuePolicy::DropOldest];
            let all: Vec<_> =
                Strategy::ALL.iter().flat_map(|&s| policies.map(|policy| (s, policy))).collect();
            let longest = Mutex::new(Duration::ZERO);
            side_by_side(&all, |&(strategy, policy)| {
                for _ in 0..rounds {
                    let resumed = fill_and_free(strategy, policy, full_for)?;
                    let mut longest = longest.lock().unwrap();
                    *longest = resumed.max(*longest);
                }
                Ok(())
            })?;
            let longest = longest.into_inner().unwrap();
            Ok(format!("{} rounds, all exact; resumed within {longest:?}", 9 * rounds))
        },
    );
}

/// A disk that stays full: the run must end by itself, by giving up what it cannot write.
#[track_caller]
fn expect_given_up(ended: Ended, path: &Path) -> Ended {
    let ended = ended.expect_code(4);
    // What broke off in the middle of a line stays so: there is no room for its end.
    ended.verify(path, &Allowed { torn_tail: true, ..Allowed::default() });
    assert!(!ended.errors.is_empty(), "no report");
    assert!(ended.count("lost") > 0);
    ended
}

#[test]
fn g19_a_disk_that_stays_full_is_no_bus_error() {
    let rounds = figure(1, 20);
    row(
        "G19",
        &format!(
            "tmpfs of 256 KiB, 2000 records of 200 B, {rounds} rounds, mmap; once for the others"
        ),
        "no SIGBUS; the disk is used; reported; identity exact; the end is in time",
        || {
            let mut all = vec![(Strategy::MemoryMapped, rounds)];
            all.extend(APPENDING.map(|strategy| (strategy, 1)));
            let seen = side_by_side(&all, |&(strategy, rounds)| {
                let mut lost = 0;
                for round in 0..rounds {
                    let disk = Tmpfs::mount(256 << 10)?;
                    let path = disk.join("log");
                    let policy = QueuePolicy::ALL[round as usize % 4];
                    let chunk = [4096, 65_536, 32 << 20][round as usize % 3];
                    let ended = torture(&path)
                        .args(format!("--strategy {strategy} --policy {policy} --chunk {chunk}"))
                        .args("--threads 4 --per-thread 500 --fail-after 300ms")
                        .args("--shutdown-timeout 500ms")
                        .run();
                    lost += expect_given_up(ended, &path).count("lost");
                    let taken = path.metadata().expect("a file").len();
                    assert!(taken > 248 << 10, "{strategy}: {taken} bytes of 256 KiB");
                }
                Ok(format!("{strategy}: {rounds} rounds, {lost} counted as lost"))
            })?;
            Ok(seen.join("; "))
        },
    );
}

#[test]
fn g20_a_file_system_that_is_gone_stops_nobody() {
    row(
        "G20",
        "ext4 in an image is shut down under 4 threads: every later call is EIO",
        "no panic, no hang; senders go on, refused and counted, once fail_after (300 ms) is over; \
         with a mapping the end is an error",
        || {
            let mut seen = Vec::new();
            for &strategy in Strategy::ALL {
                let disk = Ext4::mount(64 << 20)?;
                let path = disk.join("log");
                let mut running = torture(&path)
                    .args(format!("--strategy {strategy} --threads 4 --per-thread 0 --pause 100us"))
                    .args("--cap 256 --fail-after 300ms --exit-after eof --shutdown-timeout 500ms")
                    .args("--flush-every 100")
                    .start();
                assert!(eventually(Duration::from_secs(20), || running.acks_so_far() > 3));
                disk.cut_power()?;
                // Long enough, in the full form, for the kernel to write pages of a mapping back.
                pause(Duration::from_millis(figure(1_000, 10_000)));
                running.close_input();
                let ended = running.finish().expect_code(4);
                let counted = ended.count("refused") + ended.count("lost");
                // Stores to memory go on; the end of a mapping says that they did not arrive.
                assert!(counted > 0 || strategy == Strategy::MemoryMapped, "{strategy}");
                assert_counted(&ended);
                let longest = Duration::from_micros(ended.count("longest_send_us"));
                if is_full() {
                    assert!(longest < Duration::from_millis(1_500), "{strategy}: {longest:?}");
                }
                seen.push(format!("{strategy}: {counted} counted, send <= {longest:?}"));
            }
            Ok(seen.join("; "))
        },
    );
}

/// Each call has come to one end, where the file cannot be read.
#[track_caller]
fn assert_counted(ended: &Ended) {
    let ends = ["written", "refused", "evicted", "rejected", "lost"].map(|name| ended.count(name));
    assert_eq!((ends.iter().sum(), ended.count("pending")), (ended.count("calls"), 0), "{ends:?}");
}

/// A run whose writes meet with `faults`, and which must come through without a loss.
fn through_faults(faults: &[&str], args: &str) -> Result<u64, Skip> {
    let mut errors = 0;
    for strategy in APPENDING {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        fs::write(&path, "").unwrap();
        let ended = torture(&path)
            .under(Strace::on(&path, faults)?)
            .args(format!("--strategy {strategy} --threads 4 --per-thread 500 --flush-every 50"))
            .args(args)
            .run()
            .expect_code(0);
        let found = ended.verify(&path, &Allowed::default());
        assert_eq!((found.records, ended.count("lost")), (2000, 0), "{strategy} {faults:?}");
        assert_eq!(ended.count("flush_ok"), 40, "{strategy} {faults:?}");
        errors += ended.count("errors");
    }
    Ok(errors)
}

#[test]
fn g20_a_write_that_fails_for_a_while_is_made_good() {
    row("G20", "writes 10 to 12 fail with EIO", "nothing lost or torn; flushes Ok", || {
        let errors = through_faults(&["write:error=EIO:when=10..12"], "")?;
        assert!(errors >= 6, "{errors} failed attempts: the fault was not met");
        Ok(format!("{errors} failed attempts, 2 x 2000 records there"))
    });
}

#[test]
fn g21_a_sync_that_failed_is_never_ok_on_that_file() {
    row(
        "G21",
        "the second fdatasync fails with EIO, all others succeed",
        "that sync and all later ones are errors; writing goes on",
        || {
            for (strategy, call) in [
                (Strategy::LineBuffered, "fdatasync"),
                (Strategy::BlockBuffered, "fdatasync"),
                (Strategy::MemoryMapped, "fdatasync"),
            ] {
                let folder = tempfile::tempdir().unwrap();
                let path = folder.path().join("log");
                fs::write(&path, "").unwrap();
                let ended = torture(&path)
                    .under(Strace::on(&path, &[&format!("{call}:error=EIO:when=2")])?)
                    .args(format!("--strategy {strategy} --threads 1 --per-thread 100"))
                    .args("--sync-every 10")
                    .run()
                    .expect_code(0);
                let found = ended.verify(&path, &Allowed::default());
                assert_eq!(found.records, 100);
                let syncs = [ended.count("sync_ok"), ended.count("sync_failed")];
                assert_eq!(syncs, [1, 9], "{strategy}");
                assert_eq!(ended.count("sync_ok_after_failure"), 0);
            }
            Ok("3 strategies: 1 Ok, then 9 errors; 100 of 100 records written".into())
        },
    );
}

/// Writes half of what is asked for, to regular files.
const HALF: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <sys/stat.h>
#include <unistd.h>
ssize_t write(int fd, const void *bytes, size_t count) {
    static ssize_t (*next)(int, const void *, size_t);
    struct stat file;
    if (!next) next = (ssize_t (*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");
    if (count > 1 && fstat(fd, &file) == 0 && S_ISREG(file.st_mode)) count /= 2;
    return next(fd, bytes, count);
}
"#;

#[test]
fn g22_interrupted_writes_are_invisible() {
    row(
        "G22",
        "every third write is interrupted (EINTR)",
        "nothing lost; no error counted",
        || {
            let errors = through_faults(&["write:error=EINTR:when=1+3"], "")?;
            assert_eq!(errors, 0);
            Ok("2 x 2000 records, 0 errors".into())
        },
    );
}

#[test]
fn g22_short_writes_are_continued() {
    row(
        "G22",
        "every write takes half (preloaded library)",
        "nothing lost or torn; no error",
        || {
            let shim = Preload::compile(HALF)?;
            for strategy in APPENDING {
                let folder = tempfile::tempdir().unwrap();
                let path = folder.path().join("log");
                let ended = torture(&path)
                    .variable("LD_PRELOAD", shim.library())
                    .args(format!("--strategy {strategy} --threads 4 --per-thread 500"))
                    .args("--flush-every 50")
                    .run()
                    .expect_code(0);
                assert_eq!(ended.verify(&path, &Allowed::default()).records, 2000);
                assert_eq!(ended.count("errors"), 0);
            }
            Ok("2 x 2000 records, 0 errors".into())
        },
    );
}

#[test]
fn g23_a_quota_and_a_read_only_file_system_are_waited_for() {
    let last = figure(9, 30);
    row(
        "G23",
        &format!("writes 5 to {last} fail with EDQUOT, then with EROFS"),
        "as for a full disk: nothing lost or torn",
        || {
            let mut errors = 0;
            for error in ["EDQUOT", "EROFS"] {
                errors += through_faults(&[&format!("write:error={error}:when=5..{last}")], "")?;
            }
            assert_eq!(errors, 4 * (last - 4));
            Ok(format!("{errors} failed attempts, 4 x 2000 records there"))
        },
    );
}

#[test]
fn g23_a_limit_on_the_size_of_files_kills_nobody_and_is_counted() {
    row(
        "G23",
        "prlimit --fsize=65536 with SIGXFSZ ignored: EFBIG",
        "the process lives; reported; what is not written is counted",
        limit_the_size_of_files,
    );
}

fn limit_the_size_of_files() -> Seen {
    let mut seen = Vec::new();
    for &strategy in Strategy::ALL {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let ended = torture(&path)
            .under(["sh", "-c", "trap '' XFSZ; exec prlimit --fsize=65536 \"$@\"", "sh"])
            .args(format!("--strategy {strategy} --threads 4 --per-thread 500"))
            .args("--fail-after 300ms --shutdown-timeout 500ms")
            .run();
        let ended = expect_given_up(ended, &path);
        let len = std::fs::metadata(&path).unwrap().len();
        assert!((60 << 10..=64 << 10).contains(&len), "{strategy}: {len} bytes of 64 KiB");
        seen.push(format!("{strategy}: {} counted as lost", ended.count("lost")));
    }
    Ok(seen.join("; "))
}
