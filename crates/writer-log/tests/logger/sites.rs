//! Records from one place in the source, whose line is prepared by the first of them.

use std::time::Duration;

use log::kv::{self, Source, VisitSource};
use log::{Level, Log, Record};
use serde_json::{Value, json};
use writer_core::json::Part;

/// Key-values that differ from record to record.
struct Fields(&'static [(&'static str, u64)]);

impl Source for Fields {
    fn visit<'kvs>(&'kvs self, visitor: &mut dyn VisitSource<'kvs>) -> Result<(), kv::Error> {
        self.0
            .iter()
            .try_for_each(|(key, value)| visitor.visit_pair((*key).into(), (*value).into()))
    }
}

#[test]
fn a_record_is_not_taken_for_another_one_of_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.jsonl");
    let (logger, guard) = writer_log::builder(&path)
        .filter("trace")
        .show(Part::Module)
        .show(Part::File)
        .show(Part::Line)
        .build()
        .unwrap();
    // What two records of one place, or of two with the same line, can differ in.
    let mut expected = Vec::new();
    for _ in 0..3 {
        for (level, target, module, file, line, fields) in [
            (Level::Info, "t", "m", "f", 1, &[("a", 1), ("b", 2)][..]),
            (Level::Info, "t", "m", "f", 1, &[("a", 3), ("b", 4)][..]),
            (Level::Info, "t", "m", "f", 1, &[("b", 5), ("a", 6)][..]),
            (Level::Info, "t", "m", "f", 1, &[("a", 7), ("a", 8), ("level", 9)][..]),
            (Level::Info, "t", "m", "f", 1, &[][..]),
            (Level::Info, "u", "m", "f", 1, &[("a", 1)][..]),
            (Level::Info, "t", "n", "f", 1, &[("a", 1)][..]),
            (Level::Info, "t", "m", "g", 1, &[("a", 1)][..]),
            (Level::Info, "t", "m", "f", 2, &[("a", 1)][..]),
            (Level::Warn, "t", "m", "f", 1, &[("a", 1)][..]),
        ] {
            let fields = Fields(fields);
            let mut record = Record::builder();
            record.level(level).target(target).line(Some(line)).key_values(&fields);
            record.module_path_static(Some(module)).file_static(Some(file));
            logger.log(&record.args(format_args!("said")).build());
            // The same without a place that lives for ever, for which nothing is prepared.
            let (module, file) = (module.to_owned(), file.to_owned());
            record.module_path(Some(&module)).file(Some(&file));
            logger.log(&record.args(format_args!("said")).build());
            expected.push(json!([level.as_str(), target, module, file, line, fields.0.len()]));
        }
    }
    guard.writer().flush(Duration::from_secs(10)).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.lines().map(|line| line.split_once("Z\",").unwrap().1).collect();
    assert_eq!(lines.len(), 2 * expected.len());
    for (pair, expected) in lines.chunks(2).zip(expected) {
        assert_eq!(pair[0], pair[1]);
        let line: Value = serde_json::from_str(&format!("{{{}", pair[0])).unwrap();
        let of = |key: &str| line[key].clone();
        let fields = line.as_object().unwrap().len() - 6;
        let got = ["level", "target", "module", "file", "line"].map(of);
        let got: Vec<Value> = got.into_iter().chain([json!(fields)]).collect();
        assert_eq!(Value::from(got), expected);
    }
}

#[test]
fn a_place_whose_target_was_its_module_is_not_taken_for_one_with_another_target_or_line() {
    static MODULE: &str = "shop::orders";
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.jsonl");
    let (logger, guard) =
        writer_log::builder(&path).filter("trace").show(Part::Line).build().unwrap();
    let cases = [(MODULE, 5), ("audit", 5), (MODULE, 5 + (1 << 24))];
    for (target, line) in cases.repeat(2) {
        let mut record = Record::builder();
        record.level(Level::Info).target(target).line(Some(line));
        record.module_path_static(Some(MODULE)).file_static(Some("src/orders.rs"));
        logger.log(&record.args(format_args!("said")).build());
    }
    guard.writer().flush(Duration::from_secs(10)).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let got: Vec<_> = lines
        .map(|line| (line["target"].as_str().unwrap().to_owned(), line["line"].as_u64().unwrap()))
        .collect();
    let expected = cases.repeat(2);
    let expected: Vec<_> = expected.iter().map(|&(t, l)| (t.to_owned(), u64::from(l))).collect();
    assert_eq!(got, expected);
}
