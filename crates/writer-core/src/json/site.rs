//! What can be prepared once per call site.

use std::fmt;
use std::time::SystemTime;

use super::buf::{Block, Buf};
use super::escape;
use super::format::{Encoded, Format, Meta};
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
#[derive(Debug)]
pub(super) struct Site {
    /// `"user_id":` by position, free of clashes; with [`REDACTED`] as value if that is a secret.
    pub(super) keys: Vec<ReadyKey>,
    /// The same keys, for fields that come under names of their own besides.
    pub(super) reserved: Reserved,
}

/// The key of a field that is known ahead.
#[derive(Debug)]
pub(super) struct ReadyKey {
    /// All that stands before the value.
    pub(super) whole: Box<[u8]>,
    /// The same where it is short and nothing but the key, and members are always written as they
    /// come: then few steps are needed.
    pub(super) block: Option<Block>,
    /// Only of a field that is expected and may not come: its name as a user writes it, and the
    /// hash of its key.
    pub(super) expected: Option<(Box<str>, u32)>,
    /// Stands for it in [`Members::written`](super::members::Members).
    pub(super) bit: u64,
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
        self.expected.as_ref().is_some_and(|(expected, _)| short_eq(expected, name))
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
                ready.bit & written != 0
                    && ready.expected.as_ref().is_some_and(|&(_, known)| known == hash)
                    && ready.escaped() == key
            })
    }
}

/// Whether two texts are equal, in few steps for short ones: names are.
#[inline(always)]
fn short_eq(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    if one.len() != other.len() {
        return false;
    }
    match one.len() {
        2..4 => {
            one.first_chunk::<2>() == other.first_chunk()
                && one.last_chunk::<2>() == other.last_chunk()
        }
        4..8 => {
            one.first_chunk::<4>() == other.first_chunk()
                && one.last_chunk::<4>() == other.last_chunk()
        }
        8..=16 => {
            one.first_chunk::<8>() == other.first_chunk()
                && one.last_chunk::<8>() == other.last_chunk()
        }
        _ => one == other,
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
        let inner = &self.inner;
        let typed = inner.rules.options.typed;
        let first = if typed { Place::Scope } else { Place::Line };
        let mut out = Out::with_limit(inner.limit);
        let mut head_cut = inner.static_part(&mut out, meta, first);
        let mut attributes = Out::with_limit(inner.limit);
        if typed {
            head_cut |= inner.static_part(&mut attributes, meta, Place::Attributes);
        }
        let mut site = Site { keys: Vec::new(), reserved: Reserved::default() };
        let marker = format!("\"{REDACTED}\"");
        let typed_marker = Kind::of_json(&marker);
        for (position, name) in names.into_iter().take(PREPARED).enumerate() {
            if let Some(types) = inner.rules.type_set_by(Name::User(name, 0)) {
                // Its key depends on its value.
                site.keys.push(ReadyKey::new(types.key.clone(), position, &inner.rules));
                continue;
            }
            let mut key = Buf::default();
            escape::push(&mut key, name);
            while inner.rules.reserved.contains(keys::hash(&key), &key)
                || !site.reserved.insert(&key)
            {
                key.push(b'_');
            }
            let (before, after): (&[u8], &[u8]) =
                if typed { (b"{\"key\":\"", b"\",\"value\":") } else { (b"\"", b"\":") };
            let secret: &[u8] = match (inner.rules.is_redacted(name), typed) {
                (false, _) => b"",
                (true, false) => marker.as_bytes(),
                (true, true) => typed_marker.as_bytes(),
            };
            let whole = [before, &key, after, secret].concat().into();
            site.keys.push(ReadyKey::new(whole, position, &inner.rules));
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
}

impl Format {
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
            let hash = keys::hash(key.escaped());
            key.expected = Some((name.into(), hash));
        }
        // What has not come is not taken.
        prepared.site.reserved = Reserved::default();
        prepared
    }
}

impl CallSite {
    /// Encodes one record of this call site; otherwise like [`Format::encode`]. Without a time, the
    /// system's time when encoding begins is taken.
    #[inline]
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
