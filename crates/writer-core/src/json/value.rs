//! One value, in every type that a record can carry.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use super::digits;
use super::forms;
use super::kind::{Integer, Kind};
use super::members::{Members, Open};
use super::name::Name;
#[cfg(any(feature = "serde", feature = "sval", feature = "valuable"))]
use super::nested::{self, Nest};
use super::out::{Mark, Out};
use super::redact::REDACTED;
use super::schema::{Options, Rules};
use super::short::OpenString;
use super::site::Site;

/// Stands in the place of a value whose `Display` or `Debug` returned an error.
pub const FORMAT_ERROR: &str = "<format_error>";

/// Stands in the place of a value whose `Display` or `Debug` panicked.
pub const FORMAT_PANIC: &str = "<format_error: panic>";

/// A member that waits for its value. Dropped without one, it leaves no trace.
///
/// User code (`Display`, `Debug`, `Error`) runs in the calling thread while no lock and no
/// thread-local is held, so it may itself log. If it fails or panics, what it wrote is taken back
/// and [`FORMAT_ERROR`] or [`FORMAT_PANIC`] stands in its place; the panic goes no further, though
/// the panic hook has run.
#[must_use = "the member is written together with its value"]
pub struct Value<'a> {
    pub(super) members: &'a mut Members,
    pub(super) rules: &'a Rules,
    pub(super) site: Option<&'a Site>,
    pub(super) name: Name<'a>,
}

impl fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Value").field("line", &self.members.out.buf).finish_non_exhaustive()
    }
}

impl Value<'_> {
    /// Writes `null`. In a record of [`Schema::Tracing`](super::Schema::Tracing) or
    /// [`Schema::Logxpy`](super::Schema::Logxpy) the member is left out instead.
    pub fn null(self) {
        if self.rules.options.no_null {
            return;
        }
        self.plain(Kind::Bare, |out, options| {
            out.raw(if options.typed { b"{}" } else { b"null" });
        });
    }

    /// Writes `true` or `false`.
    #[inline]
    pub fn bool(self, value: bool) {
        if !matches!(self.name, Name::Ready(ready) if self.members.short_bool(ready, value)) {
            self.plain(Kind::Bool, move |out, _| out.raw(if value { b"true" } else { b"false" }));
        }
    }

    /// Writes all digits.
    #[inline]
    pub fn u64(self, value: u64) {
        if !matches!(self.name, Name::Ready(ready) if self.members.short_u64(ready, value)) {
            let kind = if value >> 63 == 0 { Kind::Int } else { Kind::Digits };
            self.plain(kind, move |out, _| out.digits(|space| digits::unsigned(space, value)));
        }
    }

    /// Writes all digits.
    #[inline]
    pub fn i64(self, value: i64) {
        if !matches!(self.name, Name::Ready(ready) if self.members.short_i64(ready, value)) {
            self.plain(Kind::Int, move |out, _| out.digits(|space| digits::signed(space, value)));
        }
    }

    /// Writes digits while the value fits 64 bits, else the digits as a string, because most
    /// readers round or refuse larger numbers; see
    /// [`FormatBuilder::wide_integers`](super::FormatBuilder::wide_integers).
    pub fn u128(self, value: u128) {
        self.wide(value);
    }

    /// Writes like [`Value::u128`].
    pub fn i128(self, value: i128) {
        self.wide(value);
    }

    fn wide(self, value: impl Integer) {
        let kind = Kind::of_integer(value, self.rules.options);
        self.plain(kind, |out, _| forms::integer(out, kind, value));
    }

    /// Writes the shortest digits that read back as the same value. NaN and the infinities become
    /// the strings `"NaN"`, `"Infinity"` and `"-Infinity"`, or `null` where the schema says so.
    #[inline]
    pub fn f64(self, value: f64) {
        if !matches!(self.name, Name::Ready(ready) if self.members.short_f64(ready, value)) {
            self.plain(Kind::Double, move |out, options| forms::float(out, value, options));
        }
    }

    /// Writes the shortest digits that read back as the same `f32`: `0.1`, not
    /// `0.10000000149011612`. Otherwise like [`Value::f64`].
    pub fn f32(self, value: f32) {
        self.plain(Kind::Double, |out, options| forms::float(out, value, options));
    }

    /// Writes a string.
    #[inline]
    pub fn str(self, value: &str) {
        let short = match self.name {
            Name::Ready(ready) => self.members.short_str(ready, value),
            Name::Message => self.members.short_message(self.rules, value),
            _ => false,
        };
        if !short {
            self.plain(Kind::String, move |out, _| out.string(value));
        }
    }

    /// Writes a string of one character.
    pub fn char(self, value: char) {
        self.str(value.encode_utf8(&mut [0; 4]));
    }

    /// Writes a string of lower-case hexadecimal digits, two per byte.
    pub fn bytes(self, value: &[u8]) {
        self.plain(Kind::String, |out, _| forms::hex_string(out, value));
    }

    /// Writes a string of what `Display` prints.
    pub fn display(self, value: &dyn fmt::Display) {
        self.text(format_args!("{value}"));
    }

    /// Writes a string of what `Debug` prints.
    pub fn debug(self, value: &dyn fmt::Debug) {
        self.text(format_args!("{value:?}"));
    }

    /// Writes a string of what the arguments print; a literal without arguments is copied.
    #[inline]
    pub fn args(self, value: fmt::Arguments<'_>) {
        match value.as_str() {
            Some(text) => self.str(text),
            None => self.text(value),
        }
    }

    /// Writes an error: its message as a string, or, if it has sources and the schema shows them,
    /// `{"message":…,"chain":[…]}` with at most 16 sources, nearest first.
    pub fn error(self, value: &(dyn Error + 'static)) {
        self.user(Kind::Bare, |out, options| forms::error(out, value, options));
    }

    /// Writes a value that runs no user code.
    #[inline(never)]
    pub(super) fn plain(self, kind: Kind, write: impl Fn(&mut Out, Options)) {
        self.members.out.prepare();
        if !self.members.write_simple(self.name, self.rules, self.site, &write) {
            self.plain_slow(kind, &write);
        }
    }

    #[cold]
    #[inline(never)]
    fn plain_slow(self, kind: Kind, write: &impl Fn(&mut Out, Options)) {
        if let Some((value, open, options)) = self.begin() {
            let out = &mut value.members.out;
            kind.write(out, options, |out| write(out, options));
            value.members.close(open, value.rules);
        }
    }

    /// Writes the key; `None` if the value is not to be written, or is replaced already.
    #[inline(always)]
    fn begin(self) -> Option<(Self, Open, Options)> {
        match self.members.open_simple(self.name, self.rules) {
            Some(open) => {
                let options = self.rules.options;
                Some((self, open, options))
            }
            None => self.begin_slow(),
        }
    }

    #[inline(never)]
    fn begin_slow(self) -> Option<(Self, Open, Options)> {
        if let Name::Hidden = self.name {
            return None;
        }
        let options = self.rules.options;
        let open = self.members.open(self.name, self.rules, self.site);
        if self.name.is_secret(self.rules) {
            if !matches!(self.name, Name::Ready(_)) {
                Kind::String.write(&mut self.members.out, options, |out| out.string(REDACTED));
            }
            self.members.close(open, self.rules);
            return None;
        }
        Some((self, open, options))
    }

    /// Writes a string of what user code prints, which may fail or panic. Does what
    /// [`Value::user`] does, in fewer steps: messages of `tracing` come this way.
    fn text(self, args: fmt::Arguments<'_>) {
        let Some(open) = self.members.open_string(self.name, self.rules) else {
            return self.long_text(args);
        };
        let out = &mut self.members.out;
        // Unwind safety: all that a panic can leave half done is taken back.
        let printed = catch_unwind(AssertUnwindSafe(|| fmt::Write::write_fmt(out, args)));
        if !matches!(printed, Ok(Ok(()))) || !self.members.close_string() {
            self.end_text(&open, printed);
        }
    }

    #[inline(never)]
    fn long_text(self, args: fmt::Arguments<'_>) {
        self.members.out.prepare();
        self.user(Kind::String, |out, _| out.format(args));
    }

    /// Ends a string that is not as short as expected, or puts a marker in its place.
    #[cold]
    fn end_text(self, string: &OpenString, printed: thread::Result<fmt::Result>) {
        let inside = Mark::stored_at(string.inside, string.skipped);
        let open = Open::simple(self.name, Mark::stored_at(string.start, string.skipped));
        match failure(printed.map(|printed| printed.map_err(|fmt::Error| FORMAT_ERROR))) {
            None => self.members.out.close(inside, b'"'),
            Some(marker) => self.members.replace_failed(inside, marker, self.rules.options),
        }
        self.members.close(open, self.rules);
    }

    /// Writes a value by user code, which may fail or panic.
    fn user(self, kind: Kind, write: impl FnOnce(&mut Out, Options) -> fmt::Result) {
        self.guarded(kind, |out, options| write(out, options).map_err(|fmt::Error| FORMAT_ERROR));
    }

    /// Writes a value by user code, which may panic, or fail and name the marker for its place.
    fn guarded(
        self,
        kind: Kind,
        write: impl FnOnce(&mut Out, Options) -> Result<(), &'static str>,
    ) {
        if let Some((value, open)) = self.attempt(kind, write) {
            value.members.close(open, value.rules);
        }
    }

    /// Writes a value that may have arrays and objects inside, by user code as [`Value::guarded`].
    /// One that turns out to be nothing is treated as by [`Value::null`].
    #[cfg(any(feature = "serde", feature = "sval", feature = "valuable"))]
    pub(super) fn nested(self, fill: impl FnOnce(&mut Nest<'_>)) {
        let (rules, mut nothing) = (self.rules, false);
        let write = |out: &mut Out, _| {
            nested::write(out, rules, fill).map(|is_nothing| nothing = is_nothing)
        };
        let Some((value, open)) = self.attempt(Kind::Bare, write) else { return };
        let members = value.members;
        if rules.options.no_null && nothing {
            members.take_back(value.name, &open);
        } else {
            members.close(open, rules);
        }
    }

    /// Writes a value up to its end, or a marker for it.
    #[inline(always)]
    fn attempt(
        self,
        kind: Kind,
        write: impl FnOnce(&mut Out, Options) -> Result<(), &'static str>,
    ) -> Option<(Self, Open)> {
        let (value, open, options) = self.begin()?;
        let out = &mut value.members.out;
        let mark = out.mark();
        // Unwind safety: all that a panic can leave half done is taken back below.
        let call = || kind.write(out, options, |out| write(out, options));
        if let Some(marker) = failure(catch_unwind(AssertUnwindSafe(call))) {
            value.members.replace_failed(mark, marker, options);
        }
        Some((value, open))
    }

    /// Writes the marker of a value that panicked before this crate could catch it.
    #[doc(hidden)]
    #[cold]
    pub fn panicked(self, payload: Box<dyn Any + Send>) {
        discard_payload(payload);
        self.guarded(Kind::Bare, |_, _| Err(FORMAT_PANIC));
    }
}

/// The marker for the place of a value, if user code failed or panicked.
fn failure(result: thread::Result<Result<(), &'static str>>) -> Option<&'static str> {
    match result {
        Ok(Ok(())) => None,
        Ok(Err(marker)) => Some(marker),
        Err(payload) => {
            discard_payload(payload);
            Some(FORMAT_PANIC)
        }
    }
}

impl Members {
    /// Puts a marker in the place of what was written from `mark` on.
    #[cold]
    fn replace_failed(&mut self, mark: Mark, marker: &str, options: Options) {
        self.out.roll_back(mark);
        Kind::String.write(&mut self.out, options, |out| out.string(marker));
        self.errors += 1;
    }
}

/// Drops what a panic carried. Its destructor is user code too and may panic once more.
pub(super) fn discard_payload(payload: Box<dyn Any + Send>) {
    if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        // A third panic is not waited for: the memory is given up.
        std::mem::forget(second);
    }
}
