//! A callback forks, and the child goes on in the library: it writes nothing and waits for nothing.

use std::io::Write;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use writer_core::{Mode, SendError, Writer};

use crate::Test;
use crate::child::{self, Args, MODES, STRATEGIES, line};
use crate::fork::wait_for;

pub(crate) const TESTS: &[Test] = &[(
    "fork_callback::a_child_that_returns_from_a_callback_writes_nothing",
    a_child_that_returns_writes_nothing,
)];

const SENT: usize = 1_000;

fn a_child_that_returns_writes_nothing() {
    for strategy in STRATEGIES {
        for (mode, synchronous) in
            MODES.map(|mode| (mode, false)).into_iter().chain([(Mode::Trigger, true)])
        {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("log");
            child::run(
                "fork-callback",
                &[
                    ("strategy", &strategy),
                    ("mode", &mode),
                    ("synchronous", &synchronous),
                    ("path", &path.display()),
                ],
            );
            let lines = child::whole_lines(&path);
            assert_eq!(lines.len(), 2 * SENT, "{strategy} {mode} {synchronous}");
            child::assert_gapless(&child::numbers(&lines, "main"));
        }
    }
}

/// The callback forks once, when more lines wait behind those of its round.
pub(crate) fn play(args: &Args) {
    static FORKED: AtomicBool = AtomicBool::new(false);
    let (gate, mut opened) = std::io::pipe().unwrap();
    let (pid_of_child, first_round) = std::sync::mpsc::channel();
    let wait_fd = gate.as_raw_fd();
    let synchronous: bool = args.parse("synchronous");
    let (writer, guard) = Writer::builder(args.path())
        .strategy(args.parse("strategy"))
        .mode(args.parse("mode"))
        .synchronous(synchronous)
        .on_write(move |_| {
            if FORKED.swap(true, Ordering::SeqCst) {
                return;
            }
            // The lines behind this round are sent now.
            if !synchronous {
                let mut byte = 0_u8;
                // SAFETY: reads one byte from a pipe that is open as long as the program runs.
                let read = unsafe { libc::read(wait_fd, (&raw mut byte).cast(), 1) };
                assert_eq!(read, 1);
            }
            // SAFETY: the child uses the library alone, whose behaviour then is what is tested.
            let pid = unsafe { libc::fork() };
            assert!(pid >= 0);
            if pid > 0 {
                pid_of_child.send(pid).unwrap();
            }
        })
        .build()
        .unwrap();
    assert_eq!(writer.send(line("main", 0)), Ok(true));
    writer.trigger();
    in_child_after_synchronous_send(&writer, synchronous);
    for number in 1..SENT {
        assert_eq!(writer.send(line("main", number)), Ok(true));
    }
    opened.write_all(b"x").unwrap();
    let pid = first_round.recv().unwrap();
    wait_for(pid, Instant::now());
    for number in SENT..2 * SENT {
        assert_eq!(writer.send(line("main", number)), Ok(true));
    }
    guard.shutdown(child::LIMIT).unwrap();
}

/// Without a worker it is the sending thread that comes back in the child.
fn in_child_after_synchronous_send(writer: &Writer, synchronous: bool) {
    if synchronous && !writer.is_running() {
        assert_eq!(writer.send("late"), Err(SendError::Closed));
        std::process::exit(0);
    }
}
