//! How writers and formats behave, a module for each part. They are one program because each program is
//! linked anew, with the whole library, wherever the tests are built: here, for coverage, for Windows.
#![allow(missing_docs, clippy::unwrap_used, clippy::disallowed_macros, clippy::disallowed_methods)]

mod callbacks;
#[path = "../common/canary.rs"]
mod canary;
#[path = "../common/mod.rs"]
mod common;
#[cfg(unix)]
mod cut_off;
mod debug_output;
#[cfg(unix)]
mod deleted;
mod demand;
#[cfg(target_os = "linux")]
mod disk;
mod episodes;
mod errors;
mod format_options;
#[cfg(target_os = "linux")]
mod huge_display;
#[cfg(unix)]
mod late_thread;
mod line_writer;
mod loss_markers;
mod overflow;
#[cfg(unix)]
mod reopen;
#[cfg(feature = "serde")]
mod secrets;
mod settings;
mod sinks;
mod synchronous;
mod unwinding;
