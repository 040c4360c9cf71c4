//! The options of a [`WriterBuilder`](crate::WriterBuilder) once more, for the builders of
//! adapters.

/// Gives a builder that holds a [`WriterBuilder`] in a field all its options as methods of its own.
#[doc(hidden)]
#[macro_export]
macro_rules! __writer_options {
    ($field:ident) => {
        $crate::__writer_options! { @each $field
            strategy(strategy: $crate::Strategy),
            mode(mode: $crate::Mode),
            queue_policy(policy: $crate::QueuePolicy),
            max_queue_size(lines: usize),
            max_queue_bytes(bytes: usize),
            batch_size(lines: usize),
            flush_interval(interval: ::std::time::Duration),
            no_flush_interval(),
            tick(tick: ::std::time::Duration),
            block_size(bytes: usize),
            mmap_chunk(bytes: usize),
            block_timeout(timeout: ::std::time::Duration),
            fail_after(time: ::std::time::Duration),
            fallback(sink: impl $crate::Sink + 'static),
            fallback_with(
                open: impl Fn() -> ::std::io::Result<Box<dyn $crate::Sink>> + Send + Sync + 'static
            ),
            truncate(truncate: bool),
            create_dirs(create: bool),
            follow_path(follow: bool),
            permissions(mode: u32),
            allow_special(allow: bool),
            exit_hook(hook: bool),
            panic_hook(hook: bool),
            thread_name(name: impl Into<String>),
            on_write(callback: impl Fn(usize) + Send + Sync + 'static),
            on_flush(callback: impl Fn() + Send + Sync + 'static),
            on_error(callback: impl Fn(&$crate::WriteError) + Send + Sync + 'static),
            on_recover(callback: impl Fn(u64) + Send + Sync + 'static),
            on_drop(callback: impl Fn(u64) + Send + Sync + 'static),
            loss_marker(encode: impl Fn(&$crate::Losses, &mut Vec<u8>) + Send + Sync + 'static),
            no_loss_marker(),
            synchronous(synchronous: bool),
            env_overrides(prefix: impl Into<String>),
        }
    };
    (@each $field:ident $($name:ident($($arg:ident: $type:ty)?),)+) => {
        $(
            #[doc = concat!("As [`WriterBuilder::", stringify!($name),
                "`](writer_core::WriterBuilder::", stringify!($name), ").")]
            pub fn $name(mut self $(, $arg: $type)?) -> Self {
                self.$field = self.$field.$name($($arg)?);
                self
            }
        )+
    };
}
