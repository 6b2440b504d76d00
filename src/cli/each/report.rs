//! What happened, in words and in figures.

use super::args::EachArgs;
use crate::cli::exit::{Exit, Failure};
use crate::cli::spool::text;
use crate::cli::stats::{rss_peak_bytes, seconds};
use crate::cli::teller::Teller;
use crate::cli::text::{Loudness, counted};
use serde_json::{Value, json};
use spillpipe::spool::{Batch, Damage, Gap};
use spillpipe::units::human;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Tells the user, from any thread.
#[derive(Debug)]
pub(super) struct Report {
    teller: Teller,
    command: String,
    reader: String,
    dir: PathBuf,
    started: Instant,
    figures: Mutex<Figures>,
}

/// What is counted.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Figures {
    pub(super) acknowledged: Count,
    /// Left behind now.
    pub(super) left: Count,
    /// Handed to a job now.
    pub(super) under_way: u64,
    pub(super) failed_attempts: u64,
    pub(super) damages: u64,
    pub(super) lost_bytes: u64,
    pub(super) gap_bytes: u64,
}

/// Batches and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Count {
    pub(super) batches: u64,
    pub(super) bytes: u64,
}

impl Count {
    pub(super) fn add(&mut self, bytes: u64) {
        self.batches += 1;
        self.bytes += bytes;
    }

    pub(super) fn subtract(&mut self, bytes: u64) {
        self.batches = self.batches.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(bytes);
    }
}

impl Report {
    /// Opens what the words go to.
    pub(super) fn open(args: &EachArgs) -> Result<Self, Failure> {
        let reports = &args.reports;
        let teller = Teller::open("spillpipe".to_owned(), reports.quiet, reports.verbose, reports.log.as_ref())?;
        let command = args.command[0].display().to_string();
        let (reader, dir) = (args.reader.clone(), args.dir.clone());
        Ok(Self { teller, command, reader, dir, started: Instant::now(), figures: Mutex::default() })
    }

    /// The command, as messages call it.
    pub(super) fn command(&self) -> &str {
        &self.command
    }

    /// Something is wrong, and goes on.
    pub(super) fn warn(&self, text: &str) {
        self.teller.say(Loudness::Warning, text);
    }

    /// Why it ends.
    pub(super) fn fail(&self, text: &str) {
        self.teller.fail(text);
    }

    /// Changes the figures.
    pub(super) fn count(&self, change: impl FnOnce(&mut Figures)) {
        change(&mut self.figures.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// The figures now.
    pub(super) fn figures(&self) -> Figures {
        *self.figures.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn attempt_failed(&self) {
        self.count(|figures| figures.failed_attempts += 1);
    }

    /// The command has failed for the last time, and the rest goes on.
    pub(super) fn left_behind(&self, batch: &Batch, how: &str, attempts: u32, again: Option<Duration>) {
        let again = again.map_or_else(|| "at the next run".to_owned(), |every| format!("in {}", time(every)));
        let (name, tries) = (batch_name(batch), counted(attempts.into(), "attempt"));
        self.warn(&format!("{} {how}; {name} is left behind after {tries}, and tried again {again}", self.command));
    }

    /// Data is missing that was dropped on purpose.
    pub(super) fn gap(&self, gap: Gap) {
        self.count(|figures| figures.gap_bytes += gap.bytes);
        self.warn(&text::gap(gap));
    }

    /// Damage was met.
    pub(super) fn damage(&self, damage: &Damage) {
        self.count(|figures| {
            figures.damages += 1;
            figures.lost_bytes += damage.lost_bytes;
        });
        if self.figures().damages <= text::DAMAGES_TOLD_MAX {
            self.warn(&text::damage(damage, &self.dir));
        }
    }

    /// Part of a batch is gone since it was put together.
    pub(super) fn shrunk(&self, batch: &Batch, missing_bytes: u64) {
        self.count(|figures| {
            figures.damages += 1;
            figures.lost_bytes += missing_bytes;
        });
        let (name, missing) = (batch_name(batch), human(missing_bytes));
        self.warn(&format!("{name}: {missing} were damaged or dropped before they were acknowledged"));
    }

    /// Answers SIGUSR1.
    pub(super) fn status(&self) {
        self.teller.answer(&self.so_far());
    }

    /// The last word, if all went well.
    pub(super) fn summary(&self) {
        self.teller.say(Loudness::Note, &self.so_far());
    }

    fn so_far(&self) -> String {
        let figures = self.figures();
        let mut text = format!("{} acknowledged", count(figures.acknowledged));
        for (number, what) in [(figures.under_way, "under way"), (figures.left.batches, "left behind")] {
            if number > 0 {
                text = format!("{text}, {number} {what}");
            }
        }
        format!("{text} in {}", time(self.started.elapsed()))
    }

    /// The figures for programs.
    pub(super) fn stats(&self, exit: Exit, error: Option<&str>) -> Value {
        let figures = self.figures();
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "reader": self.reader,
            "acknowledged_batches": figures.acknowledged.batches,
            "acknowledged_bytes": figures.acknowledged.bytes,
            "left_behind_batches": figures.left.batches,
            "left_behind_bytes": figures.left.bytes,
            "failed_attempts": figures.failed_attempts,
            "damages": figures.damages,
            "lost_bytes": figures.lost_bytes,
            "gap_bytes": figures.gap_bytes,
            "seconds": seconds(self.started.elapsed()),
            "rss_peak_bytes": rss_peak_bytes(),
            "exit_status": exit.status(),
            "error": error,
        })
    }
}

/// A batch in words.
pub(super) fn batch_name(batch: &Batch) -> String {
    format!("batch {} ({})", batch.span.from.seq.0, human(batch.bytes))
}

/// As in "2 batches (16 MiB)".
pub(super) fn count(count: Count) -> String {
    let plural = if count.batches == 1 { "" } else { "es" };
    format!("{} batch{plural} ({})", count.batches, human(count.bytes))
}

/// A time in words.
pub(super) fn time(time: Duration) -> String {
    match time.as_secs_f64() {
        seconds if seconds < 0.9995 => format!("{:.0} ms", seconds * 1e3),
        seconds if seconds < 99.95 => format!("{seconds:.1} s"),
        seconds => format!("{:.0} min", seconds / 60.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_counts_in_words() {
        let said = [0, 250, 1000, 2500, 99_900, 300_000].map(|ms| time(Duration::from_millis(ms)));
        assert_eq!(said, ["0 ms", "250 ms", "1.0 s", "2.5 s", "99.9 s", "5 min"]);
        assert_eq!(count(Count { batches: 1, bytes: 3 << 20 }), "1 batch (3.0 MiB)");
        assert_eq!(count(Count { batches: 2, bytes: 0 }), "2 batches (0 B)");
    }
}
