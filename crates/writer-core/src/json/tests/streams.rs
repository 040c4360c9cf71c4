//! Nested values through sval and valuable.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use serde_json::{Value as Json, json};
use sval::{Label, Stream, tags};
use valuable::{
    EnumDef, Enumerable, Fields, Listable, Mappable, NamedField, NamedValues, StructDef,
    Structable, Valuable, Value, Variant, VariantDef, Visit,
};

use super::{encode, read, reader, text};
use crate::json::{FORMAT_ERROR, FORMAT_PANIC, Format, TOO_DEEP};

fn streamed(value: &(impl sval::Value + ?Sized)) -> Json {
    read(|record| record.field("n").sval(value))["n"].clone()
}

fn visited(value: &dyn Valuable) -> Json {
    read(|record| record.field("n").valuable(value))["n"].clone()
}

/// An `sval::Value` made of a closure.
macro_rules! by {
    ($name:ident($this:ident, $stream:ident): $body:expr) => {
        impl sval::Value for $name {
            fn stream<'s, S: Stream<'s> + ?Sized>(&'s self, $stream: &mut S) -> sval::Result {
                let $this = self;
                $body
            }
        }
    };
}

#[test]
fn streamed_scalars_follow_the_rules_of_fields() {
    let line = text(&Format::default(), |record| {
        record.field("n").sval(&(
            (u64::MAX, i64::MIN, u128::MAX, i128::MIN, f64::NAN),
            (0.1f32, 'c', "\u{1b}\"", Some(true), None::<u8>, ()),
            (sval::BinarySlice::new(&[0, 255]), 7u8, -7i8, 1u128),
        ));
    });
    assert!(
        line.ends_with(concat!(
            r#""n":[[18446744073709551615,-9223372036854775808,"#,
            r#""340282366920938463463374607431768211455","#,
            r#""-170141183460469231731687303715884105728","NaN"],"#,
            r#"[0.1,"c","\u001b\"",true,null,null],["00ff",7,-7,1]]}"#
        )),
        "{line}"
    );
}

struct Shapes;
by!(Shapes(_this, s): {
    s.map_begin(Some(99))?;
    for (key, value) in [("a", 1), ("a", 2), ("b\n", 3)] {
        s.map_key_begin()?;
        s.value(key)?;
        s.map_key_end()?;
        s.map_value_begin()?;
        s.i64(value)?;
        s.map_value_end()?;
    }
    s.map_key_begin()?;
    s.value_computed(&(1, "x"))?;
    s.map_key_end()?;
    s.map_value_begin()?;
    s.seq_begin(Some(1))?;
    for number in ["1", "-0.5", "1e400", "x"] {
        s.seq_value_begin()?;
        s.tagged_begin(Some(&tags::NUMBER), None, None)?;
        s.value(number)?;
        s.tagged_end(Some(&tags::NUMBER), None, None)?;
        s.seq_value_end()?;
    }
    s.seq_end()?;
    s.map_value_end()?;
    s.map_end()
});

struct Unit;
by!(Unit(_this, s): {
    s.enum_begin(None, Some(&Label::new("E")), None)?;
    s.tag(None, Some(&Label::new("Unit")), None)?;
    s.enum_end(None, Some(&Label::new("E")), None)
});

struct Record;
by!(Record(_this, s): {
    let (e, v, f) = (Label::new("E"), Label::new("Record"), Label::new("f"));
    s.enum_begin(None, Some(&e), None)?;
    s.record_begin(None, Some(&v), None, Some(1))?;
    s.record_value_begin(None, &f)?;
    s.value_computed(&Unit)?;
    s.record_value_end(None, &f)?;
    s.record_end(None, Some(&v), None)?;
    s.enum_end(None, Some(&e), None)
});

#[test]
fn streamed_maps_records_and_variants_have_the_shapes_of_serde() {
    let shapes = json!({"a": 1, "a_": 2, "b\n": 3, "[1,\"x\"]": [1, -0.5, "1e400", "x"]});
    assert_eq!(streamed(&Shapes), shapes);
    assert_eq!(streamed(&Unit), "Unit");
    assert_eq!(streamed(&[Record]), json!([{"Record": {"f": "Unit"}}]));
}

struct Deep(u32);
by!(Deep(this, s): {
    s.seq_begin(None)?;
    if this.0 > 1 {
        s.seq_value_begin()?;
        // The error is hidden on purpose.
        let _ = s.value_computed(&Deep(this.0 - 1));
        s.seq_value_end()?;
    }
    s.seq_end()
});

#[test]
fn a_streamed_value_deeper_than_64_is_replaced_whole() {
    assert!(streamed(&Deep(64)).is_array());
    for depth in [65, 10_000, u32::MAX] {
        assert_eq!(streamed(&Deep(depth)), TOO_DEEP);
    }
}

struct Wrong(usize);
by!(Wrong(this, s): match this.0 {
    0 => sval::error(),
    1 => Ok(()),
    2 => s.null().and_then(|()| s.null()),
    3 => s.seq_begin(None),
    4 => s.seq_begin(None).and_then(|()| s.map_end()),
    5 => s.seq_end(),
    6 => s.text_begin(None).and_then(|()| s.null()),
    7 => s.text_fragment("x"),
    8 => s.map_begin(None).and_then(|()| s.map_value_begin()),
    9 => s.map_begin(None).and_then(|()| s.map_key_begin()).and_then(|()| s.map_key_end()),
    10 => s.seq_begin(None).and_then(|()| s.seq_value_begin()).and_then(|()| s.seq_end()),
    11 => s.enum_begin(None, None, None).and_then(|()| s.enum_end(None, None, None)),
    12 => s.value_computed(&sval::Display::new(Fails)),
    13 => {
        let _ = s.seq_end();
        s.null()
    }
    _ => panic!("on purpose"),
});

struct Fails;

impl fmt::Display for Fails {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("half")?;
        Err(fmt::Error)
    }
}

#[test]
fn a_stream_out_of_order_leaves_a_marker_and_the_rest() {
    for wrong in 0..=14 {
        let encoded = encode(&Format::default(), |record| {
            record.field("bad").sval(&("half", Wrong(wrong)));
            record.field("after").u64(1);
        });
        let json = reader::check_line(&encoded.result);
        let marker = if wrong == 14 { FORMAT_PANIC } else { FORMAT_ERROR };
        assert_eq!((&json["bad"], &json["after"]), (&json!(marker), &json!(1)), "{wrong}");
        assert_eq!(encoded.format_errors, 1);
    }
}

enum Event {
    Unit,
    One(u8),
    Two(u8, u8),
    Named(u8),
}

static FIELD: &[NamedField<'static>] = &[NamedField::new("a")];
static VARIANTS: &[VariantDef<'static>] = &[
    VariantDef::new("Unit", Fields::Unnamed(0)),
    VariantDef::new("One", Fields::Unnamed(1)),
    VariantDef::new("Two", Fields::Unnamed(2)),
    VariantDef::new("Named", Fields::Named(FIELD)),
];

impl Valuable for Event {
    fn as_value(&self) -> Value<'_> {
        Value::Enumerable(self)
    }

    fn visit(&self, visit: &mut dyn Visit) {
        match self {
            Event::Unit => visit.visit_unnamed_fields(&[]),
            Event::One(a) => visit.visit_unnamed_fields(&[a.as_value()]),
            Event::Two(a, b) => visit.visit_unnamed_fields(&[a.as_value(), b.as_value()]),
            Event::Named(a) => {
                visit.visit_named_fields(&NamedValues::new(FIELD, &[a.as_value()]));
            }
        }
    }
}

impl Enumerable for Event {
    fn definition(&self) -> EnumDef<'_> {
        EnumDef::new_static("Event", VARIANTS)
    }

    fn variant(&self) -> Variant<'_> {
        Variant::Static(match self {
            Event::Unit => &VARIANTS[0],
            Event::One(_) => &VARIANTS[1],
            Event::Two(..) => &VARIANTS[2],
            Event::Named(_) => &VARIANTS[3],
        })
    }
}

/// A struct that names one field twice.
struct Twice;

impl Valuable for Twice {
    fn as_value(&self) -> Value<'_> {
        Value::Structable(self)
    }

    fn visit(&self, visit: &mut dyn Visit) {
        for value in [1u8, 2] {
            visit.visit_named_fields(&NamedValues::new(FIELD, &[value.as_value()]));
        }
    }
}

impl Structable for Twice {
    fn definition(&self) -> StructDef<'_> {
        StructDef::new_static("Twice", Fields::Named(FIELD))
    }
}

/// A struct of so many unnamed fields, the first of which is the next of that kind.
struct Unnamed(usize, u32);

impl Valuable for Unnamed {
    fn as_value(&self) -> Value<'_> {
        Value::Structable(self)
    }

    fn visit(&self, visit: &mut dyn Visit) {
        let inner = Unnamed(self.0, self.1.saturating_sub(1));
        let first = if self.1 == 0 { Value::U8(7) } else { inner.as_value() };
        visit.visit_unnamed_fields(&[first, Value::U8(8)][..self.0]);
    }
}

impl Structable for Unnamed {
    fn definition(&self) -> StructDef<'_> {
        StructDef::new_static("Unnamed", Fields::Unnamed(self.0))
    }
}

/// An id was `[7]` through `tracing` and `7` through `log`.
#[test]
fn a_struct_of_one_unnamed_field_is_that_field_and_one_of_none_is_null() {
    assert_eq!(visited(&Unnamed(1, 0)), json!(7));
    assert_eq!(visited(&Unnamed(1, 200)), json!(7));
    assert_eq!(visited(&Unnamed(2, 1)), json!([[7, 8], 8]));
    assert_eq!(visited(&Unnamed(0, 0)), json!(null));
    let map = BTreeMap::from([("k", vec![Unnamed(1, 1)])]);
    assert_eq!(visited(&map), json!({"k": [7]}));
    for depth in [300, u32::MAX] {
        assert_eq!(visited(&vec![Unnamed(1, depth)]), TOO_DEEP);
    }
}

#[test]
fn visited_values_have_the_shapes_of_serde() {
    let events = vec![Event::Unit, Event::One(1), Event::Two(1, 2), Event::Named(3)];
    let expected = json!(["Unit", {"One": 1}, {"Two": [1, 2]}, {"Named": {"a": 3}}]);
    assert_eq!(visited(&events), expected);
    assert_eq!(visited(&Twice), json!({"a": 1, "a_": 2}));
    let map = BTreeMap::from([(1, vec!["x\u{1b}"]), (2, vec![])]);
    assert_eq!(visited(&map), json!({"1": ["x\u{1b}"], "2": []}));
    assert_eq!(visited(&(u64::MAX, f64::NAN, Some('c'))), json!([u64::MAX, "NaN", "c"]));
    assert_eq!(visited(&[u128::MAX]), json!([u128::MAX.to_string()]));
    assert_eq!(visited(&()), json!(null));
    assert_eq!(visited(&Path::new("a/b")), "a/b");
    let error: &(dyn std::error::Error + 'static) = &fmt::Error;
    assert_eq!(visited(&error), fmt::Error.to_string());
}

/// A value of so many levels; a map where the number is even.
struct Levels(u32);

impl Valuable for Levels {
    fn as_value(&self) -> Value<'_> {
        if self.0.is_multiple_of(2) { Value::Mappable(self) } else { Value::Listable(self) }
    }

    fn visit(&self, visit: &mut dyn Visit) {
        assert_ne!(self.0, 13, "on purpose");
        let inner = Levels(self.0 - 1);
        match self.as_value() {
            _ if self.0 == 1 => {}
            Value::Mappable(_) => visit.visit_entry("k".as_value(), inner.as_value()),
            _ => visit.visit_value(inner.as_value()),
        }
    }
}

impl Mappable for Levels {
    fn size_hint(&self) -> (usize, Option<usize>) {
        (99, None)
    }
}

impl Listable for Levels {
    fn size_hint(&self) -> (usize, Option<usize>) {
        (99, None)
    }
}

#[test]
fn a_visited_value_may_be_deep_or_panic_and_the_rest_is_kept() {
    assert_eq!(visited(&Levels(4)), json!({"k": [{"k": []}]}));
    assert_eq!(visited(&Levels(20)), FORMAT_PANIC);
    for depth in [100, 10_000, u32::MAX] {
        assert_eq!(visited(&vec![Levels(depth)]), TOO_DEEP);
    }
}

#[test]
fn all_three_ways_write_the_same_line_at_every_cut() {
    let long = "long".repeat(20);
    let value = [["é\n\u{1b}", "plain", ""], ["\"", "x", &long], [&long, "", "end"]];
    for size in 3500..4100 {
        let format = Format::builder().max_record_bytes(4096).build().unwrap();
        let message = "m".repeat(size);
        let line = |write: &dyn Fn(crate::json::Value<'_>)| {
            text(&format, |record| {
                record.message().str(&message);
                write(record.field("n"));
                record.field("after").u64(1);
            })
        };
        let serialized = line(&|field| field.sval(&value));
        assert_eq!(line(&|field| field.valuable(&value)), serialized);
        #[cfg(feature = "serde")]
        assert_eq!(line(&|field| field.serialize(&value)), serialized);
    }
}
