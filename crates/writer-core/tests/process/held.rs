//! What holds the end of the process up while the guard is leaked: sinks and callbacks that hang,
//! wait for who exits, or fail.

use std::fs;
use std::io;
use std::sync::OnceLock;
use std::time::Duration;

use writer_core::{Sink, WriteSink, Writer};

use crate::Test;
#[cfg(unix)]
use crate::child::STRATEGIES;
use crate::child::{self, Args, MODES, Role, line};
#[cfg(unix)]
use crate::ends::{LINES, time_the_end};
use crate::ends::{Log, forever, last_word};

pub(crate) const TESTS: &[Test] = &[
    (
        "held::a_sink_that_hangs_holds_the_end_for_two_seconds",
        a_sink_that_hangs_holds_the_end_for_two_seconds,
    ),
    (
        "held::a_slow_sink_holds_the_exit_in_a_callback_for_two_seconds",
        a_slow_sink_holds_the_exit_in_a_callback_for_two_seconds,
    ),
    (
        "held::what_a_failing_sink_leaves_goes_to_the_fallback",
        what_a_failing_sink_leaves_is_diverted,
    ),
    // On Windows the worker is killed by then, wherever it is.
    #[cfg(unix)]
    ("held::a_callback_that_waits_for_who_exits_loses_nothing", || stuck("stuck-callback", 7)),
    #[cfg(unix)]
    (
        "held::a_sink_that_waits_for_who_exits_holds_the_end_for_two_seconds",
        a_sink_that_waits_for_who_exits_holds_the_end_for_two_seconds,
    ),
    #[cfg(unix)]
    (
        "held::a_pipe_that_nobody_reads_holds_the_end_for_two_seconds",
        a_pipe_that_nobody_reads_holds_the_end_for_two_seconds,
    ),
    #[cfg(unix)]
    (
        "held::a_fallback_is_called_by_who_exits_and_holds_its_lock",
        a_fallback_is_called_by_who_exits_and_holds_its_lock,
    ),
    #[cfg(target_os = "linux")]
    (
        "held::nothing_that_is_left_is_no_reason_for_a_thread",
        nothing_that_is_left_is_no_reason_for_a_thread,
    ),
    #[cfg(target_os = "linux")]
    ("held::an_end_without_memory_for_a_thread_loses_nothing", || stuck("no-memory", 7)),
    // Of two threads that exit, std has the second wait for ever.
    #[cfg(target_os = "linux")]
    ("held::a_callback_that_exits_when_main_has_returned_loses_nothing", || stuck("two-exits", 0)),
];

/// What the hook at the end has for all writers together, and as much as a busy machine adds.
const WITHIN: Duration = Duration::from_millis(2_500);

pub(crate) fn play(args: &Args) {
    // What is registered first runs last.
    #[cfg(unix)]
    time_the_end();
    match args.text("end") {
        "hang" => hang(),
        "failing" => failing(args),
        "slow" => slow(),
        #[cfg(unix)]
        "stuck-callback" => stuck_callback(args),
        #[cfg(unix)]
        "fallback" => fallback(args),
        #[cfg(target_os = "linux")]
        "no-thread" => no_thread(args),
        #[cfg(target_os = "linux")]
        "no-memory" => no_memory(args),
        #[cfg(target_os = "linux")]
        "two-exits" => two_exits(args),
        #[cfg(unix)]
        "stuck-sink" => stuck_sink(),
        #[cfg(unix)]
        "full-pipe" => full_pipe(args),
        other => panic!("no end {other}"),
    }
}

fn a_sink_that_hangs_holds_the_end_for_two_seconds() {
    // Three writers, and one limit for all.
    let (outcome, ()) =
        child::ends_before(WITHIN, || (child::run("held", &[("end", &"hang")]), ()));
    assert!(outcome.held() >= Duration::from_millis(1_900), "{:?}", outcome.held());
}

struct HangingSink;

impl Sink for HangingSink {
    fn write(&mut self, _lines: &[u8], _more_waiting: bool) -> io::Result<usize> {
        forever()
    }
}

fn hang() {
    for mode in MODES {
        let (writer, guard) = Writer::to(HangingSink).mode(mode).build().unwrap();
        std::mem::forget(guard);
        assert_eq!(writer.send("never written"), Ok(true));
    }
    last_word();
}

/// What is left when the time is over could take many times as long.
fn a_slow_sink_holds_the_exit_in_a_callback_for_two_seconds() {
    child::ends_before(WITHIN, || {
        let outcome = Role::start("held", &[("end", &"slow")]).finish();
        outcome.expect_code(7);
        (outcome, ())
    });
}

/// Takes a quarter of a second for each call.
struct SlowSink;

impl Sink for SlowSink {
    fn write(&mut self, lines: &[u8], _more_waiting: bool) -> io::Result<usize> {
        std::thread::sleep(Duration::from_millis(250));
        Ok(lines.len())
    }
}

fn slow() {
    static IN_CALLBACK: OnceLock<()> = OnceLock::new();
    static ALL_SENT: OnceLock<()> = OnceLock::new();
    let (writer, guard) = Writer::to(SlowSink)
        .flush_interval(Duration::ZERO)
        .on_write(|_| {
            let _ = IN_CALLBACK.set(());
            ALL_SENT.wait();
            last_word();
            std::process::exit(7);
        })
        .build()
        .unwrap();
    std::mem::forget(guard);
    assert_eq!(writer.send("0"), Ok(true));
    IN_CALLBACK.wait();
    // Each goes out in a call of its own.
    let line = vec![b'x'; 400 << 10];
    for _ in 0..40 {
        assert_eq!(writer.send(&line), Ok(true));
    }
    let _ = ALL_SENT.set(());
    forever();
}

/// The worker is in a callback for ever, and the sink is free.
#[cfg(unix)]
fn stuck(end: &str, code: i32) {
    for strategy in STRATEGIES {
        let (_, log) = child::ends_before(WITHIN, || {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("log");
            let role: [(&str, &dyn std::fmt::Display); 3] =
                [("end", &end), ("strategy", &strategy), ("path", &path.display())];
            let outcome = Role::start("held", &role).finish();
            outcome.expect_code(code);
            (outcome, Log { _folder: folder, path })
        });
        let lines = child::whole_lines(&log.path);
        assert_eq!(lines.len(), LINES, "{end} {strategy}");
        child::assert_gapless(&child::numbers(&lines, "main"));
    }
}

/// Sends all lines while the first is told of in `callback`.
#[cfg(unix)]
fn send_all_beside(args: &Args, callback: fn()) {
    static IN_CALLBACK: OnceLock<()> = OnceLock::new();
    let (writer, guard) = Writer::builder(args.path())
        .strategy(args.parse("strategy"))
        .flush_interval(Duration::ZERO)
        .max_queue_size(0)
        .on_write(move |_| {
            let _ = IN_CALLBACK.set(());
            callback();
        })
        .build()
        .unwrap();
    std::mem::forget(guard);
    assert_eq!(writer.send(line("main", 0)), Ok(true));
    IN_CALLBACK.wait();
    for number in 1..LINES {
        assert_eq!(writer.send(line("main", number)), Ok(true));
    }
}

/// As with the lock of stdout, which `println!` in a callback wants.
#[cfg(unix)]
fn stuck_callback(args: &Args) {
    static HELD: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _held = HELD.lock().unwrap();
    send_all_beside(args, || drop(HELD.lock()));
    last_word();
    std::process::exit(7);
}

/// Failed: another thread closed it, and waited for the lock of stdout.
#[cfg(unix)]
fn a_fallback_is_called_by_who_exits_and_holds_its_lock() {
    child::ends_before(Duration::from_secs(2), || {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let role: [(&str, &dyn std::fmt::Display); 2] =
            [("end", &"fallback"), ("path", &path.display())];
        let outcome = Role::start("held", &role).finish();
        outcome.expect_code(7);
        (outcome, ())
    });
}

#[cfg(unix)]
fn fallback(args: &Args) {
    let builder = Writer::builder(args.path()).fallback(WriteSink::new(io::stdout()));
    let (writer, guard) = builder.synchronous(true).build().unwrap();
    std::mem::forget(guard);
    assert_eq!(writer.send("0"), Ok(true));
    last_word();
    let _held = io::stdout().lock();
    std::process::exit(7);
}

/// A writer without worker is for programs that may have no second thread.
#[cfg(target_os = "linux")]
fn nothing_that_is_left_is_no_reason_for_a_thread() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    child::run("held", &[("end", &"no-thread"), ("path", &path.display())]);
    assert_eq!(child::whole_lines(&path), ["0"]);
}

/// The system kills whoever starts a thread.
#[cfg(target_os = "linux")]
fn no_thread(args: &Args) {
    let (writer, guard) = Writer::builder(args.path()).synchronous(true).build().unwrap();
    std::mem::forget(guard);
    assert_eq!(writer.send("0"), Ok(true));
    let step = |code: u32, k: u32, jt: u8| libc::sock_filter { code: code as u16, jt, jf: 0, k };
    // The number of the call; if it is one of the two, over to the end.
    let mut filter = [
        step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0),
        step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, libc::SYS_clone as u32, 2),
        step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, libc::SYS_clone3 as u32, 1),
        step(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW, 0),
        step(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_KILL_PROCESS, 0),
    ];
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    // SAFETY: plain calls of the system; program and filter live through the second.
    unsafe {
        assert_eq!(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
        let mode = libc::SECCOMP_MODE_FILTER;
        assert_eq!(libc::prctl(libc::PR_SET_SECCOMP, mode, &raw const program), 0);
    }
    last_word();
}

/// The callback exits when the process can have no further thread.
#[cfg(target_os = "linux")]
fn no_memory(args: &Args) {
    static ALL_SENT: OnceLock<()> = OnceLock::new();
    send_all_beside(args, || {
        ALL_SENT.wait();
        let pages = fs::read_to_string("/proc/self/statm").unwrap();
        let pages: u64 = pages.split(' ').next().unwrap().parse().unwrap();
        // SAFETY: a plain call.
        let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
        // Enough for small things, and less than a stack.
        let bytes = pages * page as u64 + (1 << 20);
        let limit = libc::rlimit { rlim_cur: bytes, rlim_max: libc::RLIM_INFINITY };
        // SAFETY: the limit lives through the call.
        assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_AS, &limit) }, 0);
        assert!(std::thread::Builder::new().spawn(|| {}).is_err());
        last_word();
        std::process::exit(7);
    });
    let _ = ALL_SENT.set(());
    forever();
}

/// The exiting thread would wait for itself if it wrote what is left.
#[cfg(unix)]
fn a_sink_that_waits_for_who_exits_holds_the_end_for_two_seconds() {
    child::ends_before(WITHIN, || {
        let outcome = Role::start("held", &[("end", &"stuck-sink")]).finish();
        outcome.expect_code(7);
        (outcome, ())
    });
}

#[cfg(unix)]
fn stuck_sink() {
    static HELD: std::sync::Mutex<()> = std::sync::Mutex::new(());
    static WRITTEN: OnceLock<()> = OnceLock::new();
    static MAY_GO_ON: OnceLock<()> = OnceLock::new();

    struct Locking;

    impl Sink for Locking {
        fn write(&mut self, lines: &[u8], _more_waiting: bool) -> io::Result<usize> {
            drop(HELD.lock());
            Ok(lines.len())
        }
    }

    let (writer, guard) = Writer::to(Locking)
        .flush_interval(Duration::ZERO)
        .on_write(|_| {
            let _ = WRITTEN.set(());
            MAY_GO_ON.wait();
            drop(HELD.lock());
        })
        .build()
        .unwrap();
    std::mem::forget(guard);
    assert_eq!(writer.send("0"), Ok(true));
    WRITTEN.wait();
    let _held = HELD.lock().unwrap();
    let _ = MAY_GO_ON.set(());
    assert_eq!(writer.send("1"), Ok(true));
    last_word();
    std::process::exit(7);
}

/// Failed: whoever ends the process wrote what was left, for ever.
#[cfg(unix)]
fn a_pipe_that_nobody_reads_holds_the_end_for_two_seconds() {
    for (by, code) in [("callback", 7), ("main", 0)] {
        child::ends_before(WITHIN, || {
            let outcome = Role::start("held", &[("end", &"full-pipe"), ("by", &by)]).finish();
            outcome.expect_code(code);
            assert!(outcome.held() >= Duration::from_millis(1_900), "{by}: {:?}", outcome.held());
            (outcome, ())
        });
    }
}

/// The worker is in a callback when more waits than the pipe takes.
#[cfg(unix)]
fn full_pipe(args: &Args) {
    static IN_CALLBACK: OnceLock<()> = OnceLock::new();
    static ALL_SENT: OnceLock<()> = OnceLock::new();
    let exits = args.text("by") == "callback";
    let (unread, pipe) = io::pipe().unwrap();
    let path = format!("/dev/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&pipe));
    let (writer, guard) = Writer::builder(path)
        .allow_special(true)
        .flush_interval(Duration::ZERO)
        .max_queue_size(0)
        .on_write(move |_| {
            let _ = IN_CALLBACK.set(());
            if !exits {
                forever();
            }
            ALL_SENT.wait();
            last_word();
            std::process::exit(7);
        })
        .build()
        .unwrap();
    std::mem::forget((guard, unread));
    assert_eq!(writer.send("0"), Ok(true));
    IN_CALLBACK.wait();
    for _ in 0..100 {
        assert_eq!(writer.send(vec![b'x'; 10 << 10]), Ok(true));
    }
    let _ = ALL_SENT.set(());
    if exits {
        forever();
    }
    last_word();
}

/// The callback ends the process when `main` has begun to do so.
#[cfg(target_os = "linux")]
fn two_exits(args: &Args) {
    static ENDING: OnceLock<()> = OnceLock::new();
    extern "C" fn at_end() {
        let _ = ENDING.set(());
    }
    send_all_beside(args, || {
        ENDING.wait();
        std::process::exit(8);
    });
    // Runs before the hook of the writer, which was registered before.
    // SAFETY: a plain function of the right type, which does not unwind.
    assert_eq!(unsafe { libc::atexit(at_end) }, 0);
    last_word();
}

/// The first writer tries its sink for as long as there is time, and leaves some for the others.
fn what_a_failing_sink_leaves_is_diverted() {
    let (_, log) = child::ends_before(WITHIN, || {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let outcome = child::run("held", &[("end", &"failing"), ("path", &path.display())]);
        (outcome, Log { _folder: folder, path })
    });
    for name in ["first", "second"] {
        let lines = child::whole_lines(&log.path.with_extension(name));
        assert_eq!(lines, [line("main", 0), line("main", 1)], "{name}");
    }
}

fn failing(args: &Args) {
    // In the way of all that come behind it.
    let (hanging, guard) = Writer::to(HangingSink).build().unwrap();
    std::mem::forget(guard);
    assert_eq!(hanging.send("never written"), Ok(true));
    for name in ["first", "second"] {
        let fallback = fs::File::create(args.path().with_extension(name)).unwrap();
        let (writer, guard) = Writer::to(child::FailingSink)
            .fallback(WriteSink::new(fallback))
            .fail_after(Duration::from_secs(3600))
            .build()
            .unwrap();
        std::mem::forget(guard);
        for number in 0..2 {
            assert_eq!(writer.send(line("main", number)), Ok(true));
        }
    }
    last_word();
}
