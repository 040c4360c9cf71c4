//! Call sites: what records from one place in the source have in common.
//!
//! The `log` crate hands on no call site, but a record of its macros names its file and line by
//! texts that live for ever. What the first record of a place looked like is prepared for the next
//! ones. A record is never taken for one of another place: all that was prepared is compared with
//! it, and where it differs the record is encoded as if nothing had been prepared.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use log::{Level, Record};
use writer_core::json::CallSite;
use writer_core::{Slots, Writer};

/// At most so many places are prepared: programs have fewer, and a record that names an invented
/// place must not fill the memory.
const MOST: usize = 16 << 10;

/// Tells loggers apart in the caches of threads. Never used twice.
static NEXT_LOGGER: AtomicU64 = AtomicU64::new(0);

thread_local! {
    static RECENT: Slots<Arc<Site>, 256> = const { Slots::new() };
}

/// The names of a record's fields.
pub(crate) type Names = Vec<Box<str>>;

/// A place in the source, prepared for the format of one logger.
pub(crate) struct Site {
    pub(crate) prepared: CallSite,
    key: u64,
    level: Level,
    line: Option<u32>,
    file: &'static str,
    module: &'static str,
    /// `None` if that is the text of the module, as the macros have it.
    target: Option<Box<str>>,
}

impl Site {
    /// Whether this was prepared for records like this one.
    fn fits(&self, record: &Record<'_>, file: &'static str, module: &'static str) -> bool {
        // One text at one address: both live for ever.
        std::ptr::eq(self.file, file)
            && std::ptr::eq(self.module, module)
            && self.line == record.line()
            && self.level == record.level()
            && match &self.target {
                None => std::ptr::eq(record.target(), module),
                Some(target) => **target == *record.target(),
            }
    }
}

/// What there is for a record.
pub(crate) enum Found {
    /// A place that was prepared for records like it.
    Site(Arc<Site>),
    /// Nothing yet: its place can be prepared.
    NewPlace,
    /// Nothing, and it stays so.
    Nothing,
}

/// The places that a logger has met.
pub(crate) struct Sites {
    logger: u64,
    /// What the process has that built the writer; a forked child begins with nothing.
    known: Arc<Known>,
}

/// Without the places, which have the targets of records.
impl fmt::Debug for Sites {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sites").field("logger", &self.logger).finish_non_exhaustive()
    }
}

/// Places by [`key`]. The lock is held for a look-up or an insertion only.
type Known = RwLock<HashMap<u64, Arc<Site>>>;

/// Depends on the place and the level; two places may have the same.
fn key(record: &Record<'_>, file: &'static str) -> u64 {
    let place = file.as_ptr().addr() as u64 ^ (u64::from(record.line().unwrap_or(0)) << 40);
    place ^ ((record.level() as u64) << 61)
}

impl Sites {
    pub(crate) fn new() -> Self {
        let logger = NEXT_LOGGER.fetch_add(1, Ordering::Relaxed);
        Sites { logger, known: Arc::default() }
    }

    /// Takes what is prepared for records like this one, to be [put back](Sites::put_back).
    #[inline]
    pub(crate) fn take(&self, writer: &Writer, record: &Record<'_>) -> Found {
        let (Some(file), Some(module)) = (record.file_static(), record.module_path_static()) else {
            return Found::Nothing;
        };
        let key = key(record, file);
        let recent = RECENT.try_with(|recent| recent.take(self.logger, key)).ok().flatten();
        let site = match recent.map_or_else(|| self.find(writer, key), Found::Site) {
            Found::Site(site) => site,
            other => return other,
        };
        if site.fits(record, file, module) {
            return Found::Site(site);
        }
        self.put_back(site);
        Found::Nothing
    }

    #[inline]
    pub(crate) fn put_back(&self, site: Arc<Site>) {
        // Where the thread's values are gone, the place is found in the map each time.
        let _ = RECENT.try_with(|recent| recent.put(self.logger, site.key, site));
    }

    /// Keeps what is prepared for the record's place.
    pub(crate) fn learn(&self, writer: &Writer, record: &Record<'_>, prepared: CallSite) {
        let (Some(file), Some(module)) = (record.file_static(), record.module_path_static()) else {
            return;
        };
        let key = key(record, file);
        let target = (!std::ptr::eq(record.target(), module)).then(|| record.target().into());
        let (level, line) = (record.level(), record.line());
        let site = Site { prepared, key, level, line, file, module, target };
        let Some(known) = self.here(writer) else { return };
        let mut known = known.write().unwrap_or_else(PoisonError::into_inner);
        // Others may have come first since it was found to be new.
        if known.len() < MOST {
            known.entry(key).or_insert_with(|| Arc::new(site));
        }
    }

    fn here(&self, writer: &Writer) -> Option<Arc<Known>> {
        writer.state_here(self.logger, &self.known, RwLock::default)
    }

    #[cold]
    fn find(&self, writer: &Writer, key: u64) -> Found {
        let Some(known) = self.here(writer) else { return Found::Nothing };
        let known = known.read().unwrap_or_else(PoisonError::into_inner);
        match known.get(&key) {
            Some(site) => Found::Site(Arc::clone(site)),
            None if known.len() < MOST => Found::NewPlace,
            None => Found::Nothing,
        }
    }
}

/// The name of a key as its author means it: the macros make the key of `r#type = 1` from the text
/// of the identifier.
pub(crate) fn plain_name(key: &str) -> &str {
    // Its first two bytes at once, where `strip_prefix` would call a function to compare them.
    match key.as_bytes().first_chunk() {
        Some(b"r#") => &key[2..],
        _ => key,
    }
}
