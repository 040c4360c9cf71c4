//! Any `serde::Serialize` as a value.

use std::fmt::{self, Write};

use serde_core::ser::{
    Error, Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant,
    SerializeTuple, SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

use super::nested::{Element, Level, Nest, PRIVATE_NUMBER, PRIVATE_RAW};
use super::out::Mark;
use super::value::{FORMAT_ERROR, Value};

impl Value<'_> {
    /// Writes nested JSON of anything that serde can serialize; needs the feature `serde`.
    ///
    /// Structs, enums and options have the shape that serde_json gives them. Beyond that the
    /// promises of a line hold inside as well: strings are escaped as everywhere, numbers follow
    /// the rules of [`Value::f64`] and [`Value::u128`], bytes are lower-case hexadecimal digits,
    /// and a key that stands twice in a map gets `_` appended. A key that is no string is put in
    /// quotes: `{1:2}` becomes `{"1":2}`, the key `(1,"a")` becomes `"[1,\"a\"]"`.
    ///
    /// Keys inside are redacted like those of fields, see
    /// [`FormatBuilder::redact`](super::FormatBuilder::redact): the value of such a key is not
    /// looked at.
    ///
    /// The whole value is replaced by [`FORMAT_ERROR`] if its `Serialize`
    /// fails, also where it hides that, by [`FORMAT_PANIC`](super::FORMAT_PANIC) if it panics, and
    /// by [`TOO_DEEP`](super::TOO_DEEP) if more than 64 arrays and objects lie one in the other. A
    /// value that is nothing (`None`, `()`) is treated as by [`Value::null`].
    ///
    /// ```
    /// use writer_core::Severity;
    /// use writer_core::json::{Format, Meta};
    ///
    /// let order = serde_json::json!({"id": 7, "items": ["tea", "milk"]});
    /// let line = Format::default().encode(
    ///     &Meta::new(Severity::Info, "shop"),
    ///     |record| record.field("order").serialize(&order),
    ///     |_, line| String::from_utf8_lossy(line).into_owned(),
    /// );
    /// let line = line.map(|encoded| encoded.result).unwrap_or_default();
    /// assert!(line.ends_with("\"order\":{\"id\":7,\"items\":[\"tea\",\"milk\"]}}\n"));
    /// ```
    pub fn serialize<T: Serialize + ?Sized>(self, value: &T) {
        self.nested(|nest| {
            // A failure is kept in the nest.
            let _ = write(nest, value);
        });
    }
}

/// A value inside another has been written. Only this serializer makes one, so that a `Serialize`
/// cannot claim success without having closed what it opened.
#[derive(Debug)]
struct Done(());

/// A value could not be written; what is known of it is in the nest.
#[derive(Debug)]
struct Failed;

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the value cannot be written")
    }
}

impl std::error::Error for Failed {}

impl Error for Failed {
    /// The text is not used, and making it could fail again.
    fn custom<T: fmt::Display>(_text: T) -> Self {
        Failed
    }
}

/// Gives the whole value up.
fn fail<T>(nest: &mut Nest<'_>) -> Result<T, Failed> {
    nest.fail(FORMAT_ERROR);
    Err(Failed)
}

fn write<T: Serialize + ?Sized>(nest: &mut Nest<'_>, value: &T) -> Result<(), Failed> {
    if nest.is_secret() {
        return Ok(());
    }
    nest.user_code += 1;
    match value.serialize(Writer(nest)) {
        Ok(Done(())) => {
            nest.user_code -= 1;
            Ok(())
        }
        Err(Failed) => fail(nest),
    }
}

struct Writer<'n, 'o>(&'n mut Nest<'o>);

/// An open array or object and, for a variant of an enum, the object around it.
struct Compound<'n, 'o> {
    nest: &'n mut Nest<'o>,
    level: Level,
    variant: Option<(Level, Element)>,
    /// A key that waits for its value.
    key: Option<Element>,
}

/// A struct, or a number or JSON that comes in the shape of one.
enum Fields<'n, 'o> {
    Object(Compound<'n, 'o>),
    Number(&'n mut Nest<'o>, Mark),
    Raw(&'n mut Nest<'o>, Mark),
}

/// Prints what is serialized as text.
struct Text<'v, T: ?Sized>(&'v T);

impl<T: Serialize + ?Sized> fmt::Display for Text<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.serialize(f)
    }
}

/// Writes the JSON that a value gives as text.
fn write_raw<T: Serialize + ?Sized>(nest: &mut Nest<'_>, value: &T) -> Result<(), Failed> {
    nest.user_code += 1;
    let mut text = String::new();
    if write!(text, "{}", Text(value)).is_err() {
        return fail(nest);
    }
    nest.user_code -= 1;
    nest.json(&text);
    Ok(())
}

impl<'n, 'o> Writer<'n, 'o> {
    fn open(self, open: impl FnOnce(&mut Nest<'o>) -> Option<Level>) -> Opened<'n, 'o> {
        let level = open(self.0).ok_or(Failed)?;
        Ok(Compound { nest: self.0, level, variant: None, key: None })
    }

    /// Opens `{"variant":` and the array or object inside.
    fn variant(
        self,
        name: &str,
        open: impl FnOnce(&mut Nest<'o>) -> Option<Level>,
    ) -> Opened<'n, 'o> {
        let nest = self.0;
        let mut outer = nest.object().ok_or(Failed)?;
        let mut element = nest.begin(&mut outer);
        nest.string(name);
        nest.end_key(&outer, &mut element);
        let level = open(nest).ok_or(Failed)?;
        Ok(Compound { nest, level, variant: Some((outer, element)), key: None })
    }

    fn done(self, write: impl FnOnce(&mut Nest<'o>)) -> Result<Done, Failed> {
        write(self.0);
        Ok(Done(()))
    }
}

type Opened<'n, 'o> = Result<Compound<'n, 'o>, Failed>;

macro_rules! scalars {
    ($($name:ident($type:ty) $write:ident,)+) => {
        $(fn $name(self, value: $type) -> Result<Done, Failed> {
            self.done(|nest| nest.$write(value))
        })+
    };
}

impl<'n, 'o> Serializer for Writer<'n, 'o> {
    type Ok = Done;
    type Error = Failed;
    type SerializeSeq = Compound<'n, 'o>;
    type SerializeTuple = Compound<'n, 'o>;
    type SerializeTupleStruct = Compound<'n, 'o>;
    type SerializeTupleVariant = Compound<'n, 'o>;
    type SerializeMap = Compound<'n, 'o>;
    type SerializeStruct = Fields<'n, 'o>;
    type SerializeStructVariant = Compound<'n, 'o>;

    scalars! {
        serialize_bool(bool) bool,
        serialize_i8(i8) integer,
        serialize_i16(i16) integer,
        serialize_i32(i32) integer,
        serialize_i64(i64) integer,
        serialize_i128(i128) integer,
        serialize_u8(u8) integer,
        serialize_u16(u16) integer,
        serialize_u32(u32) integer,
        serialize_u64(u64) integer,
        serialize_u128(u128) integer,
        serialize_f32(f32) float,
        serialize_f64(f64) float,
        serialize_char(char) char,
        serialize_bytes(&[u8]) bytes,
    }

    fn serialize_str(self, value: &str) -> Result<Done, Failed> {
        self.done(|nest| nest.string(value))
    }

    fn collect_str<T: fmt::Display + ?Sized>(self, value: &T) -> Result<Done, Failed> {
        self.done(|nest| nest.format(format_args!("{value}")))
    }

    fn serialize_none(self) -> Result<Done, Failed> {
        self.serialize_unit()
    }

    fn serialize_unit(self) -> Result<Done, Failed> {
        self.done(Nest::null)
    }

    fn serialize_unit_struct(self, _name: &'static str) -> Result<Done, Failed> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Done, Failed> {
        self.0.wrapped(|nest| write(nest, value)).ok_or(Failed)??;
        Ok(Done(()))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        value: &T,
    ) -> Result<Done, Failed> {
        self.serialize_some(value)
    }

    fn serialize_unit_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
    ) -> Result<Done, Failed> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<Done, Failed> {
        let mut object = self.open(Nest::object)?;
        object.field(variant, value)?;
        object.done()
    }

    fn serialize_seq(self, _len: Option<usize>) -> Opened<'n, 'o> {
        self.open(Nest::array)
    }

    fn serialize_tuple(self, _len: usize) -> Opened<'n, 'o> {
        self.open(Nest::array)
    }

    fn serialize_tuple_struct(self, _name: &'static str, _len: usize) -> Opened<'n, 'o> {
        self.open(Nest::array)
    }

    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _len: usize,
    ) -> Opened<'n, 'o> {
        self.variant(variant, Nest::array)
    }

    fn serialize_map(self, _len: Option<usize>) -> Opened<'n, 'o> {
        self.open(Nest::object)
    }

    fn serialize_struct(self, name: &'static str, _len: usize) -> Result<Fields<'n, 'o>, Failed> {
        let mark = self.0.out.mark();
        match name {
            PRIVATE_NUMBER => Ok(Fields::Number(self.0, mark)),
            PRIVATE_RAW => Ok(Fields::Raw(self.0, mark)),
            _ => self.open(Nest::object).map(Fields::Object),
        }
    }

    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _len: usize,
    ) -> Opened<'n, 'o> {
        self.variant(variant, Nest::object)
    }
}

impl Compound<'_, '_> {
    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failed> {
        let element = self.nest.begin(&mut self.level);
        write(self.nest, value)?;
        self.nest.end_element(element);
        Ok(())
    }

    fn field<T: Serialize + ?Sized>(&mut self, key: &str, value: &T) -> Result<(), Failed> {
        let mut result = Ok(());
        self.nest.member(&mut self.level, key, |nest| result = write(nest, value));
        result
    }

    fn done(self) -> Result<Done, Failed> {
        if self.key.is_some() {
            return fail(self.nest);
        }
        self.nest.close(&self.level);
        if let Some((outer, element)) = self.variant {
            self.nest.end_element(element);
            self.nest.close(&outer);
        }
        Ok(Done(()))
    }
}

macro_rules! compounds {
    ($($trait:ident $method:ident($($key:ident)?) $write:ident,)+) => {
        $(impl $trait for Compound<'_, '_> {
            type Ok = Done;
            type Error = Failed;

            fn $method<T: Serialize + ?Sized>(
                &mut self,
                $($key: &'static str,)?
                value: &T,
            ) -> Result<(), Failed> {
                self.$write($($key,)? value)
            }

            fn end(self) -> Result<Done, Failed> {
                self.done()
            }
        })+
    };
}

compounds! {
    SerializeSeq serialize_element() element,
    SerializeTuple serialize_element() element,
    SerializeTupleStruct serialize_field() element,
    SerializeTupleVariant serialize_field() element,
    SerializeStructVariant serialize_field(key) field,
}

impl SerializeMap for Compound<'_, '_> {
    type Ok = Done;
    type Error = Failed;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Failed> {
        if self.key.is_some() {
            return fail(self.nest);
        }
        let mut element = self.nest.begin(&mut self.level);
        write(self.nest, key)?;
        self.nest.end_key(&self.level, &mut element);
        self.key = Some(element);
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failed> {
        let Some(element) = self.key.take() else { return fail(self.nest) };
        write(self.nest, value)?;
        self.nest.end_element(element);
        Ok(())
    }

    fn end(self) -> Result<Done, Failed> {
        self.done()
    }
}

impl SerializeStruct for Fields<'_, '_> {
    type Ok = Done;
    type Error = Failed;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        key: &'static str,
        value: &T,
    ) -> Result<(), Failed> {
        match self {
            Fields::Object(object) => object.field(key, value),
            Fields::Number(nest, mark) => {
                // A second field would leave two values in a row.
                nest.out.roll_back(*mark);
                nest.wrapped(|nest| write(nest, value)).ok_or(Failed)??;
                nest.digits_to_number(*mark);
                Ok(())
            }
            Fields::Raw(nest, mark) => {
                nest.out.roll_back(*mark);
                write_raw(nest, value)
            }
        }
    }

    fn end(self) -> Result<Done, Failed> {
        match self {
            Fields::Object(object) => object.done(),
            Fields::Number(nest, mark) | Fields::Raw(nest, mark) if nest.out.mark() == mark => {
                // No field came, and nothing is no JSON.
                fail(nest)
            }
            Fields::Number(..) | Fields::Raw(..) => Ok(Done(())),
        }
    }
}
