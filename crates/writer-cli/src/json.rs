//! Lines as JSON: a strict check of one object, and its members as they stand there.
//!
//! Nothing is built: a pass over the bytes tells whether they are what [RFC
//! 8259](https://www.rfc-editor.org/rfc/rfc8259) calls an object, in UTF-8, with no key twice at any
//! level. Values are handed on as slices and are decoded by those who want them.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::ops::Range;

/// How many arrays and objects may lie one in the other.
const MAX_DEPTH: usize = 512;

/// From so many keys on, an object's keys are compared through a set.
const MANY_KEYS: usize = 32;

/// Why a line is not one JSON object.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
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
    pub fn object<'l>(
        &mut self,
        line: &'l [u8],
    ) -> Result<impl ExactSizeIterator<Item = Member<'l>>, Fault> {
        let text = str::from_utf8(line).map_err(|_| Fault::Utf8)?;
        self.keys.clear();
        self.members.clear();
        let plain = !line.iter().any(|&byte| byte < b' ');
        let mut pass = Pass { line, at: 0, plain, keys: &mut self.keys };
        pass.whole(&mut self.members)?;
        Ok(self
            .members
            .iter()
            .map(|(key, value)| Member { key: &text[key.clone()], value: &text[value.clone()] }))
    }
}

/// Members of an object that is known to be one, such as a value that a [`Scanner`] gave.
pub fn members(object: &str) -> Vec<Member<'_>> {
    let mut scanner = Scanner::default();
    scanner.object(object.as_bytes()).map(Iterator::collect).unwrap_or_default()
}

/// The elements of an array that is known to be one.
pub fn elements(array: &str) -> Vec<&str> {
    let mut keys = Vec::new();
    let mut pass = Pass { line: array.as_bytes(), at: 0, plain: false, keys: &mut keys };
    let mut elements = Vec::new();
    if pass.byte() == Some(b'[') {
        // What is known to be an array cannot fail; else the elements before the fault are returned.
        let _ = pass.array(0, |element| elements.push(&array[element]));
    }
    elements
}

/// One pass over a line.
struct Pass<'p> {
    line: &'p [u8],
    at: usize,
    /// No control character is in the line, so strings need not be searched for some.
    plain: bool,
    keys: &'p mut Vec<Range<usize>>,
}

type Members = Vec<(Range<usize>, Range<usize>)>;

impl Pass<'_> {
    fn whole(&mut self, members: &mut Members) -> Result<(), Fault> {
        self.space();
        if self.byte() != Some(b'{') {
            self.value(0)?;
            self.space();
            return Err(if self.at == self.line.len() { Fault::NoObject } else { self.fault() });
        }
        self.object(0, Some(members))?;
        self.space();
        if self.at < self.line.len() { Err(self.fault()) } else { Ok(()) }
    }

    #[inline]
    fn byte(&self) -> Option<u8> {
        self.line.get(self.at).copied()
    }

    #[inline]
    fn space(&mut self) {
        while matches!(self.byte(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    #[cold]
    fn fault(&self) -> Fault {
        if self.at >= self.line.len() { Fault::Torn } else { Fault::Syntax(self.at) }
    }

    #[inline]
    fn expect(&mut self, byte: u8) -> Result<(), Fault> {
        if self.byte() != Some(byte) {
            return Err(self.fault());
        }
        self.at += 1;
        Ok(())
    }

    fn value(&mut self, depth: usize) -> Result<(), Fault> {
        match self.byte() {
            Some(b'"') => self.string().map(drop),
            Some(b'{') => self.object(depth, None),
            Some(b'[') => self.array(depth, |_| {}),
            Some(b't') => self.word(b"true"),
            Some(b'f') => self.word(b"false"),
            Some(b'n') => self.word(b"null"),
            _ => self.number(),
        }
    }

    fn word(&mut self, word: &[u8]) -> Result<(), Fault> {
        word.iter().try_for_each(|&byte| self.expect(byte))
    }

    fn object(&mut self, depth: usize, mut members: Option<&mut Members>) -> Result<(), Fault> {
        if depth == MAX_DEPTH {
            return Err(Fault::TooDeep);
        }
        let first = self.keys.len();
        self.at += 1;
        self.space();
        if self.byte() == Some(b'}') {
            self.at += 1;
            return Ok(());
        }
        loop {
            let key = self.string()?;
            self.keys.push(key.clone());
            self.space();
            self.expect(b':')?;
            self.space();
            let start = self.at;
            self.value(depth + 1)?;
            if let Some(members) = &mut members {
                members.push((key, start..self.at));
            }
            self.space();
            match self.byte() {
                Some(b',') => self.at += 1,
                Some(b'}') => break,
                _ => return Err(self.fault()),
            }
            self.space();
        }
        self.at += 1;
        self.unique(first)?;
        self.keys.truncate(first);
        Ok(())
    }

    fn array(&mut self, depth: usize, mut each: impl FnMut(Range<usize>)) -> Result<(), Fault> {
        if depth == MAX_DEPTH {
            return Err(Fault::TooDeep);
        }
        self.at += 1;
        self.space();
        if self.byte() == Some(b']') {
            self.at += 1;
            return Ok(());
        }
        loop {
            let start = self.at;
            self.value(depth + 1)?;
            each(start..self.at);
            self.space();
            match self.byte() {
                Some(b',') => self.at += 1,
                Some(b']') => break,
                _ => return Err(self.fault()),
            }
            self.space();
        }
        self.at += 1;
        Ok(())
    }

    /// Passes a string and returns where its inside stands.
    #[inline]
    fn string(&mut self) -> Result<Range<usize>, Fault> {
        self.expect(b'"')?;
        let start = self.at;
        loop {
            let rest = &self.line[self.at..];
            let Some(next) = memchr::memchr2(b'"', b'\\', rest) else {
                self.at = self.control(rest).map_or(self.line.len(), |at| self.at + at);
                return Err(self.fault());
            };
            if let Some(at) = self.control(&rest[..next]) {
                return Err(Fault::Syntax(self.at + at));
            }
            self.at += next + 1;
            if rest[next] == b'"' {
                return Ok(start..self.at - 1);
            }
            self.escape()?;
        }
    }

    #[inline]
    fn control(&self, text: &[u8]) -> Option<usize> {
        if self.plain { None } else { text.iter().position(|&byte| byte < b' ') }
    }

    /// Passes what follows a backslash.
    #[cold]
    fn escape(&mut self) -> Result<(), Fault> {
        match self.byte() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 1,
            Some(b'u') => match self.unit()? {
                0xd800..=0xdbff => {
                    self.expect(b'\\')?;
                    if self.byte() != Some(b'u') || !(0xdc00..=0xdfff).contains(&self.unit()?) {
                        return Err(self.fault());
                    }
                }
                0xdc00..=0xdfff => return Err(Fault::Syntax(self.at)),
                _ => {}
            },
            _ => return Err(self.fault()),
        }
        Ok(())
    }

    /// Passes `u` and four digits.
    fn unit(&mut self) -> Result<u32, Fault> {
        let mut unit = 0;
        for _ in 0..4 {
            self.at += 1;
            let digit = self.byte().and_then(|byte| char::from(byte).to_digit(16));
            unit = unit * 16 + digit.ok_or_else(|| self.fault())?;
        }
        self.at += 1;
        Ok(unit)
    }

    fn digits(&mut self) -> Result<(), Fault> {
        let start = self.at;
        while matches!(self.byte(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == start { Err(self.fault()) } else { Ok(()) }
    }

    fn number(&mut self) -> Result<(), Fault> {
        if self.byte() == Some(b'-') {
            self.at += 1;
        }
        match self.byte() {
            Some(b'0') => self.at += 1,
            _ => self.digits()?,
        }
        if self.byte() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.byte(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.byte(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    /// Whether the keys from `first` on differ.
    fn unique(&self, first: usize) -> Result<(), Fault> {
        let keys = &self.keys[first..];
        let key = |range: &Range<usize>| &self.line[range.clone()];
        let twice =
            |range: &Range<usize>| Fault::Twice(String::from_utf8_lossy(key(range)).into_owned());
        if keys.len() > MANY_KEYS || keys.iter().any(|range| key(range).contains(&b'\\')) {
            let mut seen = HashSet::with_capacity(keys.len());
            for range in keys {
                let quoted = &self.line[range.start - 1..=range.end];
                let decoded = str::from_utf8(quoted).ok().and_then(text);
                if !seen.insert(decoded) {
                    return Err(twice(range));
                }
            }
            return Ok(());
        }
        for (index, range) in keys.iter().enumerate() {
            let own = key(range);
            if keys[..index].iter().any(|other| other.len() == own.len() && key(other) == own) {
                return Err(twice(range));
            }
        }
        Ok(())
    }
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
            ("", Err(Fault::Torn)),
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

    proptest! {
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
