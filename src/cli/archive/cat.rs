//! `spillpipe cat`: the data of archives, or a part of it, to standard output or a file.

use super::args::CatArgs;
use super::findings;
use super::output::{Guarded, Name, Output};
use crate::cli::clash::Stream;
use crate::cli::deadly::Deadly;
use crate::cli::digest::Digest;
use crate::cli::ends;
use crate::cli::exit::{Ending, Exit, Failure};
use crate::cli::figures::Period;
use crate::cli::session::{self, Manner, Outcome, Session};
use crate::cli::signals::Signals;
use crate::cli::tally::Tally;
use crate::cli::text::{counted, plain};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::retry_on_intr;
use serde_json::{Map, json};
use spillpipe::archive::{Copied, CopyError, CopyOptions, Error, Input, Parts, Source, Span, copy_out};
use spillpipe::units::{ByteSize, human};
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::time::Duration;

/// Runs it.
pub(in crate::cli) fn run(args: &CatArgs, signals: Signals) -> Exit {
    let (input, output) = (Stream::Archives(&args.paths), Stream::Given(args.output.as_ref()));
    let manner = Manner::plain(&args.reports, input, output, status);
    session::run(&manner, signals, |session| cat(args, session).unwrap_or_else(Outcome::failed))
}

fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

fn cat(args: &CatArgs, session: &Session) -> Result<Outcome, Failure> {
    if args.paths.iter().any(|path| is_stdin(path)) && io::stdin().is_terminal() {
        return Err(Failure::usage("an archive does not come from a terminal; give a PATH"));
    }
    let inputs: Result<Vec<_>, _> = args.paths.iter().map(|path| Input::of(path)).collect();
    let inputs = inputs.map_err(|error| explain(&error))?;
    let (output, deadly) = Output::open_and_catch(args.output.as_ref(), args.force)?;
    let (name, is_file) = (output.name(), output.is_file());
    let mut watched =
        Watched { inner: Guarded::new(output, &deadly), tally: &session.tally, digest: args.digest.map(Digest::new) };
    let mut cat = Cat { args, deadly: &deadly, copied: Copied::default(), warnings: Vec::new(), flaw: None };
    let mut failed =
        grouped(args, inputs).into_iter().try_for_each(|(path, inputs)| cat.path(path, inputs, &mut watched));
    let Watched { inner: output, digest, .. } = watched;
    if is_file {
        // Of a file, nobody could tell later that its end is missing.
        failed = failed.and(cat.flaw.take().map_or(Ok(()), Err));
    }
    let failed = match failed {
        Ok(()) => output.finish(),
        Err(Failure { exit, text }) if is_file => {
            let hint = if exit == Exit::Incomplete { "; without --output, what there is comes out" } else { "" };
            Err(Failure { exit, text: format!("{text}; nothing is left of {name}{hint}") })
        }
        Err(failure) => Err(failure),
    };
    Ok(cat.outcome(session, digest.as_ref(), failed.err()))
}

/// Files that are given one after the other may be parts of one stream; what is asked for of each is asked of each alone.
fn grouped(args: &CatArgs, inputs: Vec<Vec<Input>>) -> Vec<(&Path, Vec<Input>)> {
    let each = args.range.is_some() || args.chunks.is_some() || args.plain;
    let is_file = |path: &Path| !each && path.is_file();
    let mut groups: Vec<(&Path, Vec<Input>)> = Vec::new();
    for (path, inputs) in args.paths.iter().zip(inputs) {
        match groups.last_mut() {
            Some((before, group)) if is_file(before) && is_file(path) => group.extend(inputs),
            _ => groups.push((path, inputs)),
        }
    }
    groups
}

/// What it takes, and what has come of it so far.
struct Cat<'a> {
    args: &'a CatArgs,
    deadly: &'a Deadly,
    copied: Copied,
    warnings: Vec<String>,
    /// The first archive that has no end.
    flaw: Option<Failure>,
}

impl Cat<'_> {
    /// One after the other, up to the first that fails.
    fn path(&mut self, path: &Path, inputs: Vec<Input>, output: &mut Watched<'_>) -> Result<(), Failure> {
        let name = output.inner.name();
        if inputs.is_empty() {
            return Ok(());
        }
        let parts = self.open(path, inputs, &output.inner)?;
        let (options, before) = (options(self.args), self.copied);
        let copied = copy_out(parts, output, &options, &mut self.copied);
        self.deadly.check()?;
        self.tell_missing(path, before, copied.is_ok());
        match copied {
            Err(CopyError::Archive(error @ Error::Incomplete { .. })) => {
                self.flaw.get_or_insert(explain(&error));
                Ok(())
            }
            copied => copied.map_err(|error| failure(error, &name)),
        }
    }

    /// A stream ends the wait for it when its consumer goes away, or a signal comes.
    fn open(&self, path: &Path, inputs: Vec<Input>, output: &Guarded<'_>) -> Result<Parts, Failure> {
        if path.is_dir() {
            return Ok(Parts::from(inputs));
        }
        let source = if is_stdin(path) {
            let end = ends::open_input(None)?;
            Source::file(end.name.clone(), end.file).map_err(Failure::io(format!("cannot read {}", end.name)))?
        } else {
            let [input] = &inputs[..] else { return Ok(Parts::from(inputs)) };
            // A named pipe is waited for.
            self.deadly.write(|| input.open()).map_err(|error| explain(&error))?
        };
        let cannot = Failure::io("cannot watch the output");
        let own = |fd: BorrowedFd<'_>| fd.try_clone_to_owned();
        let (stop, reader) =
            own(self.deadly.stopped()).and_then(|stop| Ok((stop, own(output.as_fd())?))).map_err(cannot)?;
        Ok(Parts::from(source.waiting_by(move |input| wait(input, stop.as_fd(), reader.as_fd()))))
    }

    fn tell_missing(&mut self, path: &Path, before: Copied, is_all: bool) {
        let name = if is_stdin(path) { "standard input".to_owned() } else { path.display().to_string() };
        let missed = self.copied.missed_bytes - before.missed_bytes;
        if missed > 0 {
            let were = if missed == 1 { "was" } else { "were" };
            let text = format!("{name}: gap: {} {were} dropped before they were written", counted(missed, "byte"));
            self.warnings.push(text);
        }
        let gone = self.copied.before_bytes - before.before_bytes;
        if gone > 0 && self.args.range.as_ref().is_some_and(|range| range.start > 0) {
            let lie = if gone == 1 { "lies" } else { "lie" };
            self.warnings.push(format!("{name}: {} of the range {lie} in front of its data", counted(gone, "byte")));
        }
        let (had, unit, span) = match (&self.args.range, &self.args.chunks) {
            (Some(range), _) => {
                ((self.copied.bytes - before.bytes).saturating_add(missed).saturating_add(gone), "byte", range)
            }
            (None, Some(chunks)) => (self.copied.chunks - before.chunks, "chunk", chunks),
            (None, None) => return,
        };
        let lacking = (span.end - span.start).saturating_sub(had);
        if span.end < u64::MAX && lacking > 0 && is_all {
            let are = if lacking == 1 { "is" } else { "are" };
            self.warnings.push(format!("{name}: {} of the range {are} not there", counted(lacking, unit)));
        }
    }

    fn outcome(self, session: &Session, digest: Option<&Digest>, failure: Option<Failure>) -> Outcome {
        let (now, copied) = (session.tally.snapshot(), self.copied);
        let digest = digest.map(|digest| (digest.name(), digest.hex()));
        let end = match (&failure, &self.flaw) {
            (None, None) => Some("complete"),
            (None, Some(_)) => Some("incomplete"),
            (Some(failure), _) => (failure.exit == Exit::Incomplete).then_some("incomplete"),
        };
        let mut figures = Map::new();
        for (name, value) in [
            ("command", json!("cat")),
            ("end", json!(end)),
            ("bytes", json!(copied.bytes)),
            ("chunks", json!(copied.chunks)),
            ("chunks_decoded", json!(copied.decoded_chunks)),
            ("missed_bytes", json!(copied.missed_bytes)),
            ("digest", json!(digest.as_ref().map(|(name, hex)| json!({ "algorithm": name, "hex": hex })))),
        ] {
            figures.insert(name.to_owned(), value);
        }
        Outcome {
            summary: format!(
                "{} in {:.1} s ({}/s); {} decoded",
                human(copied.bytes),
                now.elapsed.as_secs_f64(),
                human(Period { from: &session.zero, to: &now }.out_rate()),
                counted(copied.decoded_chunks, "chunk"),
            ),
            lines: digest.map(|(name, hex)| format!("{name} {hex}\n")).unwrap_or_default(),
            warnings: self.warnings,
            ending: Ending { failure, flaw: self.flaw },
            figures,
        }
    }
}

fn options(args: &CatArgs) -> CopyOptions {
    let mut options = CopyOptions::default();
    options.span = match (&args.range, &args.chunks) {
        (Some(range), _) => Span::Bytes(range.clone()),
        (None, Some(range)) => Span::Chunks(range.clone()),
        (None, None) => Span::All,
    };
    options.threads = args.threads.unwrap_or(options.threads);
    options.bytes_max = args.max_output.map(|size| size.0);
    options.plain = args.plain;
    options
}

/// Waits for an input, until a signal comes or the consumer goes away.
fn wait(input: BorrowedFd<'_>, stop: BorrowedFd<'_>, output: BorrowedFd<'_>) -> io::Result<()> {
    let mut fds = [
        // Before the input, which may have no end.
        PollFd::from_borrowed_fd(stop, PollFlags::IN),
        PollFd::from_borrowed_fd(input, PollFlags::IN),
        // Nothing asked for: errors and hang-ups are told all the same.
        PollFd::from_borrowed_fd(output, PollFlags::empty()),
    ];
    retry_on_intr(|| poll(&mut fds, None))?;
    // With an end of the input, a consumer that has left has lost nothing.
    match fds.iter().position(|fd| !fd.revents().is_empty()) {
        Some(0) => Err(io::Error::other("it was stopped")),
        Some(2) => Err(ErrorKind::BrokenPipe.into()),
        _ => Ok(()),
    }
}

/// An output that is watched.
struct Watched<'a> {
    inner: Guarded<'a>,
    tally: &'a Tally,
    digest: Option<Digest>,
}

impl Write for Watched<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let len = self.inner.write(bytes)?;
        if let Some(digest) = &self.digest {
            digest.update(&bytes[..len]);
        }
        self.tally.took(len as u64);
        self.tally.gave(len as u64, Duration::ZERO);
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn failure(error: CopyError, output: &Name) -> Failure {
    match error {
        CopyError::Archive(error) => explain(&error),
        CopyError::Output(error) => output.cannot_write(&error),
        CopyError::TooMuch { name, bytes_max } => {
            let most = ByteSize(bytes_max);
            Failure::new(format!("more than {most} would come out of {name} (--max-output); what came out is a part"))
        }
        CopyError::Threads(error) => Failure::new(format!("cannot decode: {}", plain(&error))),
        other => Failure::new(other.to_string()),
    }
}

fn explain(error: &Error) -> Failure {
    let text = findings::error(error);
    match error {
        // Nothing but a wait for the input fails so.
        Error::Io { source, .. } if source.kind() == ErrorKind::BrokenPipe => {
            Failure { exit: Exit::ConsumerGone, text }
        }
        // What the system did not say is of the data.
        Error::Io { doing: "decode", source, .. } if source.raw_os_error().is_none() => {
            Failure { exit: Exit::Damaged, text }
        }
        Error::Damaged { .. } => Failure { exit: Exit::Damaged, text },
        Error::Incomplete { .. } => Failure { exit: Exit::Incomplete, text },
        Error::Foreign { what, .. } if what.is_plain() => Failure::new(format!("{text}, and 'spillpipe cat --plain'")),
        _ => Failure::new(text),
    }
}

fn status(period: Period<'_>) -> String {
    let (now, rate) = (period.to, human(period.out_rate()));
    format!("{} out after {:.1} s, at {rate}/s", human(now.bytes_out), now.elapsed.as_secs_f64())
}
