//! Repair of the end of a file that a crash has left behind.

use std::fs::File;
use std::io;

use super::{calls, os};

/// Read at once; a multiple of all page sizes in use.
const BLOCK: u64 = 128 << 10;

/// What was found at the end of a file, and is no longer there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Repair {
    /// Reserved bytes that were cut off.
    pub recovered_nul_bytes: u64,
    /// Lines without an end that were given one: 0 or 1.
    pub torn_lines: u64,
    /// The length of the file now.
    pub end: u64,
}

/// Cuts NUL bytes off the end of `file` and closes a last line that has no end.
///
/// Everything in front of the last byte that is not NUL stays, NULs included. The caller has made
/// sure that no other writer is at work, and opened the file for reading and appending.
///
/// # Errors
///
/// The file cannot be read, cut or, where a line end is missing, appended to. Then at most NULs
/// were cut.
pub(super) fn repair(file: &File) -> io::Result<Repair> {
    let len = calls::metadata(file)?.len();
    let (text_end, last) = match last_byte_not_nul(file, len)? {
        Some((at, byte)) => (at + 1, byte),
        None => (0, b'\n'),
    };
    let mut repair = Repair { recovered_nul_bytes: len - text_end, torn_lines: 0, end: text_end };
    if text_end < len {
        calls::set_len(file, text_end)?;
    }
    if last != b'\n' {
        while os::append(file, b"\n").or_else(retry_interrupted)? == 0 {}
        repair.torn_lines = 1;
        repair.end += 1;
    }
    Ok(repair)
}

fn retry_interrupted(error: io::Error) -> io::Result<usize> {
    if error.kind() == io::ErrorKind::Interrupted { Ok(0) } else { Err(error) }
}

/// The last byte in front of `len` that is not NUL, and its place.
fn last_byte_not_nul(file: &File, len: u64) -> io::Result<Option<(u64, u8)>> {
    let zeros = vec![0; BLOCK as usize];
    let mut buffer = vec![0; BLOCK as usize];
    let mut end = len;
    while end > 0 {
        let start = (end - 1) / BLOCK * BLOCK;
        let block = &mut buffer[..(end - start) as usize];
        os::read_exact_at(file, block, start)?;
        // One comparison of memory for the long run of NULs, the search only for its last block.
        if *block != zeros[..block.len()] {
            let found = block.iter().rposition(|&byte| byte != 0);
            return Ok(found.map(|at| (start + at as u64, block[at])));
        }
        end = start;
    }
    Ok(None)
}
