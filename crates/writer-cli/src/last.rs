//! The last lines of a file, found from behind.

use std::fs::File;
use std::io::{self, Seek, SeekFrom};

use crate::follow::{BLOCK, read};

/// Where the last `lines` lines of a file begin. NUL bytes at its end are none of them.
pub(crate) fn last_lines(file: &File, lines: usize) -> io::Result<u64> {
    last_lines_before(file, file.metadata()?.len(), lines)
}

/// The same of a file that was `end` bytes long. It may be shorter since: the reserve of a mapping
/// is cut off at any time.
fn last_lines_before(mut file: &File, mut end: u64, lines: usize) -> io::Result<u64> {
    let mut block = vec![0; BLOCK];
    let mut text_seen = false;
    let mut left = lines;
    while end > 0 {
        let start = end.saturating_sub(BLOCK as u64);
        let bytes = &mut block[..(end - start) as usize];
        file.seek(SeekFrom::Start(start))?;
        let there = read_most(file, bytes)?;
        let bytes = &bytes[..there];
        let mut text = bytes.len();
        if !text_seen {
            text = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |at| at + 1);
            if text > 0 {
                text_seen = true;
                if lines == 0 {
                    return Ok(start + text as u64);
                }
                // The newline that ends the last line begins no other.
                left = left.saturating_add(usize::from(bytes[text - 1] == b'\n'));
            }
        }
        for at in memchr::memrchr_iter(b'\n', &bytes[..text]) {
            left -= 1;
            if left == 0 {
                return Ok(start + at as u64 + 1);
            }
        }
        end = start;
    }
    Ok(0)
}

/// Fills the block as far as the file goes.
fn read_most(file: &File, block: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < block.len() {
        match read(file, &mut block[filled..])? {
            0 => break,
            more => filled += more,
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// It was an error to the last lines of a mapped file, ever so often.
    #[test]
    fn a_file_that_is_cut_meanwhile_has_its_last_lines() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lines");
        std::fs::write(&path, "one\ntwo\nthree\n").unwrap();
        let file = File::open(&path).unwrap();
        for more in [0, 1, BLOCK as u64 - 14, BLOCK as u64, 3 * BLOCK as u64] {
            assert_eq!(last_lines_before(&file, 14 + more, 2).unwrap(), 4, "{more}");
        }
    }

    #[test]
    fn the_last_lines_are_found_from_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lines");
        let mut text = String::new();
        for number in 0..20_000 {
            text.push_str(&format!("line {number}\n"));
        }
        for (ending, nuls) in [("", 0), ("torn", 0), ("", 200_000), ("torn", 7)] {
            let mut file = File::create(&path).unwrap();
            let bytes = [text.as_bytes(), ending.as_bytes(), &vec![0; nuls]].concat();
            file.write_all(&bytes).unwrap();
            let file = File::open(&path).unwrap();
            let all: Vec<&str> = [text.lines().collect(), vec![ending]].concat();
            let all = &all[..20_000 + usize::from(!ending.is_empty())];
            for lines in [0, 1, 2, 10_000, 30_000, usize::MAX] {
                let start = last_lines(&file, lines).unwrap() as usize;
                let found = std::str::from_utf8(&bytes[start..]).unwrap().trim_end_matches('\0');
                let expected = &all[all.len().saturating_sub(lines)..];
                assert_eq!(found.lines().collect::<Vec<_>>(), expected, "{lines} {ending} {nuls}");
            }
        }
    }
}
