//! Whatever the record, the line is right.

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::Value as Json;

use super::{encode, reader};
use crate::json::{Format, Record};

#[derive(Debug, Clone)]
pub(super) enum Field {
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Bool(bool),
    Text(String),
    Display(String),
    Bytes(Vec<u8>),
    Message(String),
}

/// Any text. `any::<String>()` would have no control characters, and read a regular expression for
/// each text.
pub(super) fn any_text() -> impl Strategy<Value = String> {
    vec(any::<char>(), 0..32).prop_map(String::from_iter)
}

pub(super) fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("message".to_owned()),
        Just("level".to_owned()),
        Just("spans".to_owned()),
        (prop_oneof![Just('a'), Just('b')], 0_usize..3)
            .prop_map(|(letter, more)| format!("{letter}{:_<more$}", "")),
        any_text(),
    ]
}

pub(super) fn field() -> impl Strategy<Value = Field> {
    prop_oneof![
        any::<u64>().prop_map(Field::Unsigned),
        any::<i64>().prop_map(Field::Signed),
        any::<f64>().prop_map(Field::Float),
        any::<bool>().prop_map(Field::Bool),
        any_text().prop_map(Field::Text),
        any_text().prop_map(Field::Display),
        vec(any::<u8>(), 0..50).prop_map(Field::Bytes),
        any_text().prop_map(Field::Message),
    ]
}

impl Field {
    /// Writes the field, by its position in the call site if it has one.
    pub(super) fn write(&self, record: &mut Record<'_>, position: Option<usize>, name: &str) {
        if let Field::Message(text) = self {
            return record.message().str(text);
        }
        let member = match position {
            Some(position) => record.site_field(position, || name),
            None => record.field(name),
        };
        match self {
            Field::Unsigned(value) => member.u64(*value),
            Field::Signed(value) => member.i64(*value),
            Field::Float(value) => member.f64(*value),
            Field::Bool(value) => member.bool(*value),
            Field::Text(value) => member.str(value),
            Field::Display(value) => member.display(value),
            Field::Bytes(value) => member.bytes(value),
            Field::Message(_) => {}
        }
    }
}

pub(super) fn fill(record: &mut Record<'_>, fields: &[(String, Field)]) {
    for (name, field) in fields {
        field.write(record, None, name);
    }
}

pub(super) fn expected(field: &Field) -> Json {
    match field {
        Field::Unsigned(value) => (*value).into(),
        Field::Signed(value) => (*value).into(),
        Field::Float(value) if value.is_finite() => (*value).into(),
        Field::Float(value) if value.is_nan() => "NaN".into(),
        Field::Float(value) if *value > 0.0 => "Infinity".into(),
        Field::Float(_) => "-Infinity".into(),
        Field::Bool(value) => (*value).into(),
        Field::Text(value) | Field::Display(value) | Field::Message(value) => value.clone().into(),
        Field::Bytes(value) => {
            value.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into()
        }
    }
}

proptest! {
    #[test]
    fn every_record_reads_back_equal(fields in vec((name(), field()), 0..60)) {
        let line = encode(&Format::default(), |record| fill(record, &fields)).result;
        let json = reader::check_line(&line);
        let mut taken: Vec<String> =
            ["timestamp", "level", "target", "message", "span", "spans", "truncated",
             "original_bytes"].map(String::from).to_vec();
        let mut messages = 0;
        for (name, field) in &fields {
            let mut key = name.clone();
            if let Field::Message(_) = field {
                key = "message".to_owned();
                messages += 1;
            }
            if messages != 1 || !matches!(field, Field::Message(_)) {
                while taken.contains(&key) {
                    key.push('_');
                }
            }
            prop_assert_eq!(&json[&key], &expected(field), "{:?} {:?}", key, field);
            taken.push(key);
        }
        prop_assert_eq!(json.as_object().unwrap().len(), 3 + fields.len());
    }

    #[test]
    fn every_cut_line_is_valid(fields in vec((name(), field()), 0..400), nest in any::<bool>()) {
        let mut builder = Format::builder().max_record_bytes(4096);
        if nest {
            builder = builder.nest_fields("fields");
        }
        let format = builder.build().unwrap();
        let mut span = format.span("s");
        for (id, (name, field)) in fields.iter().enumerate().take(20) {
            if let Field::Text(text) = field {
                span.record(id as u32 % 5, name).str(text);
            }
        }
        let encoded = encode(&format, |record| {
            fill(record, &fields);
            record.spans([&span]);
        });
        prop_assert!(encoded.result.len() <= 4096);
        let json = reader::check_line(&encoded.result);
        prop_assert_eq!(json["truncated"] == true, encoded.truncated);
    }
}
