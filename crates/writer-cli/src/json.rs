//! Lines as JSON: a strict check of one object, and its members as they stand there.
//!
//! Nothing is built: a pass over the bytes tells whether they are what [RFC
//! 8259](https://www.rfc-editor.org/rfc/rfc8259) calls an object, in UTF-8, with no key twice at
//! any level. Values are handed on as slices and are decoded by those who want them.

mod pass;

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use pass::Pass;

/// Why a line is not one JSON object.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// There is nothing.
    Empty,
    /// It ends in the middle: a line that was torn.
    Torn,
    /// It breaks the grammar at this byte, counted from 0.
    Syntax(usize),
    /// It is JSON, but no object.
    NoObject,
    /// It is not UTF-8.
    Utf8,
    /// This key stands twice at one level.
    Twice(String),
    /// It is nested too deep to look at.
    TooDeep,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Empty => f.write_str("the line is empty"),
            Fault::Torn => f.write_str("the line ends in the middle"),
            Fault::Syntax(at) => write!(f, "no JSON from byte {at} on"),
            Fault::NoObject => f.write_str("no JSON object"),
            Fault::Utf8 => f.write_str("no UTF-8"),
            Fault::Twice(key) => write!(f, "the key {key:?} stands twice"),
            Fault::TooDeep => f.write_str("nested too deep"),
        }
    }
}

impl std::error::Error for Fault {}

/// A member of an object: its key and its value as they stand in the line, the key without quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member<'a> {
    /// The key, with escapes where it has some.
    pub key: &'a str,
    /// The value as JSON.
    pub value: &'a str,
}

impl Member<'_> {
    /// Whether this is its key, which has no escapes here.
    pub fn is_called(&self, key: &str) -> bool {
        match self.key.contains('\\') {
            false => self.key == key,
            true => text(&format!("\"{}\"", self.key)).is_some_and(|own| own == key),
        }
    }
}

/// What a string of JSON, given with its quotes, stands for; `None` if it is no string.
pub fn text(value: &str) -> Option<Cow<'_, str>> {
    let inner = value.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') {
        return serde_json::from_str(value).ok().map(Cow::Owned);
    }
    Some(Cow::Borrowed(inner))
}

/// Checks lines; reuses its memory from line to line.
#[derive(Debug, Default)]
pub struct Scanner {
    /// The keys of the objects that are open, the innermost object's last.
    keys: Vec<Range<usize>>,
    members: Vec<(Range<usize>, Range<usize>)>,
}

impl Scanner {
    /// Checks a line, without its newline, and returns its members in their order.
    ///
    /// # Errors
    ///
    /// The [`Fault`] that was found first.
    pub fn object<'l>(&mut self, line: &'l [u8]) -> Result<Members<'_, 'l>, Fault> {
        if line.trim_ascii().is_empty() {
            return Err(Fault::Empty);
        }
        let text = str::from_utf8(line).map_err(|_| Fault::Utf8)?;
        self.keys.clear();
        self.members.clear();
        Pass::new(line, &mut self.keys).whole(&mut self.members)?;
        Ok(Members { text, ranges: self.members.iter() })
    }
}

/// The members of a checked object, in their order.
#[derive(Debug, Clone)]
pub struct Members<'s, 'l> {
    text: &'l str,
    ranges: std::slice::Iter<'s, (Range<usize>, Range<usize>)>,
}

impl<'l> Iterator for Members<'_, 'l> {
    type Item = Member<'l>;

    #[inline]
    fn next(&mut self) -> Option<Member<'l>> {
        let (key, value) = self.ranges.next()?;
        Some(Member { key: &self.text[key.clone()], value: &self.text[value.clone()] })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.ranges.size_hint()
    }
}

impl ExactSizeIterator for Members<'_, '_> {}

/// Members of an object that is known to be one, such as a value that a [`Scanner`] gave.
pub fn members(object: &str) -> Vec<Member<'_>> {
    let mut scanner = Scanner::default();
    scanner.object(object.as_bytes()).map(Iterator::collect).unwrap_or_default()
}

/// The elements of an array that is known to be one.
pub fn elements(array: &str) -> Vec<&str> {
    let mut keys = Vec::new();
    let mut elements = Vec::new();
    if array.starts_with('[') {
        let mut pass = Pass::new(array.as_bytes(), &mut keys);
        // What is known to be an array cannot fail; else the elements before the fault are
        // returned.
        let _ = pass.array(0, |element| elements.push(&array[element]));
    }
    elements
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(line: &str) -> Result<usize, Fault> {
        Scanner::default().object(line.as_bytes()).map(|members| members.len())
    }

    #[test]
    fn objects_are_told_from_what_is_none() {
        for (line, expected) in [
            ("{}", Ok(0)),
            (" {\"a\" : [1, -0.5e+3, {}, [] ] , \"b\":null}\r", Ok(2)),
            (r#"{"a":"\ud83d\ude00\n\/\u00e9"}"#, Ok(1)),
            ("", Err(Fault::Empty)),
            (" \r", Err(Fault::Empty)),
            ("{", Err(Fault::Torn)),
            (r#"{"a":1,"#, Err(Fault::Torn)),
            (r#"{"a":"b"#, Err(Fault::Torn)),
            (r#"{"a":tru"#, Err(Fault::Torn)),
            (r#"{"a":"\u12"#, Err(Fault::Torn)),
            ("[1]", Err(Fault::NoObject)),
            ("12", Err(Fault::NoObject)),
            ("{}}", Err(Fault::Syntax(2))),
            (r#"{"a":01}"#, Err(Fault::Syntax(6))),
            (r#"{"a":1,}"#, Err(Fault::Syntax(7))),
            (r#"{a:1}"#, Err(Fault::Syntax(1))),
            ("{\"a\":\"\u{1}\"}", Err(Fault::Syntax(6))),
            ("{\"a\":\"\t", Err(Fault::Syntax(6))),
            (r#"{"a":"\ud800"}"#, Err(Fault::Syntax(12))),
            (r#"{"a":"\udc00"}"#, Err(Fault::Syntax(12))),
            (r#"{"a":NaN}"#, Err(Fault::Syntax(5))),
            (r#"{"a":1}{"b":2}"#, Err(Fault::Syntax(7))),
        ] {
            assert_eq!(check(line), expected, "{line}");
        }
        assert_eq!(check(&format!("{{\"a\":{}", "[".repeat(10_000))), Err(Fault::TooDeep));
        let mut scanner = Scanner::default();
        assert_eq!(scanner.object(b"{\"a\":\"\xff\"}").err(), Some(Fault::Utf8));
    }

    #[test]
    fn a_key_that_stands_twice_is_found_at_any_level_and_in_any_spelling() {
        for line in [
            r#"{"a":1,"b":2,"a":3}"#,
            r#"{"o":[{"a":1,"a":1}]}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"{"\n":1,"\u000a":2}"#,
        ] {
            assert!(matches!(check(line), Err(Fault::Twice(_))), "{line}");
        }
        assert_eq!(check(r#"{"a":{"a":1},"b":[{"a":1},{"a":1}]}"#), Ok(2));
        let many: Vec<String> = (0..100).map(|n| format!("\"k{n}\":{n}")).collect();
        assert_eq!(check(&format!("{{{}}}", many.join(","))), Ok(100));
        let line = format!("{{{},\"k7\":0}}", many.join(","));
        assert_eq!(check(&line), Err(Fault::Twice("k7".into())));
    }

    #[test]
    fn members_are_given_as_they_stand() {
        let mut scanner = Scanner::default();
        let line = r#"{"a\n":"x\"y","b" : {"c":[1,"2"]} }"#;
        let found: Vec<_> = scanner.object(line.as_bytes()).unwrap().collect();
        assert_eq!(found[0], Member { key: "a\\n", value: r#""x\"y""# });
        assert_eq!(text(found[0].value).as_deref(), Some("x\"y"));
        assert_eq!(found[1].value, r#"{"c":[1,"2"]}"#);
        assert_eq!(elements(members(found[1].value)[0].value), ["1", "\"2\""]);
    }

    /// Documents as loggers write them. Numbers are so short that a changed byte makes none that is
    /// beyond all floats.
    fn documents() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i8>().prop_map(Into::into),
            (-99i8..99).prop_map(|tenths| (f64::from(tenths) / 10.0).into()),
            any::<String>().prop_map(Into::into),
        ];
        let tree = leaf.prop_recursive(3, 16, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
                object(inner),
            ]
        });
        object(tree)
    }

    fn object(
        values: impl Strategy<Value = serde_json::Value>,
    ) -> impl Strategy<Value = serde_json::Value> {
        let members = proptest::collection::vec((".{0,4}", values), 0..5);
        members.prop_map(|members| members.into_iter().collect::<serde_json::Map<_, _>>().into())
    }

    proptest! {
        #[test]
        fn it_agrees_with_serde_json_on_documents_with_one_byte_changed(
            document in documents(), at: proptest::sample::Index, byte: u8
        ) {
            let mut line = document.to_string().into_bytes();
            prop_assert!(Scanner::default().object(&line).is_ok());
            let at = at.index(line.len());
            line[at] = byte;
            let theirs = serde_json::from_slice::<serde_json::Value>(&line);
            let ours = Scanner::default().object(&line).map(drop);
            let agree = match &ours {
                Ok(()) => theirs.is_ok_and(|value| value.is_object()),
                Err(Fault::NoObject) => theirs.is_ok_and(|value| !value.is_object()),
                Err(Fault::Twice(_)) => theirs.is_ok(),
                Err(_) => theirs.is_err(),
            };
            prop_assert!(agree, "{ours:?} {:?}", String::from_utf8_lossy(&line));
        }

        #[test]
        fn it_agrees_with_serde_json(line in r#"[{}\[\]":,\\ 0-9a-enrstulf.+-]{0,24}"#) {
            let theirs = serde_json::from_str::<serde_json::Value>(&line);
            match check(&line) {
                Ok(_) => prop_assert!(theirs.is_ok_and(|value| value.is_object())),
                Err(Fault::NoObject) => prop_assert!(theirs.is_ok_and(|value| !value.is_object())),
                Err(Fault::Twice(_)) => prop_assert!(theirs.is_ok()),
                // A number beyond all floats is none to serde_json, but JSON.
                Err(_) => prop_assert!(theirs.is_err()),
            }
        }

        #[test]
        fn every_cut_of_a_line_is_torn(cut in 1usize..60) {
            let line = r#"{"level":"INFO","n":[1.5,true,null],"s":"a\u00e9\\","o":{"k":-1}}"#;
            prop_assert_eq!(check(&line[..cut]), Err(Fault::Torn));
        }
    }
}
