//! Nested values through serde: the promises of a line hold inside as well.

use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use proptest::prelude::*;
use serde_core::ser::{
    Error, Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant,
    SerializeTupleVariant, Serializer,
};
use serde_json::{Value as Json, json};

use super::properties::any_text;
use super::{encode, read, reader, text};
use crate::json::{FORMAT_ERROR, FORMAT_PANIC, Format, NonFinite, Schema, TOO_DEEP, WideIntegers};

/// The value as it reads back.
fn nested(value: &(impl Serialize + ?Sized)) -> Json {
    read(|record| record.field("n").serialize(value))["n"].clone()
}

/// A `Serialize` made of a closure, which may do what no derived one does.
macro_rules! by {
    ($name:ident($this:ident, $serializer:ident): $body:expr) => {
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, $serializer: S) -> Result<S::Ok, S::Error> {
                let $this = self;
                $body
            }
        }
    };
}

#[test]
fn a_json_value_reads_back_equal() {
    let value = json!({
        "a": [1, -2, 0.5, true, null, "x\u{1b}\u{2028}\"\\é😀", [], {}],
        "": {"k\n": {"deep": [[[["end"]]]]}},
    });
    assert_eq!(nested(&value), value);
    for value in [json!(null), json!("s"), json!(7), json!([]), json!({}), json!([[], [[]]])] {
        assert_eq!(nested(&value), value);
    }
}

#[test]
fn numbers_bytes_and_options_follow_the_rules_of_fields() {
    let line = text(&Format::default(), |record| {
        record.field("n").serialize(&(
            (u64::MAX, i64::MIN, u128::MAX, i128::MIN, 1u128),
            (f64::NAN, f32::INFINITY, 0.1f32, -0.0f64),
            ('"', Some(1u8), None::<u8>, ()),
        ));
    });
    assert!(line.ends_with(concat!(
        r#""n":[[18446744073709551615,-9223372036854775808,"#,
        r#""340282366920938463463374607431768211455","#,
        r#""-170141183460469231731687303715884105728",1],"#,
        r#"["NaN","Infinity",0.1,-0.0],["\"",1,null,null]]}"#
    )));
    let digits = Format::builder().wide_integers(WideIntegers::Digits).build().unwrap();
    assert!(
        text(&digits, |record| record.field("n").serialize(&[u128::MAX]))
            .ends_with("[340282366920938463463374607431768211455]}")
    );
}

struct Bytes;
by!(Bytes(_this, s): s.serialize_bytes(&[0, 0x7f, 0xff]));

struct Variants;
by!(Variants(_this, s): {
    let mut seq = s.serialize_seq(Some(999))?;
    seq.serialize_element(&Bytes)?;
    seq.serialize_element(&Tuple)?;
    seq.serialize_element(&Struct)?;
    seq.serialize_element(&Newtype)?;
    seq.serialize_element(&Unit)?;
    seq.end()
});

struct Tuple;
by!(Tuple(_this, s): {
    let mut tuple = s.serialize_tuple_variant("E", 0, "T\n", 0)?;
    tuple.serialize_field(&1)?;
    tuple.serialize_field(&2)?;
    tuple.end()
});

struct Struct;
by!(Struct(_this, s): {
    let mut variant = s.serialize_struct_variant("E", 1, "S", 7)?;
    variant.serialize_field("a", &1)?;
    variant.serialize_field("a", &2)?;
    variant.end()
});

struct Newtype;
by!(Newtype(_this, s): s.serialize_newtype_variant("E", 2, "N", &[3]));

struct Unit;
by!(Unit(_this, s): s.serialize_unit_variant("E", 3, "U"));

#[test]
fn variants_have_the_shape_of_serde_json_and_lengths_are_ignored() {
    let expected = json!(["007fff", {"T\n": [1, 2]}, {"S": {"a": 1, "a_": 2}}, {"N": [3]}, "U"]);
    assert_eq!(nested(&Variants), expected);
}

struct Keys;
by!(Keys(_this, s): {
    let mut map = s.serialize_map(None)?;
    map.serialize_entry("a", &1)?;
    map.serialize_entry("a", &2)?;
    map.serialize_entry(&1u8, &3)?;
    map.serialize_entry("1", &4)?;
    map.serialize_entry(&(1, "x\n"), &5)?;
    map.serialize_entry(&true, &6)?;
    map.serialize_entry(&None::<u8>, &7)?;
    map.serialize_entry(&f64::NAN, &8)?;
    map.serialize_entry(&Bytes, &9)?;
    map.serialize_entry(&Unit, &10)?;
    map.serialize_entry(&'c', &11)?;
    map.end()
});

#[test]
fn keys_are_strings_and_none_stands_twice() {
    let expected = json!({
        "a": 1, "a_": 2, "1": 3, "1_": 4, "[1,\"x\\n\"]": 5, "true": 6, "null": 7, "NaN": 8,
        "007fff": 9, "U": 10, "c": 11,
    });
    assert_eq!(nested(&Keys), expected);
    let numbered: BTreeMap<i64, ()> = (-500..500).map(|key| (key, ())).collect();
    assert_eq!(nested(&numbered).as_object().unwrap().len(), 1000);
}

struct Nodes(u32);
by!(Nodes(this, s): {
    let mut node = s.serialize_struct("Node", 1)?;
    node.serialize_field("next", &(this.0 > 1).then(|| Nodes(this.0 - 1)))?;
    node.end()
});

struct Shells(u32);
by!(Shells(this, s): match this.0 {
    0 => s.serialize_unit(),
    n => s.serialize_newtype_struct("Shell", &Shells(n - 1)),
});

#[test]
fn a_value_deeper_than_64_is_replaced_whole() {
    assert!(nested(&Nodes(64))["next"]["next"].is_object());
    for depth in [65, 10_000, u32::MAX] {
        let encoded = encode(&Format::default(), |record| {
            record.field("deep").serialize(&("before", Nodes(depth)));
            record.field("after").u64(1);
        });
        let json = reader::check_line(&encoded.result);
        assert_eq!((&json["deep"], &json["after"]), (&json!(TOO_DEEP), &json!(1)));
        assert_eq!(encoded.format_errors, 1);
    }
    assert_eq!(nested(&Shells(200)), json!(null));
    assert_eq!(nested(&Shells(u32::MAX)), TOO_DEEP);
}

#[derive(Debug, Clone, Copy)]
enum Bad {
    Fails,
    Panics,
    HidesFailure,
    HidesPanic,
    KeyWithoutValue,
    ValueWithoutKey,
    DisplayFails,
    HidesDisplay,
    Abandons,
}

impl fmt::Display for Bad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("half")?;
        Err(fmt::Error)
    }
}

struct Wrong(Bad);
by!(Wrong(this, s): match this.0 {
    Bad::Fails => Err(S::Error::custom("no")),
    Bad::Panics => panic!("on purpose"),
    Bad::DisplayFails => s.collect_str(&this.0),
    bad => {
        let mut map = s.serialize_map(Some(1))?;
        map.serialize_entry("a", "b")?;
        match bad {
            Bad::HidesFailure => drop(map.serialize_entry("x", &Wrong(Bad::Fails))),
            Bad::HidesDisplay => drop(map.serialize_entry("x", &Wrong(Bad::DisplayFails))),
            Bad::HidesPanic => {
                let panics = || map.serialize_entry("x", &Wrong(Bad::Panics));
                drop(catch_unwind(AssertUnwindSafe(panics)));
            }
            Bad::KeyWithoutValue => map.serialize_key("k")?,
            Bad::ValueWithoutKey => drop(map.serialize_value("v")),
            _ => return Err(S::Error::custom("left open")),
        }
        map.end()
    }
});

#[test]
fn a_serialize_that_fails_panics_or_cheats_leaves_a_marker_and_the_rest() {
    let all = [
        Bad::Fails,
        Bad::Panics,
        Bad::HidesFailure,
        Bad::HidesPanic,
        Bad::KeyWithoutValue,
        Bad::ValueWithoutKey,
        Bad::DisplayFails,
        Bad::HidesDisplay,
        Bad::Abandons,
    ];
    for bad in all {
        let encoded = encode(&Format::default(), |record| {
            record.field("before").serialize(&[1]);
            record.field("bad").serialize(&vec![Wrong(bad)]);
            record.field("after").serialize(&Keys);
        });
        let json = reader::check_line(&encoded.result);
        let marker = if let Bad::Panics = bad { FORMAT_PANIC } else { FORMAT_ERROR };
        assert_eq!(json["bad"], marker, "{bad:?}");
        assert_eq!((&json["before"], json["after"]["a_"].as_u64()), (&json!([1]), Some(2)));
        assert_eq!(encoded.format_errors, 1);
    }
}

struct Number(&'static str);
by!(Number(this, s): {
    let mut number = s.serialize_struct("$serde_json::private::Number", 1)?;
    number.serialize_field("$serde_json::private::Number", this.0)?;
    number.end()
});

#[test]
fn a_number_of_any_length_stays_a_number_where_readers_can_hold_it() {
    let line = text(&Format::default(), |record| {
        record.field("n").serialize(
            &[
                "1",
                "-7",
                "0.25",
                "1e400",
                "18446744073709551616",
                "0.1234567890123456789",
                "x",
                "1,\"forged\":2",
            ]
            .map(Number),
        );
    });
    let expected = r#""n":[1,-7,0.25,"1e400","18446744073709551616","0.1234567890123456789","x","1,\"forged\":2"]}"#;
    assert!(line.ends_with(expected), "{line}");
}

struct Raw(String);
by!(Raw(this, s): {
    let mut raw = s.serialize_struct("$serde_json::private::RawValue", 1)?;
    raw.serialize_field("$serde_json::private::RawValue", &this.0)?;
    raw.end()
});

fn raw(text: &str) -> Raw {
    Raw(text.to_owned())
}

#[test]
fn json_given_as_text_is_nested_json() {
    let line = text(&Format::default(), |record| {
        record.field("n").serialize(&[
            raw(
                " { \"a\" : [ 1 , -2.50e1 , true , false , null , \"\u{2028}\" ] ,\n\"b\" : { } } ",
            ),
            raw(r#"{"k":1,"\u006b":2}"#),
            raw(r#""\ud83d\ude00\ud800x\/\n\\""#),
            raw("1e-400"),
            raw("[]"),
        ]);
    });
    let expected = concat!(
        r#""n":[{"a":[1,-25.0,true,false,null,"\u2028"],"b":{}},"#,
        r#"{"k":1,"k_":2},"😀�x/\n\\","1e-400",[]]}"#
    );
    assert!(line.ends_with(expected), "{line}");
}

#[test]
fn text_that_claims_to_be_json_and_is_not_is_a_string() {
    for wrong in [
        "",
        " ",
        "x",
        "nul",
        "1 2",
        "[1",
        "[1,]",
        "[,1]",
        "{\"a\"}",
        "{\"a\":}",
        "{1:2}",
        "{\"a\":1,}",
        "01",
        "1.",
        ".5",
        "+1",
        "1e",
        "-",
        "\"",
        "\"\n\"",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\é\"",
        "1}\n{\"forged\":2",
        "\"\\\"",
    ] {
        assert_eq!(nested(&[raw(wrong)]), json!([wrong]));
    }
    let deep = "[".repeat(100_000);
    assert_eq!(nested(&raw(&deep)), TOO_DEEP);
    let sixty = format!("{}{}", "[".repeat(60), "]".repeat(60));
    assert_eq!(nested(&raw(&sixty)).to_string(), sixty);
    assert_eq!(nested(&[[[[[raw(&sixty)]]]]]), TOO_DEEP);
}

#[test]
fn a_secret_in_json_given_as_text_is_not_written() {
    let format = Format::builder().redact_defaults().build().unwrap();
    let line = text(&format, |record| {
        let body = r#"{"user":"ann", "pass\u0077ord" : {"a":["canary"]}, "after": [{"token":1}]}"#;
        record.field("n").serialize(&[raw(body)]);
    });
    let expected = r#"{"user":"ann","password":"[redacted]","after":[{"token":"[redacted]"}]}]}"#;
    assert!(line.ends_with(expected), "{line}");
}

// Most floats of a program have 16 or 17 digits, and serde_json gives all of them as text where its
// `arbitrary_precision` is on: each of these was a string, and `0.25` a number.
#[test]
fn a_float_given_as_text_is_a_number_if_its_digits_are_those_of_the_float() {
    let floats = ["3.141592653589793", "0.30000000000000004", "-1.7976931348623157e308", "5e-324"];
    let padded = ["0.10000000000000000000", "1000000000000000000.0", "00000000000000000.5"];
    let longer = ["0.30000000000000005", "0.1000000000000000055511151231257827", "1e-325"];
    let line = text(&Format::default(), |record| {
        record.field("floats").serialize(&floats.map(Number));
        record.field("padded").serialize(&padded.map(Number));
        record.field("longer").serialize(&longer.map(Number));
    });
    let expected = concat!(
        r#""floats":[3.141592653589793,0.30000000000000004,-1.7976931348623157e+308,5e-324],"#,
        r#""padded":[0.1,1e+18,0.5],"#,
        r#""longer":["0.30000000000000005","0.1000000000000000055511151231257827","1e-325"]}"#,
    );
    assert!(line.ends_with(expected), "{line}");
}

/// They came as `0.0`, `5e-324` and `1.2347e-320`.
#[test]
fn a_number_too_small_for_readers_is_a_string() {
    let line = text(&Format::default(), |record| {
        let numbers = ["1e-400", "3e-324", "1.234567e-320", "-1e-400", "1e-300", "0.00", "-0e-400"];
        record.field("n").serialize(&numbers.map(Number));
    });
    let expected = r#""n":["1e-400","3e-324","1.234567e-320","-1e-400",1e-300,0.0,-0.0]}"#;
    assert!(line.ends_with(expected), "{line}");
}

/// Logs from inside.
struct Logs;
by!(Logs(_this, s): s.collect_seq([nested(&Keys), nested(&json!([1]))]));

#[test]
fn a_serialize_that_logs_disturbs_nothing() {
    assert_eq!(nested(&[Logs])[0][0]["a_"], 2);
}

#[test]
fn a_failing_nested_value_of_a_span_is_rolled_back() {
    let mut span = Format::default().span("s");
    span.record(0, "a").serialize(&[1]);
    span.record(0, "a").serialize(&(1, Wrong(Bad::Fails)));
    assert_eq!(span.json(), br#"{"name":"s","a":"<format_error>"}"#);
    span.record(0, "a").serialize(&json!({"k": [2]}));
    assert_eq!(span.json(), br#"{"name":"s","a":{"k":[2]}}"#);
}

fn tree() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any_text().prop_map(Json::from),
    ];
    leaf.prop_recursive(8, 128, 10, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..10).prop_map(Json::from),
            prop::collection::btree_map(any_text(), inner, 0..10)
                .prop_map(|map| Json::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn every_tree_reads_back_equal(tree in tree()) {
        prop_assert_eq!(nested(&tree), tree);
    }

    #[test]
    fn every_tree_given_as_text_reads_back_equal(tree in tree()) {
        prop_assert_eq!(&nested(&raw(&tree.to_string())), &tree);
        prop_assert_eq!(nested(&raw(&format!("{tree:#}"))), tree);
    }

    #[test]
    fn every_cut_tree_is_valid(tree in tree(), size in 0usize..4096, bytes in 4096usize..5000) {
        let fill = |record: &mut crate::json::Record<'_>| {
            record.message().str(&"x".repeat(size));
            record.field("a").serialize(&(&tree, BTreeMap::from([((1, "é"), &tree)])));
            record.field("b").serialize(&[&tree, &tree]);
            record.field("c").serialize(&[raw(&tree.to_string())]);
        };
        let format = Format::builder().max_record_bytes(bytes).build().unwrap();
        let cut = encode(&format, fill);
        prop_assert!(cut.result.len() <= bytes);
        let json = reader::check_line(&cut.result);
        prop_assert_eq!(json["truncated"] == true, cut.truncated);
    }
}

#[test]
fn deep_values_are_cut_at_every_size_and_count_what_is_missing() {
    for (schema, depth) in [(Schema::Default, 60), (Schema::Otel, 20)] {
        let format = |cap| Format::builder().schema(schema).max_record_bytes(cap).build().unwrap();
        let (large, small) = (format(1 << 20), format(4096));
        for size in 3000..4100 {
            let fill = |record: &mut crate::json::Record<'_>| {
                record.message().str(&"x".repeat(size));
                record.field("deep").serialize(&(Nodes(depth), "é\n", [1, 2, 3], Tuple, true));
            };
            let cut = encode(&small, fill);
            assert!(cut.result.len() <= 4096);
            if cut.truncated {
                let whole = encode(&large, fill).result.len();
                let line = String::from_utf8(cut.result).unwrap();
                let (_, original) = line.split_once("original_bytes").unwrap();
                assert!(original.contains(&whole.to_string()), "{size} {whole} {line}");
            }
        }
    }
}

/// Failed: a number that JSON does not have was taken for nothing, and left out.
#[test]
fn a_number_that_json_does_not_have_is_not_taken_for_nothing() {
    for schema in [Schema::Tracing, Schema::Logxpy] {
        let format = Format::builder().schema(schema).non_finite(NonFinite::Null).build().unwrap();
        let line = encode(&format, |record| {
            record.field("plain").f64(f64::NAN);
            record.field("nested").serialize(&f64::NAN);
            record.field("some").serialize(&Some(f64::NAN));
            record.field("none").serialize(&None::<f64>);
            record.field("null").serialize(&json!(null));
        });
        let json = reader::check_line(&line.result);
        let fields = json.get("fields").unwrap_or(&json);
        for key in ["plain", "nested", "some"] {
            assert_eq!(fields.get(key), Some(&json!(null)), "{json}");
        }
        assert_eq!((fields.get("none"), fields.get("null")), (None, None), "{json}");
    }
}
