//! What was got back, in words and as JSON. Pure.

use crate::cli::exit::{Exit, Failure};
use crate::cli::text::{aligned, counted, one_line};
use serde_json::{Map, Value, json};
use spillpipe::archive::End;
use spillpipe::archive::salvage::{LeftOut, Report, Span, StreamReport, Why};
use spillpipe::format::EndState;
use spillpipe::units::human;
use std::fmt::Write as _;
use std::ops::Range;

/// So many lines of each kind are told; of the rest, how many there are.
const LINES_MAX: usize = 20;

/// That nothing is there.
pub(super) fn nothing(report: &Report) -> String {
    match &report.files[..] {
        [file] => match file.foreign {
            Some(what) => format!("nothing of an archive is in {}: it is {what}", file.name),
            None => format!("nothing of an archive is in {}", file.name),
        },
        files => format!("nothing of an archive is in {}", counted(files.len() as u64, "file")),
    }
}

/// What is not as it was when it was written.
pub(super) fn flaw(report: &Report) -> Option<Failure> {
    let lost = lost(report);
    if lost.0 > 0 {
        let rest = match report.bytes_out {
            0 => "nothing is left".to_owned(),
            bytes => format!("{} got back", human(bytes)),
        };
        let text = format!("{} lost, up to {} of the data; {rest}", counted(lost.0, "chunk"), human(lost.1));
        return Some(Failure { exit: Exit::Damaged, text });
    }
    let incomplete: Vec<_> = report.streams.iter().filter(|stream| stream.end != Some(EndState::End)).collect();
    let text = match incomplete[..] {
        [] => return None,
        [stream] => format!("all that is there was got back, and it is {}", end(stream)),
        _ => format!(
            "all that is there was got back, and {} of it have no end",
            counted(incomplete.len() as u64, "stream")
        ),
    };
    Some(Failure { exit: Exit::Incomplete, text })
}

/// Whether there is something that one would not expect in a sound archive. A spool may begin anywhere.
pub(super) fn is_strange(report: &Report, is_spool: bool) -> bool {
    let is_strange = |stream: &StreamReport| stream.contradicting_chunks > 0 || begins(stream) > 0 && !is_spool;
    !report.left_out.is_empty() || report.streams.iter().any(is_strange)
}

/// Where in the stream the first byte is, had or lost.
fn begins(stream: &StreamReport) -> u64 {
    let firsts = stream.recovered.first().into_iter().chain(stream.lost.first());
    firsts.map(|span| span.bytes.start).min().unwrap_or(0)
}

/// Chunks and bytes that are lost.
fn lost(report: &Report) -> (u64, u64) {
    let spans = report.streams.iter().flat_map(|stream| &stream.lost);
    spans.fold((0, 0_u64), |(chunks, bytes), span| {
        let [more_chunks, more_bytes] = [&span.chunks, &span.bytes].map(|range| range.end - range.start);
        (u64::saturating_add(chunks, more_chunks), bytes.saturating_add(more_bytes))
    })
}

fn end(stream: &StreamReport) -> End {
    match stream.end {
        Some(EndState::End) => End::Complete,
        Some(EndState::Aborted) => End::Aborted,
        Some(EndState::Continues) => End::Continues,
        None => End::Unsealed,
    }
}

/// The streams, what is lost of them, and what was left out.
pub(super) fn table(report: &Report) -> String {
    let mut text = String::new();
    let mut room = LINES_MAX;
    for stream in report.streams.iter().take(LINES_MAX) {
        text += &one_line(&line(report, stream));
        text.push('\n');
        text += &spans(stream, &mut room);
    }
    more(&mut text, report.streams.len().saturating_sub(LINES_MAX), "stream");
    for left in report.left_out.iter().take(LINES_MAX) {
        text += &one_line(&left_out(report, left));
        text.push('\n');
    }
    more(&mut text, report.left_out.len().saturating_sub(LINES_MAX), "place");
    text
}

fn more(text: &mut String, count: usize, what: &str) {
    if count > 0 {
        let _ = writeln!(text, "and {} more", counted(count as u64, what)); // A String takes any text.
    }
}

/// A stream in one line.
fn line(report: &Report, stream: &StreamReport) -> String {
    let name = &report.files[stream.file].name;
    let mut text = match stream.at {
        0 => format!("{name}: "),
        at => format!("{name} at byte {at}: "),
    };
    let _ = write!(text, "{} in {} got back", human(stream.bytes), counted(stream.chunks, "chunk"));
    if begins(stream) > 0 {
        let _ = write!(text, ", from byte {} of the stream on", begins(stream));
    }
    if stream.contradicting_chunks > 0 {
        let _ = write!(text, ", {} of another version left out", counted(stream.contradicting_chunks, "chunk"));
    }
    // "complete" beside a loss would be misread.
    let _ = match end(stream) {
        End::Complete if !stream.lost.is_empty() => write!(text, ", its end mark is there"),
        end => write!(text, ", {end}"),
    };
    if let Some(at) = stream.output_at.filter(|_| report.streams.len() > 1 && stream.bytes > 0) {
        let _ = write!(text, "; from byte {at} of the output on");
    }
    text
}

/// Where what was got back is, and what is lost; nothing of a stream that is in one piece.
fn spans(stream: &StreamReport, room: &mut usize) -> String {
    if stream.lost.is_empty() && stream.recovered.len() < 2 {
        return String::new();
    }
    let got_back = stream.recovered.iter().map(|span| (span, "got back"));
    let mut all: Vec<_> = got_back.chain(stream.lost.iter().map(|span| (span, "lost"))).collect();
    all.sort_by_key(|(span, _)| span.chunks.start);
    let told = all.len().min(*room);
    *room -= told;
    let mut rows = vec![["  chunks", "stream bytes", "what"].map(str::to_owned)];
    rows.extend(
        all[..told]
            .iter()
            .map(|(span, what)| [format!("  {}", range(&span.chunks)), range(&span.bytes), (*what).to_owned()]),
    );
    let mut text = if told > 0 { aligned(&rows) } else { String::new() };
    if told < all.len() {
        let _ = writeln!(text, "  and {} more", counted((all.len() - told) as u64, "span"));
    }
    text
}

/// `3`, `3 - 7`; a dash of none.
fn range(range: &Range<u64>) -> String {
    match range.end - range.start {
        0 => "-".to_owned(),
        1 => range.start.to_string(),
        _ => format!("{} - {}", range.start, range.end - 1),
    }
}

fn left_out(report: &Report, left: &LeftOut) -> String {
    let (name, chunks) = (&report.files[left.file].name, counted(left.chunks, "chunk"));
    let why = match left.why {
        Why::Nested => "data of another archive, which is damaged there; --unordered takes such data, too",
        Why::DamagedRecord => "what is known of their place is damaged",
    };
    format!("{name} at byte {}: {chunks} left out: {why}", left.at)
}

/// Everything, for programs.
pub(super) fn figures(report: &Report) -> Map<String, Value> {
    let (lost_chunks, lost_bytes) = lost(report);
    let name = |file: usize| &report.files[file].name;
    let files = report
        .files
        .iter()
        .map(|file| json!({ "file": file.name, "bytes": file.bytes, "junk_bytes": file.junk_bytes }));
    let streams = report.streams.iter().map(|stream| {
        let store = stream.store.map(|store| format!("{:032x}", u128::from_be_bytes(store.0)));
        json!({
            "file": name(stream.file),
            "at_byte": stream.at,
            "store": store,
            "output_offset_bytes": stream.output_at,
            "chunks": stream.chunks,
            "bytes": stream.bytes,
            "recovered": stream.recovered.iter().map(span).collect::<Vec<_>>(),
            "lost": stream.lost.iter().map(span).collect::<Vec<_>>(),
            "dropped_bytes": stream.dropped_bytes,
            "contradicting_chunks": stream.contradicting_chunks,
            "end": end(stream).name(),
        })
    });
    let left_out = report.left_out.iter().map(|left| {
        let why = match left.why {
            Why::Nested => "nested",
            Why::DamagedRecord => "damaged_record",
        };
        json!({ "file": name(left.file), "at_byte": left.at, "chunks": left.chunks, "why": why })
    });
    let mut figures = Map::new();
    for (name, value) in [
        ("command", json!("salvage")),
        ("end", json!(if report.is_ended() { "complete" } else { "incomplete" })),
        ("bytes_in", json!(report.files.iter().map(|file| file.bytes).sum::<u64>())),
        ("bytes_out", json!(report.bytes_out)),
        ("zeros_out", json!(report.zeros_out)),
        ("chunks_out", json!(report.streams.iter().map(|stream| stream.chunks).sum::<u64>())),
        ("lost_chunks", json!(lost_chunks)),
        ("lost_bytes", json!(lost_bytes)),
        ("files", files.collect()),
        ("streams", streams.collect()),
        ("left_out", left_out.collect()),
    ] {
        figures.insert(name.to_owned(), value);
    }
    figures
}

fn span(span: &Span) -> Value {
    json!({
        "first_chunk": span.chunks.start,
        "end_chunk": span.chunks.end,
        "offset_bytes": span.bytes.start,
        "end_offset_bytes": span.bytes.end,
    })
}
