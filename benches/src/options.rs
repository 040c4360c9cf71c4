//! The command line of the benchmarks that are not criterion's.

use std::path::PathBuf;

/// What was asked for: `[--quick] [--rounds N] [--count N] [WORD...]`.
#[derive(Debug)]
pub struct Options {
    /// A short run: one round, a hundredth of the work.
    pub quick: bool,
    /// Rounds, each over all cases.
    pub rounds: usize,
    /// Lines, events or calls of a case; each benchmark says which.
    pub count: usize,
    /// Where files go: the folder for temporary files, which `TMPDIR` names.
    pub dir: PathBuf,
    /// Cases whose name holds all of these.
    words: Vec<String>,
}

impl Options {
    /// Reads the command line; the arguments here are the defaults of the benchmark.
    ///
    /// # Panics
    ///
    /// For an argument that is not known.
    pub fn read(rounds: usize, count: usize) -> Options {
        let dir = std::env::temp_dir();
        let mut options = Options { quick: false, rounds, count, dir, words: Vec::new() };
        let mut args = std::env::args().skip(1);
        let (mut given_rounds, mut given_count) = (None, None);
        while let Some(arg) = args.next() {
            let mut value = || args.next().unwrap_or_else(|| panic!("{arg} needs a value"));
            match arg.as_str() {
                // Cargo's word for a test run of a benchmark.
                "--quick" | "--test" => options.quick = true,
                "--rounds" => given_rounds = Some(value().parse().expect("a number")),
                "--count" => given_count = Some(value().parse().expect("a number")),
                // Cargo passes it to every benchmark.
                "--bench" => {}
                word if !word.starts_with("--") => options.words.push(word.to_owned()),
                other => panic!("unknown argument {other}"),
            }
        }
        if options.quick {
            options.rounds = 1;
            options.count = (options.count / 100).next_multiple_of(64);
        }
        options.rounds = given_rounds.unwrap_or(options.rounds);
        options.count = given_count.unwrap_or(options.count);
        options
    }

    /// Whether a case of this name was asked for.
    pub fn wants(&self, name: &str) -> bool {
        self.words.iter().all(|word| name.contains(word.as_str()))
    }
}
