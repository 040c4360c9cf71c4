//! Fields of events that are `None`, of which `tracing` tells nobody.

use crate::support::{Log, all_with, one, read};
use serde_json::{Map, Value, json};
use tracing::field::Empty;
use tracing::{Event, callsite, debug, info, info_span};
use tracing_subscriber::prelude::*;
use writer_tracing::json::{Part, Schema};

/// All that follows the message, in a file of one line.
fn text_of(body: impl FnOnce()) -> String {
    let log = Log::new();
    let (layer, guard) = writer_tracing::builder(log.path()).hide(Part::Timestamp).build().unwrap();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), body);
    drop(guard);
    let text = std::fs::read_to_string(log.path()).unwrap();
    text.split_once("\"message\":").map_or(text.clone(), |(_, rest)| rest.trim_end().to_owned())
}

#[test]
fn it_is_null_behind_the_others() {
    let none = None::<u32>;
    assert_eq!(text_of(|| info!(user = none, "m")), r#""m","user":null}"#);
    assert_eq!(
        text_of(|| info!(a = none, b = 1, c = none, d = none, e = 2, f = none, "m")),
        r#""m","b":1,"e":2,"a":null,"c":null,"d":null,"f":null}"#
    );
    assert_eq!(text_of(|| info!(a = none, r#type = none, "m")), r#""m","a":null,"type":null}"#);
    assert_eq!(text_of(|| info!(a = Empty, b = 1, "m")), r#""m","b":1,"a":null}"#);
    assert_eq!(
        text_of(|| info!(a = none, message = "late", b = none)),
        r#""late","a":null,"b":null}"#
    );
    assert_eq!(text_of(|| info!(message = None::<&str>, a = 1)), r#"null,"a":1}"#);
}

#[test]
fn an_event_made_by_hand_in_another_order_keeps_its_values() {
    let lines = all_with(
        |builder| builder,
        || {
            let metadata = {
                static SITE: callsite::DefaultCallsite = {
                    static META: tracing::Metadata<'static> = tracing::metadata! {
                        name: "by hand",
                        target: "shop",
                        level: tracing::Level::INFO,
                        fields: tracing::fieldset!(a, b, c, d),
                        callsite: &SITE,
                        kind: tracing::metadata::Kind::EVENT,
                    };
                    callsite::DefaultCallsite::new(&META)
                };
                use tracing::Callsite;
                SITE.metadata()
            };
            let fields = metadata.fields();
            let [a, b, c, d] = ["a", "b", "c", "d"].map(|name| fields.field(name).unwrap());
            // The last first, one not at all, one as nothing.
            let values: [(_, Option<&dyn tracing::Value>); 3] =
                [(&d, Some(&4)), (&a, Some(&1)), (&c, Some(&None::<u8>))];
            let _ = b;
            Event::dispatch(metadata, &fields.value_set(&values));
        },
    );
    let expected = json!({"a": 1, "b": null, "c": null, "d": 4});
    for (key, value) in expected.as_object().unwrap() {
        assert_eq!(lines[0].get(key), Some(value), "{key}");
    }
    assert!(!lines[0].contains_key("a_") && !lines[0].contains_key("d_"));
}

#[test]
fn more_fields_than_are_prepared_are_all_there() {
    // 300 fields: each tenth has a value.
    macro_rules! wide {
        ($($name:ident)*) => {
            one(|| info!($($name = if stringify!($name).ends_with('0') { Some(1) } else { None },)* "m"))
        };
    }
    let line = wide!(
        f000 f001 f002 f003 f004 f005 f006 f007 f008 f009 f010 f011 f012 f013 f014 f015 f016 f017
        f018 f019 f020 f021 f022 f023 f024 f025 f026 f027 f028 f029 f030 f031 f032 f033 f034 f035
        f036 f037 f038 f039 f040 f041 f042 f043 f044 f045 f046 f047 f048 f049 f050 f051 f052 f053
        f054 f055 f056 f057 f058 f059 f060 f061 f062 f063 f064 f065 f066 f067 f068 f069 f070 f071
        f072 f073 f074 f075 f076 f077 f078 f079 f080 f081 f082 f083 f084 f085 f086 f087 f088 f089
        f090 f091 f092 f093 f094 f095 f096 f097 f098 f099 f100 f101 f102 f103 f104 f105 f106 f107
        f108 f109 f110 f111 f112 f113 f114 f115 f116 f117 f118 f119 f120 f121 f122 f123 f124 f125
        f126 f127 f128 f129 f130 f131 f132 f133 f134 f135 f136 f137 f138 f139 f140 f141 f142 f143
        f144 f145 f146 f147 f148 f149 f150 f151 f152 f153 f154 f155 f156 f157 f158 f159 f160 f161
        f162 f163 f164 f165 f166 f167 f168 f169 f170 f171 f172 f173 f174 f175 f176 f177 f178 f179
        f180 f181 f182 f183 f184 f185 f186 f187 f188 f189 f190 f191 f192 f193 f194 f195 f196 f197
        f198 f199 f200 f201 f202 f203 f204 f205 f206 f207 f208 f209 f210 f211 f212 f213 f214 f215
        f216 f217 f218 f219 f220 f221 f222 f223 f224 f225 f226 f227 f228 f229 f230 f231 f232 f233
        f234 f235 f236 f237 f238 f239 f240 f241 f242 f243 f244 f245 f246 f247 f248 f249 f250 f251
        f252 f253 f254 f255 f256 f257 f258 f259 f260 f261 f262 f263 f264 f265 f266 f267 f268 f269
        f270 f271 f272 f273 f274 f275 f276 f277 f278 f279 f280 f281 f282 f283 f284 f285 f286 f287
        f288 f289 f290 f291 f292 f293 f294 f295 f296 f297 f298 f299
    );
    for number in 0..300 {
        let expected = if number % 10 == 0 { json!(1) } else { json!(null) };
        assert_eq!(line.get(&format!("f{number:03}")), Some(&expected), "{number}");
    }
    assert_eq!(line.len(), 304);
}

/// A record with a value, one without, a secret one without, and one whose name is taken.
fn some(schema: Schema) -> Map<String, Value> {
    let mut lines = all_with(
        |builder| builder.schema(schema).redact_defaults(),
        || info!(a = 1, none = None::<u8>, token = None::<&str>, spans = None::<u8>, "m"),
    );
    lines.remove(0)
}

#[test]
fn every_schema_has_it_as_it_has_that_of_log() {
    for schema in [Schema::Default, Schema::Ecs, Schema::Gcp, Schema::Bunyan] {
        let line = some(schema);
        assert_eq!(line.get("none"), Some(&json!(null)), "{schema:?}");
        assert_eq!(line.get("token"), Some(&json!("[redacted]")), "{schema:?}");
        assert_eq!(line.get("spans_"), Some(&json!(null)), "{schema:?}");
    }
    let attributes =
        some(Schema::Otel)["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0]["attributes"]
            .clone();
    assert_eq!(
        attributes,
        json!([
            {"key": "a", "value": {"intValue": "1"}},
            {"key": "none", "value": {}},
            {"key": "token", "value": {"stringValue": "[redacted]"}},
            {"key": "spans_", "value": {}},
        ])
    );
    let fields = &some(Schema::Tracing)["fields"];
    assert_eq!(*fields, json!({"message": "m", "a": 1}));
    let line = some(Schema::Logxpy);
    assert_eq!(line["a"], 1);
    assert!(!["none", "token", "spans_"].iter().any(|key| line.contains_key(*key)), "{line:?}");
}

#[test]
fn nesting_and_hiding_are_followed() {
    let lines = all_with(
        |builder| builder.nest_fields("fields").hide(Part::Level),
        || {
            info!(none = None::<u8>, level = None::<u8>, "m");
            info!(none = None::<u8>);
        },
    );
    assert_eq!(lines[0]["fields"], json!({"none": null, "level": null}));
    assert_eq!(lines[1]["fields"], json!({"none": null}));
    let lines = all_with(
        |builder| builder.hide(Part::Message),
        || info!(message = None::<&str>, none = None::<u8>),
    );
    assert!(!lines[0].contains_key("message"));
    assert_eq!(lines[0]["none"], json!(null));
}

#[test]
fn a_line_that_is_full_leaves_it_out() {
    let lines = all_with(
        |builder| builder.max_record_bytes(4096),
        || info!(long = "x".repeat(10_000), none = None::<u8>, "m"),
    );
    assert_eq!(lines[0]["truncated"], true);
    assert!(!lines[0].contains_key("none"));
}

#[test]
fn fields_of_spans_that_are_nothing_stay_absent() {
    let lines = all_with(
        |builder| builder.flatten_spans(),
        || {
            let span = info_span!("s", none = None::<u8>, late = Empty, given = 1);
            span.in_scope(|| info!(own = None::<u8>, "m"));
        },
    );
    assert_eq!((&lines[0]["own"], &lines[0]["given"]), (&json!(null), &json!(1)));
    assert!(!lines[0].contains_key("none") && !lines[0].contains_key("late"));
}

#[test]
fn what_a_record_of_log_lacks_is_no_field() {
    let log = Log::new();
    let (layer, guard) = writer_tracing::layer(log.path()).unwrap();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        let record = log::Record::builder().args(format_args!("bridged")).build();
        tracing_log::format_trace(&record).unwrap();
        debug!(none = None::<u8>, "own");
    });
    drop(guard);
    let lines = read(&log.path());
    assert_eq!(lines[0]["message"], "bridged");
    assert!(!lines[0].keys().any(|key| key.starts_with("log.")), "{:?}", lines[0]);
    assert_eq!(lines[1].get("none"), Some(&json!(null)));
}
