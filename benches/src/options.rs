//! The command line of the benchmarks that are not criterion's.

use std::path::PathBuf;

use lexopt::prelude::*;

const HELP: &str = "\
usage: cargo bench --bench NAME -- [--quick] [--rounds N] [--count N] [WORD...]

  --quick     a short run: one round, a hundredth of the work
  --rounds N  rounds, each over all cases
  --count N   lines, events or calls of a case; the head of the benchmark says which
  WORD        only cases whose name holds it

Files go to the folder for temporary files, which TMPDIR names.
";

/// What was asked for.
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
    /// Reads the command line; the arguments here are the defaults of the benchmark. Ends the
    /// process where help was asked for, or something that is not known.
    pub fn read(rounds: usize, count: usize) -> Options {
        match Options::parse(lexopt::Parser::from_env(), rounds, count) {
            Ok(Some(options)) => options,
            Ok(None) => {
                print!("{HELP}");
                std::process::exit(0);
            }
            Err(error) => {
                eprintln!("{error}\n\n{HELP}");
                std::process::exit(2);
            }
        }
    }

    /// `None` where help was asked for.
    fn parse(
        mut args: lexopt::Parser,
        rounds: usize,
        count: usize,
    ) -> Result<Option<Options>, lexopt::Error> {
        let (mut quick, mut words) = (false, Vec::new());
        let (mut given_rounds, mut given_count) = (None, None);
        while let Some(arg) = args.next()? {
            match arg {
                // Cargo's word for a test run of a benchmark.
                Long("quick" | "test") => quick = true,
                Long("rounds") => given_rounds = Some(args.value()?.parse()?),
                Long("count") => given_count = Some(args.value()?.parse()?),
                // Cargo passes it to every benchmark.
                Long("bench") => {}
                Value(word) => words.push(word.string()?),
                Short('h') | Long("help") => return Ok(None),
                other => return Err(other.unexpected()),
            }
        }
        let (rounds, count) = match quick {
            true => (1, (count / 100).next_multiple_of(64)),
            false => (rounds, count),
        };
        Ok(Some(Options {
            quick,
            rounds: given_rounds.unwrap_or(rounds),
            count: given_count.unwrap_or(count),
            dir: std::env::temp_dir(),
            words,
        }))
    }

    /// Whether a case of this name was asked for.
    pub fn wants(&self, name: &str) -> bool {
        self.words.iter().all(|word| name.contains(word.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str]) -> Result<Option<Options>, lexopt::Error> {
        Options::parse(lexopt::Parser::from_args(args), 5, 1_000_000)
    }

    #[test]
    fn a_number_that_is_given_overrules_a_short_run() {
        let quick = parse(&["--bench", "--quick"]).unwrap().unwrap();
        assert_eq!((quick.rounds, quick.count), (1, 10_048));
        let both = parse(&["--rounds", "3", "--quick", "block"]).unwrap().unwrap();
        assert_eq!((both.rounds, both.count), (3, 10_048));
        assert!(both.wants("core, block") && !both.wants("core, line"));
        assert!(parse(&["--help"]).unwrap().is_none());
        assert!(parse(&["--round", "3"]).is_err());
    }
}
