//! Many threads at once, and mappings: what the sanitizers watch, too, and so a program of its own.
#![allow(missing_docs, clippy::unwrap_used, clippy::disallowed_macros, clippy::disallowed_methods)]

mod all_combinations;
mod barriers;
#[path = "../common/mod.rs"]
mod common;
mod volume;
