//! Call sites: what of an event is the same each time.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use tracing_core::{Level, Metadata};
use writer_core::json::{CallSite, Format, Meta, Record};
use writer_core::{Severity, Slots};

thread_local! {
    static RECENT: Slots<Arc<Site>, 256> = const { Slots::new() };
}

/// A call site of `tracing`, prepared for the format of one layer.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) prepared: CallSite,
    /// A bit for each field besides the message; `None` where there are more.
    fields: Option<u64>,
    /// Fields without a value are written.
    pub(crate) shows_null: bool,
    /// Which field is the message.
    pub(crate) message: Option<usize>,
    /// Its events are records of the `log` crate, passed on by `tracing-log`.
    pub(crate) from_log: bool,
}

impl Site {
    fn new(format: &Format, metadata: &'static Metadata<'static>) -> Self {
        let fields = metadata.fields();
        let message = fields.iter().position(|field| field.name() == "message");
        let names = fields
            .iter()
            .filter(|field| Some(field.index()) != message)
            .map(|field| plain_name(field.name()));
        let meta = Meta::new(severity(*metadata.level()), metadata.target())
            .module(metadata.module_path())
            .file(metadata.file())
            .line(metadata.line());
        let others = fields.len() - usize::from(message.is_some());
        Site {
            prepared: format.call_site(&meta, names),
            fields: 1_u64.checked_shl(others as u32).map(|bit| bit - 1),
            shows_null: format.shows_null(),
            message,
            from_log: metadata.target() == "log"
                && metadata.name() == "log event"
                && fields.field("log.target").is_some(),
        }
    }
}

impl Site {
    /// Whether all that an event declares is in its record.
    #[inline]
    pub(crate) fn is_complete(&self, record: &Record<'_>) -> bool {
        self.fields == Some(record.site_fields_written())
            && (self.message.is_none() || record.message_is_settled())
    }
}

/// The call sites that a layer has met.
///
/// They are found by the address of their metadata, which is never freed. They are not prepared
/// when `tracing` registers them, because under some filters it does not.
#[derive(Debug, Default)]
pub(crate) struct Sites {
    /// The lock is held for a look-up or an insertion only.
    known: RwLock<HashMap<usize, Arc<Site>>>,
}

impl Sites {
    /// Calls with the call site of these metadata.
    #[inline]
    pub(crate) fn with<R>(
        &self,
        layer: u64,
        format: &Format,
        metadata: &'static Metadata<'static>,
        call: impl FnOnce(&Site) -> R,
    ) -> R {
        let key = std::ptr::from_ref(metadata) as usize;
        let recent = RECENT.try_with(|recent| recent.take(layer, key as u64)).ok().flatten();
        let site = recent.unwrap_or_else(|| self.find(key, format, metadata));
        let result = call(&site);
        // Where the thread's values are gone, the site is found in the map each time.
        let _ = RECENT.try_with(|recent| recent.put(layer, key as u64, site));
        result
    }

    #[cold]
    fn find(&self, key: usize, format: &Format, metadata: &'static Metadata<'static>) -> Arc<Site> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(site) = known.get(&key) {
            return Arc::clone(site);
        }
        drop(known);
        let site = Arc::new(Site::new(format, metadata));
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(known.entry(key).or_insert(site))
    }
}

/// The name of a field as its author means it: `type`, where it had to be written `r#type`.
pub(crate) fn plain_name(name: &'static str) -> &'static str {
    name.strip_prefix("r#").unwrap_or(name)
}

/// The severity of a level.
pub(crate) fn severity(level: Level) -> Severity {
    match level {
        Level::ERROR => Severity::Error,
        Level::WARN => Severity::Warn,
        Level::INFO => Severity::Info,
        Level::DEBUG => Severity::Debug,
        _ => Severity::Trace,
    }
}
