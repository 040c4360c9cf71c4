//! What can be prepared once per call site.

use std::fmt;
use std::time::SystemTime;

use super::buf::{Block, Buf};
use super::escape;
use super::format::{Encoded, Format, Inner, Meta};
use super::keys::{self, Reserved};
use super::kind::Kind;
use super::name::Name;
use super::out::Out;
use super::record::Record;
use super::redact::REDACTED;
use super::schema::Rules;
use super::shape::Place;
use crate::Severity;
use crate::veil::Veil;

/// How many keys are prepared: one bit each says which have been written.
const PREPARED: usize = 64;

/// The parts of a line that are the same for every record of a call site: level, target, place in
/// the source, static fields, and the keys of the fields.
///
/// It belongs to the [`Format`] that made it and holds it.
pub struct CallSite {
    format: Format,
    severity: Severity,
    /// Members, each with a comma after it.
    head: Box<[u8]>,
    /// The same for the attributes that schemas of OTLP have besides; empty elsewhere.
    attributes: Box<[u8]>,
    head_skipped: u64,
    head_cut: bool,
    site: Site,
}

impl fmt::Debug for CallSite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallSite")
            .field("severity", &self.severity)
            .field("head", &Veil(self.head.len()))
            .field("keys", &self.site.keys.len())
            .finish_non_exhaustive()
    }
}

/// The keys of a call site.
///
/// No key stands twice in a line, and a key that comes later gives way to one that is there. What
/// is there is known in three ways. Keys that users name at run time are in
/// [`Keys`](super::keys::Keys). Those of a call site whose fields are fixed are all
/// [`reserved`](Site::reserved), written or not, and differ from one another. Those of a call site
/// whose fields are only expected are there if [`Members::written`](super::members::Members) says
/// so; they are taken in their order, each the first that is not written, and only while no key has
/// come in another way ([`Members::unexpected`](super::members::Members)).
#[derive(Debug, Default)]
pub(super) struct Site {
    /// `"user_id":` by position, free of clashes; with [`REDACTED`] as value if that is a secret.
    pub(super) keys: Vec<ReadyKey>,
    /// The fields are only expected.
    pub(super) expecting: bool,
    /// The same keys, for fields that come under names of their own besides.
    pub(super) reserved: Reserved,
}

/// The key of a field that is known ahead.
#[derive(Debug)]
pub(super) struct ReadyKey {
    /// The same as `whole` where it is short and nothing but the key, and members are always written
    /// as they come: then few steps are needed.
    pub(super) block: Option<Block>,
    /// Stands for it in [`Members::written`](super::members::Members).
    pub(super) bit: u64,
    /// All that stands before the value; nothing where there is no field.
    pub(super) whole: Box<[u8]>,
    /// Only of a field that is expected and may not come: the hash of its key.
    pub(super) expected: Option<u32>,
}

impl ReadyKey {
    fn new(whole: Box<[u8]>, position: usize, rules: &Rules) -> Self {
        let plain = !rules.complex && whole.last() == Some(&b':');
        let block = if plain { Block::new(&whole) } else { None };
        ReadyKey { block, whole, expected: None, bit: 1 << position }
    }

    /// Whether a field of this name is expected here.
    #[inline(always)]
    pub(super) fn is_expected_as(&self, name: &str) -> bool {
        let name = name.as_bytes();
        self.expected.is_some()
            && match &self.block {
                Some(key) => key.is_key_of(name),
                None => self.escaped() == name,
            }
    }

    /// The key between its quotes, where it is nothing but the key.
    fn escaped(&self) -> &[u8] {
        &self.whole[1..self.whole.len() - 2]
    }
}

impl Site {
    /// Whether a key is one of the call site's: of all that are reserved, or of the expected ones
    /// that were written.
    pub(super) fn has(&self, written: u64, hash: u32, key: &[u8]) -> bool {
        self.reserved.contains(hash, key)
            || self.keys.iter().any(|ready| {
                ready.bit & written != 0 && ready.expected == Some(hash) && ready.escaped() == key
            })
    }
}

impl Inner {
    /// All that stands before the value of a field of a call site. Its key clashes with none that is
    /// `reserved`, and becomes one of these.
    fn ready_key(&self, name: &str, reserved: &mut Reserved) -> Box<[u8]> {
        let rules = &self.rules;
        if let Some(types) = rules.type_set_by(Name::User(name, 0)) {
            // Its key depends on its value.
            return types.key.clone();
        }
        let mut key = Buf::default();
        escape::push(&mut key, name);
        while rules.reserved.contains(keys::hash(&key), &key) || !reserved.insert(&key) {
            key.push(b'_');
        }
        let typed = rules.options.typed;
        let (before, after): (&[u8], &[u8]) =
            if typed { (b"{\"key\":\"", b"\",\"value\":") } else { (b"\"", b"\":") };
        let marker = rules.is_redacted(name).then(|| escape::quoted(REDACTED));
        let marker = if typed { marker.map(|marker| Kind::of_json(&marker)) } else { marker };
        [before, &key, after, marker.unwrap_or_default().as_bytes()].concat().into()
    }
}

impl Format {
    /// Prepares a call site. `names` are the fields of its records, in the order that
    /// [`Record::site_field`] counts them; the time in `meta` is not used. Clashes among the names,
    /// and with the metadata, are settled here once.
    pub fn call_site<'n>(
        &self,
        meta: &Meta<'_>,
        names: impl IntoIterator<Item = &'n str>,
    ) -> CallSite {
        self.call_site_of(meta, names.into_iter().map(Some))
    }

    /// The same with positions that are no fields: there is no key for them.
    #[doc(hidden)]
    pub fn call_site_of<'n>(
        &self,
        meta: &Meta<'_>,
        names: impl IntoIterator<Item = Option<&'n str>>,
    ) -> CallSite {
        let inner = &self.inner;
        let typed = inner.rules.options.typed;
        let first = if typed { Place::Scope } else { Place::Line };
        let mut out = Out::with_limit(inner.limit);
        let mut head_cut = inner.static_part(&mut out, meta, first);
        let mut attributes = Out::with_limit(inner.limit);
        if typed {
            head_cut |= inner.static_part(&mut attributes, meta, Place::Attributes);
        }
        let mut site = Site::default();
        for (position, name) in names.into_iter().take(PREPARED).enumerate() {
            let whole = name.map(|name| inner.ready_key(name, &mut site.reserved));
            site.keys.push(ReadyKey::new(whole.unwrap_or_default(), position, &inner.rules));
        }
        CallSite {
            format: self.clone(),
            severity: meta.severity,
            head: (*out.buf).into(),
            attributes: (*attributes.buf).into(),
            head_skipped: out.skipped + attributes.skipped,
            head_cut,
            site,
        }
    }

    /// Prepares a call site whose fields are only expected: a record may come with others, or with
    /// the same in another order. Its lines are the same as those of [`Format::encode`]. The fields
    /// are given by [`Record::next_field`].
    pub fn expected_call_site<'n>(
        &self,
        meta: &Meta<'_>,
        names: impl IntoIterator<Item = &'n str>,
    ) -> CallSite {
        // Elsewhere more than the name decides how a key is written.
        let usable = if self.inner.rules.complex { 0 } else { usize::MAX };
        let names: Vec<&str> = names.into_iter().take(usable).collect();
        let mut prepared = self.call_site(meta, names.iter().copied());
        for (key, name) in prepared.site.keys.iter_mut().zip(names) {
            // One that clashes or is escaped is like one that is not prepared.
            let same = key.escaped() == name.as_bytes();
            key.expected = same.then(|| keys::hash(key.escaped()));
        }
        prepared.site.expecting = true;
        // What has not come is not taken.
        prepared.site.reserved = Reserved::default();
        prepared
    }
}

impl CallSite {
    /// Encodes one record of this call site; otherwise like [`Format::encode`]. Without a time, the
    /// system's time when encoding begins is taken.
    #[inline(always)]
    pub fn encode<R>(
        &self,
        time: Option<SystemTime>,
        fill: impl FnOnce(&mut Record<'_>),
        done: impl FnOnce(Severity, &[u8]) -> R,
    ) -> Option<Encoded<R>> {
        self.format.inner.run(
            self.severity,
            time,
            Some(&self.site),
            |members, place| {
                if place == Place::Attributes {
                    members.out.raw(&self.attributes);
                    return;
                }
                members.out.raw(&self.head);
                members.out.skipped = self.head_skipped;
                members.cut = self.head_cut;
            },
            fill,
            done,
        )
    }

    /// The format that made it.
    pub fn format(&self) -> &Format {
        &self.format
    }
}
