//! The encoder allocates nothing once its buffers have grown.

use crate::ALLOCATIONS;
use writer_core::Severity;
use writer_core::json::{Format, Meta, Part, Record};

/// How often a record allocates, once a hundred have been encoded.
fn allocations(format: &Format, fill: impl Fn(&mut Record<'_>)) -> u64 {
    let meta = Meta::new(Severity::Info, "shop::orders").file(Some("src/orders.rs")).line(Some(7));
    let mut bytes = 0;
    let mut rounds = |count| {
        for _ in 0..count {
            format.encode(&meta, &fill, |_, line| bytes += line.len());
        }
    };
    rounds(100);
    let before = ALLOCATIONS.get();
    rounds(1000);
    let after = ALLOCATIONS.get();
    assert!(bytes > 0);
    after - before
}

#[test]
fn a_record_of_each_kind_of_value_allocates_nothing() {
    let format = Format::default();
    let text = "x\u{1b}é".repeat(2000);
    let error = std::io::Error::other("a cause");
    let before = ALLOCATIONS.get();
    drop(std::hint::black_box(vec![1]));
    assert_eq!(ALLOCATIONS.get(), before + 1, "the allocator does not count");
    let count = allocations(&format, |record| {
        record.message().args(format_args!("request {} handled", 7));
        record.field("text").str(&text);
        record.field("text").u64(1);
        record.field("float").f64(0.1);
        record.field("wide").u128(u128::MAX);
        record.field("bytes").bytes(text.as_bytes());
        record.field("debug").debug(&Some("\n"));
        record.field("error").error(&error);
        record.field("x\"y").null();
    });
    assert_eq!(count, 0);
}

#[test]
fn spans_and_all_parts_allocate_nothing() {
    let builder = [Part::Module, Part::File, Part::Line, Part::ThreadName, Part::ThreadId];
    let builder = builder.into_iter().fold(Format::builder(), |builder, part| builder.show(part));
    let format = builder.nest_fields("fields").build().unwrap();
    let mut span = format.span("request");
    span.record(0, "id").u64(1);
    let count = allocations(&format, |record| {
        record.field("a").u64(1);
        record.message().str("late");
        record.spans([&span, &span]);
    });
    assert_eq!(count, 0);
}

#[test]
fn a_hundred_fields_allocate_nothing() {
    let names: Vec<String> = (0..100).map(|field| format!("field_{field}")).collect();
    let count = allocations(&Format::default(), |record| {
        for name in &names {
            record.field(name).bool(true);
        }
    });
    assert_eq!(count, 0);
}

#[test]
fn a_long_line_that_is_cut_allocates_nothing() {
    let format = Format::builder().max_record_bytes(8192).build().unwrap();
    let text = "0123456789".repeat(10_000);
    let count = allocations(&format, |record| {
        record.message().display(&text);
        record.field("later").debug(&text);
    });
    assert_eq!(count, 0);
}

#[cfg(feature = "serde")]
#[test]
fn a_nested_value_allocates_nothing() {
    let value = serde_json::json!({"a": [1, 2.5, null, {"b": "c\n"}], "d": {"e": true}});
    let count = allocations(&Format::default(), |record| record.field("nested").serialize(&value));
    assert_eq!(count, 0);
}

#[cfg(feature = "sval")]
#[test]
fn a_streamed_value_allocates_nothing() {
    let value = (("a\n", [1, 2]), [Some("text"), None], [[[0.5]]]);
    let count = allocations(&Format::default(), |record| record.field("nested").sval(&value));
    assert_eq!(count, 0);
}

/// From eleven objects in options on, each record did.
#[cfg(feature = "sval")]
#[test]
fn a_streamed_value_of_as_many_levels_as_are_free_allocates_nothing() {
    let value = Some([Some([Some([Some([Some([Some([Some([Some([1])])])])])])])]);
    let value = Some([Some([Some([Some([Some([Some([Some([value])])])])])])]);
    let format = Format::default();
    let count = allocations(&format, |record| record.field("nested").sval(&value));
    assert_eq!(count, 0);
}
