//! Programs of the system that do what a test cannot do by itself.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::row::Skip;

/// Runs a tool to its end.
///
/// # Errors
///
/// It is not installed, or it failed.
pub fn run_tool<'a>(
    tool: &str,
    words: impl IntoIterator<Item = &'a str>,
    path: Option<&Path>,
) -> Result<(), Skip> {
    let mut command = Command::new(tool);
    let output = command.args(words).args(path).stdin(Stdio::null()).output();
    let output = output.map_err(|error| Skip(format!("{tool}: {error}")))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().replace('\n', " ");
    Err(Skip(format!("{tool}: {} {said}", output.status)))
}

/// A tracer that changes the answers of system calls on one file.
#[derive(Debug)]
pub struct Strace;

impl Strace {
    /// The words in front of a command, so that its calls on `path` meet with `faults`, each as
    /// after `-e inject=`.
    ///
    /// # Errors
    ///
    /// The tool is missing, or this process may not trace.
    pub fn on(path: &Path, faults: &[&str]) -> Result<Vec<OsString>, Skip> {
        Strace::on_logged(path, faults, Path::new("/dev/null"))
    }

    /// As [`on`](Self::on); writes every call to `log`, with the word `INJECTED` where it met a
    /// fault.
    ///
    /// # Errors
    ///
    /// As [`on`](Self::on).
    pub fn on_logged(path: &Path, faults: &[&str], log: &Path) -> Result<Vec<OsString>, Skip> {
        run_tool("strace", ["-f", "-o", "/dev/null", "true"], None)?;
        let calls: Vec<_> =
            faults.iter().filter_map(|fault| Some(fault.split_once(':')?.0)).collect();
        let trace = format!("trace={}", calls.join(","));
        let mut words: Vec<OsString> = ["strace", "-f", "-qq", "-o"].map(Into::into).into();
        words.extend([log.into(), "-P".into(), path.into(), "-e".into(), trace.into()]);
        for fault in faults {
            words.extend(["-e".into(), format!("inject={fault}").into()]);
        }
        Ok(words)
    }
}

/// A clock of the wall that says what a file says; the time that deadlines are measured in goes on.
/// It stands between a program and the C library: what asks the kernel itself, as the encoder does
/// for its timestamps, sees the right time.
#[derive(Debug)]
pub struct FakeClock {
    folder: TempDir,
    library: OsString,
}

impl FakeClock {
    /// A clock that is right so far.
    ///
    /// # Errors
    ///
    /// The program `faketime` is missing.
    pub fn new() -> Result<FakeClock, Skip> {
        let output = Command::new("faketime").args(["-f", "+0", "env"]).output();
        let output = output.map_err(|error| Skip(format!("faketime: {error}")))?;
        let text = String::from_utf8_lossy(&output.stdout);
        let library = text.lines().find_map(|line| line.strip_prefix("LD_PRELOAD="));
        let library = library.ok_or_else(|| Skip("faketime names no library".into()))?.into();
        let folder = tempfile::tempdir().map_err(|error| Skip(error.to_string()))?;
        let clock = FakeClock { folder, library };
        clock.set("+0")?;
        Ok(clock)
    }

    /// Sets it: `+3600` or `-3600` seconds from the right time, or `@1970-01-01 00:00:01`.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub fn set(&self, time: &str) -> Result<(), Skip> {
        // Never half a time: each call of the program reads the file.
        let (new, file) = (self.folder.path().join("new"), self.file());
        let written = std::fs::write(&new, time).and_then(|()| std::fs::rename(&new, file));
        written.map_err(|error| Skip(error.to_string()))
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("time")
    }

    /// The variables of a program that goes by it.
    pub fn variables(&self) -> [(&'static str, OsString); 5] {
        [
            ("LD_PRELOAD", self.library.clone()),
            ("FAKETIME_TIMESTAMP_FILE", self.file().into()),
            ("FAKETIME_NO_CACHE", "1".into()),
            ("DONT_FAKE_MONOTONIC", "1".into()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".into()),
        ]
    }
}

/// A small library that stands between a program and the C library.
#[derive(Debug)]
pub struct Preload {
    folder: TempDir,
}

impl Preload {
    /// Compiles `source`, in C.
    ///
    /// # Errors
    ///
    /// There is no compiler.
    pub fn compile(source: &str) -> Result<Preload, Skip> {
        let folder = tempfile::tempdir().map_err(|error| Skip(error.to_string()))?;
        let file = folder.path().join("shim.c");
        std::fs::write(&file, source).map_err(|error| Skip(error.to_string()))?;
        let library = folder.path().join("shim.so");
        let library = library.to_string_lossy();
        run_tool("cc", ["-shared", "-fPIC", "-O1", "-o", &library, "-ldl"], Some(&file))?;
        Ok(Preload { folder })
    }

    /// The value of `LD_PRELOAD`.
    pub fn library(&self) -> PathBuf {
        self.folder.path().join("shim.so")
    }
}
