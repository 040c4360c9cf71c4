//! An asynchronous file backend for log records: lines go into a bounded queue, one worker writes
//! them to a file.
//!
//! A line is copied into the queue in the sender's thread ([`Writer::send`]), admitted by the
//! [`QueuePolicy`], taken in batches by the worker when the [`Mode`] says so, and leaves through the
//! [`Strategy`] into the file. The adapters `writer-log` and `writer-tracing` sit on top and turn
//! records into JSON lines with the encoder in [`json`].
//!
//! ```
//! use writer_core::{Mode, QueuePolicy, Strategy, Writer};
//!
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("app.jsonl");
//! let (writer, _guard) = Writer::builder(&path)
//!     .strategy(Strategy::BlockBuffered)
//!     .mode(Mode::Trigger)
//!     .queue_policy(QueuePolicy::Block)
//!     .build()?;
//! writer.send(r#"{"message":"hello"}"#)?;
//! writer.flush(std::time::Duration::from_secs(1))?;
//! assert_eq!(std::fs::read_to_string(&path)?, "{\"message\":\"hello\"}\n");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Features
//!
//! All are off by default.
//!
//! | feature | gives | further crates |
//! |---|---|---|
//! | `serde` | nested values of any `serde::Serialize` | `serde_core` |
//! | `sval` | nested values of any `sval::Value` | `sval` |
//! | `valuable` | nested values of any `valuable::Valuable` | `valuable` |
//! | `local-time` | timestamps in the time zone of the system | `jiff` |
//! | `capture` | records kept in memory for tests | `serde_json` |
//!
//! # Three axes
//!
//! | axis | question | values, the default first |
//! |---|---|---|
//! | [`Mode`] | when does the worker write? | `Trigger`, `Loop`, `Manual` |
//! | [`Strategy`] | how do bytes reach the file? | `BlockBuffered`, `LineBuffered`, `MemoryMapped` |
//! | [`QueuePolicy`] | what does a full queue do? | `Block`, `DropOldest`, `DropNewest`, `Warn` |
//!
//! Every combination is legal.
//!
//! # What can be lost
//!
//! *Accepted* is a line for which `send` returned `Ok(true)`; *written* survives any death of the
//! process; *synced* survives a loss of power.
//!
//! * `main` returns, `std::process::exit`, a panic: nothing that was accepted is lost, with or
//!   without the guard, on Unix. Elsewhere the [`WriterGuard`] must live to the end of `main`.
//! * The process is killed or aborts: what was accepted and not yet written. [`Writer::flush`]
//!   bounds it. Where a panic aborts, [`panic_hook`](WriterBuilder::panic_hook) has it written.
//! * Loss of power: what was not synced. [`Writer::sync`] bounds it.
//! * A full queue drops lines under every policy but `Block`, and counts them in [`Metrics`].
//!
//! # When not to use it
//!
//! * A program that logs a few lines and ends needs no thread for it: see
//!   [`synchronous`](WriterBuilder::synchronous), or write to stderr.
//! * An audit trail that must be on the disk before the action goes on needs a sync per record, and
//!   then a queue only adds a step.
//! * From a signal handler nothing here may be called but `raw_line` (Unix).

mod admit;
mod axes;
mod barrier;
mod builder;
#[cfg(feature = "capture")]
pub mod capture;
mod chunk;
mod clock;
mod config;
mod delivery;
mod env;
mod error;
mod exit;
mod guard;
mod io;
pub mod json;
mod line_writer;
mod metrics;
mod mode;
mod outlet;
mod process;
mod queue;
#[cfg(unix)]
mod raw_line;
mod report;
mod severity;
mod shared;
mod sync;
mod synchronous;
mod thread_mark;
mod worker;
mod writer;

#[cfg(all(test, not(loom)))]
mod countdown_tests;
#[cfg(all(test, not(loom)))]
mod failure_tests;
#[cfg(all(test, not(loom)))]
mod fallback_tests;
#[cfg(all(loom, test))]
mod models;
#[cfg(all(test, not(loom)))]
mod synchronous_tests;
#[cfg(all(test, not(loom)))]
mod testing;
#[cfg(all(test, not(loom)))]
mod worker_tests;

pub use axes::{Mode, ParseAxisError, QueuePolicy, Strategy};
pub use builder::WriterBuilder;
pub use config::Config;
pub use error::{
    BuildError, FlushError, Operation, ReopenError, SendError, ShutdownError, State, WriteError,
};
pub use guard::WriterGuard;
pub use io::{ReopenReason, Reopened, Sink, WriteSink};
pub use line_writer::LineWriter;
pub use metrics::Metrics;
#[cfg(unix)]
pub use raw_line::raw_line;
pub use severity::Severity;
pub use writer::Writer;
