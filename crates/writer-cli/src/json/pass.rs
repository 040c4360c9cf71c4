//! The pass over a line's bytes that follows the grammar.

use std::collections::HashSet;
use std::ops::Range;

use super::{Fault, text};

/// How many arrays and objects may lie one in the other.
const MAX_DEPTH: usize = 512;

/// From so many keys on, an object's keys are compared through a set.
const MANY_KEYS: usize = 32;

/// One pass over a line.
pub(super) struct Pass<'p> {
    line: &'p [u8],
    at: usize,
    /// No control character is in the line, so strings need not be searched for some.
    plain: bool,
    /// A string so far had an escape, so a key may have another spelling.
    escapes: bool,
    keys: &'p mut Vec<Range<usize>>,
}

/// Where key and value of each member stand.
type Places = Vec<(Range<usize>, Range<usize>)>;

impl<'p> Pass<'p> {
    /// From the beginning of `line`; `keys` is memory for the keys of open objects, and empty.
    pub(super) fn new(line: &'p [u8], keys: &'p mut Vec<Range<usize>>) -> Self {
        // To the end in any case: the compiler makes it compare many bytes at once.
        let plain = line.iter().fold(true, |plain, &byte| plain & (byte >= b' '));
        Pass { line, at: 0, plain, escapes: false, keys }
    }

    /// Passes the line if it is one object, whose members it adds.
    pub(super) fn whole(&mut self, members: &mut Places) -> Result<(), Fault> {
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

    fn object(&mut self, depth: usize, mut members: Option<&mut Places>) -> Result<(), Fault> {
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

    /// Passes an array, at whose bracket it stands, and gives each element's place.
    pub(super) fn array(
        &mut self,
        depth: usize,
        mut each: impl FnMut(Range<usize>),
    ) -> Result<(), Fault> {
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
        self.escapes = true;
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
        let spelled = || self.escapes && keys.iter().any(|range| key(range).contains(&b'\\'));
        if keys.len() > MANY_KEYS || spelled() {
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
