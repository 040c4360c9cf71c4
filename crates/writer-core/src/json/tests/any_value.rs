//! Nested values by all three ways: secrets inside them, and their form in OTLP.

use serde_core::ser::{Serialize, SerializeMap, SerializeSeq, SerializeStruct, Serializer};
use serde_json::{Value as Json, json};
use sval::{Label, Stream};
use valuable::{
    Fields, Listable, Mappable, NamedField, NamedValues, StructDef, Structable, Valuable,
    Value as Inner, Visit,
};

use super::encode;
use super::reader::check_line;
use crate::json::{Format, REDACTED, Schema, TOO_DEEP, Value};

/// What the three libraries describe in the same way.
enum Tree {
    Map(Vec<(&'static str, Tree)>),
    Struct(Vec<(&'static str, Tree)>),
    List(Vec<Tree>),
    Text(&'static str),
    Signed(i64),
    Unsigned(u64),
    Wide(u128),
    Float(f64),
    Bool(bool),
    Null,
    /// Must not be looked at.
    Untouchable,
}

use Tree::{Bool, Float, List, Map, Null, Signed, Struct, Text, Unsigned, Untouchable, Wide};

impl Serialize for Tree {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Map(members) => {
                let mut map = serializer.serialize_map(None)?;
                for (key, value) in members {
                    map.serialize_entry(key, value)?;
                }
                map.end()
            }
            Struct(members) => {
                let mut fields = serializer.serialize_struct("Tree", members.len())?;
                for (key, value) in members {
                    fields.serialize_field(key, value)?;
                }
                fields.end()
            }
            List(elements) => {
                let mut seq = serializer.serialize_seq(None)?;
                for element in elements {
                    seq.serialize_element(element)?;
                }
                seq.end()
            }
            Text(text) => serializer.serialize_str(text),
            Signed(number) => serializer.serialize_i64(*number),
            Unsigned(number) => serializer.serialize_u64(*number),
            Wide(number) => serializer.serialize_u128(*number),
            Float(number) => serializer.serialize_f64(*number),
            Bool(value) => serializer.serialize_bool(*value),
            Null => serializer.serialize_unit(),
            Untouchable => panic!("a secret was looked at"),
        }
    }
}

impl sval::Value for Tree {
    fn stream<'s, S: Stream<'s> + ?Sized>(&'s self, s: &mut S) -> sval::Result {
        match self {
            Map(members) => {
                s.map_begin(None)?;
                for (key, value) in members {
                    s.map_key_begin()?;
                    s.value(*key)?;
                    s.map_key_end()?;
                    s.map_value_begin()?;
                    s.value(value)?;
                    s.map_value_end()?;
                }
                s.map_end()
            }
            Struct(members) => {
                s.record_begin(None, None, None, None)?;
                for (key, value) in members {
                    let label = Label::new(key);
                    s.record_value_begin(None, &label)?;
                    // Not in one piece: what comes call by call is left out as well.
                    value.stream(s)?;
                    s.record_value_end(None, &label)?;
                }
                s.record_end(None, None, None)
            }
            List(elements) => {
                s.seq_begin(None)?;
                for element in elements {
                    s.seq_value_begin()?;
                    s.value(element)?;
                    s.seq_value_end()?;
                }
                s.seq_end()
            }
            Text(text) => s.value(*text),
            Signed(number) => s.i64(*number),
            Unsigned(number) => s.u64(*number),
            Wide(number) => s.u128(*number),
            Float(number) => s.f64(*number),
            Bool(value) => s.bool(*value),
            Null => s.null(),
            // Inside a struct it is, on purpose.
            Untouchable => s.value(CANARY),
        }
    }
}

impl Valuable for Tree {
    fn as_value(&self) -> Inner<'_> {
        match self {
            Map(_) => Inner::Mappable(self),
            Struct(_) => Inner::Structable(self),
            List(_) => Inner::Listable(self),
            Text(text) => Inner::String(text),
            Signed(number) => Inner::I64(*number),
            Unsigned(number) => Inner::U64(*number),
            Wide(number) => Inner::U128(*number),
            Float(number) => Inner::F64(*number),
            Bool(value) => Inner::Bool(*value),
            Null => Inner::Unit,
            Untouchable => Inner::String(CANARY),
        }
    }

    fn visit(&self, visit: &mut dyn Visit) {
        match self {
            Map(members) => {
                members.iter().for_each(|(key, value)| {
                    visit.visit_entry(key.as_value(), value.as_value());
                });
            }
            Struct(members) => {
                for (key, value) in members {
                    let fields = [NamedField::new(key)];
                    visit.visit_named_fields(&NamedValues::new(&fields, &[value.as_value()]));
                }
            }
            List(elements) => elements.iter().for_each(|element| {
                visit.visit_value(element.as_value());
            }),
            _ => visit.visit_value(self.as_value()),
        }
    }
}

impl Mappable for Tree {
    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, None)
    }
}

impl Listable for Tree {
    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, None)
    }
}

impl Structable for Tree {
    fn definition(&self) -> StructDef<'_> {
        StructDef::new_dynamic("Tree", Fields::Named(&[]))
    }
}

/// Secrets that no time, process number or host name can look like: those have no `~`, and are
/// shorter.
const CANARY: &str = "~canary~";
const INNER: &str = "~inner~";
const SECRET_NUMBER: i64 = 7_206_917_453_086_213;
const SECRET_FLOAT: f64 = 12_345_678.125;

const WAYS: [fn(Value<'_>, &Tree); 3] = [
    |field, tree| field.serialize(tree),
    |field, tree| field.sval(tree),
    |field, tree| field.valuable(tree),
];

fn secrets() -> Tree {
    let canary = || Text(CANARY);
    Map(vec![
        ("user", Text("u")),
        ("password", canary()),
        ("Password", Untouchable),
        ("token", Map(vec![(INNER, canary()), ("token", List(vec![canary(), Null]))])),
        ("x\n\"password", Struct(vec![("a", canary()), ("b", Untouchable)])),
        ("\u{2028}\u{1b}token", Float(SECRET_FLOAT)),
        (
            "list",
            List(vec![
                Map(vec![("api-key", canary()), ("id", Signed(1))]),
                Struct(vec![
                    ("accessToken", canary()),
                    ("password", Signed(SECRET_NUMBER)),
                    ("ok", Null),
                ]),
            ]),
        ),
        ("password", Bool(true)),
        ("last", Text("l")),
    ])
}

#[test]
fn secrets_are_redacted_at_any_depth_by_every_way_in_every_schema() {
    for &schema in Schema::ALL {
        let format = Format::builder().schema(schema).redact_defaults().build().unwrap();
        let mut lines = WAYS.map(|write| {
            let mut span = format.span("s");
            write(span.record(0, "nested"), &secrets());
            let encoded = encode(&format, |record| {
                record.message().str("m");
                write(record.field("n"), &secrets());
                write(record.field("token"), &secrets());
                record.spans([&span]);
            });
            assert_eq!((encoded.format_errors, encoded.truncated), (0, false));
            String::from_utf8(encoded.result).unwrap()
        });
        for line in &mut lines {
            let (number, float) = (SECRET_NUMBER.to_string(), SECRET_FLOAT.to_string());
            for secret in [CANARY, INNER, &number, &float] {
                assert!(!line.contains(secret), "{schema:?} {line}");
            }
            // Also in the span, which schema Tracing shows twice.
            let count = if schema == Schema::Tracing { 3 } else { 2 };
            assert_eq!(line.matches(REDACTED).count(), count * 9 + 1, "{schema:?} {line}");
            let start = line.find("\"n\"").unwrap();
            line.replace_range(..start, "");
        }
        assert_eq!((&lines[0], &lines[0]), (&lines[1], &lines[2]));
    }
}

// Behind the place where a line was cut, secrets were formatted, and one that fails when somebody does
// took the place of all that was there.
#[test]
fn secrets_are_not_looked_at_behind_a_cut() {
    for &schema in Schema::ALL {
        let base = || Format::builder().schema(schema).redact_defaults();
        let (small, large) = (base().max_record_bytes(4096).build().unwrap(), base().build());
        for (size, write) in (2900..4000).step_by(7).flat_map(|size| WAYS.map(|way| (size, way))) {
            let fill = |record: &mut crate::json::Record<'_>| {
                record.field("pad").str(&"p".repeat(size));
                write(record.field("n"), &secrets());
            };
            let (cut, whole) = (encode(&small, fill), encode(large.as_ref().unwrap(), fill));
            let line = String::from_utf8(cut.result).unwrap();
            assert!(cut.format_errors == 0 && !line.contains(CANARY), "{schema:?} {size} {line}");
            if let Some((_, original)) = line.split_once("original_bytes") {
                let original: String = original.chars().filter(char::is_ascii_digit).collect();
                // The `_` of the second password is not counted.
                let missing = whole.result.len() - original.parse::<usize>().unwrap();
                assert!(missing <= 1, "{schema:?} {size} {missing} {line}");
            }
        }
    }
}

#[test]
fn what_lies_around_a_secret_is_kept() {
    let format = Format::builder().redact_defaults().build().unwrap();
    for write in WAYS {
        let line = encode(&format, |record| write(record.field("n"), &secrets())).result;
        let expected = json!({
            "user": "u", "password": REDACTED, "Password": REDACTED, "token": REDACTED,
            "x\n\"password": REDACTED, "\u{2028}\u{1b}token": REDACTED,
            "list": [
                {"api-key": REDACTED, "id": 1},
                {"accessToken": REDACTED, "password": REDACTED, "ok": null},
            ],
            "password_": REDACTED, "last": "l",
        });
        assert_eq!(check_line(&line)["n"], expected);
    }
}

#[test]
fn secrets_stay_out_of_lines_that_are_cut_anywhere() {
    for schema in [Schema::Default, Schema::Otel] {
        let format = Format::builder().schema(schema).redact_defaults().max_record_bytes(4096);
        let format = format.build().unwrap();
        for size in 1900..4100 {
            for write in WAYS {
                let line = encode(&format, |record| {
                    record.message().str(&"m".repeat(size));
                    write(record.field("n"), &secrets());
                })
                .result;
                assert!(line.len() <= 4096);
                assert!(!line.contains(&b'~'));
            }
        }
    }
}

/// The attribute `n` of a line of OTLP.
fn attribute(write: impl FnOnce(Value<'_>)) -> Json {
    let format = Format::builder().schema(Schema::Otel).build().unwrap();
    let json = check_line(&encode(&format, |record| write(record.field("n"))).result);
    let record = &json["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0];
    let attribute = &record["attributes"][0];
    assert_eq!(attribute["key"], "n");
    attribute["value"].clone()
}

/// The form is that of `AnyValue`, `ArrayValue` and `KeyValueList` in
/// <https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/common/v1/common.proto>,
/// as JSON by <https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding>.
#[test]
fn nested_values_are_any_values_of_otlp() {
    let tree = Map(vec![
        ("s", Text("\u{1b}")),
        ("i", Signed(-1)),
        ("u", Unsigned(u64::MAX)),
        ("w", Wide(u128::MAX)),
        ("d", Float(0.5)),
        ("n", Float(f64::NAN)),
        ("b", Bool(true)),
        ("x", Null),
        ("b", Bool(false)),
        ("list", List(vec![List(vec![]), Map(vec![]), Struct(vec![("k", Unsigned(1))])])),
    ]);
    let pair = |key: &str, value: Json| json!({"key": key, "value": value});
    let list = |values: Json| json!({"arrayValue": {"values": values}});
    let map = |values: Json| json!({"kvlistValue": {"values": values}});
    let inner = map(json!([pair("k", json!({"intValue": "1"}))]));
    let expected = map(json!([
        pair("s", json!({"stringValue": "\u{1b}"})),
        pair("i", json!({"intValue": "-1"})),
        pair("u", json!({"stringValue": u64::MAX.to_string()})),
        pair("w", json!({"stringValue": u128::MAX.to_string()})),
        pair("d", json!({"doubleValue": 0.5})),
        pair("n", json!({"doubleValue": "NaN"})),
        pair("b", json!({"boolValue": true})),
        pair("x", json!({})),
        pair("b_", json!({"boolValue": false})),
        pair("list", list(json!([list(json!([])), map(json!([])), inner]))),
    ]));
    for write in WAYS {
        assert_eq!(attribute(|field| write(field, &tree)), expected);
        assert_eq!(attribute(|field| write(field, &Text("t"))), json!({"stringValue": "t"}));
        assert_eq!(attribute(|field| write(field, &Null)), json!({}));
        let deep = (0..25).fold(Null, |tree, _| List(vec![tree]));
        assert_eq!(attribute(|field| write(field, &deep)), json!({"stringValue": TOO_DEEP}));
    }
}

#[test]
fn keys_are_never_typed_and_numbers_as_text_are() {
    let map = std::collections::BTreeMap::from([((1, "a"), Some(2))]);
    let pairs = json!([{"key": "[1,\"a\"]", "value": {"intValue": "2"}}]);
    let expected = json!({"kvlistValue": {"values": pairs}});
    assert_eq!(attribute(|field| field.serialize(&Pairs(&map))), expected);
    for (text, value) in [
        ("7", json!({"intValue": "7"})),
        ("0.5", json!({"doubleValue": 0.5})),
        ("1e400", json!({"stringValue": "1e400"})),
        ("9223372036854775808", json!({"stringValue": "9223372036854775808"})),
    ] {
        assert_eq!(attribute(|field| field.serialize(&Number(text))), value);
        assert_eq!(attribute(|field| field.sval(&Number(text))), value);
    }
}

struct Pairs<'a>(&'a std::collections::BTreeMap<(i32, &'static str), Option<i32>>);

impl Serialize for Pairs<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0)
    }
}

/// A number in the shape that carries its text.
struct Number(&'static str);

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let name = "$serde_json::private::Number";
        let mut number = serializer.serialize_struct(name, 1)?;
        number.serialize_field(name, self.0)?;
        number.end()
    }
}

impl sval::Value for Number {
    fn stream<'s, S: Stream<'s> + ?Sized>(&'s self, s: &mut S) -> sval::Result {
        s.tagged_begin(Some(&sval::tags::NUMBER), None, None)?;
        s.value(self.0)?;
        s.tagged_end(Some(&sval::tags::NUMBER), None, None)
    }
}

#[test]
fn typed_values_are_cut_at_every_size_into_valid_lines() {
    let deep = || (0..12).fold(Text("end"), |tree, _| List(vec![Map(vec![("k", tree)])]));
    let format = Format::builder().schema(Schema::Otel).max_record_bytes(4096).build().unwrap();
    for size in (0..4000).step_by(3) {
        let lines = WAYS.map(|write| {
            let encoded = encode(&format, |record| {
                record.message().str(&"m".repeat(size));
                write(record.field("n"), &deep());
                record.field("after").u64(1);
            });
            assert!(encoded.result.len() <= 4096, "{size}");
            let text = String::from_utf8(encoded.result).unwrap();
            // Without the time.
            text.split_once("timeUnixNano\":\"").unwrap().1[19..].replace('m', "")
        });
        let [serde, sval, valuable] = lines;
        assert_eq!(serde, sval, "{size}");
        assert_eq!(serde, valuable, "{size}");
    }
}

#[test]
fn a_span_takes_typed_values_over_with_one_type_each() {
    let format = Format::builder().schema(Schema::Otel).redact_defaults().build().unwrap();
    let (mut span, mut newer) = (format.span("s"), format.span(""));
    span.record(0, "a").str("old");
    newer.record(0, "a").u64(1);
    newer.record(1, "b").str("text");
    newer.record(2, "c").serialize(&List(vec![Map(vec![("token", Text(CANARY))]), Bool(true)]));
    newer.record(3, "password").str(CANARY);
    let fields = [(0, "a"), (1, "b"), (2, "c"), (3, "password")];
    span.update(&newer, fields);
    let once = span.json();
    let redacted = json!({"stringValue": REDACTED});
    let inner = json!({"kvlistValue": {"values": [{"key": "token", "value": redacted.clone()}]}});
    let list = json!({"arrayValue": {"values": [inner, {"boolValue": true}]}});
    let expected = json!({"kvlistValue": {"values": [
        {"key": "name", "value": {"stringValue": "s"}},
        {"key": "a", "value": {"intValue": "1"}},
        {"key": "b", "value": {"stringValue": "text"}},
        {"key": "c", "value": list},
        {"key": "password", "value": redacted},
    ]}});
    assert_eq!(serde_json::from_slice::<Json>(&once).unwrap(), expected);
    span.update(&newer, fields);
    assert_eq!(span.json(), once);
}

#[test]
fn a_static_field_with_a_secret_inside_is_redacted_whole() {
    for &schema in Schema::ALL {
        let builder = Format::builder().schema(schema).redact_defaults();
        let builder = builder.static_field("open", |value| value.serialize(&Text("\"token\":")));
        let builder = builder.static_field("config", |value| value.sval(&secrets()));
        let line = encode(&builder.build().unwrap(), |record| record.message().str("m")).result;
        let line = String::from_utf8(line).unwrap();
        assert!(!line.contains(CANARY), "{line}");
        assert_eq!(line.matches(REDACTED).count(), 1, "{line}");
    }
}
