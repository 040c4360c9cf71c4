//! The options of a format as methods of the adapters' builders.

/// Gives a builder that holds a [`FormatBuilder`](super::FormatBuilder) in a field its options as
/// methods of its own.
#[doc(hidden)]
#[macro_export]
macro_rules! __format_options {
    ($field:ident) => {
        $crate::__format_options! { @each $field
            /// Which members a line has, in which order, under which keys. Default: `Schema::Default`.
            schema(schema: $crate::json::Schema),
            /// Shows a part of the metadata. Default: the schema's.
            show(part: $crate::json::Part),
            /// Leaves a part of the metadata out.
            hide(part: $crate::json::Part),
            /// Whether the innermost span stands in the line again. Default: the schema's, mostly no.
            span(span: bool),
            /// Gives a part of the metadata another key.
            rename(part: $crate::json::Part, key: &str),
            /// How timestamps are written. Default: the schema's, mostly RFC 3339 in UTC.
            time_style(style: $crate::json::TimeStyle),
            /// How many decimals of a second timestamps show. Default: six.
            precision(precision: $crate::json::Precision),
            /// Which clock gives records their time. Default: `Counted`.
            time_source(source: $crate::json::TimeSource),
            /// Puts the fields into an object of their own. Default: the schema's, mostly none.
            nest_fields(key: &str),
            /// Puts the fields of the spans among those of the record.
            flatten_spans(),
            /// Adds a member that every line has.
            static_field(key: &str, value: impl FnOnce($crate::json::Value<'_>)),
            /// Gives the severities other names, least severe first.
            level_names(names: [&str; 5]),
            /// Writes the severities as numbers, least severe first.
            level_numbers(numbers: [i64; 5]),
            /// Puts module, file and line into an object of their own. Default: the schema's.
            group_source(key: &str),
            /// How floats that are not finite are written. Default: the schema's, mostly strings.
            non_finite(style: $crate::json::NonFinite),
            /// Writes `[redacted]` in the place of values with these keys. Default: none.
            redact(keys: impl IntoIterator<Item = impl AsRef<str>>),
            /// Adds the usual names of secrets to those that are redacted.
            redact_defaults(),
            /// How integers beyond 64 bits are written. Default: as strings.
            wide_integers(style: $crate::json::WideIntegers),
            /// How the ids of tasks look. Default: short ones.
            task_ids(ids: $crate::json::TaskIds),
            /// A text before the id of the trace, for Google Cloud. Default: none.
            trace_prefix(prefix: &str),
            /// The most bytes of a line, beyond which it is cut. Default: 1 MiB.
            max_record_bytes(bytes: usize),
            /// Whether each line has a number, and the run of this format a name. Default: no.
            sequence(sequence: bool),
        }
    };
    (@each $field:ident $($(#[$doc:meta])* $name:ident($($arg:ident: $type:ty),*),)+) => {
        $(
            $(#[$doc])*
            ///
            #[doc = concat!("More at [`FormatBuilder::", stringify!($name),
                "`](writer_core::json::FormatBuilder::", stringify!($name), ").")]
            pub fn $name(mut self, $($arg: $type),*) -> Self {
                self.$field = self.$field.$name($($arg),*);
                self
            }
        )+
    };
}
