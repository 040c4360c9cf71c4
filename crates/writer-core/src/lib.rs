#![doc = include_str!("../README.md")]
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
//! | `signals` | shutdown on SIGTERM and SIGINT, reopening on SIGHUP (Unix) | `signal-hook`, `signal-hook-registry`, `errno` |
//!
//! The encoder is in [`json`]. Options that the text above names: [`WriterBuilder::synchronous`],
//! [`WriterBuilder::panic_hook`].

#[cfg(not(any(unix, windows)))]
compile_error!(
    "writer-core needs files and threads: it runs on Unix and Windows, not on WebAssembly"
);

#[cfg(not(target_has_atomic = "64"))]
compile_error!("writer-core counts in atomics of 64 bits, which this processor does not have");

mod admit;
mod axes;
mod backoff;
mod barrier;
mod builder;
mod cache;
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
mod inner;
mod io;
pub mod json;
mod line_writer;
mod losses;
mod marker;
mod metrics;
mod mode;
mod options;
mod outlet;
mod outlets;
mod process;
mod queue;
#[cfg(unix)]
mod raw_line;
mod rejected;
mod report;
mod round;
mod severity;
mod shared;
#[cfg(all(unix, feature = "signals"))]
pub mod signals;
mod slots;
mod start;
mod states;
mod sync;
mod synchronous;
mod thread;
mod thread_mark;
mod tickets;
mod turns;
mod veil;
mod worker;
mod writer;

#[cfg(all(test, not(loom)))]
mod barrier_tests;
#[cfg(all(test, not(loom)))]
mod countdown_tests;
#[cfg(all(test, not(loom)))]
mod delivery_tests;
#[cfg(all(test, not(loom)))]
mod echo_tests;
#[cfg(all(test, not(loom)))]
mod failure_tests;
#[cfg(all(test, not(loom)))]
mod fallback_tests;
#[cfg(all(loom, test))]
mod models;
#[cfg(all(test, not(any(loom, windows))))]
mod rest_tests;
#[cfg(all(test, not(loom)))]
mod synchronous_model_tests;
#[cfg(all(test, not(loom)))]
mod synchronous_tests;
#[cfg(all(test, not(loom)))]
mod testing;
#[cfg(all(test, not(loom)))]
mod wake_tests;
#[cfg(all(test, not(loom)))]
mod worker_tests;

#[cfg(fuzzing)]
#[doc(hidden)]
pub use io::fuzz_repair;

pub use axes::{Mode, ParseAxisError, QueuePolicy, Strategy};
pub use builder::WriterBuilder;
pub use config::Config;
pub use error::{
    BuildError, FlushError, Operation, ReopenError, SendError, ShutdownError, State, WriteError,
};
pub use guard::WriterGuard;
pub use io::{ReopenReason, Reopened, Sink, WriteSink};
#[doc(no_inline)]
pub use json::Schema;
pub use line_writer::LineWriter;
pub use losses::Losses;
pub use metrics::Metrics;
#[cfg(unix)]
pub use raw_line::raw_line;
pub use severity::Severity;
#[doc(hidden)]
pub use slots::{SlotEntry, Slots};
#[doc(hidden)]
pub use states::forks;
#[doc(hidden)]
pub use sync::unless_taken;
pub use writer::Writer;
