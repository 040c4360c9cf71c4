//! The options of a [`WriterBuilder`](crate::WriterBuilder) once more, for the builders of
//! adapters.

/// Gives a builder that holds a [`WriterBuilder`] in a field all its options as methods of its own.
#[doc(hidden)]
#[macro_export]
macro_rules! __writer_options {
    ($field:ident) => {
        $crate::__writer_options! { @each $field
            /// How bytes reach the file. Default: `BlockBuffered`.
            strategy(strategy: $crate::Strategy),
            /// When the worker writes. Default: `Trigger`.
            mode(mode: $crate::Mode),
            /// What a full queue does with the next line. Default: `Block`.
            queue_policy(policy: $crate::QueuePolicy),
            /// The most lines that wait in the queue. Default: 10 000; 0 = no bound in lines.
            max_queue_size(lines: usize),
            /// The most bytes that wait in the queue. Default: 64 MiB; 0 = no bound in bytes.
            max_queue_bytes(bytes: usize),
            /// How many waiting lines make a write due. Default: 100.
            batch_size(lines: usize),
            /// How long after the last flush waiting lines are due. Default: 100 ms.
            flush_interval(interval: ::std::time::Duration),
            /// Makes time no reason to write.
            no_flush_interval(),
            /// The time between two looks in the mode `Loop`. Default: 10 ms.
            tick(tick: ::std::time::Duration),
            /// From how many bytes on `BlockBuffered` writes while lines wait. Default: 64 KiB.
            block_size(bytes: usize),
            /// The largest step in which `MemoryMapped` reserves space, in bytes. Default: 32 MiB.
            mmap_chunk(bytes: usize),
            /// How long a sender waits for room under `Block`. Default: as long as it takes.
            block_timeout(timeout: ::std::time::Duration),
            /// How long writes may fail before nobody waits any more. Default: 30 s.
            fail_after(time: ::std::time::Duration),
            /// Where lines go while the target has failed. Default: nowhere.
            fallback(sink: impl $crate::Sink + 'static),
            /// The same, opened here and in each forked child.
            fallback_with(
                open: impl Fn() -> ::std::io::Result<Box<dyn $crate::Sink>> + Send + Sync + 'static
            ),
            /// Whether an existing file is emptied. Default: no, lines are appended.
            truncate(truncate: bool),
            /// Whether missing parent folders are made. Default: yes.
            create_dirs(create: bool),
            /// Whether a renamed or deleted file is left for what is at the path. Default: yes.
            follow_path(follow: bool),
            /// The permission bits of a new file, before the umask. Default: `0o640`.
            permissions(mode: u32),
            /// Whether pipes, sockets and devices are accepted. Default: no.
            allow_special(allow: bool),
            /// Whether the end of the process waits for what was accepted. Default: yes, 2 s.
            exit_hook(hook: bool),
            /// Whether a panic waits for what was accepted, at most 500 ms. Default: no.
            panic_hook(hook: bool),
            /// The name of the worker thread. Default: `writer`.
            thread_name(name: impl Into<String>),
            /// Called after a round of writes with the number of lines written.
            on_write(callback: impl Fn(usize) + Send + Sync + 'static),
            /// Called after a round that ended with nothing held back.
            on_flush(callback: impl Fn() + Send + Sync + 'static),
            /// Called when writes begin to fail, and have failed. Default: stderr is told.
            on_error(callback: impl Fn(&$crate::WriteError) + Send + Sync + 'static),
            /// Called when writes succeed again, with the number of lines in the fallback.
            on_recover(callback: impl Fn(u64) + Send + Sync + 'static),
            /// Called with a number of dropped lines. Default: under `Warn` stderr is told.
            on_drop(callback: impl Fn(u64) + Send + Sync + 'static),
            /// Encodes the line that says in the file how many lines were dropped.
            loss_marker(encode: impl Fn(&$crate::Losses, &mut Vec<u8>) + Send + Sync + 'static),
            /// Has no line in the file say how many lines were dropped.
            no_loss_marker(),
            /// Whether lines are written in the thread that logs, without a worker. Default: no.
            synchronous(synchronous: bool),
            /// Lets environment variables with this prefix change the settings. Default: none do.
            env_overrides(prefix: impl Into<String>),
        }
    };
    (@each $field:ident $($(#[$doc:meta])* $name:ident($($arg:ident: $type:ty)?),)+) => {
        $(
            $(#[$doc])*
            ///
            #[doc = concat!("More at [`WriterBuilder::", stringify!($name),
                "`](writer_core::WriterBuilder::", stringify!($name), ").")]
            pub fn $name(mut self $(, $arg: $type)?) -> Self {
                self.$field = self.$field.$name($($arg)?);
                self
            }
        )+
    };
}
