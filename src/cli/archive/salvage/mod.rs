//! `spillpipe salvage`: what can be had back of damaged archives.

mod told;

use super::args::SalvageArgs;
use super::findings;
use super::output::{Name, Output};
use crate::cli::args::When;
use crate::cli::clash::{Files, Stream};
use crate::cli::deadly::Deadly;
use crate::cli::exit::{Ending, Exit, Failure};
use crate::cli::figures::Period;
use crate::cli::session::{self, Manner, Outcome, Session};
use crate::cli::signals::Signals;
use crate::cli::teller::{Teller, tell_stderr};
use crate::cli::text::{Loudness, plain};
use crate::cli::watcher::Style;
use rustix::fs::{FileType, stat};
use rustix::io::Errno;
use spillpipe::archive::salvage::{self, Error, Options, Plain, Progress, Report, Sparse};
use spillpipe::archive::{Bond, Input};
use spillpipe::units::human;
use std::fs::File;
use std::io::{self, IsTerminal as _};
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Runs it.
pub(in crate::cli) fn run(args: &SalvageArgs, signals: Signals) -> Exit {
    // Before the files of the reports are opened, and emptied.
    if let Err(failure) = check(args) {
        tell_stderr("spillpipe", &failure.text);
        return failure.exit;
    }
    let reports = &args.reports;
    let manner = Manner {
        name: None,
        quiet: reports.quiet,
        verbose: reports.verbose,
        files: Files {
            input: Stream::Archives(&args.paths),
            output: Stream::Given(args.output.as_ref()),
            log: reports.log.as_ref(),
            stats: reports.stats.as_ref(),
        },
        style: style(args),
        interval: Duration::from_secs(1),
        status,
        dir: None,
    };
    session::run(&manner, signals, |session| salvage(args, session).unwrap_or_else(Outcome::failed))
}

/// Refuses what would be waited for in vain.
fn check(args: &SalvageArgs) -> Result<(), Failure> {
    for path in &args.paths {
        if path.as_os_str() == "-" {
            if io::stdin().is_terminal() {
                return Err(Failure::usage("an archive does not come from a terminal; give a PATH"));
            }
        } else if !args.unordered && stat(path).is_ok_and(|found| FileType::from_raw_mode(found.st_mode).is_fifo()) {
            // To open it would be to wait for somebody who writes.
            return Err(once(path));
        }
    }
    Ok(())
}

fn style(args: &SalvageArgs) -> Style {
    let terminal = io::stderr().is_terminal();
    match args.progress {
        When::Never => Style::Hidden,
        When::Auto if args.reports.quiet || !terminal => Style::Hidden,
        When::Auto | When::Always if terminal => Style::InPlace,
        When::Auto | When::Always => Style::Lines,
    }
}

fn status(period: Period<'_>) -> String {
    let now = period.to;
    let (searched, rate) = (human(now.bytes_in), human(period.in_rate()));
    format!("{searched} searched after {:.1} s, at {rate}/s", now.elapsed.as_secs_f64())
}

fn salvage(args: &SalvageArgs, session: &Session) -> Result<Outcome, Failure> {
    let mut inputs = Vec::new();
    for path in &args.paths {
        inputs.extend(Input::of(path).map_err(|error| Failure::new(findings::error(&error)))?);
    }
    if let Some(bytes) = inputs.iter().map(Input::bytes).sum::<Option<u64>>() {
        let _ = session.size_bytes.set(bytes); // Nobody else sets it.
    }
    let is_spool = inputs.iter().all(|input| input.bond() == Bond::Spool);
    let (output, deadly) = Output::open_and_catch(args.output.as_ref(), args.force)?;
    let deadly = Arc::new(deadly);
    let name = output.name();
    let progress = {
        let (tally, deadly) = (Arc::clone(&session.tally), Arc::clone(&deadly));
        Progress::new(move |bytes| {
            tally.took(bytes);
            tally.gave(bytes, Duration::ZERO);
            ended(&deadly)
        })
    };
    let options = Options { zero_fill: args.zero_fill, unordered: args.unordered, progress };
    let inputs = inputs.into_iter().map(salvage::Input::Named).collect();
    let (output, report) = written(output, &deadly, |taker| salvage::salvage(inputs, &options, taker))
        .map_err(|error| failure(&error, &name))
        // What a signal has ended tells of that.
        .map_err(|failure| deadly.check().err().unwrap_or(failure))?;
    if !report.found_any() {
        return Err(Failure::new(told::nothing(&report)));
    }
    // Of what is all lost there is no file.
    if report.bytes_out > 0 || !report.lost_any() {
        output.finish()?;
    }
    let (flaw, teller) = (told::flaw(&report), &session.teller);
    let is_of_note = flaw.is_some() || told::is_strange(&report, is_spool);
    tell(teller, &told::table(&report), if is_of_note { Loudness::Warning } else { Loudness::Note });
    let now = session.tally.snapshot();
    let rate = human(Period { from: &session.zero, to: &now }.in_rate());
    let searched = format!("{} searched in {:.1} s ({rate}/s)", human(now.bytes_in), now.elapsed.as_secs_f64());
    Ok(Outcome {
        summary: format!("{searched}; {} got back", human(report.bytes_out)),
        lines: String::new(),
        warnings: vec![],
        ending: Ending { failure: None, flaw },
        figures: told::figures(&report),
    })
}

/// Tells of several lines, as loud as that.
fn tell(teller: &Teller, lines: &str, loudness: Loudness) {
    let wanted = if loudness == Loudness::Warning { teller.warnings } else { teller.notes };
    if teller.log.is_some() {
        lines.lines().for_each(|line| teller.say(loudness, line));
    } else if wanted {
        teller.plain(lines);
    }
}

/// Does the work with an output for its data: one that can have holes where that is possible.
fn written(
    output: Output,
    deadly: &Deadly,
    work: impl FnOnce(&mut dyn salvage::Output) -> Result<Report, Error>,
) -> Result<(Output, Report), Error> {
    if output.is_file() {
        let file = File::from(output.as_fd().try_clone_to_owned().map_err(Error::Output)?);
        let report = work(&mut Watched { inner: Sparse(&file), is_file: true, deadly })?;
        return Ok((output, report));
    }
    let mut watched = Watched { inner: Plain(output), is_file: false, deadly };
    let report = work(&mut watched)?;
    Ok((watched.inner.0, report))
}

/// An output that is counted, and does not outlast a signal.
struct Watched<'a, O> {
    inner: O,
    is_file: bool,
    deadly: &'a Deadly,
}

impl<O> Watched<'_, O> {
    fn act(&mut self, act: impl FnOnce(&mut O) -> io::Result<()>) -> io::Result<()> {
        // If we were killed in a write to a file, nobody would remove what there is of it.
        if self.is_file { act(&mut self.inner) } else { self.deadly.write(|| act(&mut self.inner)) }
    }
}

impl<O: salvage::Output> salvage::Output for Watched<'_, O> {
    fn data(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.act(|output| output.data(bytes))?;
        ended(self.deadly)
    }

    fn zeros(&mut self, count: u64) -> io::Result<()> {
        self.act(|output| output.zeros(count))?;
        ended(self.deadly)
    }

    fn end(&mut self) -> io::Result<()> {
        self.act(salvage::Output::end)
    }
}

/// Fails when a signal has come.
fn ended(deadly: &Deadly) -> io::Result<()> {
    deadly.check().map_err(|failure| io::Error::other(failure.text))
}

fn failure(error: &Error, output: &Name) -> Failure {
    match error {
        Error::Open(error) => Failure::new(findings::error(error)),
        Error::Input { name, source } => {
            let is_bad = source.raw_os_error() == Some(Errno::IO.raw_os_error());
            let hint = if is_bad { "; first copy what can be read of it, with ddrescue for example" } else { "" };
            Failure::new(format!("cannot read {name}: {}{hint}", plain(source)))
        }
        Error::Output(error) => output.cannot_write(error),
        error => Failure::new(error.to_string()),
    }
}

/// That an input can be read only once.
fn once(path: &Path) -> Failure {
    Failure::new(Error::Once { name: path.display().to_string() }.to_string())
}
