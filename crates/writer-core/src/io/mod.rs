//! How bytes reach their target: the sink trait, and its implementations.

mod block_buffered;
mod calls;
pub(crate) mod fault;
mod file;
mod folders;
mod left;
mod line_buffered;
mod lock;
mod mapping;
mod memory_mapped;
mod named;
mod neighbours;
mod open;
mod os;
mod sync_state;
mod tail;
#[cfg(test)]
mod tests;
mod write_sink;

use std::io;
use std::path::Path;

use crate::axes::Strategy;
use crate::config::Config;
use crate::error::BuildError;
use block_buffered::BlockBuffered;
use line_buffered::LineBuffered;
use memory_mapped::MemoryMapped;
use named::Named;
use tail::Repair;

pub(crate) use open::check_path;
pub use write_sink::WriteSink;

/// Where the worker puts lines: the one door through which files, tests and foreign targets come.
///
/// A sink is called from one thread at a time:
///
/// * by the worker, with no lock held that a sender needs;
/// * with [`synchronous`](crate::WriterBuilder::synchronous) by the thread that sends, under the
///   lock for which all senders take turns;
/// * at the end of the process perhaps by the thread that ends it, for as long as the call takes:
///   where there is no worker, and where a callback exits.
///
/// The writer owns all bytes: what [`write`](Sink::write) does not take is offered again, first, by
/// the next call. A line that has broken off for good, with a part of it taken, is closed by a call
/// with a newline alone, which no counter of lines counts: so it is after a panic in the middle of
/// a line, and where the rest goes to another target.
///
/// A panic in a sink is caught: the lines of that call count as lost. One that may panic when it has
/// handed on a part of a call should begin the next with a newline of its own: the writer knows only
/// what calls return.
///
/// ```
/// struct Stderr;
///
/// impl writer_core::Sink for Stderr {
///     fn write(&mut self, lines: &[u8], _more_waiting: bool) -> std::io::Result<usize> {
///         std::io::Write::write(&mut std::io::stderr(), lines)
///     }
/// }
/// ```
pub trait Sink: Send {
    /// Takes bytes from the front of `lines` and returns how many of them are now written, that
    /// is, survive the death of this process as far as this kind of target can promise it.
    ///
    /// `lines` is never empty and ends at a line end; it starts at one unless the last call took a
    /// part of a line. `more_waiting` says that the next call will bring more bytes behind these;
    /// only then may a sink take nothing, to get a longer slice next time. `Ok(0)` otherwise is an
    /// error of kind [`WriteZero`](io::ErrorKind::WriteZero).
    ///
    /// # Errors
    ///
    /// An error means that nothing was taken. The writer waits and offers the same bytes again;
    /// [`Interrupted`](io::ErrorKind::Interrupted) is retried at once.
    fn write(&mut self, lines: &[u8], more_waiting: bool) -> io::Result<usize>;

    /// Hands on what the sink's own target may hold back; called when a round of writes has ended
    /// with nothing left, before anyone waiting in a flush is released. Does nothing by default.
    ///
    /// While lines go to a fallback, that alone is flushed. What this sink took before and could not
    /// flush is flushed when it is tried again; no flush in between tells of it.
    ///
    /// # Errors
    ///
    /// The round counts as failed and is retried.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// Makes everything written survive a loss of power. Unsupported by default.
    ///
    /// The writer keeps no failure in mind: it passes on what the next call says. Of a file whose
    /// `fsync` has failed the next one may say that all is well, and what the first left behind is
    /// lost all the same. So a sink over a file goes on failing until it writes to another.
    ///
    /// # Errors
    ///
    /// Kind [`Unsupported`](io::ErrorKind::Unsupported) for a target that cannot; any other error
    /// means that the data may be gone.
    fn sync(&mut self) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Ends the use of the target; called at most once, after the last write: not at all where the
    /// process ends before the lines are written. Does nothing by default.
    ///
    /// # Errors
    ///
    /// Reported by [`shutdown`](crate::Writer::shutdown); not retried.
    fn close(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// Says what was mended since the last call at the end of a target that somebody else has
    /// written to or cut. Called after each round of writes that has ended well, and after the
    /// other operations. Nothing by default.
    fn mended(&mut self) -> Reopened {
        Reopened::default()
    }

    /// Whether [`idle`](Sink::idle) has something to do. Asked when the worker has nothing to
    /// write; `true` costs one timed wake-up. Without a worker neither is called.
    fn wants_idle(&self) -> bool {
        false
    }

    /// Called once, a second after the last round of writes, if [`wants_idle`](Sink::wants_idle)
    /// said so; lines may be waiting that no mode has made due. Does nothing by default.
    ///
    /// # Errors
    ///
    /// Reported, and not retried before the next idle time.
    fn idle(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// Goes over to what stands at the target's name now, if that is something else; says what was
    /// found there, or `None` if nothing has changed. Called by the worker between two writes: on
    /// demand, before a write at most once a second, and after each write that failed.
    ///
    /// After `Some` a line that was partly taken is offered from its start again, as the part is no
    /// line of the new target, unless [`line_completed`](Reopened::line_completed) says that it need
    /// not be. A target without a name keeps the default.
    ///
    /// # Errors
    ///
    /// The old target stays in use. What was asked for is answered with the error, a failed check
    /// is reported once, and the error after a failed write goes unheard: that failure was
    /// reported.
    fn reopen(&mut self, reason: ReopenReason<'_>) -> io::Result<Option<Reopened>> {
        match reason {
            ReopenReason::Asked => Err(io::ErrorKind::Unsupported.into()),
            _ => Ok(None),
        }
    }
}

/// A sink whose type is chosen while the program runs.
impl<S: Sink + ?Sized> Sink for Box<S> {
    fn write(&mut self, lines: &[u8], more_waiting: bool) -> io::Result<usize> {
        (**self).write(lines, more_waiting)
    }

    fn flush(&mut self) -> io::Result<()> {
        (**self).flush()
    }

    fn sync(&mut self) -> io::Result<()> {
        (**self).sync()
    }

    fn close(&mut self) -> io::Result<()> {
        (**self).close()
    }

    fn mended(&mut self) -> Reopened {
        (**self).mended()
    }

    fn wants_idle(&self) -> bool {
        (**self).wants_idle()
    }

    fn idle(&mut self) -> io::Result<()> {
        (**self).idle()
    }

    fn reopen(&mut self, reason: ReopenReason<'_>) -> io::Result<Option<Reopened>> {
        (**self).reopen(reason)
    }
}

/// Why a sink is to look for its target by name.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum ReopenReason<'a> {
    /// [`Writer::reopen`](crate::Writer::reopen) was called.
    Asked,
    /// A second has passed since the last look, and lines wait; no line is partly taken.
    Check,
    /// A write has failed like this.
    Failure(&'a io::Error),
}

/// What a sink found at the end of a target that it went over to, or that others have changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Reopened {
    /// Bytes of a NUL tail that were cut off.
    pub recovered_nul_bytes: u64,
    /// Lines without an end that were given one, and a part of a line in the target that was left.
    pub torn_lines: u64,
    /// All of the line that was partly taken but its newline was, and the target that was left, or
    /// opened anew, has got that: neither the line nor the newline is offered again.
    pub line_completed: bool,
}

/// A file made ready for a worker.
pub(crate) struct Opened {
    /// The strategy of the settings, over the file of the settings.
    pub sink: Box<dyn Sink>,
    /// What an earlier writer had left at the end of the file.
    pub found: Reopened,
}

/// Whether the path names what this process has open already: a standard stream, or a descriptor.
fn is_inherited(path: &Path) -> bool {
    let is_stream = || matches!(path.to_str(), Some("/dev/stdout" | "/dev/stderr"));
    os::is_descriptor_path(path) || (cfg!(unix) && is_stream())
}

/// Whether the path names one end of a pipe or a pair of sockets without a name, for whose other end
/// nobody takes the place of a process that has gone. Where that cannot be told it is none.
pub(crate) fn is_anonymous(path: &Path) -> bool {
    is_inherited(path) && os::is_anonymous(path)
}

/// Opens the file of `config`, repairs its end and puts the strategy over it.
///
/// Blocks for as long as the file system does, up to 250 ms while other writers open the file, and
/// up to a second while another process holds it under a lease. Folders are made, except without
/// `create_dirs`.
///
/// # Errors
///
/// As [`open::open`]; without a path, `InvalidOption`.
pub(crate) fn open(config: &Config) -> Result<Opened, BuildError> {
    let path: &Path = config.path.as_deref().ok_or(BuildError::InvalidOption {
        option: "path",
        reason: "a writer without a sink needs one",
    })?;
    let (file, repair) = open::open(path, config)?;
    let sink: Box<dyn Sink> = match config.strategy {
        Strategy::LineBuffered => Box::new(Named::new(LineBuffered::new(file), config)),
        Strategy::BlockBuffered => {
            Box::new(Named::new(BlockBuffered::new(file, config.block_size), config))
        }
        Strategy::MemoryMapped => {
            let chunk = round_chunk(config.mmap_chunk);
            let mapped = MemoryMapped::new(file, repair.end, chunk, config.block_size);
            Box::new(Named::new(mapped, config))
        }
    };
    let Repair { recovered_nul_bytes, torn_lines, .. } = repair;
    Ok(Opened { sink, found: Reopened { recovered_nul_bytes, torn_lines, ..Reopened::default() } })
}

/// What the start of a writer does to the end of a file, for the fuzzer alone: how many NULs it cut
/// off, how many lines it closed, and how long the file is then.
#[cfg(fuzzing)]
#[doc(hidden)]
pub fn fuzz_repair(file: &std::fs::File) -> std::io::Result<[u64; 3]> {
    let repair = tail::repair(file)?;
    Ok([repair.recovered_nul_bytes, repair.torn_lines, repair.end])
}

/// The largest mapping step, in bytes. A file system that cannot give a whole step may hand out all
/// it has before it says so, so that a step of any size could fill a disk for a moment.
const LARGEST_STEP: usize = 1 << 30;

/// The mapping step for a wish in bytes: a whole number of pages, at least one, at most
/// [`LARGEST_STEP`].
pub(crate) fn round_chunk(bytes: usize) -> usize {
    bytes.clamp(1, LARGEST_STEP).next_multiple_of(os::page_size())
}
