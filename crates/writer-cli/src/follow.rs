//! A file that others write: what came since the last look, also when it is renamed, replaced,
//! truncated, or ends in the reserved NUL bytes of a mapping.

use std::fs::{File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use writer_cli::lines::LONGEST;

/// How much is read at once, in bytes.
pub(crate) const BLOCK: usize = 64 << 10;

/// After so long, NUL bytes with something behind them are no reserve but damage, and passed over.
const PATIENCE: Duration = Duration::from_secs(2);

/// How often a file is to be looked at.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(200);

/// A file whose name another one has is left after so many looks, 2 s, in which nothing came. Its
/// writer looks at the name once a second and may hold back what it has for a flush interval.
const QUIET_LOOKS: u32 = 10;

/// What a look found.
pub(crate) enum Seen<'l> {
    /// A line without its newline.
    Line(&'l [u8]),
    /// Another file has the name now.
    Replaced,
    /// The file is shorter than what was read of it.
    Truncated,
    /// What has the name now cannot be opened, which is tried again at each look.
    Refused(io::Error),
}

/// A file being followed by name.
pub(crate) struct Follower {
    path: PathBuf,
    file: Option<File>,
    /// Up to where it was read.
    position: u64,
    /// The beginning of a line whose end has not come.
    partial: Vec<u8>,
    /// Since when NUL bytes stand where the next line should.
    stuck: Option<Instant>,
    patience: Duration,
    /// What has the name now, while its writer may still write to the file at hand.
    next: Option<Next>,
    /// That it cannot be opened was told.
    refused: bool,
}

/// The file to go over to.
struct Next {
    /// Open already, should a third one take the name; `None` if it could not be opened.
    file: Option<File>,
    /// Looks in a row in which nothing came in the file before.
    quiet: u32,
}

/// Why following ends.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The file cannot be read.
    File(io::Error),
    /// Nobody takes what is told.
    Output(io::Error),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Stop::File(error)
    }
}

type Tell<'t> = &'t mut dyn FnMut(Seen<'_>) -> Result<(), Stop>;

impl Follower {
    /// Begins at `position`; with no file the name is looked for at each look.
    pub(crate) fn new(path: &Path, file: Option<File>, position: u64) -> Self {
        Follower {
            path: path.into(),
            file,
            position,
            partial: Vec::new(),
            stuck: None,
            patience: PATIENCE,
            next: None,
            refused: false,
        }
    }

    /// Tells of everything that is there, for one who will not look again.
    pub(crate) fn read_all(&mut self, tell: Tell<'_>) -> Result<(), Stop> {
        self.patience = Duration::ZERO;
        self.read(tell)?;
        self.finish(tell)
    }

    /// Tells of everything that is new.
    pub(crate) fn look(&mut self, tell: Tell<'_>) -> Result<(), Stop> {
        loop {
            let before = self.position;
            self.read(tell)?;
            let came = self.position > before;
            let Ok(there) = std::fs::metadata(&self.path) else { return Ok(()) };
            let Some(file) = &self.file else {
                match File::open(&self.path) {
                    Ok(file) => (self.file, self.refused) = (Some(file), false),
                    // Gone since it was looked at.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                    // Whoever makes a new file gives it away later.
                    Err(error) if !self.refused => {
                        self.refused = true;
                        return tell(Seen::Refused(error));
                    }
                    Err(_) => return Ok(()),
                }
                continue;
            };
            let own = file.metadata()?;
            if !same(&own, &there) {
                if self.may_be_written(came) {
                    return Ok(());
                }
                self.finish(tell)?;
                tell(Seen::Replaced)?;
                let next = self.next.take().and_then(|next| next.file);
                *self = Follower::new(&self.path, next, 0);
                if self.file.is_none() {
                    return Ok(());
                }
                continue;
            }
            self.next = None;
            if own.len() < self.position {
                tell(Seen::Truncated)?;
                self.partial.clear();
                (self.position, self.stuck) = (0, None);
            } else {
                return Ok(());
            }
        }
    }

    /// Whether more may come in a file whose name another one has.
    fn may_be_written(&mut self, came: bool) -> bool {
        match &mut self.next {
            None => self.next = Some(Next { file: File::open(&self.path).ok(), quiet: 0 }),
            Some(next) if came => next.quiet = 0,
            Some(next) => next.quiet += 1,
        }
        self.next.as_ref().is_some_and(|next| next.quiet < QUIET_LOOKS)
    }

    /// Tells of the beginning of a line that is left.
    fn finish(&mut self, tell: Tell<'_>) -> Result<(), Stop> {
        if self.partial.is_empty() {
            return Ok(());
        }
        tell(Seen::Line(&std::mem::take(&mut self.partial)))
    }

    fn read(&mut self, tell: Tell<'_>) -> Result<(), Stop> {
        let mut block = vec![0; BLOCK];
        loop {
            let Some(file) = &mut self.file else { return Ok(()) };
            file.seek(SeekFrom::Start(self.position))?;
            let read = read(file, &mut block)?;
            if read == 0 {
                return Ok(());
            }
            let mut rest = &block[..read];
            while let Some(nuls) = rest.iter().position(|&byte| byte != 0) {
                if nuls > 0 && !self.is_out_of_patience() {
                    return Ok(());
                }
                rest = &rest[nuls..];
                let text = memchr::memchr(0, rest).unwrap_or(rest.len());
                self.position += (nuls + text) as u64;
                self.stuck = None;
                self.take(&rest[..text], tell)?;
                rest = &rest[text..];
            }
            if !rest.is_empty() && !self.pass_nuls()? {
                return Ok(());
            }
        }
    }

    fn take(&mut self, mut bytes: &[u8], tell: Tell<'_>) -> Result<(), Stop> {
        while let Some(end) = memchr::memchr(b'\n', bytes) {
            if self.partial.is_empty() {
                tell(Seen::Line(without_return(&bytes[..end])))?;
            } else {
                self.partial.extend_from_slice(&bytes[..end]);
                tell(Seen::Line(without_return(&self.partial)))?;
                self.partial.clear();
            }
            bytes = &bytes[end + 1..];
        }
        // Of a line without end the rest is left out.
        let room = LONGEST.saturating_sub(self.partial.len());
        self.partial.extend_from_slice(&bytes[..bytes.len().min(room)]);
        Ok(())
    }

    /// Whether NUL bytes have stood at the position for long.
    fn is_out_of_patience(&mut self) -> bool {
        self.stuck.get_or_insert_with(Instant::now).elapsed() >= self.patience
    }

    /// NUL bytes stand at the position. A reserve is waited for; where something stands behind it
    /// for long, it is passed over, and this returns `true`.
    fn pass_nuls(&mut self) -> io::Result<bool> {
        if !self.is_out_of_patience() {
            return Ok(false);
        }
        let Some(mut file) = self.file.as_ref() else { return Ok(false) };
        self.stuck = None;
        let mut block = vec![0; BLOCK];
        let mut at = self.position;
        file.seek(SeekFrom::Start(at))?;
        loop {
            let read = read(file, &mut block)?;
            if let Some(text) = block[..read].iter().position(|&byte| byte != 0) {
                self.position = at + text as u64;
                return Ok(true);
            }
            if read == 0 {
                return Ok(false);
            }
            at += read as u64;
        }
    }
}

/// One read, which no signal ends.
pub(crate) fn read(mut file: &File, block: &mut [u8]) -> io::Result<usize> {
    loop {
        match file.read(block) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

fn without_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(unix)]
fn same(a: &Metadata, b: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (a.dev(), a.ino()) == (b.dev(), b.ino())
}

/// Elsewhere a new file is told by its age.
#[cfg(not(unix))]
fn same(a: &Metadata, b: &Metadata) -> bool {
    a.created().ok() == b.created().ok()
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// What a look tells.
    fn told(follower: &mut Follower) -> Vec<String> {
        let mut told = Vec::new();
        let looked = follower.look(&mut |seen| {
            told.push(match seen {
                Seen::Line(line) => String::from_utf8_lossy(line).into_owned(),
                Seen::Replaced => "replaced".into(),
                Seen::Truncated => "truncated".into(),
                Seen::Refused(_) => "refused".into(),
            });
            Ok(())
        });
        looked.unwrap();
        told
    }

    /// Up to a second of lines was missing: the old file was left at once.
    #[test]
    fn a_renamed_file_is_read_until_its_writer_has_left_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app");
        let mut old = File::create(&path).unwrap();
        old.write_all(b"one\n").unwrap();
        let mut follower = Follower::new(&path, File::open(&path).ok(), 0);
        assert_eq!(told(&mut follower), ["one"]);
        std::fs::rename(&path, folder.path().join("app.1")).unwrap();
        std::fs::write(&path, "first\n").unwrap();
        assert!(told(&mut follower).is_empty());
        for line in ["two", "three"] {
            for _ in 1..QUIET_LOOKS {
                assert!(told(&mut follower).is_empty());
            }
            writeln!(old, "{line}").unwrap();
            assert_eq!(told(&mut follower), [line]);
        }
        old.write_all(b"torn").unwrap();
        // A file that has the name only meanwhile is not left out.
        std::fs::rename(&path, folder.path().join("app.2")).unwrap();
        std::fs::write(&path, "second\n").unwrap();
        for _ in 0..QUIET_LOOKS {
            assert!(told(&mut follower).is_empty());
        }
        assert_eq!(told(&mut follower), ["torn", "replaced", "first"]);
        for _ in 1..QUIET_LOOKS {
            assert!(told(&mut follower).is_empty());
        }
        assert_eq!(told(&mut follower), ["replaced", "second"]);
    }

    #[test]
    fn the_beginning_of_a_line_goes_with_the_file_that_is_truncated() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app");
        std::fs::write(&path, "one\nhalf").unwrap();
        let mut follower = Follower::new(&path, File::open(&path).ok(), 0);
        assert_eq!(told(&mut follower), ["one"]);
        std::fs::write(&path, "new\n").unwrap();
        assert_eq!(told(&mut follower), ["truncated", "new"]);
    }

    #[test]
    fn a_file_that_gets_its_name_back_is_not_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let (path, away) = (folder.path().join("app"), folder.path().join("app.1"));
        std::fs::write(&path, "one\n").unwrap();
        let mut follower = Follower::new(&path, File::open(&path).ok(), 0);
        assert_eq!(told(&mut follower), ["one"]);
        std::fs::rename(&path, &away).unwrap();
        std::fs::write(&path, "first\n").unwrap();
        assert!(told(&mut follower).is_empty());
        std::fs::rename(&away, &path).unwrap();
        for _ in 0..2 * QUIET_LOOKS {
            assert!(told(&mut follower).is_empty());
        }
    }

    #[test]
    fn a_file_that_had_the_name_meanwhile_is_not_gone_over_to() {
        let folder = tempfile::tempdir().unwrap();
        let (path, away) = (folder.path().join("app"), folder.path().join("app.1"));
        std::fs::write(&path, "one\n").unwrap();
        let mut follower = Follower::new(&path, File::open(&path).ok(), 0);
        assert_eq!(told(&mut follower), ["one"]);
        std::fs::rename(&path, &away).unwrap();
        std::fs::write(&path, "other\n").unwrap();
        assert!(told(&mut follower).is_empty());
        std::fs::rename(&away, &path).unwrap();
        assert!(told(&mut follower).is_empty());
        std::fs::rename(&path, &away).unwrap();
        std::fs::write(&path, "second\n").unwrap();
        for _ in 0..QUIET_LOOKS {
            assert!(told(&mut follower).is_empty());
        }
        assert_eq!(told(&mut follower), ["replaced", "second"]);
    }

    /// `tail -f` ended where it looked before the new file was given to its readers.
    #[test]
    #[cfg(unix)]
    fn a_new_file_that_cannot_be_opened_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app");
        let mut follower = Follower::new(&path, None, 0);
        // Nobody can open one, root neither.
        let socket = std::os::unix::net::UnixListener::bind(&path).unwrap();
        assert_eq!(told(&mut follower), ["refused"]);
        assert!(told(&mut follower).is_empty());
        drop(socket);
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, "first\n").unwrap();
        assert_eq!(told(&mut follower), ["first"]);
    }
}
