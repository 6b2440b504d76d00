//! The command: arguments to options, options to a pipe, figures to the user.
//!
//! ```text
//!   args (clap) ─┬> options ──> Pipe ──> filter::run ──> exit status
//!                └> spool, each, archive: the commands beside the filter
//!                                │ events, meter
//!                SIGUSR1 ──> watcher ──> teller ──> terminal, stderr or log
//! ```
//!
//! Arguments validate, options act. Nothing here panics on a closed stderr, and every message is one line. Nothing
//! here moves data either: that is [`spillpipe::pipe`].

mod archive;
mod args;
mod clash;
mod closed;
mod deadly;
mod digest;
mod each;
mod ends;
mod episodes;
mod exit;
mod figures;
mod filter;
mod info;
mod inlet;
mod line;
mod options;
mod session;
mod signals;
mod spool;
mod stats;
mod tally;
mod teller;
mod text;
mod usage;
mod watcher;

use args::Command;
use clap::Parser;
use exit::{Exit, Failure};
use signals::Signals;
use std::process::ExitCode;

/// Runs the command that the process was started as.
pub(crate) fn main() -> ExitCode {
    // First of all: a SIGUSR1 that comes while the arguments are being read must not kill.
    let outcome =
        Signals::install().map_err(Failure::io("cannot handle signals")).map(|signals| match args::Cli::try_parse() {
            Ok(cli) => match cli.command {
                None => filter::run(&cli.filter, signals),
                Some(command) => run(&command, signals),
            },
            Err(error) => usage::report(&error),
        });
    outcome
        .unwrap_or_else(|failure| {
            teller::tell_stderr("spillpipe", &failure.text);
            failure.exit
        })
        .end()
}

/// Runs one of the commands beside the filter.
fn run(command: &Command, signals: Signals) -> Exit {
    match command {
        Command::Push(args) => spool::push(args, signals),
        Command::Pop(args) => spool::pop(args, signals),
        Command::Each(args) => each::run(args, signals),
        Command::Info(args) => info::run(args),
        Command::Trim(args) => brief(spool::trim(args)),
        Command::Reader(args) => brief(spool::reader(args)),
        Command::Pack(args) => archive::pack(args, signals),
        Command::Cat(args) => archive::cat(args, signals),
        Command::Verify(args) => archive::verify(args, signals),
        Command::Salvage(args) => archive::salvage(args, signals),
        Command::Merge(args) => archive::merge(args, signals),
        Command::Split(args) => archive::split(args, signals),
    }
}

/// How a command ends that is over at once.
fn brief(result: Result<(), Failure>) -> Exit {
    let Err(failure) = result else { return Exit::Done };
    if !failure.exit.is_silent() {
        teller::tell_stderr("spillpipe", &failure.text);
    }
    failure.exit
}
