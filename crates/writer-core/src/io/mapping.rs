//! One window of a file in memory, the only place that writes through a raw pointer; and how long the
//! file may become.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

use memmap2::MmapRaw;

use super::fault::strike;
use super::{calls, os};

/// A shared, writable mapping of a part of a file.
///
/// It may reach beyond the end of the file; bytes there must not be stored to.
#[derive(Debug)]
pub(super) struct Mapping {
    map: MmapRaw,
    /// The place in the file of the first mapped byte, a multiple of the page size.
    start: u64,
    /// Whether the system copies; until it says no.
    by_system: bool,
    /// This process: of a forked child the memory of the mapping is the same.
    #[cfg(target_os = "linux")]
    process: libc::pid_t,
}

impl Mapping {
    /// Maps `len` bytes of `file` from `start` on; both are multiples of the page size.
    pub(super) fn new(file: &File, start: u64, len: usize) -> io::Result<Mapping> {
        let map = calls::map(file, start, len)?;
        Ok(Mapping {
            map,
            start,
            by_system: cfg!(target_os = "linux"),
            #[cfg(target_os = "linux")]
            process: rustix::process::getpid().as_raw_nonzero().get(),
        })
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
        calls::sync_mapping(&self.map, (end - self.start) as usize)
    }

    /// Copies `bytes` to `at`, a place in the file, in ascending order, so that a killed process
    /// leaves a prefix.
    ///
    /// The system copies where it has a call for it: to it a page that somebody has just cut off
    /// the file is an error, and not the end of the process.
    ///
    /// # Errors
    ///
    /// A bad address: the file ends before the place. Some of the bytes may be there.
    ///
    /// # Panics
    ///
    /// When the bytes do not fit into the mapping.
    pub(super) fn copy(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        strike()?;
        if self.by_system {
            match self.copy_by_system(at, bytes) {
                Err(e) if os::is_bad_address(&e) => return Err(e),
                // Not there, or forbidden, as in some sandboxes.
                Err(_) => self.by_system = false,
                Ok(()) => return Ok(()),
            }
        }
        self.store(at, bytes);
        Ok(())
    }

    /// The place in memory of `len` bytes at `at`, a place in the file.
    fn target(&self, at: u64, len: usize) -> *mut u8 {
        let offset = usize::try_from(at - self.start).unwrap_or(usize::MAX);
        let fits = offset <= self.map.len() && len <= self.map.len() - offset;
        assert!(fits, "a copy to outside of the mapping");
        self.map.as_mut_ptr().wrapping_add(offset)
    }

    /// Has this process "read" its own memory into the mapping.
    ///
    /// The other direction, writing into the own mapping, would not do: there the system makes
    /// pages dirty behind the back of the file system, which may lose them.
    #[cfg(target_os = "linux")]
    fn copy_by_system(&self, at: u64, mut bytes: &[u8]) -> io::Result<()> {
        let mut target = self.target(at, bytes.len());
        while !bytes.is_empty() {
            let to = libc::iovec { iov_base: target.cast(), iov_len: bytes.len() };
            let from =
                libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
            // SAFETY: `from` is the slice, which is only read. `to` lies in the mapping, as
            // `target` has asserted for the whole and the loop keeps for the rest; `self.map` keeps
            // it alive and writable, and no reference to it exists.
            let copied = unsafe { libc::process_vm_readv(self.process, &to, 1, &from, 1, 0) };
            match usize::try_from(copied) {
                Ok(0) => return Err(io::ErrorKind::Unsupported.into()),
                Ok(copied) => {
                    bytes = &bytes[copied..];
                    target = target.wrapping_add(copied);
                }
                Err(_) => return Err(io::Error::last_os_error()),
            }
        }
        Ok(())
    }

    #[cfg(not(target_os = "linux"))]
    fn copy_by_system(&self, _: u64, _: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Stores `bytes` at `at`, a place in the file, in ascending order and the last byte last.
    ///
    /// The order is what makes a killed process leave a prefix: a block copy of the C library may
    /// store the head of a block after its end, and a line with NULs at its front would remain.
    /// Stores of one thread reach the page cache in program order. The speed is that of populating
    /// the pages anyway.
    fn store(&self, at: u64, bytes: &[u8]) {
        const WORD: usize = size_of::<usize>();
        let target = self.target(at, bytes.len());
        let Some((&last, body)) = bytes.split_last() else { return };

        let head = target.align_offset(WORD).min(body.len());
        let (head, aligned) = body.split_at(head);
        let words = aligned.chunks_exact(WORD);
        let tail = words.remainder();
        let aligned_at = target.wrapping_add(head.len());
        let tail_at = aligned_at.wrapping_add(aligned.len() - tail.len());

        // SAFETY: as `target` has asserted, target..target + bytes.len() lies in the mapping,
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

/// How long a file may become; a call that makes it longer raises a signal. Where a sandbox forbids
/// the question, as long as it likes: the safe call that rustix has for it would panic.
#[cfg(unix)]
pub(super) fn longest_file() -> u64 {
    let mut limit = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: `limit` is a place for the answer, and outlives the call. Where that fails, it stays
    // as it is.
    unsafe { libc::getrlimit(libc::RLIMIT_FSIZE, &mut limit) };
    match limit.rlim_cur {
        libc::RLIM_INFINITY => u64::MAX,
        #[allow(clippy::unnecessary_cast, reason = "it is narrower on some systems")]
        longest => longest as u64,
    }
}

#[cfg(not(unix))]
pub(super) fn longest_file() -> u64 {
    u64::MAX
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_os = "linux")]
    use crate::io::tests::skip;

    /// Where the system forbids its call, the stores must do the same.
    #[test]
    fn both_ways_copy_every_alignment_of_start_and_length_exactly() {
        let file = tempfile::tempfile().unwrap();
        let page = os::page_size();
        file.set_len(2 * page as u64).unwrap();
        let mut mapping = Mapping::new(&file, page as u64, page).unwrap();
        let bytes: Vec<u8> = (1..=64).collect();
        // A sandbox may forbid the call: then this copy has found out.
        mapping.copy(page as u64, &bytes).unwrap();
        for by_system in [mapping.by_system, false] {
            for (start, len) in (0..16).flat_map(|start| (0..64).map(move |len| (start, len))) {
                mapping.by_system = by_system;
                let at = 2 * page as u64 - 100;
                mapping.copy(at, &[0; 100]).unwrap();
                mapping.copy(at + start, &bytes[..len]).unwrap();
                assert_eq!(mapping.by_system, by_system);
                let mut found = [0; 100];
                os::read_exact_at(&file, &mut found, at).unwrap();
                let (start, mut expected) = (start as usize, [0; 100]);
                expected[start..start + len].copy_from_slice(&bytes[..len]);
                assert_eq!(found, expected, "{len} bytes from {start}");
            }
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_page_that_the_file_does_not_have_is_an_error_of_the_system() {
        let file = tempfile::tempfile().unwrap();
        let page = os::page_size();
        file.set_len(page as u64).unwrap();
        let mut mapping = Mapping::new(&file, 0, 2 * page).unwrap();
        mapping.copy(0, b"abcd").unwrap();
        if !mapping.by_system {
            // A store beyond the end would be a signal.
            return skip("a sandbox forbids the system to copy");
        }
        let across = mapping.copy(page as u64 - 2, b"abcd");
        assert!(os::is_bad_address(&across.unwrap_err()));
        mapping.copy(page as u64 - 4, b"abcd").unwrap();
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn where_the_system_refuses_to_copy_bytes_are_stored_from_then_on() {
        let file = tempfile::tempfile().unwrap();
        let page = os::page_size();
        file.set_len(page as u64).unwrap();
        let mut mapping = Mapping::new(&file, 0, page).unwrap();
        // There is no such process.
        mapping.process = -1;
        mapping.copy(0, b"abcd").unwrap();
        assert!(!mapping.by_system);
        let mut found = [0; 4];
        os::read_exact_at(&file, &mut found, 0).unwrap();
        assert_eq!(&found, b"abcd");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn pages_are_made_ready_at_their_place_in_the_file() {
        let file = tempfile::tempfile().unwrap();
        let page = os::page_size() as u64;
        file.set_len(2 * page).unwrap();
        let mapping = Mapping::new(&file, page, 3 * page as usize).unwrap();
        match mapping.populate(page, 2 * page) {
            Err(e) if e.kind() == io::ErrorKind::Unsupported => {
                return skip("the kernel makes no pages ready");
            }
            made_ready => made_ready.unwrap(),
        }
        let beyond = mapping.populate(2 * page, 3 * page);
        assert!(os::is_bad_address(&beyond.unwrap_err()));
    }

    #[test]
    fn a_copy_to_outside_of_the_mapping_is_a_fault_of_the_caller() {
        let file = tempfile::tempfile().unwrap();
        let page = os::page_size() as u64;
        file.set_len(4 * page).unwrap();
        for by_system in [true, false] {
            let copy = |at, len: u64| {
                let mut mapping = Mapping::new(&file, page, page as usize).unwrap();
                mapping.by_system &= by_system;
                std::panic::catch_unwind(move || mapping.copy(at, &b"abcd"[..len as usize]))
            };
            for (at, len) in [(page, 4), (2 * page - 4, 4), (2 * page, 0)] {
                copy(at, len).unwrap().unwrap();
            }
            for (at, len) in [(page - 4, 4), (2 * page - 3, 4), (2 * page, 1), (3 * page, 0)] {
                assert!(copy(at, len).is_err(), "{len} bytes at {at}");
            }
        }
    }
}
