//! The file of results: one JSON object a line, each one run of one case.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// From the first event until the last is in the file.
    Throughput,
    /// What a call costs its caller, one every 10 us.
    Latency,
    /// The same, 100 back to back every millisecond.
    Bursts,
    /// Allocations of all threads.
    Allocations,
}

impl Kind {
    pub const ALL: [Kind; 4] = [Kind::Throughput, Kind::Latency, Kind::Bursts, Kind::Allocations];

    pub fn name(self) -> &'static str {
        match self {
            Kind::Throughput => "throughput",
            Kind::Latency => "latency",
            Kind::Bursts => "bursts",
            Kind::Allocations => "allocations",
        }
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Kind, String> {
        let known = Kind::ALL.into_iter().find(|kind| kind.name() == text);
        known.ok_or_else(|| "throughput, latency, bursts or allocations".into())
    }
}

/// What a child has measured.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Measured {
    /// From the first event until the last byte was in the file.
    pub seconds: f64,
    /// Processor time of all threads in that time.
    pub cpu_seconds: f64,
    /// The most memory that was resident, in KiB.
    pub peak_kib: u64,
    /// Of all threads.
    pub allocations: u64,
    /// Latency in ns: p50, p99, p99.9, p99.99, max. Empty for other kinds.
    pub quantiles: Vec<u64>,
}

/// What was found in the files of a run.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Found {
    pub bytes: u64,
    pub lines: u64,
    /// Different events that are complete: message and all four fields.
    pub events: u64,
    /// Lines that should be JSON and are not.
    pub invalid: u64,
}

/// One run of one case.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Run {
    pub case: String,
    pub kind: Kind,
    pub threads: u64,
    /// Logged.
    pub events: u64,
    /// Seconds since 1970 when the run ended.
    pub time: u64,
    /// Of this repository.
    pub commit: String,
    #[serde(flatten)]
    pub measured: Measured,
    pub found: Found,
}

impl Run {
    /// Appends this to the file.
    pub fn append(&self, path: &Path) -> std::io::Result<()> {
        let mut file = File::options().create(true).append(true).open(path)?;
        let mut line = serde_json::to_vec(self)?;
        line.push(b'\n');
        file.write_all(&line)
    }
}

/// All runs in the file.
pub fn read(path: &Path) -> Vec<Run> {
    let text = std::fs::read_to_string(path)
        .unwrap_or_else(|e| panic!("{} cannot be read: {e}", path.display()));
    text.lines().map(|line| serde_json::from_str(line).expect("a run")).collect()
}
