//! The options of a format as methods of the adapters' builders.

/// Gives a builder that holds a [`FormatBuilder`](super::FormatBuilder) in a field its options as
/// methods of its own.
#[doc(hidden)]
#[macro_export]
macro_rules! __format_options {
    ($field:ident) => {
        $crate::__format_options! { @each $field
            schema(schema: $crate::json::Schema),
            show(part: $crate::json::Part),
            hide(part: $crate::json::Part),
            span(span: bool),
            rename(part: $crate::json::Part, key: &str),
            time_style(style: $crate::json::TimeStyle),
            precision(precision: $crate::json::Precision),
            time_source(source: $crate::json::TimeSource),
            nest_fields(key: &str),
            flatten_spans(),
            static_field(key: &str, value: impl FnOnce($crate::json::Value<'_>)),
            level_names(names: [&str; 5]),
            level_numbers(numbers: [i64; 5]),
            group_source(key: &str),
            non_finite(style: $crate::json::NonFinite),
            redact(keys: impl IntoIterator<Item = impl Into<Box<str>>>),
            redact_defaults(),
            wide_integers(style: $crate::json::WideIntegers),
            task_ids(ids: $crate::json::TaskIds),
            trace_prefix(prefix: &str),
            max_record_bytes(bytes: usize),
            sequence(sequence: bool),
        }
    };
    (@each $field:ident $($name:ident($($arg:ident: $type:ty),*),)+) => {
        $(
            #[doc = concat!("As [`FormatBuilder::", stringify!($name),
                "`](writer_core::json::FormatBuilder::", stringify!($name), ").")]
            pub fn $name(mut self, $($arg: $type),*) -> Self {
                self.$field = self.$field.$name($($arg),*);
                self
            }
        )+
    };
}
