//! Arrays and objects inside a value, whatever library describes them.
//!
//! The frameworks for structured values ([`Value::serialize`](super::Value::serialize) and its
//! siblings) walk a value and call the methods of [`Nest`], which alone knows how JSON is put
//! together: where commas stand, that no key stands twice in an object, how deep a value may be,
//! and how it is cut at the limit of the line.
//!
//! Lengths that a value announces are not used: some are wrong, and JSON needs none.

use std::cell::Cell;
#[cfg(any(feature = "serde", feature = "valuable"))]
use std::fmt;

use super::escape;
use super::keys::{self, Keys};
use super::out::{Mark, Out};
use super::schema::Options;
use super::value::{self, FORMAT_ERROR};

/// Stands in the place of a value in which more than 64 arrays and objects lie one in the other.
pub const TOO_DEEP: &str = "<format_error: nested too deep>";

/// How many arrays and objects may lie one in the other.
const DEPTH: usize = 64;

/// How many layers that leave no trace in JSON (`Some`, a struct of one unnamed field) may lie
/// around a value: they use up the stack like the others.
#[cfg(feature = "serde")]
const WRAPPERS: usize = 256;

/// How many levels keep their memory from value to value.
const KEPT_LEVELS: usize = 16;

thread_local! {
    static SPARE: Cell<Vec<Keys>> = const { Cell::new(Vec::new()) };
}

/// A value being written, with what is open around the current place.
#[derive(Debug)]
pub(super) struct Nest<'o> {
    pub(super) out: &'o mut Out,
    pub(super) options: Options,
    /// The keys of each open object; entries beyond `depth` are spare.
    levels: Vec<Keys>,
    /// How many arrays and objects are open.
    depth: usize,
    #[cfg(feature = "serde")]
    wrappers: usize,
    /// How many calls into user code have not come back with success. More than none at the end
    /// means that a panic was caught on its way and hidden.
    pub(super) user_code: usize,
    /// What was written is no JSON or not all there, and this stands for it. It stays, also when
    /// the value does not pass the error on.
    failure: Option<&'static str>,
}

/// An open array or object.
#[derive(Debug)]
pub(super) struct Level {
    mark: Mark,
    /// Its place in [`Nest::levels`].
    index: usize,
    empty: bool,
    close: u8,
}

/// An element of an array or a member of an object, begun and not ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct Element {
    mark: Mark,
    /// Where its key or value begins.
    start: usize,
}

/// Writes one value by `fill`. The error is the marker that belongs in its place.
pub(super) fn write(
    out: &mut Out,
    options: Options,
    fill: impl FnOnce(&mut Nest<'_>),
) -> Result<(), &'static str> {
    // Moved out while user code runs, which may write values of its own. A panic loses the memory
    // and nothing else.
    let levels = SPARE.try_with(Cell::take).unwrap_or_default();
    let mut nest = Nest {
        out,
        options,
        levels,
        depth: 0,
        #[cfg(feature = "serde")]
        wrappers: 0,
        user_code: 0,
        failure: None,
    };
    fill(&mut nest);
    if nest.depth > 0 || nest.user_code > 0 {
        nest.fail(FORMAT_ERROR);
    }
    let result = nest.failure.map_or(Ok(()), Err);
    let mut levels = nest.levels;
    levels.truncate(KEPT_LEVELS);
    levels.iter_mut().for_each(Keys::shrink);
    // Where the store is torn down, the memory is dropped here.
    let _ = SPARE.try_with(|spare| spare.set(levels));
    result
}

impl Nest<'_> {
    /// Gives the whole value up.
    pub(super) fn fail(&mut self, marker: &'static str) {
        self.failure.get_or_insert(marker);
    }

    #[cfg(any(feature = "sval", feature = "valuable"))]
    pub(super) fn failed(&self) -> bool {
        self.failure.is_some()
    }

    /// Opens an array; `None`, and the value has failed, where too many are open.
    pub(super) fn array(&mut self) -> Option<Level> {
        self.open(b'[', b']')
    }

    /// Opens an object; otherwise like [`Nest::array`].
    pub(super) fn object(&mut self) -> Option<Level> {
        self.open(b'{', b'}')
    }

    fn open(&mut self, open: u8, close: u8) -> Option<Level> {
        let index = self.depth;
        if index == DEPTH {
            self.fail(TOO_DEEP);
            return None;
        }
        match self.levels.get_mut(index) {
            Some(keys) => keys.clear(),
            None => self.levels.push(Keys::default()),
        }
        self.depth += 1;
        let mark = self.out.mark();
        self.out.raw(&[open]);
        Some(Level { mark, index, empty: true, close })
    }

    /// Closes the innermost level. Another one is an error of the value: it left one open.
    pub(super) fn close(&mut self, level: &Level) {
        if self.depth != level.index + 1 {
            self.fail(FORMAT_ERROR);
        }
        self.depth = level.index;
        self.out.close(level.mark, level.close);
    }

    /// Begins an element, which is a key and a value in an object.
    pub(super) fn begin(&mut self, level: &mut Level) -> Element {
        if self.depth != level.index + 1 {
            self.fail(FORMAT_ERROR);
        }
        let mark = self.out.mark();
        if !level.empty {
            self.out.raw(b",");
        }
        level.empty = false;
        self.end(mark);
        Element { mark, start: self.out.buf.len() }
    }

    /// Ends what was begun at the mark: if it is too long for the line, it is left out.
    fn end(&mut self, mark: Mark) {
        if self.out.over() && !self.out.full {
            self.out.discard(mark);
        }
    }

    /// Ends an element after its value.
    pub(super) fn end_element(&mut self, element: Element) {
        self.end(element.mark);
    }

    /// Turns the value just written into the key of its member: anything but a string is put in
    /// quotes, and `_` is appended until the key is free.
    pub(super) fn end_key(&mut self, level: &Level, element: Element) {
        if !self.out.full && self.out.buf.get(element.start) != Some(&b'"') {
            self.quote(element.start);
        }
        if self.out.full {
            // A key that was cut could not be told from another.
            if element.mark.stored() {
                self.out.discard(element.mark);
            }
            self.out.skipped += 1;
            return;
        }
        let Some(keys) = self.levels.get_mut(level.index) else { return };
        let (buf, start) = (&mut self.out.buf, element.start + 1);
        buf.pop();
        let mut hash = keys::hash(&buf[start..]);
        while keys.contains(hash, buf, &buf[start..]) {
            buf.push(b'_');
            hash = keys::hash(&buf[start..]);
        }
        keys.insert(hash, start..buf.len(), 0);
        buf.extend_from_slice(b"\":");
        self.end(element.mark);
    }

    /// Makes a string of the JSON from `start` on.
    fn quote(&mut self, start: usize) {
        if escape::is_plain(&self.out.buf[start..]) {
            self.out.buf.push(b'"');
            self.out.buf[start..].rotate_right(1);
            self.out.buf.push(b'"');
            return;
        }
        let json = self.out.buf[start..].to_vec();
        self.out.buf.truncate(start);
        self.out.string(&String::from_utf8_lossy(&json));
    }

    /// Writes a member in one step: key, and the value that `write` makes.
    #[cfg(any(feature = "serde", feature = "valuable"))]
    pub(super) fn member(&mut self, level: &mut Level, key: &str, write: impl FnOnce(&mut Self)) {
        let element = self.begin(level);
        self.out.string(key);
        self.end_key(level, element);
        write(self);
        self.end_element(element);
    }

    /// Writes what lies inside a layer that leaves no trace; `None` where there are too many.
    #[cfg(feature = "serde")]
    pub(super) fn wrapped<R>(&mut self, write: impl FnOnce(&mut Self) -> R) -> Option<R> {
        if self.wrappers == WRAPPERS {
            self.fail(TOO_DEEP);
            return None;
        }
        self.wrappers += 1;
        let result = write(self);
        self.wrappers -= 1;
        Some(result)
    }

    pub(super) fn null(&mut self) {
        self.out.raw(b"null");
    }

    pub(super) fn bool(&mut self, value: bool) {
        self.out.raw(if value { b"true" } else { b"false" });
    }

    /// Writes an integer of at most 64 bits.
    pub(super) fn integer(&mut self, value: impl itoa::Integer) {
        self.out.raw(itoa::Buffer::new().format(value).as_bytes());
    }

    pub(super) fn u128(&mut self, value: u128) {
        let digits = self.options.wide_digits || u64::try_from(value).is_ok();
        value::wide(self.out, digits, itoa::Buffer::new().format(value));
    }

    pub(super) fn i128(&mut self, value: i128) {
        let fits = i64::try_from(value).is_ok() || u64::try_from(value).is_ok();
        let digits = self.options.wide_digits || fits;
        value::wide(self.out, digits, itoa::Buffer::new().format(value));
    }

    pub(super) fn f64(&mut self, value: f64) {
        if value.is_finite() {
            self.out.raw(zmij::Buffer::new().format_finite(value).as_bytes());
        } else {
            value::non_finite(self.out, value, self.options);
        }
    }

    pub(super) fn f32(&mut self, value: f32) {
        if value.is_finite() {
            self.out.raw(zmij::Buffer::new().format_finite(value).as_bytes());
        } else {
            value::non_finite(self.out, value.into(), self.options);
        }
    }

    #[cfg(any(feature = "serde", feature = "valuable"))]
    pub(super) fn char(&mut self, value: char) {
        self.out.string(value.encode_utf8(&mut [0; 4]));
    }

    #[cfg(feature = "serde")]
    pub(super) fn bytes(&mut self, value: &[u8]) {
        value::hex_string(self.out, value);
    }

    /// Writes a string of what the arguments print; the value fails if they do.
    #[cfg(any(feature = "serde", feature = "valuable"))]
    pub(super) fn format(&mut self, value: fmt::Arguments<'_>) {
        if self.out.format(value).is_err() {
            self.fail(FORMAT_ERROR);
        }
    }

    /// Replaces the string written from `mark` on, the digits of a number of any length, by the
    /// number, where that does not change its value.
    #[cfg(any(feature = "serde", feature = "sval"))]
    pub(super) fn digits_to_number(&mut self, mark: Mark) {
        let Some([b'"', digits @ .., b'"']) = self.out.buf.get(mark.len()..) else { return };
        let text = str::from_utf8(digits).unwrap_or_default();
        let whole =
            text.parse().ok().filter(|&whole| itoa::Buffer::new().format::<i128>(whole) == text);
        // At most fifteen digits beside a point or an exponent survive the way through an f64.
        let short = text.len() <= 16 && text.bytes().any(|byte| byte.is_ascii_digit());
        let float = text.parse::<f64>().ok().filter(|float| short && float.is_finite());
        if self.out.full || (whole.is_none() && float.is_none()) {
            return;
        }
        self.out.roll_back(mark);
        match (whole, float) {
            (Some(whole), _) => self.i128(whole),
            (None, Some(float)) => self.f64(float),
            (None, None) => {}
        }
    }
}
