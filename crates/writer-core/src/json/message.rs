//! The message, whose place is before the fields, and its type: the level as a word, which a field
//! may set to one that is no level.

use super::buf::Block;
use super::members::Members;
use super::name::Name;
use super::out::Mark;
use super::schema::Rules;

/// The key of the message.
#[derive(Debug, Default)]
pub(super) struct MessageKey {
    /// As the user would write it.
    pub(super) name: Box<str>,
    /// `"message":`
    pub(super) key: Box<[u8]>,
    /// The same where it is short and members are always written as they come.
    pub(super) block: Option<Block>,
    /// It stands among the nested fields.
    pub(super) nested: bool,
}

/// The level as a message type.
#[derive(Debug)]
pub(super) struct MessageType {
    /// Its key as a user would write it; a field of this name may set the type.
    pub(super) name: Box<str>,
    /// `"mt":`
    pub(super) key: Box<[u8]>,
    /// The types that are no level, as JSON.
    pub(super) words: &'static [&'static str],
}

impl Rules {
    /// The message types, if this is the name of the field that sets the type.
    pub(super) fn type_set_by(&self, name: Name<'_>) -> Option<&MessageType> {
        self.message_type.as_ref().filter(|types| match name {
            Name::User(name, _) => *name == *types.name,
            // No other field of a call site has this key, for it is that of the level.
            Name::Ready(key) => *key.whole == *types.key,
            _ => false,
        })
    }
}

impl Members {
    /// Moves the member just written before the fields.
    #[cold]
    pub(super) fn message_to_its_place(&mut self, mark: Mark) {
        let len = self.out.buf.len() - mark.len();
        self.out.buf[self.message_at..].rotate_right(len);
        self.keys.shift(self.message_at, len as isize);
        if self.task.start >= self.message_at {
            self.task = self.task.start + len..self.task.end + len;
        }
        self.head_end += len;
        let end = self.message_at + len;
        if self.out.buf.get(end) == Some(&b'}') {
            // The object for the fields was closed empty before.
            self.out.buf.remove(end - 1..end);
            self.keys.shift(end, -1);
        }
    }

    /// Whether the message is a string; `None` where there is none, or it did not fit.
    pub(super) fn message_is_text(&self, rules: &Rules) -> Option<bool> {
        let here = self.out.buf.get(self.message_at..).filter(|_| self.message_done)?;
        let value = here.strip_prefix(&*rules.message.key)?;
        Some(value.first() == Some(&b'"'))
    }

    /// Makes a string of the message, which is a number, an object or the like: its JSON, and an
    /// empty one of `null`. What of it does not fit is cut.
    #[cold]
    pub(super) fn message_to_text(&mut self, rules: &Rules) {
        let start = self.message_at + rules.message.key.len();
        let end = start + value_len(&self.out.buf[start..]);
        let json = String::from_utf8_lossy(&self.out.buf[start..end]).into_owned();
        let (new, full, limit) = (self.out.buf.len(), self.out.full(), self.out.limit());
        self.out.set_full(false);
        // What it takes the place of goes, and two quotes may go beyond the limit: there is room
        // for more than these.
        self.out.set_limit(limit.max(new) + json.len() + 2);
        self.out.string(if json == "null" { "" } else { &json });
        self.out.set_limit(limit);
        self.out.set_full(full || self.out.full());
        self.splice(start..end, new);
    }

    /// Tells that what stood at `from` in the metadata and behind has moved by `by`.
    pub(super) fn shift_head(&mut self, from: usize, by: isize) {
        for place in [&mut self.message_at, &mut self.head_end] {
            if *place >= from {
                *place = place.saturating_add_signed(by);
            }
        }
    }

    /// Puts the value of the member just written, which began at `mark`, in the place of the level
    /// and takes the member out; leaves all as it is if the value is none of the words.
    #[cold]
    pub(super) fn set_message_type(&mut self, rules: &Rules, mark: Mark) {
        let (Some(types), Some(key)) = (&rules.message_type, self.keys.list().last()) else {
            return;
        };
        // Between `":` and the comma.
        let value = &self.out.buf[key.end() + 2..self.out.buf.len() - 1];
        let Some(word) = types.words.iter().find(|word| word.as_bytes() == value) else { return };
        let head = &self.out.buf[..self.message_at];
        let found = head.windows(types.key.len()).position(|part| *part == *types.key);
        let Some(start) = found.map(|at| at + types.key.len()) else { return };
        let old = start..start + value_len(&head[start..]);
        let grown = word.len() as isize - old.len() as isize;
        self.keys.pop();
        self.out.buf.truncate(mark.len());
        self.out.buf.extend_from_slice(word.as_bytes());
        self.splice(old, mark.len());
        self.message_at = self.message_at.saturating_add_signed(grown);
        self.type_done = true;
    }
}

/// How long the value is with which JSON begins, in bytes; behind it comes a comma.
fn value_len(json: &[u8]) -> usize {
    let (mut at, mut depth) = (0, 0_usize);
    while let Some(&byte) = json.get(at) {
        match byte {
            b',' if depth == 0 => break,
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'"' => at += string_len(&json[at..]) - 1,
            _ => {}
        }
        at += 1;
    }
    at
}

/// How long the string is with which JSON begins, with its quotes.
pub(super) fn string_len(json: &[u8]) -> usize {
    let mut at = 1;
    while json.get(at).is_some_and(|&byte| byte != b'"') {
        at += if json[at] == b'\\' { 2 } else { 1 };
    }
    at + 1
}
