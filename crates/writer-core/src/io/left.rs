//! Files whose place others have taken, on their way to the disk.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use super::calls;
use super::sync_state::cannot_sync;

/// The most files under way at a time.
const MOST: usize = 4;

/// What is being synced after the last line was written to it.
///
/// A sync must hold for lines in a file that was left, too, while whoever does not sync must not
/// wait for the disk when files change: so each is synced on a thread of its own, and closed there.
#[derive(Debug, Default)]
pub(super) struct Left {
    syncing: Vec<JoinHandle<io::Result<()>>>,
    failed: Option<io::Error>,
}

impl Left {
    /// Begins to sync `file`; waits only if many others are still under way.
    pub(super) fn add(&mut self, file: File) {
        while self
            .syncing
            .first()
            .is_some_and(|first| first.is_finished() || self.syncing.len() >= MOST)
        {
            self.join_first();
        }
        let file = Arc::new(file);
        let for_thread = Arc::clone(&file);
        let started =
            thread::Builder::new().name("writer-sync".into()).spawn(move || sync(&for_thread));
        match started {
            Ok(thread) => self.syncing.push(thread),
            Err(_) => self.note(sync(&file)),
        }
    }

    /// Waits until all are on the disk.
    ///
    /// # Errors
    ///
    /// One of them could not be synced; told once, because it is of no concern to later lines.
    pub(super) fn wait(&mut self) -> io::Result<()> {
        while !self.syncing.is_empty() {
            self.join_first();
        }
        self.failed.take().map_or(Ok(()), Err)
    }

    fn join_first(&mut self) {
        let ended = self.syncing.remove(0).join();
        // The thread runs nothing that panics.
        self.note(ended.unwrap_or_else(|_| Err(io::Error::other("the sync of a file panicked"))));
    }

    /// Takes note of what came of the sync of a file.
    pub(super) fn note(&mut self, result: io::Result<()>) {
        if let Err(error) = result {
            self.failed = Some(error);
        }
    }
}

fn sync(file: &File) -> io::Result<()> {
    match calls::sync_data(file) {
        Err(e) if cannot_sync(&e) => Ok(()),
        other => other,
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::fs::OpenOptions;
    use std::os::unix::fs::OpenOptionsExt;

    use super::*;

    #[test]
    fn a_left_file_is_synced_and_a_failure_told_once_also_after_others_were_left() {
        let folder = tempfile::tempdir().unwrap();
        // The system syncs no descriptor that only stands for a path.
        let only_a_path =
            OpenOptions::new().read(true).custom_flags(libc::O_PATH).open(folder.path()).unwrap();
        for others in [0, 1, 3 * MOST] {
            let mut left = Left::default();
            left.add(only_a_path.try_clone().unwrap());
            for _ in 0..others {
                left.add(tempfile::tempfile().unwrap());
                assert!(left.syncing.len() <= MOST);
            }
            assert_eq!(left.wait().unwrap_err().raw_os_error(), Some(libc::EBADF), "{others}");
            left.wait().unwrap();
        }
    }

    #[test]
    #[cfg(unix)]
    fn a_left_file_that_knows_no_syncing_is_no_failure() {
        let mut left = Left::default();
        // Answered with EINVAL.
        left.add(OpenOptions::new().write(true).open("/dev/null").unwrap());
        left.wait().unwrap();
    }
}
