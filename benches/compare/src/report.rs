//! Tables and plots out of the file of results.

use std::fmt::Write;
use std::path::Path;

use writer_benches::{QUANTILES, Rounds, Spread};

use crate::case::{CASES, Case, Lines};
use crate::data::{self, Kind, Run};
use crate::options::ReportOptions;
use crate::plot;
use crate::targets;

/// Of how many runs of a case the medians are: the last ones in the file.
const RUNS: usize = 9;

/// All results, and what is asked of them again and again.
pub struct Results {
    pub runs: Vec<Run>,
}

impl Results {
    /// The last runs of a case, the oldest first.
    fn of(&self, case: &str, kind: Kind, threads: u64) -> impl Iterator<Item = &Run> {
        let same = |run: &&Run| run.case == case && run.kind == kind && run.threads == threads;
        let runs: Vec<&Run> = self.runs.iter().filter(same).collect();
        let first = runs.len().saturating_sub(RUNS);
        runs.into_iter().skip(first)
    }

    /// The spread of something over the runs of a case; `None` where there are none.
    pub fn spread(
        &self,
        case: &str,
        kind: Kind,
        threads: u64,
        of: impl Fn(&Run) -> f64,
    ) -> Option<Spread> {
        let values: Vec<f64> = self.of(case, kind, threads).map(of).collect();
        (!values.is_empty()).then(|| Spread::of(values))
    }

    /// Events that were found in the file, a second, in millions.
    pub fn delivered(&self, case: &str, threads: u64) -> Option<Spread> {
        self.spread(case, Kind::Throughput, threads, delivered)
    }

    /// The latency of a quantile, by its place in [`QUANTILES`], in ns.
    pub fn latency(&self, case: &str, kind: Kind, quantile: usize) -> Option<Spread> {
        self.spread(case, kind, 1, |run| run.measured.quantiles[quantile] as f64)
    }

    /// How many times as many events `of` delivers as `to`, each pair of runs for itself.
    pub fn ratio(&self, of: (&str, u64), to: (&str, u64)) -> Option<Spread> {
        let mut rounds = Rounds::default();
        for (name, (case, threads)) in [("of", of), ("to", to)] {
            for run in self.of(case, Kind::Throughput, threads) {
                rounds.add(name, delivered(run));
            }
        }
        rounds.ratio("of", "to")
    }
}

fn delivered(run: &Run) -> f64 {
    run.found.events as f64 / run.measured.seconds / 1e6
}

pub fn report(options: &ReportOptions) {
    let results = Results { runs: data::read(&options.data) };
    let disk = options.disk.as_ref().map(|path| Results { runs: data::read(path) });
    let mut places = vec![("tmpfs", &results)];
    places.extend(disk.as_ref().map(|results| ("ext4", results)));
    let sections = [
        ("events", events(&results)),
        ("latency", latency(&results)),
        ("raw", raw(&results)),
        ("targets", targets::table(&places)),
        ("setup", setup()),
    ];
    for (name, text) in &sections {
        println!("## {name}\n\n{text}");
    }
    if let Some(docs) = &options.docs {
        replace(&docs.join("benchmarks.md"), &sections);
        let plots = docs.join("benchmarks");
        std::fs::create_dir_all(&plots).expect("a folder for the plots");
        plot::throughput(&results, &plots.join("throughput.svg"));
        plot::latency(&results, &plots.join("latency.svg"));
    }
}

/// Puts each section between its marks in the document.
fn replace(document: &Path, sections: &[(&str, String)]) {
    let mut text = std::fs::read_to_string(document).expect("a document");
    for (name, section) in sections {
        let (start, end) = (format!("<!-- {name}: generated -->"), "<!-- end -->");
        let from = text.find(&start).expect("a mark for each section") + start.len();
        let to = from + text[from..].find(end).expect("an end for each mark");
        text.replace_range(from..to, &format!("\n\n{section}\n"));
    }
    std::fs::write(document, text).expect("room for the document");
}

fn or_dash(spread: Option<Spread>, digits: usize) -> String {
    spread.map_or("-".into(), |spread| format!("{spread:.digits$}"))
}

fn median(spread: Option<Spread>, digits: usize) -> String {
    spread.map_or("-".into(), |spread| format!("{:.digits$}", spread.median))
}

/// What part of the events was not found, in the median run.
fn lost(results: &Results, case: &str, threads: u64) -> String {
    let lost = |run: &Run| 100.0 * (1.0 - run.found.events as f64 / run.events as f64);
    match results.spread(case, Kind::Throughput, threads, lost) {
        None => "-".into(),
        Some(spread) if spread.max == 0.0 => "0".into(),
        Some(spread) => format!("{:.1} %", spread.median),
    }
}

fn event_cases() -> impl Iterator<Item = &'static Case> {
    CASES.iter().filter(|case| matches!(case.lines, Lines::Json | Lines::Text))
}

fn events(results: &Results) -> String {
    let mut table = String::from(
        "| | 1 thread, M/s | 4 threads, M/s | CPU, us/event, 1 / 4 threads | peak memory, MiB, \
         1 / 4 | lost, 1 / 4 | bytes/line | allocations/event |\n|---|---|---|---|---|---|---|---|\n",
    );
    for case in event_cases() {
        let name = case.name;
        let of = |threads, f: fn(&Run) -> f64| results.spread(name, Kind::Throughput, threads, f);
        let cpu = |run: &Run| run.measured.cpu_seconds * 1e6 / run.events as f64;
        let peak = |run: &Run| run.measured.peak_kib as f64 / 1024.0;
        let bytes = |run: &Run| run.found.bytes as f64 / run.found.lines.max(1) as f64;
        let counted = results.spread(name, Kind::Allocations, 1, |run| {
            run.measured.allocations as f64 / (run.events / 2) as f64
        });
        writeln!(
            table,
            "| {name}{} | {} | {} | {} / {} | {} / {} | {} / {} | {} | {} |",
            if case.lines == Lines::Text { " (text)" } else { "" },
            or_dash(results.delivered(name, 1), 2),
            or_dash(results.delivered(name, 4), 2),
            median(of(1, cpu), 2),
            median(of(4, cpu), 2),
            median(of(1, peak), 0),
            median(of(4, peak), 0),
            lost(results, name, 1),
            lost(results, name, 4),
            median(of(1, bytes), 0),
            median(counted, 1),
        )
        .expect("a string grows");
    }
    let broken: u64 = results.runs.iter().map(|run| run.found.invalid).sum();
    let runs = results.runs.len();
    writeln!(table, "\n{broken} lines of all {runs} runs that should be JSON did not parse.")
        .expect("a string grows");
    table
}

fn latency(results: &Results) -> String {
    let mut table = String::from("| ns |");
    for (_, name) in QUANTILES {
        write!(table, " {name} |").expect("a string grows");
    }
    table.push_str(" bursts: p50 | p99 | p99.9 |\n|---|---|---|---|---|---|---|---|---|\n");
    let without_lines = CASES.iter().filter(|case| case.lines == Lines::None);
    for case in without_lines.chain(event_cases()) {
        write!(table, "| {} |", case.name).expect("a string grows");
        for quantile in 0..QUANTILES.len() {
            let value = median(results.latency(case.name, Kind::Latency, quantile), 0);
            write!(table, " {value} |").expect("a string grows");
        }
        for quantile in 0..3 {
            let value = median(results.latency(case.name, Kind::Bursts, quantile), 0);
            write!(table, " {value} |").expect("a string grows");
        }
        table.push('\n');
    }
    table
}

fn raw(results: &Results) -> String {
    let mut table = String::from(
        "| lines of 100 bytes | 1 thread, M/s | 4 threads, M/s | lost, 1 / 4 |\n|---|---|---|---|\n",
    );
    for case in CASES.iter().filter(|case| case.lines == Lines::Raw) {
        writeln!(
            table,
            "| {} | {} | {} | {} / {} |",
            case.name,
            or_dash(results.delivered(case.name, 1), 2),
            or_dash(results.delivered(case.name, 4), 2),
            lost(results, case.name, 1),
            lost(results, case.name, 4),
        )
        .expect("a string grows");
    }
    table
}

/// What each case is, and which version of it was built into this program.
fn setup() -> String {
    let mut table = String::from("| | package | set up as |\n|---|---|---|\n");
    for case in CASES {
        let Case { name, package, how, .. } = case;
        writeln!(table, "| {name} | {package} {} | {how} |", version(package))
            .expect("a string grows");
    }
    table
}

fn version(package: &str) -> &'static str {
    let lock = include_str!("../Cargo.lock");
    let name = format!("name = \"{package}\"\nversion = \"");
    let version = lock.split_once(&name).and_then(|(_, rest)| rest.split('"').next());
    version.unwrap_or("")
}
