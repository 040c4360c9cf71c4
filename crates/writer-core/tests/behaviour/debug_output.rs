//! What `Debug` prints of the public types: no text of records and no value of a static field.

use std::io::Write as _;

use crate::canary::{CANARY, hides};
use writer_core::json::{Format, Meta, Part, Schema, SpanList};
use writer_core::{Mode, Severity, WriteSink, Writer};

#[test]
fn formats_records_and_spans_show_no_values() {
    for &schema in Schema::ALL {
        let builder = Format::builder()
            .schema(schema)
            .show(Part::TraceId)
            .static_field("api_key", |value| value.str(CANARY))
            .static_field("service", |value| value.str(CANARY));
        hides(&builder);
        assert!(format!("{builder:?}").contains("api_key"));
        let span_lines = builder.span_lines().unwrap();
        let format = builder.redact_defaults().build().unwrap();
        hides(&span_lines);
        hides(&format);
        let mut span = format.span(CANARY);
        span.record(0, "trace_id").str(CANARY);
        span.record(1, CANARY).str(CANARY);
        hides(&span.record(2, CANARY));
        hides(&span);
        let mut list = SpanList::new();
        list.push(&span);
        hides(&list);
        let meta = Meta::new(Severity::Info, "shop");
        let site = format.call_site(&meta, [CANARY, "password"]);
        hides(&site);
        let fill = |record: &mut writer_core::json::Record<'_>| {
            record.message().str(CANARY);
            record.site_field(0, || CANARY).str(CANARY);
            record.field(CANARY).str(CANARY);
            record.field("password").str(CANARY);
            hides(record);
            hides(&record.field(CANARY));
            hides(&record.site_field(1, || "password"));
            record.span_list(&list);
            hides(record);
        };
        hides(&site.encode(None, fill, |_, _| ()));
        hides(&format.encode(&meta, fill, |_, _| ()));
    }
}

#[test]
fn writers_show_no_lines() {
    let builder = Writer::to(WriteSink::new(std::io::sink())).mode(Mode::Manual);
    hides(&builder);
    let (writer, guard) = builder.build().unwrap();
    writer.send(CANARY).unwrap();
    let mut lines = writer.line_writer();
    lines.write_all(CANARY.as_bytes()).unwrap();
    hides(&lines);
    assert!(format!("{lines:?}").contains("fragment: <11 bytes>"));
    hides(&writer);
    hides(&guard);
    hides(&writer.metrics());
    hides(writer.config());
}

#[cfg(feature = "capture")]
#[test]
fn captures_show_no_lines() {
    use writer_core::capture::{self, Capture};

    let (writer, _guard) = capture::builder().build().unwrap();
    let capture = Capture::start();
    writer.send(CANARY).unwrap();
    assert_eq!(capture.lines(), [CANARY]);
    hides(&capture);
    hides(&capture.handle());
    hides(&capture.handle().enter());
}
