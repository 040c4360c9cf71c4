//! Options of a format whose effect no test of the encoder's parts shows.

use writer_core::Severity;
use writer_core::json::{Format, FormatBuilder, Meta, NonFinite, Record, Schema};

fn lines(format: FormatBuilder, count: usize, body: impl Fn(&mut Record<'_>)) -> Vec<String> {
    let format = format.build().unwrap();
    let line = |_| {
        let mut line = String::new();
        format.encode(
            &Meta::new(Severity::Info, "shop"),
            |record| body(record),
            |_, encoded| line.push_str(str::from_utf8(encoded).unwrap()),
        );
        line
    };
    (0..count).map(line).collect()
}

#[test]
fn floats_that_are_not_finite_are_null_or_strings_as_the_program_or_the_schema_says() {
    let cases = [
        (Schema::Default, None, r#""a":"NaN","b":"-Infinity""#),
        (Schema::Default, Some(NonFinite::Null), r#""a":null,"b":null"#),
        (Schema::Gcp, None, r#""a":null,"b":null"#),
        (Schema::Gcp, Some(NonFinite::Strings), r#""a":"NaN","b":"-Infinity""#),
    ];
    for (schema, style, expected) in cases {
        let builder = Format::builder().schema(schema);
        let builder = style.into_iter().fold(builder, FormatBuilder::non_finite);
        let lines = lines(builder, 1, |record| {
            record.field("a").f64(f64::NAN);
            record.field("b").f64(f64::NEG_INFINITY);
        });
        assert!(lines[0].contains(expected), "{schema:?} {style:?}: {}", lines[0]);
    }
}

/// Each name that the documentation of `redact_defaults` lists.
#[test]
fn the_usual_names_of_secrets_are_known() {
    let names = [
        "password",
        "passwd",
        "pwd",
        "passphrase",
        "secret",
        "token",
        "authorization",
        "cookie",
        "set-cookie",
        "api_key",
        "apikey",
        "access_key",
        "private_key",
        "credential",
        "credentials",
    ];
    for name in names {
        let lines = lines(Format::builder().redact_defaults(), 1, |record| {
            record.field(name).str("hunter2");
        });
        assert!(lines[0].contains(&format!("\"{name}\":\"[redacted]\"")), "{}", lines[0]);
    }
}

/// The coarse one stands still while many of these lines are made.
#[test]
#[cfg(target_os = "linux")]
fn a_format_takes_its_times_from_the_clock_that_the_program_names() {
    use std::collections::HashSet;
    use writer_core::json::{Precision, TimeSource};

    let different = |source| {
        let builder = Format::builder().precision(Precision::Nanos).time_source(source);
        lines(builder, 1000, |_| ()).into_iter().collect::<HashSet<_>>().len()
    };
    let [coarse, system] = [TimeSource::Coarse, TimeSource::System].map(different);
    assert!(coarse < system, "{coarse} {system}");
}
