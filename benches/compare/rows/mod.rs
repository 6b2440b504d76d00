//! The rows, and what they have in common.

mod archive;
mod cache;
mod drain;
mod echo;
mod keeping_up;
mod lagging;
mod memory;
mod paced;
mod session;
mod spool;

pub(crate) use session::curves;

use crate::context::Context;
use crate::flow::Outcome;
use crate::peers::Tool;
use crate::statistics::{Contest, Figures};
use std::io;

pub(crate) const GIB: f64 = (1_u64 << 30) as f64;
pub(crate) const MIB: f64 = (1_u64 << 20) as f64;
pub(crate) const MB: f64 = 1e6;
/// What a producer writes and a consumer reads at once, where no row says otherwise.
pub(crate) const CALL_BYTES: usize = 128 << 10;

/// Names of figures, with their units.
pub(crate) const PRODUCER: &str = "producer done, s";
pub(crate) const TOTAL: &str = "all done, s";
pub(crate) const DISK: &str = "peak disk, MB";
pub(crate) const RSS: &str = "peak RSS, MB";
pub(crate) const CPU: &str = "CPU, s";

/// Names of the rows that are measured together, and how.
pub(crate) type Row = (&'static [&'static str], fn(&Context) -> io::Result<Report>);

pub(crate) const ROWS: &[Row] = &[
    (&["session"], session::run),
    (&["P1", "P2"], keeping_up::run),
    (&["P3"], lagging::auto),
    (&["P4"], lagging::lz4),
    (&["P5"], lagging::zstd),
    (&["P6"], paced::run),
    (&["P7"], drain::run),
    (&["P8"], echo::run),
    (&["P9"], memory::run),
    (&["P11"], spool::run),
    (&["P12", "P14"], archive::run),
    (&["P13"], cache::run),
];

/// What is to be reached, if anything.
#[derive(Clone, Copy)]
pub(crate) enum Goal {
    AtMost(f64),
    AtLeast(f64),
    None,
}

impl Goal {
    pub(crate) fn is_met(self, value: f64) -> Option<bool> {
        match self {
            Self::AtMost(bound) => Some(value <= bound),
            Self::AtLeast(bound) => Some(value >= bound),
            Self::None => None,
        }
    }
}

/// One measure of a row beside its goal.
pub(crate) struct Line {
    pub(crate) row: &'static str,
    pub(crate) scenario: String,
    /// With its unit, unless it is a ratio.
    pub(crate) measure: String,
    pub(crate) goal: Goal,
    /// Round by round; none if it could not be measured.
    pub(crate) values: Vec<f64>,
}

/// What came of the rows measured together.
#[derive(Default)]
pub(crate) struct Report {
    pub(crate) lines: Vec<Line>,
    /// Headings, and every tool's own figures.
    pub(crate) contests: Vec<(String, Contest)>,
    pub(crate) missing: Vec<String>,
    pub(crate) notes: Vec<String>,
}

impl Report {
    /// Measures the tools that are there in turn, and keeps what came of it under this heading.
    fn contest(
        &mut self,
        context: &Context,
        heading: &str,
        runs: usize,
        tools: Vec<Tool>,
        mut measure: impl FnMut(&Tool) -> io::Result<Figures>,
    ) -> &Contest {
        let (tools, missing) = context.peers.present(tools);
        self.missing.extend(missing.into_iter().map(|what| format!("{heading}: {what}")));
        let names: Vec<_> = tools.iter().map(|tool| tool.name.clone()).collect();
        let measured = Contest::run(heading, runs, &names, |i| measure(&tools[i]));
        self.contests.push((heading.to_owned(), measured));
        &self.contests[self.contests.len() - 1].1
    }
}

/// What most rows want to know of a run. A file has neither memory nor processes of its own.
fn figures(outcome: &Outcome) -> Figures {
    let of_processes = [(RSS, outcome.seen.rss_peak_bytes as f64 / MB), (CPU, outcome.cpu_seconds)];
    let mut figures = vec![
        (PRODUCER, outcome.producer_seconds),
        (TOTAL, outcome.total_seconds),
        (DISK, outcome.seen.disk_peak_bytes as f64 / MB),
    ];
    figures.extend(of_processes.into_iter().filter(|(_, value)| *value > 0.0));
    figures
}

/// `cat > file`, as a tool among others: what runs it knows it by its name.
fn temp_file(name: &str) -> Tool {
    Tool { name: name.to_owned(), stages: vec![vec!["cat".to_owned()]] }
}

/// A figure out of what spillpipe said of itself.
fn stat(outcome: &Outcome, name: &str) -> io::Result<f64> {
    outcome.stats[name].as_f64().ok_or_else(|| io::Error::other(format!("spillpipe's --stats have no {name}")))
}

/// What the codec policy did in a run, in a line.
fn codecs(outcome: &Outcome) -> String {
    let stats = &outcome.stats;
    format!(
        "chunks {}, ratio {}, producer waited {} s",
        stats["chunks"], stats["ratio"], stats["producer_waited_seconds"]
    )
}

/// One note of all runs' codecs, if there was a run.
fn codecs_note(heading: &str, runs: &[String]) -> Option<String> {
    (!runs.is_empty()).then(|| format!("{heading}: what `auto` chose, run by run: {}", runs.join("; ")))
}
