//! What the members of a line mean, in each schema that the writer knows.

use std::borrow::Cow;

use crate::json::{self, Member, text};
use crate::level::Level;
use crate::time;

/// A line with its members sorted by what they mean.
#[derive(Debug, Default)]
pub struct Record<'l> {
    /// As it stands there, without quotes.
    pub time: Option<&'l str>,
    /// How bad it is.
    pub level: Option<Level>,
    /// Usually the path of a module.
    pub target: Option<Cow<'l, str>>,
    /// The text.
    pub message: Option<Cow<'l, str>>,
    /// The other members, as they stand there.
    pub fields: Vec<Member<'l>>,
    /// The spans, root first: each an array's element, as it stands there.
    pub spans: Vec<&'l str>,
    /// Fields and spans are pairs of OTLP.
    pub typed: bool,
}

/// The keys of a schema's metadata.
struct Keys {
    time: &'static str,
    level: &'static str,
    target: &'static str,
    message: &'static str,
}

const DEFAULT: Keys =
    Keys { time: "timestamp", level: "level", target: "target", message: "message" };
const ECS: Keys =
    Keys { time: "@timestamp", level: "log.level", target: "log.logger", message: "message" };
const GCP: Keys = Keys { time: "time", level: "severity", target: "target", message: "message" };
const BUNYAN: Keys = Keys { time: "time", level: "level", target: "target", message: "msg" };
const LOGXPY: Keys = Keys { time: "ts", level: "mt", target: "logger", message: "msg" };

/// What a line begins with that has no time: in Logxpy the id of the task.
const FIRST_WITHOUT_TIME: &[&str] =
    &["tid", "level", "log.level", "severity", "v", "target", "message", "fields"];

impl<'l> Record<'l> {
    /// Sorts the members of a line.
    pub fn of(members: impl Iterator<Item = Member<'l>>) -> Record<'l> {
        let mut record = Record { fields: members.collect(), ..Record::default() };
        if let Some(logs) = record.take("resourceLogs") {
            record.open_otlp(logs);
            return record;
        }
        let keys = record.keys();
        record.time = record.take(keys.time).map(|value| value.trim_matches('"'));
        record.level = record.take_as(keys.level, Level::of);
        record.target = record.take_as(keys.target, text);
        record.message = record.take_as(keys.message, text);
        if keys.time == LOGXPY.time {
            let trace = record.take_as("log_level", Level::of);
            record.level = trace.or(record.level);
        }
        if keys.time == DEFAULT.time && record.message.is_none() {
            record.open_nested();
        }
        if let Some(spans) = record.take_as("spans", span_list) {
            // It stands in the list as well.
            record.take_as("span", |span| spans.ends_with(&[span]).then_some(()));
            record.spans = spans;
        }
        record
    }

    /// The schema that the members show. The first key of a time tells: what comes later under
    /// such a key is a field of the program.
    fn keys(&self) -> Keys {
        let first = |of: &[&str]| self.fields.iter().map(|m| m.key).find(|key| of.contains(key));
        match first(&["@timestamp", "timestamp", "time", "ts"]) {
            Some("@timestamp") => ECS,
            Some("time") => match first(&["severity", "v"]) {
                Some("severity") => GCP,
                Some(_) => BUNYAN,
                None => DEFAULT,
            },
            Some("ts") if first(&["tid"]).is_some() => LOGXPY,
            // With the time hidden: no other schema has a `tid` before its own metadata.
            None if first(FIRST_WITHOUT_TIME) == Some("tid") && first(&["mt", "lvl"]).is_some() => {
                LOGXPY
            }
            _ => DEFAULT,
        }
    }

    /// Takes a member out of the fields.
    fn take(&mut self, key: &str) -> Option<&'l str> {
        let at = self.fields.iter().position(|member| member.key == key)?;
        Some(self.fields.remove(at).value)
    }

    /// Takes a member for which `read` has a meaning; any other stays a field.
    fn take_as<T>(&mut self, key: &str, read: impl FnOnce(&'l str) -> Option<T>) -> Option<T> {
        let at = self.fields.iter().position(|member| member.key == key)?;
        let meaning = read(self.fields[at].value)?;
        self.fields.remove(at);
        Some(meaning)
    }

    /// Message and fields stand in an object of their own, as in the schema of tracing-subscriber.
    fn open_nested(&mut self) {
        let Some(at) = self.fields.iter().position(|member| member.key == "fields") else { return };
        if self.fields[at].value.starts_with('{') {
            let nested = self.fields.remove(at).value;
            let after = self.fields.split_off(at);
            self.fields.extend(json::members(nested));
            self.message = self.take_as("message", text);
            self.fields.extend(after);
        }
    }

    /// One record of OTLP, in its frame.
    fn open_otlp(&mut self, logs: &'l str) {
        let member = |object: &'l str, key: &str| {
            json::members(object).iter().find(|member| member.key == key).map(|found| found.value)
        };
        let first =
            |object: &'l str, key: &str| json::elements(member(object, key)?).first().copied();
        self.typed = true;
        let Some(resource) = json::elements(logs).first().copied() else { return };
        let Some(scope) = first(resource, "scopeLogs") else { return };
        let Some(record) = first(scope, "logRecords") else { return };
        self.target = member(scope, "scope").and_then(|s| member(s, "name")).and_then(text);
        let mut number = None;
        for found in json::members(record) {
            match found.key {
                "timeUnixNano" => self.time = Some(found.value.trim_matches('"')),
                "severityText" => self.level = Level::of(found.value),
                "body" if found.value == "{}" => {}
                "body" => self.message = Some(self.value(found.value)),
                "severityNumber" => number = Some(found.value),
                "attributes" => self.fields.extend(pairs(found.value)),
                _ => self.fields.push(found),
            }
        }
        self.level = self.level.or_else(|| Level::of_otlp(number?));
        let resource = member(resource, "resource").and_then(|r| member(r, "attributes"));
        self.fields.extend(resource.map(pairs).into_iter().flatten());
        let list = |spans| member(member(spans, "arrayValue")?, "values").and_then(span_list);
        self.spans = self.take_as("spans", list).unwrap_or_default();
    }

    /// When it was, in microseconds since 1970.
    pub fn micros(&self) -> Option<i64> {
        time::micros(self.time?)
    }

    /// Whether it has a number in a sequence, which serves `verify` alone, and no fields of its own
    /// under these names.
    pub fn is_numbered(&self) -> bool {
        let is_text = |member: &Member<'_>| match self.typed {
            true => member.value.starts_with("{\"stringValue\""),
            false => member.value.starts_with('"'),
        };
        self.field("seq").is_some_and(|number| number.parse::<u64>().is_ok())
            && self.fields.iter().any(|member| member.key == "run" && is_text(member))
    }

    /// The value of a field, as text where it is a string, else as JSON. The key is as the program
    /// wrote it; a member of a value that is an object has the keys of both with a dot between.
    pub fn field(&self, key: &str) -> Option<Cow<'l, str>> {
        self.find(&self.fields, key)
    }

    /// The same of a member of a span.
    pub fn span_field(&self, span: &'l str, key: &str) -> Option<Cow<'l, str>> {
        self.find(&self.span(span).1, key)
    }

    fn find(&self, members: &[Member<'l>], key: &str) -> Option<Cow<'l, str>> {
        let named = |key: &str| members.iter().find(|member| member.is_called(key));
        if let Some(member) = named(key) {
            return Some(self.value(member.value));
        }
        key.match_indices('.').find_map(|(dot, _)| {
            let object = named(&key[..dot])?.value;
            self.find(&self.inside(object), &key[dot + 1..])
        })
    }

    /// A value of this record without the frame of its schema, strings decoded.
    pub fn value(&self, value: &'l str) -> Cow<'l, str> {
        if let Some(text) = text(value) {
            return text;
        }
        match &*json::members(if self.typed { value } else { "{}" }) {
            [only] if only.key.ends_with("Value") && only.key != "kvlistValue" => {
                text(only.value).unwrap_or(Cow::Borrowed(only.value))
            }
            [] if self.typed && value == "{}" => Cow::Borrowed("null"),
            _ => Cow::Borrowed(value),
        }
    }

    /// The name of a span and its fields.
    pub fn span(&self, span: &'l str) -> (Cow<'l, str>, Vec<Member<'l>>) {
        let mut members = self.inside(span);
        match members.iter().position(|member| member.key == "name") {
            Some(at) => (self.value(members.remove(at).value), members),
            None => (Cow::Borrowed(""), members),
        }
    }

    /// The members of a value that is an object.
    pub(crate) fn inside(&self, object: &'l str) -> Vec<Member<'l>> {
        let members = json::members(object);
        if !self.typed {
            return members;
        }
        let values = members.first().map(|list| json::members(list.value));
        values.and_then(|list| Some(pairs(list.first()?.value))).unwrap_or_default()
    }
}

/// The elements of a list of spans: of any other value nothing is known.
fn span_list(value: &str) -> Option<Vec<&str>> {
    let spans = json::elements(value);
    (!spans.is_empty() && spans.iter().all(|span| span.starts_with('{'))).then_some(spans)
}

/// The attributes of OTLP as members.
fn pairs(attributes: &str) -> Vec<Member<'_>> {
    let pair = |object| {
        let members = json::members(object);
        let find = |key: &str| members.iter().find(|member| member.key == key);
        let key = find("key")?.value;
        Some(Member { key: key.get(1..key.len() - 1)?, value: find("value")?.value })
    };
    json::elements(attributes).into_iter().filter_map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Scanner;

    #[test]
    fn a_line_of_no_schema_keeps_its_members_as_fields() {
        let line = r#"{"level":"WARN","time":1,"msg":"x","message":5,"spans":7}"#;
        let mut scanner = Scanner::default();
        let record = Record::of(scanner.object(line.as_bytes()).unwrap());
        assert_eq!((record.level, record.message.as_deref()), (Some(Level::Warn), None));
        let keys: Vec<_> = record.fields.iter().map(|member| member.key).collect();
        assert_eq!(keys, ["time", "msg", "message", "spans"]);
    }

    /// Each was taken for the level of this crate's lines, `TRACE`.
    #[test]
    fn a_level_beside_the_message_type_is_the_one_that_it_names() {
        for (name, level) in [("TRACE", Some(Level::Trace)), ("ERROR", Some(Level::Error))] {
            let line = format!(r#"{{"ts":1,"tid":"a","mt":"note","log_level":"{name}"}}"#);
            let mut scanner = Scanner::default();
            let record = Record::of(scanner.object(line.as_bytes()).unwrap());
            assert_eq!((record.level, record.fields.len()), (level, 1), "{line}");
        }
    }

    /// `tail` left them out, and found none by them.
    #[test]
    fn spans_of_another_program_stay_fields() {
        let otlp = r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"attributes":[
            {"key":"spans","value":{"intValue":"7"}}]}]}]}]}"#;
        for (line, fields) in [
            (r#"{"spans":7,"span":"a"}"#, vec![("spans", "7"), ("span", "a")]),
            (r#"{"spans":["a","b"]}"#, vec![("spans", r#"["a","b"]"#)]),
            (r#"{"spans":[],"span":{}}"#, vec![("spans", "[]"), ("span", "{}")]),
            (r#"{"spans":[{"name":"a"}],"span":"own"}"#, vec![("span", "own")]),
            (r#"{"spans":[{"name":"a"},{"name":"b"}],"span":{"name":"b"}}"#, vec![]),
            (&otlp.replace('\n', ""), vec![("spans", "7")]),
        ] {
            let mut scanner = Scanner::default();
            let record = Record::of(scanner.object(line.as_bytes()).unwrap());
            let found: Vec<_> =
                record.fields.iter().map(|field| (field.key, record.value(field.value))).collect();
            let fields: Vec<_> = fields.iter().map(|&(key, value)| (key, value.into())).collect();
            assert_eq!(found, fields, "{line}");
        }
    }

    /// They had neither level nor message.
    #[test]
    fn a_line_of_otlp_has_the_level_of_its_number_and_any_body_as_message() {
        for (line, level, message) in [
            (r#""severityNumber":17,"body":{"intValue":"5"}"#, Some(Level::Error), Some("5")),
            (r#""severityNumber":5,"body":{"stringValue":"m"}"#, Some(Level::Debug), Some("m")),
            (r#""severityNumber":1,"severityText":"WARN""#, Some(Level::Warn), None),
            (r#""severityNumber":0,"body":{}"#, None, None),
        ] {
            let line =
                format!(r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{{{line}}}]}}]}}]}}"#);
            let mut scanner = Scanner::default();
            let record = Record::of(scanner.object(line.as_bytes()).unwrap());
            assert_eq!((record.level, record.message.as_deref()), (level, message), "{line}");
        }
    }

    /// `tail` took the fields of a program for a number of a sequence.
    #[test]
    fn a_number_and_the_name_of_a_run_are_a_number() {
        for (line, is_numbered) in [
            (r#"{"run":"a","seq":1}"#, true),
            (r#"{"run":5,"seq":1}"#, false),
            (r#"{"run":"a","seq":-1}"#, false),
            (r#"{"run":"a"}"#, false),
        ] {
            let mut scanner = Scanner::default();
            let record = Record::of(scanner.object(line.as_bytes()).unwrap());
            assert_eq!(record.is_numbered(), is_numbered, "{line}");
        }
    }

    /// `tail --field` found none of these.
    #[test]
    fn a_field_is_found_by_the_key_that_the_program_wrote_and_inside_objects() {
        let otlp = r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"attributes":[
            {"key":"a","value":{"kvlistValue":{"values":[
                {"key":"b.c","value":{"intValue":"7"}}]}}}]}]}]}]}"#
            .replace('\n', "");
        for (line, key, value) in [
            (r#"{"a\"\u001b":"\n"}"#, "a\"\u{1b}", Some("\n")),
            (r#"{"shop":{"user":{"id":7}}}"#, "shop.user.id", Some("7")),
            (r#"{"a":{"b":1},"a.b":2}"#, "a.b", Some("2")),
            (r#"{"a.b":{"c.d":3},"a":{"b":4}}"#, "a.b.c.d", Some("3")),
            (r#"{"a":5}"#, "a.b", None),
            (&otlp.replace(r#""intValue":"7""#, ""), "a.b.c", Some("null")),
            (r#"{"a":5}"#, ".", None),
            (&otlp, "a.b.c", Some("7")),
        ] {
            let mut scanner = Scanner::default();
            let record = Record::of(scanner.object(line.as_bytes()).unwrap());
            assert_eq!(record.field(key).as_deref(), value, "{line} {key}");
        }
        let mut scanner = Scanner::default();
        let line = r#"{"spans":[{"name":"a","http":{"method":"GET"}}]}"#;
        let record = Record::of(scanner.object(line.as_bytes()).unwrap());
        let method = record.span_field(record.spans[0], "http.method");
        assert_eq!(method.as_deref(), Some("GET"));
    }

    #[test]
    fn broken_frames_of_otlp_are_harmless() {
        for line in [
            r#"{"resourceLogs":1}"#,
            r#"{"resourceLogs":[]}"#,
            r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"attributes":[1,{"key":""}]}]}]}]}"#,
            r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"attributes":[{"key":1,"value":2}]}]}]}]}"#,
        ] {
            let mut scanner = Scanner::default();
            let record = Record::of(scanner.object(line.as_bytes()).unwrap());
            assert_eq!((record.level, record.losses()), (None, None), "{line}");
        }
    }
}
