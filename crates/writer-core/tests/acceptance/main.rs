//! The acceptance cases.
#![allow(missing_docs, clippy::unwrap_used, clippy::disallowed_macros, clippy::disallowed_methods)]

#[path = "../common/mod.rs"]
mod common;
mod end;
#[cfg(target_os = "linux")]
mod idle;
mod modes;
mod policies;
mod queue;
mod strategies;
mod volume;
