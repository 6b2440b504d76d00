//! The commands that work on a spool, a first-in first-out buffer in a directory that outlives processes.
//!
//! ```text
//!   push     input ──> intake ──> Writer ──> DIR
//!   pop                                      DIR ──> Reader ──> handout ──> output
//!   --spool  input ──> intake ──> Writer ──> DIR ──> Reader ──> handout ──> output
//! ```
//!
//! Around each stands a [`session`]: messages, the answer to SIGUSR1, figures, the exit status. What they do is the
//! library's: [`spillpipe::spool`].

pub(super) mod args;
mod handout;
mod info;
mod intake;
mod pop;
mod push;
mod session;
mod tally;
pub(super) mod text;
mod through;
mod upkeep;
pub(super) mod values;

use super::args::Command;
use super::exit::{Exit, Failure};
use super::signals::Signals;
use super::teller::tell_stderr;
use super::text::plain;
use std::io::{self, ErrorKind};

pub(super) use through::run as through;

/// Runs a command.
pub(super) fn run(command: &Command, signals: Signals) -> Exit {
    let brief = match command {
        Command::Each(args) => return super::each::run(args, signals),
        Command::Push(args) => return push::run(args, signals),
        Command::Pop(args) => return pop::run(args, signals),
        Command::Info(args) => info::run(args),
        Command::Trim(args) => upkeep::trim(args),
        Command::Reader(args) => upkeep::reader(args),
    };
    match brief {
        Ok(()) => Exit::Done,
        Err(failure) => {
            if failure.exit != Exit::ConsumerGone {
                tell_stderr("spillpipe", &failure.text);
            }
            failure.exit
        }
    }
}

/// That standard output took no more.
fn cannot_print(error: &io::Error) -> Failure {
    let exit = if error.kind() == ErrorKind::BrokenPipe { Exit::ConsumerGone } else { Exit::Failed };
    Failure { exit, text: format!("cannot write standard output: {}", plain(error)) }
}
