//! One line as one JSON object, with every key once.

use std::borrow::Cow;
use std::fmt;

use serde_core::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::Keys;

/// Where a record belongs.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) source: Option<u64>,
    pub(super) number: Option<u64>,
}

/// Reads a line that must be one object.
pub(super) fn read(line: &[u8], keys: &Keys) -> Result<Place, serde_json::Error> {
    let mut reader = serde_json::Deserializer::from_slice(line);
    let place = reader.deserialize_map(Line { keys })?;
    reader.end()?;
    Ok(place)
}

/// Keys that were seen in one object.
#[derive(Default)]
struct Seen<'de>(Vec<Cow<'de, str>>);

impl<'de> Seen<'de> {
    fn add<E: Error>(&mut self, key: Cow<'de, str>) -> Result<(), E> {
        // Objects of log lines are small: looking along a list is faster than hashing.
        if self.0.contains(&key) {
            return Err(E::custom(format_args!("the key {key:?} stands twice")));
        }
        self.0.push(key);
        Ok(())
    }
}

struct Line<'a> {
    keys: &'a Keys,
}

impl<'de> Visitor<'de> for Line<'_> {
    type Value = Place;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Place, A::Error> {
        let (mut place, mut seen) = (Place::default(), Seen::default());
        while let Some(key) = map.next_key_seed(Key)? {
            if *key == *self.keys.number {
                place.number = Some(map.next_value_seed(Number)?);
            } else if self.keys.source.as_deref() == Some(&*key) {
                place.source = Some(map.next_value_seed(Number)?);
            } else {
                map.next_value_seed(Any)?;
            }
            seen.add(key)?;
        }
        Ok(place)
    }
}

struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Self::Value, D::Error> {
        reader.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

struct Number;

impl<'de> DeserializeSeed<'de> for Number {
    type Value = u64;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<u64, D::Error> {
        reader.deserialize_u64(self)
    }
}

impl Visitor<'_> for Number {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number of a record")
    }

    fn visit_u64<E>(self, number: u64) -> Result<u64, E> {
        Ok(number)
    }
}

/// Any value, in which no object has a key twice.
#[derive(Clone, Copy)]
struct Any;

impl<'de> DeserializeSeed<'de> for Any {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Any {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element_seed(Any)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut seen = Seen::default();
        while let Some(key) = map.next_key_seed(Key)? {
            map.next_value_seed(Any)?;
            seen.add(key)?;
        }
        Ok(())
    }
}
