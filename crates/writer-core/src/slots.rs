//! Small caches that each thread keeps for itself.

use std::cell::Cell;

/// Values of a thread by owner and key, one place each: a new value displaces the one before.
///
/// A value is taken out for use and put back afterwards. Meanwhile the code of a user may log and
/// come here once more: it misses, which costs time and nothing else.
#[doc(hidden)]
pub struct Slots<T, const N: usize> {
    slots: [Cell<Option<SlotEntry<T>>>; N],
}

/// A value with what it is found by.
#[doc(hidden)]
#[derive(Debug, PartialEq, Eq)]
pub struct SlotEntry<T> {
    /// Whose it is.
    pub owner: u64,
    /// Which of the owner's.
    pub key: u64,
    /// The value.
    pub value: T,
}

impl<T, const N: usize> Default for Slots<T, N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T, const N: usize> std::fmt::Debug for Slots<T, N> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Slots").finish_non_exhaustive()
    }
}

impl<T, const N: usize> Slots<T, N> {
    /// Starts empty.
    pub const fn new() -> Self {
        const { assert!(N.is_power_of_two() && N > 1) };
        Slots { slots: [const { Cell::new(None) }; N] }
    }

    fn slot(&self, owner: u64, key: u64) -> &Cell<Option<SlotEntry<T>>> {
        // Fibonacci hashing: the upper bits depend on all bits of the product.
        let hash = (key ^ owner.rotate_left(32)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        &self.slots[(hash >> (u64::BITS - N.trailing_zeros())) as usize]
    }

    /// Takes a value out; what else is found in its place stays there.
    #[inline]
    pub fn take(&self, owner: u64, key: u64) -> Option<T> {
        let slot = self.slot(owner, key);
        let entry = slot.take()?;
        if entry.owner != owner || entry.key != key {
            slot.set(Some(entry));
            return None;
        }
        Some(entry.value)
    }

    /// Takes out whatever is in the place of a value.
    pub fn take_any(&self, owner: u64, key: u64) -> Option<SlotEntry<T>> {
        self.slot(owner, key).take()
    }

    /// Puts a value in its place and returns what was there.
    #[inline]
    pub fn put(&self, owner: u64, key: u64, value: T) -> Option<SlotEntry<T>> {
        self.slot(owner, key).replace(Some(SlotEntry { owner, key, value }))
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn another_value_in_the_place_stays_there_until_it_is_displaced_or_taken_out() {
        let slots = Slots::<&str, 2>::new();
        let place = |key| std::ptr::from_ref(slots.slot(1, key));
        let other = (1..).find(|&key| place(key) == place(0)).unwrap();
        assert_eq!(slots.put(1, 0, "first"), None);
        assert_eq!((slots.take(1, other), slots.take(2, 0)), (None, None));
        assert_eq!((slots.take(1, 0), slots.take(1, 0)), (Some("first"), None));
        assert_eq!(slots.put(1, 0, "first"), None);
        let displaced = slots.put(1, other, "second");
        assert_eq!(displaced, Some(SlotEntry { owner: 1, key: 0, value: "first" }));
        let second = SlotEntry { owner: 1, key: other, value: "second" };
        assert_eq!((slots.take(1, 0), slots.take_any(1, 0)), (None, Some(second)));
        assert_eq!(slots.take_any(1, 0), None);
    }
}
