//! Whatever the options, and whatever their keys are called, the line is right.

use std::time::{Duration, UNIX_EPOCH};

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::reader::check_line;
use crate::Severity;
use crate::json::{
    CallSite, EncodedSpan, Format, FormatBuilder, Meta, Part, Record, Schema, SpanList, SpanMoment,
};

/// Keys that some schema has, those that others make of them, and some that need escapes or room.
#[rustfmt::skip]
const KEYS: &[&str] = &[
    "timestamp", "level", "target", "message", "span", "spans", "name", "trace_id", "span_id",
    "fields", "attributes", "truncated", "original_bytes", "log_level", "severityText", "body",
    "severityNumber", "timeUnixNano", "traceId", "spanId", "resourceLogs", "scope", "run", "seq",
    "a", "a_", "a__", "message_", "spans_", "mt", "msg", "tid", "lvl", "@timestamp", "log.level",
    "log", "ecs.version", "trace.id", "severity", "time", "v", "pid", "hostname", "file", "line",
    "module", "thread", "service.name", "process.pid", "task_id", "password", "key", "value", "",
    "\"", "\u{1b}\u{2028}\u{7f}", "\u{feff}",
    "a key that is so long that a few of it fill what is kept free at the end of a line: \
     ................................................................................................",
];

fn key() -> impl Strategy<Value = &'static str> {
    select(KEYS)
}

fn part() -> impl Strategy<Value = Part> {
    select(&Part::ALL[..])
}

#[derive(Debug, Clone)]
struct Options {
    schema: Schema,
    shown: Vec<(Part, bool)>,
    renamed: Vec<(Part, &'static str)>,
    fixed: Vec<&'static str>,
    nest: Option<&'static str>,
    group: Option<&'static str>,
    switches: [bool; 5],
}

fn options() -> impl Strategy<Value = Options> {
    let parts = (vec((part(), any::<bool>()), 0..6), vec((part(), key()), 0..3));
    let keys = (vec(key(), 0..3), option::weighted(0.3, key()), option::weighted(0.3, key()));
    (select(Schema::ALL), parts, keys, any::<[bool; 5]>()).prop_map(
        |(schema, (shown, renamed), (fixed, nest, group), switches)| Options {
            schema,
            shown,
            renamed,
            fixed,
            nest,
            group,
            switches,
        },
    )
}

impl Options {
    fn builder(&self) -> FormatBuilder {
        let [flat, sequence, redact, levels, prefix] = self.switches;
        let mut builder = Format::builder().schema(self.schema).max_record_bytes(8192);
        for &(part, shown) in &self.shown {
            builder = if shown { builder.show(part) } else { builder.hide(part) };
        }
        for &(part, key) in &self.renamed {
            builder = builder.rename(part, key);
        }
        for (number, key) in self.fixed.iter().enumerate() {
            builder = builder.static_field(key, |value| value.u64(7_000_000 + number as u64));
        }
        if let Some(key) = self.nest {
            builder = builder.nest_fields(key);
        }
        if let Some(key) = self.group {
            builder = builder.group_source(key);
        }
        if flat {
            builder = builder.flatten_spans();
        }
        if redact {
            builder = builder.redact_defaults();
        }
        if levels {
            builder = builder.level_names(["t\"", "d", "i", "w", "e"]);
        }
        if prefix {
            builder = builder.trace_prefix("projects/\"p\"/traces/");
        }
        builder.sequence(sequence)
    }
}

#[derive(Debug, Clone)]
struct Content {
    severity: Severity,
    fields: Vec<&'static str>,
    outer: Vec<&'static str>,
    inner: Vec<&'static str>,
    /// Before which field the message comes, and before which the spans.
    places: (usize, usize),
    /// A field of so many bytes in front.
    filled: Option<usize>,
}

fn content() -> impl Strategy<Value = Content> {
    let fields = || vec(key(), 0..8);
    let filled = option::weighted(0.4, prop_oneof![0usize..1000, 5000usize..9000]);
    let severity = select(&Severity::ALL[..]);
    (severity, fields(), fields(), fields(), (0..9usize, 0..9usize), filled).prop_map(
        |(severity, fields, outer, inner, places, filled)| Content {
            severity,
            fields,
            outer,
            inner,
            places,
            filled,
        },
    )
}

fn record_span(span: &mut EncodedSpan, names: &[&'static str], from: u64) {
    for (id, name) in names.iter().enumerate() {
        let value = span.record(id as u32, name);
        match id % 3 {
            0 if *name == "trace_id" => value.str("4bf92f3577b34da6a3ce929d0e0e4736"),
            1 if *name == "trace_id" => value.str(&"\u{1b}".repeat(21)),
            _ => value.u64(from + id as u64),
        }
    }
}

impl Content {
    fn spans(&self, format: &Format) -> [EncodedSpan; 2] {
        let mut outer = format.span("outer");
        record_span(&mut outer, &self.outer, 2_000_000);
        let mut inner = format.child_span("inner", &outer);
        record_span(&mut inner, &self.inner, 3_000_000);
        [outer, inner]
    }

    /// `write` gives the field its number.
    fn fill(
        &self,
        record: &mut Record<'_>,
        spans: &SpanList,
        write: impl Fn(&mut Record<'_>, usize, &str),
    ) {
        if let Some(bytes) = self.filled {
            record.field("filled").str(&"x".repeat(bytes));
        }
        for step in 0..=self.fields.len().max(8) {
            if step == self.places.0 {
                record.message().str("the message");
            }
            if step == self.places.1 {
                record.span_list(spans);
            }
            if let Some(name) = self.fields.get(step) {
                write(record, step, name);
            }
        }
    }
}

fn number(field: usize) -> u64 {
    1_000_000 + field as u64
}

/// The line, which must be one, by each way into the encoder.
fn lines(format: &Format, content: &Content) -> [(String, bool); 3] {
    // The digits of another time could be those of a value.
    let time = UNIX_EPOCH + Duration::from_millis(123);
    let meta = Meta::new(content.severity, "shop::\u{9b}")
        .time(time)
        .module(Some("shop"))
        .file(Some("src/\"shop\".rs"))
        .line(Some(7));
    let mut spans = SpanList::new();
    content.spans(format).iter().for_each(|span| spans.push(span));
    let take = |_: Severity, line: &[u8]| {
        check_line(line);
        String::from_utf8(line.to_vec()).unwrap()
    };
    let names = || content.fields.iter().copied();
    let through = |site: &CallSite, fill: &dyn Fn(&mut Record<'_>)| {
        let encoded = site.encode(Some(time), fill, take).unwrap();
        (encoded.result, encoded.truncated)
    };
    let plain = format.encode(
        &meta,
        |record| content.fill(record, &spans, |r, at, name| r.field(name).u64(number(at))),
        take,
    );
    let plain = plain.map(|encoded| (encoded.result, encoded.truncated)).unwrap();
    let site = through(&format.call_site(&meta, names()), &|record| {
        content.fill(record, &spans, |r, at, name| r.site_field(at, || name).u64(number(at)));
    });
    let expected = through(&format.expected_call_site(&meta, names()), &|record| {
        content.fill(record, &spans, |r, at, name| r.next_field(name).u64(number(at)));
    });
    [plain, site, expected]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn every_line_of_every_format_is_valid_and_whole(options in options(), content in content()) {
        // Options whose keys clash with one another are refused; that is the other half of the
        // rule.
        let Ok(format) = options.builder().build() else { return Ok(()) };
        let redacted = options.switches[2];
        for (line, truncated) in lines(&format, &content) {
            prop_assert!(line.len() <= 8192, "{} bytes", line.len());
            if truncated {
                continue;
            }
            for (at, name) in content.fields.iter().enumerate() {
                let found = line.matches(&number(at).to_string()).count();
                let wanted = usize::from(!(redacted && *name == "password"));
                prop_assert_eq!(found, wanted, "{} {}", name, line);
            }
            for (at, name) in options.fixed.iter().enumerate() {
                let found = line.matches(&(7_000_000 + at).to_string()).count();
                let wanted = usize::from(!(redacted && *name == "password"));
                prop_assert_eq!(found, wanted, "{} {}", name, line);
            }
        }
        let Ok(lines) = options.builder().span_lines() else { return Ok(()) };
        let mut spans = SpanList::new();
        content.spans(&format).iter().for_each(|span| spans.push(span));
        let meta = Meta::new(content.severity, "shop");
        let (busy, idle) = (Duration::MAX, Duration::ZERO);
        for moment in [SpanMoment::New, SpanMoment::Close { busy, idle, failed: true }] {
            lines.encode(&meta, "inner", moment, &spans, |_, line| {
                check_line(line);
                assert!(line.len() <= 8192);
            });
        }
    }
}
