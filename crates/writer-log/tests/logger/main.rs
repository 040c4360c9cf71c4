//! What loggers make of records, a module for each part of it. None of them is installed: what installs one
//! is a program apart.
#![allow(missing_docs, clippy::unwrap_used)]

mod attack;
#[path = "../../../writer-core/tests/common/canary.rs"]
mod canary;
mod debug_output;
mod hostile;
#[path = "../../../writer-tracing/tests/support/keys.rs"]
mod keys;
mod logxpy;
mod loss_markers;
mod names;
#[cfg(any(feature = "serde", feature = "sval"))]
mod nested;
mod places;
mod records;
mod sites;
mod unwinding;
