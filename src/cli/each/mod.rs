//! `spillpipe each`: batches of a spool, each to a run of a command.
//!
//! ```text
//!   spool ──> dispatcher ──> job: attempt, back-off, attempt ... ──> acknowledged, or left behind
//!   signals ──> listener ──────┘ └── child: process group, feeding, end
//! ```
//!
//! A batch is not held in memory: its digest is made while it is put together, and each attempt reads it again. What
//! counts is the exit status of the command; acknowledgement is at least once, as a run that is killed does not know
//! what its commands came to.

mod args;
mod attempt;
mod backoff;
mod child;
mod digest;
mod dispatcher;
mod groups;
mod halt;
mod job;
mod listener;
mod offers;
mod report;
mod waker;

pub(super) use args::EachArgs;

use super::clash::{self, Files, Stream};
use super::closed;
use super::exit::{Exit, Failure};
use super::signals::Signals;
use super::spool::text;
use super::stats::Target;
use super::teller::tell_stderr;
use backoff::Backoff;
use dispatcher::{Dispatcher, End, Message};
use groups::Groups;
use halt::Halt;
use job::Jobs;
use listener::Heard;
use report::Report;
use spillpipe::spool::{Reader, ReaderOptions, Spool};
use std::sync::mpsc::sync_channel;
use std::thread::{self, Builder};
use waker::Waker;

/// What to do when another process reads.
const HINT: &str = "; --reader gives another name, with a place of its own in the stream";

/// Runs it.
pub(super) fn run(args: &EachArgs, signals: Signals) -> Exit {
    let groups = Groups::new();
    let (log, unused) = (args.reports.log.as_ref(), Stream::Unused);
    let files = Files { input: unused, output: unused, log, stats: args.reports.stats.as_ref() };
    let prepared = clash::refuse(files).and_then(|()| {
        if closed::stdout_was_closed() {
            // The command would write into what stands in for it, and succeed.
            return Err(Failure::new(
                "standard output is closed; if what the command writes is not wanted, use >/dev/null",
            ));
        }
        let report = Report::open(args)?;
        let stats = args.reports.stats.as_deref().map(Target::open).transpose()?;
        Ok((report, stats))
    });
    let (report, stats) = match prepared {
        Ok(prepared) => prepared,
        Err(failure) => {
            tell_stderr("spillpipe", &failure.text);
            return failure.exit;
        }
    };
    let end = work(args, signals, &groups, &report).unwrap_or_else(End::failed);
    let signal = end.signal;
    let word = end.word(args, &report.figures());
    let mut exit = word.exit();
    match word.text() {
        _ if signal.is_some() => {}
        Some(text) => report.fail(text),
        None => report.summary(),
    }
    if let Some(Err(failure)) = stats.map(|stats| stats.write(&report.stats(exit, word.text()))) {
        report.fail(&failure.text);
        exit = if exit == Exit::Done { failure.exit } else { exit };
    }
    if let Some(signal) = signal {
        // Returns only when the signal is blocked in a way that cannot be undone; then the status has to do.
        let _ = signal_hook::low_level::emulate_default_handler(signal);
        return Exit::Failed;
    }
    exit
}

/// Opens the spool and deals with its batches.
fn work(args: &EachArgs, signals: Signals, groups: &Groups, report: &Report) -> Result<End, Failure> {
    let reader = open(args)?;
    let waker = Waker::new().map_err(Failure::io("cannot start"))?;
    let (listener, stop) = listener::listen(signals).map_err(Failure::io("cannot handle signals"))?;
    let halt = Halt::default();
    let backoff = Backoff { first: args.retry_delay, most: args.retry_delay_max };
    let jobs = Jobs { args, backoff, groups, halt: &halt, report };
    // Each job sends one message, and the listener one.
    let (sender, messages) = sync_channel(args.jobs + 1);
    thread::scope(|scope| {
        let (waker, deadly) = (&waker, sender.clone());
        let hear = move |heard| match heard {
            Heard::Status => report.status(),
            Heard::Deadly(signal) => {
                let _ = deadly.send(Message::Deadly(signal)); // The dispatcher may have just ended.
                waker.wake();
            }
        };
        let listening = Builder::new().name("listener".to_owned()).spawn_scoped(scope, move || listener.run(hear));
        listening.map_err(Failure::io("cannot start a thread"))?;
        let end = Dispatcher::new(&jobs, reader, waker).run(scope, &messages, &sender);
        stop.stop();
        Ok(end)
    })
}

fn open(args: &EachArgs) -> Result<Reader, Failure> {
    let mut options = ReaderOptions::default();
    options.start = args.from.into();
    options.ack_interval = args.ack_interval;
    let spool = if args.follow { Spool::create(&args.dir) } else { Spool::open(&args.dir) };
    spool.and_then(|spool| spool.reader(&args.reader, options)).map_err(|error| text::failure(&error, HINT))
}
