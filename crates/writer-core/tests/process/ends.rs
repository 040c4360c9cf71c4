//! The process ends while the guard is leaked: what was accepted is in the file.

use std::fs;
use std::io;
use std::sync::OnceLock;
use std::time::Duration;

use writer_core::{Mode, Sink, Strategy, Writer, WriterBuilder};

use crate::Test;
use crate::child::{self, Args, LAST_WORD, MODES, Role, STRATEGIES, line, say};

pub(crate) const TESTS: &[Test] = &[
    ("ends::nothing_accepted_is_lost_when_main_returns", || all("return", 0)),
    // On Windows the worker is killed by then, wherever it is.
    #[cfg(unix)]
    ("ends::nothing_accepted_is_lost_when_main_exits", || all("exit", 7)),
    #[cfg(unix)]
    ("ends::nothing_accepted_is_lost_when_a_thread_exits", || all("exit-in-thread", 7)),
    ("ends::nothing_is_lost_when_main_exits_beside_idle_workers", exit_beside_idle_workers),
    ("ends::nothing_accepted_is_lost_when_a_callback_exits", || all("exit-in-callback", 7)),
    ("ends::nothing_accepted_is_lost_when_main_panics", || all("panic", 101)),
    ("ends::nothing_accepted_is_lost_when_a_producer_panics", || all("panic-in-producer", 0)),
    ("ends::synchronous_writers_leave_exact_files", synchronous_writers_leave_exact_files),
    ("ends::two_writers_are_both_written", two_writers_are_both_written),
    #[cfg(unix)]
    ("ends::exit_while_others_send_leaves_a_prefix", exit_while_others_send_leaves_a_prefix),
    ("ends::without_the_hook_the_end_does_not_wait", without_the_hook_the_end_does_not_wait),
    ("ends::a_sink_may_exit", a_sink_may_exit),
    ("ends::a_callback_of_a_synchronous_writer_may_exit", a_synchronous_callback_may_exit),
    (
        "ends::a_sink_that_hangs_holds_the_end_for_two_seconds",
        a_sink_that_hangs_holds_the_end_for_two_seconds,
    ),
];

const LINES: usize = 100_000;
const WITHIN: Duration = Duration::from_millis(2_500);

/// Every mode and strategy, with a queue for all lines and with the default one.
fn all(end: &str, code: i32) {
    let mut longest = Duration::ZERO;
    for strategy in STRATEGIES {
        for mode in MODES {
            for queue in [0, 10_000] {
                // The small form leaves out what differs least.
                if queue > 0 && mode != Mode::Loop && !child::full() {
                    continue;
                }
                let folder = tempfile::tempdir().unwrap();
                let path = folder.path().join("log");
                let label = format!("{end} {strategy} {mode} {queue}");
                let outcome = Role::start(
                    "end",
                    &[
                        ("end", &end),
                        ("strategy", &strategy),
                        ("mode", &mode),
                        ("queue", &queue),
                        ("path", &path.display()),
                    ],
                )
                .finish();
                outcome.expect_code(code);
                assert!(outcome.exit <= WITHIN, "{label}: {:?}", outcome.exit);
                longest = longest.max(outcome.exit);
                let lines = child::whole_lines(&path);
                let main = child::numbers(&lines, "main");
                assert_eq!(main.len(), LINES, "{label}");
                child::assert_gapless(&main);
                let late = outcome.said.iter().find_map(|word| word.strip_prefix("late="));
                let late = late.map_or(0, |count| count.parse().unwrap());
                assert_eq!(child::numbers(&lines, "late").len(), late, "{label}");
                assert_eq!(lines.len(), LINES + late, "{label}");
            }
        }
    }
    println!("longest exit of {end}: {longest:?}");
}

fn exit_beside_idle_workers() {
    for strategy in STRATEGIES {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let args: [(&str, &dyn std::fmt::Display); 5] = [
            ("end", &"exit"),
            ("strategy", &strategy),
            ("mode", &Mode::Manual),
            ("queue", &0),
            ("path", &path.display()),
        ];
        let outcome = Role::start("end", &args).finish();
        outcome.expect_code(7);
        assert!(outcome.exit <= WITHIN, "{strategy}: {:?}", outcome.exit);
        let lines = child::whole_lines(&path);
        assert_eq!(lines.len(), LINES, "{strategy}");
        child::assert_gapless(&child::numbers(&lines, "main"));
    }
}

fn builder(args: &Args) -> WriterBuilder {
    Writer::builder(args.path())
        .strategy(args.parse("strategy"))
        .mode(args.parse("mode"))
        .max_queue_size(args.parse("queue"))
        .synchronous(args.get("synchronous").is_some())
        .exit_hook(args.get("hook") != Some("off"))
}

fn send_all(writer: &Writer) {
    for number in 0..LINES {
        assert_eq!(writer.send(line("main", number)), Ok(true));
    }
}

pub(crate) fn play(args: &Args) {
    match args.text("end") {
        "exit-in-callback" => exit_in_callback(args),
        "two" => two_writers(args),
        "race" => race(args),
        "hang" => hang(),
        "exit-in-sink" => exit_in_sink(args),
        "exit-in-synchronous-callback" => exit_in_synchronous_callback(args),
        end => {
            let (writer, guard) = builder(args).build().unwrap();
            std::mem::forget(guard);
            end_after(end, &writer);
        }
    }
}

fn end_after(end: &str, writer: &Writer) {
    match end {
        "return" => {
            send_all(writer);
            say(LAST_WORD);
        }
        "exit" => {
            send_all(writer);
            say(LAST_WORD);
            std::process::exit(7);
        }
        "exit-in-thread" => {
            send_all(writer);
            std::thread::spawn(|| {
                say(LAST_WORD);
                std::process::exit(7);
            });
            forever();
        }
        "panic" => {
            send_all(writer);
            say(LAST_WORD);
            panic!("on purpose");
        }
        "panic-in-producer" => {
            let writer = writer.clone();
            let producer = std::thread::spawn(move || {
                send_all(&writer);
                panic!("on purpose");
            });
            assert!(producer.join().is_err());
            say(LAST_WORD);
        }
        other => panic!("no end {other}"),
    }
}

fn forever() -> ! {
    loop {
        std::thread::park();
    }
}

/// The callback sends a few lines, which must be written too, and ends the process on the worker's
/// thread. It waits for the one line that is sent after all the others.
fn exit_in_callback(args: &Args) {
    static WRITER: OnceLock<Writer> = OnceLock::new();
    let (writer, guard) = builder(args)
        .on_write(|_| {
            let Some(writer) = WRITER.get() else { return };
            if writer.metrics().enqueued > LINES as u64 {
                // With a full queue the worker cannot wait for itself.
                let late = (1..6).filter(|n| writer.send(line("late", *n)) == Ok(true)).count();
                say(format_args!("late={}", late + 1));
                say(LAST_WORD);
                std::process::exit(7);
            }
        })
        .build()
        .unwrap();
    std::mem::forget(guard);
    drop(WRITER.set(writer.clone()));
    send_all(&writer);
    assert_eq!(writer.send(line("late", 0)), Ok(true));
    writer.trigger();
    forever();
}

fn synchronous_writers_leave_exact_files() {
    for strategy in STRATEGIES {
        for (end, code) in [("return", 0), ("exit-in-thread", 7)] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("log");
            let outcome = Role::start(
                "end",
                &[
                    ("end", &end),
                    ("strategy", &strategy),
                    ("mode", &Mode::Trigger),
                    ("queue", &10),
                    ("synchronous", &1),
                    ("path", &path.display()),
                ],
            )
            .finish();
            outcome.expect_code(code);
            assert!(outcome.exit <= WITHIN, "{strategy} {end}: {:?}", outcome.exit);
            let lines = child::whole_lines(&path);
            assert_eq!(lines.len(), LINES);
            child::assert_gapless(&child::numbers(&lines, "main"));
        }
    }
}

fn two_writers_are_both_written() {
    let folder = tempfile::tempdir().unwrap();
    let outcome = child::run("end", &[("end", &"two"), ("path", &folder.path().display())]);
    assert!(outcome.exit <= WITHIN, "{:?}", outcome.exit);
    for name in ["first", "second"] {
        let lines = child::whole_lines(&folder.path().join(name));
        assert_eq!(lines.len(), LINES);
        child::assert_gapless(&child::numbers(&lines, "main"));
    }
}

fn two_writers(args: &Args) {
    let both = [("first", Strategy::MemoryMapped), ("second", Strategy::BlockBuffered)];
    let writers = both.map(|(name, strategy)| {
        let (writer, guard) = Writer::builder(args.path().join(name))
            .strategy(strategy)
            .mode(Mode::Manual)
            .max_queue_size(0)
            .build()
            .unwrap();
        std::mem::forget(guard);
        writer
    });
    writers.iter().for_each(send_all);
    say(LAST_WORD);
}

#[cfg(unix)]
fn exit_while_others_send_leaves_a_prefix() {
    for strategy in STRATEGIES {
        for mode in MODES {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("log");
            let label = format!("{strategy} {mode}");
            let outcome = Role::start(
                "end",
                &[
                    ("end", &"race"),
                    ("strategy", &strategy),
                    ("mode", &mode),
                    ("queue", &10_000),
                    ("path", &path.display()),
                ],
            )
            .finish();
            outcome.expect_code(7);
            assert!(outcome.exit <= WITHIN, "{label}: {:?}", outcome.exit);
            let lines = child::whole_lines(&path);
            let mut sum = 0;
            for source in ["a", "b"] {
                let numbers = child::numbers(&lines, source);
                child::assert_gapless(&numbers);
                sum += numbers.len();
            }
            assert_eq!(sum, lines.len(), "{label}");
            let accepted: usize = outcome.said[0].parse().unwrap();
            assert!(sum >= accepted, "{label}: {sum} of at least {accepted} accepted lines");
        }
    }
}

fn race(args: &Args) {
    let (writer, guard) = builder(args).build().unwrap();
    std::mem::forget(guard);
    for source in ["a", "b"] {
        let writer = writer.clone();
        std::thread::spawn(move || {
            for number in 0..1_000_000 {
                if writer.send(line(source, number)).is_err() {
                    break;
                }
            }
            forever();
        });
    }
    while writer.metrics().enqueued < 30_000 {
        std::thread::yield_now();
    }
    say(writer.metrics().enqueued);
    say(LAST_WORD);
    std::process::exit(7);
}

/// What is lost then is said in the documentation; what is there is a prefix.
fn without_the_hook_the_end_does_not_wait() {
    for strategy in STRATEGIES {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let outcome = child::run(
            "end",
            &[
                ("end", &"return"),
                ("strategy", &strategy),
                ("mode", &Mode::Trigger),
                ("queue", &0),
                ("hook", &"off"),
                ("path", &path.display()),
            ],
        );
        assert!(outcome.exit < Duration::from_millis(500), "{:?}", outcome.exit);
        // The next opening mends a file that a mapping left longer than its lines.
        drop(Writer::builder(&path).build().unwrap());
        let bytes = fs::read(&path).unwrap();
        assert!(!bytes.contains(&0));
        let mut lines: Vec<_> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
        if let Some(last) = lines.pop() {
            let whole = line("main", lines.len());
            let last = last.strip_suffix(b"\n").unwrap();
            assert!(whole.as_bytes().starts_with(last), "{strategy}: a fragment of a line");
        }
        let text: Vec<_> =
            lines.iter().map(|l| String::from_utf8(l[..l.len() - 1].to_vec()).unwrap()).collect();
        let numbers = child::numbers(&text, "main");
        assert_eq!(numbers.len(), text.len());
        child::assert_gapless(&numbers);
    }
}

fn a_sink_that_hangs_holds_the_end_for_two_seconds() {
    let outcome = child::run("end", &[("end", &"hang")]);
    assert!(outcome.exit >= Duration::from_millis(1_900), "{:?}", outcome.exit);
    assert!(outcome.exit <= WITHIN, "{:?}", outcome.exit);
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
    say(LAST_WORD);
}

/// The sink cannot be entered a second time, so its own lines are not written; other writers' are.
fn a_sink_may_exit() {
    for synchronous in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let outcome = Role::start(
            "end",
            &[("end", &"exit-in-sink"), ("synchronous", &synchronous), ("path", &path.display())],
        )
        .finish();
        outcome.expect_code(7);
        assert!(outcome.exit <= WITHIN, "{:?}", outcome.exit);
        let lines = child::whole_lines(&path);
        assert_eq!(lines.len(), LINES);
        child::assert_gapless(&child::numbers(&lines, "main"));
    }
}

struct ExitingSink;

impl Sink for ExitingSink {
    fn write(&mut self, _lines: &[u8], _more_waiting: bool) -> io::Result<usize> {
        say(LAST_WORD);
        std::process::exit(7);
    }
}

fn exit_in_sink(args: &Args) {
    let (exiting, guard) =
        Writer::to(ExitingSink).synchronous(args.parse("synchronous")).build().unwrap();
    std::mem::forget(guard);
    let (writer, guard) =
        Writer::builder(args.path()).mode(Mode::Manual).max_queue_size(0).build().unwrap();
    std::mem::forget(guard);
    send_all(&writer);
    let _ = exiting.send("a line");
    forever();
}

fn a_synchronous_callback_may_exit() {
    for strategy in STRATEGIES {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let outcome = Role::start(
            "end",
            &[
                ("end", &"exit-in-synchronous-callback"),
                ("strategy", &strategy),
                ("path", &path.display()),
            ],
        )
        .finish();
        outcome.expect_code(7);
        assert!(outcome.exit <= WITHIN, "{:?}", outcome.exit);
        let lines = child::whole_lines(&path);
        assert_eq!(lines.len(), 100);
        child::assert_gapless(&child::numbers(&lines, "main"));
    }
}

fn exit_in_synchronous_callback(args: &Args) {
    let count = std::sync::atomic::AtomicUsize::new(0);
    let (writer, guard) = Writer::builder(args.path())
        .strategy(args.parse("strategy"))
        .synchronous(true)
        .on_write(move |lines| {
            if count.fetch_add(lines, std::sync::atomic::Ordering::SeqCst) + lines == 100 {
                say(LAST_WORD);
                std::process::exit(7);
            }
        })
        .build()
        .unwrap();
    std::mem::forget(guard);
    send_all(&writer);
}
