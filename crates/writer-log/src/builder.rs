//! Setting up the logger.

use std::env::VarError;
use std::error::Error;
use std::fmt;

use log::LevelFilter;
use writer_core::json::FormatBuilder;
use writer_core::{BuildError, Writer, WriterBuilder, WriterGuard};

use crate::logger::Logger;
use crate::{filter, install};

/// The variable that directives come from where the program gives none.
const DEFAULT_ENV: &str = "RUST_LOG";

/// The directives where the variable has none either.
const DEFAULT: &str = "info";

/// Installs a logger that appends to the file at a path, or to what a prepared
/// [`WriterBuilder`] says, for the whole program. Levels come from `RUST_LOG`, else Info.
///
/// Dropping the guard waits until everything is written, at most 5 seconds; keep it under a name to
/// the end of `main`.
///
/// ```no_run
/// use writer_log::Writer;
///
/// let _guard = writer_log::init(Writer::builder("app.jsonl").batch_size(10))?;
/// log::info!("hello");
/// # Ok::<(), writer_log::InitError>(())
/// ```
///
/// # Errors
///
/// As [`LogBuilder::init`].
pub fn init(writer: impl Into<WriterBuilder>) -> Result<WriterGuard, InitError> {
    builder(writer).init()
}

/// Starts to set up a logger with a writer of its own.
pub fn builder(writer: impl Into<WriterBuilder>) -> LogBuilder {
    LogBuilder {
        writer: writer.into(),
        format: FormatBuilder::default(),
        filter: FilterSource::default(),
    }
}

/// Starts to set up a logger on a writer that exists, for example to share it with another adapter.
/// The writer has a guard of its own.
///
/// ```
/// use writer_log::Writer;
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("app.jsonl");
/// let (writer, _guard) = Writer::builder(path).build()?;
/// writer_log::on(writer.clone()).filter("info").init()?;
/// log::info!("hello");
/// writer.send(r#"{"message":"a line of its own, in the same file"}"#)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn on(writer: Writer) -> LogOn {
    LogOn { writer, format: FormatBuilder::default(), filter: FilterSource::default() }
}

/// Why no logger was installed. What the attempt may leave is said at [`LogBuilder::init`].
#[derive(Debug)]
#[non_exhaustive]
pub enum InitError {
    /// The writer or the format could not be built.
    Build(BuildError),
    /// The filter directives cannot be read.
    Filter {
        /// The directives as given.
        directives: String,
        /// The environment variable that they come from, if they do.
        variable: Option<String>,
        /// What is wrong with them.
        reason: String,
    },
    /// The program has a logger already.
    AlreadyInstalled,
}

impl fmt::Display for InitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InitError::Build(error) => write!(f, "the log writer could not be built: {error}"),
            InitError::Filter { directives, variable: None, reason } => {
                write!(f, "filter {directives:?} cannot be read: {reason}")
            }
            InitError::Filter { directives, variable: Some(variable), reason } => {
                write!(f, "filter {directives:?} in {variable} cannot be read: {reason}")
            }
            InitError::AlreadyInstalled => f.write_str("the program has a logger already"),
        }
    }
}

impl Error for InitError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            // Its own text is part of this one, and would be told twice.
            InitError::Build(error) => error.source(),
            _ => None,
        }
    }
}

impl From<BuildError> for InitError {
    fn from(error: BuildError) -> Self {
        InitError::Build(error)
    }
}

/// Where the directives come from.
#[derive(Debug, Clone)]
enum FilterSource {
    Env(String),
    Given(String),
}

impl Default for FilterSource {
    fn default() -> Self {
        FilterSource::Env(DEFAULT_ENV.to_owned())
    }
}

impl FilterSource {
    fn read(self) -> Result<env_filter::Filter, InitError> {
        let (directives, variable) = match self {
            FilterSource::Given(directives) => (directives, None),
            FilterSource::Env(name) => match std::env::var(&name) {
                Ok(directives) if directives.trim().is_empty() => (DEFAULT.to_owned(), None),
                Ok(directives) => (directives, Some(name)),
                Err(VarError::NotPresent) => (DEFAULT.to_owned(), None),
                Err(VarError::NotUnicode(text)) => {
                    return Err(InitError::Filter {
                        directives: text.to_string_lossy().into_owned(),
                        variable: Some(name),
                        reason: String::from("it is not UTF-8"),
                    });
                }
            },
        };
        filter::parse(&directives).map_err(|reason| InitError::Filter {
            directives,
            variable,
            reason,
        })
    }
}

/// The options that both builders have of their own.
macro_rules! filter_options {
    () => {
        /// Lets pass what these directives say, in the form of `RUST_LOG`: `info,my_crate=debug`.
        /// The environment is not read then.
        ///
        /// What no directive covers does not pass: `my_crate=debug` alone stops everything else. So
        /// does a word that is no level, which is taken for a target: `inof`. A text without
        /// directives lets errors pass. A filter on the text of messages (`info/text`) is an error,
        /// and so are a `[` or `{`, as in filters on spans, and a level as a number (`3`). Of this
        /// method, [`level`](Self::level) and [`filter_env`](Self::filter_env), the last call counts.
        pub fn filter(mut self, directives: impl Into<String>) -> Self {
            self.filter = FilterSource::Given(directives.into());
            self
        }

        /// Reads the directives from this variable, and takes Info where it is not set or blank.
        /// Default: `RUST_LOG`.
        pub fn filter_env(mut self, variable: impl Into<String>) -> Self {
            self.filter = FilterSource::Env(variable.into());
            self
        }

        /// Lets pass everything up to `level`. The environment is not read then.
        pub fn level(self, level: LevelFilter) -> Self {
            self.filter(level.to_string())
        }
    };
}

/// Sets up a logger with a writer of its own; made by [`builder`], ended by [`init`](Self::init) or
/// [`build`](Self::build).
///
/// It has the settings of [`WriterBuilder`], those of [`FormatBuilder`], and the filter.
///
/// A static field stands in every line. With the feature `serde` its value may be any `Serialize`:
///
#[cfg_attr(feature = "serde", doc = "```")]
#[cfg_attr(not(feature = "serde"), doc = "```ignore")]
/// use serde_json::json;
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("app.jsonl");
/// let guard = writer_log::builder(&path)
///     .filter("info")
///     .static_field("service", |value| value.str("shop"))
///     .static_field("host", |value| value.serialize(&json!({"tags": ["a", "b"], "zone": "eu"})))
///     .init()?;
/// log::info!("started");
/// drop(guard);
/// let fields = r#""service":"shop","host":{"tags":["a","b"],"zone":"eu"},"message":"started"}"#;
/// # let text = std::fs::read_to_string(&path)?;
/// assert!(text.trim_end().ends_with(fields), "{text}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "a builder does nothing until `init` or `build` is called"]
pub struct LogBuilder {
    writer: WriterBuilder,
    format: FormatBuilder,
    filter: FilterSource,
}

impl LogBuilder {
    filter_options!();
    writer_core::__writer_options!(writer);
    writer_core::__format_options!(format);

    /// Builds the logger and installs it for the whole program.
    ///
    /// # Errors
    ///
    /// [`InitError::AlreadyInstalled`] if the program has a logger. [`InitError::Filter`] and
    /// [`InitError::Build`] for what cannot work; another attempt may succeed.
    ///
    /// What a failed attempt leaves:
    ///
    /// * If this crate's logger is installed already: everything as it was.
    /// * Else, if [`log::max_level`] is not `Off`, since somebody has set it: the place of the
    ///   program's logger is taken before anything is built. `AlreadyInstalled` then changes
    ///   nothing. After another error the place stays taken, by a logger that lets nothing pass,
    ///   for a later attempt of this crate; no other logger can be installed any more.
    /// * Else the place is taken last. After an error of `Filter` or `Build` any logger can be
    ///   installed. `AlreadyInstalled`, where the other logger has not set the maximum level or has
    ///   set it to `Off`, comes after the file was opened: it may have been made, mended, or
    ///   emptied by [`truncate`](Self::truncate).
    ///
    /// What an error of `Build` may leave of files is said at [`WriterBuilder::build`].
    pub fn init(self) -> Result<WriterGuard, InitError> {
        install::install(|| self.prepare())
    }

    /// Builds the logger without installing it, to put it behind another one, or for tests. Whoever
    /// installs it sets [`log::set_max_level`] to [`Logger::max_level`].
    ///
    /// ```
    /// use log::Log;
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("app.jsonl");
    /// let (logger, guard) = writer_log::builder(&path).filter("debug").build()?;
    /// logger.log(&log::Record::builder().args(format_args!("hello")).build());
    /// drop(guard);
    /// assert!(std::fs::read_to_string(&path)?.contains("hello"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`init`](Self::init), but for the logger of the program.
    pub fn build(self) -> Result<(Logger, WriterGuard), InitError> {
        let (logger, guard) = self.prepare()?;
        logger.mark_losses();
        Ok((logger, guard))
    }

    fn prepare(self) -> Result<(Logger, WriterGuard), InitError> {
        let filter = self.filter.read()?;
        let format = self.format.build()?;
        let (writer, guard) = self.writer.build()?;
        Ok((Logger::new(writer, format, filter), guard))
    }
}

/// Sets up a logger on a writer that exists; made by [`on`], ended by [`init`](Self::init) or
/// [`build`](Self::build).
///
/// It has the settings of [`FormatBuilder`] and the filter.
#[derive(Debug)]
#[must_use = "a builder does nothing until `init` or `build` is called"]
pub struct LogOn {
    writer: Writer,
    format: FormatBuilder,
    filter: FilterSource,
}

impl LogOn {
    filter_options!();
    writer_core::__format_options!(format);

    /// Builds the logger and installs it for the whole program.
    ///
    /// # Errors
    ///
    /// As [`LogBuilder::init`].
    pub fn init(self) -> Result<(), InitError> {
        install::install(|| Ok((self.prepare()?, ())))
    }

    /// Builds the logger without installing it.
    ///
    /// # Errors
    ///
    /// As [`LogBuilder::build`].
    pub fn build(self) -> Result<Logger, InitError> {
        let logger = self.prepare()?;
        logger.mark_losses();
        Ok(logger)
    }

    fn prepare(self) -> Result<Logger, InitError> {
        let filter = self.filter.read()?;
        Ok(Logger::new(self.writer, self.format.build()?, filter))
    }
}
