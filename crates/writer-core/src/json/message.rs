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

/// How long the string or number is with which JSON begins, in bytes.
fn value_len(json: &[u8]) -> usize {
    if json.first() != Some(&b'"') {
        return json.iter().position(|&byte| byte == b',').unwrap_or(json.len());
    }
    let mut at = 1;
    while json.get(at).is_some_and(|&byte| byte != b'"') {
        at += if json[at] == b'\\' { 2 } else { 1 };
    }
    at + 1
}
