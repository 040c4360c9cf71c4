//! One window of a file in memory: the only place that stores through a raw pointer.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

use memmap2::MmapRaw;

use super::{calls, os};

/// A shared, writable mapping of a part of a file.
///
/// It may reach beyond the end of the file; bytes there must not be stored to.
#[derive(Debug)]
pub(super) struct Mapping {
    map: MmapRaw,
    /// The place in the file of the first mapped byte, a multiple of the page size.
    start: u64,
}

impl Mapping {
    /// Maps `len` bytes of `file` from `start` on; both are multiples of the page size.
    pub(super) fn new(file: &File, start: u64, len: usize) -> io::Result<Mapping> {
        let map = calls::map(file, start, len)?;
        Ok(Mapping { map, start })
    }

    /// The place in the file of the first mapped byte.
    pub(super) fn start(&self) -> u64 {
        self.start
    }

    /// The place in the file behind the last mapped byte.
    pub(super) fn end(&self) -> u64 {
        self.start + self.map.len() as u64
    }

    /// Makes the bytes from `from` to `to`, places in the file, ready to be stored to.
    pub(super) fn populate(&self, from: u64, to: u64) -> io::Result<()> {
        os::populate(&self.map, (from - self.start) as usize, (to - from) as usize)
    }

    /// Starts and awaits the writing of everything in front of `end`, a place in the file.
    pub(super) fn sync(&self, end: u64) -> io::Result<()> {
        match (end - self.start) as usize {
            0 => Ok(()),
            len => calls::sync_mapping(&self.map, len),
        }
    }

    /// Stores `bytes` at `at`, a place in the file, in ascending order and the last byte last.
    ///
    /// The order is what makes a killed process leave a prefix: a block copy of the C library may
    /// store the head of a block after its end, and a line with NULs at its front would remain. Stores
    /// of one thread reach the page cache in program order. The speed is that of populating the
    /// pages anyway.
    ///
    /// # Panics
    ///
    /// When the bytes do not fit into the mapping.
    pub(super) fn store(&self, at: u64, bytes: &[u8]) {
        const WORD: usize = size_of::<usize>();
        let offset = usize::try_from(at - self.start).unwrap_or(usize::MAX);
        let fits = offset <= self.map.len() && bytes.len() <= self.map.len() - offset;
        assert!(fits, "a store outside of the mapping");
        let Some((&last, body)) = bytes.split_last() else { return };

        let target = self.map.as_mut_ptr().wrapping_add(offset);
        let head = target.align_offset(WORD).min(body.len());
        let (head, aligned) = body.split_at(head);
        let words = aligned.chunks_exact(WORD);
        let tail = words.remainder();
        let aligned_at = target.wrapping_add(head.len());
        let tail_at = aligned_at.wrapping_add(aligned.len() - tail.len());

        // SAFETY: `fits` above was asserted, so target..target + bytes.len() lies in the mapping,
        // which `self.map` keeps alive and writable; head, words, tail and `last` divide exactly
        // that range between them. `aligned_at` is a multiple of WORD wherever there is a word,
        // by `align_offset`. The memory is shared with other processes and no reference to it
        // exists: it is accessed through atomics only.
        unsafe {
            for (i, &byte) in head.iter().enumerate() {
                AtomicU8::from_ptr(target.add(i)).store(byte, Ordering::Relaxed);
            }
            for (i, word) in words.enumerate() {
                let mut value = [0; WORD];
                value.copy_from_slice(word);
                AtomicUsize::from_ptr(aligned_at.add(i * WORD).cast::<usize>())
                    .store(usize::from_ne_bytes(value), Ordering::Relaxed);
            }
            for (i, &byte) in tail.iter().enumerate() {
                AtomicU8::from_ptr(tail_at.add(i)).store(byte, Ordering::Relaxed);
            }
            // Release: whoever sees this line end through another mapping sees the line too.
            AtomicU8::from_ptr(target.add(body.len())).store(last, Ordering::Release);
        }
    }
}
