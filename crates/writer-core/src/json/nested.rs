//! Arrays and objects inside a value, whatever library describes them.
//!
//! The frameworks for structured values ([`Value::serialize`](super::Value::serialize) and its
//! siblings) walk a value and call the methods of [`Nest`], which alone knows how JSON is put
//! together: where commas stand, that no key stands twice in an object, how deep a value may be,
//! how it is cut at the limit of the line, which values are secrets, and what all of it looks like
//! as an `AnyValue` of OTLP.
//!
//! Lengths that a value announces are not used: some are wrong, and JSON needs none.

use std::cell::Cell;

use super::escape;
use super::keys::Keys;
use super::out::{Mark, Out};
use super::redact::REDACTED;
use super::schema::{Options, Rules};
use super::value::FORMAT_ERROR;

mod scalar;
#[cfg(any(feature = "serde", feature = "sval"))]
mod text;

/// The name under which serde_json hides numbers of any length, with its feature
/// `arbitrary_precision`; the text of the number is the only field.
#[cfg(any(feature = "serde", feature = "sval"))]
pub(super) const PRIVATE_NUMBER: &str = "$serde_json::private::Number";

/// The name under which serde_json hides JSON that is text already, a `RawValue`; the text is the
/// only field.
#[cfg(any(feature = "serde", feature = "sval"))]
pub(super) const PRIVATE_RAW: &str = "$serde_json::private::RawValue";

/// Stands in the place of a value in which more than 64 arrays and objects lie one in the other; in
/// [`Schema::Otel`](super::Schema::Otel) more than 24.
pub const TOO_DEEP: &str = "<format_error: nested too deep>";

/// How many arrays and objects may lie one in the other.
const DEPTH: usize = 64;

/// The same in OTLP, where each is up to four in JSON and three messages in Protocol Buffers:
/// readers stop at about a hundred, <https://protobuf.dev/programming-guides/proto-limits/>.
const TYPED_DEPTH: usize = 24;

/// How many layers that leave no trace in JSON (`Some`, a struct of one unnamed field) may lie
/// around a value: they use up the stack like the others.
#[cfg(any(feature = "serde", feature = "valuable"))]
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
    rules: &'o Rules,
    /// Those of the rules; but a key is never typed.
    pub(super) options: Options,
    /// The keys of each open object; entries beyond `depth` are spare. Empty until the first array
    /// or object, for a scalar needs none.
    levels: Vec<Keys>,
    /// How many arrays and objects are open.
    depth: usize,
    #[cfg(any(feature = "serde", feature = "valuable"))]
    wrappers: usize,
    /// How many calls into user code have not come back with success. More than none at the end
    /// means that a panic was caught on its way and hidden.
    pub(super) user_code: usize,
    /// What was written is no JSON or not all there, and this stands for it. It stays, also when
    /// the value does not pass the error on.
    failure: Option<&'static str>,
    /// Around the current place lies a value that is a secret: nothing is written, and what can be
    /// left out is not even visited.
    secret: bool,
    /// The string written last, which may be a key, is not kept and names a secret.
    names_secret: bool,
    /// The whole value is nothing.
    nothing: bool,
}

/// An open array or object.
#[derive(Debug)]
pub(super) struct Level {
    mark: Mark,
    /// Its place in [`Nest::levels`].
    index: usize,
    empty: bool,
    object: bool,
    /// It is an `AnyValue`, and so is all that lies in it but its keys.
    typed: bool,
}

/// An element of an array or a member of an object, begun and not ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct Element {
    mark: Mark,
    /// Where its key or value begins.
    start: usize,
    /// It is an object of key and value.
    pair: bool,
    /// If its value is a secret: the end of what stands in its place.
    secret: Option<Mark>,
}

/// Writes one value by `fill`; true if that is nothing, hence `null`. A number that JSON does not
/// have is something. The error is the marker that belongs in the place of the value.
pub(super) fn write(
    out: &mut Out,
    rules: &Rules,
    fill: impl FnOnce(&mut Nest<'_>),
) -> Result<bool, &'static str> {
    let mut nest = Nest {
        out,
        rules,
        options: rules.options,
        levels: Vec::new(),
        depth: 0,
        #[cfg(any(feature = "serde", feature = "valuable"))]
        wrappers: 0,
        user_code: 0,
        failure: None,
        secret: false,
        names_secret: false,
        nothing: false,
    };
    fill(&mut nest);
    if nest.depth > 0 || nest.user_code > 0 {
        nest.fail(FORMAT_ERROR);
    }
    let result = nest.failure.map_or(Ok(nest.nothing), Err);
    let mut levels = nest.levels;
    if !levels.is_empty() {
        levels.truncate(KEPT_LEVELS);
        levels.iter_mut().for_each(Keys::shrink);
        // Where the store is torn down, the memory is dropped here.
        let _ = SPARE.try_with(|spare| spare.set(levels));
    }
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

    /// Whether the value that comes now is a secret, and need not be visited.
    pub(super) fn is_secret(&self) -> bool {
        self.secret
    }

    /// Opens an array; `None`, and the value has failed, where too many are open.
    pub(super) fn array(&mut self) -> Option<Level> {
        self.open(false)
    }

    /// Opens an object; otherwise like [`Nest::array`].
    pub(super) fn object(&mut self) -> Option<Level> {
        self.open(true)
    }

    fn open(&mut self, object: bool) -> Option<Level> {
        let index = self.depth;
        if index == if self.rules.options.typed { TYPED_DEPTH } else { DEPTH } {
            self.fail(TOO_DEEP);
            return None;
        }
        if self.levels.is_empty() {
            // Moved out while user code runs, which may write values of its own. A panic loses the
            // memory and nothing else.
            self.levels = SPARE.try_with(Cell::take).unwrap_or_default();
        }
        match self.levels.get_mut(index) {
            Some(keys) => keys.clear(),
            None => self.levels.push(Keys::default()),
        }
        self.depth += 1;
        let mark = self.out.mark();
        let typed = self.options.typed;
        self.out.raw(match (typed, object) {
            (false, false) => b"[",
            (false, true) => b"{",
            (true, false) => b"{\"arrayValue\":{\"values\":[",
            (true, true) => b"{\"kvlistValue\":{\"values\":[",
        });
        Some(Level { mark, index, empty: true, object, typed })
    }

    /// Closes the innermost level. Another one is an error of the value: it left one open.
    pub(super) fn close(&mut self, level: &Level) {
        if self.depth != level.index + 1 {
            self.fail(FORMAT_ERROR);
        }
        self.depth = level.index;
        let close: &[u8] = match (level.typed, level.object) {
            (false, false) => b"]",
            (false, true) => b"}",
            (true, _) => b"]}}",
        };
        close.iter().for_each(|&byte| self.out.close(level.mark, byte));
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
        let pair = level.typed && level.object;
        if pair {
            self.out.raw(b"{\"key\":");
            self.options.typed = false;
        }
        let mut element = Element { mark, start: 0, pair, secret: None };
        self.names_secret = false;
        self.end(&mut element);
        element.start = self.out.buf.len();
        element
    }

    /// Ends a part of an element: if it is too long for the line, the element is left out.
    fn end(&mut self, element: &mut Element) {
        if self.out.over() && !self.out.full() && self.out.over_by_content(0) {
            self.out.discard(element.mark);
            element.mark = self.out.mark();
        }
    }

    /// Ends an element after its value.
    pub(super) fn end_element(&mut self, mut element: Element) {
        if let Some(end) = element.secret {
            self.out.roll_back(end);
            self.secret = false;
        }
        if element.pair {
            self.out.close(element.mark, b'}');
        }
        self.end(&mut element);
    }

    /// Turns the value just written into the key of its member: anything but a string is put in
    /// quotes, and `_` is appended until the key is free. After the key of a secret, what comes
    /// until the end of the element is not written.
    pub(super) fn end_key(&mut self, level: &Level, element: &mut Element) {
        self.options.typed = level.typed;
        if !self.out.full() && self.out.buf.get(element.start) != Some(&b'"') {
            self.quote(element.start);
        }
        if self.out.full() {
            // A key that was cut could not be told from another.
            if element.mark.stored() {
                self.out.discard(element.mark);
                element.mark = self.out.mark();
            }
            // What stands between key and value, without what is counted with the key.
            self.out.skipped += if element.pair { b",\"value\":".len() as u64 } else { 1 };
            if self.names_secret {
                self.hide_value(element);
            }
            return;
        }
        let Some(keys) = self.levels.get_mut(level.index) else { return };
        let (buf, start) = (&mut self.out.buf, element.start + 1);
        buf.pop();
        let secret =
            self.rules.redact.as_ref().is_some_and(|words| words.matches_escaped(&buf[start..]));
        keys.insert_free(buf, start, 0, Keys::contains);
        buf.extend_from_slice(if element.pair { b"\",\"value\":" } else { b"\":" });
        self.end(element);
        if secret {
            self.hide_value(element);
        }
    }

    /// Has the marker stand in the place of the value that comes now.
    fn hide_value(&mut self, element: &mut Element) {
        self.string(REDACTED);
        element.secret = Some(self.out.mark());
        self.secret = true;
        // As in a line that is full, until the element ends.
        self.out.set_full(true);
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
        let mut element = self.begin(level);
        self.string(key);
        self.end_key(level, &mut element);
        write(self);
        self.end_element(element);
    }

    /// Writes what lies inside a layer that leaves no trace; `None` where there are too many.
    #[cfg(any(feature = "serde", feature = "valuable"))]
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
}
