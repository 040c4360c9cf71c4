//! What the writer wants to reach, as ratios within one run and as limits.

use std::fmt::Write;

use writer_benches::Spread;

use crate::case::{BARE, NO_OP, WRITE_LIMIT};
use crate::data::{Kind, Run};
use crate::report::Results;

/// What the no-op row reads, p50, p99 and p99.9 in ns, on the machine that the limits in ns are
/// for. Elsewhere they are stated a second time, scaled by that row.
const REFERENCE: [f64; 3] = [30.0, 30.0, 40.0];

const APPENDER: &str = "tracing-subscriber + tracing-appender";
const SPDLOG: &str = "spdlog-rs, synchronous";

struct Target {
    what: String,
    reached: Option<Spread>,
    digits: usize,
    /// A ratio must be at least this, a cost at most.
    limit: f64,
    /// The second figure, the aim.
    aim: Option<f64>,
    is_cost: bool,
    /// The limit, for a machine as fast as the no-op row says.
    scaled: Option<f64>,
    /// What the barest layer reached in the same run.
    barest: Option<f64>,
}

impl Target {
    fn verdict(&self) -> &'static str {
        let Some(reached) = self.reached else { return "not measured" };
        let meets = |limit: f64| {
            if self.is_cost { reached.median <= limit } else { reached.median >= limit }
        };
        match (meets(self.limit), self.aim.map(meets), self.scaled.map(meets)) {
            (true, Some(true), _) => "reached, and the aim",
            (true, _, Some(false)) => "reached, not scaled",
            (false, _, Some(true)) => "reached scaled",
            (true, ..) => "reached",
            (false, ..) => "missed",
        }
    }
}

fn count(threads: u64) -> String {
    if threads == 1 { "1 thread".into() } else { format!("{threads} threads") }
}

fn ratio(
    results: &Results,
    of: &str,
    to: &str,
    threads: u64,
    limit: f64,
    aim: Option<f64>,
) -> Target {
    // The limit of the machine has no threads.
    let to_threads = if to == WRITE_LIMIT { 1 } else { threads };
    Target {
        what: format!("{of} / {to}, {}", count(threads)),
        reached: results.ratio((of, threads), (to, to_threads)),
        digits: 2,
        limit,
        aim,
        is_cost: false,
        scaled: None,
        barest: (of == "writer-tracing")
            .then(|| results.ratio((BARE, threads), (to, to_threads)))
            .flatten()
            .map(|spread| spread.median),
    }
}

fn ratios(results: &Results) -> Vec<Target> {
    let mut targets = Vec::new();
    for threads in [1, 4] {
        targets.push(ratio(results, "raw: writer-core", WRITE_LIMIT, threads, 0.6, Some(0.9)));
        let buffered = "raw: tracing-appender over a BufWriter";
        targets.push(ratio(results, "raw: writer-core", buffered, threads, 2.5, None));
    }
    for ours in ["writer-tracing", "writer-log"] {
        for (threads, limit, aim) in [(1, 8.0, 10.0), (4, 9.0, 11.0)] {
            targets.push(ratio(results, ours, APPENDER, threads, limit, Some(aim)));
            targets.push(ratio(results, ours, SPDLOG, threads, 2.5, None));
        }
    }
    targets.push(ratio(results, "writer-log, line", "writer-log", 1, 0.8, None));
    targets.push(ratio(results, "writer-tracing, mmap", "writer-tracing", 1, 0.5, None));
    targets
}

fn costs(results: &Results) -> Vec<Target> {
    let cost = |what: String, reached, digits, limit, aim| Target {
        what,
        reached,
        digits,
        limit,
        aim,
        is_cost: true,
        scaled: None,
        barest: None,
    };
    let median = |spread: Option<Spread>| spread.map(|spread| spread.median);
    let mut targets = Vec::new();
    for ours in ["writer-tracing", "writer-log"] {
        // It is a layer for `tracing`.
        let beside_barest = ours == "writer-tracing";
        for threads in [1, 4] {
            let of =
                |case: &str, f: fn(&Run) -> f64| results.spread(case, Kind::Throughput, threads, f);
            let cpu = |run: &Run| run.measured.cpu_seconds * 1e6 / run.events as f64;
            let what = format!("{ours}: CPU per event, us, {}", count(threads));
            let barest = median(of(BARE, cpu)).filter(|_| beside_barest);
            let target = cost(what, of(ours, cpu), 3, 0.20, Some(0.15));
            targets.push(Target { barest, ..target });
            let peak = of(ours, |run| run.measured.peak_kib as f64 / 1024.0);
            let what = format!("{ours}: peak memory, MiB, {}", count(threads));
            targets.push(cost(what, peak, 1, 16.0, None));
        }
        let allocations =
            results.spread(ours, Kind::Allocations, 1, |run| run.measured.allocations as f64);
        let what = format!("{ours}: allocations of 100 000 events in the steady state");
        targets.push(cost(what, allocations, 0, 0.0, None));
        let names = ["p50", "p99", "p99.9"];
        let mut latency = |case: &str, kind: Kind, quantile: usize, limit: f64| {
            let of = |case: &str| results.latency(case, kind, quantile);
            let scaled = median(of(NO_OP)).map(|no_op| limit * no_op / REFERENCE[quantile]);
            let barest = median(of(BARE)).filter(|_| beside_barest);
            let what = format!("{case}: {} {}, ns", kind.name(), names[quantile]);
            targets.push(Target { scaled, barest, ..cost(what, of(case), 0, limit, None) });
        };
        for (quantile, limit) in [170.0, 250.0, 600.0].into_iter().enumerate() {
            latency(ours, Kind::Latency, quantile, limit);
        }
        latency(ours, Kind::Bursts, 0, 170.0);
        latency(ours, Kind::Bursts, 1, 400.0);
        if ours == "writer-tracing" {
            latency("writer-tracing, loop", Kind::Latency, 2, 400.0);
        }
    }
    targets
}

/// A row for each target, with two columns for each place where files were.
pub fn table(places: &[(&str, &Results)]) -> String {
    let mut table = String::from("| | target | aim |");
    for (name, _) in places {
        write!(table, " {name} (min..max) | |").expect("a string grows");
    }
    table.push_str(&format!("\n|---|---|---|{}\n", "---|---|".repeat(places.len())));
    let columns: Vec<Vec<Target>> = places
        .iter()
        .map(|(_, results)| ratios(results).into_iter().chain(costs(results)).collect())
        .collect();
    for (row, Target { what, digits, limit, aim, is_cost, .. }) in columns[0].iter().enumerate() {
        let sign = if *is_cost { "<=" } else { ">=" };
        let aim = aim.map_or(String::new(), |aim| format!("{sign} {aim:.digits$}"));
        write!(table, "| {what} | {sign} {limit:.digits$} | {aim} |").expect("a string grows");
        for column in &columns {
            let Target { reached, scaled, barest, .. } = &column[row];
            let reached = reached.map_or("-".into(), |spread| format!("{spread:.digits$}"));
            let scaled = scaled.map_or(String::new(), |to| format!("; scaled {to:.digits$}"));
            let barest = barest.map_or(String::new(), |to| format!("; barest {to:.digits$}"));
            write!(table, " {reached}{scaled}{barest} | {} |", column[row].verdict())
                .expect("a string grows");
        }
        table.push('\n');
    }
    table
}
