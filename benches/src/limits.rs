//! What the machine can do at best.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

/// Bytes of a block of [`write_limit`].
const BLOCK: usize = 1 << 20;

/// Writes `count` copies of `line` to a new file in blocks of 1 MiB, and nothing else: the limit of
/// whatever ends in `write(2)`.
///
/// # Panics
///
/// When the file cannot be written.
pub fn write_limit(path: &Path, line: &[u8], count: usize) -> Duration {
    let block: Vec<u8> = line.iter().copied().cycle().take(BLOCK).collect();
    let mut left = count * line.len();
    let mut file = File::create(path).expect("a new file");
    let start = Instant::now();
    while left > 0 {
        let piece = left.min(block.len());
        file.write_all(&block[..piece]).expect("room on the disk");
        left -= piece;
    }
    start.elapsed()
}

/// Copies `count` copies of `line` one by one into a mapping of a new file whose space is reserved,
/// and nothing else: the limit of whatever writes through a mapping. Reserving and mapping are in
/// the time.
///
/// # Panics
///
/// When the file cannot be reserved or mapped.
pub fn map_limit(path: &Path, line: &[u8], count: usize) -> Duration {
    let file = File::options().read(true).write(true).create(true).truncate(true).open(path);
    let file = file.expect("a new file");
    let bytes = count * line.len();
    let start = Instant::now();
    rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, bytes as u64)
        .expect("room on the disk");
    // SAFETY: the file was made by this process a moment ago, in a folder of its own, and nobody
    // else changes it while it is mapped.
    let mut map = unsafe { memmap2::MmapMut::map_mut(&file) }.expect("a mapping");
    for place in map.chunks_exact_mut(line.len()) {
        place.copy_from_slice(line);
    }
    drop(map);
    start.elapsed()
}
