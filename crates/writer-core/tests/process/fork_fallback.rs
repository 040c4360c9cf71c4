//! What a forked child has of its parent's fallback after a restart.

use std::fs::File;
use std::time::Duration;

use writer_core::{BuildError, FlushError, State, Strategy, WriteSink, Writer, WriterBuilder};

use crate::Test;
use crate::child::{self, Args, LIMIT, line};
use crate::fork::in_child;

pub(crate) const TESTS: &[Test] = &[(
    "fork_fallback::a_restarted_child_opens_its_fallback_anew_and_leaves_one_that_was_given",
    a_child_opens_its_fallback_anew,
)];

const LINES: usize = 100;

fn a_child_opens_its_fallback_anew() {
    for strategy in [Strategy::LineBuffered, Strategy::BlockBuffered] {
        for synchronous in [false, true] {
            for how in ["opened", "given"] {
                let folder = tempfile::tempdir().unwrap();
                let path = folder.path().join("spare");
                child::run(
                    "fork-fallback",
                    &[
                        ("how", &how),
                        ("strategy", &strategy),
                        ("synchronous", &synchronous),
                        ("path", &path.display()),
                    ],
                );
                let lines = child::whole_lines(&path);
                let label = format!("{how} {strategy} {synchronous}");
                let of_child = child::numbers(&lines, "child");
                assert_eq!(of_child.len(), if how == "opened" { LINES } else { 0 }, "{label}");
                child::assert_gapless(&of_child);
                child::assert_gapless(&child::numbers(&lines, "parent"));
                assert_eq!(lines.len(), 2 * LINES + of_child.len(), "{label}");
            }
        }
    }
}

/// A target that takes nothing: it has failed at the first line.
fn builder(args: &Args) -> WriterBuilder {
    Writer::builder("/dev/full")
        .allow_special(true)
        .fail_after(Duration::ZERO)
        .strategy(args.parse("strategy"))
        .synchronous(args.parse("synchronous"))
        .on_error(|_| {})
}

pub(crate) fn play(args: &Args) {
    let spare = args.path();
    let (_, beside) = Writer::builder(spare.with_extension("beside")).build().unwrap();
    let open = move || -> std::io::Result<Box<dyn writer_core::Sink>> {
        // In the child in the midst of another restart; it hung where all writers took turns.
        beside.restart_after_fork().map_err(std::io::Error::other)?;
        Ok(Box::new(WriteSink::new(File::options().append(true).create(true).open(&spare)?)))
    };
    let refused = builder(args).fallback_with(|| Err(std::io::ErrorKind::NotFound.into())).build();
    assert!(matches!(refused, Err(BuildError::Fallback { .. })));
    let opened = args.text("how") == "opened";
    let (writer, guard) = match opened {
        true => builder(args).fallback_with(open),
        false => builder(args).fallback(WriteSink::new(
            File::options().append(true).create(true).open(args.path()).unwrap(),
        )),
    }
    .build()
    .unwrap();
    let send = |source: &str, numbers: std::ops::Range<usize>| {
        numbers.for_each(|number| assert_eq!(writer.send(line(source, number)), Ok(true)));
    };
    send("parent", 0..LINES);
    writer.flush(LIMIT).unwrap();
    in_child(
        || {
            guard.restart_after_fork().unwrap();
            if opened {
                send("child", 0..LINES);
                writer.flush(LIMIT).unwrap();
                assert_eq!(writer.metrics().diverted, LINES as u64);
            } else if writer.send(line("child", 0)).unwrap() {
                // Taken into the queue, and kept there.
                let answer = writer.flush(LIMIT);
                assert!(matches!(answer, Err(FlushError::Failed { .. })), "{answer:?}");
            }
            assert_eq!(writer.metrics().state, State::Failed);
        },
        || (),
    );
    send("parent", LINES..2 * LINES);
    guard.shutdown(LIMIT).unwrap();
}
