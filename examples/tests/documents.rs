//! What holds of all documents: their links lead somewhere, and their programs are compiled.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use writer_core::{WriteSink, Writer};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().expect("the workspace")
}

/// The documents for readers, by their path.
fn documents() -> Vec<PathBuf> {
    let root = root();
    let mut found: Vec<_> = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "examples/README.md"]
        .map(|name| root.join(name))
        .into();
    for folder in [
        "docs",
        "crates/writer-core",
        "crates/writer-log",
        "crates/writer-tracing",
        "crates/writer-cli",
    ] {
        for entry in fs::read_dir(root.join(folder)).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.extension().is_some_and(|extension| extension == "md") {
                found.push(path);
            }
        }
    }
    assert!(found.len() > 12, "{found:?}");
    found
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The text without its blocks of code.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut inside = false;
    text.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        inside ^= fence;
        !inside && !fence
    })
}

/// The anchor that a heading gets on the usual hosts.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect()
}

fn anchors(text: &str) -> Vec<String> {
    prose(text)
        .filter(|line| line.starts_with('#'))
        .map(|line| anchor(line.trim_start_matches('#')))
        .collect()
}

/// The targets of `[text](target)`.
fn targets(line: &str) -> Vec<&str> {
    let after = line.split("](").skip(1);
    after.filter_map(|rest| rest.split(')').next()).collect()
}

#[test]
fn every_link_inside_the_project_leads_somewhere() {
    let (mut checked, mut texts) = (0, HashMap::new());
    for document in documents() {
        let text = read(&document);
        for target in prose(&text).flat_map(targets) {
            if target.starts_with("http") {
                continue;
            }
            let (file, place) = target.split_once('#').unwrap_or((target, ""));
            let path = match file {
                "" => document.clone(),
                _ => document.parent().expect("a folder").join(file),
            };
            let here = document.display();
            assert!(path.exists(), "{here}: no {target}");
            if !place.is_empty() {
                let there = texts.entry(path.clone()).or_insert_with(|| anchors(&read(&path)));
                assert!(there.iter().any(|anchor| anchor == place), "{here}: no {target}");
            }
            checked += 1;
        }
    }
    assert!(checked > 20, "{checked}");
}

#[test]
fn every_program_of_a_document_is_compiled() {
    let listed = read(&root().join("examples/lib.rs"));
    for document in documents() {
        let name = document.strip_prefix(root()).expect("inside").to_string_lossy().into_owned();
        let text = read(&document);
        let mut previous = "";
        for (number, line) in text.lines().enumerate() {
            let here = format!("{name}:{}", number + 1);
            if line.starts_with("```rust") {
                if line.contains("ignore") {
                    // Taken out and run by scripts/migration.
                    assert!(previous.starts_with("<!-- program "), "{here}: nobody compiles this");
                } else {
                    let crate_docs = name.starts_with("crates/");
                    assert!(crate_docs || listed.contains(&format!("../{name}")), "{here}: {name}");
                }
            }
            previous = line;
        }
    }
}

/// The words of a text that begin with `start`, without it.
fn words_after<'a>(text: &'a str, start: &str) -> Vec<&'a str> {
    let after = text.split(start).skip(1);
    after
        .filter_map(|rest| rest.split(|c: char| !(c.is_alphanumeric() || c == '_')).next())
        .collect()
}

#[test]
fn every_counter_and_variable_that_a_document_names_exists() {
    let core = root().join("crates/writer-core/src");
    let metrics = read(&core.join("metrics.rs"));
    let public = metrics.split("pub struct Metrics").nth(1).expect("the counters");
    let public = public.split("\n}").next().expect("an end");
    let variables = read(&core.join("env.rs"));
    let mut checked = [0, 0];
    for document in documents() {
        let here = document.display();
        let text = read(&document);
        for name in words_after(&text, "Metrics::") {
            assert!(public.contains(&format!("    pub {name}: ")), "{here}: Metrics::{name}");
            checked[0] += 1;
        }
        for prefix in ["SHOP_", "WRITER_", ".._"] {
            for name in words_after(&text, prefix) {
                assert!(variables.contains(&format!("(\"{name}\", ")), "{here}: {prefix}{name}");
                checked[1] += 1;
            }
        }
    }
    assert!(checked[0] > 15 && checked[1] > 15, "{checked:?}");
}

/// The features that a manifest declares.
fn features(name: &str) -> Vec<String> {
    let manifest = read(&root().join("crates").join(name).join("Cargo.toml"));
    let section = manifest.split("[features]\n").nth(1).expect("features");
    let section = section.split("\n[").next().expect("an end");
    let lines = section.lines().filter(|line| !line.starts_with('#'));
    let names = lines.filter_map(|line| line.split_once(" = "));
    names.map(|(name, _)| name.to_owned()).filter(|name| name != "default").collect()
}

#[test]
fn the_table_of_features_is_what_the_manifests_say() {
    let text = read(&root().join("README.md"));
    let crates = ["writer-core", "writer-log", "writer-tracing"].map(features);
    let rows = text.lines().skip_while(|line| !line.starts_with("| feature |")).skip(2);
    let mut listed = 0;
    for row in rows.take_while(|line| line.starts_with('|')) {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        let name = cells[1].trim_matches('`');
        for (cell, features) in cells[2..5].iter().zip(&crates) {
            assert_eq!(*cell == "yes", features.iter().any(|feature| feature == name), "{row}");
        }
        listed += cells[2..5].iter().filter(|cell| **cell == "yes").count();
    }
    assert_eq!(listed, crates.iter().map(Vec::len).sum::<usize>());
}

/// The rows of the tables in a section of a document, as the names in the first cell and the rest.
fn rows(text: &str, heading: &str) -> Vec<(Vec<String>, String)> {
    let section = text.split(heading).nth(1).expect("the section");
    let section = section.split("\n#").next().expect("an end");
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.filter_map(|row| row.split_once(" | "))
        .map(|(names, rest)| {
            let names = names.split(", ").map(|name| name.trim_matches('`').to_owned());
            (names.collect(), rest.to_owned())
        })
        .collect()
}

/// The methods that a macro gives to the builders of adapters.
fn options(file: &str) -> Vec<String> {
    let text = read(&root().join("crates/writer-core/src").join(file));
    let list = text.split("{ @each $field\n").nth(1).expect("the list");
    let list = list.split("\n        }\n").next().expect("an end");
    let lines = list.lines().filter_map(|line| line.strip_prefix("            "));
    let names = lines.filter_map(|line| line.split_once('('));
    names
        .filter(|(name, _)| !name.starts_with([' ', ')', '/']))
        .map(|(name, _)| name.into())
        .collect()
}

#[test]
fn the_table_of_options_has_all_of_them_and_their_defaults() {
    let rows = rows(&read(&root().join("docs/guide.md")), "### All options\n");
    let mut listed: Vec<_> = rows.iter().flat_map(|(names, _)| names.clone()).collect();
    let mut there = [options("options.rs"), options("json/options.rs")].concat();
    listed.sort();
    there.sort();
    assert_eq!(listed, there);

    let (writer, _guard) = Writer::to(WriteSink::new(Vec::new())).build().expect("a writer");
    let config = writer.config();
    let (strategy, mode, policy) = (config.strategy, config.mode, config.queue_policy);
    for (name, default) in [
        ("strategy", format!("`{strategy:?}`, `{mode:?}`, `{policy:?}`")),
        ("max_queue_size", config.max_queue_size.to_string()),
        ("max_queue_bytes", format!("{} MiB", config.max_queue_bytes >> 20)),
        ("batch_size", config.batch_size.to_string()),
        ("flush_interval", format!("{} ms", config.flush_interval.expect("one").as_millis())),
        ("tick", format!("{} ms", config.tick.as_millis())),
        ("block_size", format!("{} KiB", config.block_size >> 10)),
        ("mmap_chunk", format!("{} MiB", config.mmap_chunk >> 20)),
        ("fail_after", format!("{} s", config.fail_after.as_secs())),
        ("truncate", format!("`{}`", config.truncate)),
        ("create_dirs", format!("`{}`", config.create_dirs)),
        ("create_dirs", format!("`{}`", config.follow_path)),
        ("create_dirs", format!("`{}`", config.exit_hook)),
        ("allow_special", format!("`{}`", config.allow_special)),
        ("allow_special", format!("`{}`", config.panic_hook)),
        ("allow_special", format!("`{}`", config.synchronous)),
        ("permissions", format!("`{:#o}`", config.permissions)),
        ("thread_name", format!("`{}`", config.thread_name)),
    ] {
        let (_, rest) = rows.iter().find(|(names, _)| names[0] == name).expect(name);
        assert_eq!(rest.split(" |").next(), Some(&*default), "{name}");
    }
}
