//! The program as a user starts it.
#![allow(missing_docs, clippy::unwrap_used)]

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use writer_core::json::{Format, Meta, Schema, SpanList};
use writer_core::{QueuePolicy, Severity, Writer};

const SCHEMAS: [Schema; 7] = [
    Schema::Default,
    Schema::Tracing,
    Schema::Ecs,
    Schema::Otel,
    Schema::Gcp,
    Schema::Bunyan,
    Schema::Logxpy,
];

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
fn lossy(path: &Path, schema: Schema) -> u64 {
    let format = Format::builder().schema(schema).sequence(true).build().unwrap();
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
fn verify_says_yes_to_whole_files_and_where_others_are_broken() {
    let folder = Folder::new();
    let whole = folder.file("whole", "{\"a\":1}\n{\"b\":2}\n");
    assert_eq!(run(&["verify", &whole]), (0, "2 lines, 16 bytes in 1 file(s)\nok\n".into()));
    let broken = folder.file("broken", "{\"a\":1}\n{\"a\":\n{\"a\":1,\"a\":2}\nno\n{}");
    let (code, text) = run(&["verify", &whole, &broken]);
    assert_eq!(code, 1);
    for part in [
        "broken: 3 lines, 1 of them torn",
        "broken:2: the line ends in the middle",
        "broken:3: the key \"a\" stands twice",
        "broken:4: no JSON from byte 1 on",
        "1 unfinished last line",
        "not ok",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let (code, text) = run(&["verify", folder.path("nowhere").to_str().unwrap()]);
    assert!(code == 2 && text.contains("nowhere"), "{text}");
    assert_eq!(run(&["verify"]).0, 2);
    assert_eq!(run(&["frobnicate"]).0, 2);
    assert_eq!(run(&["--help"]).0, 0);
}

#[test]
fn verify_finds_every_line_that_a_writer_dropped_in_every_schema() {
    for schema in SCHEMAS {
        let folder = Folder::new();
        let path = folder.path("app.jsonl");
        assert_eq!(lossy(&path, schema), 7);
        let (code, text) = run(&["verify", path.to_str().unwrap()]);
        assert_eq!(code, 1, "{schema:?}: {text}");
        assert!(text.contains("dropped: 7 lines, say 1 marker(s): 7 ERROR"), "{schema:?}: {text}");
        assert!(text.contains("7 missing") && text.contains("6 to 12 are missing"), "{text}");
        assert_eq!(run(&["verify", "--allow-declared", path.to_str().unwrap()]).0, 0);
        let (_, text) = run(&["verify", "--json", path.to_str().unwrap()]);
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            (&json["ok"], &json["missing"], &json["dropped"]),
            (&false.into(), &7.into(), &7.into())
        );
        assert_eq!(json["runs"][0]["gaps"][0]["line"], 6);
    }
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

#[test]
fn verify_says_where_nuls_stand_in_the_middle_and_that_some_stand_behind() {
    let folder = Folder::new();
    let bytes = [&b"{\"a\":1}\n{\"b"[..], &[0; 4096], b"2}\n{\"c\":3}\n", &[0; 100]].concat();
    let file = folder.file("crashed", bytes);
    let (code, text) = run(&["verify", &file]);
    assert_eq!(code, 1);
    for part in [
        "broken: 1 lines",
        &format!("4096 NUL bytes in the middle, the first at {file}:2\n"),
        "100 NUL bytes at the end",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let (_, text) = run(&["verify", "--json", &file]);
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&json["nul_bytes"], &json["nul_tail"]), (&4096.into(), &100.into()));
    assert_eq!(json["first_nul_bytes"]["line"], 2);
    assert_eq!(run(&["verify", "--live", &file]).0, 1, "no writer at work leaves such a hole");
}

#[test]
fn tail_shows_lines_of_every_schema_alike() {
    for schema in SCHEMAS {
        let folder = Folder::new();
        let format = Format::builder().schema(schema).build().unwrap();
        let file =
            folder.file("app", encode(&format, Severity::Warn, "shop::orders", "slow answer"));
        let (code, text) = run(&["tail", &file]);
        assert_eq!(code, 0);
        assert!(text.starts_with("20"), "{schema:?}: {text}");
        assert!(text.contains("WARN shop::orders: slow answer"), "{schema:?}: {text}");
        assert!(text.contains("user=jo n=42"), "{schema:?}: {text}");
        assert!(!text.contains('\u{1b}'), "no colour where nobody sees it: {text}");
        if schema != Schema::Logxpy {
            assert!(text.ends_with(" in request{id=7}\n"), "{schema:?}: {text}");
        }
    }
}

#[test]
fn tail_shows_the_last_lines_and_filters() {
    let folder = Folder::new();
    let format = Format::default();
    let mut bytes = Vec::new();
    for (severity, target, text) in [
        (Severity::Info, "shop", "one"),
        (Severity::Error, "shop::orders", "two"),
        (Severity::Debug, "shopping", "three"),
    ] {
        bytes.extend(encode(&format, severity, target, text));
    }
    bytes.extend(b"thread 'main' panicked\x1b[31m\n");
    let file = folder.file("app", &bytes);
    let shown = |arguments: &[&str]| -> Vec<String> {
        let (code, text) = run(&[&["tail", "--color=never"], arguments, &[&file]].concat());
        assert_eq!(code, 0, "{text}");
        let words = ["one", "two", "three", "panicked"];
        words.iter().filter(|word| text.contains(**word)).map(|word| (*word).into()).collect()
    };
    assert_eq!(shown(&[]), ["one", "two", "three", "panicked"]);
    assert_eq!(shown(&["-n2"]), ["three", "panicked"]);
    assert_eq!(shown(&["-n", "0"]), Vec::<String>::new());
    assert_eq!(shown(&["--level", "info"]), ["one", "two"]);
    assert_eq!(shown(&["--target", "shop"]), ["one", "two"]);
    assert_eq!(shown(&["-t", "shop::orders", "-t", "shopping"]), ["two", "three"]);
    assert_eq!(shown(&["--level", "debug", "-n", "1"]), ["three"]);
    assert_eq!(shown(&["--field", "user=jo", "--field", "n=42"]), ["one", "two", "three"]);
    assert_eq!(shown(&["--field", "id=7", "-l", "error"]), ["two"], "fields of spans count");
    assert_eq!(shown(&["--field", "n=43"]), Vec::<String>::new());
    let (_, text) = run(&["tail", "--all", &file]);
    assert!(text.contains("panicked\\u{1b}[31m"), "{text}");
    let (_, text) = run(&["tail", "--color=always", &file]);
    assert!(text.contains("\u{1b}["), "{text}");
    let output = program(&["tail", &file]).env("NO_COLOR", "1").output().unwrap();
    assert!(!output.stdout.contains(&0x1b));
}

#[test]
fn tail_shows_loss_markers_whatever_is_filtered() {
    let folder = Folder::new();
    let path = folder.path("app.jsonl");
    lossy(&path, Schema::Default);
    let (_, text) = run(&["tail", "--target", "nothing", path.to_str().unwrap()]);
    assert!(text.starts_with(" ---- 7 lines were dropped (7 ERROR) from 2"), "{text}");
    assert_eq!(text.lines().count(), 1);
    let (_, text) = run(&["tail", path.to_str().unwrap()]);
    assert!(!text.contains("seq="), "{text}");
}

/// A `tail -f` whose lines are read one by one.
struct Following(std::process::Child, BufReader<std::process::ChildStdout>);

impl Following {
    fn start(file: &str) -> Following {
        let mut command = program(&["tail", "-f", "--color=never", file]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Following(child, output)
    }

    fn next(&mut self) -> String {
        let mut line = String::new();
        self.1.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn tail_follows_a_file_through_all_that_happens_to_it() {
    let folder = Folder::new();
    let name = folder.file("app", "{\"message\":\"one\"}\n");
    let append = |bytes: &[u8]| {
        let mut file = OpenOptions::new().append(true).create(true).open(&name).unwrap();
        file.write_all(bytes).unwrap();
    };
    let mut tail = Following::start(&name);
    assert_eq!(tail.next(), "one");
    append(b"{\"message\":\"tw");
    append(b"o\"}\n{\"message\":\"three\"}\n");
    assert_eq!((tail.next(), tail.next()), ("two".into(), "three".into()));
    // Renamed, with a last line that is written afterwards, and made anew.
    fs::rename(&name, folder.path("app.1")).unwrap();
    let mut old = OpenOptions::new().append(true).open(folder.path("app.1")).unwrap();
    old.write_all(b"{\"message\":\"last\"}\n").unwrap();
    append(b"{\"message\":\"first\"}\n");
    assert_eq!((tail.next(), tail.next()), ("last".into(), "first".into()));
    // Truncated in place. What is shorter than before is seen at the next look.
    File::create(&name).unwrap();
    append(b"{\"message\":\"x\"}\n");
    assert_eq!(tail.next(), "x");
}

#[test]
#[cfg(unix)]
fn tail_waits_behind_the_reserve_of_a_mapped_file() {
    use std::os::unix::fs::FileExt;
    let folder = Folder::new();
    let name = folder
        .file("app", b"{\"message\":\"one\"}\n\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
    let mut tail = Following::start(&name);
    assert_eq!(tail.next(), "one");
    let file = OpenOptions::new().write(true).open(&name).unwrap();
    file.write_all_at(b"{\"message\":\"two\"}\n", 18).unwrap();
    assert_eq!(tail.next(), "two");
}

#[test]
fn nobody_is_told_when_the_reader_has_seen_enough() {
    let folder = Folder::new();
    let file = folder.file("app", "{\"message\":\"x\"}\n".repeat(200_000));
    let mut command = program(&["tail", "--all", &file]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut some = [0; 10];
    child.stdout.take().unwrap().read_exact(&mut some).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0));
}

#[test]
fn the_verdict_stands_when_nobody_reads_it() {
    let folder = Folder::new();
    for (text, code) in [("{}\n", 0), ("no\n", 1)] {
        let file = folder.file("app", text);
        // Reads only when the other side of its output is gone.
        let mut command = program(&["verify", "-", &file]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        drop(child.stdin.take());
        assert_eq!(child.wait().unwrap().code(), Some(code), "{text}");
    }
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
fn tail_shows_the_lines_of_a_pipe_as_they_come() {
    let mut command = program(&["tail", "--color=never", "-"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut pipe = child.stdin.take().unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let mut tail = Following(child, output);
    for message in ["one", "two"] {
        writeln!(pipe, "{{\"message\":\"{message}\"}}").unwrap();
        assert_eq!(tail.next(), message);
    }
}

#[test]
fn compressed_files_are_refused_and_short_ones_are_not_taken_for_some() {
    let folder = Folder::new();
    for (bytes, reader) in [
        (&b"\x1f\x8b\x08\0\0\0\0\0"[..], "zcat"),
        (b"\x28\xb5\x2f\xfd\0", "zstdcat"),
        (b"\xfd7zXZ\0\0", "xzcat"),
        (b"BZh91AY", "bzcat"),
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
    for schema in SCHEMAS {
        let folder = Folder::new();
        let path = folder.path("app.jsonl");
        lossy(&path, schema);
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
