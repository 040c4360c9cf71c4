//! The program as a user starts it.
#![allow(missing_docs, clippy::unwrap_used)]

mod tail;
mod verify;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use writer_core::json::{Format, FormatBuilder, Meta, Schema, SpanList};
use writer_core::{QueuePolicy, Severity, Writer};

fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_writer"));
    command.args(arguments).env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE");
    command
}

fn run(arguments: &[&str]) -> (i32, String) {
    let output: Output = program(arguments).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap() + &String::from_utf8_lossy(&output.stderr);
    (output.status.code().unwrap(), text)
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Folder {
        Folder(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        fs::write(self.path(name), bytes).unwrap();
        self.path(name).to_str().unwrap().to_owned()
    }
}

fn encode(format: &Format, severity: Severity, target: &str, text: &str) -> Vec<u8> {
    let mut line = Vec::new();
    let mut spans = SpanList::new();
    let mut span = format.span("request");
    span.record(0, "id").u64(7);
    spans.push(&span);
    format.encode(
        &Meta::new(severity, target),
        |record| {
            record.message().str(text);
            record.field("user").str("jo");
            record.field("n").u64(42);
            record.span_list(&spans);
        },
        |_, encoded| line.extend_from_slice(encoded),
    );
    line
}

/// A file in which the queue policy dropped lines: a writer whose sink waits for the last sender.
fn lossy(path: &Path, format: FormatBuilder) -> u64 {
    let format = format.build().unwrap();
    let marker = format.clone();
    let (writer, guard) = Writer::builder(path)
        .mode(writer_core::Mode::Manual)
        .queue_policy(QueuePolicy::DropNewest)
        .max_queue_size(5)
        .loss_marker(move |losses, line| {
            marker.encode_losses(losses, |_, encoded| line.extend_from_slice(encoded));
        })
        .build()
        .unwrap();
    let send = |text: &str| {
        let line = encode(&format, Severity::Error, "shop", text);
        writer.send_with(Severity::Error, line).unwrap()
    };
    let taken = (0..12).filter(|_| send("first")).count();
    assert_eq!(taken, 5);
    writer.flush(Duration::from_secs(10)).unwrap();
    assert!(send("last"));
    drop(guard);
    writer.metrics().dropped
}

#[test]
fn hostile_files_are_read_to_their_end() {
    let folder = Folder::new();
    let junk: Vec<u8> = (0..200_000u32).map(|n| (n.wrapping_mul(n) >> 7) as u8).collect();
    let long = format!("{{\"a\":\"{}\"}}\r\n", "x".repeat(3 << 20));
    for (name, bytes, code) in [
        ("empty", Vec::new(), 0),
        ("junk", junk, 1),
        ("long", long.into_bytes(), 0),
        ("crlf", b"{}\r\n{}\r\n".to_vec(), 0),
        ("nuls", vec![0; 100_000], 1),
        ("inside", b"{}\n\0\0\0{}\n".to_vec(), 1),
        ("deep", [vec![b'['; 1 << 20], vec![b'\n']].concat(), 1),
        ("newline", b"\n".to_vec(), 1),
    ] {
        let file = folder.file(name, bytes);
        assert_eq!(run(&["verify", &file]).0, code, "{name}");
        assert_eq!(run(&["stats", &file]).0, 0, "{name}");
        assert_eq!(run(&["tail", "--all", &file]).0, 0, "{name}");
    }
    let (_, text) = run(&["tail", &folder.file("behind", b"first\n\0\0\0second\n\0\0")]);
    assert_eq!(text, "first\nsecond\n");
    let mapped = folder.file("mapped", b"{}\n\0\0\0\0");
    assert_eq!((run(&["verify", &mapped]).0, run(&["verify", "--live", &mapped]).0), (1, 0));
}

/// What the program says when this is its standard input.
fn fed(arguments: &[&str], input: &str) -> (i32, String) {
    let mut command = program(arguments);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut pipe = child.stdin.take().unwrap();
    pipe.write_all(input.as_bytes()).unwrap();
    drop(pipe);
    let output = child.wait_with_output().unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn standard_input_is_read_to_its_end() {
    let lines = "{\"message\":\"x\"}\n".repeat(30);
    assert_eq!(fed(&["tail", "-"], &lines), (0, "x\n".repeat(30)));
    #[cfg(unix)]
    assert_eq!(fed(&["tail", "/dev/stdin"], &lines), (0, "x\n".repeat(30)), "as any pipe");
    let folder = Folder::new();
    let file = folder.file("app", "{}\n");
    let (code, text) = fed(&["verify", "-", &file], &lines);
    assert_eq!((code, &*text), (0, "31 lines, 483 bytes in 2 file(s)\nok\n"));
    let (code, text) = fed(&["stats", "-"], &lines);
    assert!(code == 0 && text.starts_with("30 lines, 480 bytes\n"), "{text}");
    assert_eq!(fed(&["verify", "-"], "{").0, 1);
}

#[test]
fn compressed_files_are_refused_and_short_ones_are_not_taken_for_some() {
    let folder = Folder::new();
    for (bytes, reader) in [
        (&b"\x1f\x8b\x08\0\0\0\0\0"[..], "zcat"),
        (b"\x28\xb5\x2f\xfd\0", "zstdcat"),
        (b"\xfd7zXZ\0\0", "xzcat"),
        (b"BZh91AY", "bzcat"),
        (b"\x04\x22\x4d\x18\x64", "lz4cat"),
    ] {
        let file = folder.file("app.packed", bytes);
        for command in ["verify", "stats", "tail"] {
            let (code, text) = run(&[command, &file]);
            assert!(code == 2 && text.contains("app.packed") && text.contains(reader), "{text}");
        }
    }
    for text in ["", "B", "{}", "{}\n"] {
        let file = folder.file("short", text);
        for command in [&["stats"][..], &["tail"], &["tail", "--all"], &["verify", "--live"]] {
            let (code, said) = run(&[command, &[&*file]].concat());
            assert_eq!(code, 0, "{command:?} {text:?}: {said}");
        }
    }
}

/// A terminal obeyed what stood in a name.
#[test]
fn the_name_of_a_file_cannot_reach_the_terminal_as_a_command() {
    for command in ["verify", "stats", "tail"] {
        let (code, text) = run(&[command, "no\u{1b}[31mfile"]);
        assert!(code == 2 && text.contains("no\\u{1b}[31mfile: "), "{text}");
    }
    let (_, text) = run(&["verify", "--\u{1b}[31m"]);
    assert!(text.contains("\\u{1b}[31m"), "{text}");
}

#[test]
#[cfg(unix)]
fn a_folder_is_named_as_what_cannot_be_read() {
    let folder = Folder::new();
    let path = folder.path("").to_str().unwrap().to_owned();
    for arguments in [&["verify"][..], &["stats"], &["tail"], &["tail", "--all"], &["tail", "-f"]] {
        let (code, text) = run(&[arguments, &[&*path]].concat());
        assert!(code == 2 && text.starts_with(&format!("writer: {path}: ")), "{text}");
    }
}

#[test]
fn stats_counts_levels_targets_and_losses_and_plots_the_rate() {
    for &schema in Schema::ALL {
        let folder = Folder::new();
        let path = folder.path("app.jsonl");
        lossy(&path, Format::builder().schema(schema));
        let (code, text) = run(&["stats", path.to_str().unwrap()]);
        assert_eq!(code, 0);
        for part in [
            "7 lines, ",
            "1 loss markers",
            "7 lines dropped",
            " 6 ERROR",
            " 1 WARN",
            " 6 shop",
            "█",
        ] {
            assert!(text.contains(part), "{schema:?}: {part}: {text}");
        }
    }
    let folder = Folder::new();
    let behind = folder.file("behind", "{\"level\":\"INFO\"}\n\0\0{\"level\":\"WARN\"}\n\0\0");
    let (_, text) = run(&["stats", &behind]);
    assert!(text.starts_with("2 lines") && !text.contains("no JSON"), "as verify: {text}");
    let line = |second: u32, target: &str| {
        format!("{{\"timestamp\":\"2026-11-23T08:15:0{second}.5Z\",\"target\":\"{target}\"}}\n")
    };
    let lines = [line(3, "few"), line(7, "many"), line(2, "many"), line(4, "many")].concat();
    let (_, text) = run(&["stats", &folder.file("order", lines)]);
    for part in [
        "from 2026-11-23T08:15:02.500000Z to 2026-11-23T08:15:07.500000Z, 5.000 s\n",
        "           3 many\n           1 few\n",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let file = folder.file("app", "no json\n{\"level\":\"INFO\",\"target\":\"\\u001b[2J\"}\n");
    let (_, text) = run(&["stats", &file]);
    assert!(text.contains("1 lines that are no JSON") && text.contains("\\u{1b}[2J"), "{text}");
    let (_, text) = run(&["stats", "--json", &file]);
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (&json["lines"], &json["levels"]["INFO"], &json["first"]),
        (&2.into(), &1.into(), &().into())
    );
}

/// A terminal obeyed what stood in a target, and 20 000 of 10 KB each took 100 MB.
#[test]
fn targets_reach_the_terminal_as_text_and_the_memory_by_their_beginning() {
    let folder = Folder::new();
    let (evil, long) = ("\u{9b}31m\u{202e}", "é".repeat(1000));
    let line = |target: &str| format!("{{\"target\":\"{target}\"}}\n");
    let file = folder.file("app", [line(evil), line(&long)].concat());
    let (_, text) = run(&["stats", "--json", &file]);
    assert!(text.contains(r"\u009b31m\u202e") && !text.contains('\u{202e}'), "{text}");
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["targets"], serde_json::json!({evil: 1, "é".repeat(128): 1}));
}
