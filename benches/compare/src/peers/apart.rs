//! Libraries that change how `log` carries values, for every logger of the program they are in.
//!
//! So each is built into a program of its own, by a feature: [`BUILT_WITH`]. Both turn on `owned`
//! of `value-bag`, after which copying a value and letting it go is work: docs/benchmarks.md has
//! the figures.

/// The feature that this program was built with, if any; then it runs the cases of that one alone.
pub const BUILT_WITH: Option<&str> = match (cfg!(feature = "spdlog"), cfg!(feature = "emit")) {
    (true, true) => panic!("spdlog and emit need a program each"),
    (true, false) => Some("spdlog"),
    (false, true) => Some("emit"),
    (false, false) => None,
};

/// What a library is in programs without it.
macro_rules! absent {
    ($($case:ident),*) => {
        $(pub fn $case(_folder: &std::path::Path) -> crate::case::Running {
            panic!("built without this library");
        })*
    };
}

#[cfg(not(feature = "spdlog"))]
pub mod spdlog {
    absent!(synchronous, asynchronous);
}

#[cfg(not(feature = "emit"))]
pub mod emit {
    absent!(file);
}

#[cfg(feature = "spdlog")]
pub mod spdlog {
    use std::path::Path;
    use std::sync::Arc;

    use writer_benches::Event;

    use crate::case::Running;
    use crate::peers::FILE;

    fn running(sink: Arc<dyn ::spdlog::sink::Sink>) -> Running {
        let logger = ::spdlog::Logger::builder().sink(sink).build_arc().expect("a logger");
        ::spdlog::set_default_logger(logger);
        let event = |number| {
            let Event { user_id, latency_ms, path, ok } = Event::new(number);
            ::spdlog::info!("request handled", kv: { user_id, latency_ms, path, ok });
        };
        Running::new(event, || ::spdlog::default_logger().flush())
    }

    fn file(folder: &Path) -> Arc<dyn ::spdlog::sink::Sink> {
        ::spdlog::sink::FileSink::builder()
            .path(folder.join(FILE))
            .formatter(::spdlog::formatter::JsonFormatter::new())
            .build_arc()
            .expect("a file")
    }

    pub fn synchronous(folder: &Path) -> Running {
        running(file(folder))
    }

    pub fn asynchronous(folder: &Path) -> Running {
        let sink = ::spdlog::sink::AsyncPoolSink::builder().sink(file(folder));
        running(sink.build_arc().expect("a sink"))
    }
}

#[cfg(feature = "emit")]
pub mod emit {
    use std::path::Path;

    use writer_benches::Event;

    use crate::case::Running;
    use crate::peers::FILE;

    pub fn file(folder: &Path) -> Running {
        let setup = ::emit::setup().emit_to(emit_file::set(folder.join(FILE)).spawn()).init();
        let event = |number| {
            let Event { user_id, latency_ms, path, ok } = Event::new(number);
            ::emit::info!("request handled", user_id, latency_ms, path, ok);
        };
        Running::new(event, move || {
            setup.blocking_flush(std::time::Duration::from_secs(30));
        })
    }
}
