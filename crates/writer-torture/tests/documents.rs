//! What the page on durability claims is shown by tests that exist.
#![allow(clippy::unwrap_used)]

use std::collections::HashSet;
use std::fs;
use std::path::Path;

/// The text of all tests of the workspace's packages.
fn sources(folder: &Path, texts: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, texts);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            texts.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
}

/// The words in backticks that name tests: those with several underscores.
fn named_tests(text: &str) -> HashSet<&str> {
    let quoted = text.split('`').skip(1).step_by(2);
    quoted.filter(|word| word.matches('_').count() > 2 && !word.contains(' ')).collect()
}

#[test]
fn every_test_that_the_page_on_durability_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let page = fs::read_to_string(root.join("docs/durability.md")).unwrap();
    let mut texts = String::new();
    sources(&root.join("crates"), &mut texts);
    let named = named_tests(&page);
    assert!(named.len() > 25, "{}", named.len());
    for name in named {
        let exists =
            texts.contains(&format!("fn {name}()")) || texts.contains(&format!("\"{name}\""));
        assert!(exists, "no test {name}");
    }
}

#[test]
fn every_row_of_the_page_names_a_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let page = fs::read_to_string(root.join("docs/durability.md")).unwrap();
    let table = page.split("## Events").nth(1).unwrap().split("## ").next().unwrap();
    let rows: Vec<_> = table.lines().filter(|line| line.starts_with("| ")).skip(1).collect();
    assert!(rows.len() > 25, "{}", rows.len());
    for row in rows {
        assert!(!named_tests(row).is_empty(), "{row}");
        assert_eq!(row.matches(" | ").count(), 3, "{row}");
    }
}
