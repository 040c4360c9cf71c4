//! JSON lines for the [`log`] crate, written to a file by a background worker.
//!
//! A record is encoded in the caller's thread into one JSON line
//! ([`writer_core::json`]), admitted to a bounded queue, and written by the worker of a
//! [`writer_core::Writer`].
//!
//! ```no_run
//! fn main() -> Result<(), writer_log::InitError> {
//!     let _guard = writer_log::init("app.jsonl")?; // levels from RUST_LOG, else Info
//!
//!     log::info!("started");
//!     log::warn!(user_id = 42, retries = 3; "slow answer");
//!     Ok(())
//! }
//! ```
//!
//! [`builder`] takes every option of the writer, every option of the lines, and filter directives:
//!
//! ```no_run
//! use writer_core::json::Part;
//! use writer_core::{Mode, Strategy};
//!
//! # fn main() -> Result<(), writer_log::InitError> {
//! let _guard = writer_log::builder("app.jsonl")
//!     .filter("info,my_crate=debug")
//!     .strategy(Strategy::MemoryMapped)
//!     .mode(Mode::Loop)
//!     .show(Part::File)
//!     .show(Part::Line)
//!     .show(Part::ThreadName)
//!     .init()?;
//! # Ok(())
//! # }
//! ```
//!
//! # Lines
//!
//! `timestamp`, `level`, `target`, `message`, then the key-values in the order given, with their
//! types: numbers, booleans, strings, null; errors with their chain of sources; anything else as the
//! string that it displays. Module, file, line and thread are shown on request.
//!
//! # What can be lost
//!
//! Nothing that was accepted, as long as the process ends by return, exit or panic; see
//! [`writer_core`] for kills and loss of power. Keep the guard to the end of `main` under a name:
//! `let _ = init(..)` drops it at once, and records that come later are rejected and counted. The
//! first of them says so on stderr.
#![forbid(unsafe_code)]

mod builder;
mod filter;
mod install;
mod logger;
mod record;

pub use builder::{InitError, LogBuilder, OnWriter, builder, init, on};
pub use logger::Logger;

pub use writer_core::{self, WriterGuard};
