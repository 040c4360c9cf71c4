//! Disks that are full and freed, files that are copied and cut, deleted, and left torn: with the
//! real system underneath.
#![allow(unsafe_code)]

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::common::*;
use writer_core::{QueuePolicy, State, Strategy, Writer};

/// A small disk, or none where mounting is not allowed.
struct Disk(tempfile::TempDir);

impl Disk {
    fn new(size: &str) -> Option<Disk> {
        let folder = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
            .arg(folder.path())
            .stderr(Stdio::null())
            .status();
        if !mounted.is_ok_and(|status| status.success()) {
            skip("mounting a file system is not permitted");
            return None;
        }
        Some(Disk(folder))
    }

    fn fill(&self, bytes: usize) {
        fs::write(self.filler(), vec![b'x'; bytes]).unwrap();
    }

    fn filler(&self) -> std::path::PathBuf {
        self.0.path().join("filler")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: the test may have failed with the file open.
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

/// 200 bytes with the newline.
fn record(n: usize) -> String {
    format!("{{\"n\":{n:08},\"pad\":\"{}\"}}", "x".repeat(176))
}

fn number(line: &str) -> usize {
    let n = line[5..13].parse().unwrap();
    assert_eq!(line, record(n), "a torn, glued or foreign line");
    n
}

/// The numbers of the records in a file: each whole, none twice, in order.
#[track_caller]
fn numbers(path: &Path) -> Vec<usize> {
    let numbers: Vec<_> = lines_of(&fs::read(path).unwrap()).iter().map(|l| number(l)).collect();
    assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "doubled or out of order");
    numbers
}

/// G18: a disk that is full, and has room again while records come.
#[test]
fn a_full_disk_that_is_freed_costs_nothing_but_what_the_policy_drops() {
    for &strategy in Strategy::ALL {
        for policy in [QueuePolicy::Block, QueuePolicy::DropNewest, QueuePolicy::DropOldest] {
            let Some(disk) = Disk::new("1m") else { return };
            disk.fill(500 << 10);
            full_and_freed(&disk, strategy, policy);
        }
    }
}

fn full_and_freed(disk: &Disk, strategy: Strategy, policy: QueuePolicy) {
    const RECORDS: usize = 4_000;
    let path = disk.0.path().join("app.jsonl");
    let reports = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&reports);
    let full = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&full);
    let (writer, guard) = Writer::builder(&path)
        .strategy(strategy)
        .queue_policy(policy)
        .max_queue_size(200)
        .mmap_chunk(64 << 10)
        .on_error(move |error| {
            heard.lock().unwrap().push((error.state, error.source.kind()));
            seen.store(true, Ordering::Relaxed);
        })
        .build()
        .unwrap();
    let sender = {
        let (writer, full) = (writer.clone(), Arc::clone(&full));
        thread::spawn(move || {
            for n in 0..RECORDS {
                writer.send(record(n)).unwrap();
                // Not ahead of the worker, so that it fills the disk while records are left.
                while n % 100 == 0
                    && !full.load(Ordering::Relaxed)
                    && writer.flush(Duration::from_millis(5)).is_err()
                {}
            }
        })
    };
    eventually("the disk is full", || full.load(Ordering::Relaxed));
    thread::sleep(Duration::from_millis(300));
    assert_ne!(writer.metrics().state, State::Healthy, "{strategy}, {policy}");
    let written = writer.metrics().written;
    fs::remove_file(disk.filler()).unwrap();
    eventually("writing resumes", || writer.metrics().written > written);
    sender.join().unwrap();
    guard.shutdown(LIMIT).unwrap();
    let metrics = writer.metrics();
    assert_ended(&metrics, RECORDS);
    let numbers = numbers(&path);
    assert_eq!(metrics.sent as usize, RECORDS);
    assert_eq!(numbers.len() as u64, metrics.written, "{strategy}, {policy}");
    assert_eq!(metrics.written + metrics.dropped, RECORDS as u64, "{strategy}, {policy}");
    if policy == QueuePolicy::Block {
        assert_eq!(numbers.len(), RECORDS, "{strategy}");
    }
    let reports = reports.lock().unwrap();
    assert_eq!(*reports, [(State::Retrying, std::io::ErrorKind::StorageFull)], "{strategy}");
    assert_eq!(metrics.state, State::Healthy);
}

/// Sets the limit on the length of files of this process, in bytes, or back to what it was.
fn limits_files() -> impl Fn(Option<u64>) {
    // SAFETY: plain calls of the system; the disposition of a signal that nothing else here uses.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
    let mut before = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the limit lives through the call.
    assert_eq!(unsafe { libc::getrlimit(libc::RLIMIT_FSIZE, &mut before) }, 0);
    move |bytes| {
        let limit = libc::rlimit { rlim_cur: bytes.unwrap_or(before.rlim_cur), ..before };
        // SAFETY: the limit lives through the call.
        assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &limit) }, 0);
    }
}

/// G23: the limit on the length of files is a full disk, where its signal is ignored.
#[test]
fn a_file_at_its_limit_waits_until_the_limit_is_raised() {
    const TEST: &str = "disk::a_file_at_its_limit_waits_until_the_limit_is_raised";
    if !is_child() {
        for strategy in Strategy::ALL {
            run_alone(TEST, &[("STRATEGY", strategy.as_str())]);
        }
        return;
    }
    let set_limit = limits_files();
    let target = Target::new();
    let reports = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&reports);
    let (writer, guard) = target
        .builder()
        .strategy(std::env::var("STRATEGY").unwrap().parse().unwrap())
        .mmap_chunk(16 << 10)
        .on_error(move |error| heard.lock().unwrap().push(error.source.kind()))
        .build()
        .unwrap();
    // Neither at a page's end nor at a line's.
    let limit = (64 << 10) + 777;
    set_limit(Some(limit));
    for n in 0..1000 {
        writer.send(record(n)).unwrap();
    }
    eventually("the limit is reached", || !reports.lock().unwrap().is_empty());
    // Nothing is reserved beyond it either, where whole pages are wanted.
    let fit = limit / (record(0).len() as u64 + 1);
    eventually("what fits is written", || writer.metrics().written == fit);
    set_limit(None);
    guard.shutdown(LIMIT).unwrap();
    assert_eq!(numbers(&target.path), (0..1000).collect::<Vec<_>>());
    assert_eq!(*reports.lock().unwrap(), [std::io::ErrorKind::FileTooLarge]);
}

/// G26: all of a line but its newline was written when the file had to be left. Failed: the line was
/// in both files.
#[test]
fn a_line_that_lacks_its_newline_alone_stays_in_the_file_that_is_left() {
    const TEST: &str = "disk::a_line_that_lacks_its_newline_alone_stays_in_the_file_that_is_left";
    if !is_child() {
        // A mapping takes whole lines.
        for strategy in [Strategy::LineBuffered, Strategy::BlockBuffered] {
            for synchronous in ["true", "false"] {
                let set = [("STRATEGY", strategy.as_str()), ("SYNCHRONOUS", synchronous)];
                run_alone(TEST, &set);
            }
        }
        return;
    }
    let set_limit = limits_files();
    let target = Target::new();
    let old = target.folder().join("app.1");
    let (writer, guard) = target
        .builder()
        .strategy(std::env::var("STRATEGY").unwrap().parse().unwrap())
        .synchronous(std::env::var("SYNCHRONOUS").unwrap().parse().unwrap())
        // Or the next try would leave the file while it cannot be written to.
        .follow_path(false)
        // Or a sender without a worker waits for more tries.
        .fail_after(Duration::ZERO)
        .on_error(|_| {})
        .build()
        .unwrap();
    set_limit(Some(3 * (record(0).len() as u64 + 1) - 1));
    for n in 0..3 {
        writer.send(record(n)).unwrap();
    }
    eventually("a write fails", || writer.metrics().errors > 0);
    fs::rename(&target.path, &old).unwrap();
    set_limit(None);
    writer.reopen().unwrap();
    for n in 3..5 {
        writer.send(record(n)).unwrap();
    }
    guard.shutdown(LIMIT).unwrap();
    let numbers = [numbers(&old), numbers(&target.path)].concat();
    assert_eq!(numbers, (0..5).collect::<Vec<_>>());
    let metrics = writer.metrics();
    assert_ended(&metrics, 5);
    assert_eq!((metrics.written, metrics.reopened, metrics.torn_lines), (5, 1, 0));
}

/// The same where the signal is not ignored, which ends the process: for a file that stays below
/// its limit, none comes.
#[test]
fn a_limit_that_the_lines_do_not_reach_ends_no_process() {
    const TEST: &str = "disk::a_limit_that_the_lines_do_not_reach_ends_no_process";
    if !is_child() {
        for strategy in Strategy::ALL {
            run_alone(TEST, &[("STRATEGY", strategy.as_str())]);
        }
        return;
    }
    let target = Target::new();
    let strategy = std::env::var("STRATEGY").unwrap().parse().unwrap();
    let (writer, guard) = target.builder().strategy(strategy).build().unwrap();
    // Not at a page's end, and just enough for these records.
    let bytes = 1_000 * 200;
    let limit = libc::rlimit { rlim_cur: bytes, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: the limit lives through the call.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &limit) }, 0);
    for n in 0..1000 {
        writer.send(record(n)).unwrap();
    }
    guard.shutdown(LIMIT).unwrap();
    // What the process writes at its end, as of how often each line ran, may be longer.
    let none = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, ..limit };
    // SAFETY: as above.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &none) }, 0);
    assert_eq!(target.len(), bytes);
    assert_eq!(writer.metrics().errors, 0);
}

/// G19: a mapping on a disk that stays full ends in counted losses, not in a signal.
#[test]
fn a_mapping_on_a_full_disk_raises_no_signal() {
    for round in 0..20 {
        let Some(disk) = Disk::new("256k") else { return };
        let path = disk.0.path().join("app.jsonl");
        let (writer, guard) = Writer::builder(&path)
            .strategy(Strategy::MemoryMapped)
            .mmap_chunk(((round + 1) * 13) << 10)
            .queue_policy(QueuePolicy::DropNewest)
            .max_queue_size(100)
            .fail_after(Duration::from_millis(20))
            .on_error(|_| {})
            .build()
            .unwrap();
        let mut sent = 0;
        let mut send = |lines| {
            for _ in 0..lines {
                writer.send(record(sent)).unwrap();
                sent += 1;
            }
            let _ = writer.flush(Duration::from_millis(1));
        };
        eventually("the disk is full", || {
            send(90);
            writer.metrics().errors > 0
        });
        send(300);
        give_up(&guard, Duration::from_millis(50)).unwrap_err();
        let metrics = writer.metrics();
        assert_ended(&metrics, sent);
        assert!(metrics.errors > 0 && metrics.lost > 0);
        assert_eq!(numbers(&path).len() as u64, metrics.written);
        assert!(metrics.written > 1_200, "the disk was used: {metrics:?}");
    }
}

/// Sends from a thread of its own until the end, at most so many in a round of 1 ms.
struct Load {
    done: Arc<AtomicBool>,
    thread: thread::JoinHandle<usize>,
}

impl Load {
    fn start(writer: &Writer) -> Load {
        let (writer, done) = (writer.clone(), Arc::new(AtomicBool::new(false)));
        let until = Arc::clone(&done);
        let thread = thread::spawn(move || {
            let mut sent = 0;
            while !until.load(Ordering::Relaxed) {
                writer.send(record(sent)).unwrap();
                sent += 1;
                if sent % 50 == 0 {
                    thread::yield_now();
                }
            }
            sent
        });
        Load { done, thread }
    }

    fn end(self) -> usize {
        self.done.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

/// G27: copied and cut, as `logrotate` does with `copytruncate`.
#[test]
fn a_file_copied_and_cut_under_load_holds_whole_lines_and_no_nul() {
    for strategy in [Strategy::LineBuffered, Strategy::BlockBuffered] {
        let target = Target::new();
        let (writer, guard) = target.builder().strategy(strategy).build().unwrap();
        let load = Load::start(&writer);
        for n in 0..50 {
            eventually("lines come", || target.len() > 0);
            fs::copy(&target.path, target.folder().join(format!("copy.{n}"))).unwrap();
            fs::File::options().write(true).open(&target.path).unwrap().set_len(0).unwrap();
        }
        let sent = load.end();
        guard.shutdown(LIMIT).unwrap();
        numbers(&target.path);
        let metrics = writer.metrics();
        assert_eq!((metrics.written as usize, metrics.errors, metrics.reopened), (sent, 0, 0));
    }
}

/// G27 for the mapping: somebody cuts the file while the worker copies without a pause.
#[test]
fn a_mapped_file_cut_under_load_raises_no_signal() {
    let target = Target::new();
    let builder = target.builder().strategy(Strategy::MemoryMapped).on_error(|_| {});
    let (writer, guard) = builder.build().unwrap();
    let load = Load::start(&writer);
    let cutter = fs::File::options().write(true).open(&target.path).unwrap();
    for _ in 0..300 {
        eventually("lines come", || target.len() > 0);
        cutter.set_len(0).unwrap();
    }
    let sent = load.end();
    writer.flush(LIMIT).unwrap();
    cutter.set_len(0).unwrap();
    writer.send(record(7)).unwrap();
    guard.shutdown(LIMIT).unwrap();
    assert_eq!(numbers(&target.path), [7]);
    let metrics = writer.metrics();
    assert_ended(&metrics, sent + 1);
    assert_eq!(metrics.written as usize, sent + 1);
}

/// G28: deleted again and again.
#[test]
fn a_file_deleted_under_load_is_made_again_each_time() {
    thread::scope(|scope| {
        for &strategy in Strategy::ALL {
            scope.spawn(move || {
                let target = Target::new();
                let reports = Arc::new(AtomicUsize::new(0));
                let heard = Arc::clone(&reports);
                let (writer, guard) = target
                    .builder()
                    .strategy(strategy)
                    .on_error(move |_| _ = heard.fetch_add(1, Ordering::Relaxed))
                    .build()
                    .unwrap();
                let load = Load::start(&writer);
                for _ in 0..3 {
                    eventually("the file is there", || target.path.exists());
                    fs::remove_file(&target.path).unwrap();
                }
                eventually("the file is there", || target.path.exists());
                let sent = load.end();
                guard.shutdown(LIMIT).unwrap();
                let metrics = writer.metrics();
                assert_eq!((metrics.reopened, metrics.written as usize), (3, sent), "{strategy}");
                assert_eq!((reports.load(Ordering::Relaxed), metrics.errors), (0, 0));
                assert!(lines_of(&target.bytes()).iter().all(|line| number(line) < sent));
            });
        }
    });
}

/// What this thread has used so far: other than the time on the clock, it says nothing of others.
fn processor_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the time lives through the call.
    assert_eq!(unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) }, 0);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// G30: what a crash left at the end of a file.
#[test]
fn stale_tails_are_mended_and_the_lines_before_them_stay() {
    let whole: String = (0..50).map(|n| record(n) + "\n").collect();
    let nuls = |n: usize| "\0".repeat(n);
    let half = &record(50)[..100];
    let tails = [
        (String::new(), 0, 0),
        (nuls(1), 1, 0),
        (nuls(32 << 20), 32 << 20, 0),
        (half.to_owned(), 0, 1),
        (half.to_owned() + &nuls(5000), 5000, 1),
    ];
    for (tail, recovered, torn) in tails {
        for (content, torn) in [(whole.clone() + &tail, torn), (tail.clone(), torn)] {
            for &strategy in Strategy::ALL {
                let target = Target::new();
                fs::write(&target.path, &content).unwrap();
                let start = processor_time();
                let (writer, guard) = target.builder().strategy(strategy).build().unwrap();
                let took = processor_time() - start;
                assert!(took < Duration::from_secs(1), "{took:?}");
                for n in 1000..2000 {
                    writer.send(record(n)).unwrap();
                }
                guard.shutdown(LIMIT).unwrap();
                let lines = target.lines();
                let new: HashSet<usize> =
                    lines[lines.len() - 1000..].iter().map(|line| number(line)).collect();
                assert_eq!(new.len(), 1000);
                let before = content.trim_end_matches('\0').trim_end_matches('\n');
                let found = lines[..lines.len() - 1000].join("\n");
                assert_eq!(found, before, "{strategy}");
                let metrics = writer.metrics();
                assert_eq!(metrics.torn_lines, torn);
                assert_eq!(metrics.recovered_nul_bytes, recovered);
            }
        }
    }
}
