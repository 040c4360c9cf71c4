//! What stderr hears of a shutdown that was not complete.

use std::io;

use writer_core::{ShutdownError, Sink, Writer};

use crate::Test;
use crate::child::{self, Args, LIMIT};

pub(crate) const TESTS: &[Test] = &[
    ("guards::stderr_hears_of_an_end_that_nobody_was_told_of", || {
        let complaint = "writer: incomplete shutdown: cannot close the sink: not today\n";
        assert_eq!(complaints("drop"), [complaint; 2]);
    }),
    ("guards::stderr_does_not_hear_what_a_shutdown_has_returned", || {
        assert_eq!(complaints("shutdown"), [""; 2]);
    }),
];

/// With a worker, and without.
fn complaints(end: &str) -> [String; 2] {
    [false, true].map(|synchronous| {
        child::run("guard", &[("end", &end), ("synchronous", &synchronous)]).complained
    })
}

pub(crate) fn play(args: &Args) {
    let synchronous = args.parse("synchronous");
    let (_, guard) = Writer::to(CloseFails).synchronous(synchronous).build().unwrap();
    if args.text("end") == "shutdown" {
        assert!(matches!(guard.shutdown(LIMIT), Err(ShutdownError::Close { .. })));
    }
    drop(guard);
}

struct CloseFails;

impl Sink for CloseFails {
    fn write(&mut self, lines: &[u8], _more_waiting: bool) -> io::Result<usize> {
        Ok(lines.len())
    }

    fn close(&mut self) -> io::Result<()> {
        Err(io::Error::other("not today"))
    }
}
