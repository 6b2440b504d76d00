//! The command: arguments to options, options to a pipe, figures to the user.
//!
//! ```text
//!   args (clap) ─┬> options ──> Pipe ──> filter::run ──> exit status
//!                └> spool, each: the commands beside the filter
//!                                │ events, meter
//!                SIGUSR1 ──> watcher ──> teller ──> terminal, stderr or log
//! ```
//!
//! Arguments validate, options act. Nothing here panics on a closed stderr, and every message is one line. Nothing
//! here moves data either: that is [`spillpipe::pipe`].

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
mod line;
mod options;
mod signals;
mod spool;
mod stats;
mod teller;
mod text;
mod usage;
mod watcher;

use clap::Parser;
use exit::Failure;
use std::process::ExitCode;

/// Runs the command that the process was started as.
pub(crate) fn main() -> ExitCode {
    // First of all: a SIGUSR1 that comes while the arguments are being read must not kill.
    let outcome = signals::Signals::install().map_err(Failure::io("cannot handle signals")).map(|signals| {
        match args::Cli::try_parse() {
            Ok(cli) => match cli.command {
                None => filter::run(&cli.filter, signals),
                Some(command) => spool::run(&command, signals),
            },
            Err(error) => usage::report(&error),
        }
    });
    outcome
        .unwrap_or_else(|failure| {
            teller::tell_stderr("spillpipe", &failure.text);
            failure.exit
        })
        .end()
}
