#![doc = include_str!("../README.md")]
//!
//! # Options
//!
//! [`builder()`] takes every option of the writer, every option of the lines, and filter directives:
//!
//! ```
//! use writer_log::json::Part;
//! use writer_log::{Mode, Strategy};
//!
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("app.jsonl");
//! let _guard = writer_log::builder(&path)
//!     .filter("info,my_crate=debug")
//!     .strategy(Strategy::LineBuffered)
//!     .mode(Mode::Loop)
//!     .show(Part::File)
//!     .show(Part::Line)
//!     .show(Part::ThreadName)
//!     .static_field("service", |value| value.str("shop"))
//!     .init()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A writer that exists can be shared, with the `tracing` adapter or with lines of one's own: see
//! [`on`]. To put the logger behind another one, build it without installing it: see
//! [`LogBuilder::build`].
//!
//! # Which records
//!
//! Directives decide, as in [`env_filter`](https://docs.rs/env_filter): `info`, `info,hyper=warn`.
//! They come from [`LogBuilder::filter`], else from `RUST_LOG`, else everything from Info on is
//! logged. While the program runs they can be exchanged:
//!
//! ```
//! use writer_log::Logger;
//!
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("app.jsonl");
//! let _guard = writer_log::builder(&path).filter("info").init()?;
//! if let Some(logger) = Logger::installed() {
//!     logger.set_filter("info,my_crate=trace")?;
//! }
//! assert_eq!(log::max_level(), log::LevelFilter::Trace);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Lines
//!
//! `timestamp`, `level`, `target`, `message`, then the key-values in the order given. Module, file,
//! line, thread and process are shown on request.
//!
//! | in the macro | in the line |
//! |---|---|
//! | `a = 1`, `a = 0.5`, `a = true`, `a = "text"` | number, boolean, string |
//! | `a:? = value`, `a:% = value` | what `Debug` or `Display` prints, as a string |
//! | `a:serde = value`, `a:sval = value` | nested JSON, with the feature `serde` or `sval` |
//! | `a:err = error` | the message as a string; `{"message":…,"chain":[…]}` if the error has sources |
//! | `a = None::<u64>` | `null`; nothing in the schemas `Tracing` and `Logxpy` |
//! | a key that is taken (`level`, `message`, a second `a`) | the same key with `_` appended |
//!
//! The `log` crate hands on an `f32` as `f64`: `0.1_f32` is written as `0.10000000149011612`. A
//! value that fails or panics while it is formatted is replaced by a marker; the rest of the record
//! is kept, and [`Metrics::format_errors`] counts it.
//!
//! # Features
//!
//! None is on by default.
//!
//! | feature | effect |
//! |---|---|
//! | `serde` | `a:serde = value` is written as nested JSON |
//! | `sval` | `a:sval = value` is written as nested JSON. All that is not a plain type takes this way then, also from serde, `Debug` and `Display`: a unit struct is its name rather than null |
//! | `local-time` | timestamps in the system's time zone |
//! | `capture` | records kept in memory, for tests: see below |
//! | `signals` | shutdown on SIGTERM and SIGINT, reopening on SIGHUP (Unix) |
//!
//! # Tests of a program that logs
//!
//! With the feature `capture`, one logger serves all tests of a process, side by side, and each
//! sees the records of its own thread. Nothing is written to a file.
//!
#![cfg_attr(feature = "capture", doc = "```")]
#![cfg_attr(not(feature = "capture"), doc = "```ignore")]
//! use std::sync::OnceLock;
//!
//! use serde_json::json;
//! use writer_log::WriterGuard;
//! use writer_log::capture::{self, Capture};
//!
//! /// What each test begins with.
//! fn start() -> Capture {
//!     static LOGGER: OnceLock<WriterGuard> = OnceLock::new();
//!     LOGGER.get_or_init(|| {
//!         let builder = writer_log::builder(capture::builder()).filter("debug");
//!         builder.init().expect("no other logger")
//!     });
//!     Capture::start()
//! }
//!
//! let capture = start();
//! log::warn!(free = 7; "disk nearly full");
//! capture.assert_logged(json!({"level": "WARN", "free": 7}));
//! assert_eq!(capture.len(), 1);
//! ```
#![forbid(unsafe_code)]

mod builder;
mod filter;
mod install;
mod logger;
mod record;
mod site;
#[cfg(not(any(feature = "serde", feature = "sval")))]
mod visit;

pub use builder::{InitError, LogBuilder, LogOn, builder, init, on};
pub use logger::Logger;

#[cfg(feature = "capture")]
#[doc(no_inline)]
pub use writer_core::capture;
#[cfg(all(unix, feature = "signals"))]
#[doc(no_inline)]
pub use writer_core::signals;
#[doc(no_inline)]
pub use writer_core::{
    self, BuildError, FlushError, Metrics, Mode, QueuePolicy, ReopenError, Schema, SendError,
    Severity, ShutdownError, Sink, State, Strategy, WriteError, WriteSink, Writer, WriterBuilder,
    WriterGuard, json,
};
