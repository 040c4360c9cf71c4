//! The parts of the program `writer` that others can use: reading lines, checking them, and knowing
//! what the members of a line mean in each schema.
//!
//! ```
//! use writer_cli::verify::Checker;
//!
//! let mut checker = Checker::default();
//! let file = &b"{\"message\":\"whole\"}\n{\"message\":\"to"[..];
//! checker.read("app.jsonl", file)?;
//! let report = checker.finish();
//! assert_eq!((report.integrity.lines, report.integrity.torn_tail), (2, true));
//! # Ok::<(), std::io::Error>(())
//! ```
#![forbid(unsafe_code)]

pub mod integrity;
pub mod json;
pub mod level;
pub mod lines;
pub mod losses;
pub mod record;
pub mod sequence;
pub mod time;
pub mod verify;
