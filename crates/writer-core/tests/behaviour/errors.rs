//! What errors say: one clause in lower case that names operation, path and reason, and the source
//! apart.

use std::error::Error;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::common;
use writer_core::{
    BuildError, FlushError, Operation, ReopenError, SendError, Severity, ShutdownError, Sink,
    State, Writer,
};

fn denied() -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, "denied")
}

/// The text of an error, and whether it has a source.
fn said(error: &dyn Error) -> (String, bool) {
    (error.to_string(), error.source().is_some())
}

fn assert_says<E: Error>(expected: &[(E, &str, bool)]) {
    for (error, text, source) in expected {
        assert_eq!(said(error), ((*text).to_owned(), *source), "{error:?}");
    }
}

#[test]
fn severities_and_states_print_their_names() {
    for severity in Severity::ALL {
        assert_eq!(severity.to_string(), severity.as_str());
    }
    for state in [State::Healthy, State::Retrying, State::Failed] {
        assert_eq!(state.to_string(), state.as_str());
    }
    assert_eq!(format!("{:>5}|{:<9}|", Severity::Info, State::Failed), " INFO|failed   |");
}

#[test]
fn a_build_error_names_what_was_wrong() {
    let path = || PathBuf::from("/log/app.jsonl");
    assert_says(&[
        (
            BuildError::InvalidOption { option: "tick", reason: "too short" },
            "option tick is invalid: too short",
            false,
        ),
        (
            BuildError::InvalidEnv {
                variable: "SHOP_MODE".into(),
                value: "never".into(),
                reason: "expected a mode".into(),
            },
            "environment variable SHOP_MODE is invalid: \"never\": expected a mode",
            false,
        ),
        (
            BuildError::InvalidPath { path: path(), reason: "it is empty", source: denied() },
            "path \"/log/app.jsonl\" cannot name a log file: it is empty",
            true,
        ),
        (
            BuildError::SpecialFile { path: path(), reason: "it is a pipe", source: denied() },
            "cannot log to \"/log/app.jsonl\": it is a pipe",
            true,
        ),
        (BuildError::Locked { path: path() }, "another writer holds \"/log/app.jsonl\"", false),
        (
            BuildError::Io { operation: "open", path: path(), source: denied() },
            "cannot open \"/log/app.jsonl\": denied",
            true,
        ),
        (
            BuildError::NotRestartable,
            "a writer over a sink cannot be started anew in a forked child",
            false,
        ),
        (BuildError::Fallback { source: denied() }, "cannot open the fallback: denied", true),
        (BuildError::Spawn { source: denied() }, "cannot start the worker thread: denied", true),
    ]);
}

#[test]
fn errors_of_a_running_writer_say_how_many_lines() {
    assert_says(&[
        (SendError::Closed, "the writer is closed", false),
        (SendError::WouldBlock, "waiting here for room would never end", false),
    ]);
    assert_says(&[
        (FlushError::Lost { lines: 3 }, "3 lines were given up", false),
        (FlushError::Timeout { pending: 4 }, "the time is over with 4 lines pending", false),
        (FlushError::WouldDeadlock, "the worker cannot wait for itself", false),
        (FlushError::Unsupported, "the target cannot be synced", false),
        (FlushError::Sync { path: None, source: denied() }, "cannot sync the sink: denied", true),
        (
            FlushError::Sync { path: Some("app.jsonl".into()), source: denied() },
            "cannot sync \"app.jsonl\": denied",
            true,
        ),
        (FlushError::Closed, "the writer is closed, or belongs to the parent process", false),
    ]);
    assert_says(&[
        (ReopenError::Refused { source: denied() }, "the target was not reopened: denied", true),
        (ReopenError::Timeout, "the worker did not come to reopen the target", false),
        (ReopenError::Unsupported, "the target cannot be reopened", false),
        (ReopenError::WouldDeadlock, "the worker cannot wait for itself", false),
        (ReopenError::Closed, "the writer is closed", false),
    ]);
    assert_says(&[
        (ShutdownError::Timeout { remaining: 5 }, "the time is over with 5 lines pending", false),
        (ShutdownError::Lost { lines: 6 }, "6 lines were given up", false),
        (
            ShutdownError::Close { path: None, source: denied() },
            "cannot close the sink: denied",
            true,
        ),
        (
            ShutdownError::Close { path: Some("app.jsonl".into()), source: denied() },
            "cannot close \"app.jsonl\": denied",
            true,
        ),
        (ShutdownError::WouldDeadlock, "the worker cannot wait for itself", false),
    ]);
}

#[test]
fn errors_are_equal_if_variant_values_and_codes_are() {
    let sync = |path: Option<&str>, source| FlushError::Sync { path: path.map(Into::into), source };
    let other_text = || io::Error::new(io::ErrorKind::PermissionDenied, "not allowed");
    assert_eq!(sync(None, denied()), sync(None, other_text()));
    assert_ne!(sync(None, denied()), sync(Some("a"), denied()));
    assert_ne!(sync(None, denied()), sync(None, io::ErrorKind::StorageFull.into()));
    let of_system = io::Error::from_raw_os_error;
    assert_eq!(sync(None, of_system(5)), sync(None, of_system(5)));
    assert_ne!(sync(None, of_system(5)), sync(None, of_system(5).kind().into()));
    assert_eq!(FlushError::Closed, FlushError::Closed);
    assert_ne!(FlushError::Closed, FlushError::Unsupported);
    assert_ne!(FlushError::Lost { lines: 1 }, FlushError::Timeout { pending: 1 });
    assert_ne!(FlushError::Lost { lines: 1 }, FlushError::Lost { lines: 2 });

    let close =
        |path: Option<&str>| ShutdownError::Close { path: path.map(Into::into), source: denied() };
    assert_eq!(close(Some("a")), close(Some("a")));
    assert_ne!(close(Some("a")), close(None));
    assert_ne!(ShutdownError::Lost { lines: 1 }, ShutdownError::Lost { lines: 2 });
    assert_ne!(ShutdownError::Lost { lines: 1 }, ShutdownError::WouldDeadlock);

    let refused = |kind: io::ErrorKind| ReopenError::Refused { source: kind.into() };
    assert_eq!(refused(io::ErrorKind::NotFound), refused(io::ErrorKind::NotFound));
    assert_ne!(refused(io::ErrorKind::NotFound), refused(io::ErrorKind::PermissionDenied));
    assert_ne!(refused(io::ErrorKind::NotFound), ReopenError::Timeout);

    let (writer, guard) = Writer::to(Failing("nothing")).build().unwrap();
    assert_eq!(writer.flush(common::LIMIT), Ok(()));
    assert_eq!(guard.shutdown(common::LIMIT), Ok(()));
}

/// Fails in one of its operations.
struct Failing(&'static str);

impl Failing {
    fn result(&self, operation: &str) -> io::Result<()> {
        if self.0 == operation { Err(denied()) } else { Ok(()) }
    }
}

impl Sink for Failing {
    fn write(&mut self, lines: &[u8], _more_waiting: bool) -> io::Result<usize> {
        self.result("write").map(|()| lines.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.result("flush")
    }

    fn sync(&mut self) -> io::Result<()> {
        self.result("sync")
    }

    fn close(&mut self) -> io::Result<()> {
        self.result("close")
    }
}

#[test]
fn a_write_error_says_what_the_worker_tried() {
    for (fails, operation, text) in [
        ("write", Operation::Write, "cannot write to the sink (failed): denied"),
        ("flush", Operation::Flush, "cannot flush the sink (failed): denied"),
    ] {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let note = Arc::clone(&seen);
        let (writer, guard) = Writer::to(Failing(fails))
            .fail_after(Duration::ZERO)
            .on_error(move |error| {
                let said = said(error);
                note.lock().unwrap().push((error.operation, error.state, said));
            })
            .build()
            .unwrap();
        assert_eq!(writer.send("x"), Ok(true));
        let pending = u64::from(operation == Operation::Write);
        let flush = writer.flush(common::LIMIT).unwrap_err();
        assert_eq!(
            said(&flush),
            (format!("the target has failed with {pending} lines pending: {text}"), true)
        );
        // Both give up; only the line of the first is lost by it.
        match common::give_up(&guard, Duration::from_millis(50)) {
            Ok(()) => assert_eq!(operation, Operation::Flush),
            Err(ShutdownError::Lost { lines: 1 }) => assert_eq!(operation, Operation::Write),
            other => panic!("{other:?}"),
        }
        drop(guard);
        let seen = seen.lock().unwrap();
        let expected = (operation, State::Failed, (text.to_owned(), true));
        assert_eq!(seen.first(), Some(&expected));
    }
}

#[test]
fn a_sync_and_a_close_that_fail_are_told_to_the_caller() {
    let (writer, _guard) = Writer::to(Failing("sync")).build().unwrap();
    let error = writer.sync(common::LIMIT).unwrap_err();
    assert_eq!(said(&error), ("cannot sync the sink: denied".to_owned(), true));

    let (writer, _guard) = Writer::to(Failing("close")).build().unwrap();
    let error = writer.shutdown(common::LIMIT).unwrap_err();
    assert_eq!(said(&error), ("cannot close the sink: denied".to_owned(), true));
}

#[test]
fn states_have_names() {
    let names = [State::Healthy, State::Retrying, State::Failed].map(State::as_str);
    assert_eq!(names, ["healthy", "retrying", "failed"]);
}
