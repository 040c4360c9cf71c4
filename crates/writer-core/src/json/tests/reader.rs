//! A reader that refuses what the encoder must never write.

use std::collections::BTreeSet;

use serde_json::Value as Json;

/// Checks that a line is one object with one newline, no key twice, no control character.
pub(super) fn check_line(line: &[u8]) -> Json {
    let text = std::str::from_utf8(line).expect("a line is UTF-8");
    assert!(text.ends_with("}\n"), "{text:?}");
    let body = &text[..text.len() - 1];
    assert!(body.starts_with('{'));
    assert!(!body.chars().any(is_unwanted), "{body:?}");
    let json = serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {body}"));
    check_keys(body);
    json
}

fn is_unwanted(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61C}' | '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// Panics if an object at any level of valid JSON has a key twice. serde_json itself keeps the last
/// of equal keys without a word.
fn check_keys(body: &str) {
    let bytes = body.as_bytes();
    let mut levels: Vec<BTreeSet<String>> = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'{' => levels.push(BTreeSet::new()),
            b'}' => drop(levels.pop()),
            b'"' => {
                let start = at;
                at += 1;
                while bytes[at] != b'"' {
                    at += if bytes[at] == b'\\' { 2 } else { 1 };
                }
                if bytes.get(at + 1) == Some(&b':') {
                    let key: String = serde_json::from_str(&body[start..=at]).unwrap();
                    let level = levels.last_mut().unwrap();
                    assert!(level.insert(key.clone()), "{key:?} stands twice in {body}");
                }
            }
            _ => {}
        }
        at += 1;
    }
}

#[test]
#[should_panic(expected = "stands twice")]
fn the_reader_sees_an_escaped_repetition() {
    check_line(b"{\"a\":{\"b\":1},\"\\u0061\":2}\n");
}
