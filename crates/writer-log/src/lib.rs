//! A logger for the [`log`] crate that writes every record as one line of JSON to a file,
//! asynchronously.
//!
//! A record is encoded in the thread that logs it ([`writer_core::json`]), admitted to a bounded
//! queue by the **queue policy**, taken in batches by the one worker of a [`Writer`] when the
//! **mode** says so, and written to the file by the **strategy**.
//!
//! ```
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("app.jsonl");
//! # let path = path.as_path();
//! # let guard = writer_log::builder(path).filter("info").init()?;
//! # /*
//! let guard = writer_log::init("app.jsonl")?; // levels from RUST_LOG, else Info
//! # */
//!
//! log::warn!(user_id = 42, ok = true; "slow answer");
//!
//! drop(guard); // at the end of main: waits until everything is in the file
//! # let text = std::fs::read_to_string(path)?;
//! # assert!(text.ends_with("\"message\":\"slow answer\",\"user_id\":42,\"ok\":true}\n"), "{text}");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The line:
//!
//! ```json
//! {"timestamp":"2026-11-23T08:15:42.123456Z","level":"WARN","target":"shop","message":"slow answer","user_id":42,"ok":true}
//! ```
//!
//! # Three axes
//!
//! | axis | question | choices |
//! |---|---|---|
//! | [`Mode`] | when does the worker write? | `Trigger` (default), `Loop`, `Manual` |
//! | [`Strategy`] | how do bytes reach the file? | `BlockBuffered` (default), `LineBuffered`, `MemoryMapped` |
//! | [`QueuePolicy`] | what does a full queue do? | `Block` (default), `DropOldest`, `DropNewest`, `Warn` |
//!
//! [`builder`] takes every option of the writer, every option of the lines, and filter directives:
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
//! | `a = None::<u64>` | `null` |
//! | a key that is taken (`level`, `message`, a second `a`) | the same key with `_` appended |
//!
//! The `log` crate hands on an `f32` as `f64`: `0.1_f32` is written as `0.10000000149011612`. A value
//! that fails or panics while it is formatted is replaced by a marker; the rest of the record is
//! kept, and [`Metrics::format_errors`] counts it.
//!
//! # Features
//!
//! None is on by default.
//!
//! | feature | effect |
//! |---|---|
//! | `serde` | `a:serde = value` is written as nested JSON |
//! | `sval` | `a:sval = value` is written as nested JSON. All that is not a plain type takes this way then, also from serde, `Debug` and `Display`, and each such value allocates |
//! | `local-time` | timestamps in the system's time zone |
//! | `capture` | records kept in memory, for tests: see below |
//!
//! # Tests of a program that logs
//!
//! With the feature `capture`, one logger serves all tests of a process, side by side, and each sees
//! the records of its own thread. Nothing is written to a file.
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
//!
//! # What can be lost
//!
//! * With [`QueuePolicy::Block`], nothing as long as the file can be written and the process ends by
//!   return, exit or panic; a full queue makes the caller wait. The other policies drop, and count
//!   what they drop.
//! * If the process is killed or aborts, what still waits in the queue: with the defaults, what was
//!   logged in the last tenth of a second or so. What has been written survives the death of the
//!   process; the loss of power it survives after [`Writer::sync`].
//! * What is logged after the guard is dropped. It is counted in [`Metrics::rejected`], and the first
//!   such record is reported on stderr.
//!
//! **Keep the guard**, to the end of `main`, under a name: `let _guard = …`. A guard that is bound to
//! a bare underscore, as in `let _ = writer_log::init(..)`, is dropped at once, and nothing that
//! comes later reaches the file.
//!
//! # When not to use this
//!
//! Where each record must be on the disk before the program goes on, use
//! [`LogBuilder::synchronous`] and [`Writer::sync`], or a database.
#![forbid(unsafe_code)]

mod builder;
mod filter;
mod install;
mod logger;
mod record;

pub use builder::{InitError, LogBuilder, LogOn, builder, init, on};
pub use logger::Logger;

#[cfg(feature = "capture")]
#[doc(no_inline)]
pub use writer_core::capture;
#[doc(no_inline)]
pub use writer_core::{
    self, BuildError, Metrics, Mode, QueuePolicy, Strategy, Writer, WriterBuilder, WriterGuard,
    json,
};
