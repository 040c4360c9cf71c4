//! Whatever the record, the line is one valid JSON object without a key twice.
//!
//! Run with `cargo +nightly fuzz run encode`.
#![no_main]

use std::fmt;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use serde_json::Value as Json;
use writer_core::Severity;
use writer_core::json::{Format, Meta, Part, Precision, Record, TimeStyle, Value};

#[derive(Debug, Arbitrary)]
struct Input<'a> {
    /// Added to the smallest cap, so that lines are often cut.
    cap: u16,
    nest: bool,
    unix_time: bool,
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

const TAKEN: [&str; 8] =
    ["level", "target", "timestamp", "message", "span", "spans", "truncated", "original_bytes"];

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
    for (key, field) in fields {
        match key {
            Name::Message => write(record.message(), field),
            key => write(record.field(name(key)), field),
        }
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

fuzz_target!(|input: Input<'_>| {
    let cap = 4096 + usize::from(input.cap);
    let mut builder = Format::builder()
        .max_record_bytes(cap)
        .precision(Precision::Nanos)
        .show(Part::File)
        .show(Part::Span);
    if input.nest {
        builder = builder.nest_fields("fields");
    }
    if input.unix_time {
        builder = builder.time_style(TimeStyle::Unix);
    }
    let format = builder.build().expect("the options are valid");
    let mut span = format.span("request");
    for (id, key, field) in &input.span {
        write(span.record((*id).into(), name(key)), field);
    }
    let meta = Meta::new(Severity::Info, input.target).file(input.file);
    let line = format.encode(
        &meta,
        |record| {
            fill(record, &input.fields);
            record.spans([&span]);
        },
        |_, line| String::from_utf8(line.to_vec()).expect("a line is UTF-8"),
    );
    let line = line.expect("no record is under way").result;
    assert!(line.len() <= cap);
    let body = line.strip_suffix('\n').expect("a line ends in a newline");
    assert!(!body.chars().any(char::is_control));
    let object: serde_json::Map<String, Json> = serde_json::from_str(body).expect("valid JSON");
    assert_eq!(object["level"], "INFO");
    check_keys(body);
});
