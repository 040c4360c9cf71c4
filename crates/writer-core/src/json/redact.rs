//! Which keys hold secrets.

use super::message::string_len;

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
    pub(super) fn new(mut words: Vec<Box<str>>) -> Self {
        // `accessToken` covers `access_token` as well.
        let split: Vec<_> = words.iter().filter_map(|word| split_humps(word)).collect();
        words.extend(split);
        Redact { words }
    }

    /// Whether a key is one of the words or ends in one that is a segment of its own. Letters are
    /// the same in both cases, `-` is the same as `_`, and a hump of the camel stands for either.
    pub(super) fn matches(&self, key: &str) -> bool {
        self.words.iter().any(|word| ends_in(key, word))
    }

    /// Whether one of the keys in JSON without blanks matches.
    pub(super) fn matches_inside(&self, json: &str) -> bool {
        let bytes = json.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            let start = at + 1;
            if bytes[at] == b'"' {
                at += string_len(&bytes[at..]) - 1;
                if bytes.get(at + 1) == Some(&b':') && self.matches_escaped(&bytes[start..at]) {
                    return true;
                }
            }
            at += 1;
        }
        false
    }

    /// As [`Redact::matches`], for a key as it stands between its quotes in JSON.
    pub(super) fn matches_escaped(&self, key: &[u8]) -> bool {
        let text = String::from_utf8_lossy(key);
        if key.contains(&b'\\') { self.matches(&unescape(&text)) } else { self.matches(&text) }
    }
}

fn ends_in(key: &str, word: &str) -> bool {
    // From the end, because that is where they must agree.
    let mut rest = key;
    for wanted in word.chars().rev() {
        match rest.chars().next_back() {
            Some(last) if same(last, wanted) => rest = &rest[..rest.len() - last.len_utf8()],
            _ if is_separator(wanted) && has_hump(key, rest.len()) => {}
            _ => return false,
        }
    }
    let in_word = rest.ends_with(char::is_alphanumeric);
    !word.is_empty() && (!in_word || has_hump(key, rest.len()))
}

fn same(a: char, b: char) -> bool {
    let fold = |char: char| if is_separator(char) { '_' } else { char.to_ascii_lowercase() };
    // The final sigma and the long s have a capital letter in common with another one.
    fold(a) == fold(b)
        || (!(a.is_ascii() && b.is_ascii())
            && (a.to_lowercase().eq(b.to_lowercase()) || a.to_uppercase().eq(b.to_uppercase())))
}

fn is_separator(char: char) -> bool {
    matches!(char, '-' | '_')
}

/// The word with a separator before each hump, if it has any.
fn split_humps(word: &str) -> Option<Box<str>> {
    let mut split = String::new();
    for (at, char) in word.char_indices() {
        if has_hump(word, at) {
            split.push('_');
        }
        split.push(char);
    }
    (split.len() > word.len()).then(|| split.into())
}

/// Whether a word begins at this place inside a key by a capital letter: `accessToken`, and
/// `APIToken`, where the next letter is small; not `BROKENTOKEN`.
fn has_hump(key: &str, at: usize) -> bool {
    let (before, after) = key.split_at(at);
    let mut after = after.chars();
    let capital = after.next().is_some_and(char::is_uppercase);
    before.chars().next_back().is_some_and(|last| {
        let small = last.is_alphanumeric() && !last.is_uppercase();
        let acronym = last.is_uppercase() && after.next().is_some_and(char::is_lowercase);
        capital && (small || acronym)
    })
}

/// The text of a string that this crate has escaped.
fn unescape(escaped: &str) -> String {
    let mut text = String::new();
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
                char::from_u32(digits.fold(0, |code, digit| code << 4 | digit))
            }
            Some(other) => Some(other),
        });
    }
    text
}
