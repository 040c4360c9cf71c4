//! Signals with the helpers of the library: nothing accepted is lost, and the process ends by the
//! signal.

use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use writer_core::{Mode, Operation, Sink, WriteSink, Writer, WriterGuard, signals};

use crate::Test;
use crate::child::{self, Args, LIMIT, MODES, Outcome, Role, STRATEGIES, line, say};

pub(crate) const TESTS: &[Test] = &[
    ("signals::a_terminated_program_loses_nothing", a_terminated_program_loses_nothing),
    ("signals::all_writers_are_written_within_one_limit", all_writers_are_written),
    ("signals::a_sink_that_hangs_holds_the_end_for_the_limit", a_hanging_sink_is_left),
    ("signals::what_a_failing_sink_leaves_goes_to_the_fallback", a_failing_sink_is_given_up),
    ("signals::an_ignored_signal_stays_ignored", an_ignored_signal_stays_ignored),
    #[cfg(target_os = "linux")]
    ("signals::one_that_comes_before_it_is_served_ends_the_process", an_early_signal_ends),
    ("signals::a_forked_child_is_ended_at_once", || fork("foreign")),
    ("signals::a_restarted_child_loses_nothing", || fork("restarted")),
    ("signals::a_hangup_goes_over_to_a_new_file", a_hangup_goes_over),
    ("signals::a_hangup_that_fails_is_reported", a_failed_hangup_is_reported),
    ("signals::a_hangup_after_the_end_of_a_writer_is_no_failure", a_hangup_after_the_end),
];

const KILLS: usize = 100;
const ENDINGS: [i32; 2] = [libc::SIGTERM, libc::SIGINT];

/// Plays `scene`, sends `signal` when it says something, and waits for the end.
fn end_by(
    scene: &str,
    signal: i32,
    wait: Duration,
    args: &[(&str, &dyn std::fmt::Display)],
) -> Outcome {
    let mut all: Vec<(&str, &dyn std::fmt::Display)> = vec![("scene", &scene)];
    all.extend(args);
    let mut role = Role::start("signals", &all);
    let mut byte = [0];
    role.child.stdout.as_mut().unwrap().read_exact(&mut byte).unwrap();
    std::thread::sleep(wait);
    kill(role.child.id().cast_signed(), signal);
    role.finish()
}

fn kill(pid: i32, signal: i32) {
    // SAFETY: the process is a child of this one that nobody has waited for, or this one itself.
    assert_eq!(unsafe { libc::kill(pid, signal) }, 0);
}

fn a_terminated_program_loses_nothing() {
    for round in 0..KILLS {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let strategy = STRATEGIES[round % 3];
        let mode = MODES[round / 3 % 3];
        let signal = ENDINGS[round % 2];
        let args: [(&str, &dyn std::fmt::Display); 3] =
            [("strategy", &strategy), ("mode", &mode), ("path", &path.display())];
        let wait = Duration::from_micros(round as u64 * 397 % 20_000);
        let outcome = end_by("send", signal, wait, &args);
        assert_eq!(outcome.status.signal(), Some(signal), "{:?}", outcome.status);
        let lines = child::whole_lines(&path);
        let numbers = child::numbers(&lines, "main");
        child::assert_gapless(&numbers);
        assert_eq!(numbers.len(), lines.len());
        let accepted = accepted(&path);
        let label = format!("{strategy} {mode}: {} of {accepted}", numbers.len());
        // The last one may have been accepted and not been noted any more.
        assert!((accepted..=accepted + 1).contains(&numbers.len()), "{label}");
    }
}

/// What the role has noted beside the log.
fn accepted(path: &Path) -> usize {
    let noted = fs::read(path.with_extension("accepted")).unwrap();
    noted.try_into().map_or(0, |bytes| u64::from_ne_bytes(bytes) as usize)
}

fn all_writers_are_written() {
    let folder = tempfile::tempdir().unwrap();
    let args: [(&str, &dyn std::fmt::Display); 1] = [("path", &folder.path().display())];
    let outcome = end_by("two", libc::SIGTERM, Duration::ZERO, &args);
    assert_eq!(outcome.status.signal(), Some(libc::SIGTERM));
    for name in ["first", "second"] {
        child::assert_gapless(&child::numbers(
            &child::whole_lines(&folder.path().join(name)),
            name,
        ));
        assert_eq!(child::whole_lines(&folder.path().join(name)).len(), 20_000);
    }
}

fn a_hanging_sink_is_left() {
    // Without a worker the process could be ended by SIGKILL alone.
    for synchronous in [false, true] {
        let start = Instant::now();
        let args: [(&str, &dyn std::fmt::Display); 1] = [("synchronous", &synchronous)];
        let outcome = end_by("hang", libc::SIGINT, Duration::ZERO, &args);
        assert_eq!(outcome.status.signal(), Some(libc::SIGINT));
        let held = start.elapsed();
        assert!(held > Duration::from_millis(300) && held < LIMIT, "{held:?}");
    }
}

fn a_failing_sink_is_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fallback");
    let args: [(&str, &dyn std::fmt::Display); 1] = [("path", &path.display())];
    let outcome = end_by("failing", libc::SIGTERM, Duration::ZERO, &args);
    assert_eq!(outcome.status.signal(), Some(libc::SIGTERM));
    assert_eq!(child::whole_lines(&path), [line("main", 0)]);
}

fn an_ignored_signal_stays_ignored() {
    let outcome = child::run("signals", &[("scene", &"ignored")]);
    assert_eq!(outcome.said, ["alive"]);
}

fn fork(scene: &str) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    child::run("signals", &[("scene", &scene), ("path", &path.display())]);
    let lines = child::whole_lines(&path);
    assert_eq!(child::numbers(&lines, "parent").len(), 1);
    assert_eq!(child::numbers(&lines, "child").len(), if scene == "restarted" { 1_000 } else { 0 });
}

fn a_hangup_goes_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    child::run("signals", &[("scene", &"hangup"), ("path", &path.display())]);
    let mut all = Vec::new();
    for rotated in (0..ROTATIONS).map(|n| path.with_extension(n.to_string())).chain([path.clone()])
    {
        all.extend(child::whole_lines(&rotated));
    }
    let numbers = child::numbers(&all, "main");
    assert_eq!(numbers.len(), all.len());
    child::assert_gapless(&numbers);
    assert!(numbers.len() >= ROTATIONS);
}

fn a_failed_hangup_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let outcome = child::run("signals", &[("scene", &"refused"), ("path", &path.display())]);
    assert_eq!(outcome.said, ["Reopen"]);
    assert_eq!(child::whole_lines(&path.with_extension("old")), [line("main", 0), line("main", 1)]);
}

/// Each hangup was told of as a failure: there was a handle left, as a global logger has one.
fn a_hangup_after_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let args: [(&str, &dyn std::fmt::Display); 2] =
        [("scene", &"ended"), ("path", &folder.path().display())];
    let outcome = child::run("signals", &args);
    assert_eq!(outcome.said, ["0 reports"]);
}

/// What was ignored when the tests were started is ignored by every program they start: SIGINT in
/// the background of a script, SIGHUP under nohup.
fn reset_signals() {
    for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP] {
        // SAFETY: the default action has no preconditions.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
}

pub(crate) fn play(args: &Args) {
    reset_signals();
    match args.text("scene") {
        "send" => send(args),
        "two" => two_writers(args),
        "hang" => hang(args),
        "failing" => failing(args),
        "ignored" => ignored(),
        #[cfg(target_os = "linux")]
        "early" => early(),
        "foreign" => forked(args, |_, _| ()),
        "restarted" => forked(args, restart),
        "hangup" => hangup(args),
        "refused" => refused(args),
        "ended" => ended(args),
        other => panic!("no scene {other}"),
    }
}

fn forever() -> ! {
    loop {
        std::thread::park();
    }
}

/// Sends as fast as it can, and notes how many were accepted where a signal does not undo it.
fn send(args: &Args) {
    let path = args.path();
    let (writer, guard) = Writer::builder(&path)
        .strategy(args.parse("strategy"))
        .mode(args.parse("mode"))
        .build()
        .unwrap();
    signals::shutdown_on_termination(&writer, LIMIT).unwrap();
    std::mem::forget(guard);
    let note = fs::File::create(path.with_extension("accepted")).unwrap();
    say("ready");
    for number in 0..1_000_000 {
        if writer.send(line("main", number)).is_err() {
            forever();
        }
        note.write_all_at(&(number as u64 + 1).to_ne_bytes(), 0).unwrap();
    }
    // The signal is late.
    forever();
}

fn two_writers(args: &Args) {
    for name in ["first", "second"] {
        let (writer, guard) = Writer::builder(args.path().join(name))
            .mode(Mode::Manual)
            .max_queue_size(0)
            // Neither hook decides here.
            .exit_hook(false)
            .build()
            .unwrap();
        std::mem::forget(guard);
        signals::shutdown_on_termination(&writer, LIMIT).unwrap();
        for number in 0..20_000 {
            assert_eq!(writer.send(line(name, number)), Ok(true));
        }
    }
    say("ready");
    forever();
}

struct HangingSink {
    writes: bool,
}

impl Sink for HangingSink {
    fn write(&mut self, lines: &[u8], _more_waiting: bool) -> io::Result<usize> {
        if self.writes { Ok(lines.len()) } else { forever() }
    }

    fn close(&mut self) -> io::Result<()> {
        forever()
    }
}

/// Without a worker a sender would hang in the sink, which is another case: there it is the end.
fn hang(args: &Args) {
    let synchronous = args.parse("synchronous");
    let sink = HangingSink { writes: synchronous };
    let (writer, guard) = Writer::to(sink).synchronous(synchronous).build().unwrap();
    std::mem::forget(guard);
    assert_eq!(writer.send("a line"), Ok(true));
    signals::shutdown_on_termination(&writer, Duration::from_millis(300)).unwrap();
    say("ready");
    forever();
}

fn failing(args: &Args) {
    let fallback = fs::File::create(args.path()).unwrap();
    let (writer, guard) = Writer::to(child::FailingSink)
        .fallback(WriteSink::new(fallback))
        .fail_after(Duration::from_secs(3600))
        .build()
        .unwrap();
    std::mem::forget(guard);
    assert_eq!(writer.send(line("main", 0)), Ok(true));
    signals::shutdown_on_termination(&writer, Duration::from_millis(500)).unwrap();
    say("ready");
    forever();
}

fn ignored() {
    // SAFETY: ignoring a signal has no preconditions.
    unsafe { libc::signal(libc::SIGINT, libc::SIG_IGN) };
    let (writer, _guard) = Writer::to(WriteSink::new(io::sink())).build().unwrap();
    signals::shutdown_on_termination(&writer, LIMIT).unwrap();
    kill(std::process::id().cast_signed(), libc::SIGINT);
    assert!(writer.is_running());
    say("alive");
}

/// It was swallowed between the installation of two handlers.
#[cfg(target_os = "linux")]
fn an_early_signal_ends() {
    let outcome = Role::start("signals", &[("scene", &"early")]).finish();
    assert_eq!(outcome.status.signal(), Some(libc::SIGTERM), "{:?}", outcome.status);
    assert!(outcome.said.is_empty(), "{:?}", outcome.said);
}

#[cfg(target_os = "linux")]
static RAISES: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);

/// Takes the place of the C library's. It is with this call that the second handler's pipe is made.
// SAFETY: the signature is that of the C library, and so is what it does.
#[cfg(target_os = "linux")]
#[unsafe(no_mangle)]
extern "C" fn socketpair(domain: i32, kind: i32, protocol: i32, pair: *mut i32) -> i32 {
    if RAISES.swap(false, std::sync::atomic::Ordering::SeqCst) {
        // SAFETY: raising a signal has no preconditions. Unlike one for the process, it arrives
        // here.
        assert_eq!(unsafe { libc::raise(libc::SIGTERM) }, 0);
    }
    // SAFETY: the caller keeps to what the C library asks for, which is what the system does.
    let result = unsafe { libc::syscall(libc::SYS_socketpair, domain, kind, protocol, pair) };
    result as i32
}

#[cfg(target_os = "linux")]
fn early() {
    let (writer, _guard) = Writer::to(WriteSink::new(io::sink())).build().unwrap();
    RAISES.store(true, std::sync::atomic::Ordering::SeqCst);
    signals::shutdown_on_termination(&writer, LIMIT).unwrap();
    let raised = !RAISES.load(std::sync::atomic::Ordering::SeqCst);
    say(format_args!("alive, and the signal was raised: {raised}"));
}

/// Forks with the signals served, and ends the child by one.
fn forked(args: &Args, in_child: fn(&Writer, &WriterGuard)) {
    let (writer, guard) = Writer::builder(args.path()).build().unwrap();
    signals::shutdown_on_termination(&writer, LIMIT).unwrap();
    let (mut ready, sender) = io::pipe().unwrap();
    // SAFETY: the child uses the library alone, whose behaviour then is what is tested.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0);
    if pid == 0 {
        in_child(&writer, &guard);
        io::Write::write_all(&mut &sender, b"x").unwrap();
        forever();
    }
    ready.read_exact(&mut [0]).unwrap();
    let start = Instant::now();
    kill(pid, libc::SIGTERM);
    let mut status = 0;
    // SAFETY: `pid` is a child of this process, and `status` lives through the call.
    assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
    assert!(libc::WIFSIGNALED(status) && libc::WTERMSIG(status) == libc::SIGTERM, "{status:#x}");
    assert!(start.elapsed() < LIMIT, "{:?}", start.elapsed());
    assert_eq!(writer.send(line("parent", 0)), Ok(true));
    guard.shutdown(LIMIT).unwrap();
}

fn restart(writer: &Writer, guard: &WriterGuard) {
    assert!(signals::shutdown_on_termination(writer, LIMIT).is_err());
    guard.restart_after_fork().unwrap();
    signals::shutdown_on_termination(writer, LIMIT).unwrap();
    for number in 0..1_000 {
        assert_eq!(writer.send(line("child", number)), Ok(true));
    }
}

const ROTATIONS: usize = 20;

/// Renames the file under load and says so by a signal.
fn hangup(args: &Args) {
    let path = args.path();
    let (writer, guard) = Writer::builder(&path).build().unwrap();
    signals::reopen_on_hangup(&writer).unwrap();
    let (stop, stopped) = mpsc::channel::<()>();
    let sender = {
        let writer = writer.clone();
        std::thread::spawn(move || {
            for number in 0.. {
                if stopped.try_recv() == Err(mpsc::TryRecvError::Disconnected) {
                    return;
                }
                assert_eq!(writer.send(line("main", number)), Ok(true));
            }
        })
    };
    for rotation in 0..ROTATIONS {
        let reopened = writer.metrics().reopened;
        fs::rename(&path, path.with_extension(rotation.to_string())).unwrap();
        kill(std::process::id().cast_signed(), libc::SIGHUP);
        let start = Instant::now();
        while writer.metrics().reopened == reopened || !path.exists() {
            assert!(start.elapsed() < LIMIT, "rotation {rotation}");
            std::thread::yield_now();
        }
    }
    drop(stop);
    sender.join().unwrap();
    guard.shutdown(LIMIT).unwrap();
}

/// A folder stands where the file was.
fn refused(args: &Args) {
    let path = args.path();
    let (told, reports) = mpsc::channel();
    let (writer, guard) = Writer::builder(&path)
        .on_error(move |error| told.send(error.operation).unwrap())
        .build()
        .unwrap();
    signals::reopen_on_hangup(&writer).unwrap();
    assert_eq!(writer.send(line("main", 0)), Ok(true));
    writer.flush(LIMIT).unwrap();
    fs::rename(&path, path.with_extension("old")).unwrap();
    fs::create_dir(&path).unwrap();
    kill(std::process::id().cast_signed(), libc::SIGHUP);
    let report = reports.recv_timeout(LIMIT).unwrap();
    assert_eq!(report, Operation::Reopen);
    say(format_args!("{report:?}"));
    assert_eq!(writer.send(line("main", 1)), Ok(true));
    guard.shutdown(LIMIT).unwrap();
}

/// A writer that has ended, and one that shows when the hangup is served.
fn ended(args: &Args) {
    let (told, reports) = mpsc::channel();
    let (_handle, guard) = Writer::builder(args.path().join("ended"))
        .on_error(move |error| told.send(error.to_string()).unwrap())
        .build()
        .unwrap();
    signals::reopen_on_hangup(guard.writer()).unwrap();
    guard.shutdown(LIMIT).unwrap();
    let path = args.path().join("log");
    let (writer, _guard) = Writer::builder(&path).build().unwrap();
    signals::reopen_on_hangup(&writer).unwrap();
    fs::rename(&path, path.with_extension("old")).unwrap();
    kill(std::process::id().cast_signed(), libc::SIGHUP);
    let start = Instant::now();
    while writer.metrics().reopened == 0 {
        assert!(start.elapsed() < LIMIT);
        std::thread::yield_now();
    }
    say(format_args!("{} reports", reports.try_iter().count()));
}
