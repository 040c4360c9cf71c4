//! A forked child has the writer's memory and not its worker: it must neither wait nor write.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use writer_core::{
    BuildError, FlushError, Mode, QueuePolicy, SendError, State, Strategy, WriteSink, Writer,
    WriterGuard,
};

use crate::Test;
use crate::child::{self, Args, LIMIT, POLICIES, STRATEGIES, line};

pub(crate) const TESTS: &[Test] = &[
    ("fork::a_child_sends_nothing_and_waits_for_nothing", a_child_sends_nothing),
    ("fork::a_child_of_a_busy_parent_never_hangs", a_child_of_a_busy_parent_never_hangs),
    ("fork::a_child_of_a_parent_that_builds_ends_at_once", a_child_of_a_parent_that_builds),
    ("fork::a_child_of_a_synchronous_writer_never_hangs", a_child_of_a_synchronous_writer),
    ("fork::after_a_restart_both_processes_write_whole_lines", both_write_whole_lines),
    ("fork::a_restarted_child_is_written_at_exit", a_restarted_child_is_written_at_exit),
    ("fork::a_restart_keeps_the_parents_lines_and_file", a_restart_keeps_the_parents_file),
    ("fork::a_mapped_file_stays_with_the_parent", a_mapped_file_stays_with_the_parent),
    ("fork::a_sink_stays_with_the_parent", a_sink_stays_with_the_parent),
];

const QUEUE: usize = 1_000;

pub(crate) fn play(args: &Args) {
    match args.text("scene") {
        "full" => full_queue(args),
        "busy" => busy_parent(args, false),
        "building" => building_parent(),
        "synchronous" => busy_parent(args, true),
        "restart" => restart(args),
        "restart-exit" => restart_and_exit(args),
        "restart-elsewhere" => restart_elsewhere(args),
        "restart-mmap" => restart_mapped(args),
        "restart-sink" => restart_over_a_sink(),
        other => panic!("no scene {other}"),
    }
}

/// Tells threads to end, also when a check fails.
struct Done<'a>(&'a AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Runs `child` in a forked child, ended by `end`, and waits for it.
#[track_caller]
pub(crate) fn in_child(child: impl FnOnce(), end: impl FnOnce()) -> libc::rusage {
    let start = Instant::now();
    // SAFETY: the child uses no lock that another thread of this program holds at this moment,
    // except those of the library, whose behaviour then is what is tested, and those of the
    // allocator, which the C library brings over a fork.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0);
    if pid == 0 {
        let passed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(child)).is_ok();
        if passed {
            end();
        }
        // SAFETY: ends the process without any hook.
        unsafe { libc::_exit(if passed { 0 } else { 1 }) };
    }
    wait_for(pid, start)
}

/// Waits for the end of a child, and returns what it has used.
pub(crate) fn wait_for(pid: i32, start: Instant) -> libc::rusage {
    loop {
        let mut status = 0;
        // SAFETY: all bytes zero is a valid rusage.
        let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
        // SAFETY: `pid` is a child of this process, and the others live through the call.
        let ended = unsafe { libc::wait4(pid, &raw mut status, libc::WNOHANG, &raw mut usage) };
        if ended == pid {
            assert_eq!(status, 0, "the child failed, see above");
            return usage;
        }
        if start.elapsed() > LIMIT {
            // SAFETY: as above.
            unsafe { libc::kill(pid, libc::SIGKILL) };
            panic!("the child hangs");
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Everything that a child may call, on a writer that it did not open.
fn use_as_foreigner(writer: &Writer, guard: WriterGuard) {
    let start = Instant::now();
    let before = writer.metrics();
    assert_eq!((before.sent, before.rejected), (0, 0));
    for number in 0..QUEUE {
        assert_eq!(writer.send(line("child", number)), Err(SendError::Closed));
    }
    assert_eq!(writer.send_batch(["a", "b"]), Err(SendError::Closed));
    let long = Duration::from_secs(3600);
    assert!(matches!(writer.flush(long), Err(FlushError::Closed)));
    assert!(matches!(writer.sync(long), Err(FlushError::Closed)));
    writer.trigger();
    assert!(!writer.is_running());
    let mut line_writer = writer.line_writer();
    assert!(line_writer.write_all(b"line\nfragment").is_err());
    assert!(line_writer.flush().is_err() || writer.metrics().rejected > 0);
    drop(line_writer);
    writer.shutdown(long).unwrap();
    guard.shutdown(long).unwrap();
    drop(guard);
    let metrics = writer.metrics();
    assert!(metrics.rejected > QUEUE as u64);
    assert_eq!(metrics.sent, metrics.rejected);
    assert_eq!((metrics.enqueued, metrics.pending, metrics.state), (0, 0, State::Healthy));
    assert!(start.elapsed() < LIMIT, "{:?}", start.elapsed());
}

fn a_child_sends_nothing() {
    for strategy in STRATEGIES {
        for policy in POLICIES {
            for end in ["exit", "return"] {
                let folder = tempfile::tempdir().unwrap();
                let path = folder.path().join("log");
                child::run(
                    "fork",
                    &[
                        ("scene", &"full"),
                        ("strategy", &strategy),
                        ("policy", &policy),
                        ("end", &end),
                        ("path", &path.display()),
                    ],
                );
                let lines = child::whole_lines(&path);
                assert_eq!(lines.len(), QUEUE, "{strategy} {policy}");
                child::assert_gapless(&child::numbers(&lines, "parent"));
            }
        }
    }
}

/// The child is born with a full queue that nobody empties.
fn full_queue(args: &Args) {
    let (writer, guard) = Writer::builder(args.path())
        .strategy(args.parse("strategy"))
        .queue_policy(args.parse("policy"))
        .mode(Mode::Manual)
        .max_queue_size(QUEUE)
        .build()
        .unwrap();
    for number in 0..QUEUE {
        assert_eq!(writer.send(line("parent", number)), Ok(true));
    }
    let mut guard = Some(guard);
    let end = args.text("end");
    // The hook of the C library runs on exit, and dropping all handles is what a return would do.
    in_child(
        || use_as_foreigner(&writer.clone(), guard.take().unwrap()),
        || {
            if end == "exit" {
                std::process::exit(0);
            }
        },
    );
    drop(guard);
    let metrics = writer.metrics();
    assert_eq!((metrics.written, metrics.rejected), (QUEUE as u64, 0));
}

fn a_child_of_a_busy_parent_never_hangs() {
    for policy in [QueuePolicy::Block, QueuePolicy::DropOldest] {
        for strategy in [Strategy::LineBuffered, Strategy::MemoryMapped] {
            run_busy("busy", strategy, policy);
        }
    }
}

fn a_child_of_a_synchronous_writer() {
    for strategy in STRATEGIES {
        run_busy("synchronous", strategy, QueuePolicy::Block);
    }
}

fn a_child_of_a_parent_that_builds() {
    child::run("fork", &[("scene", &"building")]);
}

/// A thread is always about to open or close writers, so that the list of living writers may be
/// locked for ever in a child.
fn building_parent() {
    let done = AtomicBool::new(false);
    let build = || Writer::to(WriteSink::new(std::io::sink())).synchronous(true).build().unwrap();
    let (_writer, guard) = build();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    drop(build());
                }
            });
        }
        let _done = Done(&done);
        for _ in 0..200 {
            let usage = in_child(|| (), || std::process::exit(0));
            // One that waits for the list tries once a millisecond for two seconds. How often it
            // rests says more than how long that takes, which is up to the machine.
            assert!(usage.ru_nvcsw < 500, "{} rests", usage.ru_nvcsw);
        }
    });
    drop(guard);
}

fn run_busy(scene: &str, strategy: Strategy, policy: QueuePolicy) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    child::run(
        "fork",
        &[
            ("scene", &scene),
            ("strategy", &strategy),
            ("policy", &policy),
            ("path", &path.display()),
        ],
    );
    let lines = child::whole_lines(&path);
    let mut sum = 0;
    for source in ["a", "b"] {
        let numbers = child::numbers(&lines, source);
        assert!(numbers.is_sorted_by(|left, right| left < right));
        if policy == QueuePolicy::Block {
            child::assert_gapless(&numbers);
        }
        sum += numbers.len();
    }
    assert_eq!(sum, lines.len(), "{strategy} {policy}");
}

/// Two threads take the locks as often as they can while the process forks.
fn busy_parent(args: &Args, synchronous: bool) {
    let (writer, guard) = Writer::builder(args.path())
        .strategy(args.parse("strategy"))
        .queue_policy(args.parse("policy"))
        .synchronous(synchronous)
        .max_queue_size(64)
        .build()
        .unwrap();
    let done = AtomicBool::new(false);
    let mut guard = Some(guard);
    std::thread::scope(|scope| {
        for source in ["a", "b"] {
            let (writer, done) = (writer.clone(), &done);
            scope.spawn(move || {
                for number in 0.. {
                    if done.load(Ordering::Relaxed) {
                        return number;
                    }
                    assert_eq!(writer.send(line(source, number)), Ok(true));
                }
                0
            });
        }
        let _done = Done(&done);
        for _ in 0..100 {
            let (writer, guard) = (writer.clone(), &mut guard);
            in_child(
                || {
                    for number in 0..10 {
                        assert_eq!(writer.send(line("child", number)), Err(SendError::Closed));
                    }
                    assert!(!writer.is_running());
                    assert_eq!(writer.metrics().rejected, 10);
                    drop(guard.take());
                    drop(writer);
                },
                || std::process::exit(0),
            );
        }
    });
    drop(guard);
    let metrics = writer.metrics();
    assert_eq!(metrics.written + metrics.evicted, metrics.sent);
}

fn both_write_whole_lines() {
    for strategy in [Strategy::LineBuffered, Strategy::BlockBuffered] {
        for synchronous in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("log");
            child::run(
                "fork",
                &[
                    ("scene", &"restart"),
                    ("strategy", &strategy),
                    ("synchronous", &synchronous),
                    ("path", &path.display()),
                ],
            );
            let lines = child::whole_lines(&path);
            for source in ["parent", "child"] {
                let numbers = child::numbers(&lines, source);
                assert_eq!(numbers.len(), 20_000, "{strategy}: {source}");
                child::assert_gapless(&numbers);
            }
            assert_eq!(lines.len(), 40_000);
        }
    }
}

fn restart(args: &Args) {
    let (writer, guard) = Writer::builder(args.path())
        .strategy(args.parse("strategy"))
        .synchronous(args.parse("synchronous"))
        .build()
        .unwrap();
    guard.restart_after_fork().unwrap();
    let mut guard = Some(guard);
    std::thread::scope(|scope| {
        let parent = writer.clone();
        let sender = scope.spawn(move || {
            for number in 0..20_000 {
                assert_eq!(parent.send(line("parent", number)), Ok(true));
            }
        });
        while writer.metrics().sent < 1_000 {
            std::thread::yield_now();
        }
        in_child(
            || {
                let guard = guard.take().unwrap();
                assert_eq!(writer.send("lost"), Err(SendError::Closed));
                guard.restart_after_fork().unwrap();
                guard.restart_after_fork().unwrap();
                assert!(writer.is_running());
                for number in 0..20_000 {
                    assert_eq!(writer.send(line("child", number)), Ok(true));
                }
                writer.flush(LIMIT).unwrap();
                assert_eq!(writer.metrics().written, 20_000);
                drop(guard);
                assert_eq!(writer.send("late"), Err(SendError::Closed));
            },
            || std::process::exit(0),
        );
        sender.join().unwrap();
    });
}

fn a_restarted_child_is_written_at_exit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    child::run("fork", &[("scene", &"restart-exit"), ("path", &path.display())]);
    let lines = child::whole_lines(&path);
    for source in ["parent", "child", "grandchild"] {
        let numbers = child::numbers(&lines, source);
        assert_eq!(numbers.len(), QUEUE, "{source}");
        child::assert_gapless(&numbers);
    }
}

/// Each process forks the next with lines in its queue, and leaves its guard alone.
fn restart_and_exit(args: &Args) {
    let (writer, guard) = Writer::builder(args.path()).mode(Mode::Manual).build().unwrap();
    let send = |source: &str| {
        for number in 0..QUEUE {
            assert_eq!(writer.send(line(source, number)), Ok(true));
        }
    };
    send("parent");
    let again = || {
        assert_eq!((writer.metrics().sent, writer.metrics().rejected), (0, 0));
        assert_eq!(writer.send("lost"), Err(SendError::Closed));
        guard.restart_after_fork().unwrap();
        assert_eq!((writer.metrics().sent, writer.metrics().rejected), (1, 1));
    };
    in_child(
        || {
            again();
            send("child");
            in_child(
                || {
                    again();
                    send("grandchild");
                },
                || std::process::exit(0),
            );
        },
        || std::process::exit(0),
    );
    std::mem::forget(guard);
}

/// As a daemon does it: the parent ends, the child lives on in another folder.
fn a_restart_keeps_the_parents_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    fs::write(&path, "old\n").unwrap();
    child::run("fork", &[("scene", &"restart-elsewhere"), ("path", &path.display())]);
    assert_eq!(child::whole_lines(&path), [line("parent", 0), line("child", 0)]);
}

fn restart_elsewhere(args: &Args) {
    let path = args.path();
    std::env::set_current_dir(path.parent().unwrap()).unwrap();
    let (writer, guard) =
        Writer::builder(path.file_name().unwrap()).truncate(true).build().unwrap();
    assert_eq!(writer.send(line("parent", 0)), Ok(true));
    guard.shutdown(LIMIT).unwrap();
    in_child(
        || {
            std::env::set_current_dir("/").unwrap();
            guard.restart_after_fork().unwrap();
            assert_eq!(writer.send(line("child", 0)), Ok(true));
            guard.shutdown(LIMIT).unwrap();
        },
        || std::process::exit(0),
    );
}

fn a_mapped_file_stays_with_the_parent() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    child::run("fork", &[("scene", &"restart-mmap"), ("path", &path.display())]);
    let lines = child::whole_lines(&path);
    assert_eq!(lines.len(), 2 * QUEUE);
    child::assert_gapless(&child::numbers(&lines, "parent"));
}

fn restart_mapped(args: &Args) {
    let path = args.path();
    let build = || Writer::builder(&path).strategy(Strategy::MemoryMapped).build().unwrap();
    let (writer, guard) = build();
    let send = |range: std::ops::Range<usize>| {
        range.for_each(|number| assert_eq!(writer.send(line("parent", number)), Ok(true)));
    };
    send(0..QUEUE);
    writer.flush(LIMIT).unwrap();
    in_child(
        || {
            let refused = guard.restart_after_fork();
            assert!(matches!(refused, Err(BuildError::Locked { .. })), "{refused:?}");
            assert_eq!(writer.send("lost"), Err(SendError::Closed));
        },
        || std::process::exit(0),
    );
    send(QUEUE..2 * QUEUE);
    drop(guard);
    assert_file_is_free(&path);
    restart_in_many_threads(&path);
}

/// The file is left to the children. All but one thread found it locked, by the one.
fn restart_in_many_threads(path: &Path) {
    let (writer, guard) = Writer::builder(path).strategy(Strategy::MemoryMapped).build().unwrap();
    guard.shutdown(LIMIT).unwrap();
    in_child(
        || {
            let start = std::sync::Barrier::new(4);
            std::thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| {
                        start.wait();
                        guard.restart_after_fork().unwrap();
                        assert!(writer.is_running());
                    });
                }
            });
        },
        || std::process::exit(0),
    );
}

fn a_sink_stays_with_the_parent() {
    child::run("fork", &[("scene", &"restart-sink")]);
}

fn restart_over_a_sink() {
    let (writer, guard) = Writer::to(WriteSink::new(std::io::sink())).build().unwrap();
    in_child(
        || {
            let refused = guard.restart_after_fork();
            assert!(matches!(refused, Err(BuildError::NotRestartable)), "{refused:?}");
            assert_eq!(writer.send("lost"), Err(SendError::Closed));
        },
        || std::process::exit(0),
    );
    assert_eq!(writer.send("written"), Ok(true));
    guard.shutdown(LIMIT).unwrap();
}

fn assert_file_is_free(path: &Path) {
    let length = fs::metadata(path).unwrap().len();
    let (_writer, guard) = Writer::builder(path).strategy(Strategy::MemoryMapped).build().unwrap();
    drop(guard);
    assert_eq!(fs::metadata(path).unwrap().len(), length);
}
