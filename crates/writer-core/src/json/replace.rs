//! A value that is recorded again: the new one takes the place of the old.

use std::ops::Range;

use super::members::{Members, Open};
use super::schema::Rules;

impl Members {
    /// Lets a new value be as long as what is free and the old one together, for it takes the place
    /// of that; also where the line is full, which would else show the old one for good.
    #[cold]
    pub(super) fn make_room_again(&mut self, position: usize, attribute: bool) {
        let old = self.value_range(position, attribute, self.out.buf.len()).len();
        self.out.set_limit(self.out.limit() + old);
        self.out.set_full(false);
    }

    /// Puts the value just written in the place of the old one, and takes
    /// [`Members::make_room_again`] back.
    #[cold]
    pub(super) fn replace(&mut self, position: usize, full: bool, open: &Open) {
        let new = open.mark.len();
        let old = self.value_range(position, open.attribute, new);
        let limit = self.out.limit() - old.len();
        // A line that is full exceeds the limit by its closing marks; what is no longer than the
        // old value fits there as well.
        let longer = self.out.buf.len() - new > old.len();
        if longer && self.out.over() && !self.out.full() {
            self.out.discard(open.mark);
        } else {
            self.splice(old, new);
        }
        self.out.set_limit(limit);
        self.out.set_full(full || self.out.full());
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
