//! Values as OTLP types them.

use super::escape;
use super::out::Out;
use super::schema::Options;

/// What a value is as an `AnyValue` of OTLP; of no effect in the other schemas.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// Nothing, or something that brings its type along.
    Bare,
    /// A JSON string.
    String,
    /// `true` or `false`.
    Bool,
    /// Digits of a 64-bit signed integer, which JSON of Protocol Buffers puts into quotes.
    Int,
    /// A number with a fraction, or one of the strings for those that are not finite.
    Double,
    /// Digits of a larger integer: `AnyValue` has no type for it.
    Digits,
}

/// An integer of up to 128 bits.
pub(super) trait Integer: itoa::Integer + TryInto<i64> + TryInto<u64> + Copy {}

impl<I: itoa::Integer + TryInto<i64> + TryInto<u64> + Copy> Integer for I {}

impl Kind {
    /// What an integer is: a string where it fits 64 bits neither with a sign nor without, unless
    /// the options want its digits.
    pub(super) fn of_integer(value: impl Integer, options: Options) -> Self {
        if TryInto::<i64>::try_into(value).is_ok() {
            Kind::Int
        } else if TryInto::<u64>::try_into(value).is_ok() || options.wide_digits {
            Kind::Digits
        } else {
            Kind::String
        }
    }

    /// What stands before and after the value.
    pub(super) const fn ends(self) -> (&'static str, &'static str) {
        match self {
            Kind::Bare => ("", ""),
            Kind::String => ("{\"stringValue\":", "}"),
            Kind::Bool => ("{\"boolValue\":", "}"),
            Kind::Int => ("{\"intValue\":\"", "\"}"),
            Kind::Double => ("{\"doubleValue\":", "}"),
            Kind::Digits => ("{\"stringValue\":\"", "\"}"),
        }
    }

    /// Writes a value with what stands around it.
    #[inline]
    pub(super) fn write<R>(
        self,
        out: &mut Out,
        options: Options,
        write: impl FnOnce(&mut Out) -> R,
    ) -> R {
        if !options.typed {
            return write(out);
        }
        let (open, close) = self.ends();
        let mark = out.mark();
        out.raw(open.as_bytes());
        let result = write(out);
        close.bytes().for_each(|byte| out.close(mark, byte));
        result
    }

    /// A JSON scalar with what stands around it; an object becomes the string of its text.
    pub(super) fn of_json(json: &str) -> String {
        let kind = match json.as_bytes().first() {
            Some(b'"') => Kind::String,
            Some(b't' | b'f') => Kind::Bool,
            Some(b'n') => return "{}".to_owned(),
            Some(b'{' | b'[') => return Kind::of_json(&escape::quoted(json)),
            _ if json.parse::<i64>().is_ok() => Kind::Int,
            _ if json.bytes().all(|byte| byte == b'-' || byte.is_ascii_digit()) => Kind::Digits,
            _ => Kind::Double,
        };
        let (open, close) = kind.ends();
        [open, json, close].concat()
    }
}
