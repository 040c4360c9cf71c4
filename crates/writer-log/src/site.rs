//! Call sites: what records from one place in the source have in common.
//!
//! The `log` crate hands on no call site, but a record of its macros names its file and line by
//! texts that live for ever. What the first record of a place looked like is prepared for the next
//! ones. A record is never taken for one of another place: all that was prepared is compared with
//! it, and where it differs the record is encoded as if nothing had been prepared.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use log::{Level, Record};
use writer_core::Slots;
use writer_core::json::{CallSite, Format, Meta};

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
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) prepared: CallSite,
    level: Level,
    line: Option<u32>,
    file: &'static str,
    module: &'static str,
    target: Box<str>,
}

impl Site {
    /// Whether this was prepared for records like this one.
    fn fits(&self, record: &Record<'_>, file: &'static str, module: &'static str) -> bool {
        // One text at one address: both live for ever.
        std::ptr::eq(self.file, file)
            && std::ptr::eq(self.module, module)
            && self.line == record.line()
            && self.level == record.level()
            && *self.target == *record.target()
    }
}

/// The places that a logger has met.
#[derive(Debug)]
pub(crate) struct Sites {
    logger: u64,
    /// By [`key`]. The lock is held for a look-up or an insertion only.
    known: RwLock<HashMap<u64, Arc<Site>>>,
}

/// Depends on the place and the level; two places may have the same.
fn key(record: &Record<'_>, file: &'static str) -> u64 {
    let place = file.as_ptr().addr() as u64 ^ (u64::from(record.line().unwrap_or(0)) << 40);
    place ^ ((record.level() as u64) << 61)
}

impl Sites {
    pub(crate) fn new() -> Self {
        let logger = NEXT_LOGGER.fetch_add(1, Ordering::Relaxed);
        Sites { logger, known: RwLock::default() }
    }

    /// Calls with what is prepared for a record, or with nothing, and then perhaps with a list that
    /// takes the names of its fields, so that the next record finds the place prepared.
    #[inline]
    pub(crate) fn with<R>(
        &self,
        record: &Record<'_>,
        format: &Format,
        meta: &Meta<'_>,
        call: impl FnOnce(Option<&CallSite>, Option<&mut Names>) -> R,
    ) -> R {
        let (Some(file), Some(module)) = (record.file_static(), record.module_path_static()) else {
            return call(None, None);
        };
        let key = key(record, file);
        let recent = RECENT.try_with(|recent| recent.take(self.logger, key)).ok().flatten();
        let Some(site) = recent.or_else(|| self.find(key)) else {
            let mut names = Names::new();
            let result = call(None, Some(&mut names));
            let prepared = format.expected_call_site(meta, names.iter().map(|name| &**name));
            let (level, line, target) = (record.level(), record.line(), record.target().into());
            self.learn(key, Site { prepared, level, line, file, module, target });
            return result;
        };
        let fitting = site.fits(record, file, module).then_some(&site.prepared);
        let result = call(fitting, None);
        // Where the thread's values are gone, the place is found in the map each time.
        let _ = RECENT.try_with(|recent| recent.put(self.logger, key, site));
        result
    }

    #[cold]
    fn find(&self, key: u64) -> Option<Arc<Site>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).get(&key).cloned()
    }

    #[cold]
    fn learn(&self, key: u64, site: Site) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() < MOST {
            known.entry(key).or_insert_with(|| Arc::new(site));
        }
    }
}

/// The name of a key as its author means it: the macros make the key of `r#type = 1` from the text
/// of the identifier.
pub(crate) fn plain_name(key: &str) -> &str {
    key.strip_prefix("r#").unwrap_or(key)
}
