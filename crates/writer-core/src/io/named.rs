//! A strategy over a file that may have to be found by its name again.

use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::file::{self, LeftWith, LogFile};
use super::open::Checked;
use super::os::{self, Failure};
use super::tail::Repair;
use super::{ReopenReason, Reopened, Sink, calls, lock, open};
use crate::config::Config;
use crate::error::{BuildError, copy_error};

/// The least time between two looks at the name while writes fail.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How many failures of the device in a row a descriptor is forgiven.
const TRIES: u32 = 3;

/// A strategy whose file can be exchanged.
pub(super) trait OverFile: Sink {
    /// Nobody else may write to its file.
    const EXCLUSIVE: bool;

    /// The file that is written.
    fn file(&self) -> &LogFile;

    /// Goes over to `file`, which is `end` bytes long, and leaves the one so far without reserved
    /// space, as far as that can be had.
    fn exchange(&mut self, file: LogFile, end: u64);
}

/// Hands everything to the strategy, and exchanges its file when the name leads to another one.
///
/// A new file is opened, checked, locked and mended as the first one was, so that a link planted at
/// its name gets nothing; only emptied it never is. Until that has succeeded, the old one stays.
#[derive(Debug)]
pub(super) struct Named<S> {
    strategy: S,
    /// Absolute, whatever the working folder is later.
    path: PathBuf,
    /// The settings for files that are opened later.
    config: Config,
    /// Failures of the device in a row.
    broken: u32,
    /// When the name was last looked at because writes failed.
    looked: Option<Instant>,
    /// Why the file takes no lines: it has no name any more, and another could not be opened.
    gone: Option<io::Error>,
}

impl<S: OverFile> Named<S> {
    /// Writes to the file of `strategy`, which was opened as `config` says.
    pub(super) fn new(strategy: S, config: &Config) -> Named<S> {
        Named {
            strategy,
            path: config.path.clone().unwrap_or_default(),
            config: Config { truncate: false, ..config.clone() },
            broken: 0,
            looked: None,
            gone: None,
        }
    }

    /// Whether the name leads to the file that is written.
    fn is_at_its_name(&self) -> bool {
        let identity = self.strategy.file().identity();
        let found = calls::look_up(&self.path).ok().and_then(|found| os::identity(&found));
        identity.is_some() && found == identity
    }

    /// Whether the file that is written was deleted: what is written to it nobody will read.
    ///
    /// Some file systems count no names, so that the count alone would not do. What was opened by
    /// its descriptor need not have one.
    fn is_deleted(&self) -> bool {
        let file = self.strategy.file();
        if file.identity().is_none() || os::is_descriptor_path(&self.path) {
            return false;
        }
        let found = calls::metadata(file.file());
        found.is_ok_and(|found| os::is_unlinked(&found)) && !self.is_at_its_name()
    }

    /// Goes over to what the name leads to, if that is another file. If it cannot, a renamed file
    /// goes on being written, and one that was deleted takes no more lines until it can.
    fn go_if_elsewhere(&mut self, patience: Duration) -> Result<Option<Reopened>, BuildError> {
        let result = self.try_to_go(patience);
        let refused = result.as_ref().err();
        self.gone = refused.filter(|_| self.config.follow_path && self.is_deleted()).map(|error| {
            let message = format!("the file was deleted, and cannot be made again: {error}");
            io::Error::new(kind_of(error), message)
        });
        result
    }

    fn try_to_go(&mut self, mut patience: Duration) -> Result<Option<Reopened>, BuildError> {
        if self.is_at_its_name() {
            return Ok(None);
        }
        let found = open::find(&self.path, &self.config)?;
        if self.is_current(&found) {
            // Looking was not possible, or it has come back.
            return Ok(None);
        }
        if self.gone.is_none() && self.is_deleted() {
            // It is no failure yet that somebody else opens the new file at this moment.
            patience = lock::PATIENCE;
        }
        let (file, repair) = open::claim(&self.path, &self.config, found, patience)?;
        Ok(Some(self.exchange(file, repair)))
    }

    /// Goes over to what the name leads to, even if that is the same file: the descriptor so far is
    /// not trusted.
    ///
    /// Its own lock would then stand in the way. If the file cannot be used, the lock is taken
    /// back; somebody who has used that moment is then written beside, as where there are no locks.
    fn go_anyway(&mut self) -> Result<Option<Reopened>, BuildError> {
        let found = open::find(&self.path, &self.config)?;
        let same = self.is_current(&found);
        if same {
            // Space that is only reserved is no find.
            let _ = self.strategy.idle();
            lock::release(self.strategy.file().file());
        }
        let unended = same && self.strategy.file().is_unended();
        let lacks_end_at = self.strategy.file().lacks_end_at().filter(|_| same);
        let claimed = open::claim(&self.path, &self.config, found, Duration::ZERO);
        let mended = claimed.and_then(|(mut file, mut repair)| {
            // Beside other writers the end was not looked at, and a part of a line may be there.
            if unended && repair.torn_lines == 0 && file.end_line().map_err(|e| self.failed(e))? {
                repair.torn_lines = 1;
            }
            Ok((file, repair))
        });
        if mended.is_err() && same {
            let old = self.strategy.file().file();
            let _ = match S::EXCLUSIVE {
                true => lock::exclusive(old).map(drop),
                false => lock::share(old, Duration::ZERO),
            };
        }
        mended.map(|(file, repair)| {
            // One byte is the line end; with more, others have written since that look.
            let is_completed = repair.torn_lines > 0
                && lacks_end_at.is_some_and(|end| file.len().is_ok_and(|len| len == end + 1));
            let mut reopened = self.exchange(file, repair);
            if is_completed {
                reopened.torn_lines -= 1;
                reopened.line_completed = true;
            }
            Some(reopened)
        })
    }

    fn is_current(&self, found: &Checked) -> bool {
        found.identity.is_some() && found.identity == self.strategy.file().identity()
    }

    fn failed(&self, source: io::Error) -> BuildError {
        BuildError::Io { operation: "repair the end of", path: self.path.clone(), source }
    }

    fn exchange(&mut self, file: LogFile, repair: Repair) -> Reopened {
        self.strategy.exchange(file, repair.end);
        (self.broken, self.gone) = (0, None);
        let Repair { recovered_nul_bytes, torn_lines, .. } = repair;
        let left = self.strategy.file().left_with();
        Reopened {
            recovered_nul_bytes,
            torn_lines: torn_lines + u64::from(left == LeftWith::Part),
            line_completed: left == LeftWith::Completed,
        }
    }

    /// Draws the conclusions from a write that failed.
    fn after(&mut self, error: &io::Error) -> Result<Option<Reopened>, BuildError> {
        let failure = os::failure(error);
        self.broken = if failure == Failure::Broken { self.broken + 1 } else { 0 };
        let now = Instant::now();
        if self.looked.is_some_and(|looked| now < looked + LOOK_EVERY) {
            return Ok(None);
        }
        match failure {
            Failure::Broken if self.broken < TRIES => return Ok(None),
            // A disk is full: the file may have been moved away or deleted to make room.
            Failure::Other if !self.config.follow_path => return Ok(None),
            _ => {}
        }
        self.looked = Some(now);
        if failure == Failure::Broken {
            return self.go_anyway();
        }
        // A further descriptor of the same file would be answered the same.
        self.go_if_elsewhere(Duration::ZERO)
    }
}

impl<S: OverFile> Sink for Named<S> {
    fn write(&mut self, lines: &[u8], more_waiting: bool) -> io::Result<usize> {
        if let Some(error) = &self.gone {
            return Err(copy_error(error));
        }
        let taken = self.strategy.write(lines, more_waiting)?;
        self.broken = 0;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.strategy.flush()
    }

    fn sync(&mut self) -> io::Result<()> {
        self.strategy.sync()?;
        // Looked at last: a deletion during the sync counts too.
        if self.config.follow_path && self.is_deleted() { Err(file::deleted()) } else { Ok(()) }
    }

    fn close(&mut self) -> io::Result<()> {
        self.strategy.close()
    }

    fn mended(&mut self) -> Reopened {
        self.strategy.mended()
    }

    fn wants_idle(&self) -> bool {
        self.strategy.wants_idle()
    }

    fn idle(&mut self) -> io::Result<()> {
        self.strategy.idle()
    }

    fn reopen(&mut self, reason: ReopenReason<'_>) -> io::Result<Option<Reopened>> {
        let is_stream = super::is_inherited(&self.path);
        let is_file = self.strategy.file().identity().is_some();
        let result = match reason {
            ReopenReason::Failure(error) if file::begins_line_anew(error) => {
                return Ok(Some(Reopened::default()));
            }
            ReopenReason::Asked if is_stream => return Err(io::ErrorKind::Unsupported.into()),
            _ if is_stream => return Ok(None),
            ReopenReason::Asked => self.go_if_elsewhere(lock::PATIENCE),
            ReopenReason::Check if is_file && self.config.follow_path => {
                self.go_if_elsewhere(Duration::ZERO)
            }
            ReopenReason::Failure(error) if is_file => self.after(error),
            _ => return Ok(None),
        };
        if self.gone.is_some() && matches!(reason, ReopenReason::Check) {
            // The write that follows says so, and has the consequences.
            self.looked = Some(Instant::now());
            return Ok(None);
        }
        result.map_err(|refused| io::Error::new(kind_of(&refused), refused))
    }
}

fn kind_of(refused: &BuildError) -> io::ErrorKind {
    match refused {
        BuildError::Io { source, .. } => source.kind(),
        BuildError::Locked { .. } => io::ErrorKind::ResourceBusy,
        _ => io::ErrorKind::InvalidInput,
    }
}
