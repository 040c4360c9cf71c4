//! Unix: permission bits, advisory locks, and on Linux the reservation of space.

use std::fs::{DirBuilder, File, Metadata, OpenOptions};
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use memmap2::MmapRaw;
use rustix::event::{PollFd, PollFlags};

use super::super::fault::{strike, strike_write};
use super::{Failure, Identity, OpenHow};

/// How many times in a row a reservation may be interrupted before a smaller one is tried.
#[cfg(any(target_os = "linux", target_os = "android"))]
const INTERRUPTIONS: usize = 3;

/// Which file it is; `None` for what is no regular file.
pub(in super::super) fn identity(file: &Metadata) -> Option<Identity> {
    file.is_file().then(|| Identity { device: file.dev(), number: file.ino() })
}

/// Whether both are the same file or folder.
pub(in super::super) fn is_same(one: &Metadata, other: &Metadata) -> bool {
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

/// Whether an open file or folder has no name any more.
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

/// The file under a number that no standard stream has. Where a program has closed these, as some
/// daemons do, the next file opened gets their numbers, and with them all that is printed.
pub(in super::super) fn beside_streams(file: File) -> io::Result<File> {
    if file.as_raw_fd() > libc::STDERR_FILENO {
        return Ok(file);
    }
    Ok(rustix::io::fcntl_dupfd_cloexec(&file, libc::STDERR_FILENO + 1)?.into())
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

/// Opens a folder, to be synced later; `None` if it may not be read or is gone.
pub(in super::super) fn open_directory(path: &Path) -> io::Result<Option<File>> {
    strike()?;
    match OpenOptions::new().read(true).custom_flags(libc::O_DIRECTORY).open(path) {
        Err(e) if matches!(e.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::NotFound) => {
            Ok(None)
        }
        opened => opened.map(Some),
    }
}

/// Whether somebody may put names into this folder who is neither this user nor root: everybody, or
/// its owner. Of a group the best is assumed.
pub(in super::super) fn is_shared_directory(directory: &Metadata) -> bool {
    directory.mode() & 0o002 != 0 || !is_own(directory)
}

/// Whether a file found in a shared folder can be ours: owned by this user or root, or by the owner
/// of the folder, who could only plant a file of his own, and under one name only, so that it is
/// nobody else's file planted here as a hard link.
pub(in super::super) fn is_trusted(file: &Metadata, directory: Option<&Metadata>) -> bool {
    let owned_as_folder = directory.is_some_and(|directory| directory.uid() == file.uid());
    (is_own(file) || owned_as_folder) && file.nlink() == 1
}

/// Whether something belongs to this user or to root.
fn is_own(found: &Metadata) -> bool {
    found.uid() == 0 || found.uid() == rustix::process::geteuid().as_raw()
}

/// Whether the path names an open descriptor of this process.
pub(in super::super) fn is_descriptor_path(path: &Path) -> bool {
    ["/dev/fd/", "/proc/self/fd/"].iter().any(|folder| {
        path.to_str()
            .and_then(|path| path.strip_prefix(folder))
            .is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
    })
}

/// Whether the descriptor that the path names is of a pipe or a socket without a name.
pub(in super::super) fn is_anonymous(path: &Path) -> bool {
    let descriptor = match path.to_str() {
        Some("/dev/stdout") => Some("1"),
        Some("/dev/stderr") => Some("2"),
        _ => path.file_name().and_then(|name| name.to_str()),
    };
    // Linux tells; a named pipe has a path there.
    let link = descriptor.map(|number| std::fs::read_link(Path::new("/proc/self/fd").join(number)));
    link.and_then(Result::ok).is_some_and(|name| {
        let is = |kind: &str| name.to_str().is_some_and(|name| name.starts_with(kind));
        is("pipe:[") || is("socket:[")
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

/// Waits until a pipe, a terminal or the like that does not wait by itself takes bytes, or is gone.
pub(in super::super) fn wait_until_writable(file: &File) -> io::Result<()> {
    strike()?;
    let mut wanted = [PollFd::new(file, PollFlags::OUT)];
    loop {
        match rustix::event::poll(&mut wanted, None) {
            Err(rustix::io::Errno::INTR) => {}
            // Some systems cannot say it of some devices.
            Ok(_) if wanted[0].revents().contains(PollFlags::NVAL) => {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            other => return Ok(other.map(drop)?),
        }
    }
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
/// Kind `Unsupported` where the system or the file system cannot. Kind `Interrupted` after several
/// interruptions: an interrupted call begins anew, and a long one might never come to its end under
/// a timer that sends signals.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(in super::super) fn reserve(file: &File, offset: u64, len: u64) -> io::Result<()> {
    let flags = rustix::fs::FallocateFlags::empty();
    let mut tries = INTERRUPTIONS;
    loop {
        tries -= 1;
        match strike().and_then(|()| Ok(rustix::fs::fallocate(file, flags, offset, len)?)) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted && tries > 0 => {}
            Err(e) if matches!(e.raw_os_error(), Some(libc::EOPNOTSUPP | libc::ENOSYS)) => {
                return Err(io::ErrorKind::Unsupported.into());
            }
            other => return other,
        }
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(in super::super) fn reserve(_: &File, _: u64, _: u64) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// The first place from `from` on that the file has data for; those before read as NUL. `None`
/// behind the last data. Where the system cannot say, all is data. Moves the position of the file.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(in super::super) fn next_data(file: &File, from: u64) -> Option<u64> {
    match rustix::fs::seek(file, rustix::fs::SeekFrom::Data(from)) {
        Ok(at) => Some(at),
        Err(rustix::io::Errno::NXIO) => None,
        Err(_) => Some(from),
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(in super::super) fn next_data(_: &File, from: u64) -> Option<u64> {
    Some(from)
}

/// Makes `len` bytes of the mapping from `offset` on present and writable, so that storing there
/// cannot fail.
///
/// # Errors
///
/// Kind `Unsupported` where the kernel has no such call (Linux before 5.14, other systems);
/// otherwise the space cannot be had, or the file ends before the range.
#[cfg(target_os = "linux")]
pub(in super::super) fn populate(map: &MmapRaw, offset: usize, len: usize) -> io::Result<()> {
    let populate = memmap2::Advice::PopulateWrite;
    match strike().and_then(|()| map.advise_range(populate, offset, len)) {
        // The range lies in the mapping, so the only argument that can be invalid is the advice.
        Err(e) if e.raw_os_error() == Some(libc::EINVAL) => Err(io::ErrorKind::Unsupported.into()),
        other => other,
    }
}

#[cfg(not(target_os = "linux"))]
pub(in super::super) fn populate(_: &MmapRaw, _: usize, _: usize) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Whether `error` is what [`populate`] says when the file ends before the range or the file
/// system could not provide a page.
pub(in super::super) fn is_bad_address(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EFAULT)
}

/// Tells failures apart.
pub(in super::super) fn failure(error: &io::Error) -> Failure {
    match error.raw_os_error() {
        Some(libc::EIO | libc::ESTALE) => Failure::Broken,
        Some(libc::EDQUOT | libc::EROFS | libc::ENODEV) => Failure::Closed,
        _ => Failure::Other,
    }
}
