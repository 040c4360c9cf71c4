//! Calls of the system on files and paths that are the same everywhere.

use std::fs::{self, File, Metadata};
use std::io;
use std::path::Path;

use memmap2::{MmapOptions, MmapRaw};

use super::fault::strike;

/// What an open file is at this moment.
pub(super) fn metadata(file: &File) -> io::Result<Metadata> {
    strike()?;
    file.metadata()
}

/// What a path leads to.
pub(super) fn look_up(path: &Path) -> io::Result<Metadata> {
    strike()?;
    fs::metadata(path)
}

/// Cuts or stretches a file.
pub(super) fn set_len(file: &File, len: u64) -> io::Result<()> {
    strike()?;
    file.set_len(len)
}

/// Waits until what is written to a file is on the disk.
pub(super) fn sync_data(file: &File) -> io::Result<()> {
    strike()?;
    file.sync_data()
}

/// Waits until a file or folder and what is said about it is on the disk.
pub(super) fn sync_all(file: &File) -> io::Result<()> {
    strike()?;
    file.sync_all()
}

/// Maps `len` bytes of `file` from `start` on.
pub(super) fn map(file: &File, start: u64, len: usize) -> io::Result<MmapRaw> {
    strike()?;
    MmapOptions::new().offset(start).len(len).map_raw(file)
}

/// Waits until the first `len` bytes of a mapping are on the disk; interruptions are retried, as
/// the standard library does for files.
pub(super) fn sync_mapping(map: &MmapRaw, len: usize) -> io::Result<()> {
    loop {
        match strike().and_then(|()| map.flush_range(0, len)) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

/// Whether there was no room, and less might have fitted.
pub(super) fn is_out_of_space(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}
