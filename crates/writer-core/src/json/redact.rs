//! Which keys hold secrets.

/// Stands in the place of a value whose key is on the list of secrets; see
/// [`FormatBuilder::redact`](super::FormatBuilder::redact).
pub const REDACTED: &str = "[redacted]";

/// What [`FormatBuilder::redact_defaults`](super::FormatBuilder::redact_defaults) adds.
pub(super) const DEFAULTS: &[&str] = &[
    "password",
    "passwd",
    "pwd",
    "passphrase",
    "secret",
    "token",
    "authorization",
    "cookie",
    "set-cookie",
    "api_key",
    "apikey",
    "access_key",
    "private_key",
    "credential",
    "credentials",
];

/// The words whose values are never written.
#[derive(Debug)]
pub(super) struct Redact {
    words: Vec<Box<str>>,
}

impl Redact {
    pub(super) fn new(words: Vec<Box<str>>) -> Self {
        Redact { words }
    }

    /// Whether a key is one of the words or ends in one that is a segment of its own. Letters are
    /// the same in both cases, `-` is the same as `_`.
    pub(super) fn matches(&self, key: &str) -> bool {
        let key = key.as_bytes();
        self.words.iter().any(|word| ends_in(key, word.as_bytes()))
    }

    /// The same for a key as it stands between its quotes in JSON.
    #[cfg(any(feature = "serde", feature = "sval", feature = "valuable"))]
    pub(super) fn matches_escaped(&self, key: &[u8]) -> bool {
        let text = String::from_utf8_lossy(key);
        if key.contains(&b'\\') { self.matches(&unescape(&text)) } else { self.matches(&text) }
    }
}

fn ends_in(key: &[u8], word: &[u8]) -> bool {
    let Some(start) = key.len().checked_sub(word.len()) else { return false };
    let (before, end) = key.split_at(start);
    let same = |(a, b): (&u8, &u8)| fold(*a) == fold(*b);
    if word.is_empty() || !end.iter().zip(word).all(same) {
        return false;
    }
    match before.last() {
        None => true,
        // The camel's hump: `accessToken`, not `BROKENTOKEN`.
        Some(last) if last.is_ascii_alphanumeric() => {
            end[0].is_ascii_uppercase() && !last.is_ascii_uppercase()
        }
        // A letter beyond ASCII is part of a word.
        Some(last) => last.is_ascii(),
    }
}

/// The text of an escaped string. Half of a pair of surrogates, which the encoder never makes, is
/// left out.
#[cfg(any(feature = "serde", feature = "sval", feature = "valuable"))]
fn unescape(escaped: &str) -> String {
    let mut text = String::new();
    let mut high = None;
    let mut chars = escaped.chars();
    while let Some(char) = chars.next() {
        let escape = if char == '\\' { chars.next() } else { None };
        text.extend(match escape {
            None => Some(char),
            Some('b') => Some('\u{8}'),
            Some('t') => Some('\t'),
            Some('n') => Some('\n'),
            Some('f') => Some('\u{c}'),
            Some('r') => Some('\r'),
            Some('u') => {
                let digits = chars.by_ref().take(4).filter_map(|digit| digit.to_digit(16));
                let unit = digits.fold(0, |unit, digit| unit << 4 | digit);
                match (high.take(), unit) {
                    (_, 0xD800..0xDC00) => {
                        high = Some(unit - 0xD800);
                        None
                    }
                    (Some(high), 0xDC00..0xE000) => {
                        char::from_u32(0x1_0000 + (high << 10) + unit - 0xDC00)
                    }
                    _ => char::from_u32(unit),
                }
            }
            Some(other) => Some(other),
        });
    }
    text
}

fn fold(byte: u8) -> u8 {
    if byte == b'-' { b'_' } else { byte.to_ascii_lowercase() }
}
