//! What a spool says, in words: one line each.

use crate::cli::exit::{Exit, Failure};
use crate::cli::text::{Loudness, counted, plain, reason};
use spillpipe::ring::WhenFull;
use spillpipe::spool::{Batch, Damage, Error, Gap, WriterEvent};
use spillpipe::units::human;
use std::io;
use std::path::Path;

/// Places of damage that are told one by one; of those that follow, only how many.
pub(in crate::cli) const DAMAGES_TOLD_MAX: u64 = 10;

/// How what was done failed; `hint` is for a spool or reader that somebody else uses.
pub(in crate::cli) fn failure(error: &Error, hint: &str) -> Failure {
    let (exit, text) = match error {
        Error::NoSpool { dir } | Error::Foreign { dir } if was_spool(dir) => {
            let text = format!("{} is no spool any more: its file 'spool' is missing, and no segment", dir.display());
            (Exit::Failed, format!("{text} is left to tell what it was; remove the directory to begin anew"))
        }
        Error::NoSpool { .. } => (Exit::Failed, format!("{error}; 'spillpipe push' makes one")),
        Error::Foreign { .. } => (Exit::Failed, format!("{error}; choose a new or an empty directory")),
        Error::Busy { .. } => (Exit::Failed, format!("{error}{hint}")),
        Error::Name { .. } | Error::Position { .. } => (Exit::Usage, error.to_string()),
        Error::Full { dir, reason: why } => (Exit::Full, format!("cannot write to {}: {}", dir.display(), reason(why))),
        Error::Io { doing, file, source } => {
            (Exit::Failed, format!("cannot {doing} {}: {}", file.display(), plain(source)))
        }
        other => (Exit::Failed, other.to_string()),
    };
    Failure { exit, text }
}

/// Whether a directory looks as if a spool had been there.
fn was_spool(dir: &Path) -> bool {
    dir.join("writer.lock").exists() && dir.join("readers").exists()
}

/// The same for what a writer or reader says by way of [`io::Write`] or [`io::Read`].
pub(super) fn io_failure(error: io::Error, doing: &str) -> Failure {
    match error.downcast::<Error>() {
        Ok(error) => failure(&error, ""),
        Err(error) => Failure::io(doing)(error),
    }
}

/// What a writer tells while it works; `None` when it is not worth a line.
pub(super) fn event(event: &WriterEvent, dir: &Path, when_full: WhenFull) -> Option<(Loudness, String)> {
    match event {
        WriterEvent::Full(why) => {
            let consequence = match when_full {
                WhenFull::Block => "pausing the producer",
                WhenFull::Fail => "giving up",
                WhenFull::DropOldest => "dropping the oldest",
                WhenFull::DropNew => "dropping what is new",
            };
            let text = format!("cannot write to {}: {}; {consequence}", dir.display(), reason(why));
            Some((Loudness::Warning, text))
        }
        WriterEvent::Resumed { after } => {
            Some((Loudness::Note, format!("there is room again after {:.1} s; going on", after.as_secs_f64())))
        }
        // How much it was is told at the end.
        _ => None,
    }
}

/// What a writer threw away, if it did.
pub(super) fn dropped(gap: Gap, when_full: WhenFull) -> Option<String> {
    let which = if when_full == WhenFull::DropNew { "as it came" } else { "oldest first" };
    // What never came to be a chunk has bytes only.
    let chunks = if gap.chunks > 0 { format!("{}, ", counted(gap.chunks, "chunk")) } else { String::new() };
    let text = || format!("dropped {chunks}{} ({which})", human(gap.bytes));
    (gap != Gap::default()).then(text)
}

/// What a reader has missed.
pub(in crate::cli) fn gap(gap: Gap) -> String {
    let chunks = if gap.chunks > 0 { format!(", {}", counted(gap.chunks, "chunk")) } else { String::new() };
    let were = if gap.bytes == 1 && gap.chunks == 0 { "was" } else { "were" };
    format!("gap: {}{chunks} {were} dropped before they could be read", counted(gap.bytes, "byte"))
}

/// One place of damage.
pub(in crate::cli) fn damage(damage: &Damage, dir: &Path) -> String {
    let what = match damage.damaged_bytes {
        0 => "data is missing".to_owned(),
        bytes => format!("{} damaged", counted(bytes, "byte")),
    };
    let lost = match (damage.lost_bytes, damage.lost_chunks) {
        (0, 0) => String::new(),
        (bytes, chunks) => format!("; {} of data lost in {}", counted(bytes, "byte"), counted(chunks, "chunk")),
    };
    let kept = damage
        .kept
        .as_ref()
        .map_or_else(String::new, |name| format!("; kept as {}", dir.join("quarantine").join(name).display()));
    format!("damage in segment {} of {}, at byte {}: {what}{lost}{kept}", damage.segment.0, dir.display(), damage.at)
}

/// A batch that was left behind, and is not whole any more.
pub(super) fn broken_batch(batch: &Batch, lost_bytes: u64, dir: &Path) -> String {
    let (lost, bytes, dir) = (counted(lost_bytes, "byte"), batch.bytes, dir.display());
    let from = batch.span.from.offset;
    format!("damage in {dir}: of the batch left behind at byte {from}, {lost} of {bytes} are damaged or were trimmed")
}

/// Batches that were left behind and stay so.
pub(super) fn left_behind(batches: &[Batch]) -> Option<String> {
    let bytes = human(batches.iter().map(|batch| batch.bytes).sum());
    let (are, count) = (if batches.len() == 1 { "is" } else { "are" }, batches.len() as u64);
    let text = || {
        format!(
            "{count} {} ({bytes}) {are} left behind, and not handed out",
            if count == 1 { "batch" } else { "batches" }
        )
    };
    (!batches.is_empty()).then(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use spillpipe::format::SegmentNumber;
    use spillpipe::ring::FullReason;

    fn no_space() -> io::Error {
        io::Error::from_raw_os_error(28)
    }

    #[test]
    fn every_error_has_its_exit_and_one_plain_line_with_what_to_do() {
        let dir = || "/v/s".into();
        let full = || Error::Full { dir: dir(), reason: FullReason::MaxDisk { limit_bytes: 1 << 30 } };
        for (error, exit, text) in [
            (Error::NoSpool { dir: dir() }, Exit::Failed, "/v/s is no spool; 'spillpipe push' makes one"),
            (
                Error::Busy { what: "the spool /v/s".to_owned(), process: Some(12) },
                Exit::Failed,
                "the spool /v/s is in use by process 12; use --wait to wait for it",
            ),
            (full(), Exit::Full, "cannot write to /v/s: the limit of 1.0 GiB is reached (--max-disk)"),
            (
                Error::Io { doing: "write", file: dir(), source: no_space() },
                Exit::Failed,
                "cannot write /v/s: No space left on device",
            ),
        ] {
            let failure = failure(&error, "; use --wait to wait for it");
            assert_eq!((failure.exit, failure.text.as_str()), (exit, text));
        }
        let failure = io_failure(full().into(), "cannot write");
        assert_eq!(failure.exit, Exit::Full, "it is the same error by way of io::Write");
        assert_eq!(io_failure(no_space(), "cannot write").text, "cannot write: No space left on device");
    }

    #[test]
    fn what_is_missing_is_told_in_numbers() {
        let lost = |bytes, chunks| Gap { bytes, chunks };
        assert_eq!(gap(lost(70_000, 2)), "gap: 70000 bytes, 2 chunks were dropped before they could be read");
        assert_eq!(gap(lost(5, 0)), "gap: 5 bytes were dropped before they could be read");
        assert_eq!(dropped(lost(0, 0), WhenFull::Block), None);
        assert_eq!(dropped(lost(19 << 20, 0), WhenFull::DropNew).as_deref(), Some("dropped 19 MiB (as it came)"));
        assert_eq!(
            dropped(lost(3 << 20, 1), WhenFull::DropOldest).as_deref(),
            Some("dropped 1 chunk, 3.0 MiB (oldest first)")
        );
        let mut found = Damage {
            segment: SegmentNumber(3),
            at: 4096,
            damaged_bytes: 128,
            lost_bytes: 65_536,
            lost_chunks: 1,
            kept: Some("3-4096".to_owned()),
        };
        assert_eq!(
            damage(&found, Path::new("/v")),
            "damage in segment 3 of /v, at byte 4096: 128 bytes damaged; 65536 bytes of data lost in 1 chunk; kept as \
             /v/quarantine/3-4096"
        );
        (found.damaged_bytes, found.lost_bytes, found.lost_chunks, found.kept) = (0, 0, 0, None);
        assert_eq!(damage(&found, Path::new("/v")), "damage in segment 3 of /v, at byte 4096: data is missing");
    }
}
