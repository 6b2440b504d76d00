//! `spillpipe pop`: out of a spool to standard output.

use super::args::PopArgs;
use super::ending::of_handout;
use super::handout::{Handout, Step};
use super::text;
use crate::cli::clash::Stream;
use crate::cli::deadly::Deadly;
use crate::cli::ends;
use crate::cli::exit::{Exit, Failure};
use crate::cli::figures::Period;
use crate::cli::session::{self, Manner, Outcome, Session};
use crate::cli::signals::Signals;
use crate::cli::text::Loudness;
use serde_json::{Map, json};
use spillpipe::spool::{Error, Reader, ReaderOptions, Spool};
use spillpipe::units::human;

const HINT: &str = "; --reader gives another name, with a place of its own in the stream";

/// Runs it.
pub(in crate::cli) fn run(args: &PopArgs, signals: Signals) -> Exit {
    let manner = Manner::plain(&args.reports, Stream::Unused, Stream::Given(None), status);
    session::run(&manner, signals, |session| pop(args, session).unwrap_or_else(Outcome::failed))
}

fn pop(args: &PopArgs, session: &Session) -> Result<Outcome, Failure> {
    let output = ends::standard_output()?;
    let deadly = Deadly::catch().map_err(Failure::io("cannot handle signals"))?;
    let (reader, visit) = open(args).map_err(|error| text::failure(&error, HINT))?;
    let mut handout = Handout::new(reader, &output, session, &args.dir, &deadly, None);
    handout.acknowledge = !args.peek;
    handout.wanted_bytes = args.max_bytes.map(|size| size.0);
    let failure = hand_out(&mut handout, args, session).err();
    let mut ending = handout.end(failure);
    if let Some(Err(error)) = visit.map(|spool| spool.remove_reader(&args.reader)) {
        ending.failure = ending.failure.or_else(|| Some(text::failure(&error, "")));
    }
    let now = session.tally.snapshot();
    let mut figures = Map::new();
    figures.insert("command".to_owned(), json!("pop"));
    figures.insert("reader".to_owned(), json!(args.reader));
    figures.extend(ending.figures(now.bytes_out));
    Ok(Outcome {
        summary: format!(
            "{} in {:.1} s ({}/s)",
            human(now.bytes_out),
            now.elapsed.as_secs_f64(),
            human(Period { from: &session.zero, to: &now }.out_rate())
        ),
        lines: String::new(),
        warnings: vec![],
        ending: of_handout(ending, &args.dir),
        figures,
    })
}

/// The reader; and the spool, when its name is to be forgotten again at the end.
fn open(args: &PopArgs) -> Result<(Reader, Option<Spool>), Error> {
    let mut options = ReaderOptions::default();
    options.start = args.from.into();
    options.ack_interval = args.ack_interval;
    let spool = if args.follow { Spool::create(&args.dir) } else { Spool::open(&args.dir) }?;
    // A look is no reason to keep anything on disk for ever.
    let visits = args.peek && is_new(spool.add_reader(&args.reader, options.start))?;
    let reader = spool.reader(&args.reader, options)?;
    Ok((reader, visits.then_some(spool)))
}

fn is_new(added: Result<(), Error>) -> Result<bool, Error> {
    match added {
        Ok(()) => Ok(true),
        Err(Error::ReaderExists { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Hands out what is there; with `--follow` also what comes, until a stream ends with nothing behind it.
fn hand_out(handout: &mut Handout<'_>, args: &PopArgs, session: &Session) -> Result<(), Failure> {
    // A batch goes as a whole or not at all.
    if args.peek || args.max_bytes.is_some() {
        if let Some(text) = text::left_behind(&handout.reader.left_behind()) {
            session.teller.say(Loudness::Warning, &text);
        }
    } else {
        handout.catch_up()?;
    }
    // That a stream has ended here was told by an earlier run, as long as nothing came since: then it is no end now.
    let mut ended_here = false;
    loop {
        match handout.step()? {
            Step::Moved => ended_here = false,
            Step::Ended(_) => ended_here = true,
            Step::Enough => return Ok(()),
            Step::Empty if args.follow && !ended_here => handout.wait()?,
            Step::Empty => {
                handout.note_end();
                return Ok(());
            }
        }
    }
}

fn status(period: Period<'_>) -> String {
    let now = period.to;
    format!("{} out in {:.1} s; out {}/s", human(now.bytes_out), now.elapsed.as_secs_f64(), human(period.out_rate()))
}
