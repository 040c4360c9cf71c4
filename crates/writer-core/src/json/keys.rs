//! Which keys stand at one level of an object, so that none stands twice.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use super::buf::Buf;

/// Up to this many keys a scan over their hashes is cheaper than a table.
const SCANNED: usize = 32;

/// The memory for so many keys is kept from record to record.
const COMMON: usize = 1024;

/// How many places of the table there are for each name of which it is known how often it was given;
/// a power of two. Two names that clash then seldom share one; where they do, each only begins its
/// search anew.
const PLACES: usize = 16;

/// Who wrote a key that came with a span: see [`Key::id`].
pub(super) const OF_A_SPAN: u32 = u32::MAX;

/// Stands where nothing is known: no name is that long.
const UNKNOWN: (u32, u32) = (u32::MAX, 0);

/// A key in the buffer, in its escaped form, without quotes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Key {
    hash: u32,
    pub(super) start: u32,
    len: u32,
    /// Who wrote it: see [`Keys::position`].
    pub(super) id: u32,
}

impl Key {
    pub(super) fn end(self) -> usize {
        (self.start + self.len) as usize
    }

    pub(super) fn bytes(self, buf: &[u8]) -> &[u8] {
        &buf[self.start as usize..self.end()]
    }
}

/// The keys written so far, as ranges of the buffer they were written to.
#[derive(Debug, Default, Clone)]
pub(super) struct Keys {
    list: Vec<Key>,
    /// Open addressing with linear probing over positions in `list` plus one; empty while the list
    /// is short. At most half full.
    table: Vec<u32>,
    /// By the hash of a name that was taken: its length, and the position of the last key that was
    /// made of it by `_`. Without it the n-th field of a name would take n looks. Begins anew with
    /// each table, and is valid where there is one.
    repeated: Vec<(u32, u32)>,
    /// What the last key, if it was made by `_`, has put where in `repeated`, and what was there.
    /// Fields that are nothing are taken out again, and may come by thousands.
    undo: Option<(usize, (u32, u32))>,
}

impl Keys {
    pub(super) fn clear(&mut self) {
        self.list.clear();
        self.table.clear();
        self.repeated.clear();
        self.undo = None;
    }

    /// Gives up memory beyond what common records need.
    #[inline]
    pub(super) fn shrink(&mut self) {
        // The tables are no larger than the list makes them.
        if self.list.capacity() > COMMON {
            *self = Keys::default();
        }
    }

    pub(super) fn list(&self) -> &[Key] {
        &self.list
    }

    /// The position of the key that was inserted with this id.
    pub(super) fn position(&self, id: u32) -> Option<usize> {
        self.list.iter().position(|key| key.id == id)
    }

    /// As [`Keys::contains`], for callers that are not worth a copy of its code.
    #[inline(never)]
    pub(super) fn has(&self, hash: u32, before: &[u8], key: &[u8]) -> bool {
        self.contains(hash, before, key)
    }

    /// Says whether a key is among those written to `before`.
    #[inline(always)]
    pub(super) fn contains(&self, hash: u32, before: &[u8], key: &[u8]) -> bool {
        let same = |known: &Key| {
            known.hash == hash && known.len as usize == key.len() && known.bytes(before) == key
        };
        if self.table.is_empty() {
            return self.list.iter().any(same);
        }
        let mask = self.table.len() - 1;
        let mut at = hash as usize & mask;
        while self.table[at] != 0 {
            if same(&self.list[self.table[at] as usize - 1]) {
                return true;
            }
            at = (at + 1) & mask;
        }
        false
    }

    /// Adds the key that [`Keys::contains`] did not find.
    #[inline]
    pub(super) fn insert(&mut self, hash: u32, range: std::ops::Range<usize>, id: u32) {
        // The cap of a record keeps every position below 2^31.
        self.list.push(Key { hash, start: range.start as u32, len: range.len() as u32, id });
        if self.list.len() > SCANNED {
            self.index();
        }
    }

    /// Appends `_` to the key that ends `buf` and begins at `start`, until it is not taken, and adds
    /// it.
    pub(super) fn insert_free(
        &mut self,
        buf: &mut Buf,
        start: usize,
        id: u32,
        taken: impl Fn(&Keys, u32, &[u8], &[u8]) -> bool,
    ) {
        let (name, first) = (buf.len() - start, hash(&buf[start..]));
        let mut hash_now = first;
        if taken(self, first, &buf[..start], &buf[start..]) {
            (0..self.known_repetitions(first, buf, start, id)).for_each(|_| buf.push(b'_'));
            loop {
                buf.push(b'_');
                hash_now = hash(&buf[start..]);
                if !taken(self, hash_now, &buf[..start], &buf[start..]) {
                    break;
                }
            }
        }
        self.insert(hash_now, start..buf.len(), id);
        let place = self.place_of_repeated(first);
        if buf.len() > start + name
            && let Some(last) = self.repeated.get_mut(place)
        {
            let now = (name as u32, self.list.len() as u32 - 1);
            self.undo = Some((place, std::mem::replace(last, now)));
        }
    }

    /// Where a name stands among those that were taken; beyond the end while there are none.
    fn place_of_repeated(&self, hash: u32) -> usize {
        hash as usize & self.repeated.len().wrapping_sub(1)
    }

    /// How many `_` behind the name that begins at `start` are known to be too few.
    ///
    /// Fields of spans and the others have different keys taken, so the one says nothing of the
    /// other.
    #[cold]
    fn known_repetitions(&self, hash: u32, buf: &[u8], start: usize, id: u32) -> usize {
        let name = &buf[start..];
        let rest = match self.repeated.get(self.place_of_repeated(hash)) {
            Some(&(len, position)) if !self.table.is_empty() && len as usize == name.len() => {
                let key = self.list.get(position as usize);
                let alike = |key: &&Key| (key.id == OF_A_SPAN) == (id == OF_A_SPAN);
                key.filter(alike).and_then(|key| key.bytes(buf).strip_prefix(name))
            }
            _ => None,
        };
        rest.filter(|rest| rest.iter().all(|&byte| byte == b'_')).map_or(0, <[u8]>::len)
    }

    /// Takes the last key out again.
    pub(super) fn pop(&mut self) {
        if self.list.len() <= SCANNED + 1 {
            self.table.clear();
        } else if let Some(last) = self.list.last() {
            // No key was put into the table behind it, so nothing is looked for beyond its place.
            let mask = self.table.len() - 1;
            let mut at = last.hash as usize & mask;
            while self.table[at] as usize != self.list.len() {
                at = (at + 1) & mask;
            }
            self.table[at] = 0;
        }
        if let Some((place, before)) = self.undo.take() {
            self.repeated[place] = before;
        }
        self.list.pop();
    }

    /// Tells that the bytes from `from` on have moved by `by`.
    pub(super) fn shift(&mut self, from: usize, by: isize) {
        for key in &mut self.list {
            if key.start as usize >= from {
                key.start = (key.start as isize + by) as u32;
            }
        }
    }

    #[cold]
    fn index(&mut self) {
        self.undo = None;
        let first = if self.list.len() * 2 > self.table.len() {
            let size = (self.list.len() * 4).next_power_of_two();
            self.table.clear();
            self.table.resize(size, 0);
            self.repeated.clear();
            self.repeated.resize(size / PLACES, UNKNOWN);
            0
        } else {
            self.list.len() - 1
        };
        let mask = self.table.len() - 1;
        for (position, key) in self.list.iter().enumerate().skip(first) {
            let mut at = key.hash as usize & mask;
            while self.table[at] != 0 {
                at = (at + 1) & mask;
            }
            self.table[at] = position as u32 + 1;
        }
    }
}

/// Keys that belong to the format, in their escaped form.
#[derive(Debug, Clone, Default)]
pub(super) struct Reserved {
    keys: Vec<Box<[u8]>>,
    /// One bit per possible value of eight bits of the hash: most lookups end here.
    filter: [u64; 4],
}

impl Reserved {
    /// Adds a key; false if it was there already.
    pub(super) fn insert(&mut self, key: &[u8]) -> bool {
        let hash = hash(key);
        if self.contains(hash, key) {
            return false;
        }
        self.filter[(hash >> 6) as usize & 3] |= 1 << (hash & 63);
        self.keys.push(key.into());
        true
    }

    #[inline]
    pub(super) fn contains(&self, hash: u32, key: &[u8]) -> bool {
        self.filter[(hash >> 6) as usize & 3] & (1 << (hash & 63)) != 0
            && self.keys.iter().any(|known| **known == *key)
    }
}

/// Mixes the length and all bytes of a key with a seed that nobody outside the process knows: keys
/// of a nested value may come from outside, and if many could be made to collide, a line with all
/// of them would take quadratic time.
///
/// Names are short, so up to sixteen bytes, the first and the last eight, are mixed in one step: the
/// product of two halves, each with a seed of its own, whose own halves are folded, as wyhash does
/// (<https://github.com/wangyi-fudan/wyhash>).
#[inline]
pub(super) fn hash(key: &[u8]) -> u32 {
    let (head, tail) =
        if let (Some(head), Some(tail)) = (key.first_chunk::<8>(), key.last_chunk::<8>()) {
            if key.len() > 16 {
                return hash_long(key);
            }
            (u64::from_le_bytes(*head), u64::from_le_bytes(*tail))
        } else if let (Some(head), Some(tail)) = (key.first_chunk::<4>(), key.last_chunk::<4>()) {
            (u64::from(u32::from_le_bytes(*head)), u64::from(u32::from_le_bytes(*tail)))
        } else {
            match *key {
                [a, b, c] => (u64::from(a), u64::from(b) << 8 | u64::from(c)),
                [a, b] => (u64::from(a), u64::from(b)),
                [a] => (u64::from(a), 0),
                _ => (0, 0),
            }
        };
    let seed = seed();
    let length = (key.len() as u64) << 56;
    shorten(fold(head ^ seed, tail ^ length ^ seed.rotate_left(32) ^ MULTIPLIER))
}

/// The multiplier of Fibonacci hashing (Knuth, The Art of Computer Programming, volume 3, section
/// 6.4).
const MULTIPLIER: u64 = 0x9E37_79B9_7F4A_7C15;

fn fold(one: u64, other: u64) -> u64 {
    let product = u128::from(one) * u128::from(other);
    product as u64 ^ (product >> 64) as u64
}

fn shorten(state: u64) -> u32 {
    (state ^ state >> 32) as u32
}

/// Folds the words of a key one after the other into the seed.
#[inline(never)]
fn hash_long(key: &[u8]) -> u32 {
    let (words, _) = key.as_chunks::<8>();
    let last = key.last_chunk::<8>();
    let mut state = seed() ^ key.len() as u64;
    for word in words.iter().chain(last) {
        state = fold(state ^ u64::from_le_bytes(*word), MULTIPLIER);
    }
    shorten(state)
}

/// The same in all threads. A lock would stay locked in a child that is forked while it is held.
fn seed() -> u64 {
    // Relaxed: the value is all that is shared.
    static SEED: AtomicU64 = AtomicU64::new(0);
    let known = SEED.load(Relaxed);
    if known != 0 {
        return known;
    }
    let new = RandomState::new().hash_one(0) | 1;
    SEED.compare_exchange(0, new, Relaxed, Relaxed).map_or_else(|other| other, |_| new)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// How many of so many keys have a hash of their own.
    fn different<K: AsRef<[u8]>>(key: impl Fn(usize) -> K, many: usize) -> usize {
        let mut hashes: Vec<u32> = (0..many).map(|at| hash(key(at).as_ref())).collect();
        hashes.sort_unstable();
        hashes.dedup();
        hashes.len()
    }

    // 32 000 of these in one nested value took three seconds.
    #[test]
    fn keys_that_differ_only_in_the_middle_have_different_hashes() {
        // Of n random numbers below 2^32 about n^2 / 2^33 are there already: 0.1 of these.
        assert!(different(|at| format!("/api/v1/{at:08}/details"), 32_000) > 31_990);
        for len in 17..64 {
            for at in 0..len {
                let key = |value: usize| {
                    let mut key = "k".repeat(len);
                    let digit = char::from(b'a' + value as u8);
                    key.replace_range(at..=at, digit.encode_utf8(&mut [0; 4]));
                    key
                };
                assert_eq!(different(key, 26), 26, "{len} {at}");
            }
        }
    }

    // 45 000 of these in one line took ten seconds: without the seed the differences of the two
    // halves took each other away.
    #[test]
    fn short_keys_cannot_be_chosen_to_have_one_hash() {
        let key = |at: usize| {
            let base = u64::from_le_bytes(*b"PPPPPPPP");
            let change = (at as u64).wrapping_mul(MULTIPLIER) & 0x7b7b_7b7b_7b7b_7b7b;
            let halves = [base ^ change.rotate_left(29), base ^ change];
            halves.map(u64::to_le_bytes).concat()
        };
        assert!(different(key, 32_000) > 31_990);
    }

    #[test]
    fn a_key_has_one_hash() {
        for len in 0..64 {
            let key = "k".repeat(len);
            assert_eq!(hash(key.as_bytes()), hash(key.clone().as_bytes()));
        }
    }

    #[test]
    fn keys_begin_anew_with_each_record() {
        let (mut keys, mut buf) = (Keys::default(), Buf::default());
        let mut give = |keys: &mut Keys, name: &str| {
            let start = buf.len();
            buf.extend_from_slice(name.as_bytes());
            keys.insert_free(&mut buf, start, 0, |keys, hash, before, key| {
                keys.contains(hash, before, key)
            });
            buf.len() - start
        };
        for names in [SCANNED + 8, 4 * COMMON] {
            for _ in 0..2 {
                (0..names).for_each(|name| _ = give(&mut keys, &format!("{name:04}")));
                assert_eq!(give(&mut keys, "0000"), 5);
                keys.shrink();
                assert_eq!(keys.list.capacity() == 0, names > COMMON);
                keys.clear();
                assert_eq!(give(&mut keys, "0000"), 4);
                keys.pop();
                assert!(keys.list().is_empty());
            }
        }
    }

    // Some names took 170 ms to fill 1 MiB, since each made the others' be forgotten, as did each
    // key that was taken out again.
    #[test]
    fn names_that_come_again_by_turns_take_few_looks_each() {
        let (names, rounds, looks) = (200, 100, Cell::new(0));
        let (mut keys, mut buf) = (Keys::default(), Buf::default());
        for round in 0..rounds {
            for name in 0..names {
                let start = buf.len();
                for is_nothing in [true, false] {
                    buf.extend_from_slice(format!("{name:03}").as_bytes());
                    keys.insert_free(&mut buf, start, 0, |keys, hash, before, key| {
                        looks.set(looks.get() + 1);
                        keys.contains(hash, before, key)
                    });
                    assert_eq!(buf.len() - start, 3 + round);
                    if is_nothing {
                        keys.pop();
                        buf.truncate(start);
                    }
                }
            }
        }
        // Few of them have one place with another; a look for each `_` would be 1 000 000.
        assert!(looks.get() < 40 * names * rounds, "{}", looks.get());
    }
}
