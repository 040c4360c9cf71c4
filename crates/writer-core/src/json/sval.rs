//! Any `sval::Value` as a value.
//!
//! sval shows a value as a flat row of calls, and nothing but custom keeps them in order. Here each
//! call is checked against what is open: a row that makes no JSON is an error of the value.

use std::cell::Cell;

use sval::{Index, Label, Result, Stream, Tag, Value as Inner, tags};

use super::forms;
use super::nested::{Element, Level, Nest, PRIVATE_NUMBER, PRIVATE_RAW, TOO_DEEP};
use super::out::Mark;
use super::value::{FORMAT_ERROR, Value};

/// How many things may be open at once: arrays and objects, and what leaves no trace in JSON.
const OPEN: usize = 256;

/// For how many of them the memory is kept from value to value. Each of 16 levels may be an object
/// in a variant of an enum.
const KEPT_OPEN: usize = 64;

thread_local! {
    static SPARE: Cell<Vec<Open>> = const { Cell::new(Vec::new()) };
}

impl Value<'_> {
    /// Writes nested JSON of anything that sval can stream; needs the feature `sval`.
    ///
    /// Records are objects, tuples arrays; a variant of an enum is `"Unit"` or `{"Variant":…}`, a
    /// number given as text is a number where that loses nothing. Otherwise the rules are those of
    /// nested values: keys are strings and none stands twice in an object, the values of secret
    /// keys are not written, and the whole value is replaced by [`FORMAT_ERROR`] if it fails or
    /// breaks the rules of streaming, by [`FORMAT_PANIC`](super::FORMAT_PANIC) if it panics, and by
    /// [`TOO_DEEP`] if more than 64 arrays and objects lie one in the other. A value that is
    /// nothing is treated as by [`Value::null`].
    ///
    /// ```
    /// use writer_core::Severity;
    /// use writer_core::json::{Format, Meta};
    ///
    /// let line = Format::default().encode(
    ///     &Meta::new(Severity::Info, "shop"),
    ///     |record| record.field("item").sval(&("tea", 2)),
    ///     |_, line| String::from_utf8_lossy(line).into_owned(),
    /// );
    /// let line = line.map(|encoded| encoded.result).unwrap_or_default();
    /// assert!(line.ends_with("\"item\":[\"tea\",2]}\n"));
    /// ```
    pub fn sval<V: Inner + ?Sized>(self, value: &V) {
        self.nested(|nest| {
            let mut writer = Writer { nest, open: Vec::new(), due: true };
            // A success counts only if one whole value came.
            let whole = value.stream(&mut writer).is_ok();
            if !whole || writer.due || !writer.open.is_empty() {
                writer.nest.fail(FORMAT_ERROR);
            }
            let mut open = writer.open;
            if open.capacity() > 0 {
                open.clear();
                open.shrink_to(KEPT_OPEN);
                // Where the store is torn down, the memory is dropped here.
                let _ = SPARE.try_with(|spare| spare.set(open));
            }
        });
    }
}

/// What has begun and not ended.
#[derive(Debug)]
enum Open {
    Text(Mark),
    Binary(Mark),
    /// An array, and its current element.
    Array(Level, Option<Element>),
    /// An object, and its current member.
    Object(Level, Option<Element>, Part),
    /// An enum whose variant is still to come or has come.
    Enum,
    /// `{"Variant":` and the value inside.
    Variant(Level, Element),
    /// A layer that leaves no trace.
    Wrapper,
    /// A layer around a number given as text.
    Number(Mark),
    /// A layer around a text that holds JSON.
    Raw,
    /// That text.
    RawText(String),
}

/// Which part of a member comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Key,
    KeyEnd,
    Value,
    ValueEnd,
}

#[derive(Debug)]
struct Writer<'n, 'o> {
    nest: &'n mut Nest<'o>,
    open: Vec<Open>,
    /// A value must come next; false directly after one.
    due: bool,
}

impl<'o> Writer<'_, 'o> {
    /// A call out of its order.
    fn wrong<T>(&mut self) -> Result<T> {
        self.nest.fail(FORMAT_ERROR);
        sval::error()
    }

    /// Begins a value where one is due.
    fn start(&mut self) -> Result {
        if self.nest.failed() || !self.due {
            return self.wrong();
        }
        self.due = false;
        Ok(())
    }

    fn scalar(&mut self, write: impl FnOnce(&mut Nest<'o>)) -> Result {
        self.start()?;
        write(self.nest);
        Ok(())
    }

    fn push(&mut self, open: Open) -> Result {
        if self.open.len() == OPEN {
            self.nest.fail(TOO_DEEP);
            return sval::error();
        }
        if self.open.capacity() == 0 {
            // Moved out while user code runs. A panic loses the memory and nothing else.
            self.open = SPARE.try_with(Cell::take).unwrap_or_default();
        }
        self.open.push(open);
        Ok(())
    }

    /// Ends what began last, which must be complete.
    fn pop(&mut self) -> Result<Open> {
        match self.open.pop() {
            Some(open) if !self.due => Ok(open),
            _ => self.wrong(),
        }
    }

    /// Begins the text of a string.
    fn quote(&mut self) -> Result<Mark> {
        self.start()?;
        Ok(self.nest.begin_string())
    }

    /// Goes on to the next part of a member, which must be `part`.
    fn member(&mut self, part: Part, next: Part) -> Result {
        match self.open.last_mut() {
            Some(Open::Object(level, element, due)) if *due == part && !self.due => {
                *due = next;
                match (part, &mut *element) {
                    (Part::Key, element) => *element = Some(self.nest.begin(level)),
                    (Part::KeyEnd, Some(element)) => self.nest.end_key(level, element),
                    (Part::ValueEnd, Some(element)) => self.nest.end_element(*element),
                    _ => {}
                }
                self.due = matches!(part, Part::Key | Part::Value);
                Ok(())
            }
            _ => self.wrong(),
        }
    }

    fn text(&mut self, text: &str) -> Result {
        self.scalar(|nest| nest.string(text))
    }
}

macro_rules! scalars {
    ($($name:ident($type:ty) $write:ident,)+) => {
        $(fn $name(&mut self, value: $type) -> Result {
            self.scalar(|nest| nest.$write(value))
        })+
    };
}

impl<'sval> Stream<'sval> for Writer<'_, '_> {
    scalars! {
        bool(bool) bool,
        u64(u64) integer,
        i64(i64) integer,
        u128(u128) integer,
        i128(i128) integer,
        f32(f32) float,
        f64(f64) float,
    }

    fn value<V: Inner + ?Sized>(&mut self, value: &'sval V) -> Result {
        self.value_computed(value)
    }

    /// Goes no deeper once the value has failed, whatever it makes of the errors.
    fn value_computed<V: Inner + ?Sized>(&mut self, value: &V) -> Result {
        if self.nest.failed() {
            return sval::error();
        }
        if self.nest.is_secret() {
            return self.start();
        }
        let result = sval::default_stream::value_computed(self, value);
        result.or_else(|_| self.wrong())
    }

    fn null(&mut self) -> Result {
        self.scalar(Nest::null)
    }

    fn text_begin(&mut self, _len: Option<usize>) -> Result {
        if let Some(Open::Raw) = self.open.last() {
            self.start()?;
            return self.push(Open::RawText(String::new()));
        }
        let mark = self.quote()?;
        self.push(Open::Text(mark))
    }

    fn text_fragment_computed(&mut self, fragment: &str) -> Result {
        match self.open.last_mut() {
            Some(Open::Text(_)) => {
                self.nest.out.escaped(fragment);
                self.nest.note_name(fragment);
            }
            Some(Open::RawText(text)) => text.push_str(fragment),
            _ => return self.wrong(),
        }
        Ok(())
    }

    fn text_end(&mut self) -> Result {
        match self.pop()? {
            Open::Text(mark) => self.nest.end_string(mark),
            Open::RawText(text) => self.nest.json(&text),
            _ => return self.wrong(),
        }
        Ok(())
    }

    fn binary_begin(&mut self, _len: Option<usize>) -> Result {
        let mark = self.quote()?;
        self.push(Open::Binary(mark))
    }

    fn binary_fragment_computed(&mut self, fragment: &[u8]) -> Result {
        let Some(Open::Binary(_)) = self.open.last() else { return self.wrong() };
        forms::hex_digits(self.nest.out, fragment);
        Ok(())
    }

    fn binary_end(&mut self) -> Result {
        let Open::Binary(mark) = self.pop()? else { return self.wrong() };
        self.nest.end_string(mark);
        Ok(())
    }

    fn seq_begin(&mut self, _len: Option<usize>) -> Result {
        self.start()?;
        match self.nest.array() {
            Some(level) => self.push(Open::Array(level, None)),
            None => sval::error(),
        }
    }

    fn seq_value_begin(&mut self) -> Result {
        match self.open.last_mut() {
            Some(Open::Array(level, element @ None)) => {
                *element = Some(self.nest.begin(level));
                self.due = true;
                Ok(())
            }
            _ => self.wrong(),
        }
    }

    fn seq_value_end(&mut self) -> Result {
        match self.open.last_mut() {
            Some(Open::Array(_, element)) if !self.due => {
                let Some(element) = element.take() else { return self.wrong() };
                self.nest.end_element(element);
                Ok(())
            }
            _ => self.wrong(),
        }
    }

    fn seq_end(&mut self) -> Result {
        let Open::Array(level, None) = self.pop()? else { return self.wrong() };
        self.nest.close(&level);
        Ok(())
    }

    fn map_begin(&mut self, _len: Option<usize>) -> Result {
        self.start()?;
        match self.nest.object() {
            Some(level) => self.push(Open::Object(level, None, Part::Key)),
            None => sval::error(),
        }
    }

    fn map_key_begin(&mut self) -> Result {
        self.member(Part::Key, Part::KeyEnd)
    }

    fn map_key_end(&mut self) -> Result {
        self.member(Part::KeyEnd, Part::Value)
    }

    fn map_value_begin(&mut self) -> Result {
        self.member(Part::Value, Part::ValueEnd)
    }

    fn map_value_end(&mut self) -> Result {
        self.member(Part::ValueEnd, Part::Key)
    }

    fn map_end(&mut self) -> Result {
        let Open::Object(level, _, Part::Key) = self.pop()? else { return self.wrong() };
        self.nest.close(&level);
        Ok(())
    }

    /// Where both features are on, `log` translates what comes from serde, with the names that are
    /// private to serde_json.
    fn record_begin(
        &mut self,
        tag: Option<&Tag>,
        label: Option<&Label>,
        index: Option<&Index>,
        len: Option<usize>,
    ) -> Result {
        let private = match label.map(Label::as_str) {
            Some(PRIVATE_NUMBER) => Open::Number(self.nest.out.mark()),
            Some(PRIVATE_RAW) => Open::Raw,
            _ => return sval::default_stream::record_begin(self, tag, label, index, len),
        };
        if self.nest.failed() || !self.due {
            return self.wrong();
        }
        self.push(private)
    }

    fn record_value_begin(&mut self, tag: Option<&Tag>, label: &Label) -> Result {
        match self.open.last() {
            Some(Open::Number(_) | Open::Raw) if self.due => Ok(()),
            _ => sval::default_stream::record_value_begin(self, tag, label),
        }
    }

    fn record_value_end(&mut self, tag: Option<&Tag>, label: &Label) -> Result {
        match self.open.last() {
            Some(Open::Number(_) | Open::Raw) if !self.due => Ok(()),
            _ => sval::default_stream::record_value_end(self, tag, label),
        }
    }

    fn record_end(
        &mut self,
        tag: Option<&Tag>,
        label: Option<&Label>,
        index: Option<&Index>,
    ) -> Result {
        match self.open.last() {
            Some(Open::Number(_) | Open::Raw) => self.tagged_end(tag, label, index),
            _ => sval::default_stream::record_end(self, tag, label, index),
        }
    }

    fn enum_begin(
        &mut self,
        _tag: Option<&Tag>,
        _label: Option<&Label>,
        _index: Option<&Index>,
    ) -> Result {
        if !self.due {
            return self.wrong();
        }
        self.push(Open::Enum)
    }

    fn enum_end(
        &mut self,
        _tag: Option<&Tag>,
        _label: Option<&Label>,
        _index: Option<&Index>,
    ) -> Result {
        let Open::Enum = self.pop()? else { return self.wrong() };
        Ok(())
    }

    fn tagged_begin(
        &mut self,
        tag: Option<&Tag>,
        label: Option<&Label>,
        _index: Option<&Index>,
    ) -> Result {
        if self.nest.failed() || !self.due {
            return self.wrong();
        }
        match (self.open.last(), label) {
            (Some(Open::Enum), Some(label)) => {
                let Some(mut level) = self.nest.object() else { return sval::error() };
                let mut element = self.nest.begin(&mut level);
                self.nest.string(label.as_str());
                self.nest.end_key(&level, &mut element);
                self.push(Open::Variant(level, element))
            }
            _ if tag == Some(&tags::NUMBER) => self.push(Open::Number(self.nest.out.mark())),
            _ => self.push(Open::Wrapper),
        }
    }

    fn tagged_end(
        &mut self,
        _tag: Option<&Tag>,
        _label: Option<&Label>,
        _index: Option<&Index>,
    ) -> Result {
        match self.pop()? {
            Open::Variant(level, element) => {
                self.nest.end_element(element);
                self.nest.close(&level);
            }
            Open::Number(mark) => self.nest.digits_to_number(mark),
            Open::Wrapper | Open::Raw => {}
            _ => return self.wrong(),
        }
        Ok(())
    }

    /// A value that is nothing but a name: a variant, `None`, `()`.
    fn tag(&mut self, tag: Option<&Tag>, label: Option<&Label>, _index: Option<&Index>) -> Result {
        match label {
            Some(label) if !matches!(tag, Some(&tags::RUST_OPTION_NONE | &tags::RUST_UNIT)) => {
                self.text(label.as_str())
            }
            _ => self.null(),
        }
    }
}
