//! The one logger of the process.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use log::{LevelFilter, Log, Metadata, Record};

use crate::builder::InitError;
use crate::logger::Logger;

/// What `log` holds a reference to: it can be given to `log` before there is a logger to put in.
struct Slot(OnceLock<Logger>);

static SLOT: Slot = Slot(OnceLock::new());

/// Whether the slot is what `log` calls.
static HELD: AtomicBool = AtomicBool::new(false);

impl Log for Slot {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.0.get().is_some_and(|logger| logger.enabled(metadata))
    }

    fn log(&self, record: &Record<'_>) {
        if let Some(logger) = self.0.get() {
            logger.log(record);
        }
    }

    fn flush(&self) {
        if let Some(logger) = self.0.get() {
            logger.flush();
        }
    }
}

pub(crate) fn installed() -> Option<&'static Logger> {
    SLOT.0.get()
}

/// Builds a logger and installs it. What a failure leaves is said at
/// [`LogBuilder::init`](crate::LogBuilder::init).
///
/// The place is taken before anything is built where somebody seems to have it already: whoever
/// installs a logger sets the maximum level. It stays taken if the build then fails. Else it is
/// taken last, so that a program whose file cannot be opened can still install another logger.
pub(crate) fn install<T>(
    build: impl FnOnce() -> Result<(Logger, T), InitError>,
) -> Result<T, InitError> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    if installed().is_some() {
        return Err(InitError::AlreadyInstalled);
    }
    if log::max_level() != LevelFilter::Off {
        hold()?;
    }
    let (logger, guard) = build()?;
    hold()?;
    logger.mark_losses();
    // Nobody else fills the slot while this turn lasts.
    SLOT.0.get_or_init(|| logger).publish_max_level();
    Ok(guard)
}

fn hold() -> Result<(), InitError> {
    if !HELD.load(Ordering::Relaxed) {
        log::set_logger(&SLOT).map_err(|_| InitError::AlreadyInstalled)?;
        HELD.store(true, Ordering::Relaxed);
    }
    Ok(())
}
