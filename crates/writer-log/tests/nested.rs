//! Key-values captured by serde and by sval, and what these features leave as it is.
#![cfg(any(feature = "serde", feature = "sval"))]
#![allow(missing_docs, clippy::unwrap_used)]

use std::fmt;
use std::time::Duration;

use log::kv::{self, Key, Source, VisitSource};
use log::{Log, Record};
use serde_json::{Value, json};
use writer_core::Metrics;
use writer_core::json::{FORMAT_ERROR, FORMAT_PANIC, REDACTED, Schema, TOO_DEEP};
use writer_log::{LogBuilder, Logger};

/// Logs to a logger of its own; the only line, and the metrics.
fn one(log: impl FnOnce(&Logger)) -> (Value, Metrics) {
    one_of(|builder| builder, log)
}

/// The same with a changed builder.
fn one_of(
    change: impl FnOnce(LogBuilder) -> LogBuilder,
    log: impl FnOnce(&Logger),
) -> (Value, Metrics) {
    log::set_max_level(log::LevelFilter::Trace);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.jsonl");
    let (logger, guard) = change(writer_log::builder(&path).filter("trace")).build().unwrap();
    log(&logger);
    guard.writer().flush(Duration::from_secs(10)).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text.matches('\n').count(), 1, "{text}");
    assert!(text.ends_with('\n') && !text.contains(|c: char| c < ' ' && c != '\n'), "{text}");
    (serde_json::from_str(&text).unwrap(), guard.writer().metrics())
}

/// Prints a beginning, then does what it must not.
enum Bad {
    Fails,
    Panics,
}

impl fmt::Display for Bad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("begun")?;
        match self {
            Bad::Fails => Err(fmt::Error),
            Bad::Panics => panic!("on purpose"),
        }
    }
}

#[test]
fn what_is_captured_by_debug_and_display_stays_a_string() {
    #[derive(Debug)]
    struct Order {
        #[allow(dead_code)]
        id: u64,
    }
    let none: Option<u64> = None;
    let (line, metrics) = one(|logger| {
        log::info!(logger: logger,
            debug:? = Order { id: 7 }, list:? = [1, 2], display:% = std::net::Ipv4Addr::LOCALHOST,
            number:% = 12345, text = "12345", nothing:? = none, hostile:% = "a\"b\n\u{1b}[31m";
            "strings");
    });
    assert_eq!(line["debug"], "Order { id: 7 }");
    assert_eq!(line["list"], "[1, 2]");
    assert_eq!(line["display"], "127.0.0.1");
    assert_eq!(line["text"], "12345");
    assert_eq!(line["hostile"], "a\"b\n\u{1b}[31m");
    assert_eq!(metrics.format_errors, 0);
    // As without the features: `log` looks through the capture and finds these types.
    assert_eq!(line["number"], "12345");
    assert_eq!(line["nothing"], "None");
}

#[test]
fn what_is_captured_as_a_number_keeps_its_type() {
    let error = "x".parse::<i32>().unwrap_err();
    let (line, _) = one(|logger| {
        log::info!(logger: logger,
            big = u64::MAX, small = i64::MIN, huge = u128::MAX, float = 1.5, nan = f64::NAN,
            flag = true, letter = 'ß', none = None::<u64>, error:err = error; "typed");
    });
    assert_eq!(line["big"], u64::MAX);
    assert_eq!(line["small"], i64::MIN);
    assert_eq!(line["huge"], u128::MAX.to_string());
    assert_eq!((&line["float"], &line["nan"]), (&json!(1.5), &json!("NaN")));
    assert_eq!((&line["flag"], &line["letter"]), (&json!(true), &json!("ß")));
    assert_eq!(line["none"], Value::Null);
    assert_eq!(line["error"], "invalid digit found in string");
}

#[test]
fn the_schema_that_leaves_out_what_is_nothing_leaves_it_out() {
    let (line, _) = one_of(
        |builder| builder.schema(Schema::Tracing),
        |logger| log::info!(logger: logger, before = 1, none = None::<u64>, after = 2; "m"),
    );
    let fields = line["fields"].as_object().unwrap();
    assert_eq!((&fields["before"], &fields["after"]), (&json!(1), &json!(2)));
    assert!(!fields.contains_key("none"), "{line}");
}

/// The line of a bad value between two good ones has `marker` in its place.
fn costs_only_itself(line: &Value, metrics: &Metrics, marker: &str) {
    assert_eq!(
        (&line["before"], &line["bad"], &line["after"]),
        (&json!(1), &json!(marker), &json!(2))
    );
    assert_eq!(line.get("bad_"), None);
    assert_eq!(metrics.format_errors, 1);
}

#[test]
fn a_display_that_fails_or_panics_costs_only_itself() {
    for (bad, marker) in [(Bad::Fails, FORMAT_ERROR), (Bad::Panics, FORMAT_PANIC)] {
        let (line, metrics) = one(|logger| {
            log::info!(logger: logger, before = 1, bad:% = bad, after = 2; "kept");
        });
        assert_eq!(
            (&line["before"], &line["bad"], &line["after"], &line["message"]),
            (&json!(1), &json!(marker), &json!(2), &json!("kept"))
        );
        assert_eq!(metrics.format_errors, 1);
    }
}

/// Visits its pairs twice and repeats a key, with values that are arrays where they can be.
struct Repeating<'v>(kv::Value<'v>);

impl Source for Repeating<'_> {
    fn visit<'kvs>(&'kvs self, visitor: &mut dyn VisitSource<'kvs>) -> Result<(), kv::Error> {
        for _ in 0..2 {
            visitor.visit_pair(Key::from("a"), self.0.clone())?;
            visitor.visit_pair(Key::from("a"), kv::Value::from("second"))?;
        }
        Ok(())
    }
}

fn repeated(value: kv::Value<'_>) {
    let source = Repeating(value);
    let (line, _) = one(|logger| {
        let mut record = Record::builder();
        record.key_values(&source).args(format_args!("m"));
        logger.log(&record.build());
    });
    assert_eq!((&line["a"], &line["a_"]), (&json!([1, [2]]), &json!("second")));
    assert_eq!((&line["a__"], &line["a___"]), (&json!([1, [2]]), &json!("second")));
}

/// A value that nests this deep, or fails or panics at its end.
struct Deep(u32, Option<Bad>);

#[cfg(feature = "serde")]
mod serde {
    use std::collections::BTreeMap;

    use serde_core::ser::{
        Error, Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeTupleVariant,
        Serializer,
    };

    use super::*;

    impl Serialize for Deep {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            match (self.0, &self.1) {
                (0, None) => serializer.serialize_u64(1),
                (0, Some(Bad::Fails)) => Err(S::Error::custom("on purpose")),
                (0, Some(Bad::Panics)) => panic!("on purpose"),
                (depth, _) => {
                    let mut list = serializer.serialize_seq(Some(1))?;
                    let bad = self.1.as_ref().map(|bad| match bad {
                        Bad::Fails => Bad::Fails,
                        Bad::Panics => Bad::Panics,
                    });
                    list.serialize_element(&Deep(depth - 1, bad))?;
                    list.end()
                }
            }
        }
    }

    #[test]
    fn lists_and_maps_nest() {
        let value = json!({
            "str": "a\"b\n", "num": 42, "neg": -42, "zero": 0, "float": 19.99, "yes": true,
            "no": false, "none": null, "list": [1, 2, 3], "text": "12345",
            "nested": {"deeper": {"deepest": [{"end": "世界 🌍"}]}}, "empty": {}, "void": [],
        });
        let map = BTreeMap::from([("a", vec![1, 2]), ("b\"", vec![])]);
        let (line, metrics) = one(|logger| {
            log::info!(logger: logger,
                value:serde = value, map:serde = map, list:serde = [1, 2, 3],
                some:serde = Some("x"), none:serde = None::<u64>, text:serde = "12345",
                number:serde = 7; "nested");
        });
        assert_eq!(line["value"], value);
        assert_eq!(line["map"], json!({"a": [1, 2], "b\"": []}));
        assert_eq!(line["list"], json!([1, 2, 3]));
        assert_eq!((&line["some"], &line["none"]), (&json!("x"), &Value::Null));
        assert_eq!((&line["text"], &line["number"]), (&json!("12345"), &json!(7)));
        assert_eq!(metrics.format_errors, 0);
    }

    #[test]
    fn a_value_that_fails_or_panics_inside_is_replaced_whole() {
        for (bad, marker) in [(Bad::Fails, FORMAT_ERROR), (Bad::Panics, FORMAT_PANIC)] {
            let bad = Deep(3, Some(bad));
            let (line, metrics) = one(|logger| {
                log::info!(logger: logger, before = 1, bad:serde = bad, after = 2; "kept");
            });
            assert_eq!(
                (&line["before"], &line["bad"], &line["after"]),
                (&json!(1), &json!(marker), &json!(2))
            );
            assert_eq!(metrics.format_errors, 1);
        }
    }

    /// The value at the top was serialized twice, the first time outside of the encoder.
    #[test]
    fn a_value_that_fails_or_panics_at_once_costs_only_itself() {
        for (bad, marker) in [(Bad::Fails, FORMAT_ERROR), (Bad::Panics, FORMAT_PANIC)] {
            let bad = Deep(0, Some(bad));
            let (line, metrics) = one(|logger| {
                log::info!(logger: logger, before = 1, bad:serde = bad, after = 2; "kept");
            });
            costs_only_itself(&line, &metrics, marker);
        }
    }

    #[test]
    fn a_value_collected_from_a_display_that_fails_or_panics_costs_only_itself() {
        struct Collected(Bad);
        impl Serialize for Collected {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(&self.0)
            }
        }
        for (bad, marker) in [(Bad::Fails, FORMAT_ERROR), (Bad::Panics, FORMAT_PANIC)] {
            let bad = Collected(bad);
            let (line, metrics) = one(|logger| {
                log::info!(logger: logger, before = 1, bad:serde = bad, after = 2; "kept");
            });
            costs_only_itself(&line, &metrics, marker);
        }
    }

    #[test]
    fn a_value_that_can_be_serialized_only_once_is_written() {
        struct Once(std::cell::Cell<Option<Vec<u32>>>);
        impl Serialize for Once {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self.0.take() {
                    Some(list) => serializer.collect_seq(list),
                    None => Err(S::Error::custom("the second time")),
                }
            }
        }
        let list = Once(std::cell::Cell::new(Some(vec![1, 2])));
        let (line, metrics) = one(|logger| log::info!(logger: logger, list:serde = list; "once"));
        assert_eq!((&line["list"], metrics.format_errors), (&json!([1, 2]), 0));
    }

    #[test]
    fn a_secret_at_the_top_is_not_looked_at() {
        let secret = Deep(0, Some(Bad::Panics));
        let (line, metrics) = one_of(LogBuilder::redact_defaults, |logger| {
            log::info!(logger: logger, before = 1, password:serde = secret, after = 2; "kept");
        });
        assert_eq!((&line["password"], &line["after"]), (&json!(REDACTED), &json!(2)));
        assert_eq!(metrics.format_errors, 0);
    }

    /// What serde_json makes of a number of any length and of a `RawValue`.
    struct Private(&'static str, &'static str);

    impl Serialize for Private {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut fields = serializer.serialize_struct(self.0, 1)?;
            fields.serialize_field(self.0, self.1)?;
            fields.end()
        }
    }

    /// With `sval` on besides they were objects with these names as keys.
    #[test]
    fn the_private_types_of_serde_json_are_what_they_stand_for() {
        let number = |text| Private("$serde_json::private::Number", text);
        let raw = |text| Private("$serde_json::private::RawValue", text);
        let (line, metrics) = one_of(LogBuilder::redact_defaults, |logger| {
            log::info!(logger: logger,
                top:serde = number("0.25"), list:serde = [number("7"), number("1e-400")],
                body:serde = raw(r#"{"user": "ann", "password": "canary"}"#),
                bodies:serde = [raw("[1,\n2]"), raw("[1")]; "private");
        });
        assert_eq!((&line["top"], &line["list"]), (&json!(0.25), &json!([7, "1e-400"])));
        assert_eq!(line["body"], json!({"user": "ann", "password": REDACTED}));
        assert_eq!(line["bodies"], json!([[1, 2], "[1"]));
        assert_eq!(metrics.format_errors, 0);
    }

    #[test]
    fn a_chain_of_some_ends_before_the_stack_does() {
        struct Chain(u32);
        impl Serialize for Chain {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self.0 {
                    0 => serializer.serialize_unit(),
                    left => serializer.serialize_some(&Chain(left - 1)),
                }
            }
        }
        let (line, metrics) = one(|logger| {
            log::info!(logger: logger, before = 1, bad:serde = Chain(50_000_000), after = 2; "m");
        });
        costs_only_itself(&line, &metrics, TOO_DEEP);
    }

    #[test]
    fn the_schema_that_leaves_out_what_is_nothing_leaves_it_out() {
        let (line, _) = one_of(
            |builder| builder.schema(Schema::Tracing),
            |logger| log::info!(logger: logger, a:serde = None::<u64>, b:serde = (); "m"),
        );
        let fields = line["fields"].as_object().unwrap();
        assert_eq!(fields.keys().collect::<Vec<_>>(), ["message"]);
    }

    #[test]
    fn ten_thousand_levels_are_replaced_and_sixty_are_not() {
        let (sixty, many) = (Deep(60, None), Deep(10_000, None));
        let (line, metrics) = one(|logger| {
            log::info!(logger: logger, sixty:serde = sixty, many:serde = many, after = 2; "deep");
        });
        let expected = format!("{}1{}", "[".repeat(60), "]".repeat(60));
        assert_eq!(line["sixty"].to_string(), expected);
        assert_eq!((&line["many"], &line["after"]), (&json!(TOO_DEEP), &json!(2)));
        assert_eq!(metrics.format_errors, 1);
    }

    #[test]
    fn a_source_that_repeats_itself_loses_nothing() {
        repeated(kv::Value::from_serde(&(1, [2])));
    }

    /// What serde has and JSON has not.
    enum Odd {
        Unit,
        Variant,
        Tuple,
        Struct,
        Bytes,
        Keys,
    }

    impl Serialize for Odd {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            match self {
                Odd::Unit => serializer.serialize_unit_variant("Odd", 0, "Unit"),
                Odd::Variant => serializer.serialize_newtype_variant("Odd", 1, "Variant", &[1]),
                Odd::Tuple => {
                    let mut tuple = serializer.serialize_tuple_variant("Odd", 2, "Tuple", 2)?;
                    tuple.serialize_field(&1)?;
                    tuple.serialize_field("x")?;
                    tuple.end()
                }
                Odd::Struct => {
                    let mut fields = serializer.serialize_struct("Odd", 2)?;
                    fields.serialize_field("a", &None::<u8>)?;
                    fields.serialize_field("b", &())?;
                    fields.end()
                }
                Odd::Bytes => serializer.serialize_bytes(&[0, 0xff]),
                Odd::Keys => BTreeMap::from([(1, 'ß'), (2, 'x')]).serialize(serializer),
            }
        }
    }

    /// Where the feature `sval` is on too, `log` translates all this into calls of sval.
    #[test]
    fn shapes_and_numbers_are_the_same_with_sval_and_without() {
        let odd = [Odd::Unit, Odd::Variant, Odd::Tuple, Odd::Struct, Odd::Bytes, Odd::Keys];
        let numbers = (u128::MAX, i128::MIN, f64::NAN, 0.1_f32, u64::MAX, i64::MIN, 7_i128);
        let (line, metrics) = one(|logger| {
            log::info!(logger: logger, odd:serde = odd, numbers:serde = numbers; "odd");
        });
        let expected = json!([
            "Unit", {"Variant": [1]}, {"Tuple": [1, "x"]}, {"a": null, "b": null}, "00ff",
            {"1": "ß", "2": "x"},
        ]);
        assert_eq!(line["odd"], expected);
        let text = |wide: &dyn fmt::Display| wide.to_string();
        let expected =
            json!([text(&u128::MAX), text(&i128::MIN), "NaN", 0.1, u64::MAX, i64::MIN, 7,]);
        assert_eq!(line["numbers"], expected);
        assert_eq!(metrics.format_errors, 0);
    }

    #[test]
    fn a_map_that_repeats_a_key_keeps_both() {
        struct Twice;
        impl Serialize for Twice {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut map = serializer.serialize_map(None)?;
                map.serialize_entry("a", &1)?;
                map.serialize_entry("a", &2)?;
                map.end()
            }
        }
        let (line, _) = one(|logger| log::info!(logger: logger, map:serde = Twice; "twice"));
        assert_eq!(line["map"], json!({"a": 1, "a_": 2}));
    }

    #[test]
    fn a_secret_inside_is_never_written() {
        let value = json!({"user": "ann", "password": "canary", "deeper": [{"token": "canary"}]});
        log::set_max_level(log::LevelFilter::Trace);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app.jsonl");
        let (logger, guard) =
            writer_log::builder(&path).filter("info").redact_defaults().build().unwrap();
        log::info!(logger: logger, login:serde = value, secret:serde = [1]; "m");
        drop(guard);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains("\"user\":\"ann\"") && !text.contains("canary"), "{text}");
        assert!(text.contains("\"secret\":\"[redacted]\""), "{text}");
    }
}

#[cfg(feature = "sval")]
mod sval {
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
}
