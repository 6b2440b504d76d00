//! How the command ends: its exit status, and the failure that led there.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitCode, ExitStatus};

/// The end of the process, as its parent sees it. The numbers are in the table that `--help` ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    /// All went well.
    Done,
    /// An I/O or system failure.
    Failed,
    /// The arguments make no sense.
    Usage,
    /// Damaged data was met.
    Damaged,
    /// The stream has no end mark.
    Incomplete,
    /// Full, under `--when-full fail`.
    Full,
    /// The consumer went away: die of SIGPIPE, silently, as `cat` does.
    ConsumerGone,
    /// This signal ended it, in order: die of it, silently.
    Signal(i32),
}

impl Exit {
    /// The status as a shell shows it.
    pub(super) fn status(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Damaged => 3,
            Self::Incomplete => 4,
            Self::Full => 5,
            Self::ConsumerGone => 128 + 13,
            Self::Signal(signal) => u8::try_from(128 + signal).unwrap_or(u8::MAX),
        }
    }

    /// Whether there is nothing to talk about: a consumer that has seen enough, or somebody who wanted it.
    pub(super) fn is_silent(self) -> bool {
        matches!(self, Self::ConsumerGone | Self::Signal(_))
    }

    /// Ends the process, or says how `main` should.
    pub(super) fn end(self) -> ExitCode {
        let signal = match self {
            Self::ConsumerGone => Some(signal_hook::consts::SIGPIPE),
            Self::Signal(signal) => Some(signal),
            _ => None,
        };
        if let Some(signal) = signal {
            // Returns only when the signal is blocked in a way that cannot be undone; then the status has to do.
            let _ = signal_hook::low_level::emulate_default_handler(signal);
        }
        ExitCode::from(self.status())
    }
}

/// Why the command ends early.
#[derive(Debug)]
pub(super) struct Failure {
    /// The exit status that it leads to.
    pub(super) exit: Exit,
    /// One line for the user: what was being done, and what the system said.
    pub(super) text: String,
}

impl Failure {
    /// An I/O or system failure.
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self { exit: Exit::Failed, text: text.into() }
    }

    /// A usage error.
    pub(super) fn usage(text: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, text: text.into() }
    }

    /// Wraps what the system said about `doing`, for `map_err`.
    pub(super) fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let doing = doing.into();
        move |error| Self::new(format!("{doing}: {}", super::text::plain(&error)))
    }
}

/// What is to be said of the end: why it failed, or what was handed out that was not all right.
#[derive(Debug, Default)]
pub(super) struct Ending {
    pub(super) failure: Option<Failure>,
    /// The second, when it did not fail.
    pub(super) flaw: Option<Failure>,
}

impl Ending {
    /// It failed.
    pub(super) fn failed(failure: Failure) -> Self {
        Self { failure: Some(failure), flaw: None }
    }

    fn reason(&self) -> Option<&Failure> {
        self.failure.as_ref().or(self.flaw.as_ref())
    }

    /// The exit status that it comes to.
    pub(super) fn exit(&self) -> Exit {
        self.reason().map_or(Exit::Done, |failure| failure.exit)
    }

    /// The line for the user.
    pub(super) fn text(&self) -> Option<&str> {
        self.reason().map(|failure| failure.text.as_str())
    }
}

/// How a command that failed has ended, behind its name.
pub(super) fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with exit status {code}"),
        (None, Some(signal)) => match signal_hook::low_level::signal_name(signal) {
            Some(name) => format!("was killed by {name}"),
            None => format!("was killed by signal {signal}"),
        },
        (None, None) => status.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_command_in_words() {
        assert_eq!(describe(ExitStatus::from_raw(3 << 8)), "ended with exit status 3");
        assert_eq!(describe(ExitStatus::from_raw(9)), "was killed by SIGKILL");
        assert_eq!(describe(ExitStatus::from_raw(64)), "was killed by signal 64");
    }
}
