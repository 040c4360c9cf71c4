//! A sink with what must be known of the place it writes to; its panics end here.

use std::io;

use crate::error::copy_error;
use crate::io::{ReopenReason, Reopened, Sink};
use crate::report::survives;

/// How many times in a row a sink may be interrupted before that counts as a failure.
const INTERRUPTIONS: usize = 1000;

/// Where lines leave the writer.
pub(crate) struct Outlet {
    sink: Box<dyn Sink>,
    /// A line broke off in the middle for good: the next bytes out must be a newline.
    torn: bool,
    /// Something was written since the last flush, and since the last sync.
    dirty: bool,
    unsynced: bool,
    closed: bool,
}

/// Calls the sink and turns a panic into `None`.
fn guarded<T>(call: impl FnOnce() -> T) -> Option<T> {
    let mut result = None;
    survives(|| result = Some(call()));
    result
}

/// The error that stands for a panic of the sink.
pub(crate) fn panic_error() -> io::Error {
    io::Error::other("the sink panicked")
}

/// A copy of an error of the sink that has no code of the user in it, and so can be read under a
/// lock.
pub(crate) fn plain(error: &io::Error) -> io::Error {
    guarded(|| copy_error(error)).unwrap_or_else(|| error.kind().into())
}

fn or_error<T>(call: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    guarded(call).unwrap_or_else(|| Err(panic_error()))
}

/// Takes the place of a sink that is closed, with what that had not yet said of its target.
struct Closed(Reopened);

impl Sink for Closed {
    fn write(&mut self, _lines: &[u8], _more_waiting: bool) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn mended(&mut self) -> Reopened {
        std::mem::take(&mut self.0)
    }
}

impl Outlet {
    pub(crate) fn new(sink: Box<dyn Sink>) -> Self {
        Outlet { sink, torn: false, dirty: false, unsynced: false, closed: false }
    }

    /// Offers `lines`; `None` if the sink panicked while it had them.
    pub(crate) fn offer(&mut self, lines: &[u8], more: bool) -> Option<io::Result<usize>> {
        let mut left = INTERRUPTIONS;
        let mut again = |error: &io::Error| {
            left = left.saturating_sub(1);
            error.kind() == io::ErrorKind::Interrupted && left > 0
        };
        loop {
            if self.torn {
                match guarded(|| self.sink.write(b"\n", false)) {
                    Some(Ok(0)) => return Some(Err(io::ErrorKind::WriteZero.into())),
                    Some(Ok(_)) => self.torn = false,
                    Some(Err(error)) if again(&error) => continue,
                    Some(Err(error)) => return Some(Err(error)),
                    None => return Some(Err(panic_error())),
                }
            }
            return match guarded(|| self.sink.write(lines, more)) {
                Some(Ok(0)) if !more => Some(Err(io::ErrorKind::WriteZero.into())),
                Some(Ok(taken)) => {
                    self.dirty |= taken > 0;
                    self.unsynced |= taken > 0;
                    Some(Ok(taken.min(lines.len())))
                }
                Some(Err(error)) if again(&error) => continue,
                other => other,
            };
        }
    }

    /// Notes that the line which is partly out will not be continued here.
    pub(crate) fn tear(&mut self) {
        self.torn = true;
    }

    /// Has the sink hand on what it wrote; says whether it wrote something.
    pub(crate) fn flush(&mut self) -> io::Result<bool> {
        or_error(|| self.sink.flush())?;
        Ok(std::mem::take(&mut self.dirty))
    }

    /// Whether something was written since the last flush that succeeded.
    pub(crate) fn is_unflushed(&self) -> bool {
        self.dirty
    }

    /// Whether something was written since the last sync that succeeded, or that found none to be
    /// had.
    pub(crate) fn is_unsynced(&self) -> bool {
        self.unsynced
    }

    pub(crate) fn sync(&mut self) -> io::Result<()> {
        let result = or_error(|| self.sink.sync());
        self.unsynced =
            result.as_ref().is_err_and(|error| error.kind() != io::ErrorKind::Unsupported);
        result
    }

    /// Whether the sink wants to tidy up when nothing comes.
    pub(crate) fn wants_idle(&self) -> bool {
        guarded(|| self.sink.wants_idle()).unwrap_or(false)
    }

    /// Lets the sink tidy up.
    pub(crate) fn idle(&mut self) -> io::Result<()> {
        or_error(|| self.sink.idle())
    }

    /// What was mended at the end of the target since the last call.
    pub(crate) fn mended(&mut self) -> Reopened {
        guarded(|| self.sink.mended()).unwrap_or_default()
    }

    /// Has the sink look for its target by name.
    pub(crate) fn reopen(&mut self, reason: ReopenReason<'_>) -> io::Result<Option<Reopened>> {
        let reopened = or_error(|| self.sink.reopen(reason))?;
        if reopened.is_some() {
            self.torn = false;
        }
        Ok(reopened)
    }

    /// Closes the sink, once, and lets go of it: handles may live on in statics for ever, and must
    /// not keep a file open.
    pub(crate) fn close(&mut self) -> io::Result<()> {
        if std::mem::replace(&mut self.closed, true) {
            return Ok(());
        }
        if self.torn {
            // Nothing follows that would close the line. Where this cannot either, it stays open.
            let _ = guarded(|| self.sink.write(b"\n", false));
        }
        let closed = or_error(|| self.sink.close());
        let closing = Closed(self.mended());
        let sink = std::mem::replace(&mut self.sink, Box::new(closing));
        survives(|| drop(sink));
        closed
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    /// Answers as told, and then takes everything.
    #[derive(Default)]
    struct Told(VecDeque<io::Result<usize>>);

    impl Sink for Told {
        fn write(&mut self, lines: &[u8], _more_waiting: bool) -> io::Result<usize> {
            self.0.pop_front().unwrap_or(Ok(lines.len()))
        }
    }

    fn outlet(answers: impl Into<VecDeque<io::Result<usize>>>) -> Outlet {
        Outlet::new(Box::new(Told(answers.into())))
    }

    #[test]
    fn a_line_end_that_is_not_taken_is_still_owed() {
        let mut outlet = outlet([Err(io::ErrorKind::Interrupted.into()), Ok(0)]);
        outlet.tear();
        let refused = outlet.offer(b"a\n", false);
        assert!(matches!(refused, Some(Err(e)) if e.kind() == io::ErrorKind::WriteZero));
        assert!(outlet.torn);
        assert!(matches!(outlet.offer(b"a\n", false), Some(Ok(2))));
        assert!(!outlet.torn);
    }

    #[test]
    fn what_was_held_back_is_neither_to_be_flushed_nor_to_be_synced() {
        let mut outlet = outlet([Ok(0)]);
        assert!(matches!(outlet.offer(b"a\n", true), Some(Ok(0))));
        assert!(!outlet.is_unflushed() && !outlet.is_unsynced());
        assert!(matches!(outlet.offer(b"a\n", true), Some(Ok(2))));
        assert!(outlet.is_unflushed() && outlet.is_unsynced());
    }
}
