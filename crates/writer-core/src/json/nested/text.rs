//! JSON that a value brings along as text.

use std::borrow::Cow;

use super::{Nest, TOO_DEEP, write};
use crate::json::out::Out;

impl Nest<'_> {
    /// Writes the value that a text of JSON holds, under the rules for all nested values; a text
    /// that is no JSON is written as a string.
    pub(in crate::json) fn json(&mut self, text: &str) {
        // The first time into nothing: whether the text is JSON shows at its end.
        let mut nowhere = Out::with_limit(0);
        nowhere.set_full(true);
        let mut whole = false;
        let result = write(&mut nowhere, self.rules, |nest| whole = Reader::new(text).read(nest));
        match result {
            Ok(_) if whole => {
                // Too many levels, with those around the text, have made the value fail.
                let _ = Reader::new(text).read(self);
            }
            Err(TOO_DEEP) => self.fail(TOO_DEEP),
            _ => self.string(text),
        }
    }
}

/// A text of JSON and how far it has been read. The methods return false at the first thing that is
/// no JSON, <https://www.rfc-editor.org/rfc/rfc8259>, or too deep.
struct Reader<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Reader<'t> {
    fn new(text: &'t str) -> Self {
        Reader { text, at: 0 }
    }

    /// Writes the value that is the whole text.
    fn read(mut self, nest: &mut Nest<'_>) -> bool {
        self.value(nest) && self.peek().is_none()
    }

    /// The next byte that is no blank.
    fn peek(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        while matches!(bytes.get(self.at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
        bytes.get(self.at).copied()
    }

    /// Steps over a byte, if it is the next one.
    fn skip(&mut self, byte: u8) -> bool {
        let here = self.peek() == Some(byte);
        self.at += usize::from(here);
        here
    }

    /// Goes no deeper than the nest does.
    fn value(&mut self, nest: &mut Nest<'_>) -> bool {
        match self.peek() {
            Some(b'[') => self.array(nest),
            Some(b'{') => self.object(nest),
            Some(b'"') => match self.string() {
                Some(text) => {
                    nest.string(&text);
                    true
                }
                None => false,
            },
            Some(b'-' | b'0'..=b'9') => self.number(nest),
            _ => self.word(nest),
        }
    }

    fn array(&mut self, nest: &mut Nest<'_>) -> bool {
        let Some(mut level) = nest.array() else { return false };
        self.at += 1;
        let mut ended = self.skip(b']');
        while !ended {
            let element = nest.begin(&mut level);
            if !self.value(nest) {
                return false;
            }
            nest.end_element(element);
            ended = self.skip(b']');
            if !ended && !self.skip(b',') {
                return false;
            }
        }
        nest.close(&level);
        true
    }

    fn object(&mut self, nest: &mut Nest<'_>) -> bool {
        let Some(mut level) = nest.object() else { return false };
        self.at += 1;
        let mut ended = self.skip(b'}');
        while !ended {
            let Some(key) = self.string() else { return false };
            let mut element = nest.begin(&mut level);
            nest.string(&key);
            nest.end_key(&level, &mut element);
            if !self.skip(b':') || !self.value(nest) {
                return false;
            }
            nest.end_element(element);
            ended = self.skip(b'}');
            if !ended && !self.skip(b',') {
                return false;
            }
        }
        nest.close(&level);
        true
    }

    fn word(&mut self, nest: &mut Nest<'_>) -> bool {
        let rest = &self.text[self.at..];
        let mut is = |word: &str| {
            let is = rest.starts_with(word);
            self.at += if is { word.len() } else { 0 };
            is
        };
        if is("null") {
            nest.null();
        } else if is("true") {
            nest.bool(true);
        } else if is("false") {
            nest.bool(false);
        } else {
            return false;
        }
        true
    }

    fn number(&mut self, nest: &mut Nest<'_>) -> bool {
        let rest = &self.text[self.at..];
        let len = rest.bytes().take_while(|byte| b"+-.eE0123456789".contains(byte)).count();
        let number = &rest[..len];
        if !is_number(number) {
            return false;
        }
        self.at += len;
        let mark = nest.out.mark();
        nest.string(number);
        nest.digits_to_number(mark);
        true
    }

    fn string(&mut self) -> Option<Cow<'t, str>> {
        if !self.skip(b'"') {
            return None;
        }
        let start = self.at;
        loop {
            match *self.text.as_bytes().get(self.at)? {
                b'"' => break,
                b'\\' => self.at += 2,
                ..b' ' => return None,
                _ => self.at += 1,
            }
        }
        let escaped = self.text.get(start..self.at)?;
        self.at += 1;
        if escaped.contains('\\') {
            unescape(escaped).map(Cow::Owned)
        } else {
            Some(Cow::Borrowed(escaped))
        }
    }
}

/// Whether a text is a number as JSON has them.
fn is_number(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    digits(whole)
        && (whole.len() == 1 || !whole.starts_with('0'))
        && fraction.is_none_or(digits)
        && exponent.is_none_or(|text| digits(text.strip_prefix(['+', '-']).unwrap_or(text)))
}

/// The text of a string of JSON; `None` where an escape is none. Half a surrogate pair becomes
/// U+FFFD.
fn unescape(escaped: &str) -> Option<String> {
    let mut text = String::with_capacity(escaped.len());
    let mut rest = escaped;
    while let Some((plain, escape)) = rest.split_once('\\') {
        text.push_str(plain);
        let kind = escape.chars().next()?;
        rest = &escape[kind.len_utf8()..];
        text.push(match kind {
            '"' | '\\' | '/' => kind,
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => {
                let (mut code, after) = unit(rest)?;
                rest = after;
                if let (0xd800..0xdc00, Some(second)) = (code, rest.strip_prefix("\\u")) {
                    let (low, after) = unit(second)?;
                    if let 0xdc00..0xe000 = low {
                        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
                        rest = after;
                    }
                }
                char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
            }
            _ => return None,
        });
    }
    text.push_str(rest);
    Some(text)
}

/// The four hexadecimal digits that a text begins with, and the rest.
fn unit(text: &str) -> Option<(u32, &str)> {
    let (digits, rest) = text.split_at_checked(4)?;
    let hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    Some((u32::from_str_radix(digits, 16).ok().filter(|_| hex)?, rest))
}
