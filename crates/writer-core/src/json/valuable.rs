//! Any `valuable::Valuable` as a value.

use valuable::{
    Enumerable, Fields, NamedValues, Slice, StructDef, Valuable, Value as Inner, Visit,
};

use super::forms;
use super::nested::{Level, Nest};
use super::value::{self, Value};

impl Value<'_> {
    /// Writes nested JSON of anything that describes itself through `valuable`; needs the feature
    /// `valuable`.
    ///
    /// Enums have the shape that serde gives them: `"Unit"`, `{"One":1}`, `{"Two":[1,2]}`,
    /// `{"Named":{"a":1}}`; so has a struct of one unnamed field, which is that field, and one of
    /// none, which is `null`. An error is written as by [`Value::error`], a path as by `Display`; a
    /// kind of value that this crate does not know is `null`. Otherwise the rules are those of
    /// nested values: keys are strings and none stands twice in an object, the values of secret
    /// keys are not written, and the whole value is replaced by [`TOO_DEEP`](super::TOO_DEEP) if
    /// more than 64 arrays and objects lie one in the other, by
    /// [`FORMAT_PANIC`](super::FORMAT_PANIC) if it panics.
    ///
    /// ```
    /// use writer_core::Severity;
    /// use writer_core::json::{Format, Meta};
    ///
    /// let line = Format::default().encode(
    ///     &Meta::new(Severity::Info, "shop"),
    ///     |record| record.field("items").valuable(&vec![Some("tea"), None]),
    ///     |_, line| String::from_utf8_lossy(line).into_owned(),
    /// );
    /// let line = line.map(|encoded| encoded.result).unwrap_or_default();
    /// assert!(line.ends_with("\"items\":[\"tea\",null]}\n"));
    /// ```
    pub fn valuable(self, value: &dyn Valuable) {
        self.nested(|nest| write(nest, &value.as_value()));
    }
}

fn write(nest: &mut Nest<'_>, value: &Inner<'_>) {
    if nest.failed() || nest.is_secret() {
        return;
    }
    nest.user_code += 1;
    write_one(nest, value);
    nest.user_code -= 1;
}

fn write_one(nest: &mut Nest<'_>, value: &Inner<'_>) {
    match *value {
        Inner::Bool(value) => nest.bool(value),
        Inner::Char(value) => nest.char(value),
        Inner::F32(value) => nest.float(value),
        Inner::F64(value) => nest.float(value),
        Inner::I8(value) => nest.integer(value),
        Inner::I16(value) => nest.integer(value),
        Inner::I32(value) => nest.integer(value),
        Inner::I64(value) => nest.integer(value),
        Inner::I128(value) => nest.integer(value),
        Inner::Isize(value) => nest.integer(value),
        Inner::String(value) => nest.string(value),
        Inner::U8(value) => nest.integer(value),
        Inner::U16(value) => nest.integer(value),
        Inner::U32(value) => nest.integer(value),
        Inner::U64(value) => nest.integer(value),
        Inner::U128(value) => nest.integer(value),
        Inner::Usize(value) => nest.integer(value),
        Inner::Path(value) => nest.format(format_args!("{}", value.display())),
        Inner::Error(error) => {
            if forms::error(nest.out, error, nest.options).is_err() {
                nest.fail(value::FORMAT_ERROR);
            }
        }
        Inner::Listable(value) => write_array(nest, value),
        Inner::Tuplable(value) if value.definition().is_unit() => nest.null(),
        Inner::Tuplable(value) => write_array(nest, value),
        Inner::Mappable(value) => write_object(nest, value),
        Inner::Structable(value) => match value.definition() {
            StructDef::Static { fields: Fields::Unnamed(1), .. } => {
                // Where there are too many, that is noted.
                let _ = nest.wrapped(|nest| write_only(nest, value));
            }
            StructDef::Static { fields: Fields::Unnamed(0), .. } => nest.null(),
            definition if definition.fields().is_named() => write_object(nest, value),
            _ => write_array(nest, value),
        },
        Inner::Enumerable(value) => write_variant(nest, value),
        _ => nest.null(),
    }
}

/// Writes the elements that a value shows to a visitor.
fn write_array(nest: &mut Nest<'_>, value: &dyn Valuable) {
    if let Some(level) = nest.array() {
        let mut elements = Elements { nest, level };
        value.visit(&mut elements);
        elements.nest.close(&elements.level);
    }
}

/// Writes the members that a value shows to a visitor.
fn write_object(nest: &mut Nest<'_>, value: &dyn Valuable) {
    if let Some(level) = nest.object() {
        let mut members = Members { nest, level };
        value.visit(&mut members);
        members.nest.close(&members.level);
    }
}

/// Writes the only field that a value shows to a visitor, without a trace of what is around it.
fn write_only(nest: &mut Nest<'_>, value: &dyn Valuable) {
    let mut only = Only { nest, done: false };
    value.visit(&mut only);
    if !only.done {
        only.nest.null();
    }
}

fn write_variant(nest: &mut Nest<'_>, value: &dyn Enumerable) {
    let variant = value.variant();
    let fields = match variant {
        valuable::Variant::Static(definition) => definition.fields(),
        valuable::Variant::Dynamic(ref definition) => definition.fields(),
    };
    if let Fields::Unnamed(0) = fields {
        return nest.string(variant.name());
    }
    let Some(mut level) = nest.object() else { return };
    nest.member(&mut level, variant.name(), |nest| match fields {
        Fields::Unnamed(1) => write_only(nest, value),
        fields if fields.is_named() => write_object(nest, value),
        _ => write_array(nest, value),
    });
    nest.close(&level);
}

struct Elements<'n, 'o> {
    nest: &'n mut Nest<'o>,
    level: Level,
}

impl Visit for Elements<'_, '_> {
    fn visit_value(&mut self, value: Inner<'_>) {
        if self.nest.failed() {
            return;
        }
        let element = self.nest.begin(&mut self.level);
        write(self.nest, &value);
        self.nest.end_element(element);
    }

    fn visit_unnamed_fields(&mut self, values: &[Inner<'_>]) {
        values.iter().for_each(|value| self.visit_value(*value));
    }

    fn visit_primitive_slice(&mut self, slice: Slice<'_>) {
        slice.iter().for_each(|value| self.visit_value(value));
    }
}

struct Members<'n, 'o> {
    nest: &'n mut Nest<'o>,
    level: Level,
}

impl Visit for Members<'_, '_> {
    /// Members come through the other methods; anything else has no name.
    fn visit_value(&mut self, _value: Inner<'_>) {}

    fn visit_named_fields(&mut self, fields: &NamedValues<'_>) {
        for (field, value) in fields {
            if self.nest.failed() {
                return;
            }
            let name = field.name();
            // A raw identifier is the name behind its mark.
            let name = name.strip_prefix("r#").unwrap_or(name);
            self.nest.member(&mut self.level, name, |nest| write(nest, value));
        }
    }

    fn visit_entry(&mut self, key: Inner<'_>, value: Inner<'_>) {
        if self.nest.failed() {
            return;
        }
        let mut element = self.nest.begin(&mut self.level);
        write(self.nest, &key);
        self.nest.end_key(&self.level, &mut element);
        write(self.nest, &value);
        self.nest.end_element(element);
    }
}

/// The only field of a variant or a struct.
struct Only<'n, 'o> {
    nest: &'n mut Nest<'o>,
    done: bool,
}

impl Visit for Only<'_, '_> {
    fn visit_value(&mut self, value: Inner<'_>) {
        if !std::mem::replace(&mut self.done, true) {
            write(self.nest, &value);
        }
    }

    fn visit_unnamed_fields(&mut self, values: &[Inner<'_>]) {
        values.iter().for_each(|value| self.visit_value(*value));
    }
}

#[cfg(test)]
mod tests {
    use valuable::{Fields, NamedField, StructDef, Structable};

    use super::*;
    use crate::Severity;
    use crate::json::{Format, Meta, Schema};

    /// A field that is named by a raw identifier.
    struct Raw;

    const RAW: &[NamedField<'static>] = &[NamedField::new("r#type")];

    impl Valuable for Raw {
        fn as_value(&self) -> Inner<'_> {
            Inner::Structable(self)
        }

        fn visit(&self, visit: &mut dyn Visit) {
            visit.visit_named_fields(&NamedValues::new(RAW, &[Inner::U8(1)]));
        }
    }

    impl Structable for Raw {
        fn definition(&self) -> StructDef<'_> {
            StructDef::new_static("Raw", Fields::Named(RAW))
        }
    }

    /// Failed: the mark of the identifier stood in the key, and the field was null.
    #[test]
    fn a_valuable_has_the_names_and_the_nothing_of_other_values() {
        for (schema, end) in
            [(Schema::Default, r#""a":{"type":1},"b":null}"#), (Schema::Tracing, "")]
        {
            let format = Format::builder().schema(schema).build().unwrap();
            let encoded = format.encode(
                &Meta::new(Severity::Info, "shop"),
                |record| {
                    record.field("a").valuable(&Raw);
                    record.field("b").valuable(&None::<u8>);
                },
                |_, line| String::from_utf8(line.to_vec()).unwrap(),
            );
            let line = encoded.unwrap().result;
            assert!(line.contains(r#""a":{"type":1}"#), "{line}");
            assert!(line.trim_end().ends_with(end), "{line}");
            assert_eq!(line.contains(r#""b""#), schema == Schema::Default, "{line}");
        }
    }
}
