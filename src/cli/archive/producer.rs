//! The command whose output is packed.

use crate::cli::deadly::Deadly;
use crate::cli::ends::PipeEnd;
use crate::cli::exit::{Exit, Failure, describe};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};
use signal_hook::consts::SIGCHLD;
use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

/// A command at work. It shares our standard input and error, and our terminal.
#[derive(Debug)]
pub(super) struct Producer {
    child: Child,
    name: String,
}

impl Producer {
    /// Starts it, and gives what it writes.
    pub(super) fn start(program: &OsString, args: &[OsString]) -> Result<(Self, PipeEnd), Failure> {
        let name = program.to_string_lossy().into_owned();
        let cannot = |doing: &str| Failure::io(format!("cannot {doing} '{name}'"));
        // Where it is ignored, the kernel throws the exit status away. A flag that nobody looks at.
        signal_hook::flag::register(SIGCHLD, Arc::default()).map_err(cannot("wait for"))?;
        let mut child = Command::new(program).args(args).stdout(Stdio::piped()).spawn().map_err(cannot("run"))?;
        let output = child.stdout.take().ok_or_else(|| Failure::new(format!("'{name}' has no standard output")))?;
        let input = PipeEnd::of_command(OwnedFd::from(output).into(), format!("the output of '{name}'"));
        Ok((Self { child, name }, input))
    }

    /// Waits for its end: the inner error tells how it failed, the outer one that we are to end.
    pub(super) fn wait(&mut self, deadly: &Deadly) -> Result<Result<(), Failure>, Failure> {
        // On a kernel that does not tell of its end, a signal has to wait for that.
        if let Ok(end) = pidfd_open(Pid::from_child(&self.child), PidfdFlags::empty()) {
            let mut fds = [PollFd::from_borrowed_fd(deadly.stopped(), PollFlags::IN), PollFd::new(&end, PollFlags::IN)];
            while matches!(poll(&mut fds, None), Err(Errno::INTR)) {}
            deadly.check()?;
        }
        let status = self.child.wait().map_err(Failure::io(format!("cannot wait for '{}'", self.name)))?;
        let failure = || Failure::new(format!("'{}' {}", self.name, describe(status)));
        Ok(if status.success() { Ok(()) } else { Err(failure()) })
    }

    /// Ends it by the signal that ends us, or by SIGTERM, and does not wait: who ignores it goes on without us.
    pub(super) fn end(&mut self, why: Exit) {
        // Once its end has been taken notice of, its number may be another's.
        if !matches!(self.child.try_wait(), Ok(None)) {
            return;
        }
        let signal = if let Exit::Signal(signal) = why { Signal::from_named_raw(signal) } else { None };
        let _ = kill_process(Pid::from_child(&self.child), signal.unwrap_or(Signal::TERM)); // It may be gone.
    }
}
