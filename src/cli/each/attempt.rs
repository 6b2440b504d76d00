//! One attempt: the command runs once, with a batch on its input.

use super::child::{Child, Stopped};
use super::groups::Groups;
use crate::cli::exit::describe;
use spillpipe::spool::{Error, Feeder};
use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::process::Command;
use std::time::{Duration, Instant};

/// What to run.
#[derive(Debug)]
pub(super) struct Task<'a> {
    /// The command and its arguments.
    pub(super) command: &'a [OsString],
    /// What is added to its environment.
    pub(super) environment: Vec<(&'static str, String)>,
    /// How long it may take.
    pub(super) timeout: Option<Duration>,
}

/// How it went.
#[derive(Debug)]
pub(super) enum Outcome {
    /// The command says that it has dealt with the batch.
    Done,
    /// It has not: another attempt may help.
    Failed(String),
    /// There is no such command: no attempt will help.
    NoCommand(io::Error),
    /// The batch is not any more what the command was told.
    Changed,
    /// The batch cannot be read.
    Unreadable(Error),
    /// The command was not started, or killed, as everything ends.
    Ended,
}

/// Runs the command with the batch on its input, which has `bytes` bytes.
pub(super) fn attempt(groups: &Groups, task: &Task<'_>, feeder: &Feeder, bytes: u64) -> Outcome {
    let mut command = Command::new(&task.command[0]);
    command.args(&task.command[1..]).envs(task.environment.iter().map(|(name, value)| (name, value)));
    let deadline = task.timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    let child = match Child::start(groups, &mut command, deadline) {
        Ok(Some(child)) => child,
        Ok(None) => return Outcome::Ended,
        Err(error) if is_missing(&error) => return Outcome::NoCommand(error),
        Err(error) => return Outcome::Failed(format!("cannot be started: {}", super::super::text::plain(&error))),
    };
    let outcome = feed(child, task, feeder, bytes);
    if groups.ended() && matches!(outcome, Outcome::Failed(_)) { Outcome::Ended } else { outcome }
}

/// Feeds the batch to the command and waits for its end.
fn feed(mut child: Child<'_>, task: &Task<'_>, feeder: &Feeder, bytes: u64) -> Outcome {
    let mut stopped = None;
    let fed = feeder.feed(&mut |bytes| {
        child.write_all(bytes).map_err(|why| {
            stopped = Some(why);
            io::Error::other("the command takes no more")
        })
    });
    // A command that has seen less than the batch must not take what it has for all of it: it is killed before its
    // input ends.
    let ended = match (stopped, fed) {
        (Some(Stopped::Closed | Stopped::Ended), _) => child.wait(),
        (Some(Stopped::TimedOut), _) => child.kill().map(|()| None),
        (Some(Stopped::System(error)), _) => child.kill().and(Err(error)),
        (None, Ok(fed)) if fed.bytes == bytes => child.wait(),
        (None, Ok(_)) => return child.kill().map_or_else(|error| failed(&error), |()| Outcome::Changed),
        (None, Err(error)) => return child.kill().map_or_else(|error| failed(&error), |()| Outcome::Unreadable(error)),
    };
    match (ended, task.timeout) {
        (Ok(Some(status)), _) if status.success() => Outcome::Done,
        (Ok(Some(status)), _) => Outcome::Failed(describe(status)),
        (Ok(None), timeout) => Outcome::Failed(format!(
            "took longer than {} and was killed",
            super::report::time(timeout.unwrap_or_default())
        )),
        (Err(error), _) => failed(&error),
    }
}

fn failed(error: &io::Error) -> Outcome {
    Outcome::Failed(format!("cannot be waited for: {}", super::super::text::plain(error)))
}

/// Whether an error says that there is no such command, or none that can be run. Others may pass: memory or processes
/// that are short, an environment that is too large with this batch's.
fn is_missing(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let permanent = [Errno::NOENT, Errno::ACCESS, Errno::NOEXEC, Errno::NOTDIR, Errno::LOOP, Errno::ISDIR];
    error.kind() == ErrorKind::InvalidInput
        || permanent.iter().any(|it| error.raw_os_error() == Some(it.raw_os_error()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_command_that_will_never_run_is_missing() {
        let missing = |errno: i32| is_missing(&io::Error::from_raw_os_error(errno));
        let [enoent, e2big, eagain, enomem, eacces] = [2, 7, 11, 12, 13];
        assert!(missing(enoent) && missing(eacces));
        assert!(!missing(e2big) && !missing(eagain) && !missing(enomem));
    }
}
