//! The folders in which names were made for a file.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::sync_state::cannot_sync;
use super::{calls, os};

/// Folders that were not synced yet: without them the file may have no name after a loss of power.
///
/// Each is kept once, and none that was removed, since they stay open until somebody syncs. One that
/// may not be read cannot be synced, and is left out.
#[derive(Debug, Default)]
pub(super) struct Folders {
    open: Vec<File>,
    /// Those that could not be opened, perhaps for want of descriptors: tried again by the sync.
    unopened: Vec<PathBuf>,
}

impl Folders {
    /// Opens all that can be opened.
    pub(super) fn open<'a>(paths: impl Iterator<Item = &'a Path>) -> Folders {
        let mut folders =
            Folders { open: Vec::new(), unopened: paths.map(Path::to_owned).collect() };
        // A failure comes again with the sync.
        let _ = folders.open_rest();
        folders
    }

    /// Opens those that could not be opened before.
    ///
    /// # Errors
    ///
    /// One of them still cannot be opened, though it may be read and is there.
    pub(super) fn open_rest(&mut self) -> io::Result<()> {
        let mut result = Ok(());
        self.unopened.retain(|path| match os::open_directory(path) {
            Ok(folder) => {
                self.open.extend(folder);
                false
            }
            Err(error) => {
                result = Err(error);
                true
            }
        });
        result
    }

    /// Takes over the folders of an older file, of those that are the same the older one: it hears
    /// of all failures since it was opened.
    pub(super) fn take_over(&mut self, older: &mut Folders) {
        let same = |one: &File, other: &File| {
            let (one, other) = (calls::metadata(one), calls::metadata(other));
            matches!((one, other), (Ok(one), Ok(other)) if os::is_same(&one, &other))
        };
        let is_removed =
            |folder: &File| calls::metadata(folder).is_ok_and(|found| os::is_unlinked(&found));
        self.open.retain(|new| !older.open.iter().any(|old| same(old, new)));
        self.open.append(&mut older.open);
        self.open.retain(|folder| !is_removed(folder));
        self.unopened.retain(|new| !older.unopened.contains(new));
        self.unopened.append(&mut older.unopened);
    }

    /// Waits until the names in all that are open are on the disk, and lets go of them.
    ///
    /// # Errors
    ///
    /// The first of the system; the others are forgotten, as nothing helps any more.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        for folder in std::mem::take(&mut self.open) {
            match calls::sync_all(&folder) {
                // Some file systems keep names safe without being asked.
                Err(e) if !cannot_sync(&e) => return Err(e),
                _ => {}
            }
        }
        Ok(())
    }
}
