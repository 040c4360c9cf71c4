//! What is read from its beginning to its end: a file, a pipe, or standard input for `-`.

use std::fs::File;
use std::io::{self, Cursor, Read, Seek};
use std::path::Path;

/// How compressed files begin, what they are, and the program that reads them.
const COMPRESSED: [(&[u8], &str, &str); 5] = [
    (b"\x1f\x8b", "gzip", "zcat"),
    (b"\x28\xb5\x2f\xfd", "zstd", "zstdcat"),
    (b"\xfd7zXZ\0", "xz", "xzcat"),
    (b"BZh", "bzip2", "bzcat"),
    (b"\x04\x22\x4d\x18", "lz4", "lz4cat"),
];

/// Whether a path stands for standard input.
pub(crate) fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// Opens `path` to be read once.
///
/// # Errors
///
/// As opening and reading; kind `InvalidData` for what is compressed, with what to do.
pub(crate) fn open(path: &Path) -> io::Result<Box<dyn Read>> {
    let mut from: Box<dyn Read> =
        if is_stdin(path) { Box::new(io::stdin().lock()) } else { Box::new(File::open(path)?) };
    let start = start(&mut from)?;
    Ok(Box::new(Cursor::new(start).chain(from)))
}

/// Looks at the beginning of a file that can be read anywhere, and leaves it at its beginning.
///
/// # Errors
///
/// As for [`open`].
pub(crate) fn look_at(mut file: &File) -> io::Result<()> {
    start(&mut file)?;
    file.rewind()
}

fn start(from: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut start = Vec::new();
    // Byte by byte, and none too many: in a pipe the next one may be long in coming.
    let may_be = |start: &[u8]| {
        COMPRESSED.iter().any(|(magic, ..)| magic.len() > start.len() && magic.starts_with(start))
    };
    while may_be(&start) && from.take(1).read_to_end(&mut start)? > 0 {}
    for (magic, name, program) in COMPRESSED {
        if start.starts_with(magic) {
            let advice =
                format!("it is compressed ({name}): pipe what {program} says, with - as the file");
            return Err(io::Error::new(io::ErrorKind::InvalidData, advice));
        }
    }
    Ok(start)
}
