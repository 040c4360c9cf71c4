//! One row of the table of goals: what was done, what was expected, what was seen.

use std::fs::File;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Instant;

/// The file that the rows are added to, fields separated by tabs.
const TABLE: &str = "WRITER_TABLE";

/// Why a row cannot be tried on this machine.
#[derive(Debug)]
pub struct Skip(pub String);

/// What was seen, where it could be tried.
pub type Seen = Result<String, Skip>;

/// Whether the full figures were asked for, with `WRITER_FULL=1`.
pub fn is_full() -> bool {
    std::env::var_os("WRITER_FULL").is_some_and(|value| value == "1")
}

/// The figure of the full or of the small form.
pub fn figure(small: u64, full: u64) -> u64 {
    if is_full() { full } else { small }
}

/// Tries a row: a panic of `trial` is a failure, and is passed on. A row that is skipped says so on
/// stderr, past what a test harness captures.
pub fn row(id: &str, procedure: &str, expected: &str, trial: impl FnOnce() -> Seen) {
    let began = Instant::now();
    let result = catch_unwind(AssertUnwindSafe(trial));
    let (seen, verdict) = match &result {
        Ok(Ok(seen)) => (seen.clone(), "ok"),
        Ok(Err(Skip(why))) => {
            // Where stderr is gone, the table still has it.
            let _ = writeln!(std::io::stderr(), "{id} skipped: {why}");
            (why.clone(), "skipped")
        }
        Err(panic) => (text_of(&**panic), "FAILED"),
    };
    let seconds = format!("{:.1}", began.elapsed().as_secs_f64());
    add([id, procedure, expected, &seen, verdict, &seconds]);
    if let Err(panic) = result {
        resume_unwind(panic);
    }
}

fn text_of(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("a panic").to_owned()
}

fn add(fields: [&str; 6]) {
    let Some(table) = std::env::var_os(TABLE) else { return };
    let line = fields.map(|field| field.replace(['\t', '\n'], " ")).join("\t") + "\n";
    let file = File::options().append(true).create(true).open(table);
    // One write: tests run side by side.
    let written = file.and_then(|mut file| file.write_all(line.as_bytes()));
    written.unwrap_or_else(|error| panic!("cannot add to the table: {error}"));
}
