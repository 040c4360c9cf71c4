//! Values that have room in a full span as well: one that is recorded again takes the place of the
//! old one, which would else be shown for good, and some are promised to be there.

use std::ops::Range;

use super::escape;
use super::from_spans::LONGEST_ID;
use super::kind::Kind;
use super::members::{KEY_MARKS, Members, Open};
use super::schema::Rules;

/// Stands in the place of a value of a span that is too long for it and cannot be cut.
pub const TOO_LONG: &str = "<too long>";

/// So many bytes such a value may have in any case, with all that stands around it: any number and
/// any marker fits, and any id of a trace. A text that is cut between two characters, of which each
/// may take six bytes, is longer than that, and so taken for no id.
const SHORT: usize = LONGEST_ID + escape::WORST;

/// So many marks may close a value: a text that was cut exceeds the limit by them.
const CLOSING: usize = 4;

/// What was kept before a value was given room beyond that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Before {
    limit: usize,
    full: bool,
}

impl Members {
    /// Lets a new value be as long as what is free and the old one together, for it takes the place
    /// of that, or short.
    #[cold]
    pub(super) fn make_room_again(&mut self, position: usize, attribute: bool) -> Before {
        let end = self.out.buf.len();
        let old = self.value_range(position, attribute, end).len();
        self.make_room((self.out.limit() + old).max(end + SHORT))
    }

    /// Lets a member of this name have a short value at least.
    #[cold]
    pub(super) fn make_room_for(&mut self, name: &str) -> Before {
        let key = escape::len(name) + KEY_MARKS + b"{'key':,'value'".len();
        self.make_room(self.out.limit().max(self.out.buf.len() + key + SHORT))
    }

    fn make_room(&mut self, limit: usize) -> Before {
        let before = Before { limit: self.out.limit(), full: self.out.full() };
        self.out.set_limit(limit);
        self.out.set_full(false);
        before
    }

    /// Takes back what made room.
    #[cold]
    pub(super) fn take_room_back(&mut self, before: Before) {
        self.out.set_limit(before.limit);
        self.out.set_full(before.full || self.out.full());
    }

    /// Puts the value just written in the place of the old one.
    #[cold]
    pub(super) fn replace(&mut self, position: usize, before: Before, open: &Open, rules: &Rules) {
        let new = open.mark.len();
        let old = self.value_range(position, open.attribute, new);
        // What is no longer than the old value fits also where that exceeded the limit.
        if self.out.buf.len() - new > old.len() {
            self.shorten(new, open.attribute, rules);
        }
        self.splice(old, new);
        self.take_room_back(before);
    }

    /// Ends a member that was promised.
    #[cold]
    pub(super) fn keep(&mut self, before: Before, open: &Open, rules: &Rules) {
        let last = self.keys.list().len() - 1;
        let value = self.value_range(last, open.attribute, self.out.buf.len());
        self.shorten(value.start, open.attribute, rules);
        self.take_room_back(before);
    }

    /// Puts a marker in the place of the value that begins at `start` if it is too long.
    fn shorten(&mut self, start: usize, attribute: bool, rules: &Rules) {
        let end = self.out.buf.len();
        if self.out.full() || end <= self.out.limit() + CLOSING {
            return;
        }
        self.out.buf.truncate(start);
        Kind::String.write(&mut self.out, rules.options, |out| out.string(TOO_LONG));
        self.out.buf.extend_from_slice(if attribute { b"}," } else { b"," });
        self.out.skipped += (end - self.out.buf.len()) as u64;
        self.out.set_full(true);
    }

    /// Puts what was written from `new` on in the place of something older.
    pub(super) fn splice(&mut self, old: Range<usize>, new: usize) {
        let len = self.out.buf.len() - new;
        self.out.buf[old.start..].rotate_right(len);
        self.out.buf.remove(old.start + len..old.end + len);
        self.keys.shift(old.end, len as isize - old.len() as isize);
    }

    /// Where the value of the key at a position stands, with all that closes it, in an object that
    /// ends at `end`.
    fn value_range(&self, position: usize, attribute: bool, end: usize) -> Range<usize> {
        let (before, after) =
            if attribute { (b"{\"key\":\"".len(), b"\",\"value\":".len()) } else { (1, 2) };
        let keys = self.keys.list();
        let end = keys.get(position + 1).map_or(end, |next| next.start as usize - before);
        keys[position].end() + after..end
    }

    /// The value of the key at a position, as JSON.
    pub(super) fn value(&self, position: usize, rules: &Rules) -> &[u8] {
        &self.out.buf[self.value_at(position, rules)]
    }

    /// Where that value stands.
    pub(super) fn value_at(&self, position: usize, rules: &Rules) -> Range<usize> {
        let typed = rules.options.typed;
        let range = self.value_range(position, typed, self.out.buf.len());
        range.start..range.end - if typed { 2 } else { 1 }
    }
}
