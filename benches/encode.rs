//! The price of turning a record into a line, without queue and file.
//!
//! `cargo bench --bench encode [-- --quick WORD]`
//!
//! Records without fields, with the four of the common event, and with sixteen; the event in one
//! span and in four, with two fields each; and one whose strings need escaping. The metadata is
//! prepared per call site as the adapters do it, the clock is read for each record. That each line
//! is what it should be is checked before it is measured.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use writer_benches::Event;
use writer_core::Severity;
use writer_core::json::{CallSite, Format, Meta, Record, SpanList};

const NAMES: [&str; 16] = [
    "user_id",
    "latency_ms",
    "path",
    "ok",
    "method",
    "status",
    "bytes_in",
    "bytes_out",
    "host",
    "region",
    "zone",
    "shard",
    "retries",
    "cache_hit",
    "trace_flags",
    "queue_depth",
];

/// The common event, once or up to four times over: fields of each kind.
fn fill(record: &mut Record<'_>, number: u64, fields: usize) {
    let Event { user_id, latency_ms, path, ok } = Event::new(number);
    record.message().str("request handled");
    for (position, name) in NAMES.into_iter().enumerate().take(fields) {
        let value = record.site_field(position, || name);
        match position % 4 {
            0 => value.u64(user_id),
            1 => value.f64(latency_ms),
            2 => value.str(path),
            _ => value.bool(ok),
        }
    }
}

fn escaped(record: &mut Record<'_>) {
    record.message().str("failed to parse \"config.toml\":\n\tunexpected '\\' in line 7");
    record.site_field(0, || NAMES[0]).str("C:\\Users\\r\u{e9}mi\\\"quoted\"\u{1}");
}

/// Prepares the call site of a record with the first so many names.
fn site(format: &Format, fields: usize) -> CallSite {
    let meta = Meta::new(Severity::Info, "shop::orders").line(Some(7));
    format.call_site(&meta, NAMES.into_iter().take(fields))
}

fn bench(
    criterion: &mut Criterion,
    name: &str,
    site: &CallSite,
    shows: &str,
    fill: impl Fn(&mut Record<'_>, u64),
) {
    let mut group = criterion.benchmark_group("encode");
    let mut bytes = 0;
    site.encode(
        None,
        |record| fill(record, 1),
        |_, line| {
            let text = std::str::from_utf8(line).expect("UTF-8");
            assert!(text.contains(shows) && text.ends_with("}\n"), "{text}");
            bytes = line.len();
        },
    );
    group.throughput(Throughput::Bytes(bytes as u64));
    let mut number = 0;
    group.bench_function(format!("{name} ({bytes} bytes)"), |bencher| {
        bencher.iter(|| {
            number += 1;
            site.encode(None, |record| fill(record, number), |_, line| black_box(line.len()))
        });
    });
    group.finish();
}

fn encode(criterion: &mut Criterion) {
    let format = Format::default();
    for (fields, shows) in [
        (0, "\"message\":\"request handled\"}"),
        (4, "\"path\":\"/api/v1/orders\",\"ok\":false}"),
        (16, "\"queue_depth\":false}"),
    ] {
        let site = site(&format, fields);
        bench(criterion, &format!("{fields} fields"), &site, shows, |record, number| {
            fill(record, number, fields);
        });
    }
    for depth in [1, 4] {
        let mut list = SpanList::default();
        for depth in 0..depth {
            let mut span = format.span("request");
            span.record(0, "request_id").str("7f3a9c");
            span.record(1, "depth").u64(depth);
            list.push(&span);
        }
        let site = site(&format, 4);
        bench(
            criterion,
            &format!("4 fields in {depth} spans"),
            &site,
            "\"spans\":[{\"name\":\"request\",\"request_id\":\"7f3a9c\",\"depth\":0}",
            |record, number| {
                fill(record, number, 4);
                record.span_list(&list);
            },
        );
    }
    let site = site(&format, 1);
    let shows = "\"failed to parse \\\"config.toml\\\":\\n\\tunexpected";
    bench(criterion, "strings to escape", &site, shows, |record, _| escaped(record));
}

criterion_group!(benches, encode);
criterion_main!(benches);
