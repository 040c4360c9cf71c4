//! What is captured by sval.

use ::sval::{Result, Stream};

use super::*;

impl ::sval::Value for Deep {
    fn stream<'sval, S: Stream<'sval> + ?Sized>(&'sval self, stream: &mut S) -> Result {
        (0..self.0).try_for_each(|_| {
            stream.seq_begin(Some(1))?;
            stream.seq_value_begin()
        })?;
        match self.1 {
            None => stream.u64(1)?,
            Some(Bad::Fails) => return ::sval::error(),
            Some(Bad::Panics) => panic!("on purpose"),
        }
        (0..self.0).try_for_each(|_| {
            stream.seq_value_end()?;
            stream.seq_end()
        })
    }
}

#[test]
fn lists_and_maps_nest() {
    let list = vec![vec![1, 2], vec![], vec![3]];
    let bytes = ::sval::BinaryArray::new(&[0, 0xff]);
    let map = std::collections::BTreeMap::from([("a", vec![1, 2]), ("b\"", vec![])]);
    let (line, metrics) = one(|logger| {
        log::info!(logger: logger,
            list:sval = list, map:sval = map, pair:sval = ("a\n", 19.99),
            some:sval = Some("x"), none:sval = None::<u64>, text:sval = "12345",
            number:sval = 7, bytes:sval = bytes; "nested");
    });
    assert_eq!(line["bytes"], "00ff");
    assert_eq!(line["list"], json!([[1, 2], [], [3]]));
    assert_eq!(line["map"], json!({"a": [1, 2], "b\"": []}));
    assert_eq!(line["pair"], json!(["a\n", 19.99]));
    assert_eq!((&line["some"], &line["none"]), (&json!("x"), &Value::Null));
    assert_eq!((&line["text"], &line["number"]), (&json!("12345"), &json!(7)));
    assert_eq!(metrics.format_errors, 0);
}

#[test]
fn a_value_that_fails_or_panics_inside_is_replaced_whole() {
    for (bad, marker) in [(Bad::Fails, FORMAT_ERROR), (Bad::Panics, FORMAT_PANIC)] {
        let bad = Deep(3, Some(bad));
        let (line, metrics) = one(|logger| {
            log::info!(logger: logger, before = 1, bad:sval = bad, after = 2; "kept");
        });
        assert_eq!(
            (&line["before"], &line["bad"], &line["after"]),
            (&json!(1), &json!(marker), &json!(2))
        );
        assert_eq!(metrics.format_errors, 1);
    }
}

#[test]
fn a_value_that_fails_or_panics_at_once_costs_only_itself() {
    for (bad, marker) in [(Bad::Fails, FORMAT_ERROR), (Bad::Panics, FORMAT_PANIC)] {
        let bad = Deep(0, Some(bad));
        let (line, metrics) = one(|logger| {
            log::info!(logger: logger, before = 1, bad:sval = bad, after = 2; "kept");
        });
        costs_only_itself(&line, &metrics, marker);
    }
}

/// It came as two fields: `"bad":1,"bad_":"<format_error>"`.
#[test]
fn a_value_that_fails_after_a_number_is_replaced_whole() {
    struct Late;
    impl ::sval::Value for Late {
        fn stream<'sval, S: Stream<'sval> + ?Sized>(&'sval self, stream: &mut S) -> Result {
            stream.u64(1)?;
            ::sval::error()
        }
    }
    let (line, metrics) = one(|logger| {
        log::info!(logger: logger, before = 1, bad:sval = Late, after = 2; "kept");
    });
    costs_only_itself(&line, &metrics, FORMAT_ERROR);
}

/// At the top it came as its number alone.
#[test]
fn a_variant_keeps_its_name_at_the_top_as_inside() {
    struct Refund;
    impl ::sval::Value for Refund {
        fn stream<'sval, S: Stream<'sval> + ?Sized>(&'sval self, stream: &mut S) -> Result {
            let (name, label) = (::sval::Label::new("Payment"), ::sval::Label::new("Refund"));
            stream.enum_begin(None, Some(&name), None)?;
            stream.tagged_begin(None, Some(&label), None)?;
            stream.u64(5)?;
            stream.tagged_end(None, Some(&label), None)?;
            stream.enum_end(None, Some(&name), None)
        }
    }
    let (line, metrics) = one(|logger| {
        log::info!(logger: logger, top:sval = Refund, list:sval = [Refund]; "m");
    });
    let refund = json!({"Refund": 5});
    assert_eq!((&line["top"], &line["list"]), (&refund, &json!([refund])));
    assert_eq!(metrics.format_errors, 0);
}

#[test]
fn a_secret_at_the_top_is_not_looked_at() {
    let secret = Deep(0, Some(Bad::Panics));
    let (line, metrics) = one_of(LogBuilder::redact_defaults, |logger| {
        log::info!(logger: logger, before = 1, password:sval = secret, after = 2; "kept");
    });
    assert_eq!((&line["password"], &line["after"]), (&json!(REDACTED), &json!(2)));
    assert_eq!(metrics.format_errors, 0);
}

#[test]
fn ten_thousand_levels_are_replaced_and_sixty_are_not() {
    let (sixty, many) = (Deep(60, None), Deep(10_000, None));
    let (line, metrics) = one(|logger| {
        log::info!(logger: logger, sixty:sval = sixty, many:sval = many, after = 2; "deep");
    });
    let expected = format!("{}1{}", "[".repeat(60), "]".repeat(60));
    assert_eq!(line["sixty"].to_string(), expected);
    assert_eq!((&line["many"], &line["after"]), (&json!(TOO_DEEP), &json!(2)));
    assert_eq!(metrics.format_errors, 1);
}

#[test]
fn a_source_that_repeats_itself_loses_nothing() {
    repeated(kv::Value::from_sval(&(1, [2])));
}
