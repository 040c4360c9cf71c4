//! Values that have no others inside them.

#[cfg(any(feature = "serde", feature = "valuable"))]
use std::fmt;

use super::Nest;
use crate::json::forms;
use crate::json::kind::{Integer, Kind};
#[cfg(any(feature = "serde", feature = "sval"))]
use crate::json::out::Mark;
use crate::json::out::Out;
use crate::json::schema::Options;
#[cfg(any(feature = "serde", feature = "valuable"))]
use crate::json::value::FORMAT_ERROR;

impl Nest<'_> {
    /// Writes a scalar with its type where it needs one.
    fn scalar<R>(&mut self, kind: Kind, write: impl FnOnce(&mut Out, Options) -> R) -> R {
        let options = self.options;
        kind.write(self.out, options, |out| write(out, options))
    }

    pub(in crate::json) fn null(&mut self) {
        self.nothing |= self.depth == 0;
        self.out.raw(if self.options.typed { b"{}" } else { b"null" });
    }

    pub(in crate::json) fn bool(&mut self, value: bool) {
        self.scalar(Kind::Bool, |out, _| out.raw(if value { b"true" } else { b"false" }));
    }

    pub(in crate::json) fn integer(&mut self, value: impl Integer) {
        let kind = Kind::of_integer(value, self.options);
        self.scalar(kind, |out, _| forms::integer(out, kind, value));
    }

    pub(in crate::json) fn float(&mut self, value: impl zmij::Float + Into<f64> + Copy) {
        self.scalar(Kind::Double, |out, options| forms::float(out, value, options));
    }

    pub(in crate::json) fn string(&mut self, text: &str) {
        self.scalar(Kind::String, |out, _| out.string(text));
        self.note_name(text);
    }

    /// Keeps what only the text of a key tells, where none of it is kept. Of a string that comes in
    /// pieces it is the last that counts.
    #[inline]
    pub(in crate::json) fn note_name(&mut self, text: &str) {
        if self.out.full() {
            let words = self.rules.redact.as_ref().filter(|_| !self.secret);
            self.names_secret = words.is_some_and(|words| words.matches(text));
        }
    }

    /// Begins a string that comes in pieces.
    #[cfg(feature = "sval")]
    pub(in crate::json) fn begin_string(&mut self) -> Mark {
        let mark = self.out.mark();
        if self.options.typed {
            self.out.raw(Kind::String.ends().0.as_bytes());
        }
        self.out.raw(b"\"");
        mark
    }

    /// Ends a string that came in pieces.
    #[cfg(feature = "sval")]
    pub(in crate::json) fn end_string(&mut self, mark: Mark) {
        self.out.close(mark, b'"');
        if self.options.typed {
            self.out.close(mark, b'}');
        }
    }

    #[cfg(any(feature = "serde", feature = "valuable"))]
    pub(in crate::json) fn char(&mut self, value: char) {
        self.string(value.encode_utf8(&mut [0; 4]));
    }

    #[cfg(feature = "serde")]
    pub(in crate::json) fn bytes(&mut self, value: &[u8]) {
        self.scalar(Kind::String, |out, _| forms::hex_string(out, value));
    }

    /// Writes a string of what the arguments print; the value fails if they do.
    #[cfg(any(feature = "serde", feature = "valuable"))]
    pub(in crate::json) fn format(&mut self, value: fmt::Arguments<'_>) {
        if self.scalar(Kind::String, |out, _| out.format(value)).is_err() {
            self.fail(FORMAT_ERROR);
        }
    }

    /// Replaces the string written from `mark` on, the digits of a number of any length, by the
    /// number, where that does not change its value.
    #[cfg(any(feature = "serde", feature = "sval"))]
    pub(in crate::json) fn digits_to_number(&mut self, mark: Mark) {
        let Some(mut string) = self.out.buf.get(mark.len()..) else { return };
        if self.options.typed {
            let (open, close) = Kind::String.ends();
            let inside = string.strip_prefix(open.as_bytes());
            let inside = inside.and_then(|inside| inside.strip_suffix(close.as_bytes()));
            string = inside.unwrap_or_default();
        }
        let [b'"', digits @ .., b'"'] = string else { return };
        let text = str::from_utf8(digits).unwrap_or_default();
        let whole =
            text.parse().ok().filter(|&whole| itoa::Buffer::new().format::<i128>(whole) == text);
        // An integer of more digits than that is none of a float.
        let fraction = text.bytes().any(|byte| matches!(byte, b'.' | b'e' | b'E'));
        let float = text.parse::<f64>().ok().filter(|float| {
            fraction
                && float.is_finite()
                && same_digits(text, zmij::Buffer::new().format_finite(*float))
        });
        if self.out.full() || (whole.is_none() && float.is_none()) {
            return;
        }
        self.out.roll_back(mark);
        match (whole, float) {
            (Some(whole), _) => self.integer(whole),
            (None, Some(float)) => self.float(float),
            (None, None) => {}
        }
    }
}

/// Whether two decimal numbers that read as the same float are equal: they have the same digits, but
/// for zeros at both ends.
#[cfg(any(feature = "serde", feature = "sval"))]
fn same_digits(one: &str, other: &str) -> bool {
    let (mut one, mut other) = (significant(one), significant(other));
    loop {
        match (one.next(), other.next()) {
            (None, None) => return true,
            (one, other) if one.unwrap_or(b'0') == other.unwrap_or(b'0') => {}
            _ => return false,
        }
    }
}

/// The digits of a decimal number without its sign, its point, the zeros before them, and its
/// exponent.
#[cfg(any(feature = "serde", feature = "sval"))]
fn significant(number: &str) -> impl Iterator<Item = u8> {
    let mantissa = number.bytes().take_while(|byte| !matches!(byte, b'e' | b'E'));
    mantissa.filter(u8::is_ascii_digit).skip_while(|&digit| digit == b'0')
}
