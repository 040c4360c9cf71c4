//! `writer verify`.

use std::process::Stdio;

use writer_core::json::Part;

use super::*;

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
    for &schema in Schema::ALL {
        let folder = Folder::new();
        let path = folder.path("app.jsonl");
        assert_eq!(lossy(&path, Format::builder().schema(schema).sequence(true)), 7);
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

/// Such files were said to be whole.
#[test]
fn verify_knows_a_loss_marker_whatever_the_format_makes_of_its_parts() {
    let with = |schema| Format::builder().schema(schema);
    let formats = [
        Format::builder().hide(Part::Target),
        Format::builder().hide(Part::Timestamp),
        Format::builder().rename(Part::Message, "text"),
        Format::builder().rename(Part::Timestamp, "time").nest_fields("attributes"),
        with(Schema::Tracing).nest_fields("attributes"),
        with(Schema::Ecs).nest_fields("labels"),
        with(Schema::Otel).hide(Part::Target),
        with(Schema::Otel).nest_fields("shop"),
        Format::builder().hide(Part::Message),
        with(Schema::Tracing).hide(Part::Message),
        with(Schema::Otel).hide(Part::Message),
        Format::builder().static_field("dropped", |value| value.u64(3)),
        with(Schema::Otel).static_field("dropped", |value| value.u64(3)),
        with(Schema::Gcp).static_field("policy", |value| value.str("none")),
        with(Schema::Gcp).nest_fields("data"),
        with(Schema::Bunyan).rename(Part::Message, "text"),
        with(Schema::Logxpy).nest_fields("fields"),
    ];
    for (number, format) in formats.into_iter().enumerate() {
        let folder = Folder::new();
        let path = folder.path("app.jsonl");
        assert_eq!(lossy(&path, format), 7);
        let (code, text) = run(&["verify", path.to_str().unwrap()]);
        assert_eq!(code, 1, "{number}: {text}");
        assert!(text.contains("dropped: 7 lines, say 1 marker(s): 7 ERROR"), "{number}: {text}");
        let (_, text) = run(&["tail", "-l", "error", path.to_str().unwrap()]);
        assert!(text.contains(" ---- 7 lines were dropped (7 ERROR) from 2"), "{number}: {text}");
    }
}

/// The file was said to be whole: of more than 10 000 runs the numbers were not looked at.
#[test]
fn verify_says_so_when_there_are_more_runs_than_it_follows() {
    let folder = Folder::new();
    let run_of = |run: u32, number: u32| format!("{{\"run\":\"r{run}\",\"seq\":{number}}}\n");
    let mut lines: String = (0..100_000).map(|run| run_of(run, 1)).collect();
    lines += &run_of(99_999, 3);
    let (code, text) = run(&["verify", &folder.file("many", &lines)]);
    assert!(code == 1 && text.contains("run r99999: 2 to 2 are missing"), "{text}");
    let lines = lines.replace("3}\n", "2}\n") + &run_of(100_000, 1);
    let (code, text) = run(&["verify", &folder.file("more", &lines)]);
    assert!(code == 1 && text.contains("1 numbered lines of more runs than"), "{text}");
    let (_, text) = run(&["verify", "--json", &folder.file("more", &lines)]);
    assert!(text.contains("\"unfollowed\":1"), "{}", text.len());
}

/// Of a service that runs longer than its rotated files are kept no file was ever whole.
#[test]
fn verify_misses_no_number_of_files_that_are_gone_if_told_so() {
    let folder = Folder::new();
    let lines = |numbers: &[u32]| -> String {
        numbers.iter().map(|number| format!("{{\"run\":\"a\",\"seq\":{number}}}\n")).collect()
    };
    let old = folder.file("app.1", lines(&[501, 502]));
    let whole = folder.file("app", lines(&[503]));
    let (code, text) = run(&["verify", &old, &whole]);
    let hint = "500 of the missing numbers come before the first of their run: \
        if older files are gone, say --older-gone\nnot ok\n";
    assert!(code == 1 && text.ends_with(hint), "{text}");
    let (code, text) = run(&["verify", "--older-gone", &old, &whole]);
    assert!(code == 0 && !text.contains("--older-gone"), "{text}");
    let lacking = folder.file("app", lines(&[504]));
    let (code, text) = run(&["verify", "--older-gone", &old, &lacking]);
    assert!(code == 1 && text.contains("1 missing") && text.contains("503 to 503"), "{text}");
    assert!(!text.contains("say --older-gone"), "{text}");
    // A run that only begins in the second file did not begin in one that is gone.
    let first = folder.file("b.1", "{}\n");
    let (code, text) = run(&["verify", &first, &whole]);
    assert!(code == 1 && !text.contains("say --older-gone"), "{text}");
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
