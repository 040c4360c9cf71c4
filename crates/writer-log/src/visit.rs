//! How a value is written that serde and sval have no part in: both features are off.

use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};

use log::kv::{self, Value, VisitValue};
use writer_core::json;

/// Writes a value under a key.
#[inline]
pub(crate) fn write_value(
    line: &mut json::Record<'_>,
    key: &str,
    value: &Value<'_>,
) -> Result<(), kv::Error> {
    if line.hides(key) {
        return write_secret(line, key, value);
    }
    // Another crate may have turned on the support for serde or sval in `log`, which then runs user
    // code here. Unwind safety: the encoder takes back what it has not finished.
    catch_unwind(AssertUnwindSafe(|| value.visit(Field { line, key }))).unwrap_or_else(|payload| {
        line.next_field(key).panicked(payload);
        Ok(())
    })
}

/// Writes the marker of a secret; nothing where there is no value and the schema leaves that out.
#[cold]
fn write_secret(
    line: &mut json::Record<'_>,
    key: &str,
    value: &Value<'_>,
) -> Result<(), kv::Error> {
    let mut is_null = IsNull(false);
    if !line.shows_null() {
        // What is found out by user code, as above, counts only if that ends well.
        let visited = catch_unwind(AssertUnwindSafe(|| value.visit(&mut is_null)));
        is_null.0 &= matches!(visited, Ok(Ok(())));
        if let Err(payload) = visited {
            // Dropping it would run user code once more.
            std::mem::forget(payload);
        }
    }
    let field = line.next_field(key);
    // Whatever is given here, the marker is written.
    if is_null.0 {
        field.null()
    } else {
        field.bool(false)
    }
    Ok(())
}

/// Finds out whether there is no value.
struct IsNull(bool);

impl<'v> VisitValue<'v> for IsNull {
    fn visit_any(&mut self, _: Value<'_>) -> Result<(), kv::Error> {
        self.0 = false;
        Ok(())
    }

    fn visit_null(&mut self) -> Result<(), kv::Error> {
        self.0 = true;
        Ok(())
    }
}

/// One key and the value that is on its way to it.
struct Field<'l, 'r, 'k> {
    line: &'l mut json::Record<'r>,
    key: &'k str,
}

macro_rules! typed {
    ($($method:ident($type:ty) => $write:ident),+ $(,)?) => {
        $(fn $method(&mut self, value: $type) -> Result<(), kv::Error> {
            self.line.next_field(self.key).$write(value);
            Ok(())
        })+
    };
}

/// For types whose values are mostly short: the short way is tried first.
macro_rules! short {
    ($($method:ident($type:ty) => $short:ident $write:ident),+ $(,)?) => {
        $(fn $method(&mut self, value: $type) -> Result<(), kv::Error> {
            // Apart, so that the short way need not save what only the long one uses.
            #[cold]
            #[inline(never)]
            fn long(field: &mut Field<'_, '_, '_>, value: $type) {
                field.line.next_field(field.key).$write(value);
            }
            if !self.line.$short(self.key, value) {
                long(self, value);
            }
            Ok(())
        })+
    };
}

impl<'v> VisitValue<'v> for Field<'_, '_, '_> {
    /// What is captured by `Debug` or `Display` comes here.
    fn visit_any(&mut self, value: Value<'_>) -> Result<(), kv::Error> {
        self.line.next_field(self.key).display(&value);
        Ok(())
    }

    fn visit_null(&mut self) -> Result<(), kv::Error> {
        self.line.next_field(self.key).null();
        Ok(())
    }

    short! {
        visit_u64(u64) => next_u64 u64,
        visit_i64(i64) => next_i64 i64,
        visit_f64(f64) => next_f64 f64,
        visit_bool(bool) => next_bool bool,
        visit_str(&str) => next_str str,
    }

    typed! {
        visit_u128(u128) => u128,
        visit_i128(i128) => i128,
        visit_char(char) => char,
        visit_error(&(dyn Error + 'static)) => error,
        // Left to its default, this one would come as text, without the sources.
        visit_borrowed_error(&'v (dyn Error + 'static)) => error,
    }
}
