//! Call sites: what of an event is the same each time.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use tracing_core::field::Field;
use tracing_core::{Level, Metadata};
use writer_core::json::{CallSite, Format, Meta, Record};
use writer_core::{Severity, Slots};

use crate::layer::JsonLayer;

thread_local! {
    static RECENT: Slots<Arc<Site>, 256> = const { Slots::new() };
}

/// A call site of `tracing`, prepared for the format of one layer.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) prepared: CallSite,
    /// A bit for each field besides the message; `None` where there are too many.
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
        let is_message = |index| message == Some(index);
        let name = |field: Field| (!is_message(field.index())).then(|| plain_name(field.name()));
        let others = (0..fields.len()).filter(|&index| !is_message(index));
        Site {
            prepared: format.call_site_of(&meta(metadata), fields.iter().map(name)),
            fields: (fields.len() <= 64).then(|| others.fold(0, |bits, index| bits | 1 << index)),
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
type Known = RwLock<HashMap<u64, Arc<Site>>>;

impl JsonLayer {
    /// Takes the call site of these metadata, to be [put back](JsonLayer::put_back_site).
    #[inline(always)]
    pub(crate) fn take_site(&self, metadata: &'static Metadata<'static>) -> Arc<Site> {
        let recent = RECENT.try_with(|recent| recent.take(self.id, key(metadata)));
        match recent {
            Ok(Some(site)) => site,
            _ => self.find_site(metadata),
        }
    }

    #[inline(always)]
    pub(crate) fn put_back_site(&self, metadata: &'static Metadata<'static>, site: Arc<Site>) {
        // Where the thread's values are gone, the site is found in the map each time.
        let _ = RECENT.try_with(|recent| recent.put(self.id, key(metadata), site));
    }

    #[cold]
    #[inline(never)]
    fn find_site(&self, metadata: &'static Metadata<'static>) -> Arc<Site> {
        let known = self.writer().state_here(self.id, &self.sites.known, RwLock::default);
        let found = |known: &Arc<Known>| {
            let known = known.read().unwrap_or_else(PoisonError::into_inner);
            known.get(&key(metadata)).map(Arc::clone)
        };
        if let Some(site) = known.as_ref().and_then(found) {
            return site;
        }
        let site = Arc::new(Site::new(&self.format, metadata));
        match known {
            Some(known) => {
                let mut known = known.write().unwrap_or_else(PoisonError::into_inner);
                Arc::clone(known.entry(key(metadata)).or_insert(site))
            }
            None => site,
        }
    }
}

fn key(metadata: &'static Metadata<'static>) -> u64 {
    std::ptr::from_ref(metadata).addr() as u64
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
