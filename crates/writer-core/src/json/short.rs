//! Members of a call site with short values, written in as few steps as possible.

use super::escape;
use super::members::Members;
use super::name::Name;
use super::site::ReadyKey;

impl Members {
    /// Writes a member of a call site whose value is at most 30 bytes long, in fewer steps still.
    /// Returns false, with nothing written, where [`Members::write_simple`] has to look.
    #[inline(always)]
    pub(super) fn write_short(
        &mut self,
        name: Name<'_>,
        write: impl FnOnce(&mut [u8; 32]) -> usize,
    ) -> bool {
        const MOST: usize = 64;
        let Name::Ready(ready @ ReadyKey { block: Some(key), .. }) = name else { return false };
        if self.out.room() < MOST {
            return false;
        }
        self.keys.insert_expected(ready, self.out.buf.len());
        self.out.buf.fill(|space: &mut [u8; MOST]| {
            let key = space.first_chunk_mut().map_or(0, |space| key.copy_to(space));
            let value = space[key..].first_chunk_mut().map_or(0, write) & 31;
            space[key + value] = b',';
            key + value + 1
        });
        true
    }

    /// The same for a string that needs no escaping.
    #[inline(always)]
    pub(super) fn write_short_str(&mut self, name: Name<'_>, text: &str) -> bool {
        const MOST: usize = 35;
        let Name::Ready(ready @ ReadyKey { block: Some(key), .. }) = name else { return false };
        if self.out.room() < MOST + text.len() || !escape::is_plain(text.as_bytes()) {
            return false;
        }
        self.keys.insert_expected(ready, self.out.buf.len());
        self.out.buf.fill(|space| key.copy_to(space));
        self.out.buf.extend_quoted(text.as_bytes(), b"\",");
        true
    }
}
