//! `spillpipe merge` and `split`: chunks of archives as they are, to one file or to several.

use super::args::{MergeArgs, SplitArgs};
use super::findings;
use super::output::{Guarded, Output};
use crate::cli::clash::Stream;
use crate::cli::deadly::Deadly;
use crate::cli::exit::{Ending, Exit, Failure};
use crate::cli::figures::Period;
use crate::cli::session::{self, Manner, Outcome, Session};
use crate::cli::signals::Signals;
use crate::cli::tally::Tally;
use crate::cli::text::{counted, plain};
use rustix::fs::{FileType, stat};
use spillpipe::archive::{Error, Input, Merge, Split, StitchError, Written};
use spillpipe::format::EndState;
use spillpipe::store::WholeDir;
use spillpipe::units::human;
use std::io::{self, ErrorKind, Write};
use std::path::PathBuf;
use std::time::Duration;

/// Runs `merge`.
pub(in crate::cli) fn merge(args: &MergeArgs, signals: Signals) -> Exit {
    let manner =
        Manner::plain(&args.reports, Stream::Archives(&args.paths), Stream::Given(args.output.as_ref()), status);
    session::run(&manner, signals, |session| merged(args, session).unwrap_or_else(Outcome::failed))
}

/// Runs `split`.
pub(in crate::cli) fn split(args: &SplitArgs, signals: Signals) -> Exit {
    let input = Stream::Archives(std::slice::from_ref(&args.path));
    let manner = Manner::plain(&args.reports, input, Stream::Unused, status);
    session::run(&manner, signals, |session| parted(args, session).unwrap_or_else(Outcome::failed))
}

fn merged(args: &MergeArgs, session: &Session) -> Result<Outcome, Failure> {
    let merge = Merge::of(inputs(&args.paths)?).map_err(|error| failure(&error, ""))?;
    let (output, deadly) = Output::open_and_catch(args.output.as_ref(), args.force)?;
    if output.is_terminal() {
        return Err(Failure::usage("an archive is nothing for a terminal; give it a file with --output"));
    }
    let name = output.name().to_string();
    let progress = Progress { tally: &session.tally, deadly: &deadly };
    let written = merge.write(Counted { inner: Guarded::new(output, &deadly), progress });
    deadly.check()?;
    let (counted, merged) = written.map_err(|error| failure(&error, &name))?;
    counted.inner.finish()?;
    Ok(outcome("merge", session, &merged.written, merged.end, &name))
}

fn parted(args: &SplitArgs, session: &Session) -> Result<Outcome, Failure> {
    let paths = std::slice::from_ref(&args.path);
    let split = Split::of(inputs(paths)?, args.bytes.0).map_err(|error| failure(&error, ""))?;
    let deadly = Deadly::catch().map_err(Failure::io("cannot handle signals"))?;
    let name = args.dir.display().to_string();
    let dir = WholeDir::create(&args.dir).map_err(|error| cannot_create(&name, &error))?;
    let progress = Progress { tally: &session.tally, deadly: &deadly };
    let written = split.write(&dir, &mut |bytes| progress.passed(bytes));
    deadly.check()?;
    let split = written.map_err(|error| failure(&error, &name))?;
    dir.finish().map_err(|error| cannot_create(&name, &error))?;
    Ok(outcome("split", session, &split.written, split.end, &name))
}

/// What the paths stand for.
fn inputs(paths: &[PathBuf]) -> Result<Vec<Input>, Failure> {
    let mut all = Vec::new();
    for path in paths {
        // To open it would be to wait for somebody who writes.
        if stat(path).is_ok_and(|found| FileType::from_raw_mode(found.st_mode).is_fifo()) {
            return Err(failure(&StitchError::Stream { name: path.display().to_string() }, ""));
        }
        all.extend(Input::of(path).map_err(|error| failure(&error.into(), ""))?);
    }
    Ok(all)
}

/// Tells of what passes, and ends it when a signal came.
struct Progress<'a> {
    tally: &'a Tally,
    deadly: &'a Deadly,
}

impl Progress<'_> {
    fn passed(&self, bytes: usize) -> io::Result<()> {
        self.tally.took(bytes as u64);
        self.tally.gave(bytes as u64, Duration::ZERO);
        self.deadly.check().map_err(|failure| io::Error::other(failure.text))
    }
}

/// An output that is watched.
struct Counted<'a> {
    inner: Guarded<'a>,
    progress: Progress<'a>,
}

impl Write for Counted<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let len = self.inner.write(bytes)?;
        self.progress.passed(len)?;
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn outcome(command: &str, session: &Session, written: &Written, end: EndState, name: &str) -> Outcome {
    let (now, is_complete) = (session.tally.snapshot(), end == EndState::End);
    let incomplete = || {
        let text = format!("{name} is written, and marked as incomplete: what it is made of has no end mark");
        Ending::failed(Failure { exit: Exit::Incomplete, text })
    };
    Outcome {
        summary: format!(
            "{} in {:.1} s ({}/s); {} in {}",
            human(written.stored_bytes),
            now.elapsed.as_secs_f64(),
            human(Period { from: &session.zero, to: &now }.out_rate()),
            counted(written.chunks, "chunk"),
            counted(written.segments, "segment"),
        ),
        lines: String::new(),
        warnings: vec![],
        ending: if is_complete { Ending::default() } else { incomplete() },
        figures: findings::written(command, is_complete, written),
    }
}

/// `output` is what cannot be written.
fn failure(error: &StitchError, output: &str) -> Failure {
    let (exit, text) = match error {
        StitchError::Write(error) if error.kind() == ErrorKind::BrokenPipe => (Exit::ConsumerGone, error.to_string()),
        StitchError::Write(error) => (Exit::Failed, format!("cannot write {output}: {}", plain(error))),
        StitchError::Archive(error) => match &**error {
            error @ Error::Damaged { .. } => (Exit::Damaged, findings::error(error)),
            error => (Exit::Failed, findings::error(error)),
        },
        other => (Exit::Failed, other.to_string()),
    };
    Failure { exit, text }
}

fn cannot_create(name: &str, error: &io::Error) -> Failure {
    let text = match error.kind() {
        ErrorKind::AlreadyExists => "it exists; give a name that is free".to_owned(),
        _ => plain(error),
    };
    Failure::new(format!("cannot create {name}: {text}"))
}

fn status(period: Period<'_>) -> String {
    let now = period.to;
    let (bytes, rate) = (human(now.bytes_out), human(period.out_rate()));
    format!("{bytes} written after {:.1} s, at {rate}/s", now.elapsed.as_secs_f64())
}
