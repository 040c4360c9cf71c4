//! Windows: files without permission bits, and nothing that could be locked only for advice.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::windows::fs::FileExt;
use std::path::Path;

use memmap2::MmapRaw;

use super::super::fault::{strike, strike_write};
use super::{Failure, Identity, OpenHow};

/// The standard library does not say.
pub(in super::super) fn identity(_: &Metadata) -> Option<Identity> {
    None
}

/// The standard library does not say.
pub(in super::super) fn is_same(_: &Metadata, _: &Metadata) -> bool {
    false
}

pub(in super::super) fn is_unlinked(_: &Metadata) -> bool {
    false
}

pub(in super::super) fn prepare(options: &mut OpenOptions, _: OpenHow) {
    // Not `append`: a handle with nothing but the right to append cannot be cut or mapped.
    options.write(true);
}

/// Files get no numbers of streams here.
pub(in super::super) fn beside_streams(file: File) -> io::Result<File> {
    Ok(file)
}

pub(in super::super) fn end_nonblocking(_: &File) -> io::Result<()> {
    Ok(())
}

pub(in super::super) fn create_directories(path: &Path) -> io::Result<()> {
    strike()?;
    std::fs::create_dir_all(path)
}

pub(in super::super) fn open_directory(_: &Path) -> io::Result<Option<File>> {
    Ok(None)
}

pub(in super::super) fn is_shared_directory(_: &Metadata) -> bool {
    false
}

pub(in super::super) fn is_trusted(_: &Metadata, _: Option<&Metadata>) -> bool {
    true
}

pub(in super::super) fn is_descriptor_path(_: &Path) -> bool {
    false
}

pub(in super::super) fn is_anonymous(_: &Path) -> bool {
    false
}

pub(in super::super) fn standard_stream(_: &Path) -> Option<io::Result<File>> {
    None
}

/// One write that the system puts at the end: an offset of all ones means that.
/// <https://learn.microsoft.com/windows/win32/api/fileapi/nf-fileapi-writefile>
pub(in super::super) fn append(file: &File, bytes: &[u8]) -> io::Result<usize> {
    file.seek_write(strike_write(bytes)?, u64::MAX)
}

/// Nothing that is written to asks for that.
pub(in super::super) fn wait_until_writable(_: &File) -> io::Result<()> {
    Err(io::ErrorKind::WouldBlock.into())
}

/// The place of a write at the end is not told.
pub(in super::super) fn position(_: &File) -> Option<u64> {
    None
}

pub(in super::super) fn read_exact_at(
    mut file: &File,
    buffer: &mut [u8],
    offset: u64,
) -> io::Result<()> {
    strike()?;
    file.seek(SeekFrom::Start(offset))?;
    file.read_exact(buffer)
}

/// The granularity of mappings on Windows, a multiple of every page size.
pub(in super::super) fn page_size() -> usize {
    64 << 10
}

/// A mapping cannot be longer than its file here, and a file that is made longer first promises no
/// room: [`MemoryMapped`](super::super::memory_mapped) goes on as `BlockBuffered`.
pub(in super::super) fn reserve(_: &File, _: u64, _: u64) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// The standard library does not say: all is data.
pub(in super::super) fn next_data(_: &File, from: u64) -> Option<u64> {
    Some(from)
}

/// Pages are not made present before they are stored to.
pub(in super::super) fn populate(_: &MmapRaw, _: usize, _: usize) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// No call says so: see [`populate`].
pub(in super::super) fn is_bad_address(_: &io::Error) -> bool {
    false
}

/// Errors are not told apart: each is tried again in the same way.
pub(in super::super) fn failure(_: &io::Error) -> Failure {
    Failure::Other
}
