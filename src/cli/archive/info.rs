//! `spillpipe info` of an archive: what is in it, without reading its data.

use super::findings;
use crate::cli::clash::{self, Files, Stream};
use crate::cli::exit::Failure;
use crate::cli::info::InfoArgs;
use crate::cli::text::{cannot_print, counted, one_line, ratio};
use serde_json::{Map, Value, json};
use spillpipe::archive::{
    End, FileReport, Input, Observer, RATIO_CLASSES, RATIO_PERCENT_MAX, Summary, Verdict, Verifier, VerifyOptions,
    is_spool,
};
use spillpipe::format::{CodecId, Family, StoreId};
use spillpipe::units::human;
use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::Path;

/// Columns of the longest bar.
const BAR_COLUMNS: u64 = 50;
/// So much of the places of problems is told.
const PROBLEM_BYTES_MAX: usize = 1 << 20;

/// Whether it is a directory that is a spool, or at least no archive: what [`crate::cli::spool`] tells of.
pub(in crate::cli) fn is_for_spool(path: &Path) -> bool {
    path.as_os_str() != "-" && path.is_dir() && (is_spool(path) || Input::of(path).is_err())
}

/// Runs it.
pub(in crate::cli) fn run(args: &InfoArgs) -> Result<(), Failure> {
    if args.path.as_os_str() == "-" && io::stdin().is_terminal() {
        return Err(Failure::usage("an archive does not come from a terminal; give a PATH"));
    }
    let input = Stream::Archives(std::slice::from_ref(&args.path));
    clash::refuse(Files { input, output: Stream::Given(None), log: None, stats: None })?;
    let totals = look(&args.path)?;
    let name = args.path.display().to_string();
    let text = if args.json { format!("{:#}\n", as_json(&name, &totals)) } else { table(&name, &totals) };
    let printed = io::stdout().write_all(text.as_bytes()).and_then(|()| io::stdout().flush());
    printed.map_err(|error| cannot_print(&error))?;
    match totals.wrong {
        Some((verdict, text)) => Err(Failure { exit: findings::exit(verdict), text }),
        None => Ok(()),
    }
}

/// What is there in all.
#[derive(Default)]
struct Totals {
    summary: Summary,
    end: Option<End>,
    problems: u64,
    /// Where they are.
    problem_tables: String,
    /// What is wrong, and why, of the file that is worst. A missing end is not.
    wrong: Option<(Verdict, String)>,
    /// Nothing could be looked at.
    failed: Option<Failure>,
}

impl Observer for Totals {
    fn report(&mut self, report: FileReport) {
        let verdict = report.verdict();
        if report.error.is_some() && self.summary.segments == 0 {
            self.failed = Some(Failure { exit: findings::exit(verdict), text: findings::reason(&report) });
        }
        self.summary.add(&report.summary);
        self.end = report.end;
        self.problems += report.problems.len() as u64 + report.more_problems;
        if self.problem_tables.len() < PROBLEM_BYTES_MAX && !report.problems.is_empty() {
            let _ = write!(self.problem_tables, "\n{}:\n{}", one_line(&report.name), findings::table(&report, false));
        }
        if verdict > self.wrong.as_ref().map_or(Verdict::Incomplete, |(worst, _)| *worst) {
            self.wrong = Some((verdict, findings::reason(&report)));
        }
    }
}

fn look(path: &Path) -> Result<Totals, Failure> {
    let inputs = Input::of(path).map_err(|error| Failure::new(findings::error(&error)))?;
    let (mut options, mut totals) = (VerifyOptions::default(), Totals::default());
    options.quick = true;
    let mut verifier = Verifier::new(&options).map_err(Failure::io("cannot start a thread"))?;
    for input in &inputs {
        verifier.input(input, &mut totals);
    }
    verifier.finish(&mut totals);
    match totals.failed.take() {
        Some(failure) if totals.summary.segments == 0 => Err(failure),
        _ => Ok(totals),
    }
}

fn table(name: &str, totals: &Totals) -> String {
    let (summary, mut text) = (&totals.summary, String::new());
    let mut row = |name: &str, value: &str| {
        let _ = writeln!(text, "{name:<12}{}", one_line(value));
    };
    row("archive", name);
    let end = totals.end.map_or_else(|| "unknown".to_owned(), |end| end.to_string());
    row("stream", &format!("{end}, {}", positions(summary)));
    if let Some(store) = summary.store {
        let others = match summary.other_stores {
            0 => String::new(),
            count => format!(", and {} of others", counted(count, "segment")),
        };
        row("store", &format!("{}{others}", hex(&store)));
    }
    row("segments", &segments(summary));
    if let Some((first, last)) = summary.created_ns {
        let last = if first == last { String::new() } else { format!(" to {}", date(last)) };
        row("created", &format!("{}{last}", date(first)));
    }
    row("stored", &stored(summary.all.raw_bytes, summary.bytes));
    if let Some((least, most)) = summary.chunk_bytes {
        let chunks = counted(summary.all.chunks, "chunk");
        let least = if least == most { String::new() } else { format!("{} to ", human(least.into())) };
        row("chunks", &format!("{chunks} of {least}{}", human(most.into())));
    }
    for (codec, sum) in CodecId::ALL.iter().zip(&summary.codecs).filter(|(_, sum)| sum.chunks > 0) {
        let chunks = counted(sum.chunks, "chunk");
        row(codec_name(*codec), &format!("{chunks}, {}", stored(sum.raw_bytes, sum.stored_bytes)));
    }
    if summary.gaps > 0 {
        row("gaps", &format!("{}, {} dropped before they were written", summary.gaps, human(summary.gap_bytes)));
    }
    if totals.problems > 0 {
        row("damage", &counted(totals.problems, "problem"));
    }
    text + &histogram(summary) + &totals.problem_tables
}

fn positions(summary: &Summary) -> String {
    match (summary.first, summary.next) {
        (Some((_, first)), Some((_, next))) => format!("bytes {first} to {next}"),
        _ => "no data".to_owned(),
    }
}

fn segments(summary: &Summary) -> String {
    let numbers = summary.numbers.map_or(String::new(), |(first, last)| {
        if first == last { format!(", number {first}") } else { format!(", numbers {first} to {last}") }
    });
    let families = Family::ALL.iter().zip(summary.families).filter(|(_, count)| *count > 0);
    let families: Vec<_> = families.map(|(family, _)| family_name(*family)).collect();
    format!("{}{numbers}, readable with {}", summary.segments, families.join(" and "))
}

fn family_name(family: Family) -> &'static str {
    match family {
        Family::Zstd => "zstd -dc",
        Family::Lz4 => "lz4 -dc",
    }
}

fn codec_name(codec: CodecId) -> &'static str {
    match codec {
        CodecId::Raw => "raw",
        CodecId::Zstd => "zstd",
        CodecId::Lz4 => "lz4",
    }
}

fn stored(raw_bytes: u64, stored_bytes: u64) -> String {
    let times =
        if stored_bytes < raw_bytes { format!(" ({:.2}x)", ratio(raw_bytes, stored_bytes)) } else { String::new() };
    format!("{} in {}{times}", human(raw_bytes), human(stored_bytes))
}

/// How many chunks shrank to how much: classes from the best to the worst that there is a chunk in.
fn histogram(summary: &Summary) -> String {
    let most = summary.ratios.iter().copied().max().unwrap_or(0);
    let some = |class: &usize| summary.ratios[*class] > 0;
    let (Some(first), Some(last)) = ((0..RATIO_CLASSES).find(some), (0..RATIO_CLASSES).rev().find(some)) else {
        return String::new();
    };
    let mut text = "\nshrunk to      chunks\n".to_owned();
    for class in first..=last {
        let chunks = summary.ratios[class];
        let percent = RATIO_PERCENT_MAX.get(class).map_or("not at all".to_owned(), |most| format!("to {most} %"));
        // One that is there shows.
        let bar = "#"
            .repeat(usize::try_from((u128::from(chunks) * u128::from(BAR_COLUMNS)).div_ceil(most.into())).unwrap_or(0));
        let _ = writeln!(text, "{}", format!("{percent:>10} {chunks:>10}  {bar}").trim_end());
    }
    text
}

/// A moment in words: date and time, UTC.
fn date(ns: u64) -> String {
    let seconds = ns / 1_000_000_000;
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Years that begin in March end with the leap day.
    let since_march_0 = days + 719_468;
    let (era, day) = (since_march_0 / 146_097, since_march_0 % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (year, month) = (year + era * 400 + u64::from(month >= 10), if month < 10 { month + 3 } else { month - 9 });
    let (hour, minute) = (second / 3600, second / 60 % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{:02} UTC", second % 60)
}

fn hex(store: &StoreId) -> String {
    store.0.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}"); // A String takes any text.
        text
    })
}

fn as_json(name: &str, totals: &Totals) -> Value {
    let summary = &totals.summary;
    let mut all = Map::new();
    let mut put = |name: &str, value: Value| all.insert(name.to_owned(), value);
    put("version", json!(env!("CARGO_PKG_VERSION")));
    put("archive", json!(name));
    put("stream", json!(totals.end.map(End::name)));
    put("store", json!(summary.store.as_ref().map(hex)));
    put("other_stores", json!(summary.other_stores));
    put("first_segment", json!(summary.numbers.map(|(first, _)| first.0)));
    put("last_segment", json!(summary.numbers.map(|(_, last)| last.0)));
    put("created_ns", json!(summary.created_ns.map(|(first, _)| first)));
    put("last_created_ns", json!(summary.created_ns.map(|(_, last)| last)));
    put("oldest_offset_bytes", json!(summary.first.map(|(_, offset)| offset.0)));
    put("newest_offset_bytes", json!(summary.next.map(|(_, offset)| offset.0)));
    put("first_chunk", json!(summary.first.map(|(seq, _)| seq.0)));
    put("smallest_chunk_bytes", json!(summary.chunk_bytes.map(|(least, _)| least)));
    put("largest_chunk_bytes", json!(summary.chunk_bytes.map(|(_, most)| most)));
    put("problems", json!(totals.problems));
    let ratio_of = |raw, stored| (stored > 0).then(|| ratio(raw, stored));
    put("ratio", json!(ratio_of(summary.all.raw_bytes, summary.bytes)));
    let families = Family::ALL.iter().zip(summary.families);
    put("families", families.map(|(family, count)| (family.extension(), count)).collect());
    let codecs = CodecId::ALL.iter().zip(&summary.codecs).map(|(codec, sum)| {
        let sum = json!({ "chunks": sum.chunks, "raw_bytes": sum.raw_bytes, "stored_bytes": sum.stored_bytes });
        (codec_name(*codec), sum)
    });
    put("codecs", codecs.collect());
    let ratios = summary
        .ratios
        .iter()
        .enumerate()
        .map(|(class, chunks)| json!({ "percent_max": RATIO_PERCENT_MAX.get(class), "chunks": chunks }));
    put("ratios", ratios.collect());
    all.extend(findings::figures(summary));
    Value::Object(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (seconds, expected) in [
            (0, "1970-01-01 00:00:00 UTC"),
            (951_782_399, "2000-02-28 23:59:59 UTC"),
            (951_782_400, "2000-02-29 00:00:00 UTC"),
            (951_868_800, "2000-03-01 00:00:00 UTC"),
            (1_704_067_199, "2023-12-31 23:59:59 UTC"),
            (4_107_542_400, "2100-03-01 00:00:00 UTC"),
        ] {
            assert_eq!(date(seconds * 1_000_000_000), expected);
        }
        assert_eq!(date(u64::MAX), "2554-07-21 23:34:33 UTC");
    }

    #[test]
    fn the_longest_bar_is_as_long_as_bars_may_be_and_lines_fit_a_terminal() {
        let mut summary = Summary::default();
        assert_eq!(histogram(&summary), "");
        (summary.ratios[3], summary.ratios[5], summary.ratios[RATIO_CLASSES - 1]) = (u64::from(u32::MAX), 1, 7);
        let text = histogram(&summary);
        let lines: Vec<_> = text.trim().lines().collect();
        assert!(lines.iter().all(|line| line.len() < 80), "{text}");
        assert_eq!(lines[1], format!("{:>10} {:>10}  {}", "to 10 %", u32::MAX, "#".repeat(50)));
        assert_eq!(lines.len(), 1 + RATIO_CLASSES - 3);
        assert!(lines.last().unwrap().ends_with(" 7  #"), "{text}");
    }
}
