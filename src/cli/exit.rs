//! How the command ends: its exit status, and the failure that led there.

use std::io;
use std::process::ExitCode;

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
