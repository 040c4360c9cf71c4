//! Lines from where code seldom runs: destructors of thread-locals, unwinding, after shutdown.

use std::cell::RefCell;
use std::time::Duration;

use writer_core::{Mode, SendError, ShutdownError, Writer, WriterGuard};

use crate::Test;
use crate::child::{self, Args, LAST_WORD, LIMIT, Role, line, say};

pub(crate) const TESTS: &[Test] = &[
    ("locals::a_destructor_on_a_thread_may_send", || check("thread", 0, &["thread"])),
    ("locals::a_destructor_on_the_main_thread_may_send", || check("main", 0, &["main"])),
    ("locals::a_destructor_during_exit_may_send", || check("exit", 0, &["main"])),
    ("locals::a_destructor_may_send_and_end_the_writer", || check("ends", 0, &["thread"])),
    ("locals::a_destructor_on_the_worker_may_do_anything", || check("worker", 0, &["main"])),
    ("locals::unwinding_may_send", || check("unwind", 101, &["thread", "main"])),
    ("locals::sending_after_shutdown_is_counted", || check("late", 0, &[])),
];

const SENT: usize = 10;

/// Plays `scene`, after which the file has the lines of `sources`, in all modes.
fn check(scene: &str, code: i32, sources: &[&str]) {
    for mode in child::MODES {
        for synchronous in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("log");
            let outcome = Role::start(
                "locals",
                &[
                    ("scene", &scene),
                    ("mode", &mode),
                    ("synchronous", &synchronous),
                    ("path", &path.display()),
                ],
            )
            .finish();
            outcome.expect_code(code);
            assert!(outcome.exit < LIMIT);
            let lines = child::whole_lines(&path);
            for source in sources {
                let numbers = child::numbers(&lines, source);
                assert_eq!(numbers.len(), SENT, "{scene} {mode}: {source}");
                child::assert_gapless(&numbers);
            }
            assert_eq!(lines.len(), SENT * sources.len(), "{scene} {mode}");
        }
    }
}

/// Sends when it is dropped, and may hold the guard.
struct Parting {
    writer: Writer,
    source: &'static str,
    guard: Option<WriterGuard>,
}

impl Drop for Parting {
    fn drop(&mut self) {
        for number in 0..SENT {
            // Closed is an answer too; what must not happen is a panic or a wait without end.
            let _ = self.writer.send(line(self.source, number));
        }
        drop(self.guard.take());
    }
}

thread_local! {
    static PARTING: RefCell<Option<Parting>> = const { RefCell::new(None) };
}

fn leave(writer: &Writer, source: &'static str, guard: Option<WriterGuard>) {
    let parting = Parting { writer: writer.clone(), source, guard };
    PARTING.with(|slot| *slot.borrow_mut() = Some(parting));
}

pub(crate) fn play(args: &Args) {
    let builder = Writer::builder(args.path())
        .mode(args.parse("mode"))
        .synchronous(args.parse("synchronous"));
    let scene = args.text("scene");
    if scene == "worker" {
        return on_the_worker(builder);
    }
    let (writer, guard) = builder.build().unwrap();
    match scene {
        "thread" => {
            std::thread::scope(|scope| {
                let leaver = scope.spawn(|| leave(&writer, "thread", None));
                leaver.join().unwrap();
            });
            std::mem::forget(guard);
        }
        "main" => {
            std::mem::forget(guard);
            leave(&writer, "main", None);
        }
        "exit" => {
            std::mem::forget(guard);
            leave(&writer, "main", None);
            std::process::exit(0);
        }
        "ends" => {
            let leaver = {
                let writer = writer.clone();
                std::thread::spawn(move || leave(&writer, "thread", Some(guard)))
            };
            leaver.join().unwrap();
            assert!(!writer.is_running());
            assert_eq!(writer.send("late"), Err(SendError::Closed));
        }
        "unwind" => {
            let _guard = guard;
            let in_thread = writer.clone();
            let thread = std::thread::spawn(move || {
                let _parting = Parting { writer: in_thread, source: "thread", guard: None };
                panic!("on purpose");
            });
            assert!(thread.join().is_err());
            let _parting = Parting { writer, source: "main", guard: None };
            panic!("on purpose");
        }
        "late" => {
            guard.shutdown(LIMIT).unwrap();
            for number in 0..SENT {
                assert_eq!(writer.send(line("late", number)), Err(SendError::Closed));
            }
            writer.flush(LIMIT).unwrap();
            guard.shutdown(Duration::ZERO).unwrap();
            let metrics = writer.metrics();
            assert_eq!((metrics.sent, metrics.rejected), (SENT as u64, SENT as u64));
            leave(&writer, "late", Some(guard));
        }
        other => panic!("no scene {other}"),
    }
}

/// A callback leaves a destructor on the thread that it runs on, with everything one could do.
fn on_the_worker(builder: writer_core::WriterBuilder) {
    struct Last(Writer);

    impl Drop for Last {
        fn drop(&mut self) {
            assert!(self.0.send("late").is_err());
            let end = self.0.shutdown(LIMIT);
            assert!(matches!(end, Ok(()) | Err(ShutdownError::WouldDeadlock)), "{end:?}");
            say("dropped");
        }
    }

    thread_local! {
        static LAST: RefCell<Option<Last>> = const { RefCell::new(None) };
    }
    static WRITER: std::sync::OnceLock<Writer> = std::sync::OnceLock::new();
    let (writer, guard) = builder
        .on_write(|_| {
            if let Some(writer) = WRITER.get() {
                LAST.with(|slot| {
                    slot.borrow_mut().get_or_insert_with(|| Last(writer.clone())).0.trigger()
                });
            }
        })
        .build()
        .unwrap();
    drop(WRITER.set(writer.clone()));
    for number in 0..SENT {
        assert_eq!(writer.send(line("main", number)), Ok(true));
    }
    // Another thread's shutdown may take the handle of the worker first: here nobody's does.
    if writer.config().mode == Mode::Trigger {
        guard.shutdown(LIMIT).unwrap();
    } else {
        let _ = guard.shutdown(Duration::ZERO);
        std::thread::sleep(Duration::from_millis(100));
    }
    drop(guard);
    say(LAST_WORD);
}
