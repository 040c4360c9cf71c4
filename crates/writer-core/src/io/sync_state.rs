//! What the syncs of a file have said so far.

use std::io;

/// Whether syncing can still be believed.
///
/// After a failed `fsync` Linux may have dropped the pages and marked them clean: the next one
/// succeeds although the data is gone. So one failure stays for the life of the open file.
#[derive(Debug, Default)]
pub(super) struct SyncState {
    failed: Option<(io::ErrorKind, String)>,
    /// Something was written of which no sync has said yet what became of it.
    untold: bool,
}

impl SyncState {
    /// Runs `operation`, or repeats the failure of an earlier one.
    ///
    /// # Errors
    ///
    /// Kind `Unsupported` when the target cannot be synced (pipes, terminals, devices), which
    /// does not stay; else the answer of the system, which does.
    pub(super) fn run(&mut self, operation: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        self.untold = false;
        if let Some((kind, message)) = &self.failed {
            let message = format!("an earlier sync of this file failed: {message}");
            return Err(io::Error::new(*kind, message));
        }
        match operation() {
            Err(e) if cannot_sync(&e) => Err(io::ErrorKind::Unsupported.into()),
            Err(e) => {
                self.failed = Some((e.kind(), e.to_string()));
                Err(e)
            }
            Ok(()) => Ok(()),
        }
    }

    /// Takes note of lines that the next call of [`run`](Self::run) is to speak of.
    pub(super) fn wrote(&mut self) {
        self.untold = true;
    }

    /// Whether something was written since the last call of [`run`](Self::run).
    pub(super) fn is_untold(&self) -> bool {
        self.untold
    }

    /// Whether a sync has failed.
    pub(super) fn has_failed(&self) -> bool {
        self.failed.is_some()
    }

    /// The failure that the next call would repeat, if there are lines that it has not been told
    /// for.
    pub(super) fn unheard(&self) -> Option<io::Error> {
        let (kind, message) = self.failed.as_ref().filter(|_| self.untold)?;
        let message = format!("a sync of a file that was left had failed before: {message}");
        Some(io::Error::new(*kind, message))
    }
}

/// Whether this is how a target answers that knows no syncing.
pub(super) fn cannot_sync(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_sync_stays_an_error_although_the_next_would_succeed() {
        let mut state = SyncState::default();
        state.run(|| Ok(())).unwrap();
        let first = state.run(|| Err(io::Error::from(io::ErrorKind::StorageFull))).unwrap_err();
        assert_eq!(first.kind(), io::ErrorKind::StorageFull);
        for _ in 0..3 {
            let later = state.run(|| Ok(())).unwrap_err();
            assert_eq!(later.kind(), io::ErrorKind::StorageFull);
            assert!(later.to_string().starts_with("an earlier sync"), "{later}");
        }
    }

    #[test]
    fn a_target_that_cannot_be_synced_says_so_every_time() {
        let mut state = SyncState::default();
        for _ in 0..2 {
            let error = state.run(|| Err(io::ErrorKind::InvalidInput.into())).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::Unsupported);
        }
        state.run(|| Ok(())).unwrap();
    }
}
