//! What surrounds the work of a command: messages, the answer to SIGUSR1, figures, the exit status.

use super::args::ReportArgs;
use super::clash::{self, Files, Stream};
use super::exit::{Ending, Exit, Failure};
use super::figures::Period;
use super::signals::Signals;
use super::stats::{Target, rss_peak_bytes, seconds};
use super::tally::Tally;
use super::teller::{Teller, tell_stderr};
use super::text::Loudness;
use super::watcher::{Queue, Style, Watch, Watcher};
use serde_json::{Map, Value, json};
use spillpipe::pipe::Snapshot;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// How a command talks.
pub(super) struct Manner<'a> {
    pub(super) name: Option<&'a str>,
    pub(super) quiet: bool,
    pub(super) verbose: bool,
    pub(super) files: Files<'a>,
    pub(super) style: Style,
    pub(super) interval: Duration,
    /// What SIGUSR1 is answered with.
    pub(super) status: fn(Period<'_>) -> String,
    /// The spool, when its size is to be told.
    pub(super) dir: Option<&'a Path>,
}

impl<'a> Manner<'a> {
    /// Of a command that shows no progress.
    pub(super) fn plain(
        reports: &'a ReportArgs,
        input: Stream<'a>,
        output: Stream<'a>,
        status: fn(Period<'_>) -> String,
    ) -> Self {
        let ReportArgs { quiet, verbose, log, stats } = reports;
        Self {
            name: None,
            quiet: *quiet,
            verbose: *verbose,
            files: Files { input, output, log: log.as_ref(), stats: stats.as_ref() },
            style: Style::Hidden,
            interval: Duration::from_secs(1),
            status,
            dir: None,
        }
    }
}

/// What the work uses of it.
pub(super) struct Session {
    pub(super) teller: Arc<Teller>,
    pub(super) tally: Arc<Tally>,
    pub(super) queue: Queue,
    /// The tally as it was before anything happened.
    pub(super) zero: Snapshot,
    /// Bytes expected, once they are known.
    pub(super) size_bytes: Arc<OnceLock<u64>>,
}

/// What came of the work.
pub(super) struct Outcome {
    /// Told unless it failed.
    pub(super) summary: String,
    /// Printed on standard error as they are, unless it failed.
    pub(super) lines: String,
    /// Told in any case.
    pub(super) warnings: Vec<String>,
    /// Why it failed, or what is to be known of what was handed out.
    pub(super) ending: Ending,
    pub(super) figures: Map<String, Value>,
}

impl Outcome {
    /// Of work that failed before it began.
    pub(super) fn failed(failure: Failure) -> Self {
        let (summary, lines) = (String::new(), String::new());
        Self { summary, lines, warnings: vec![], ending: Ending::failed(failure), figures: Map::new() }
    }
}

/// Does the work, and tells how it went.
pub(super) fn run(manner: &Manner<'_>, signals: Signals, work: impl FnOnce(&Session) -> Outcome) -> Exit {
    let prefix = manner.name.map_or_else(|| "spillpipe".to_owned(), |name| format!("spillpipe[{name}]"));
    let (session, watcher, stats) = match prepare(manner, prefix.clone(), signals) {
        Ok(prepared) => prepared,
        Err(failure) => {
            tell_stderr(&prefix, &failure.text);
            return failure.exit;
        }
    };
    let outcome = work(&session);
    watcher.stop();
    let exit = outcome.ending.exit();
    if !exit.is_silent() {
        tell(&session.teller, &outcome);
    }
    match stats.map(|stats| stats.write(&figures(&session.tally.snapshot(), outcome, exit))) {
        Some(Err(failure)) => {
            session.teller.fail(&failure.text);
            if exit == Exit::Done { failure.exit } else { exit }
        }
        Some(Ok(())) | None => exit,
    }
}

/// Checks and opens what tells of the work, before any of it is done.
fn prepare(
    manner: &Manner<'_>,
    prefix: String,
    signals: Signals,
) -> Result<(Session, Watcher, Option<Target>), Failure> {
    clash::refuse(manner.files)?;
    let teller = Arc::new(Teller::open(prefix, manner.quiet, manner.verbose, manner.files.log)?);
    let stats = manner.files.stats.map(PathBuf::as_path).map(Target::open).transpose()?;
    let (tally, size_bytes) = (Arc::new(Tally::start()), Arc::default());
    let watch = Watch {
        look: {
            let (tally, dir) = (Arc::clone(&tally), manner.dir.map(Path::to_owned));
            Box::new(move || {
                let mut snapshot = tally.snapshot();
                snapshot.disk_bytes = dir.as_deref().map_or(0, disk_bytes);
                snapshot
            })
        },
        status: manner.status,
        teller: Arc::clone(&teller),
        style: manner.style,
        interval: manner.interval,
        name: manner.name.map(str::to_owned),
        size_bytes: Arc::clone(&size_bytes),
    };
    let (watcher, queue) = Watcher::start(signals, watch)?;
    let zero = tally.snapshot();
    Ok((Session { teller, tally, queue, zero, size_bytes }, watcher, stats))
}

fn tell(teller: &Teller, outcome: &Outcome) {
    for warning in &outcome.warnings {
        teller.say(Loudness::Warning, warning);
    }
    if let Some(text) = outcome.ending.text() {
        teller.fail(text);
    }
    if outcome.ending.failure.is_none() {
        teller.plain(&outcome.lines);
        teller.say(Loudness::Note, &outcome.summary);
    }
}

/// What the segments take on disk.
fn disk_bytes(dir: &Path) -> u64 {
    let files = std::fs::read_dir(dir).into_iter().flatten().filter_map(|entry| entry.ok()?.metadata().ok());
    files.filter(Metadata::is_file).map(|file| file.blocks() * 512).sum()
}

/// The figures that every command has, around those of its own.
fn figures(end: &Snapshot, outcome: Outcome, exit: Exit) -> Value {
    let mut all = Map::new();
    all.insert("version".to_owned(), json!(env!("CARGO_PKG_VERSION")));
    let error = outcome.ending.text().map(str::to_owned);
    all.extend(outcome.figures);
    all.insert("seconds".to_owned(), json!(seconds(end.elapsed)));
    all.insert("rss_peak_bytes".to_owned(), json!(rss_peak_bytes()));
    all.insert("exit_status".to_owned(), json!(exit.status()));
    all.insert("error".to_owned(), json!(error));
    Value::Object(all)
}
