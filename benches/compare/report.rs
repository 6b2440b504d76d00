//! What was measured, as Markdown and as JSON.

use crate::input::Input;
use crate::machine::Facts;
use crate::rows::{Goal, Line, Report};
use crate::statistics::{Contest, Summary, number};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::sync::Arc;

/// A whole comparison.
pub(crate) struct Comparison {
    pub(crate) runs: usize,
    pub(crate) smoke: bool,
    pub(crate) machine: Facts,
    /// Before and after, over a minute each.
    pub(crate) load: (String, String),
    pub(crate) versions: Vec<(String, String)>,
    pub(crate) inputs: Vec<Arc<Input>>,
    pub(crate) reports: Vec<Report>,
    /// Rows of which nothing came at all; failures of single tools are with their row.
    pub(crate) broken: Vec<String>,
}

impl Comparison {
    /// Everything that went wrong.
    pub(crate) fn failures(&self) -> Vec<&String> {
        let of_tools = self.contests().flat_map(|(_, contest)| &contest.failures);
        self.broken.iter().chain(of_tools).collect()
    }

    fn contests(&self) -> impl Iterator<Item = &(String, Contest)> {
        self.reports.iter().flat_map(|report| &report.contests)
    }

    pub(crate) fn markdown(&self) -> String {
        let mut out = String::new();
        if self.smoke {
            out.push_str("**A smoke run: it shows that everything runs, its figures mean nothing.**\n\n");
        }
        out.push_str("| row | scenario | measure | goal | measured | met? |\n|---|---|---|---|---|---|\n");
        for line in self.reports.iter().flat_map(|report| &report.lines) {
            let cells = [line.row, &line.scenario, &line.measure, &goal(line.goal), &measured(line), met(line)];
            row(&mut out, cells.map(str::to_owned));
        }
        put(
            &mut out,
            format_args!("\nMedian of {} (least–greatest), the tools in turn; ratios are taken round ", self.runs),
        );
        out.push_str("by round. Met: by every round, by the median only, or not.\n\n");
        self.circumstances(&mut out);
        list(&mut out, "Missing", self.reports.iter().flat_map(|report| &report.missing));
        list(&mut out, "Failed", self.failures());
        list(&mut out, "Notes", self.reports.iter().flat_map(|report| &report.notes));
        for (heading, contest) in self.contests() {
            details(&mut out, heading, contest);
        }
        out
    }

    fn circumstances(&self, out: &mut String) {
        let machine: Vec<_> = self.machine.iter().map(|(name, value)| format!("{name} {value}")).collect();
        let (before, after) = &self.load;
        put(out, format_args!("- Machine: {}; load {before} before, {after} after\n", machine.join(", ")));
        for input in &self.inputs {
            let repeats = "beyond its end it is repeated";
            let (name, ratio) = (&input.name, number(input.ratio));
            put(
                out,
                format_args!("- Input: {name}, zstd -1 makes {ratio} to 1 of it; {} bytes, {repeats}\n", input.bytes),
            );
        }
        let versions: Vec<_> = self.versions.iter().map(|(name, version)| format!("{name}: {version}")).collect();
        put(out, format_args!("- Versions: {}\n", versions.join("; ")));
    }

    pub(crate) fn json(&self) -> Value {
        let texts = |pairs: Vec<(&str, &str)>| -> Value {
            pairs
                .into_iter()
                .map(|(name, value)| (name.to_owned(), Value::from(value)))
                .collect::<serde_json::Map<_, _>>()
                .into()
        };
        json!({
            "runs": self.runs,
            "smoke": self.smoke,
            "machine": texts(self.machine.iter().map(|(name, value)| (*name, value.as_str())).collect()),
            "load": [self.load.0, self.load.1],
            "versions": texts(self.versions.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()),
            "inputs": self.inputs.iter().map(|input| {
                json!({"name": input.name, "bytes": input.bytes, "zstd_1_ratio": input.ratio})
            }).collect::<Vec<_>>(),
            "lines": self.reports.iter().flat_map(|report| &report.lines).map(json_of_line).collect::<Vec<_>>(),
            "details": self.contests().map(json_of_contest).collect::<Vec<_>>(),
            "missing": self.reports.iter().flat_map(|report| &report.missing).collect::<Vec<_>>(),
            "failed": self.failures(),
            "notes": self.reports.iter().flat_map(|report| &report.notes).collect::<Vec<_>>(),
        })
    }
}

fn goal(goal: Goal) -> String {
    match goal {
        Goal::AtMost(bound) => format!("≤ {bound}"),
        Goal::AtLeast(bound) => format!("≥ {bound}"),
        Goal::None => "–".to_owned(),
    }
}

fn measured(line: &Line) -> String {
    Summary::of(&line.values).map_or_else(|| "not measured".to_owned(), |summary| summary.to_string())
}

fn met(line: &Line) -> &'static str {
    let Some(summary) = Summary::of(&line.values) else { return "–" };
    let all = line.values.iter().all(|value| line.goal.is_met(*value) == Some(true));
    match line.goal.is_met(summary.median) {
        None => "–",
        Some(true) if all => "yes",
        Some(true) => "by the median",
        Some(false) => "no",
    }
}

fn put(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("a String takes all");
}

/// A row of a table. A bar in a cell would end it.
fn row(out: &mut String, cells: impl IntoIterator<Item = String>) {
    for cell in cells {
        put(out, format_args!("| {} ", cell.replace('|', "\\|")));
    }
    out.push_str("|\n");
}

fn list<'a>(out: &mut String, heading: &str, items: impl IntoIterator<Item = &'a String>) {
    let items: Vec<_> = items.into_iter().collect();
    if !items.is_empty() {
        put(out, format_args!("\n{heading}:\n\n"));
        for item in items {
            put(out, format_args!("- {item}\n"));
        }
    }
}

fn details(out: &mut String, heading: &str, contest: &Contest) {
    // Some figures are not those of every tool.
    let first_rounds = contest.tools.iter().filter_map(|(_, rounds)| rounds.first());
    let Some(fullest) = first_rounds.max_by_key(|figures| figures.len()) else { return };
    let names: Vec<_> = fullest.iter().map(|(name, _)| *name).collect();
    put(out, format_args!("\n### {heading}\n\n"));
    row(out, std::iter::once("tool").chain(names.iter().copied()).map(str::to_owned));
    row(out, std::iter::repeat_n("---".to_owned(), names.len() + 1));
    for (tool, _) in &contest.tools {
        let figure = |name: &&str| {
            Summary::of(&contest.values(tool, name)).map_or_else(|| "–".to_owned(), |summary| summary.to_string())
        };
        row(out, std::iter::once(format!("`{tool}`")).chain(names.iter().map(figure)));
    }
}

fn json_of_line(line: &Line) -> Value {
    let (at_most, at_least) = match line.goal {
        Goal::AtMost(bound) => (Some(bound), None),
        Goal::AtLeast(bound) => (None, Some(bound)),
        Goal::None => (None, None),
    };
    json!({
        "row": line.row,
        "scenario": line.scenario,
        "measure": line.measure,
        "goal_at_most": at_most,
        "goal_at_least": at_least,
        "values": line.values,
        "median": Summary::of(&line.values).map(|summary| summary.median),
        "met": met(line),
    })
}

fn json_of_contest((heading, contest): &(String, Contest)) -> Value {
    let tools = contest.tools.iter().map(|(tool, rounds)| {
        let names: Vec<_> = rounds.first().into_iter().flatten().map(|(name, _)| *name).collect();
        let figures: serde_json::Map<_, _> =
            names.iter().map(|name| ((*name).to_owned(), contest.values(tool, name).into())).collect();
        json!({"tool": tool, "figures": figures})
    });
    json!({"heading": heading, "tools": tools.collect::<Vec<_>>()})
}
