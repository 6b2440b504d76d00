//! `spillpipe --spool DIR`: the filter with what it buffers kept on disk, across crashes and restarts.
//!
//! ```text
//!   thread: input ──> intake ──> Writer ──┐
//!                        ▲ stop           ├─ DIR
//!   main:   output <── handout <── Reader ┘
//! ```
//!
//! Whatever ends the output stops the intake: what was taken in by then is in the spool for the next run. The end of
//! the input does not stop the output: that goes on until nothing is left.

use super::args::enough_disk;
use super::ending::of_handout;
use super::handout::{HandedOut, Handout, Step};
use super::intake::{self, Intake};
use super::text;
use crate::cli::args::FilterArgs;
use crate::cli::deadly::Deadly;
use crate::cli::digest::Digest;
use crate::cli::ends::{self, PipeEnd};
use crate::cli::exit::{Exit, Failure};
use crate::cli::figures::Period;
use crate::cli::session::{self, Manner, Outcome, Session};
use crate::cli::signals::Signals;
use crate::cli::{filter, line};
use serde_json::{Map, json};
use spillpipe::format::EndState;
use spillpipe::spool::{Cancel, Error, Reader, ReaderOptions, Spool, Writer, WriterStats};
use spillpipe::units::human;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// The reader that the filter is.
const READER: &str = "default";
const HINT: &str = "; one process at a time can have it";

/// Runs it.
pub(in crate::cli) fn run(args: &FilterArgs, dir: &Path, signals: Signals) -> Exit {
    let manner = Manner {
        name: args.name.as_deref(),
        quiet: args.quiet,
        verbose: args.verbose,
        files: filter::files(args),
        style: filter::style(args),
        interval: args.interval,
        status: line::status,
        dir: Some(dir),
    };
    session::run(&manner, signals, |session| through(args, dir, session).unwrap_or_else(Outcome::failed))
}

fn through(args: &FilterArgs, dir: &Path, session: &Session) -> Result<Outcome, Failure> {
    if let Some(Err(why)) = args.max_disk.map(enough_disk) {
        return Err(Failure::usage(format!("--max-disk is too little for --spool: {why}")));
    }
    let input = ends::open_input(args.input.as_ref())?;
    let (writer, reader, backlog_bytes) = open(args, dir).map_err(|error| text::failure(&error, HINT))?;
    let output = ends::open_output(args.output.as_ref(), args.force, &input)?;
    let expected = args.size.map(|size| size.0).or_else(|| input.bytes_left());
    if let Some(bytes) = expected {
        let _ = session.size_bytes.set(bytes.saturating_add(backlog_bytes)); // Nobody else sets it.
    }
    session.tally.left_over(backlog_bytes);
    let writer = intake::listen(writer, session, dir.to_owned(), args.when_full.into());
    let digest = args.digest.map(Digest::new);
    let deadly = Deadly::catch().map_err(Failure::io("cannot handle signals"))?;
    let mut handout = Handout::new(reader, &output, session, dir, &deadly, digest.clone());
    let links = Links::new(deadly.cancel().clone()).map_err(Failure::io("cannot start"))?;
    let writer = writer.cancel_by(links.cancel.clone());
    let (taken, ending) = thread::scope(|scope| {
        let feeder = thread::Builder::new().name("intake".to_owned());
        let (links, input) = (&links, &input);
        let feeder = feeder.spawn_scoped(scope, move || links.take_in(input, session, writer));
        let feeder = feeder.map_err(Failure::io("cannot start a thread"))?;
        let failure = links.hand_out(&mut handout).err();
        links.stop_intake();
        let ending = handout.end(failure);
        let taken = feeder.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        Ok((taken, ending))
    })?;
    let synced = if ending.failure.is_none() { output.sync() } else { Ok(()) };
    Ok(outcome(
        args,
        dir,
        session,
        digest.as_ref(),
        taken,
        HandedOut { failure: ending.failure.or(synced.err()), ..ending },
    ))
}

/// The writer, the reader, and how much an earlier run has left for it.
fn open(args: &FilterArgs, dir: &Path) -> Result<(Writer, Reader, u64), Error> {
    let spool = Spool::create(dir)?;
    // The reader first: what is written from now on is kept for it.
    let reader = spool.reader(READER, ReaderOptions::default())?;
    let writer = spool.writer(intake::options(&args.into()))?;
    let readers = spool.info()?.readers;
    let backlog_bytes = readers.iter().find(|reader| reader.name == READER).map_or(0, |reader| reader.backlog_bytes);
    Ok((writer, reader, backlog_bytes))
}

/// What the two sides know of each other.
struct Links {
    /// Nothing waits to be handed out: what comes is to be shown at once.
    output_idle: AtomicBool,
    /// The writer has ended, and all of it is in the spool.
    input_over: AtomicBool,
    /// Wakes the reader.
    wake: Cancel,
    /// Ends the writer's waits for room, and the wait for the input.
    cancel: Cancel,
    stop: UnixStream,
    stopped: UnixStream,
}

impl Links {
    fn new(wake: Cancel) -> io::Result<Self> {
        let (stop, stopped) = UnixStream::pair()?;
        let (output_idle, input_over) = (AtomicBool::new(false), AtomicBool::new(false));
        Ok(Self { output_idle, input_over, wake, cancel: Cancel::new()?, stop, stopped })
    }

    fn take_in(&self, input: &PipeEnd, session: &Session, mut writer: Writer) -> (WriterStats, Option<Failure>) {
        let at_once = || self.output_idle.load(Ordering::Relaxed);
        let (tally, stop) = (&session.tally, Some(self.stopped.as_fd()));
        let fed = Intake { input, tally, stop, at_once: &at_once }.run(&mut writer);
        let taken = intake::finish(writer, fed, EndState::End);
        self.input_over.store(true, Ordering::Release);
        self.wake.raise();
        taken
    }

    fn stop_intake(&self) {
        // Readable for good from now on.
        let _ = self.stop.shutdown(std::net::Shutdown::Both);
        self.cancel.raise();
    }

    /// Hands out until the input is over and nothing is left.
    fn hand_out(&self, handout: &mut Handout<'_>) -> Result<(), Failure> {
        handout.catch_up()?;
        loop {
            let over = self.input_over.load(Ordering::Acquire);
            match handout.step()? {
                Step::Moved | Step::Ended(_) | Step::Enough => {}
                Step::Empty if over => {
                    handout.note_end();
                    return Ok(());
                }
                Step::Empty => {
                    self.output_idle.store(true, Ordering::Relaxed);
                    handout.wait()?;
                    self.output_idle.store(false, Ordering::Relaxed);
                }
            }
        }
    }
}

fn outcome(
    args: &FilterArgs,
    dir: &Path,
    session: &Session,
    digest: Option<&Digest>,
    (stats, input_failure): (WriterStats, Option<Failure>),
    ending: HandedOut,
) -> Outcome {
    let now = session.tally.snapshot();
    let mut figures = Map::new();
    figures.insert("command".to_owned(), json!("filter"));
    figures.insert("name".to_owned(), json!(args.name));
    figures.extend(intake::figures(&stats, &session.tally));
    figures.extend(ending.figures(now.bytes_out));
    let digest = digest.map(|digest| (digest.name(), digest.hex()));
    let as_json = digest.as_ref().map(|(name, hex)| json!({ "algorithm": name, "hex": hex }));
    figures.insert("digest".to_owned(), json!(as_json));
    let ending = HandedOut { failure: ending.failure.or(input_failure), ..ending };
    Outcome {
        summary: format!(
            "{} in {:.1} s ({}/s); {} stored",
            human(now.bytes_out),
            now.elapsed.as_secs_f64(),
            human(Period { from: &session.zero, to: &now }.out_rate()),
            human(stats.stored_bytes)
        ),
        lines: digest.map(|(name, hex)| format!("{name} {hex}\n")).unwrap_or_default(),
        warnings: text::dropped(stats.dropped, args.when_full.into()).into_iter().collect(),
        ending: of_handout(ending, dir),
        figures,
    }
}
