//! A writer in use does not grow.

use std::sync::atomic::{AtomicBool, Ordering};

use writer_core::Writer;

use crate::Test;
use crate::child::{self, Args, LIMIT, line};

pub(crate) const TESTS: &[Test] =
    &[("memory::ten_rounds_need_no_more_than_the_first", ten_rounds_need_no_more)];

/// Three chunks: queue and hand may have been full, but not of lines that lay over as many of them.
/// Pages of the file that a mapping holds do not count: they are not the process's own.
const ALLOWED: u64 = 3 * (544 << 10);

fn ten_rounds_need_no_more() {
    for strategy in child::STRATEGIES {
        for mode in child::MODES {
            let folder = tempfile::tempdir().unwrap();
            child::run(
                "memory",
                &[
                    ("strategy", &strategy),
                    ("mode", &mode),
                    ("path", &folder.path().join("log").display()),
                ],
            );
        }
    }
}

static ENTERED: AtomicBool = AtomicBool::new(false);
static GO_ON: AtomicBool = AtomicBool::new(false);

/// As many lines as the queue holds.
fn send_round(writer: &Writer, text: &str) {
    for _ in 0..10_000 {
        assert_eq!(writer.send(text), Ok(true));
    }
}

pub(crate) fn play(args: &Args) {
    let (writer, guard) = Writer::builder(args.path())
        .strategy(args.parse("strategy"))
        .mode(args.parse("mode"))
        .on_write(|_| {
            ENTERED.store(true, Ordering::SeqCst);
            while !GO_ON.load(Ordering::SeqCst) {
                std::thread::yield_now();
            }
        })
        .build()
        .unwrap();
    let text = line("memory", 0);
    // Queue and hand have both been as full as they can be: the worker waits in the callback of the
    // first line until a whole round is there.
    assert_eq!(writer.send(&text), Ok(true));
    writer.trigger();
    while !ENTERED.load(Ordering::SeqCst) {
        std::thread::yield_now();
    }
    send_round(&writer, &text);
    GO_ON.store(true, Ordering::SeqCst);
    writer.flush(LIMIT).unwrap();
    let mut first = None;
    for round in 0..10 {
        send_round(&writer, &text);
        writer.flush(LIMIT).unwrap();
        let Some(now) = own_memory() else { return };
        let first = *first.get_or_insert(now);
        assert!(now <= first + ALLOWED, "round {round}: {now} bytes, {first} after the first");
    }
    drop(guard);
}

/// The anonymous memory of this process, in bytes; only Linux tells it.
fn own_memory() -> Option<u64> {
    if !cfg!(target_os = "linux") {
        return None;
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let text = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    Some(text.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() << 10)
}
