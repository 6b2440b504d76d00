//! `spillpipe push`: standard input into a spool.

use super::args::PushArgs;
use super::intake::{self, Intake};
use super::text;
use crate::cli::clash::Stream;
use crate::cli::ends;
use crate::cli::exit::{Ending, Exit, Failure};
use crate::cli::figures::Period;
use crate::cli::session::{self, Manner, Outcome, Session};
use crate::cli::signals::Signals;
use crate::cli::text::counted;
use serde_json::{Map, json};
use spillpipe::format::EndState;
use spillpipe::spool::{Error, Spool, Writer};
use spillpipe::units::human;

const HINT: &str = "; use --wait to wait for it";

/// Runs it.
pub(in crate::cli) fn run(args: &PushArgs, signals: Signals) -> Exit {
    let manner = Manner::plain(&args.reports, Stream::Given(args.input.as_ref()), Stream::Unused, status);
    session::run(&manner, signals, |session| push(args, session).unwrap_or_else(Outcome::failed))
}

fn push(args: &PushArgs, session: &Session) -> Result<Outcome, Failure> {
    let input = ends::open_input(args.input.as_ref())?;
    let (writer, when_full) = (open(args).map_err(|error| text::failure(&error, HINT))?, args.storage.when_full.into());
    let mut writer = intake::listen(writer, session, args.dir.clone(), when_full);
    let at_once = || args.linger.is_zero();
    let intake = Intake { input: &input, tally: &session.tally, stop: None, at_once: &at_once };
    let fed = intake.run(&mut writer);
    let (end, end_name) = match (args.no_end, args.abort) {
        (true, _) => (EndState::Continues, "open"),
        (_, true) => (EndState::Aborted, "incomplete"),
        _ => (EndState::End, "complete"),
    };
    let (stats, failure) = intake::finish(writer, fed, end);
    let mut figures = Map::new();
    figures.insert("command".to_owned(), json!("push"));
    figures.insert("end".to_owned(), json!(if failure.is_some() { "incomplete" } else { end_name }));
    figures.extend(intake::figures(&stats, &session.tally));
    let now = session.tally.snapshot();
    Ok(Outcome {
        summary: format!(
            "{} in {:.1} s; {} stored in {}; synced",
            human(now.bytes_in),
            now.elapsed.as_secs_f64(),
            human(stats.stored_bytes),
            counted(stats.chunks, "chunk")
        ),
        lines: String::new(),
        warnings: text::dropped(stats.dropped, when_full).into_iter().collect(),
        ending: failure.map_or_else(Ending::default, Ending::failed),
        figures,
    })
}

fn open(args: &PushArgs) -> Result<Writer, Error> {
    let mut options = intake::options(&args.storage);
    options.records = args.records.into();
    options.linger = Some(args.linger).filter(|linger| !linger.is_zero());
    let spool = Spool::create(&args.dir)?;
    if args.wait { spool.writer_wait(options, None) } else { spool.writer(options) }
}

fn status(period: Period<'_>) -> String {
    let now = period.to;
    format!(
        "{} taken in after {:.1} s, at {}/s",
        human(now.bytes_in),
        now.elapsed.as_secs_f64(),
        human(period.in_rate())
    )
}
