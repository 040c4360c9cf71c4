//! The way back: the same program without worker and queue, by builder call or by environment.
//!
//! `cargo run --release --example synchronous`
//!
//! The example runs itself twice more: with `DEMO_ASYNC=0`, which turns the worker off without a
//! rebuild, and with a value that cannot be read.

use std::error::Error;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use writer_core::{Metrics, Writer};
use writer_examples::assert_balanced;

fn work(path: &Path, synchronous: bool) -> Result<Metrics, Box<dyn Error>> {
    let (writer, guard) =
        Writer::builder(path).synchronous(synchronous).env_overrides("DEMO").build()?;
    for n in 0..1000 {
        writer.send(format!(r#"{{"n":{n}}}"#))?;
    }
    // Without a worker each line is in the file when `send` returns.
    assert!(!writer.config().synchronous || writer.metrics().written == 1000);
    guard.shutdown(Duration::from_secs(5))?;
    println!("synchronous: {}", writer.config().synchronous);
    Ok(writer.metrics())
}

fn again(path: &Path, value: &str) -> std::io::Result<Output> {
    Command::new(std::env::current_exe()?).arg(path).env("DEMO_ASYNC", value).output()
}

fn main() -> Result<(), Box<dyn Error>> {
    if let Some(path) = std::env::args_os().nth(1) {
        return work(path.as_ref(), false).map(drop);
    }
    let folder = tempfile::tempdir()?;
    let [worker, builder, environment, bad] =
        ["worker", "builder", "environment", "bad"].map(|name| folder.path().join(name));
    assert_balanced(&work(&worker, false)?, 1000);
    assert_balanced(&work(&builder, true)?, 1000);

    let output = again(&environment, "0")?;
    assert!(output.status.success());
    assert_eq!(String::from_utf8(output.stdout)?.trim(), "synchronous: true");

    let output = again(&bad, "perhaps")?;
    assert!(!output.status.success() && !bad.exists());
    assert!(String::from_utf8(output.stderr)?.contains("DEMO_ASYNC"));

    let lines = std::fs::read(&worker)?;
    assert_eq!(lines, std::fs::read(&builder)?);
    assert_eq!(lines, std::fs::read(&environment)?);
    assert_eq!(writer_examples::lines_in(&worker)?, 1000);
    println!("ok: the same 1000 lines with a worker, without one, and by DEMO_ASYNC=0");
    Ok(())
}
