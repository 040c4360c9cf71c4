//! The process ends while the guard is leaked: what was accepted is in the file.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use writer_core::{Mode, Sink, Strategy, Writer, WriterBuilder};

use crate::Test;
use crate::child::{self, Args, LAST_WORD, MODES, Outcome, Role, STRATEGIES, line, say};

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
];

pub(crate) const LINES: usize = 100_000;
/// What the hook at the end has for all writers together.
const HOOK: Duration = Duration::from_secs(2);

/// Plays a role in a folder of its own to its end within the time of the hook; returns the path of
/// its log, too.
fn play_in_time(code: i32, args: &[(&str, &dyn std::fmt::Display)]) -> (Outcome, Log) {
    child::ends_before(HOOK, || {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let shown = path.display();
        let mut all = args.to_vec();
        all.push(("path", &shown));
        let outcome = Role::start("end", &all).finish();
        outcome.expect_code(code);
        (outcome, Log { _folder: folder, path: path.clone() })
    })
}

/// The log of a role, in a folder of its own.
pub(crate) struct Log {
    pub(crate) _folder: tempfile::TempDir,
    pub(crate) path: PathBuf,
}

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
                let label = format!("{end} {strategy} {mode} {queue}");
                let (outcome, log) = play_in_time(
                    code,
                    &[("end", &end), ("strategy", &strategy), ("mode", &mode), ("queue", &queue)],
                );
                longest = longest.max(outcome.held());
                let lines = child::whole_lines(&log.path);
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
        let (_, log) = play_in_time(
            7,
            &[("end", &"exit"), ("strategy", &strategy), ("mode", &Mode::Manual), ("queue", &0)],
        );
        let lines = child::whole_lines(&log.path);
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

/// When the last word was said.
static LAST: OnceLock<Instant> = OnceLock::new();

pub(crate) fn last_word() {
    // The first one counts.
    let _ = LAST.set(Instant::now());
    say(LAST_WORD);
}

/// Has the role say at its very end, behind the hook, how long that has taken.
#[cfg(unix)]
pub(crate) fn time_the_end() {
    extern "C" fn at_end() {
        if let Some(last) = LAST.get() {
            say(format_args!("{}{}", child::HELD, last.elapsed().as_millis()));
        }
    }
    // SAFETY: a plain function of the right type, which does not unwind: it aborts.
    assert_eq!(unsafe { libc::atexit(at_end) }, 0);
}

pub(crate) fn play(args: &Args) {
    // What is registered first runs last.
    #[cfg(unix)]
    time_the_end();
    match args.text("end") {
        "exit-in-callback" => exit_in_callback(args),
        "two" => two_writers(args),
        "race" => race(args),
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
            last_word();
        }
        "exit" => {
            send_all(writer);
            last_word();
            std::process::exit(7);
        }
        "exit-in-thread" => {
            send_all(writer);
            std::thread::spawn(|| {
                last_word();
                std::process::exit(7);
            });
            forever();
        }
        "panic" => {
            send_all(writer);
            last_word();
            panic!("on purpose");
        }
        "panic-in-producer" => {
            let writer = writer.clone();
            let producer = std::thread::spawn(move || {
                send_all(&writer);
                panic!("on purpose");
            });
            assert!(producer.join().is_err());
            last_word();
        }
        other => panic!("no end {other}"),
    }
}

pub(crate) fn forever() -> ! {
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
                last_word();
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
            let (_, log) = play_in_time(
                code,
                &[
                    ("end", &end),
                    ("strategy", &strategy),
                    ("mode", &Mode::Trigger),
                    ("queue", &10),
                    ("synchronous", &1),
                ],
            );
            let lines = child::whole_lines(&log.path);
            assert_eq!(lines.len(), LINES);
            child::assert_gapless(&child::numbers(&lines, "main"));
        }
    }
}

fn two_writers_are_both_written() {
    let (_, log) = play_in_time(0, &[("end", &"two")]);
    for name in ["first", "second"] {
        let lines = child::whole_lines(&log.path.join(name));
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
    last_word();
}

#[cfg(unix)]
fn exit_while_others_send_leaves_a_prefix() {
    for strategy in STRATEGIES {
        for mode in MODES {
            let label = format!("{strategy} {mode}");
            let (outcome, log) = play_in_time(
                7,
                &[("end", &"race"), ("strategy", &strategy), ("mode", &mode), ("queue", &10_000)],
            );
            let lines = child::whole_lines(&log.path);
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
    last_word();
    std::process::exit(7);
}

/// What is lost then is said in the documentation; what is there is a prefix.
fn without_the_hook_the_end_does_not_wait() {
    for strategy in STRATEGIES {
        let (_, folder) = child::ends_before(Duration::from_millis(500), || {
            let folder = tempfile::tempdir().unwrap();
            let outcome = child::run(
                "end",
                &[
                    ("end", &"return"),
                    ("strategy", &strategy),
                    ("mode", &Mode::Trigger),
                    ("queue", &0),
                    ("hook", &"off"),
                    ("path", &folder.path().join("log").display()),
                ],
            );
            (outcome, folder)
        });
        let path = folder.path().join("log");
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

/// The sink cannot be entered a second time, so its own lines are not written; other writers' are.
fn a_sink_may_exit() {
    for synchronous in [false, true] {
        let (_, log) = play_in_time(7, &[("end", &"exit-in-sink"), ("synchronous", &synchronous)]);
        let lines = child::whole_lines(&log.path);
        assert_eq!(lines.len(), LINES);
        child::assert_gapless(&child::numbers(&lines, "main"));
    }
}

struct ExitingSink;

impl Sink for ExitingSink {
    fn write(&mut self, _lines: &[u8], _more_waiting: bool) -> io::Result<usize> {
        last_word();
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
        let (_, log) =
            play_in_time(7, &[("end", &"exit-in-synchronous-callback"), ("strategy", &strategy)]);
        let lines = child::whole_lines(&log.path);
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
                last_word();
                std::process::exit(7);
            }
        })
        .build()
        .unwrap();
    std::mem::forget(guard);
    send_all(&writer);
}
