//! Small caches that each thread keeps for itself.

use std::cell::Cell;

/// Values of a thread by layer and key, one place each: a new value displaces the one before.
///
/// A value is taken out for use and put back afterwards. Meanwhile the code of a user may log and
/// come here once more: it misses, which costs time and nothing else.
pub(crate) struct Slots<T, const N: usize> {
    slots: [Cell<Option<Entry<T>>>; N],
}

struct Entry<T> {
    layer: u64,
    key: u64,
    value: T,
}

impl<T, const N: usize> Slots<T, N> {
    pub(crate) const fn new() -> Self {
        const { assert!(N.is_power_of_two() && N > 1) };
        Slots { slots: [const { Cell::new(None) }; N] }
    }

    fn slot(&self, layer: u64, key: u64) -> &Cell<Option<Entry<T>>> {
        // Fibonacci hashing: the upper bits depend on all bits of the product.
        let hash = (key ^ layer.rotate_left(32)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        &self.slots[(hash >> (u64::BITS - N.trailing_zeros())) as usize]
    }

    /// Takes a value out; what else is found in its place is dropped.
    #[inline]
    pub(crate) fn take(&self, layer: u64, key: u64) -> Option<T> {
        let entry = self.slot(layer, key).take()?;
        (entry.layer == layer && entry.key == key).then_some(entry.value)
    }

    /// Puts a value in its place. What was there is dropped.
    #[inline]
    pub(crate) fn put(&self, layer: u64, key: u64, value: T) {
        self.slot(layer, key).set(Some(Entry { layer, key, value }));
    }
}
