//! `spillpipe pack`: an input, or what a command writes, into an archive.

use super::args::PackArgs;
use super::findings;
use super::output::{Guarded, Name, Output};
use super::producer::Producer;
use crate::cli::clash::Stream;
use crate::cli::deadly::Deadly;
use crate::cli::digest::Digest;
use crate::cli::ends::{self, PipeEnd};
use crate::cli::exit::{Ending, Exit, Failure};
use crate::cli::figures::Period;
use crate::cli::inlet::{Got, Inlet};
use crate::cli::session::{self, Manner, Outcome, Session};
use crate::cli::signals::Signals;
use crate::cli::text::{counted, ratio};
use serde_json::json;
use spillpipe::archive::{Writer, WriterOptions, Written};
use spillpipe::format::EndState;
use spillpipe::units::human;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

/// How soon a chunk is handed on that was compressed while there was nothing to read.
const SETTLE_EVERY: Duration = Duration::from_millis(2);

/// Runs it.
pub(in crate::cli) fn run(args: &PackArgs, signals: Signals) -> Exit {
    let input = if args.command.is_empty() { Stream::Given(args.input.as_ref()) } else { Stream::Unused };
    let manner = Manner::plain(&args.reports, input, Stream::Given(args.output.as_ref()), status);
    session::run(&manner, signals, |session| pack(args, session).unwrap_or_else(Outcome::failed))
}

fn pack(args: &PackArgs, session: &Session) -> Result<Outcome, Failure> {
    // A variable that was to hold it is empty: the input would be taken, and be empty, too.
    if args.command.is_empty() && std::env::args_os().next_back().is_some_and(|last| last == "--") {
        return Err(Failure::usage("no command after '--'"));
    }
    let file = if args.command.is_empty() { Some(ends::open_input(args.input.as_ref())?) } else { None };
    let (output, deadly) = Output::open_and_catch(args.output.as_ref(), args.force)?;
    if output.is_terminal() {
        return Err(Failure::usage("an archive is nothing for a terminal; give it a file with --output"));
    }
    let packing = Packing { args, session, deadly: &deadly, digest: args.digest.map(Digest::new) };
    match (file, args.command.split_first()) {
        (None, Some((program, rest))) => {
            // Before the archive begins: of a command that cannot be run there is none.
            let (mut producer, input) = Producer::start(program, rest)?;
            packing.run(output, input, Some(&mut producer)).inspect_err(|failure| producer.end(failure.exit))
        }
        (file, _) => packing.run(output, file.map_or_else(|| ends::open_input(None), Ok)?, None),
    }
}

/// What it takes to pack.
struct Packing<'a> {
    args: &'a PackArgs,
    session: &'a Session,
    deadly: &'a Deadly,
    digest: Option<Digest>,
}

impl Packing<'_> {
    fn run(&self, output: Output, input: PipeEnd, producer: Option<&mut Producer>) -> Result<Outcome, Failure> {
        let (name, is_file) = (output.name(), output.is_file());
        // A file has no reader that it could lose.
        let reader = if is_file { None } else { output.as_fd().try_clone_to_owned().ok() };
        let failure = |error: io::Error| Guarded::failure(self.deadly, &name, &error);
        let mut writer = Writer::new(Guarded::new(output, self.deadly), &options(self.args)).map_err(failure)?;
        let fed = self.feed(&mut writer, &input, reader.as_ref().map(AsFd::as_fd), &name)?;
        // A command that still writes learns that nobody reads.
        drop(input);
        let of_command = producer.is_some();
        let failed = match (fed, producer) {
            (Ok(()), Some(producer)) => producer.wait(self.deadly)?,
            (fed, _) => fed,
        };
        let failed = failed.err();
        if is_file
            && !self.args.incomplete
            && let Some(Failure { exit, text }) = failed
        {
            return Err(Failure { exit, text: format!("{text}; nothing is left of {name}") });
        }
        let is_complete = failed.is_none() && (of_command || !self.args.incomplete);
        let end = if is_complete { EndState::End } else { EndState::Aborted };
        let (output, written) = writer.finish(end).map_err(failure)?;
        output.finish()?;
        let failed = failed.map(|Failure { exit, text }| {
            let exit = if of_command { Exit::Incomplete } else { exit };
            Failure { exit, text: format!("{text}; what came before is packed, and marked as incomplete") }
        });
        Ok(self.outcome(&written, is_complete, failed))
    }

    /// Packs all there is. The outer error ends everything, the inner one is the input's.
    fn feed(
        &self,
        writer: &mut Writer<Guarded<'_>>,
        input: &PipeEnd,
        reader: Option<BorrowedFd<'_>>,
        name: &Name,
    ) -> Result<Result<(), Failure>, Failure> {
        let inlet = Inlet::new(input, Some(self.deadly.stopped()), reader);
        let tally = &self.session.tally;
        let mut stored_bytes = 0;
        loop {
            // While there is nothing to read, a reader gets what is done meanwhile.
            while writer.settle().map_err(|error| Guarded::failure(self.deadly, name, &error))?
                && !inlet.is_ready_within(SETTLE_EVERY).unwrap_or(true)
            {}
            let room = writer.room().map_err(|error| Guarded::failure(self.deadly, name, &error))?;
            match inlet.read(room) {
                Ok(Got::Stopped) => self.deadly.check()?,
                Ok(Got::OutputGone) => return Err(name.cannot_write(&ErrorKind::BrokenPipe.into())),
                Ok(Got::Bytes(0)) => return Ok(Ok(())),
                Ok(Got::Bytes(len)) => {
                    if let Some(digest) = &self.digest {
                        digest.update(&room[..len]);
                    }
                    writer.advance(len);
                    tally.took(len as u64);
                    let stored_before = std::mem::replace(&mut stored_bytes, writer.written().stored_bytes);
                    tally.gave(stored_bytes - stored_before, Duration::ZERO);
                }
                Err(error) => return Ok(Err(Failure::io(format!("cannot read {}", input.name))(error))),
            }
        }
    }

    fn outcome(&self, written: &Written, is_complete: bool, failed: Option<Failure>) -> Outcome {
        let now = self.session.tally.snapshot();
        let digest = self.digest.as_ref().map(|digest| (digest.name(), digest.hex()));
        let ratio = ratio(written.raw_bytes, written.stored_bytes);
        let mut figures = findings::written("pack", is_complete, written);
        let as_json = digest.as_ref().map(|(name, hex)| json!({ "algorithm": name, "hex": hex }));
        figures.insert("digest".to_owned(), json!(as_json));
        Outcome {
            summary: format!(
                "{} in {:.1} s ({}/s); {} stored in {}, ratio {ratio:.2}",
                human(written.raw_bytes),
                now.elapsed.as_secs_f64(),
                human(Period { from: &self.session.zero, to: &now }.in_rate()),
                human(written.stored_bytes),
                counted(written.chunks, "chunk"),
            ),
            lines: digest.map(|(name, hex)| format!("{name} {hex}\n")).unwrap_or_default(),
            warnings: vec![],
            ending: failed.map_or_else(Ending::default, Ending::failed),
            figures,
        }
    }
}

fn options(args: &PackArgs) -> WriterOptions {
    let mut options = WriterOptions::default();
    options.codec = args.codec;
    options.chunk_bytes = args.chunk_size.0.try_into().unwrap_or(usize::MAX);
    options.threads = args.threads.unwrap_or(options.threads);
    options
}

fn status(period: Period<'_>) -> String {
    let now = period.to;
    format!(
        "{} packed to {} after {:.1} s, at {}/s",
        human(now.bytes_in),
        human(now.bytes_out),
        now.elapsed.as_secs_f64(),
        human(period.in_rate())
    )
}
