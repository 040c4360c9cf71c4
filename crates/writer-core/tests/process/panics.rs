//! A panic that may be the end: what was accepted is in the file before the process aborts.
//!
//! Built with `panic = "abort"` the panics themselves end the process; else the roles abort after
//! them. Neither runs an exit hook or a destructor.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use writer_core::{Mode, Sink, Writer, WriterBuilder};

use crate::Test;
use crate::child::{self, Args, MODES, Outcome, Role, STRATEGIES, line, say};

pub(crate) const TESTS: &[Test] = &[
    ("panics::nothing_accepted_is_lost_when_main_panics", || all("main")),
    ("panics::nothing_accepted_is_lost_when_a_producer_panics", || all("producer")),
    ("panics::without_the_hook_lines_are_lost", without_the_hook_lines_are_lost),
    ("panics::the_hook_before_runs_first", the_hook_before_runs_first),
    ("panics::a_panicking_callback_does_not_wait_for_itself", a_callback_does_not_wait),
    ("panics::a_sink_that_hangs_holds_a_panic_for_half_a_second", a_hanging_sink_holds_a_panic),
    ("panics::a_sink_that_hangs_takes_no_time_from_other_writers", a_hanging_sink_beside_a_file),
];

const LINES: usize = 100_000;

/// What the hook has for all writers together.
const HOOK: Duration = Duration::from_millis(500);

/// Plays `scene` to its violent end.
fn end(scene: &str, args: &[(&str, &dyn std::fmt::Display)]) -> Outcome {
    let mut all: Vec<(&str, &dyn std::fmt::Display)> = vec![("scene", &scene)];
    all.extend(args);
    let outcome = Role::start("panic", &all).finish();
    assert!(!outcome.status.success(), "{scene}: {:?}", outcome.status);
    outcome
}

fn all(scene: &str) {
    for strategy in STRATEGIES {
        for mode in MODES {
            let (_, folder) = child::ends_before(HOOK, || {
                let folder = tempfile::tempdir().unwrap();
                let path = folder.path().join("log");
                let args: [(&str, &dyn std::fmt::Display); 4] = [
                    ("strategy", &strategy),
                    ("mode", &mode),
                    ("hook", &true),
                    ("path", &path.display()),
                ];
                (end(scene, &args), folder)
            });
            let path = folder.path().join("log");
            // The next opening trims what a mapping had reserved.
            drop(Writer::builder(&path).build().unwrap());
            let lines = child::whole_lines(&path);
            assert_eq!(lines.len(), LINES, "{scene} {strategy} {mode}");
            child::assert_gapless(&child::numbers(&lines, "main"));
        }
    }
}

fn without_the_hook_lines_are_lost() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    end("main", &[("mode", &Mode::Manual), ("hook", &false), ("path", &path.display())]);
    assert_eq!(child::whole_lines(&path).len(), 0);
}

/// It may log the panic.
fn the_hook_before_runs_first() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    end("chained", &[("mode", &Mode::Manual), ("hook", &true), ("path", &path.display())]);
    assert_eq!(child::whole_lines(&path), [line("main", 0), line("hook", 0)]);
}

fn a_callback_does_not_wait() {
    // Waiting for itself would last as long as the hook has.
    let (_, folder) = child::ends_before(HOOK, || {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let args: [(&str, &dyn std::fmt::Display); 3] =
            [("mode", &Mode::Trigger), ("hook", &true), ("path", &path.display())];
        (end("callback", &args), folder)
    });
    assert_eq!(child::whole_lines(&folder.path().join("log")), [line("main", 0)]);
}

fn a_hanging_sink_holds_a_panic() {
    // Two writers, and one limit for both.
    let (outcome, ()) = child::ends_before(2 * HOOK, || (end("hang", &[]), ()));
    assert!(outcome.held() >= HOOK, "{:?}", outcome.held());
}

/// Of five times the lines of the file were lost in two.
fn a_hanging_sink_beside_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    end("beside", &[("mode", &Mode::Manual), ("hook", &true), ("path", &path.display())]);
    assert_eq!(child::whole_lines(&path), [line("main", 0)]);
}

fn builder(args: &Args) -> WriterBuilder {
    Writer::builder(args.path())
        .strategy(args.get("strategy").map_or_else(Default::default, |s| s.parse().unwrap()))
        .mode(args.parse("mode"))
        .max_queue_size(0)
        .exit_hook(false)
        .panic_hook(args.parse("hook"))
}

pub(crate) fn play(args: &Args) {
    match args.text("scene") {
        "main" => in_main(args),
        "producer" => in_a_producer(args),
        "chained" => chained(args),
        "callback" => callback(args),
        "hang" => hang(),
        "beside" => beside(args),
        other => panic!("no scene {other}"),
    }
}

fn send_all(writer: &Writer) {
    for number in 0..LINES {
        assert_eq!(writer.send(line("main", number)), Ok(true));
    }
}

/// Has each panic say how long the hooks, with that of the library, have held it up.
fn time_the_hooks() {
    let hooks = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let start = Instant::now();
        hooks(panic);
        say(format_args!("{}{}", child::HELD, start.elapsed().as_millis()));
    }));
}

fn in_main(args: &Args) {
    let (writer, guard) = builder(args).build().unwrap();
    std::mem::forget(guard);
    time_the_hooks();
    send_all(&writer);
    panic!("on purpose");
}

fn in_a_producer(args: &Args) {
    let (writer, guard) = builder(args).build().unwrap();
    std::mem::forget(guard);
    time_the_hooks();
    let producer = std::thread::spawn(move || {
        send_all(&writer);
        panic!("on purpose");
    });
    assert!(producer.join().is_err());
    std::process::abort();
}

fn chained(args: &Args) {
    static WRITER: std::sync::OnceLock<Writer> = std::sync::OnceLock::new();
    std::panic::set_hook(Box::new(|_| {
        let writer = WRITER.get().unwrap();
        assert_eq!(writer.send(line("hook", 0)), Ok(true));
        // Not written by this hook, only by the one after it.
        assert_eq!(writer.metrics().written, 0);
    }));
    let (writer, guard) = builder(args).build().unwrap();
    std::mem::forget(guard);
    assert_eq!(writer.send(line("main", 0)), Ok(true));
    drop(WRITER.set(writer));
    drop(std::panic::catch_unwind(|| panic!("on purpose")));
    std::process::abort();
}

fn callback(args: &Args) {
    let (writer, guard) = builder(args).on_write(|_| panic!("on purpose")).build().unwrap();
    std::mem::forget(guard);
    time_the_hooks();
    assert_eq!(writer.send(line("main", 0)), Ok(true));
    while writer.metrics().callback_panics == 0 {
        std::thread::yield_now();
    }
    std::process::abort();
}

struct HangingSink;

static ENTERED: AtomicBool = AtomicBool::new(false);

impl Sink for HangingSink {
    fn write(&mut self, _lines: &[u8], _more_waiting: bool) -> io::Result<usize> {
        ENTERED.store(true, Ordering::SeqCst);
        loop {
            std::thread::park();
        }
    }
}

/// Two writers that cannot be written, and one limit for both.
fn hang() {
    let build = || Writer::to(HangingSink).exit_hook(false).panic_hook(true).build().unwrap();
    let writers = [build(), build()];
    for (writer, _) in &writers {
        assert_eq!(writer.send("never written"), Ok(true));
    }
    while !ENTERED.load(Ordering::SeqCst) {
        std::thread::yield_now();
    }
    time_the_hooks();
    drop(std::panic::catch_unwind(|| panic!("on purpose")));
    std::process::abort();
}

/// The writer that hangs is the first.
fn beside(args: &Args) {
    let hanging = Writer::to(HangingSink).exit_hook(false).panic_hook(true).build().unwrap();
    assert_eq!(hanging.0.send("never written"), Ok(true));
    while !ENTERED.load(Ordering::SeqCst) {
        std::thread::yield_now();
    }
    let (writer, guard) = builder(args).build().unwrap();
    std::mem::forget(guard);
    assert_eq!(writer.send(line("main", 0)), Ok(true));
    drop(std::panic::catch_unwind(|| panic!("on purpose")));
    std::process::abort();
}
