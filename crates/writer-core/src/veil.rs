//! What `Debug` shows of the text of records.

use std::fmt;

/// Stands in `Debug` output for bytes that may be a secret: how many there are.
pub(crate) struct Veil(pub(crate) usize);

impl fmt::Debug for Veil {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{} bytes>", self.0)
    }
}
