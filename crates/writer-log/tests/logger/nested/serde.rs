//! What is captured by serde.

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
    let expected = json!([text(&u128::MAX), text(&i128::MIN), "NaN", 0.1, u64::MAX, i64::MIN, 7,]);
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
