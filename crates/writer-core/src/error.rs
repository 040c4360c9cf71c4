//! One error type per phase of a writer's life.

mod equal;

use std::error::Error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Why a writer could not be built. Nothing was started; what may have happened to files is said at
/// [`WriterBuilder::build`](crate::WriterBuilder::build).
#[derive(Debug)]
#[non_exhaustive]
pub enum BuildError {
    /// An option has a value that cannot work.
    InvalidOption {
        /// The builder call.
        option: &'static str,
        /// What is wrong with the value.
        reason: &'static str,
    },
    /// An environment variable has a value that cannot be read or cannot work.
    InvalidEnv {
        /// The name of the variable.
        variable: String,
        /// Its value.
        value: String,
        /// What would have been allowed.
        reason: String,
    },
    /// The path cannot name a log file.
    InvalidPath {
        /// The path as given.
        path: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
        /// The error that the system has for it.
        source: io::Error,
    },
    /// The path names something that is not a regular file, or the strategy cannot serve it.
    SpecialFile {
        /// The absolute path.
        path: PathBuf,
        /// What stands there, or why it cannot serve.
        reason: &'static str,
        /// The error that the system has for it: of the kind `IsADirectory`, or `InvalidInput`.
        source: io::Error,
    },
    /// Another writer holds the file in a way that excludes this one.
    Locked {
        /// The absolute path.
        path: PathBuf,
    },
    /// The system refused an operation on the path.
    Io {
        /// What was tried, for example `open` or `create directory`.
        operation: &'static str,
        /// The path it was tried on.
        path: PathBuf,
        /// The answer of the system.
        source: io::Error,
    },
    /// [`restart_after_fork`](crate::WriterGuard::restart_after_fork) of a writer over a sink,
    /// which stays with the parent.
    NotRestartable,
    /// What [`fallback_with`](crate::WriterBuilder::fallback_with) was given opened nothing.
    Fallback {
        /// Its answer.
        source: io::Error,
    },
    /// The worker thread could not be started. The file had been opened, and emptied where
    /// [`truncate`](crate::WriterBuilder::truncate) asks for it.
    Spawn {
        /// The answer of the system.
        source: io::Error,
    },
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BuildError::InvalidOption { option, reason } => {
                write!(f, "option {option} is invalid: {reason}")
            }
            BuildError::InvalidEnv { variable, value, reason } => {
                write!(f, "environment variable {variable} is invalid: {value:?}: {reason}")
            }
            BuildError::InvalidPath { path, reason, .. } => {
                write!(f, "path {path:?} cannot name a log file: {reason}")
            }
            BuildError::SpecialFile { path, reason, .. } => {
                write!(f, "cannot log to {path:?}: {reason}")
            }
            BuildError::Locked { path } => {
                write!(f, "another writer holds {path:?}")
            }
            BuildError::Io { operation, path, source } => {
                write!(f, "cannot {operation} {path:?}: {source}")
            }
            BuildError::NotRestartable => {
                f.write_str("a writer over a sink cannot be started anew in a forked child")
            }
            BuildError::Fallback { source } => write!(f, "cannot open the fallback: {source}"),
            BuildError::Spawn { source } => write!(f, "cannot start the worker thread: {source}"),
        }
    }
}

impl Error for BuildError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            BuildError::InvalidPath { source, .. }
            | BuildError::SpecialFile { source, .. }
            | BuildError::Io { source, .. }
            | BuildError::Fallback { source }
            | BuildError::Spawn { source } => Some(source),
            _ => None,
        }
    }
}

/// Why a line was rejected. A line dropped by the queue policy is `Ok(false)` instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendError {
    /// The writer is shut down, or this is a forked child of the process that built it.
    Closed,
    /// Sent from the worker's own thread under [`QueuePolicy::Block`](crate::QueuePolicy::Block)
    /// while the queue was full, or without a worker by the sink itself: waiting there would never
    /// end.
    WouldBlock,
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SendError::Closed => "the writer is closed",
            SendError::WouldBlock => "waiting here for room would never end",
        })
    }
}

impl Error for SendError {}

/// Why a flush or a sync cannot promise what was asked for.
///
/// Two are equal if their values are, of an error of the system its kind and code.
#[derive(Debug)]
#[non_exhaustive]
pub enum FlushError {
    /// Lines were given up since the call began.
    Lost {
        /// How many.
        lines: u64,
    },
    /// The time is over; the lines stay queued and will still be written.
    Timeout {
        /// Lines accepted and not yet written.
        pending: u64,
    },
    /// The state is [`Failed`](State::Failed), and a try after the call began has failed, too, or
    /// the time was over before there was one. The lines stay queued; the next try is the worker's,
    /// a second later, or without a worker that of the next line, flush or sync.
    Failed {
        /// Lines accepted and not yet written.
        pending: u64,
        /// What failed last.
        source: WriteError,
    },
    /// Called on the worker's own thread, or without a worker by the sink.
    WouldDeadlock,
    /// The target cannot be synced.
    Unsupported,
    /// The system refused to sync, or the file was deleted, and lines with it. It stays so until
    /// another file is open, because data that a failed `fsync` left behind may never reach the
    /// disk.
    Sync {
        /// The file, where there is one.
        path: Option<PathBuf>,
        /// The answer of the system.
        source: io::Error,
    },
    /// Nobody is left who could: a sync after a shutdown that left lines unsynced, or any call in a
    /// forked child.
    Closed,
}

impl fmt::Display for FlushError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FlushError::Lost { lines } => write!(f, "{lines} lines were given up"),
            FlushError::Timeout { pending } => {
                write!(f, "the time is over with {pending} lines pending")
            }
            FlushError::Failed { pending, source } => {
                write!(f, "the target has failed with {pending} lines pending: {source}")
            }
            FlushError::WouldDeadlock => f.write_str("the worker cannot wait for itself"),
            FlushError::Unsupported => f.write_str("the target cannot be synced"),
            FlushError::Sync { path, source } => {
                write_target(f, "sync", path.as_deref())?;
                write!(f, ": {source}")
            }
            FlushError::Closed => {
                f.write_str("the writer is closed, or belongs to the parent process")
            }
        }
    }
}

impl Error for FlushError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            FlushError::Sync { source, .. } => Some(source),
            FlushError::Failed { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// Why a shutdown was not complete.
///
/// Two are equal if their values are, of an error of the system its kind and code.
#[derive(Debug)]
#[non_exhaustive]
pub enum ShutdownError {
    /// The time is over; the worker goes on draining and a later call may be `Ok`.
    Timeout {
        /// Lines accepted and not yet written.
        remaining: u64,
    },
    /// The sink was failing when the time was over, or does not come back: lines were given up and
    /// the worker has ended. Lines that a sink has lost by a panic before are not among them:
    /// [`Metrics::lost`](crate::Metrics::lost) counts both.
    Lost {
        /// How many.
        lines: u64,
    },
    /// All lines are written, but the sink could not be closed properly.
    Close {
        /// The file, where there is one.
        path: Option<PathBuf>,
        /// The answer of the system.
        source: io::Error,
    },
    /// Called on the worker's own thread, which drains afterwards, or without a worker by the sink.
    /// The writer is closed.
    WouldDeadlock,
}

impl fmt::Display for ShutdownError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ShutdownError::Timeout { remaining } => {
                write!(f, "the time is over with {remaining} lines pending")
            }
            ShutdownError::Lost { lines } => write!(f, "{lines} lines were given up"),
            ShutdownError::Close { path, source } => {
                write_target(f, "close", path.as_deref())?;
                write!(f, ": {source}")
            }
            ShutdownError::WouldDeadlock => f.write_str("the worker cannot wait for itself"),
        }
    }
}

impl Error for ShutdownError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            ShutdownError::Close { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// Why a target was not reopened. The one so far stays in use.
///
/// Two are equal if their values are, of an error of the system its kind and code.
#[derive(Debug)]
#[non_exhaustive]
pub enum ReopenError {
    /// What is at the path now cannot be opened, or must not be.
    Refused {
        /// The reason, with the path.
        source: io::Error,
    },
    /// The worker is held up in a write; it reopens when that is over. Without a worker another
    /// thread is, and whoever sends the next line reopens.
    Timeout,
    /// The target has no name that could lead to another one: a sink, or an open descriptor.
    Unsupported,
    /// Called on the worker's own thread, which reopens when it has come back; or without a worker
    /// by the sink, and whoever sends the next line reopens.
    WouldDeadlock,
    /// The writer is shut down, or this is a forked child.
    Closed,
}

impl fmt::Display for ReopenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReopenError::Refused { source } => write!(f, "the target was not reopened: {source}"),
            ReopenError::Timeout => f.write_str("the worker did not come to reopen the target"),
            ReopenError::Unsupported => f.write_str("the target cannot be reopened"),
            ReopenError::WouldDeadlock => f.write_str("the worker cannot wait for itself"),
            ReopenError::Closed => f.write_str("the writer is closed"),
        }
    }
}

impl Error for ReopenError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            ReopenError::Refused { source } => Some(source),
            _ => None,
        }
    }
}

/// A failed operation of the sink, as [`on_error`](crate::WriterBuilder::on_error) gets it.
///
/// Two are equal if their values are, of an error of the system its kind and code.
#[derive(Debug)]
#[non_exhaustive]
pub struct WriteError {
    /// What was tried.
    pub operation: Operation,
    /// The file, where there is one.
    pub path: Option<PathBuf>,
    /// The state that the failure led to.
    pub state: State,
    /// The answer of the sink.
    pub source: io::Error,
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_target(f, self.operation.as_clause(), self.path.as_deref())?;
        write!(f, " ({}): {}", self.state, self.source)
    }
}

impl Error for WriteError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.source)
    }
}

/// What could not be done, and to what.
fn write_target(f: &mut fmt::Formatter<'_>, operation: &str, path: Option<&Path>) -> fmt::Result {
    match path {
        Some(path) => write!(f, "cannot {operation} {path:?}"),
        None => write!(f, "cannot {operation} the sink"),
    }
}

/// The operation that a [`WriteError`] is about. A failed sync or close is returned to its caller
/// instead: [`FlushError::Sync`], [`ShutdownError::Close`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Operation {
    /// [`Sink::write`](crate::Sink::write).
    Write,
    /// [`Sink::flush`](crate::Sink::flush).
    Flush,
    /// [`Sink::idle`](crate::Sink::idle).
    Idle,
    /// [`Sink::reopen`](crate::Sink::reopen).
    Reopen,
    /// Any operation of the [`fallback`](crate::WriterBuilder::fallback).
    Fallback,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Operation {
    /// The name in lower case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Operation::Write => "write",
            Operation::Flush => "flush",
            Operation::Idle => "idle",
            Operation::Reopen => "reopen",
            Operation::Fallback => "fallback",
        }
    }

    /// What could not be done, before the name of the target.
    const fn as_clause(self) -> &'static str {
        match self {
            Operation::Write => "write to",
            Operation::Flush => "flush",
            Operation::Idle => "trim",
            Operation::Reopen => "reopen",
            Operation::Fallback => "use the fallback of",
        }
    }
}

/// How the sink is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[non_exhaustive]
pub enum State {
    /// The last write succeeded, or none was tried yet. A sink that panics stays in this state,
    /// since its lines are not tried again: [`Metrics::lost`](crate::Metrics::lost) counts them.
    #[default]
    Healthy,
    /// Writes fail and are retried with back-off; the queue policy handles the pressure.
    Retrying,
    /// Writes have failed for [`fail_after`](crate::WriterBuilder::fail_after): nobody waits for
    /// room or for a flush any more, or lines go to the
    /// [`fallback`](crate::WriterBuilder::fallback). One retry a second; the first success leads
    /// back to `Healthy`.
    Failed,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl State {
    /// The name in lower case.
    pub const fn as_str(self) -> &'static str {
        match self {
            State::Healthy => "healthy",
            State::Retrying => "retrying",
            State::Failed => "failed",
        }
    }
}

/// `io::Error` cannot be cloned; this keeps the code of the system, or else kind and text.
pub(crate) fn copy_error(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => io::Error::new(error.kind(), error.to_string()),
    }
}
