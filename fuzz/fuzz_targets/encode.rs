//! Whatever the record, the line is one valid JSON object without a key twice.
//!
//! Run with `scripts/fuzz 600 encode`.
#![no_main]

use std::fmt;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use serde_json::Value as Json;
use writer_core::Severity;
use writer_core::json::{Format, Meta, Part, Precision, Record, Schema, TimeStyle, Value};

#[derive(Debug, Arbitrary)]
struct Input<'a> {
    /// Added to the smallest cap, so that lines are often cut.
    cap: u16,
    schema: u8,
    nest: bool,
    redact: bool,
    unix_time: bool,
    /// The names of the fields are known ahead.
    call_site: bool,
    target: &'a str,
    file: Option<&'a str>,
    fields: Vec<(Name<'a>, Field<'a>)>,
    span: Vec<(u8, Name<'a>, Field<'a>)>,
}

#[derive(Debug, Arbitrary)]
enum Name<'a> {
    Message,
    Taken(u8),
    Any(&'a str),
}

#[derive(Debug, Arbitrary)]
enum Field<'a> {
    Null,
    Bool(bool),
    Signed(i128),
    Unsigned(u64),
    Float(f64),
    Small(f32),
    Char(char),
    Text(&'a str),
    Word(u8),
    Bytes(&'a [u8]),
    Display(&'a str, bool),
    /// Repeated, for lines that must be cut.
    Long(&'a str, u8),
    Nested(Tree<'a>),
    /// So many arrays, one in the other.
    Deep(u8),
}

#[derive(Debug, Arbitrary)]
enum Tree<'a> {
    Null,
    Number(i64),
    Text(&'a str),
    Array(Vec<Tree<'a>>),
    Object(Vec<(&'a str, Tree<'a>)>),
}

/// Prints a text and may fail afterwards.
struct Prints<'a>(&'a str, bool);

impl fmt::Display for Prints<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)?;
        if self.1 { Err(fmt::Error) } else { Ok(()) }
    }
}

/// Names that mean something in one schema or another.
const TAKEN: [&str; 24] = [
    "level", "target", "timestamp", "message", "span", "spans", "truncated", "original_bytes",
    "name", "mt", "msg", "ts", "tid", "log.level", "log", "time", "severity", "trace_id", "span_id",
    "password", "fields", "attributes", "mt_", "key",
];

/// What a message type is set to.
const WORDS: [&str; 4] = ["success", "note", "critical", "info"];

fn json(tree: &Tree<'_>) -> Json {
    match tree {
        Tree::Null => Json::Null,
        Tree::Number(number) => (*number).into(),
        Tree::Text(text) => (*text).into(),
        Tree::Array(elements) => elements.iter().map(json).collect(),
        Tree::Object(members) => {
            members.iter().map(|(key, value)| ((*key).to_owned(), json(value))).collect()
        }
    }
}

fn write(value: Value<'_>, field: &Field<'_>) {
    match field {
        Field::Null => value.null(),
        Field::Bool(bool) => value.bool(*bool),
        Field::Signed(number) => value.i128(*number),
        Field::Unsigned(number) => value.u64(*number),
        Field::Float(number) => value.f64(*number),
        Field::Small(number) => value.f32(*number),
        Field::Char(char) => value.char(*char),
        Field::Text(text) => value.str(text),
        Field::Word(word) => value.str(WORDS[usize::from(*word) % WORDS.len()]),
        Field::Bytes(bytes) => value.bytes(bytes),
        Field::Display(text, fails) => value.display(&Prints(text, *fails)),
        Field::Long(text, times) => value.str(&text.repeat((*times).into())),
        Field::Nested(tree) => value.serialize(&json(tree)),
        Field::Deep(depth) => {
            value.serialize(&(0..*depth).fold(Json::Null, |inner, _| vec![inner].into()));
        }
    }
}

fn name<'a>(name: &Name<'a>) -> &'a str {
    match name {
        Name::Message => "message",
        Name::Taken(at) => TAKEN[usize::from(*at) % TAKEN.len()],
        Name::Any(text) => text,
    }
}

fn fill(record: &mut Record<'_>, fields: &[(Name<'_>, Field<'_>)]) {
    for (position, (key, field)) in fields.iter().enumerate() {
        match key {
            Name::Message => write(record.message(), field),
            key => write(record.site_field(position, || name(key)), field),
        }
    }
}

/// Panics if attributes of OTLP have a key twice.
fn check_attributes(json: &Json) {
    match json {
        Json::Object(members) => members.values().for_each(check_attributes),
        Json::Array(elements) => {
            let mut keys = Vec::new();
            for element in elements {
                check_attributes(element);
                let pair = element.as_object().filter(|pair| pair.len() == 2);
                if let Some(pair) = pair
                    && let (Some(key), Some(_)) = (pair.get("key"), pair.get("value"))
                {
                    assert!(!keys.contains(&key), "{key} stands twice in {json}");
                    keys.push(key);
                }
            }
        }
        _ => {}
    }
}

/// Panics if an object at any level has a key twice, which serde_json accepts without a word.
fn check_keys(body: &str) {
    let bytes = body.as_bytes();
    let mut levels: Vec<Vec<String>> = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'{' => levels.push(Vec::new()),
            b'}' => drop(levels.pop()),
            b'"' => {
                let start = at;
                at += 1;
                while bytes[at] != b'"' {
                    at += if bytes[at] == b'\\' { 2 } else { 1 };
                }
                if bytes.get(at + 1) == Some(&b':') {
                    let key: String = serde_json::from_str(&body[start..=at]).expect("a string");
                    let level = levels.last_mut().expect("a key stands in an object");
                    assert!(!level.contains(&key), "{key:?} stands twice in {body}");
                    level.push(key);
                }
            }
            _ => {}
        }
        at += 1;
    }
}

fn format(input: &Input<'_>) -> Format {
    let mut builder = Format::builder()
        .schema(Schema::ALL[usize::from(input.schema) % Schema::ALL.len()])
        .max_record_bytes(4096 + usize::from(input.cap))
        .precision(Precision::Nanos)
        .show(Part::File)
        .show(Part::Span)
        .show(Part::TraceId);
    if input.nest {
        builder = builder.nest_fields("fields");
    }
    if input.redact {
        builder = builder.redact_defaults();
    }
    if input.unix_time {
        builder = builder.time_style(TimeStyle::Unix);
    }
    builder.build().expect("the options are valid")
}

fuzz_target!(|input: Input<'_>| {
    let format = format(&input);
    let mut span = format.span("request");
    for (id, key, field) in &input.span {
        write(span.record((*id).into(), name(key)), field);
    }
    let meta = Meta::new(Severity::Info, input.target).file(input.file);
    let fill = |record: &mut Record<'_>| {
        fill(record, &input.fields);
        record.spans([&span]);
    };
    let keep = |_: Severity, line: &[u8]| String::from_utf8(line.to_vec()).expect("UTF-8");
    let line = if input.call_site {
        let names = input.fields.iter().map(|(key, _)| name(key));
        format.call_site(&meta, names).encode(None, fill, keep)
    } else {
        format.encode(&meta, fill, keep)
    };
    let line = line.expect("no record is under way").result;
    assert!(line.len() <= 4096 + usize::from(input.cap));
    let body = line.strip_suffix('\n').expect("a line ends in a newline");
    assert!(!body.chars().any(char::is_control));
    let json: Json = serde_json::from_str(body).expect("valid JSON");
    let object = json.as_object().expect("an object");
    match Schema::ALL[usize::from(input.schema) % Schema::ALL.len()] {
        Schema::Default => assert_eq!(object["level"], "INFO"),
        Schema::Otel => check_attributes(&json),
        _ => {}
    }
    check_keys(body);
});
