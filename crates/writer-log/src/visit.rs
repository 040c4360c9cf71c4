//! How a value is written that serde and sval have no part in: both features are off.

use std::any::Any;
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
    let field = line.next_field(key);
    if field.is_secret() {
        // Whatever is given here, the marker is written.
        field.bool(false);
        return Ok(());
    }
    let mut field = Field(Some(field));
    // Another crate may have turned on the support for serde or sval in `log`, which then runs user
    // code here. Unwind safety: the encoder takes back what it has not finished.
    match catch_unwind(AssertUnwindSafe(|| value.visit(&mut field))) {
        Ok(visited) => visited,
        Err(payload) => {
            panicked(field, payload);
            Ok(())
        }
    }
}

#[cold]
fn panicked(field: Field<'_>, payload: Box<dyn Any + Send>) {
    match field.0 {
        Some(field) => field.panicked(payload),
        // Dropping it would run user code once more.
        None => std::mem::forget(payload),
    }
}

/// A field until it gets its value. A second value, of a `Serialize` that goes on after the first,
/// is not written.
struct Field<'l>(Option<json::Value<'l>>);

macro_rules! typed {
    ($($method:ident($type:ty) => $write:ident),+ $(,)?) => {
        $(fn $method(&mut self, value: $type) -> Result<(), kv::Error> {
            if let Some(field) = self.0.take() {
                field.$write(value);
            }
            Ok(())
        })+
    };
}

impl<'v> VisitValue<'v> for Field<'_> {
    /// What is captured by `Debug` or `Display` comes here.
    fn visit_any(&mut self, value: Value<'_>) -> Result<(), kv::Error> {
        if let Some(field) = self.0.take() {
            field.display(&value);
        }
        Ok(())
    }

    fn visit_null(&mut self) -> Result<(), kv::Error> {
        if let Some(field) = self.0.take() {
            field.null();
        }
        Ok(())
    }

    typed! {
        visit_u64(u64) => u64,
        visit_i64(i64) => i64,
        visit_u128(u128) => u128,
        visit_i128(i128) => i128,
        visit_f64(f64) => f64,
        visit_bool(bool) => bool,
        visit_str(&str) => str,
        visit_char(char) => char,
        visit_error(&(dyn Error + 'static)) => error,
        // Left to its default, this one would come as text, without the sources.
        visit_borrowed_error(&'v (dyn Error + 'static)) => error,
    }
}
