//! What is written for values that JSON has no form for: wide integers, floats that are not finite,
//! bytes, errors.

use std::error::Error;
use std::fmt;

use super::escape;
use super::kind::{Integer, Kind};
use super::out::Out;
use super::schema::Options;

/// How many sources of an error are written.
const CHAIN: usize = 16;

/// Writes an integer whose kind is that of [`Kind::of_integer`].
pub(super) fn integer(out: &mut Out, kind: Kind, value: impl Integer) {
    let mut buffer = itoa::Buffer::new();
    let digits = buffer.format(value);
    match kind {
        Kind::String => out.string(digits),
        _ => out.raw(digits.as_bytes()),
    }
}

#[inline]
pub(super) fn float<F: zmij::Float + Into<f64> + Copy>(out: &mut Out, value: F, options: Options) {
    if value.into().is_finite() {
        out.raw(zmij::Buffer::new().format_finite(value).as_bytes());
    } else {
        non_finite(out, value.into(), options);
    }
}

#[cold]
fn non_finite(out: &mut Out, value: f64, options: Options) {
    out.raw(if options.non_finite_null {
        b"null"
    } else if value.is_nan() {
        b"\"NaN\""
    } else if value > 0.0 {
        b"\"Infinity\""
    } else {
        b"\"-Infinity\""
    });
}

pub(super) fn hex_string(out: &mut Out, value: &[u8]) {
    let mark = out.mark();
    out.raw(b"\"");
    hex_digits(out, value);
    out.close(mark, b'"');
}

pub(super) fn hex_digits(out: &mut Out, value: &[u8]) {
    for chunk in value.chunks(32) {
        let mut digits = [0; 64];
        for (pair, byte) in digits.chunks_exact_mut(2).zip(chunk) {
            pair.copy_from_slice(&escape::hex(*byte));
        }
        out.bounded(&digits[..2 * chunk.len()], 2);
    }
}

/// Writes an error: its message, or, if it has sources and the schema shows them, an object.
pub(super) fn error(out: &mut Out, value: &dyn Error, options: Options) -> fmt::Result {
    match value.source() {
        Some(source) if options.error_chain => chain(out, value, source, options),
        _ => Kind::String.write(out, options, |out| out.format(format_args!("{value}"))),
    }
}

const PLAIN_CHAIN: [&[u8]; 4] = [b"{\"message\":", b",\"chain\":[", b"]", b"}"];

const TYPED_CHAIN: [&[u8]; 4] = [
    b"{\"kvlistValue\":{\"values\":[{\"key\":\"message\",\"value\":",
    b",{\"key\":\"chain\",\"value\":{\"arrayValue\":{\"values\":[",
    b"]}}}",
    b"]}}",
];

fn chain(
    out: &mut Out,
    error: &dyn Error,
    source: &(dyn Error + 'static),
    options: Options,
) -> fmt::Result {
    let [open, array_open, array_close, close] =
        if options.typed { TYPED_CHAIN } else { PLAIN_CHAIN };
    let object = out.mark();
    out.raw(open);
    Kind::String.write(out, options, |out| out.format(format_args!("{error}")))?;
    if options.typed {
        // Of the pair: what follows may find no room.
        out.close(object, b'}');
    }
    let array = out.mark();
    out.raw(array_open);
    let mut next = Some(source);
    for place in 0..CHAIN {
        let Some(error) = next else { break };
        if place > 0 {
            out.raw(b",");
        }
        Kind::String.write(out, options, |out| out.format(format_args!("{error}")))?;
        next = error.source();
    }
    array_close.iter().for_each(|&byte| out.close(array, byte));
    close.iter().for_each(|&byte| out.close(object, byte));
    Ok(())
}
