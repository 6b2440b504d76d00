//! What happened, in words: one line each, with what was being done, to what, what the system said, and what follows.

use super::exit::{Exit, Failure};
use spillpipe::pipe::{Error, Event, FullReason, Snapshot, WhenFull};
use spillpipe::units::human;
use std::fmt::Write as _;
use std::io::{self, ErrorKind};
use std::path::Path;

/// What the system said, without Rust's tail "(os error 28)".
pub(super) fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    let tail = error.raw_os_error().map(|code| format!(" (os error {code})")).unwrap_or_default();
    text.strip_suffix(&tail).unwrap_or(&text).to_owned()
}

/// How loud a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Loudness {
    /// Something is wrong.
    Warning,
    /// Good to know: on a terminal and with `--verbose`.
    Note,
}

/// An event in words; `None` when it is not worth any.
pub(super) fn event(event: &Event, now: &Snapshot, when_full: WhenFull) -> Option<(Loudness, String)> {
    Some(match event {
        Event::SpillStarted { dir, tmpfs: true } => (
            Loudness::Warning,
            format!("{} is a tmpfs: spilled data stays in memory there; choose a disk with --tmpdir", dir.display()),
        ),
        Event::SpillStarted { dir, tmpfs: false } => (Loudness::Note, format!("spilling to {}", dir.display())),
        Event::Full { dir, reason: why, backlog_bytes } => {
            let consequence = match when_full {
                WhenFull::Block => "and pausing the producer",
                WhenFull::Fail => "and giving up",
                WhenFull::DropOldest => "and dropping the oldest",
                WhenFull::DropNew => "and dropping what is new",
            };
            let held = match now.disk_bytes {
                0 => format!("holding {} in memory", human(*backlog_bytes)),
                _ => format!("holding {} in memory and on disk", human(*backlog_bytes)),
            };
            (Loudness::Warning, format!("{}; {held} {consequence}", cannot_spill(dir, why)))
        }
        Event::Resumed { after } => {
            (Loudness::Note, format!("there is room again after {:.1} s; going on", after.as_secs_f64()))
        }
        // Full has just said it; how much it was is told at the end.
        _ => return None,
    })
}

fn cannot_spill(dir: &Path, why: &FullReason) -> String {
    format!("cannot spill to {}: {}", dir.display(), reason(why))
}

/// Why there is no room.
pub(super) fn reason(reason: &FullReason) -> String {
    match reason {
        FullReason::System(error) => plain(error),
        FullReason::MaxDisk { limit_bytes } => format!("the limit of {} is reached (--max-disk)", human(*limit_bytes)),
        FullReason::MinFree { free_bytes, min_free_bytes } => {
            format!("{} are free, and {} are to stay free (--min-free)", human(*free_bytes), human(*min_free_bytes))
        }
        other => other.to_string(),
    }
}

/// How a pipe that failed ends the command. `input` and `output` name its ends.
pub(super) fn failure(error: &Error, input: &str, output: &str) -> Failure {
    let (exit, text) = match error {
        Error::Options(error) => return super::options::explain(error),
        Error::OutputClosed => (Exit::ConsumerGone, error.to_string()),
        Error::Input(error) => (Exit::Failed, format!("cannot read {input}: {}", plain(error))),
        Error::Output(error) => (Exit::Failed, format!("cannot write {output}: {}", plain(error))),
        Error::Spill { doing, dir, source } => {
            (Exit::Failed, format!("cannot {doing} {}: {}", dir.display(), plain(source)))
        }
        Error::Damaged { .. } => (Exit::Damaged, format!("{error}; what went out before it is sound")),
        Error::Full { dir, reason } => (Exit::Full, cannot_spill(dir, reason)),
        Error::Start(error) => (Exit::Failed, format!("cannot start: {}", plain(error))),
        Error::DamagedMemory { .. } => (Exit::Damaged, error.to_string()),
        other => (Exit::Failed, other.to_string()),
    };
    Failure { exit, text }
}

/// What was thrown away, if anything was.
pub(super) fn dropped(end: &Snapshot, when_full: WhenFull) -> Option<String> {
    let which = if when_full == WhenFull::DropNew { "as they came" } else { "oldest first" };
    (end.dropped_chunks > 0).then(|| {
        let plural = if end.dropped_chunks == 1 { "" } else { "s" };
        format!("dropped {} chunk{plural}, {} ({which})", end.dropped_chunks, human(end.dropped_bytes))
    })
}

/// The text with every control character escaped, so that it is one line and steers no terminal: file names can
/// hold anything.
pub(super) fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() {
            line.extend(c.escape_default());
        } else {
            line.push(c);
        }
    }
    line
}

/// `1 chunk`, `2 chunks`.
pub(super) fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// Columns as wide as their widest text; the last one ends where its text ends.
pub(super) fn aligned<const N: usize>(rows: &[[String; N]]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let _ = write!(line, "{cell:<0$}  ", width(column));
        }
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

/// To three digits behind the point.
#[expect(clippy::cast_precision_loss, reason = "three digits for people and their charts")]
pub(super) fn ratio(raw_bytes: u64, stored_bytes: u64) -> f64 {
    (raw_bytes as f64 / stored_bytes as f64 * 1000.0).round() / 1000.0
}

/// That standard output took no more.
pub(super) fn cannot_print(error: &io::Error) -> Failure {
    let exit = if error.kind() == ErrorKind::BrokenPipe { Exit::ConsumerGone } else { Exit::Failed };
    Failure { exit, text: format!("cannot write standard output: {}", plain(error)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use spillpipe::pipe::Meter;
    use std::time::Duration;

    fn no_space() -> io::Error {
        io::Error::from_raw_os_error(28)
    }

    fn told(what: &Event, disk_bytes: u64, when_full: WhenFull) -> (Loudness, String) {
        let mut now = Meter::default().snapshot();
        now.disk_bytes = disk_bytes;
        event(what, &now, when_full).expect("worth a line")
    }

    #[test]
    fn a_full_disk_is_told_with_what_follows() {
        let full =
            Event::Full { dir: "/var/tmp".into(), reason: FullReason::System(no_space()), backlog_bytes: 61 << 20 };
        assert_eq!(
            told(&full, 0, WhenFull::Block),
            (
                Loudness::Warning,
                "cannot spill to /var/tmp: No space left on device; holding 61 MiB in memory and pausing the producer"
                    .to_owned()
            )
        );
        let reason = FullReason::MinFree { free_bytes: 3 << 30, min_free_bytes: 5 << 30 };
        let full = Event::Full { dir: "/x".into(), reason, backlog_bytes: 2 << 30 };
        assert_eq!(
            told(&full, 1, WhenFull::DropOldest).1,
            "cannot spill to /x: 3.0 GiB are free, and 5.0 GiB are to stay free (--min-free); holding 2.0 GiB in \
             memory and on disk and dropping the oldest"
        );
    }

    #[test]
    fn what_is_not_wrong_is_a_note() {
        let resumed = Event::Resumed { after: Duration::from_millis(1250) };
        assert_eq!(
            told(&resumed, 0, WhenFull::Block),
            (Loudness::Note, "there is room again after 1.2 s; going on".to_owned())
        );
        let spill = |tmpfs| Event::SpillStarted { dir: "/tmp".into(), tmpfs };
        assert_eq!(told(&spill(false), 0, WhenFull::Block), (Loudness::Note, "spilling to /tmp".to_owned()));
        assert_eq!(
            told(&spill(true), 0, WhenFull::Block),
            (
                Loudness::Warning,
                "/tmp is a tmpfs: spilled data stays in memory there; choose a disk with --tmpdir".to_owned()
            )
        );
    }

    #[test]
    fn every_error_has_its_exit_and_one_plain_line() {
        let spill = Error::Spill { doing: "read back from", dir: "/v".into(), source: no_space() };
        let full = Error::Full { dir: "/v".into(), reason: FullReason::MaxDisk { limit_bytes: 1 << 30 } };
        for (error, exit, text) in [
            (Error::Input(no_space()), Exit::Failed, "cannot read in: No space left on device"),
            (Error::Output(no_space()), Exit::Failed, "cannot write out: No space left on device"),
            (Error::OutputClosed, Exit::ConsumerGone, "the consumer went away"),
            (spill, Exit::Failed, "cannot read back from /v: No space left on device"),
            (full, Exit::Full, "cannot spill to /v: the limit of 1.0 GiB is reached (--max-disk)"),
        ] {
            let failure = failure(&error, "in", "out");
            assert_eq!((failure.exit, failure.text.as_str()), (exit, text));
        }
    }

    #[test]
    fn drops_are_counted() {
        let mut end = Meter::default().snapshot();
        assert_eq!(dropped(&end, WhenFull::DropOldest), None);
        (end.dropped_chunks, end.dropped_bytes) = (12, 3 << 20);
        assert_eq!(dropped(&end, WhenFull::DropOldest).as_deref(), Some("dropped 12 chunks, 3.0 MiB (oldest first)"));
        end.dropped_chunks = 1;
        assert_eq!(dropped(&end, WhenFull::DropNew).as_deref(), Some("dropped 1 chunk, 3.0 MiB (as they came)"));
    }

    #[test]
    fn no_name_breaks_the_line() {
        assert_eq!(one_line("a\nb\u{1b}[2Jé"), "a\\nb\\u{1b}[2Jé");
    }

    #[test]
    fn columns_are_aligned_and_no_line_ends_in_spaces() {
        let rows = [["a", "long one", "x"], ["longer", "b", ""]].map(|row| row.map(str::to_owned));
        assert_eq!(aligned(&rows), "a       long one  x\nlonger  b\n");
    }
}
