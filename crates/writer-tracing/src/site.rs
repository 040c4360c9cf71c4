//! Call sites: what of an event is the same each time.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use tracing_core::{Level, Metadata};
use writer_core::json::{CallSite, Format, Meta, Record};
use writer_core::{Severity, Slots, Writer};

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
        let others = fields.len() - usize::from(message.is_some());
        Site {
            prepared: format.call_site(&meta(metadata), names),
            fields: 1_u64.checked_shl(others as u32).map(|bit| bit - 1),
            shows_null: format.shows_null(),
            message,
            from_log: metadata.target() == "log"
                && metadata.name() == "log event"
                && fields.field("log.target").is_some(),
        }
    }

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
    /// What the process has that built the writer; a forked child, where a thread of the parent may
    /// hold the lock for ever, begins with nothing.
    known: Arc<Known>,
}

/// Call sites by the address of their metadata. The lock is held for a look-up or an insertion
/// only.
type Known = RwLock<HashMap<usize, Arc<Site>>>;

impl Sites {
    /// Calls with the call site of these metadata.
    #[inline]
    pub(crate) fn with<R>(
        &self,
        layer: u64,
        writer: &Writer,
        format: &Format,
        metadata: &'static Metadata<'static>,
        call: impl FnOnce(&Site) -> R,
    ) -> R {
        let key = std::ptr::from_ref(metadata) as usize;
        let recent = RECENT.try_with(|recent| recent.take(layer, key as u64)).ok().flatten();
        let site = recent.unwrap_or_else(|| {
            let known = writer.state_here(layer, &self.known, RwLock::default);
            find(known.as_deref(), key, format, metadata)
        });
        let result = call(&site);
        // Where the thread's values are gone, the site is found in the map each time.
        let _ = RECENT.try_with(|recent| recent.put(layer, key as u64, site));
        result
    }
}

#[cold]
fn find(
    known: Option<&Known>,
    key: usize,
    format: &Format,
    metadata: &'static Metadata<'static>,
) -> Arc<Site> {
    let found = |known: &Known| {
        known.read().unwrap_or_else(PoisonError::into_inner).get(&key).map(Arc::clone)
    };
    if let Some(site) = known.and_then(found) {
        return site;
    }
    let site = Arc::new(Site::new(format, metadata));
    match known {
        Some(known) => {
            let mut known = known.write().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(known.entry(key).or_insert(site))
        }
        None => site,
    }
}

/// The name of a field as its author means it: `type`, where it had to be written `r#type`.
pub(crate) fn plain_name(name: &'static str) -> &'static str {
    name.strip_prefix("r#").unwrap_or(name)
}

/// What is known of a call site ahead.
pub(crate) fn meta<'m>(metadata: &'m Metadata<'_>) -> Meta<'m> {
    Meta::new(severity(*metadata.level()), metadata.target())
        .module(metadata.module_path())
        .file(metadata.file())
        .line(metadata.line())
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
