//! Secrets are not written, and not even formatted.

use std::fmt;

use serde_json::json;

use super::reader::check_line;
use super::{encode, text};
use crate::Severity;
use crate::json::{Format, Meta, REDACTED, Schema};

struct Untouchable;

impl fmt::Display for Untouchable {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("a secret was formatted");
    }
}

fn format() -> Format {
    Format::builder().redact_defaults().redact(["pin", "пароль"]).build().unwrap()
}

// Only the word itself was covered.
#[test]
fn a_word_with_humps_covers_keys_with_separators() {
    let format = Format::builder().redact(["accessToken", "DBPassword"]).build().unwrap();
    for key in ["accessToken", "accesstoken", "access_token", "Access-Token", "my.access_token"] {
        let line = text(&format, |record| record.field(key).display(&Untouchable));
        assert!(line.contains(REDACTED), "{line}");
    }
    for key in ["db_password", "dbPassword", "DB-PASSWORD"] {
        let line = text(&format, |record| record.field(key).display(&Untouchable));
        assert!(line.contains(REDACTED), "{line}");
    }
    for key in ["token", "access", "password", "access_tokens", "myaccess_token"] {
        let line = text(&format, |record| record.field(key).str("open"));
        assert!(line.contains("open"), "{line}");
    }
}

// `κωδικος` was shown where the word is in capital letters.
#[test]
fn letters_with_one_capital_letter_are_the_same() {
    for (word, key) in
        [("ΚΩΔΙΚΟΣ", "κωδικος"), ("κωδικος", "ΚΩΔΙΚΟΣ"), ("pass", "paſs"), ("paſs", "pass")]
    {
        let format = Format::builder().redact([word]).build().unwrap();
        let line = text(&format, |record| record.field(key).display(&Untouchable));
        assert!(line.contains(REDACTED), "{line}");
    }
}

#[test]
fn keys_are_matched_as_words_in_any_case() {
    let secret = [
        "password",
        "PASSWORD",
        "user_password",
        "db.password",
        "X-Api-Key",
        "apikey",
        "apiKey",
        "accessToken",
        "set-cookie",
        "Set_Cookie",
        "Authorization",
        "pin",
        "card.pin",
        "private_key",
        "dbPassword",
        "DBPassword",
        "APIToken",
        "JWTToken",
        "HTTPCookie",
        "HTTPSetCookie",
        "privateKey",
        "PrivateKey",
        "TLSPrivateKey",
        "accessKey",
        "secretAccessKey",
        "AWSAccessKEY",
        "oauth2Token",
        "пароль",
        "Пароль",
        "ПАРОЛЬ",
        "мойПароль",
        "café→pin",
    ];
    let open = [
        "passwordless",
        "password_hint",
        "spin",
        "SPIN",
        "broken",
        "BROKENTOKEN",
        "accesskey",
        "privatekey",
        "Key",
        "password_",
        "oauth2token",
        "непароль",
        "tokens",
        "épin",
        "ÉPIN",
        "key",
        "",
        "_",
    ];
    let encoded = encode(&format(), |record| {
        for key in secret {
            record.field(key).display(&Untouchable);
        }
        for key in open {
            record.field(key).u64(1);
        }
    });
    let json = check_line(&encoded.result);
    for key in secret {
        assert_eq!(json[key], REDACTED, "{key}");
    }
    for key in open {
        assert_eq!(json[key], 1, "{key}");
    }
    assert_eq!(encoded.format_errors, 0);
}

#[test]
fn a_call_site_redacts_what_the_format_redacts() {
    let names = ["user", "password", "password", "token"];
    let site = format().call_site(&Meta::new(Severity::Info, "shop::orders"), names);
    let encoded = site.encode(
        None,
        |record| {
            record.message().str("m");
            for (position, name) in names.iter().enumerate() {
                match *name {
                    "user" => record.site_field(position, || name).u64(1),
                    _ => record.site_field(position, || name).display(&Untouchable),
                }
            }
        },
        |_, line| check_line(line),
    );
    let json = encoded.unwrap().result;
    for key in ["password", "password_", "token"] {
        assert_eq!(json[key], REDACTED);
    }
    assert_eq!((&json["user"], json.as_object().unwrap().len()), (&json!(1), 8));
}

#[test]
fn spans_and_static_fields_are_redacted_in_every_schema() {
    for &schema in Schema::ALL {
        let format = Format::builder()
            .static_field("api_key", |value| value.str("hunter2"))
            .schema(schema)
            .redact_defaults()
            .build()
            .unwrap();
        let mut span = format.span("s");
        span.record(0, "session_token").str("hunter2");
        span.record(0, "session_token").display(&Untouchable);
        let line = encode(&format, |record| {
            record.message().str("m");
            record.field("password").str("hunter2");
            record.spans([&span]);
        });
        let line = String::from_utf8(line.result).unwrap();
        assert!(!line.contains("hunter2"), "{schema:?} {line}");
        assert_eq!(line.matches(REDACTED).count(), if schema == Schema::Tracing { 4 } else { 3 });
    }
}

#[test]
fn nothing_is_redacted_unless_asked() {
    let line = text(&Format::default(), |record| record.field("password").str("x"));
    assert!(line.ends_with("\"password\":\"x\"}"));
}

#[cfg(feature = "serde")]
#[test]
fn an_escaped_character_before_a_secret_word_is_a_border_of_the_word() {
    for char in ['\u{8}', '\t', '\n', '\u{c}', '\r', '"', '\\', '/', '\u{1}', '\u{7f}', '\u{2028}']
    {
        let inside = std::collections::BTreeMap::from([(format!("a{char}password"), "hunter2")]);
        let builder = Format::builder().redact_defaults();
        let static_too = builder.clone().static_field("s", |value| value.serialize(&inside));
        let line = encode(&static_too.build().unwrap(), |_| {}).result;
        assert!(!String::from_utf8(line).unwrap().contains("hunter2"), "static {char:?}");
        let format = builder.build().unwrap();
        let line = encode(&format, |record| record.field("s").serialize(&inside)).result;
        assert!(!String::from_utf8(line).unwrap().contains("hunter2"), "{char:?}");
        let line = encode(&format, |r| r.field(&format!("a{char}password")).str("hunter2")).result;
        assert!(!String::from_utf8(line).unwrap().contains("hunter2"), "{char:?}");
    }
}

#[cfg(feature = "serde")]
#[test]
fn a_secret_behind_an_escaped_quote_in_a_static_field_is_found() {
    for before in ["say \"", "\\", "\\\"", "a\"b"] {
        let inside = std::collections::BTreeMap::from([("a", before), ("password", "hunter2")]);
        let builder = Format::builder().redact_defaults();
        let builder = builder.static_field("s", |value| value.serialize(&inside));
        let line = encode(&builder.build().unwrap(), |_| {}).result;
        assert!(!String::from_utf8(line).unwrap().contains("hunter2"), "{before:?}");
    }
}
