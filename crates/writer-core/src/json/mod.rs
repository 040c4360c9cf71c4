//! The encoder: one record in, one line of JSON out.
//!
//! A [`Format`] says what a line looks like. It is built once and shared. For each record an
//! adapter calls [`Format::encode`], or [`CallSite::encode`] where the keys of a call site are
//! known ahead, with two closures: one fills in message, fields and spans, the other takes the
//! finished line.
//!
//! ```
//! use writer_core::Severity;
//! use writer_core::json::{Format, Meta};
//!
//! let format = Format::default();
//! let meta = Meta::new(Severity::Info, "shop::orders");
//! let encoded = format.encode(
//!     &meta,
//!     |record| {
//!         record.message().str("request handled");
//!         record.field("user_id").u64(42);
//!     },
//!     |_severity, line| line.ends_with(b"\"message\":\"request handled\",\"user_id\":42}\n"),
//! );
//! assert!(encoded.is_some_and(|encoded| encoded.result));
//! ```
//!
//! # Promises
//!
//! * Every line is one object as [RFC 8259](https://www.rfc-editor.org/rfc/rfc8259) defines it,
//!   ends in the only `\n` it holds, and holds no control character, whatever the input.
//! * No key stands twice at one level and no value is lost: metadata keeps its key, and a field
//!   whose key is taken gets `_` appended until it is free.
//! * Code of the user (`Display`, `Debug`, `Error`, `Serialize`) runs in the calling thread while
//!   nothing is locked or borrowed. It may fail, panic, or log.
//! * A line never grows beyond [`FormatBuilder::max_record_bytes`], and what is cut takes no memory.
//! * In the steady state a record allocates nothing. Exceptions are nested values that are deeper
//!   than 16 levels, have keys that are arrays or objects, or, where secrets are redacted, keys with
//!   an escape; JSON that comes as text (`RawValue`); more than 1024 fields, or keys in one object;
//!   messages that become strings in [`Schema::Ecs`] and [`Schema::Bunyan`]; lines of more than
//!   64 KiB; values that log themselves.
//!
//! # Nested values
//!
//! With the features `serde`, `sval` and `valuable` a [`Value`] takes whatever these libraries can
//! describe and writes it as nested JSON. The promises above hold inside as well, where each of the
//! three alone, with a JSON writer of its own, breaks one or the other. At most 64 arrays and
//! objects lie one in the other, 24 in [`Schema::Otel`]; a value that is deeper is replaced whole.
//! Secrets, see [`FormatBuilder::redact`], are found at any depth.

mod assemble;
mod buf;
mod build;
mod clock;
mod digits;
mod escape;
mod fields;
mod format;
mod forms;
mod from_spans;
mod head;
mod keys;
mod kind;
#[cfg(feature = "local-time")]
mod local;
mod loss;
mod members;
mod message;
mod name;
#[cfg(any(feature = "serde", feature = "sval", feature = "valuable"))]
mod nested;
mod options;
mod otlp;
mod out;
mod record;
mod redact;
mod replace;
mod schema;
mod scratch;
mod sequence;
#[cfg(feature = "serde")]
mod serde;
mod shape;
mod short;
mod site;
mod span;
mod span_lines;
mod span_list;
#[cfg(feature = "sval")]
mod sval;
mod tables;
mod task;
mod thread;
mod time;
#[cfg(feature = "valuable")]
mod valuable;
mod value;

#[cfg(test)]
mod tests;

pub use build::{FormatBuilder, NonFinite, WideIntegers};
pub use clock::TimeSource;
pub use format::{Encoded, Format, Meta};
pub use loss::{LOSS_MESSAGE, LOSS_TARGET};
#[cfg(any(feature = "serde", feature = "sval", feature = "valuable"))]
pub use nested::TOO_DEEP;
pub use record::Record;
pub use redact::REDACTED;
pub use replace::TOO_LONG;
pub use schema::{Part, Schema};
pub use site::CallSite;
pub use span::EncodedSpan;
pub use span_lines::{SpanLines, SpanMoment};
pub use span_list::SpanList;
pub use task::TaskIds;
pub use time::{Precision, TimeStyle};
pub use value::{FORMAT_ERROR, FORMAT_PANIC, Value};
