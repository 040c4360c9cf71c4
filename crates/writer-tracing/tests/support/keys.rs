//! Keys as the text of a line has them: a reader of JSON keeps the last of those that are the same,
//! and says nothing.

/// The keys that stand twice in one object of the line, at any depth.
///
/// Escapes are read, so that `a` and `\u0061` are one key. The line must be valid JSON.
pub(crate) fn repeated_keys(line: &str) -> Vec<String> {
    let mut levels = vec![Vec::new()];
    let mut repeated = Vec::new();
    let (bytes, mut at) = (line.as_bytes(), 0);
    while at < bytes.len() {
        match bytes[at] {
            b'{' => levels.push(Vec::new()),
            b'}' => drop(levels.pop()),
            b'"' => {
                let start = at;
                at += 1;
                while bytes[at] != b'"' {
                    at += if bytes[at] == b'\\' { 2 } else { 1 };
                }
                if bytes.get(at + 1) == Some(&b':') {
                    let key: String = serde_json::from_str(&line[start..=at]).unwrap();
                    let level = levels.last_mut().unwrap();
                    if level.contains(&key) {
                        repeated.push(key.clone());
                    }
                    level.push(key);
                }
            }
            _ => {}
        }
        at += 1;
    }
    repeated
}
