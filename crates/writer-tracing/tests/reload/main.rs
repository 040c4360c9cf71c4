//! Layers and filters that are exchanged while the program runs.
//!
//! A reload computes the most verbose level anew for the whole process, and in `tracing-core` 0.1
//! from one subscriber alone where it believes that there is only one: a subscriber that another
//! thread installs at that moment may see nothing. So these tests have a process of their own, and
//! take turns.
#![allow(missing_docs, clippy::unwrap_used)]

mod exchanged;
#[path = "../support/mod.rs"]
mod support;
mod wrapped;
