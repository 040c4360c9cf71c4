//! What the layer makes of events and spans, a module for each part of it. Each test has a subscriber of
//! its own; what installs one for the process, or changes what the process shares, is a program apart.
#![allow(missing_docs, clippy::unwrap_used)]
#![recursion_limit = "512"]

mod attack;
mod broken_registry;
#[path = "../../../writer-core/tests/common/canary.rs"]
mod canary;
mod debug_output;
mod events;
mod fmt_json;
mod futures;
mod hostile;
mod layers;
mod lifecycle;
mod loss_markers;
mod nothing;
mod reentrant;
mod reuse;
mod schemas;
mod span_events;
mod spans;
#[path = "../support/mod.rs"]
mod support;
mod unwinding;
#[cfg(all(tracing_unstable, feature = "valuable"))]
mod valuable;
