//! `spillpipe info`: what is in a spool, for people and as JSON.

use super::text;
use crate::cli::exit::Failure;
use crate::cli::info::InfoArgs;
use crate::cli::text::{aligned, cannot_print, counted, one_line, ratio};
use serde_json::{Value, json};
use spillpipe::spool::{Ended, Holder, Info, ReaderInfo, Spool};
use spillpipe::units::human;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::Path;
use std::time::{Duration, SystemTime};

/// Runs it.
pub(in crate::cli) fn run(args: &InfoArgs) -> Result<(), Failure> {
    let info = Spool::open(&args.path).and_then(|spool| spool.info()).map_err(|error| text::failure(&error, ""))?;
    let now = SystemTime::now();
    let text = if args.json { format!("{:#}\n", as_json(&info, now)) } else { table(&info, &args.path, now) };
    io::stdout().write_all(text.as_bytes()).and_then(|()| io::stdout().flush()).map_err(|error| cannot_print(&error))
}

/// How the stream stands, in a word.
fn state(info: &Info) -> &'static str {
    match (info.end, info.writer) {
        (_, Holder::Somebody { .. }) | (None, Holder::Nobody) => "open",
        (Some(Ended::Complete), _) => "complete",
        (Some(Ended::Incomplete), _) => "incomplete",
    }
}

fn ended(ended: Option<Ended>) -> Option<&'static str> {
    ended.map(|ended| match ended {
        Ended::Complete => "complete",
        Ended::Incomplete => "incomplete",
    })
}

fn table(info: &Info, dir: &Path, now: SystemTime) -> String {
    let mut text = String::new();
    let mut row = |name: &str, value: &str| {
        let _ = writeln!(text, "{name:<12}{}", one_line(value));
    };
    row("spool", &dir.display().to_string());
    row("stream", &format!("{}, bytes {} to {}", state(info), info.oldest.offset.0, info.newest.offset.0));
    row("writer", &holder(info.writer));
    let raw = match info.disk_bytes {
        // That less would have been smaller is no ratio to be proud of, and told by the sizes.
        stored if stored >= info.raw_bytes => String::new(),
        stored => format!(" ({:.1}x)", ratio(info.raw_bytes, stored)),
    };
    row("stored", &format!("{} in {} on disk{raw}", human(info.raw_bytes), human(info.disk_bytes)));
    row("segments", &segments(info, now));
    let quarantined: u64 = info.quarantine.iter().map(|(_, bytes)| bytes).sum();
    if !info.quarantine.is_empty() {
        row("quarantine", &format!("{}, {}", counted(info.quarantine.len() as u64, "file"), human(quarantined)));
    }
    text + &readers(&info.readers, now)
}

fn segments(info: &Info, now: SystemTime) -> String {
    let oldest = age(info.oldest_created, now).map(|age| format!(", the oldest {} old", time(age)));
    format!("{}, {}{}", info.segments, counted(info.chunks, "chunk"), oldest.unwrap_or_default())
}

fn readers(readers: &[ReaderInfo], now: SystemTime) -> String {
    if readers.is_empty() {
        return "readers     none: all data stays until one is added and has read it\n".to_owned();
    }
    let head = ["reader", "backlog", "behind", "at byte", "in use by", "left behind"].map(str::to_owned);
    let rows = std::iter::once(head).chain(readers.iter().map(|reader| {
        let left: u64 = reader.left_behind.iter().map(|batch| batch.bytes).sum();
        [
            reader.name.clone(),
            human(reader.backlog_bytes),
            age(reader.backlog_since, now).filter(|_| reader.backlog_bytes > 0).map_or("-".to_owned(), time),
            reader.position.offset.0.to_string(),
            holder(reader.holder),
            match reader.left_behind.len() {
                0 => "-".to_owned(),
                count => format!("{}, {}", counted_batches(count as u64), human(left)),
            },
        ]
    }));
    let mut text = format!("\n{}", aligned(&rows.collect::<Vec<_>>()));
    for reader in readers {
        if reader.damaged {
            let _ = writeln!(text, "the cursor of {} is damaged: it starts over from the oldest data", reader.name);
        }
        for batch in &reader.left_behind {
            let _ = writeln!(
                text,
                "{} left behind: chunk {} on, {}, {}",
                reader.name,
                batch.span.from.seq.0,
                human(batch.bytes),
                counted(batch.attempts.into(), "attempt")
            );
        }
    }
    text
}

fn counted_batches(count: u64) -> String {
    format!("{count} batch{}", if count == 1 { "" } else { "es" })
}

fn holder(holder: Holder) -> String {
    match holder {
        Holder::Nobody => "-".to_owned(),
        Holder::Somebody { process: Some(process) } => format!("process {process}"),
        Holder::Somebody { process: None } => "a process".to_owned(),
    }
}

fn age(since: Option<SystemTime>, now: SystemTime) -> Option<Duration> {
    // A clock that was set back makes nothing older than now.
    since.map(|since| now.duration_since(since).unwrap_or_default())
}

/// In one unit: whoever reads a lag wants its size.
fn time(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..=119 => format!("{seconds} s"),
        seconds @ 120..=7199 => format!("{} min", seconds / 60),
        seconds @ 7200..=172_799 => format!("{} h", seconds / 3600),
        seconds => format!("{} days", seconds / 86_400),
    }
}

fn as_json(info: &Info, now: SystemTime) -> Value {
    let process = |holder| match holder {
        Holder::Somebody { process } => process,
        Holder::Nobody => None,
    };
    let age_seconds = |since| age(since, now).map(|age| age.as_secs());
    let id: String = info.store.0.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}"); // A String takes any text.
        text
    });
    let readers = info.readers.iter().map(|reader| {
        let left = reader.left_behind.iter().map(|batch| {
            json!({
                "chunk": batch.span.from.seq.0,
                "offset_bytes": batch.span.from.offset.0,
                "bytes": batch.bytes,
                "attempts": batch.attempts,
            })
        });
        json!({
            "name": reader.name,
            "backlog_bytes": reader.backlog_bytes,
            "backlog_age_seconds": age_seconds(reader.backlog_since).filter(|_| reader.backlog_bytes > 0),
            "offset_bytes": reader.position.offset.0,
            "chunk": reader.position.seq.0,
            "in_use": reader.holder != Holder::Nobody,
            "process": process(reader.holder),
            "told": ended(reader.told),
            "damaged": reader.damaged,
            "left_behind": left.collect::<Vec<_>>(),
        })
    });
    let quarantine = info.quarantine.iter().map(|(name, bytes)| json!({ "name": name, "bytes": bytes }));
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "store": id,
        "stream": state(info),
        "oldest_offset_bytes": info.oldest.offset.0,
        "newest_offset_bytes": info.newest.offset.0,
        "oldest_age_seconds": age_seconds(info.oldest_created),
        "segments": info.segments,
        "chunks": info.chunks,
        "raw_bytes": info.raw_bytes,
        "disk_bytes": info.disk_bytes,
        "ratio": (info.disk_bytes > 0).then(|| ratio(info.raw_bytes, info.disk_bytes)),
        "writer_in_use": info.writer != Holder::Nobody,
        "writer_process": process(info.writer),
        "readers": readers.collect::<Vec<_>>(),
        "quarantine": quarantine.collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lag_is_told_in_one_unit() {
        let told = |seconds| time(Duration::from_secs(seconds));
        assert_eq!([told(0), told(119), told(120), told(7199)], ["0 s", "119 s", "2 min", "119 min"]);
        assert_eq!([told(7200), told(172_799), told(172_800)], ["2 h", "47 h", "2 days"]);
    }
}
