//! `writer tail`.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read};

use super::*;

#[test]
fn tail_shows_lines_of_every_schema_alike() {
    for &schema in Schema::ALL {
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
    let never = &["tail", "--color=never", &file];
    let output = program(never).env("CLICOLOR_FORCE", "1").output().unwrap();
    assert!(!output.stdout.contains(&0x1b));
}

/// With a filter it was shown beside as many others as were asked for.
#[test]
fn a_last_line_without_an_end_is_one_of_those_asked_for() {
    let folder = Folder::new();
    let file = folder.file("app", b"{\"level\":\"WARN\",\"n\":1}\n{\"level\":\"WARN\",\"n\":2}");
    for filter in [&[][..], &["--level", "warn"]] {
        for (lines, shown) in [("0", ""), ("1", " WARN n=2\n"), ("2", " WARN n=1\n WARN n=2\n")] {
            assert_eq!(
                run(&[&["tail", "-n", lines], filter, &[&file]].concat()),
                (0, shown.into())
            );
        }
    }
}

#[test]
fn tail_shows_each_part_once_and_as_it_stands() {
    let folder = Folder::new();
    for (line, expected) in [
        (
            r#"{"timestamp":"t","level":"INFO","message":"m","seq":5,"a":"","b":"x y","c":"x"}"#,
            "t  INFO m seq=5 a=\"\" b=\"x y\" c=x\n",
        ),
        (
            r#"{"timestamp":"t","level":"WARN","target":"g","fields":{"message":"m"},"spans":[{"name":"s","id":1}],"span":{"name":"s","id":1}}"#,
            "t  WARN g: m in s{id=1}\n",
        ),
        (
            r#"{"ts":1.5,"tid":"5a.1","mt":"debug","log_level":"TRACE","msg":"m"}"#,
            "1970-01-01T00:00:01.500000Z TRACE m tid=5a.1\n",
        ),
        (r#"{"tid":"5a.1","mt":"error","logger":"g","msg":"m"}"#, "ERROR g: m tid=5a.1\n"),
        (
            r#"{"tid":"5a.1","lvl":[1],"logger":"g","at":"f","st":"started"}"#,
            "g: tid=5a.1 lvl=[1] at=f st=started\n",
        ),
        // Fields of the program by the names of another schema's metadata.
        (
            r#"{"level":"ERROR","target":"db","message":"down","tid":7,"mt":"timeout"}"#,
            "ERROR db: down tid=7 mt=timeout\n",
        ),
        (
            r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"severityNumber":9,"severityText":"INFO","timeUnixNano":"1770563890786117000","body":{"stringValue":"m"}}]}]}]}"#,
            "2026-02-08T15:18:10.786117Z  INFO m\n",
        ),
    ] {
        assert_eq!(run(&["tail", &folder.file("app", line)]).1, expected, "{line}");
    }
}

/// A user's field `timestamp` was taken for the schema's, and a level without a name was left out.
#[test]
fn tail_leaves_out_nothing_of_what_it_does_not_know() {
    let folder = Folder::new();
    for &schema in Schema::ALL {
        let format = Format::builder().schema(schema).build().unwrap();
        let mut line = Vec::new();
        format.encode(
            &Meta::new(Severity::Warn, "shop"),
            |record| {
                record.message().str("slow");
                for (number, key) in (0..).zip(["timestamp", "@timestamp", "severity", "v", "ts"]) {
                    record.field(key).u64(number);
                }
            },
            |_, encoded| line.extend_from_slice(encoded),
        );
        let (_, text) = run(&["tail", "-l", "warn", &folder.file("app", line)]);
        assert!(text.starts_with("20") && text.contains(" WARN shop: slow"), "{schema:?}: {text}");
    }
    let line = "{\"timestamp\":\"now\",\"level\":\"loud\",\"message\":\"m\"}\n";
    assert_eq!(run(&["tail", &folder.file("loud", line)]).1, "now m level=loud\n");
}

/// A pipe's NUL bytes were shown, a megabyte of reserve as six, and a line behind some was left out
/// where lines were filtered.
#[test]
fn tail_leaves_out_nul_bytes_wherever_they_come_from() {
    let lines = "{\"level\":\"INFO\",\"message\":\"a\"}\n\0\0{\"level\":\"INFO\",\"message\":\"b\"}\n\0\0\0";
    let folder = Folder::new();
    let file = folder.file("app", lines);
    let expected = (0, " INFO a\n INFO b\n".to_owned());
    for arguments in [&["tail"][..], &["tail", "--all"], &["tail", "-l", "info"]] {
        assert_eq!(run(&[arguments, &[&*file]].concat()), expected, "{arguments:?}");
        assert_eq!(fed(&[arguments, &["-"]].concat(), lines), expected, "{arguments:?}");
    }
    // Such a file took a read of 64 KiB for each of them.
    let holes = folder.file("holes", "x\0".repeat(200_000));
    assert_eq!(run(&["tail", &holes]).1, "x".repeat(200_000) + "\n");
}

#[test]
fn tail_shows_loss_markers_whatever_is_filtered() {
    let folder = Folder::new();
    let path = folder.path("app.jsonl");
    lossy(&path, Format::builder().sequence(true));
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
fn tail_shows_the_lines_of_a_pipe_as_they_come() {
    for args in
        [&["tail", "--color=never", "-"][..], &["tail", "--color=never", "-f", "-n", "1", "-"]]
    {
        lines_come(args);
    }
}

fn lines_come(args: &[&str]) {
    let mut command = program(args);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut pipe = child.stdin.take().unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let mut tail = Following(child, output);
    // The first is shorter than the beginning by which a compressed file is known.
    for (line, shown) in [("BZ", "BZ"), (r#"{"message":"one"}"#, "one"), ("{", "{")] {
        writeln!(pipe, "{line}").unwrap();
        assert_eq!(tail.next(), shown);
    }
}

/// All of them were shown.
#[test]
fn tail_shows_so_many_lines_of_a_pipe_when_told_so() {
    let line = |n: usize| format!("{{\"level\":\"INFO\",\"message\":\"m{n}\"}}\n");
    let text: String = (0..20).map(line).collect::<String>() + "no record\n\0\0";
    for (args, shown) in [
        (&["tail", "-n", "2", "-"][..], " INFO m19\nno record\n"),
        (&["tail", "-n", "1", "-l", "info", "-"], " INFO m19\n"),
        (&["tail", "-n", "0", "-"], ""),
        (&["tail", "-f", "-n", "1", "-l", "warn", "-"], ""),
    ] {
        let mut child = program(args).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), shown, "{args:?}");
    }
}

#[test]
fn tail_follows_with_a_filter_a_last_line_whose_end_comes_later() {
    let folder = Folder::new();
    let name = folder.file("app", "{\"level\":\"INFO\",\"message\":\"one\"}\n{\"level\":\"INFO\",");
    let mut command = program(&["tail", "-f", "--color=never", "-l", "info", &name]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let mut tail = Following(child, output);
    assert_eq!(tail.next(), " INFO one");
    let mut file = OpenOptions::new().append(true).open(&name).unwrap();
    file.write_all(b"\"message\":\"two\"}\n{\"level\":\"INFO\",\"message\":\"three\"}\n").unwrap();
    assert_eq!(tail.next(), " INFO two");
}
