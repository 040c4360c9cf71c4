//! A writer in use does not grow.

use std::time::Duration;

use writer_core::Writer;

use crate::Test;
use crate::child::{self, Args, line};

pub(crate) const TESTS: &[Test] =
    &[("memory::ten_rounds_need_no_more_than_the_first", ten_rounds_need_no_more)];

/// Pages of the file that a mapping holds do not count: they are not the process's own.
const ALLOWED: u64 = 1 << 20;

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

pub(crate) fn play(args: &Args) {
    let (writer, guard) = Writer::builder(args.path())
        .strategy(args.parse("strategy"))
        .mode(args.parse("mode"))
        .build()
        .unwrap();
    let text = line("memory", 0);
    let mut first = None;
    for round in 0..10 {
        for _ in 0..10_000 {
            assert_eq!(writer.send(&text), Ok(true));
        }
        writer.flush(Duration::from_secs(20)).unwrap();
        let Some(now) = own_memory() else { return };
        // The first round fills queue and hand at different times; the second has seen both.
        if round == 1 {
            first = Some(now);
        }
        let most = first.map_or(u64::MAX, |first| first + ALLOWED);
        assert!(now <= most, "round {round}: {now} bytes, {first:?} after the second");
    }
    drop(guard);
}

/// The anonymous memory of this process, in bytes.
fn own_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let text = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    Some(text.trim().strip_suffix(" kB")?.parse::<u64>().unwrap() << 10)
}
