//! What was found in archives, or written to one, in words and as JSON. Pure.

use crate::cli::exit::Exit;
use crate::cli::text::{aligned, counted, one_line, plain, ratio};
use serde_json::{Map, Value, json};
use spillpipe::archive::{End, Error, FileReport, Problem, Summary, Verdict, Written};
use spillpipe::units::human;
use std::fmt::Write as _;
use std::ops::Range;

/// In a word.
pub(super) fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Sound => "sound",
        Verdict::Incomplete => "incomplete",
        Verdict::Unreadable => "unreadable",
        Verdict::Damaged => "damaged",
    }
}

/// The exit status that it comes to.
pub(super) fn exit(verdict: Verdict) -> Exit {
    match verdict {
        Verdict::Sound => Exit::Done,
        Verdict::Incomplete => Exit::Incomplete,
        Verdict::Unreadable => Exit::Failed,
        Verdict::Damaged => Exit::Damaged,
    }
}

/// An error in words, without Rust's "(os error 2)".
pub(super) fn error(error: &Error) -> String {
    match error {
        Error::Io { doing, name, at, source } => {
            let at = at.filter(|at| *at > 0).map_or(String::new(), |at| format!(" at byte {at}"));
            format!("cannot {doing} {name}{at}: {}", plain(source))
        }
        error => error.to_string(),
    }
}

/// A file in one line.
pub(super) fn line(report: &FileReport, quick: bool) -> String {
    let size = size(&report.summary);
    let end = match report.end {
        Some(end) => format!(", {end}"),
        None if report.summary.segments > 0 => ", goes on in the next file".to_owned(),
        None => String::new(),
    };
    let text = match (&report.error, report.verdict()) {
        (Some(failed), _) => error(failed),
        (None, Verdict::Sound) if quick => format!("ok as far as a quick look tells, {size}{end}"),
        (None, Verdict::Sound) => format!("ok, {size}{end}"),
        (None, Verdict::Incomplete) => {
            format!("{}, {size}", report.end.map_or("incomplete".to_owned(), |end| end.to_string()))
        }
        (None, _) => {
            // "complete" beside damage would be misread.
            let end = if report.end.is_some_and(End::is_complete) { ", its end mark is there" } else { &end };
            format!("damaged, {}, {size}{end}", counted(problems(report), "problem"))
        }
    };
    one_line(&format!("{}: {text}", report.name))
}

/// How much it is.
fn size(summary: &Summary) -> String {
    let size = format!("{} in {}", human(summary.all.raw_bytes), counted(summary.all.chunks, "chunk"));
    match summary.first {
        Some((_, offset)) if offset.0 > 0 => format!("{size}, from byte {} of its stream on", offset.0),
        _ => size,
    }
}

fn problems(report: &FileReport) -> u64 {
    report.problems.len() as u64 + report.more_problems
}

/// What is wrong and where, a line each; with `gaps`, also what is missing on purpose.
pub(super) fn table(report: &FileReport, gaps: bool) -> String {
    let found: Vec<_> = report.problems.iter().chain(&report.cut).collect();
    let gaps: Vec<_> = report.gaps.iter().filter(|_| gaps).collect();
    if found.is_empty() && gaps.is_empty() {
        return String::new();
    }
    let head = ["  bytes", "chunks", "stream bytes", "what"].map(str::to_owned);
    let mut rows = vec![head];
    rows.extend(found.into_iter().map(|problem| {
        let chunks = problem.chunks.as_ref().map(|chunks| chunks.start.0..chunks.end.0);
        [
            format!("  {}", span(Some(problem.at..problem.end.unwrap_or(problem.at)))),
            span(chunks),
            span(problem.offsets.as_ref().map(|bytes| bytes.start.0..bytes.end.0)),
            one_line(&problem.kind.to_string()),
        ]
    }));
    rows.extend(gaps.into_iter().map(|gap| {
        let what = "gap: dropped before it was written".to_owned();
        [format!("  {}", gap.at), "-".to_owned(), span(Some(gap.offsets.start.0..gap.offsets.end.0)), what]
    }));
    let mut text = aligned(&rows);
    if report.more_problems > 0 {
        let _ = writeln!(text, "  and {} more", counted(report.more_problems, "problem"));
    }
    text
}

/// `3`, `3 - 7`; a dash when it is not known, or none.
fn span(range: Option<Range<u64>>) -> String {
    match range {
        Some(range) if range.end > range.start + 1 => format!("{} - {}", range.start, range.end - 1),
        Some(range) if range.end >= range.start => range.start.to_string(),
        _ => "-".to_owned(),
    }
}

/// Why the command fails because of this file, in one sentence.
pub(super) fn reason(report: &FileReport) -> String {
    let name = &report.name;
    if let Some(failed) = &report.error {
        return error(failed);
    }
    match report.verdict() {
        Verdict::Damaged if report.summary.segments == 0 && report.summary.all.chunks == 0 => {
            format!("{name} is no archive, or nothing of one is left where it was looked for: {}", first(report))
        }
        Verdict::Damaged => {
            let problems = counted(problems(report), "problem");
            format!("{name} is damaged: {problems}; 'spillpipe salvage' gets back what is undamaged")
        }
        _ => format!("{name} is {}", report.end.map_or("incomplete".to_owned(), |end| end.to_string())),
    }
}

/// What was found first.
fn first(report: &FileReport) -> String {
    report.problems.first().map(|problem| problem.kind.to_string()).unwrap_or_default()
}

/// Everything, for programs.
pub(super) fn as_json(report: &FileReport) -> Value {
    let mut all = Map::new();
    all.insert("file".to_owned(), json!(report.name));
    all.insert("verdict".to_owned(), json!(word(report.verdict())));
    all.insert("end".to_owned(), json!(report.end.map(spillpipe::archive::End::name)));
    all.extend(figures(&report.summary));
    let first = report.summary.first;
    all.insert("first_chunk".to_owned(), json!(first.map(|(seq, _)| seq.0)));
    all.insert("first_offset_bytes".to_owned(), json!(first.map(|(_, offset)| offset.0)));
    all.insert("problems".to_owned(), report.problems.iter().map(problem_json).collect());
    all.insert("more_problems".to_owned(), json!(report.more_problems));
    all.insert("cut".to_owned(), json!(report.cut.as_ref().map(problem_json)));
    let gap = |gap: &spillpipe::archive::Gap| json!({ "at_byte": gap.at, "offset_bytes": gap.offsets.start.0, "bytes": gap.offsets.end.0 - gap.offsets.start.0 });
    all.insert("gap_list".to_owned(), report.gaps.iter().map(gap).collect());
    all.insert("error".to_owned(), json!(report.error.as_ref().map(error)));
    Value::Object(all)
}

/// The figures of what was written to an archive.
pub(super) fn written(command: &str, is_complete: bool, written: &Written) -> Map<String, Value> {
    let mut all = Map::new();
    for (name, value) in [
        ("command", json!(command)),
        ("end", json!(if is_complete { "complete" } else { "incomplete" })),
        ("bytes_in", json!(written.raw_bytes)),
        ("stored_bytes", json!(written.stored_bytes)),
        ("ratio", json!(ratio(written.raw_bytes, written.stored_bytes))),
        ("chunks_in", json!(written.chunks)),
        ("raw_chunks", json!(written.raw_chunks)),
        ("segments", json!(written.segments)),
    ] {
        all.insert(name.to_owned(), value);
    }
    all
}

/// The counts that every JSON of an archive has.
pub(super) fn figures(summary: &Summary) -> Map<String, Value> {
    let mut all = Map::new();
    for (name, value) in [
        ("bytes", summary.bytes),
        ("segments", summary.segments),
        ("chunks", summary.all.chunks),
        ("raw_bytes", summary.all.raw_bytes),
        ("stored_bytes", summary.all.stored_bytes),
        ("gaps", summary.gaps),
        ("gap_bytes", summary.gap_bytes),
    ] {
        all.insert(name.to_owned(), json!(value));
    }
    all
}

fn problem_json(problem: &Problem) -> Value {
    json!({
        "at_byte": problem.at,
        "end_byte": problem.end,
        "first_chunk": problem.chunks.as_ref().map(|chunks| chunks.start.0),
        "end_chunk": problem.chunks.as_ref().map(|chunks| chunks.end.0),
        "offset_bytes": problem.offsets.as_ref().map(|bytes| bytes.start.0),
        "end_offset_bytes": problem.offsets.as_ref().map(|bytes| bytes.end.0),
        "what": problem.kind.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_says_its_first_and_its_last() {
        let told = |start, end| span(Some(Range { start, end }));
        assert_eq!([told(3, 8), told(3, 4), told(3, 3), told(3, 2), span(None)], ["3 - 7", "3", "3", "-", "-"]);
    }
}
