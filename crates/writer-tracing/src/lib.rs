#![doc = include_str!("../README.md")]
//!
//! # Options
//!
//! All settings are methods of [`LayerBuilder`], those of the writer and those of the line:
//!
//! ```
//! use tracing_subscriber::filter::LevelFilter;
//! use tracing_subscriber::prelude::*;
//! use writer_tracing::json::Part;
//! use writer_tracing::{Mode, Strategy};
//!
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("app.jsonl");
//! let (layer, _guard) = writer_tracing::builder(&path)
//!     .strategy(Strategy::LineBuffered)
//!     .mode(Mode::Loop)
//!     .show(Part::ThreadName)
//!     .static_field("service", |value| value.str("shop"))
//!     .build()?;
//! // The layer has no filter of its own: any filter of tracing-subscriber goes around it.
//! tracing_subscriber::registry().with(layer.with_filter(LevelFilter::INFO)).init();
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A writer that exists can be shared, with other layers and with the `log` crate: see [`on`]. To
//! keep the lines of `tracing_subscriber::fmt` and only write them in the background, see
//! [`make_writer()`].
//!
//! # Records of the `log` crate
//!
//! Those that `tracing-log` passes on get the target and the place in the source that they had in
//! `log`; `tracing-log` 0.2 leaves their key-values behind. A logger of its own beside the layer
//! keeps them.
//!
//! # Lines about spans
//!
//! With [`LayerBuilder::span_events`] a span has lines of its own when it begins and when it
//! closes, the latter with its times as numbers.
//!
//! # One registry
//!
//! A layer belongs to one subscriber. One that a wrapper shares between two registries mistakes the
//! spans of one for those of the other, for both count them from the same number.
//!
//! What a layer has kept of a span, some kilobytes, stays until the span closes, also where
//! `reload` has put another layer in its place by then.
//!
//! # Values that log
//!
//! The `Display` of a value may log. If it is recorded in a span, add this layer before `fmt`, as in
//! `registry().with(json).with(fmt)`: `fmt` formats it under the registry's lock on that span, and an
//! event of the value that `fmt` itself does not take can deadlock its thread, where this layer must
//! ask the registry for the span. In this order it need not, unless the thread has met more than 32
//! other open spans since; in the other it must in a thread that has not begun, entered, changed or
//! logged in the span before. With traces of OpenTelemetry it must in either order, until the ids of
//! the span are settled.
//!
//! With the feature `opentelemetry`, what logs while OpenTelemetry starts a span, as a sampler, an
//! id generator, a span processor or the tracer may, must not come to this layer: the layer of
//! `tracing-opentelemetry` holds its lock on the span meanwhile, and the event would ask it for the
//! span's ids and wait for ever. Keep the targets of such code out by a filter around this layer,
//! as in `json.with_filter(Targets::new().with_default(LevelFilter::INFO).with_target("opentelemetry",
//! LevelFilter::OFF))`.
//!
//! # Features
//!
//! None is on by default.
//!
//! | feature | what it brings |
//! |---|---|
//! | `capture` | records kept in memory, for tests |
//! | `signals` | shutdown on SIGTERM and SIGINT, reopening on SIGHUP (Unix) |
//! | `local-time` | timestamps in the system's time zone |
//! | `opentelemetry` | the ids of OpenTelemetry's trace and span, see below |
//! | `serde` | static fields of any `serde::Serialize` |
//! | `valuable` | nested values in events and spans; needs `--cfg tracing_unstable` besides |
//!
//! # Traces of OpenTelemetry
//!
//! With the feature `opentelemetry` and a layer of
//! [`tracing-opentelemetry`](https://docs.rs/tracing-opentelemetry) 0.34 beside this one, in either
//! order, each line inside a span carries the ids of its trace and span in every schema that has
//! places for them: `Ecs`, `Otel`, `Gcp`, and any other where [`Part::TraceId`](json::Part) and
//! [`Part::SpanId`](json::Part) are shown. A field `trace_id` or `span_id` of a span goes before,
//! and where it names another trace, no id of this one is shown.
//!
//! The ids are settled when something is logged in the span first, or, with lines about spans, when
//! it is entered: set a remote parent before. The line that tells of a span's beginning has none. A
//! layer inside `Option` or `Vec`, or put in the place of another by `reload`, finds the ids only
//! under the subscriber of the whole process.
//!
#![cfg_attr(
    feature = "capture",
    doc = r##"# Testing what a program logs

With the feature `capture` each test looks at the records of its own thread:

```
use serde_json::json;
use tracing_subscriber::prelude::*;
use writer_tracing::capture::{self, Capture};

/// The code under test.
fn order(free: u32) {
    let _span = tracing::info_span!("order", id = 7).entered();
    if free < 10 {
        tracing::warn!(free, "nearly sold out");
    }
}

// Once per process, for example in a `OnceLock` that also keeps the guard.
let (layer, _guard) = writer_tracing::layer(capture::builder())?;
tracing_subscriber::registry().with(layer).init();

// In each test:
let capture = Capture::start();
order(3);
capture.assert_logged(json!({"level": "WARN", "free": 3, "message": "nearly sold out"}));
assert_eq!(capture.records()[0]["spans"], json!([{"name": "order", "id": 7}]));

capture.clear();
order(30);
assert!(capture.is_empty());
# Ok::<(), Box<dyn std::error::Error>>(())
```
"##
)]
#![forbid(unsafe_code)]

mod builder;
mod layer;
mod log_record;
mod make_writer;
#[cfg(feature = "opentelemetry")]
mod opentelemetry;
mod recent;
mod scope;
mod site;
mod span;
mod span_events;
mod visit;

pub use builder::{LayerBuilder, LayerOn};
pub use layer::JsonLayer;
pub use make_writer::MakeLineWriter;
pub use span_events::SpanEvents;
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

/// Makes a layer that writes to a file, with the settings of a prepared [`WriterBuilder`] or, for a
/// path, with all defaults.
///
/// Dropping the guard waits until everything is written, at most 5 seconds.
///
/// # Errors
///
/// As [`WriterBuilder::build`].
///
/// ```
/// use tracing_subscriber::prelude::*;
/// use writer_tracing::Writer;
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("app.jsonl");
/// let (layer, _guard) = writer_tracing::layer(Writer::builder(path).batch_size(10))?;
/// tracing_subscriber::registry().with(layer).init();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn layer(writer: impl Into<WriterBuilder>) -> Result<(JsonLayer, WriterGuard), BuildError> {
    builder(writer).build()
}

/// Starts to set up a layer together with its writer, from a path or a prepared [`WriterBuilder`].
pub fn builder(writer: impl Into<WriterBuilder>) -> LayerBuilder {
    LayerBuilder::new(writer.into())
}

/// Starts to set up a layer on a writer that exists and has its own guard.
///
/// ```
/// use tracing_subscriber::prelude::*;
/// use writer_tracing::Writer;
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("app.jsonl");
/// let (writer, _guard) = Writer::builder(path).build()?;
/// let layer = writer_tracing::on(writer.clone()).layer();
/// tracing_subscriber::registry().with(layer).init();
/// writer.send(r#"{"message":"a line of its own, in the same file"}"#)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn on(writer: Writer) -> LayerOn {
    LayerOn::new(writer)
}

/// Lets `tracing_subscriber::fmt`, in any of its formats, write through the writer.
///
/// Each line is a record of its own, with the severity Info whatever the event's level is. So
/// events of one line stay whole. The lines of one that has several, as with `pretty()` or with a
/// newline in its message, may stand between those of other threads, and a full queue may drop some
/// of them.
///
/// What `fmt` makes of a value that cannot be formatted stays as it is: one that panics reaches the
/// program, in `fmt`'s JSON also one that returns an error, and what was formatted by then stands in
/// front of the thread's next line, which no longer parses. The layers of this crate contain both.
///
/// ```
/// use writer_tracing::Writer;
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("app.log");
/// let (writer, guard) = Writer::builder(&path).build()?;
/// tracing_subscriber::fmt().with_writer(writer_tracing::make_writer(writer.clone())).init();
/// tracing::info!("hello");
/// drop(guard);
/// assert!(std::fs::read_to_string(&path)?.ends_with("hello\n"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn make_writer(writer: Writer) -> MakeLineWriter {
    MakeLineWriter::new(writer)
}
