//! The operations that differ between systems, one name each.
//!
//! Linux is served fully. Other Unixes lack the reservation of space, so a mapping falls back to
//! plain writes there. Windows has neither permission bits nor advisory locks: see
//! [`KEEPS_SHARED_LOCKS`].

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;

use memmap2::MmapRaw;

use super::fault::strike;

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
    match how.create {
        Create::Never => {}
        Create::IfMissing => {
            options.create(true);
        }
        Create::Exclusively => {
            options.create_new(true);
        }
    }
    system::prepare(&mut options, how);
    strike()?;
    options.open(path)
}

/// The largest mapping step, in bytes. A file system that cannot give a whole step may hand out all
/// it has before it says so, so that a step of any size could fill a disk for a moment.
const LARGEST_STEP: usize = 1 << 30;

/// Rounds a mapping step up to a whole number of pages; at least one, at most [`LARGEST_STEP`].
pub(super) fn round_to_pages(bytes: usize) -> usize {
    bytes.clamp(1, LARGEST_STEP).next_multiple_of(page_size())
}

/// Which file of this machine something is, whatever its names are: device and number. A number is
/// not given to another file while this one is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity {
    device: u64,
    number: u64,
}

#[cfg(unix)]
use unix as system;
#[cfg(windows)]
use windows as system;

pub(super) use system::{
    append, create_directories, end_nonblocking, identity, is_descriptor_path, is_shared_directory,
    is_trusted, is_unlinked, open_directory, page_size, position, read_exact_at, reserve,
    standard_stream,
};

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

/// Tells failures apart.
pub(super) fn failure(error: &io::Error) -> Failure {
    #[cfg(unix)]
    match error.raw_os_error() {
        Some(libc::EIO | libc::ESTALE) => return Failure::Broken,
        Some(libc::EDQUOT | libc::EROFS | libc::ENODEV) => return Failure::Closed,
        _ => {}
    }
    let _ = error;
    Failure::Other
}

/// Makes `len` bytes of the mapping from `offset` on present and writable, so that storing there
/// cannot fail.
///
/// # Errors
///
/// Kind `Unsupported` where the kernel has no such call (Linux before 5.14, other systems);
/// otherwise the space cannot be had, or the file ends before the range.
pub(super) fn populate(map: &MmapRaw, offset: usize, len: usize) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        strike()?;
        let result = map.advise_range(memmap2::Advice::PopulateWrite, offset, len);
        match result {
            // The range lies in the mapping, so the only argument that can be invalid is the advice.
            Err(e) if e.raw_os_error() == Some(libc::EINVAL) => {
                Err(io::ErrorKind::Unsupported.into())
            }
            other => other,
        }
    }
    #[cfg(not(target_os = "linux"))]
    {
        let (_, _, _) = (map, offset, len);
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// Whether `error` is what [`populate`] says when the file ends before the range or the file
/// system could not provide a page.
pub(super) fn is_bad_address(error: &io::Error) -> bool {
    #[cfg(unix)]
    return error.raw_os_error() == Some(libc::EFAULT);
    #[cfg(not(unix))]
    {
        let _ = error;
        false
    }
}

#[cfg(windows)]
mod windows;

#[cfg(unix)]
mod unix {
    use std::fs::{DirBuilder, File, Metadata, OpenOptions};
    use std::io::{self, Write};
    use std::os::fd::AsFd;
    use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
    use std::path::Path;

    use super::super::fault::{strike, strike_write};
    use super::{Identity, OpenHow};

    /// Which file it is; `None` for what is no regular file.
    pub(in super::super) fn identity(file: &Metadata) -> Option<Identity> {
        file.is_file().then(|| Identity { device: file.dev(), number: file.ino() })
    }

    /// Whether an open file has no name any more.
    pub(in super::super) fn is_unlinked(file: &Metadata) -> bool {
        file.nlink() == 0
    }

    pub(in super::super) fn prepare(options: &mut OpenOptions, how: OpenHow) {
        // The standard library adds O_CLOEXEC. O_NOCTTY: a terminal must not become ours.
        let mut flags = libc::O_NONBLOCK | libc::O_NOCTTY;
        if how.no_follow {
            flags |= libc::O_NOFOLLOW;
        }
        options.append(true).mode(how.permissions & 0o777).custom_flags(flags);
    }

    /// Lets writes wait again, after the check that opening must not wait for.
    pub(in super::super) fn end_nonblocking(file: &File) -> io::Result<()> {
        strike()?;
        let flags = rustix::fs::fcntl_getfl(file)?;
        Ok(rustix::fs::fcntl_setfl(file, flags - rustix::fs::OFlags::NONBLOCK)?)
    }

    /// Makes a folder and those above it: nothing for others, reading for the group.
    pub(in super::super) fn create_directories(path: &Path) -> io::Result<()> {
        strike()?;
        DirBuilder::new().recursive(true).mode(0o750).create(path)
    }

    /// Opens a folder, to be synced later.
    pub(in super::super) fn open_directory(path: &Path) -> Option<File> {
        strike().ok()?;
        OpenOptions::new().read(true).custom_flags(libc::O_DIRECTORY).open(path).ok()
    }

    /// Whether everybody may put names into this folder.
    pub(in super::super) fn is_shared_directory(directory: &Metadata) -> bool {
        directory.mode() & 0o002 != 0
    }

    /// Whether a file found in a shared folder can be ours: owned by this user or root, and under
    /// one name only, so that it is nobody else's file planted here as a hard link.
    pub(in super::super) fn is_trusted(file: &Metadata) -> bool {
        let owner = file.uid();
        (owner == 0 || owner == rustix::process::geteuid().as_raw()) && file.nlink() == 1
    }

    /// Whether the path names an open descriptor of this process.
    pub(in super::super) fn is_descriptor_path(path: &Path) -> bool {
        ["/dev/fd/", "/proc/self/fd/"].iter().any(|folder| {
            path.to_str()
                .and_then(|path| path.strip_prefix(folder))
                .is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
        })
    }

    /// A duplicate of this process's standard output or error, if the path names it.
    ///
    /// Opening the path instead would fail for sockets and after a change of user, and would give
    /// a redirected file a second position that overwrites what the program prints.
    pub(in super::super) fn standard_stream(path: &Path) -> Option<io::Result<File>> {
        let owned = match path.to_str()? {
            "/dev/stdout" | "/dev/fd/1" | "/proc/self/fd/1" => {
                io::stdout().as_fd().try_clone_to_owned()
            }
            "/dev/stderr" | "/dev/fd/2" | "/proc/self/fd/2" => {
                io::stderr().as_fd().try_clone_to_owned()
            }
            _ => return None,
        };
        Some(owned.map(File::from))
    }

    /// One `write(2)`; the file was opened with `O_APPEND`.
    pub(in super::super) fn append(mut file: &File, bytes: &[u8]) -> io::Result<usize> {
        file.write(strike_write(bytes)?)
    }

    /// Where the last write of an appending file ended.
    pub(in super::super) fn position(file: &File) -> Option<u64> {
        rustix::fs::tell(file).ok()
    }

    pub(in super::super) fn read_exact_at(
        file: &File,
        buffer: &mut [u8],
        offset: u64,
    ) -> io::Result<()> {
        strike()?;
        file.read_exact_at(buffer, offset)
    }

    pub(in super::super) fn page_size() -> usize {
        rustix::param::page_size()
    }

    /// Reserves real space for `len` bytes from `offset` on and extends the file over them.
    ///
    /// The raw call: glibc's `posix_fallocate` would write every block where the file system
    /// cannot reserve.
    ///
    /// # Errors
    ///
    /// Kind `Unsupported` where the system or the file system cannot.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(in super::super) fn reserve(file: &File, offset: u64, len: u64) -> io::Result<()> {
        strike()?;
        loop {
            match rustix::fs::fallocate(file, rustix::fs::FallocateFlags::empty(), offset, len) {
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => {
                    return Err(io::ErrorKind::Unsupported.into());
                }
                other => return Ok(other?),
            }
        }
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    pub(in super::super) fn reserve(_: &File, _: u64, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
