//! Odd paths: a typed error at once, no thread left behind, nothing damaged or made.

use std::fs;
use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
use std::path::Path;
use std::time::{Duration, Instant};

use writer_core::{BuildError, ShutdownError, State, Strategy, Writer, WriterBuilder};

use crate::Test;
use crate::child::{self, Args, LIMIT};

pub(crate) const TESTS: &[Test] = &[
    ("paths::an_odd_path_is_refused_with_nothing_left_behind", an_odd_path_is_refused),
    ("paths::without_permission_nothing_is_made", without_permission_nothing_is_made),
    ("paths::a_full_device_ends_in_an_error_and_in_time", a_full_device_ends_in_an_error),
    ("paths::what_is_printed_to_closed_streams_is_not_in_the_log", closed_streams_stay_apart),
];

/// A user without rights: nobody.
const NOBODY: u32 = 65_534;

fn an_odd_path_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    child::run("paths", &[("scene", &"odd"), ("path", &folder.path().display())]);
}

fn without_permission_nothing_is_made() {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    child::run("paths", &[("scene", &"rights"), ("path", &folder.path().display())]);
}

fn a_full_device_ends_in_an_error() {
    child::run("paths", &[("scene", &"devices")]);
}

/// Failed: the log was opened under the number of stderr, and a message of a panic was in it.
fn closed_streams_stay_apart() {
    for strategy in child::STRATEGIES {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let args: [(&str, &dyn std::fmt::Display); 3] =
            [("scene", &"streams"), ("strategy", &strategy), ("path", &path.display())];
        child::run("paths", &args);
        assert_eq!(child::whole_lines(&path), ["first", "second"], "{strategy}");
    }
}

pub(crate) fn play(args: &Args) {
    match args.text("scene") {
        "odd" => odd(&args.path()),
        "rights" => rights(&args.path()),
        "devices" => devices(),
        "streams" => streams(args),
        other => panic!("no scene {other}"),
    }
}

/// Waits until this thread is the only one: a worker that was waited for may be on its way out of
/// the system's list for a moment.
#[track_caller]
fn assert_alone() {
    let start = Instant::now();
    while fs::read_dir("/proc/self/task").is_ok_and(|threads| threads.count() > 1) {
        assert!(start.elapsed() < LIMIT, "a thread is left behind");
        std::thread::yield_now();
    }
}

/// Everything below a folder, with the lengths of files.
fn listing(folder: &Path) -> Vec<(std::path::PathBuf, u64)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let metadata = entry.path().symlink_metadata().unwrap();
        found.push((entry.path(), if metadata.is_file() { metadata.len() } else { 0 }));
        if metadata.is_dir() && fs::read_dir(entry.path()).is_ok() {
            found.extend(listing(&entry.path()));
        }
    }
    found.sort();
    found
}

/// The error of a builder that must fail fast, leave no thread, and no trace in `folder`.
#[track_caller]
fn refusal(folder: &Path, builder: WriterBuilder) -> BuildError {
    let before = listing(folder);
    let start = Instant::now();
    let error = builder.build().map(drop).unwrap_err();
    assert!(start.elapsed() < LIMIT, "{:?}", start.elapsed());
    assert_alone();
    assert_eq!(listing(folder), before);
    assert!(!error.to_string().is_empty());
    error
}

fn odd(folder: &Path) {
    let at = |name: &str| folder.join(name);
    fs::create_dir(at("directory")).unwrap();
    fs::write(at("file"), "a line\n").unwrap();
    make_fifo(&at("fifo"));
    symlink(at("no folder/target"), at("link to nowhere")).unwrap();
    symlink(at("target"), at("dangling")).unwrap();
    for strategy in child::STRATEGIES {
        let builder = |path: &Path| Writer::builder(path).strategy(strategy);
        let special = ["directory", "fifo"].map(|name| builder(&at(name)));
        for builder in special {
            assert!(matches!(refusal(folder, builder), BuildError::SpecialFile { .. }));
        }
        let invalid = [
            "".into(),
            at("directory/"),
            at("missing/."),
            at("missing/.."),
            at(&"x".repeat(300)),
            at("with\0nul"),
            at(&"deep/".repeat(2_000)),
        ];
        for path in invalid {
            let error = refusal(folder, builder(&path));
            assert!(matches!(error, BuildError::InvalidPath { .. }), "{error}");
        }
        let io = [
            builder(&at("missing/log")).create_dirs(false),
            builder(&at("link to nowhere")).create_dirs(false),
            builder(&at("file/log")),
        ];
        for builder in io {
            let error = refusal(folder, builder);
            assert!(matches!(error, BuildError::Io { .. }), "{error}");
            assert!(std::error::Error::source(&error).is_some());
        }
        for device in ["/dev/null", "/dev/full"] {
            let error = refusal(folder, builder(device.as_ref()));
            assert!(matches!(error, BuildError::SpecialFile { .. }), "{error}");
        }
        let _ = fs::remove_file(at("target"));
        let (writer, guard) = builder(&at("dangling")).build().unwrap();
        writer.send("a line").unwrap();
        drop(guard);
        assert_eq!(fs::read(at("target")).unwrap(), b"a line\n");
        assert!(at("dangling").is_symlink());
        assert!(fs::metadata(at("fifo")).unwrap().file_type().is_fifo());
    }
    assert_eq!(fs::read(at("file")).unwrap(), b"a line\n");
    assert_alone();
}

fn make_fifo(path: &Path) {
    let path = std::ffi::CString::new(path.to_str().unwrap()).unwrap();
    // SAFETY: `path` is a C string that lives through the call.
    assert_eq!(unsafe { libc::mkfifo(path.as_ptr(), 0o600) }, 0);
}

fn rights(folder: &Path) {
    let at = |name: &str| folder.join(name);
    let restrict = |name: &str, mode| {
        fs::set_permissions(at(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    fs::create_dir(at("readable")).unwrap();
    fs::write(at("readable/file"), "a line\n").unwrap();
    restrict("readable/file", 0o444);
    restrict("readable", 0o555);
    fs::create_dir(at("closed")).unwrap();
    restrict("closed", 0o700);
    // SAFETY: plain calls of the system, in a process with one thread; only root needs them.
    unsafe {
        if libc::geteuid() == 0 {
            assert_eq!(libc::setgid(NOBODY), 0);
            assert_eq!(libc::setuid(NOBODY), 0);
        } else {
            restrict("closed", 0o000);
        }
    }
    for strategy in child::STRATEGIES {
        for name in ["readable/log", "readable/folder/log", "readable/file", "closed/log"] {
            let error = refusal(folder, Writer::builder(at(name)).strategy(strategy));
            let BuildError::Io { source, .. } = &error else { panic!("{error}") };
            assert_eq!(source.kind(), std::io::ErrorKind::PermissionDenied, "{error}");
        }
    }
    assert_eq!(fs::read(at("readable/file")).unwrap(), b"a line\n");
}

fn devices() {
    for strategy in [Strategy::LineBuffered, Strategy::BlockBuffered] {
        let builder = |path| Writer::builder(path).strategy(strategy).allow_special(true);
        let (writer, guard) = builder("/dev/null").build().unwrap();
        assert_eq!(writer.send("a line"), Ok(true));
        guard.shutdown(LIMIT).unwrap();
        assert_eq!(writer.metrics().written, 1);

        let (writer, guard) = builder("/dev/full").on_error(|_| {}).build().unwrap();
        for _ in 0..10 {
            assert_eq!(writer.send("a line"), Ok(true));
        }
        let start = Instant::now();
        assert!(writer.flush(Duration::from_millis(100)).is_err());
        // Once more if the worker was not fast enough to give up, or to fail before the time was
        // over.
        let end = loop {
            match guard.shutdown(Duration::from_millis(100)) {
                Err(ShutdownError::Timeout { .. }) => assert!(start.elapsed() < LIMIT, "hangs"),
                end => break end,
            }
        };
        assert!(matches!(end, Err(ShutdownError::Lost { lines: 10 })), "{end:?}");
        let metrics = writer.metrics();
        assert!(metrics.errors > 0);
        assert_eq!((metrics.lost, metrics.written, metrics.pending), (10, 0, 0));
        assert_ne!(metrics.state, State::Healthy);
        assert_alone();

        let error = builder("/dev/null").strategy(Strategy::MemoryMapped).build().unwrap_err();
        assert!(matches!(error, BuildError::SpecialFile { .. }), "{error}");
    }
}

/// A daemon that has closed its streams and opened nothing in their place.
fn streams(args: &Args) {
    for stream in 0..=2 {
        // SAFETY: nobody uses the streams of this process but by their numbers.
        assert_eq!(unsafe { libc::close(stream) }, 0);
    }
    let path = args.path();
    let (writer, guard) = Writer::builder(&path).strategy(args.parse("strategy")).build().unwrap();
    assert_eq!(writer.send("first"), Ok(true));
    writer.flush(LIMIT).unwrap();
    // A file that was opened anew is none of the streams either.
    fs::rename(&path, path.with_extension("old")).unwrap();
    writer.reopen().unwrap();
    fs::rename(path.with_extension("old"), &path).unwrap();
    writer.reopen().unwrap();
    assert_eq!(writer.send("second"), Ok(true));
    print!("to stdout");
    eprintln!("to stderr");
    drop(guard);
}
