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
    /// Lines without an end that were given one, or are owed one: 0 or 1.
    pub torn_lines: u64,
    /// The length of the file now, with a line end that is owed.
    pub end: u64,
    /// There was no room for the line end: it goes out before the next line.
    pub owes_line_end: bool,
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
    let mut repair = repair_or_owe(file)?;
    if std::mem::take(&mut repair.owes_line_end) {
        // Asked once more for the reason.
        end_line(file)?;
    }
    Ok(repair)
}

/// As [`repair`], for a file that is opened; no room for the line end is no error there: a full
/// disk keeps no program from starting.
pub(super) fn repair_or_owe(file: &File) -> io::Result<Repair> {
    let (mut repair, is_torn) = cut_nuls(file)?;
    if is_torn {
        match end_line(file) {
            Err(e) if calls::is_out_of_space(&e) => repair.owes_line_end = true,
            ended => ended?,
        }
        repair.torn_lines = 1;
        repair.end += 1;
    }
    Ok(repair)
}

/// Cuts NUL bytes off the end of `file`; says whether a line without an end is left there.
fn cut_nuls(file: &File) -> io::Result<(Repair, bool)> {
    let len = calls::metadata(file)?.len();
    let (text_end, last) = match last_byte_not_nul(file, len)? {
        Some((at, byte)) => (at + 1, byte),
        None => (0, b'\n'),
    };
    if text_end < len {
        calls::set_len(file, text_end)?;
    }
    let recovered_nul_bytes = len - text_end;
    Ok((Repair { recovered_nul_bytes, end: text_end, ..Repair::default() }, last != b'\n'))
}

fn end_line(file: &File) -> io::Result<()> {
    loop {
        match os::append(file, b"\n") {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            other => return other.map(drop),
        }
    }
}

/// Where the text of a file of this length ends: behind its last byte that is not NUL.
pub(super) fn text_end(file: &File, len: u64) -> io::Result<u64> {
    Ok(last_byte_not_nul(file, len)?.map_or(0, |(at, _)| at + 1))
}

/// The last byte in front of `len` that is not NUL, and its place.
fn last_byte_not_nul(file: &File, len: u64) -> io::Result<Option<(u64, u8)>> {
    let zeros = vec![0; BLOCK as usize];
    let mut buffer = vec![0; BLOCK as usize];
    let mut end = len;
    while end > 0 {
        let start = (end - 1) / BLOCK * BLOCK;
        if !has_data(file, start, end) {
            end = start_of_hole(file, start);
            continue;
        }
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

/// Whether somewhere between two places the file has more than a hole or reserved space.
fn has_data(file: &File, from: u64, to: u64) -> bool {
    os::next_data(file, from).is_some_and(|at| at < to)
}

/// The first block of the hole in front of `end`: other than by reading, gibibytes are passed in a
/// few calls, while others may be waiting for the lock.
fn start_of_hole(file: &File, end: u64) -> u64 {
    let (mut low, mut high) = (0, end / BLOCK);
    while low < high {
        let middle = (low + high) / 2;
        match has_data(file, middle * BLOCK, end) {
            true => low = middle + 1,
            false => high = middle,
        }
    }
    high * BLOCK
}
