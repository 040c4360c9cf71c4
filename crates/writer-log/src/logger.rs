//! The logger behind the macros.

use std::sync::Arc;
use std::time::Duration;

use log::{LevelFilter, Log, Metadata, Record};
use writer_core::Writer;
use writer_core::json::Format;

use crate::builder::InitError;
use crate::filter::{self, FilterCell};
use crate::site::Sites;
use crate::{install, record};

/// How long [`Log::flush`] waits.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(5);

/// A [`Log`] that writes JSON lines; a cheap handle to clone.
///
/// [`init`](crate::init) installs one for the whole program. [`LogBuilder::build`] makes one to put
/// behind a logger of one's own.
///
/// [`LogBuilder::build`]: crate::LogBuilder::build
#[derive(Debug, Clone)]
#[must_use = "a logger that was built does nothing until it is installed"]
pub struct Logger {
    writer: Writer,
    format: Format,
    filter: Arc<FilterCell>,
    sites: Arc<Sites>,
}

impl Logger {
    pub(crate) fn new(writer: Writer, format: Format, filter: env_filter::Filter) -> Self {
        Logger {
            writer,
            format,
            filter: Arc::new(FilterCell::new(filter)),
            sites: Arc::new(Sites::new()),
        }
    }

    /// Has losses marked in the format of this logger: not before it is sure to be used, because the
    /// first one to say so counts.
    pub(crate) fn mark_losses(&self) {
        self.writer.default_loss_marker(&self.format);
    }

    /// The installed logger, if [`init`](crate::init) or a builder installed one.
    pub fn installed() -> Option<&'static Logger> {
        install::installed()
    }

    /// The writer, for flush, trigger, metrics.
    pub fn writer(&self) -> &Writer {
        &self.writer
    }

    /// The most verbose level that can pass the filter.
    pub fn max_level(&self) -> LevelFilter {
        self.filter.max_level(&self.writer)
    }

    /// Exchanges the filter, for all threads at once. For the installed logger
    /// [`log::max_level`] follows.
    ///
    /// # Errors
    ///
    /// [`InitError::Filter`] if the directives cannot be read; then the old filter stays. The same
    /// in a forked child before [`restart_after_fork`](crate::WriterGuard::restart_after_fork), if
    /// the parent was just reading or exchanging the filter at the fork.
    pub fn set_filter(&self, directives: &str) -> Result<(), InitError> {
        let refused = |reason| InitError::Filter {
            directives: directives.to_owned(),
            variable: None,
            reason,
        };
        let filter = filter::parse(directives).map_err(refused)?;
        let done = self.filter.set(&self.writer, filter, |level| {
            let installed = Logger::installed();
            if installed.is_some_and(|installed| Arc::ptr_eq(&installed.filter, &self.filter)) {
                log::set_max_level(level);
            }
        });
        if done {
            return Ok(());
        }
        Err(refused(String::from(
            "the parent held the filter at the fork; restart the writer first",
        )))
    }

    #[cold]
    #[inline(never)]
    fn log_in_child(&self, record: &Record<'_>) {
        if !self.filter.enabled(&self.writer, record.metadata()) {
            return;
        }
        if self.writer.is_left_behind() {
            return self.writer.reject_record();
        }
        record::write(&self.writer, &self.format, &self.sites, record);
    }

    /// Makes the filter decide on [`log::max_level`]; for the installed logger.
    pub(crate) fn publish_max_level(&self) {
        self.filter.publish(&self.writer, log::set_max_level);
    }
}

impl Log for Logger {
    /// Says what [`log`](Log::log) would do.
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.filter.enabled(&self.writer, metadata)
    }

    fn log(&self, record: &Record<'_>) {
        // Before any lock: a thread of the parent may hold it for ever.
        if self.writer.is_inherited() {
            return self.log_in_child(record);
        }
        if self.filter.enabled(&self.writer, record.metadata()) {
            record::write(&self.writer, &self.format, &self.sites, record);
        }
    }

    /// Waits until everything logged before is written, at most 5 s.
    fn flush(&self) {
        // The trait has no way to tell; `Writer::flush` has.
        drop(self.writer.flush(FLUSH_TIMEOUT));
    }
}
