//! The rollback of docs/rollback.md: the same program, with the worker and without, by the
//! environment alone, writes the same lines.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};
use tracing_subscriber::prelude::*;
use writer_core::Writer;

/// The program: `log` and `tracing` through one writer that listens to the environment.
fn program(path: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let (writer, _guard) = Writer::builder(path).env_overrides("SHOP").build()?;
    writer_log::on(writer.clone()).filter("info").init()?;
    let layer = writer_tracing::on(writer.clone()).layer();
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer))?;

    for n in 0..500 {
        log::info!(n, text = "a\"b\n"; "through log");
        let _span = tracing::info_span!("request", n).entered();
        tracing::warn!(ratio = 0.5, "through tracing");
    }
    // What an operator looks at to see which way it runs.
    let in_file = std::fs::read(path)?.iter().filter(|&&byte| byte == b'\n').count();
    let config = writer.config();
    let facts = json!({
        "thread": has_worker()?,
        "complete": in_file == 1000,
        "ASYNC": if config.synchronous { "0" } else { "1" },
        "TYPE": config.strategy.as_str(),
        "MODE": config.mode.as_str(),
        "POLICY": config.queue_policy.as_str(),
        "QUEUE_SIZE": config.max_queue_size.to_string(),
        "BATCH_SIZE": config.batch_size.to_string(),
        "FLUSH_INTERVAL": config.flush_interval.map(|interval| format!("{interval:?}")),
        "TICK": format!("{:?}", config.tick),
        "unknown": config.unknown_variables,
    });
    println!("{facts}");
    Ok(())
}

/// Whether the process has a thread with the name of a worker; only Linux tells.
fn has_worker() -> std::io::Result<Option<bool>> {
    if cfg!(not(target_os = "linux")) {
        return Ok(None);
    }
    for thread in std::fs::read_dir("/proc/self/task")? {
        if std::fs::read_to_string(thread?.path().join("comm"))?.trim() == "writer" {
            return Ok(Some(true));
        }
    }
    Ok(Some(false))
}

fn start(path: &Path, variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.arg("--program").arg(path);
    command.envs(variables.iter().copied()).output().expect("the program starts")
}

/// The lines without their timestamps, and what the program said about itself.
fn run(variables: &[(&str, &str)]) -> (Vec<Value>, Value) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("app.jsonl");
    let output = start(&path, variables);
    assert!(output.status.success(), "{variables:?}: {output:?}");
    let text = std::fs::read_to_string(&path).expect("a file");
    let lines = text.lines().map(|line| {
        let mut line: Value = serde_json::from_str(line).expect("JSON");
        assert!(line["timestamp"].take().is_string());
        line
    });
    let facts = String::from_utf8(output.stdout).expect("text");
    (lines.collect(), serde_json::from_str(&facts).expect("facts"))
}

/// What the document says to set, as name without prefix and value.
fn settings() -> BTreeSet<(String, String)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/rollback.md");
    let text = std::fs::read_to_string(path).expect("the document");
    let after = text.split("SHOP_").skip(1);
    let words =
        after.filter_map(|rest| rest.split(|c: char| "`, ".contains(c) || c.is_control()).next());
    let pairs = words.filter_map(|word| word.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn main() {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_some_and(|first| first == "--program") {
        let path = arguments.next().expect("a path");
        if let Err(error) = program(path.as_ref()) {
            eprintln!("{error}");
            std::process::exit(1);
        }
        return;
    }
    let worker = cfg!(target_os = "linux").then_some(true);
    let none = worker.map(|_| false);

    let (lines, facts) = run(&[]);
    assert_eq!(lines.len(), 1000);
    assert_eq!((&facts["ASYNC"], &facts["thread"]), (&json!("1"), &json!(worker)));
    assert_eq!(facts["unknown"], json!([]));

    // Without a worker: no thread, and every line is in the file when the macro returns.
    let (same, facts) = run(&[("SHOP_ASYNC", "0")]);
    assert_eq!(lines, same);
    assert_eq!((&facts["ASYNC"], &facts["thread"]), (&json!("0"), &json!(none)));
    assert_eq!(facts["complete"], true);

    // And back again, and the steps before it: each setting of the document takes effect, and the
    // lines are the same.
    let settings = settings();
    assert!(settings.len() >= 11, "{settings:?}");
    for (name, value) in settings {
        let (same, facts) = run(&[(&format!("SHOP_{name}"), &value)]);
        assert_eq!(lines, same, "{name}={value}");
        assert_eq!(facts[&name], *value, "{name}");
    }

    // A typing error in a name can be seen.
    let (same, facts) = run(&[("SHOP_ASNYC", "0"), ("SHOP_TICK", "1ms")]);
    assert_eq!((lines, &facts["unknown"]), (same, &json!(["SHOP_ASNYC"])));

    // One in a value stops the start, names the variable, and makes no file.
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("app.jsonl");
    let output = start(&path, &[("SHOP_ASYNC", "off")]);
    let said = String::from_utf8_lossy(&output.stderr);
    let expected = "environment variable SHOP_ASYNC is invalid: \"off\": expected 0 or 1";
    assert!(!output.status.success() && !path.exists());
    assert_eq!(said.trim(), expected);

    println!("1 passed, 0 failed");
}
