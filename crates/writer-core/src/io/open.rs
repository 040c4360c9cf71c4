//! From a path to an open, checked, locked and repaired file.

use std::fs::{self, File, Metadata};
use std::io;
use std::path::Path;
use std::time::Duration;

use super::calls;
use super::file::LogFile;
use super::folders::Folders;
use super::lock::{self, Held};
use super::os::{self, Create, Identity, OpenHow};
use super::tail::{self, Repair};
use crate::axes::Strategy;
use crate::config::Config;
use crate::error::BuildError;

/// The longest name of a file or folder, in bytes; the same on all common file systems.
const LONGEST_NAME: usize = 255;
/// The longest path, in bytes, with room for the NUL that the system adds.
const LONGEST_PATH: usize = 4095;
/// How often a file in a shared folder is looked at before it is trusted.
const LOOKS: usize = 16;
/// How often a name may vanish or appear between two looks at it before that is an error.
const RACES: usize = 16;
/// The time between two attempts to open a file that another process holds under a lease; that
/// process is asked to give it up by the first. They last a second together.
const LEASE_PAUSE: Duration = Duration::from_millis(64);

/// Opens `path` as `config` says, [finds](find) and [claims](claim) it; `config.path` is not looked
/// at.
///
/// # Errors
///
/// Every error of [`BuildError`] that names a path. A missing file may have been made by then, with
/// folders above it; one that was there may have been mended or, with `truncate`, emptied.
pub(super) fn open(path: &Path, config: &Config) -> Result<(LogFile, Repair), BuildError> {
    claim(path, config, find(path, config)?, lock::PATIENCE)
}

/// Opens what is at `path`, or makes it, if it is something that may be written. It can be called
/// again for the same path, which then may name another file.
pub(super) fn find(path: &Path, config: &Config) -> Result<Checked, BuildError> {
    check_path(path)?;
    if let Some(stream) = os::standard_stream(path) {
        refuse_on_special(path, config)?;
        let file = stream.map_err(|e| failed("open", path, e))?;
        return Ok(Checked {
            file,
            readable: false,
            special: true,
            identity: None,
            folders: Folders::default(),
        });
    }
    let found = look_before(path, config)?;
    let checked = open_checked(path, config, found)?;
    os::end_nonblocking(&checked.file).map_err(|e| failed("open", path, e))?;
    Ok(checked)
}

/// Makes a file that was found ready to be written: locks it, and mends or empties it.
///
/// `patience` is how long other writers are waited for that open the file at this moment.
pub(super) fn claim(
    path: &Path,
    config: &Config,
    found: Checked,
    patience: Duration,
) -> Result<(LogFile, Repair), BuildError> {
    let mut repair = match found.special {
        true => Repair::default(),
        // Closing would not do: a process that another thread starts at this moment has a copy of
        // the descriptor, and with it the lock, until its program runs.
        false => lock_and_repair(path, config, &found, patience)
            .inspect_err(|_| lock::release(&found.file))?,
    };
    let mut file = LogFile::new(found.file, found.identity, found.folders);
    if repair.owes_line_end {
        match config.strategy {
            // It finds the file shorter than `repair.end`, mends it before it copies, and counts
            // that then.
            Strategy::MemoryMapped => repair.torn_lines = 0,
            _ => file.owe_line_end(repair.end - 1),
        }
    }
    Ok((file, repair))
}

/// What stands at a path, before it is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    Nothing,
    Regular,
    Special,
}

/// A file that was opened and may be written.
pub(super) struct Checked {
    file: File,
    /// Whether the last bytes can be looked at.
    readable: bool,
    special: bool,
    /// Which file it is, if it is a regular one.
    pub(super) identity: Option<Identity>,
    /// The folders in which names were made for it.
    folders: Folders,
}

fn failed(operation: &'static str, path: &Path, source: io::Error) -> BuildError {
    BuildError::Io { operation, path: path.to_owned(), source }
}

fn special(path: &Path, reason: &'static str) -> BuildError {
    let kind = match path.is_dir() {
        true => io::ErrorKind::IsADirectory,
        false => io::ErrorKind::InvalidInput,
    };
    BuildError::SpecialFile { path: path.to_owned(), reason, source: kind.into() }
}

/// Looks at what a path says, not at what is there. A path is to be given as the program gave it:
/// made absolute, it has lost a dot at its end.
pub(crate) fn check_path(path: &Path) -> Result<(), BuildError> {
    use io::ErrorKind::{InvalidFilename, InvalidInput, IsADirectory, NotFound};

    let bytes = path.as_os_str().as_encoded_bytes();
    let last = bytes.rsplit(|&byte| std::path::is_separator(char::from(byte))).next();
    let too_long = |part: std::path::Component<'_>| part.as_os_str().len() > LONGEST_NAME;
    let (kind, reason) = match bytes {
        [] => (NotFound, "it is empty"),
        [.., b'/'] => (IsADirectory, "it ends in a slash, as folders do"),
        _ if matches!(last, Some(b"." | b"..")) => {
            (IsADirectory, "it ends in a dot, as folders do")
        }
        _ if bytes.contains(&0) => (InvalidInput, "it contains a NUL"),
        _ if bytes.len() > LONGEST_PATH => (InvalidFilename, "it is longer than 4095 bytes"),
        _ if path.components().any(too_long) => {
            (InvalidFilename, "a name in it is longer than 255 bytes")
        }
        _ => return Ok(()),
    };
    Err(BuildError::InvalidPath { path: path.to_owned(), reason, source: kind.into() })
}

fn refuse_on_special(path: &Path, config: &Config) -> Result<(), BuildError> {
    if config.strategy == Strategy::MemoryMapped {
        return Err(special(path, "only a regular file can be mapped"));
    }
    if config.truncate {
        return Err(special(path, "only a regular file can be emptied"));
    }
    Ok(())
}

/// Refuses what must not even be opened: opening a device or a pipe can have effects.
fn look_before(path: &Path, config: &Config) -> Result<Found, BuildError> {
    let metadata = match calls::look_up(path) {
        Ok(metadata) => metadata,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Found::Nothing),
        Err(e) => return Err(failed("open", path, e)),
    };
    let descriptor = os::is_descriptor_path(path);
    if metadata.is_file() && !descriptor {
        return Ok(Found::Regular);
    }
    accept_special(path, config, &metadata, descriptor)?;
    Ok(Found::Special)
}

fn accept_special(
    path: &Path,
    config: &Config,
    metadata: &Metadata,
    descriptor: bool,
) -> Result<(), BuildError> {
    if metadata.is_dir() {
        return Err(special(path, "it is a directory"));
    }
    if !config.allow_special && !descriptor {
        return Err(special(path, "it is not a regular file, and allow_special is off"));
    }
    refuse_on_special(path, config)
}

fn open_checked(path: &Path, config: &Config, found: Found) -> Result<Checked, BuildError> {
    let folder = here(path.parent().unwrap_or(path));
    let mut missing = 0;
    if found == Found::Nothing && config.create_dirs {
        missing = folder.ancestors().take_while(|folder| !here(folder).exists()).count();
    }
    if missing > 0 {
        os::create_directories(folder).map_err(|e| failed("create directory", folder, e))?;
    }
    // Of a folder that cannot be looked at the worst is assumed.
    let directory = calls::look_up(folder).ok();
    let shared = directory.as_ref().is_none_or(os::is_shared_directory);
    let how = OpenHow {
        // A pipe opened for reading too would never notice that its reader is gone.
        read: found != Found::Special,
        create: Create::Never,
        no_follow: shared && !os::is_descriptor_path(path),
        permissions: config.permissions,
    };
    let (file, created, how) = open_or_create(path, config, how, shared)?;

    let metadata = calls::metadata(&file).map_err(|e| failed("open", path, e))?;
    let descriptor = os::is_descriptor_path(path);
    if shared && !descriptor && !is_trusted(path, &file, directory.as_ref()) {
        return Err(special(
            path,
            "in a directory that somebody else may change, a file of a third user or with several \
             names",
        ));
    }
    let is_special = !metadata.is_file() || descriptor;
    if is_special {
        accept_special(path, config, &metadata, descriptor)?;
    }
    // Through a link without a target the file was made where that was to be.
    let target = if created && is_link(path) { fs::canonicalize(path).ok() } else { None };
    let folder = target.as_deref().and_then(Path::parent).unwrap_or(folder);
    let named_in = folder.ancestors().take(if created { missing + 1 } else { 0 });
    let folders = Folders::open(named_in.map(here));
    let identity = os::identity(&metadata);
    Ok(Checked { file, readable: how.read, special: is_special, identity, folders })
}

/// The folder itself, which a relative path leaves out at its front.
fn here(folder: &Path) -> &Path {
    if folder.as_os_str().is_empty() { Path::new(".") } else { folder }
}

/// Whether a file found in a shared folder can be ours: of this user, of root or of the owner of
/// the folder, under this name alone.
///
/// A hard link to somebody's file could be planted, opened, and removed again, so that the file has
/// one name left, its own. Whoever does so would have to guess the moment of each look.
fn is_trusted(path: &Path, file: &File, directory: Option<&Metadata>) -> bool {
    (0..LOOKS).all(|_| {
        let found = fs::symlink_metadata(path);
        let Ok(opened) = calls::metadata(file) else { return false };
        let here = found.is_ok_and(|found| os::identity(&found) == os::identity(&opened));
        here && os::is_trusted(&opened, directory)
    })
}

/// Opens what is there or makes it; says whether it was made, and how it could be opened.
///
/// A file to be made in a shared folder is made exclusively: a name planted there after the look
/// is then an error of this attempt and is examined in the next.
fn open_or_create(
    path: &Path,
    config: &Config,
    mut how: OpenHow,
    shared: bool,
) -> Result<(File, bool, OpenHow), BuildError> {
    let create = if shared { Create::Exclusively } else { Create::IfMissing };
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for _ in 0..RACES {
        match os::open(path, how) {
            Ok(file) => return Ok((file, how.create != Create::Never, how)),
            Err(e) if e.kind() == io::ErrorKind::NotFound && how.create == Create::Never => {
                how.create = create;
                last = e;
            }
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                how.create = Create::Never;
                last = e;
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => last = e,
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                lock::pause(LEASE_PAUSE);
                last = e;
            }
            // Some security modules let a service append to its logs and not read them.
            Err(e)
                if e.kind() == io::ErrorKind::PermissionDenied
                    && how.read
                    && config.strategy != Strategy::MemoryMapped =>
            {
                how.read = false;
                last = e;
            }
            Err(e) if how.no_follow && is_link(path) => {
                last = e;
                break;
            }
            Err(e) => return Err(failed("open", path, e)),
        }
    }
    if how.no_follow && is_link(path) {
        return Err(special(
            path,
            "it is a symbolic link in a directory that somebody else may change",
        ));
    }
    Err(failed("open", path, last))
}

fn is_link(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_symlink())
}

/// Takes the locks of the strategy and, where nobody else has the file, mends or empties it.
fn lock_and_repair(
    path: &Path,
    config: &Config,
    opened: &Checked,
    patience: Duration,
) -> Result<Repair, BuildError> {
    let locked = |_| BuildError::Locked { path: path.to_owned() };
    let mapped = config.strategy == Strategy::MemoryMapped;
    let file = &opened.file;
    let held = match mapped {
        true => lock::exclusive(file),
        false => lock::append(file, patience),
    }
    .map_err(locked)?;
    if held == Held::BesideOthers {
        // The lines of the others must stay, and their last one may be on its way.
        return if config.truncate { Err(locked(lock::Refused)) } else { Ok(Repair::default()) };
    }
    let repair = if config.truncate {
        calls::set_len(file, 0).map_err(|e| failed("truncate", path, e))?;
        Repair::default()
    } else if opened.readable {
        tail::repair_or_owe(file).map_err(|e| failed("repair the end of", path, e))?
    } else {
        Repair::default()
    };
    if !mapped {
        lock::share(file, patience).map_err(locked)?;
    }
    Ok(repair)
}

#[cfg(all(test, unix))]
mod tests {
    use std::sync::Arc;

    use super::super::fault::{self, Plan};
    use super::*;

    #[test]
    fn a_file_that_cannot_be_mended_is_not_kept_locked_by_a_copy_of_its_descriptor() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app.jsonl");
        for &strategy in Strategy::ALL {
            let config = Config { strategy, ..Config::default() };
            let found = find(&path, &config).unwrap();
            let _as_in_a_forked_child = found.file.try_clone().unwrap();
            let (from, times, count) = (0, usize::MAX, 0.into());
            let plan = Plan { from, times, error: libc::EIO, short: false, count };
            fault::enter(Some(Arc::new(plan)));
            let refused = claim(&path, &config, found, Duration::ZERO);
            fault::enter(None);
            assert!(matches!(refused, Err(BuildError::Io { .. })), "{strategy}");
            let mapped = Config { strategy: Strategy::MemoryMapped, ..config };
            let (mut file, _) = open(&path, &mapped).unwrap();
            file.close().unwrap();
        }
    }
}
