//! What the operator can change: each case in a process of its own with an environment of its own.
#![allow(missing_docs, clippy::unwrap_used)]

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use writer_log::InitError;

/// Where the child logs to; a process without it is no child.
const FILE: &str = "WRITER_LOG_TEST_FILE";

/// Where directives come from, in place of `RUST_LOG`, if it is set.
const OTHER: &str = "WRITER_LOG_TEST_LEVELS";

fn child(file: &Path, variables: &[(&str, &OsStr)]) -> Output {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "the_child", "--nocapture"]);
    for name in ["RUST_LOG", OTHER, "WRITER_ASYNC", "WRITER_TYPE", "WRITER_MODE"] {
        command.env_remove(name);
    }
    command.env(FILE, file).envs(variables.iter().copied()).output().unwrap()
}

/// The program of all cases: three records, and on stdout how many were there after the second.
#[test]
fn the_child() {
    let Some(file) = std::env::var_os(FILE) else { return };
    let mut builder = writer_log::builder(&*file).env_overrides("WRITER");
    if std::env::var_os(OTHER).is_some() {
        builder = builder.filter("off").filter_env(OTHER);
    }
    let guard = match builder.init() {
        Ok(guard) => guard,
        Err(error) => {
            let kind = matches!(error, InitError::Filter { .. });
            print(format_args!("filter={kind}: {error}"));
            return;
        }
    };
    log::info!(n = 1; "first");
    log::error!(n = 2, text = "a\"b"; "second {}", 2);
    let there = std::fs::read_to_string(&file).unwrap().lines().count();
    log::debug!("third");
    let config = guard.writer().config().clone();
    print(format_args!(
        "there={there} strategy={} mode={} max={}",
        config.strategy,
        config.mode,
        log::max_level()
    ));
}

#[allow(clippy::disallowed_macros)]
fn print(text: std::fmt::Arguments<'_>) {
    println!("{text}");
}

/// What the child said, and its lines without their timestamps.
fn run(variables: &[(&str, &str)]) -> (String, Vec<Value>) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("app.jsonl");
    let variables: Vec<_> = variables.iter().map(|(k, v)| (*k, OsStr::new(*v))).collect();
    let output = child(&file, &variables);
    assert!(output.status.success(), "{output:?}");
    let text = std::fs::read_to_string(&file).unwrap_or_default();
    let lines = text.lines().map(|line| {
        let mut line: Value = serde_json::from_str(line).unwrap();
        line.as_object_mut().unwrap().remove("timestamp").unwrap();
        line
    });
    (String::from_utf8(output.stdout).unwrap(), lines.collect())
}

#[test]
fn without_a_thread_the_same_lines_are_there_when_the_macro_returns() {
    let (_, asynchronous) = run(&[]);
    let (said, synchronous) = run(&[("WRITER_ASYNC", "0")]);
    assert!(said.contains("there=2"), "{said}");
    assert_eq!(synchronous.len(), 2);
    assert_eq!(synchronous, asynchronous);
}

#[test]
fn strategy_and_mode_can_be_set() {
    let (said, lines) = run(&[("WRITER_TYPE", "line"), ("WRITER_MODE", "manual")]);
    assert!(said.contains("there=0 strategy=line mode=manual"), "{said}");
    assert_eq!(lines.len(), 2);
}

#[test]
fn a_bad_setting_is_an_error_that_names_the_variable() {
    let (said, lines) = run(&[("WRITER_MODE", "sometimes")]);
    assert!(said.contains("filter=false") && said.contains("WRITER_MODE"), "{said}");
    assert!(lines.is_empty());
}

#[test]
fn levels_come_from_rust_log_else_info() {
    for (value, max, count) in [
        (None, "INFO", 2),
        (Some(""), "INFO", 2),
        (Some(" "), "INFO", 2),
        (Some("error"), "ERROR", 1),
        (Some("environment=debug"), "DEBUG", 3),
        (Some("elsewhere=trace"), "TRACE", 0),
        (Some("off"), "OFF", 0),
    ] {
        let variables: Vec<_> = value.map(|value| ("RUST_LOG", value)).into_iter().collect();
        let (said, lines) = run(&variables);
        assert!(said.contains(&format!("max={max}")), "{value:?}: {said}");
        assert_eq!(lines.len(), count, "{value:?}");
    }
}

#[test]
fn levels_may_come_from_a_variable_of_another_name() {
    for (value, max, count) in [("debug", "DEBUG", 3), ("", "INFO", 2), ("error", "ERROR", 1)] {
        let (said, lines) = run(&[("RUST_LOG", "trace"), (OTHER, value)]);
        assert!(said.contains(&format!("max={max}")), "{value:?}: {said}");
        assert_eq!(lines.len(), count, "{value:?}");
    }
    let (said, _) = run(&[(OTHER, "a=b=c")]);
    assert!(said.contains("filter=true") && said.contains(OTHER), "{said}");
}

#[test]
fn directives_that_cannot_be_read_are_an_error_that_names_the_variable() {
    let (said, lines) = run(&[("RUST_LOG", "a=b=c")]);
    assert!(said.contains("filter=true") && said.contains("RUST_LOG"), "{said}");
    assert!(lines.is_empty());
}

#[cfg(unix)]
#[test]
fn directives_that_are_no_text_are_an_error_too() {
    use std::os::unix::ffi::OsStrExt;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("app.jsonl");
    let output = child(&file, &[("RUST_LOG", OsStr::from_bytes(b"\xff"))]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("filter=true") && said.contains("RUST_LOG"), "{said}");
    assert!(!file.exists());
}
