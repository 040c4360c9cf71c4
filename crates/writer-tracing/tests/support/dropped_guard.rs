//! What whoever drops a guard is told, through either adapter. The program that includes this has
//! two tests that log three records in a child and do nothing elsewhere: `the_child_that_drops_it`
//! and `the_child_that_keeps_it`.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Output};

/// Where the child logs to; a process without it is no child.
const FILE: &str = "WRITER_TEST_FILE";

/// Where the child logs to, in a process that is one.
pub(crate) fn path_of_child() -> Option<OsString> {
    std::env::var_os(FILE)
}

/// Runs the test `child` of the program in a process of its own, which logs to `path`.
#[track_caller]
pub(crate) fn run(child: &str, path: &Path) -> Output {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", child, "--nocapture"])
        .env(FILE, path)
        .env_remove("RUST_LOG")
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    output
}

#[test]
fn whoever_drops_the_guard_at_once_is_told_once_how_to_keep_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.jsonl");
    let output = run("the_child_that_drops_it", &path);
    let said = String::from_utf8(output.stderr).unwrap();
    let notices: Vec<_> =
        said.lines().filter(|line| line.contains("after the writer was shut down")).collect();
    let [notice] = notices[..] else { panic!("{said}") };
    assert!(notice.contains("`let _guard = init(..)`, not `let _ = init(..)`"), "{notice}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "");
}

#[test]
fn whoever_keeps_it_is_told_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.jsonl");
    let output = run("the_child_that_keeps_it", &path);
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 3);
}
