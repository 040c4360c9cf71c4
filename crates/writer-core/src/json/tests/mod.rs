//! Tests of the encoder: every line is read back by another implementation.

mod any_options;
#[cfg(all(feature = "serde", feature = "sval", feature = "valuable"))]
mod any_value;
mod clashes;
#[cfg(feature = "serde")]
mod depth;
mod edges;
mod every_schema;
mod expected;
mod flat;
mod full_spans;
mod hostile;
mod limits;
#[cfg(feature = "local-time")]
mod local;
mod logxpy;
mod messages;
#[cfg(feature = "serde")]
mod nested;
mod options;
mod order;
mod otel;
mod properties;
mod reader;
mod redaction;
mod schemas;
mod sequence;
mod short;
#[cfg(all(feature = "sval", feature = "valuable"))]
mod streams;
mod times;
mod values;

use serde_json::Value as Json;

use super::{Encoded, Format, Meta, Record};
use crate::Severity;

/// Encodes one record; returns the line and how it went.
pub(super) fn encode(format: &Format, fill: impl FnOnce(&mut Record<'_>)) -> Encoded<Vec<u8>> {
    let meta = Meta::new(Severity::Info, "shop::orders");
    let encoded = format.encode(&meta, fill, |_, line| line.to_vec()).unwrap();
    reader::check_line(&encoded.result);
    encoded
}

/// Encodes one record with the default format and reads it back.
pub(super) fn read(fill: impl FnOnce(&mut Record<'_>)) -> Json {
    reader::check_line(&encode(&Format::default(), fill).result)
}

/// The line without its timestamp.
pub(super) fn text(format: &Format, fill: impl FnOnce(&mut Record<'_>)) -> String {
    let line = String::from_utf8(encode(format, fill).result).unwrap();
    let (_, rest) = line.split_once("Z\",").unwrap();
    rest.trim_end().to_owned()
}
