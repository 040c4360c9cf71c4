//! The operations that differ between systems, one name each; one module for each family of
//! systems, with the same functions.
//!
//! Linux is served fully. Other Unixes lack the reservation of space, so a mapping falls back to
//! plain writes there. Windows has neither permission bits nor advisory locks: see
//! [`KEEPS_SHARED_LOCKS`].

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;

use super::fault::strike;

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
use unix as system;
#[cfg(windows)]
use windows as system;

pub(super) use system::{
    append, create_directories, end_nonblocking, failure, identity, is_anonymous, is_bad_address,
    is_descriptor_path, is_same, is_shared_directory, is_trusted, is_unlinked, next_data,
    open_directory, page_size, populate, position, read_exact_at, reserve, standard_stream,
    wait_until_writable,
};

/// Whether a shared lock can be held while writing. On Windows locks are mandatory: a shared one
/// would forbid its own holder to write, so append writers there hold none.
pub(super) const KEEPS_SHARED_LOCKS: bool = cfg!(not(windows));

/// How a path is opened.
#[derive(Debug, Clone, Copy)]
pub(super) struct OpenHow {
    /// Whether the last bytes and a mapping must be readable too.
    pub read: bool,
    /// Whether a missing file is made.
    pub create: Create,
    /// Whether a symbolic link as the last component is an error.
    pub no_follow: bool,
    /// The permission bits of a new file, before the umask.
    #[cfg_attr(windows, expect(dead_code, reason = "Windows has none"))]
    pub permissions: u32,
}

/// What happens to a file that is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Create {
    /// It stays away.
    Never,
    /// It is made if it is missing.
    IfMissing,
    /// It is made, and one that is there is an error.
    Exclusively,
}

/// Opens `path` for appending, without ever waiting for the other end of a pipe.
pub(super) fn open(path: &Path, how: OpenHow) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(how.read);
    options.create(how.create == Create::IfMissing).create_new(how.create == Create::Exclusively);
    system::prepare(&mut options, how);
    strike()?;
    system::beside_streams(options.open(path)?)
}

/// Which file of this machine something is, whatever its names are: device and number. A number is
/// not given to another file while this one is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity {
    device: u64,
    number: u64,
}

/// What an error says about the use of trying again in the same way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    /// The device or the way to it is broken, and nothing is known of what it did: EIO, ESTALE.
    Broken,
    /// This file system takes nothing more, which another one at the same name may: EDQUOT, EROFS,
    /// ENODEV.
    #[cfg_attr(windows, expect(dead_code, reason = "files are not found again by name there"))]
    Closed,
    /// Any other.
    Other,
}
