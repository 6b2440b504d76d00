//! One command that runs: writes to its input, and waits for its end, never longer than for its deadline.
//!
//! What counts is the end of the command itself. Others may hold its input open, or its output: they are not waited
//! for.

use super::groups::Groups;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, WaitId, WaitIdOptions, pidfd_open, waitid};
use std::io::{self, ErrorKind, Write};
use std::os::fd::OwnedFd;
use std::process::{ChildStdin, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How often to look whether it has ended, on a kernel that does not tell.
const RECHECK: Duration = Duration::from_millis(20);
/// Bytes that its input should hold: as many as an ordinary user may ask for. A refusal changes nothing.
const PIPE_BYTES: usize = 1 << 20;

/// A command that runs.
#[derive(Debug)]
pub(super) struct Child<'g> {
    process: std::process::Child,
    input: Option<ChildStdin>,
    /// Can be read once it has ended; `None` where the kernel has no such thing.
    end: Option<OwnedFd>,
    groups: &'g Groups,
    deadline: Option<Instant>,
}

/// Why no more can be written.
#[derive(Debug)]
pub(super) enum Stopped {
    /// Nobody reads any more.
    Closed,
    /// The command has ended.
    Ended,
    /// The deadline is over.
    TimedOut,
    /// The system failed.
    System(io::Error),
}

/// What was waited for.
enum Event {
    Ended,
    Writable,
    TimedOut,
}

impl<'g> Child<'g> {
    /// Starts it, with a pipe as its input and the rest of the standard streams ours; `None` when it is too late to
    /// start any.
    pub(super) fn start(
        groups: &'g Groups,
        command: &mut Command,
        deadline: Option<Instant>,
    ) -> io::Result<Option<Self>> {
        let Some(mut process) = groups.start(command.stdin(Stdio::piped()))? else { return Ok(None) };
        let end = pidfd_open(Pid::from_child(&process), PidfdFlags::empty()).ok();
        let input = process.stdin.take();
        let child = Self { process, input, end, groups, deadline };
        if let Some(input) = &child.input {
            let _ = rustix::pipe::fcntl_setpipe_size(input, PIPE_BYTES);
            // The flag is one of our end alone: the other end of a pipe has flags of its own.
            if let Err(error) = rustix::fs::fcntl_setfl(input, OFlags::NONBLOCK) {
                child.kill()?;
                return Err(error.into());
            }
        }
        Ok(Some(child))
    }

    /// Writes all bytes to its input.
    pub(super) fn write_all(&mut self, mut bytes: &[u8]) -> Result<(), Stopped> {
        while !bytes.is_empty() {
            let Some(input) = &mut self.input else { return Err(Stopped::Closed) };
            match input.write(bytes) {
                Ok(written) => bytes = &bytes[written..],
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::BrokenPipe => return Err(Stopped::Closed),
                Err(error) if error.kind() == ErrorKind::WouldBlock => match self.wait_for(true) {
                    Ok(Event::Writable) => {}
                    Ok(Event::Ended) => return Err(Stopped::Ended),
                    Ok(Event::TimedOut) => return Err(Stopped::TimedOut),
                    Err(error) => return Err(Stopped::System(error)),
                },
                Err(error) => return Err(Stopped::System(error)),
            }
        }
        Ok(())
    }

    /// Ends its input and waits for its end; `None` when the deadline was over before, and it was killed.
    pub(super) fn wait(mut self) -> io::Result<Option<ExitStatus>> {
        self.input = None;
        match self.wait_for(false)? {
            Event::TimedOut => self.kill().map(|()| None),
            Event::Ended | Event::Writable => self.groups.reap(&mut self.process).map(Some),
        }
    }

    /// Kills it and its group. Its input ends after that, so that it never takes a part for the whole.
    pub(super) fn kill(mut self) -> io::Result<()> {
        self.groups.kill(&self.process);
        self.deadline = None;
        while !matches!(self.wait_for(false)?, Event::Ended) {}
        self.groups.reap(&mut self.process).map(drop)
    }

    fn wait_for(&self, to_write: bool) -> io::Result<Event> {
        loop {
            let left = self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let writable = self
                .sleep(if self.end.is_some() { left } else { left.min(Some(RECHECK)).or(Some(RECHECK)) }, to_write)?;
            if self.has_ended()? {
                return Ok(Event::Ended);
            }
            if writable {
                return Ok(Event::Writable);
            }
            if left == Some(Duration::ZERO) {
                return Ok(Event::TimedOut);
            }
        }
    }

    /// Sleeps until something happens; whether its input takes bytes, or nobody reads it any more.
    fn sleep(&self, time: Option<Duration>, to_write: bool) -> io::Result<bool> {
        let input = self.input.as_ref().filter(|_| to_write).map(|input| PollFd::new(input, PollFlags::OUT));
        let end = self.end.as_ref().map(|end| PollFd::new(end, PollFlags::IN));
        let mut fds: Vec<_> = input.into_iter().chain(end).collect();
        let time = time.and_then(|time| Timespec::try_from(time).ok());
        match poll(&mut fds, time.as_ref()) {
            Ok(_) => Ok(to_write && fds.first().is_some_and(|fd| !fd.revents().is_empty())),
            Err(Errno::INTR) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether it has ended; its status stays to be taken.
    fn has_ended(&self) -> io::Result<bool> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        Ok(waitid(WaitId::Pid(Pid::from_child(&self.process)), options)?.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(30);

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    /// Runs `body` on a child with that script, on a kernel that tells of its end and on one that does not; none may
    /// take long.
    fn with_child(script: &str, deadline: Option<Duration>, body: impl Fn(Child<'_>)) {
        for tells in [true, false] {
            let start = Instant::now();
            let groups = Groups::new();
            let deadline = deadline.map(|time| start + time);
            let mut child = Child::start(&groups, &mut shell(script), deadline).expect("sh").expect("not ended");
            assert!(child.end.is_some(), "this kernel tells");
            child.end = child.end.filter(|_| tells);
            body(child);
            assert!(start.elapsed() < LONG / 2, "{script}: {:?}", start.elapsed());
        }
    }

    #[test]
    fn its_exit_status_is_known_whether_it_reads_or_not() {
        for (script, status) in [("cat >/dev/null; exit 3", 3), ("exit 4", 4), ("exec <&-; sleep 0.05; exit 5", 5)] {
            with_child(script, None, |mut child| {
                let _ = child.write_all(&vec![0; 4 << 20]);
                assert_eq!(child.wait().expect("a status").and_then(|status| status.code()), Some(status), "{script}");
            });
        }
    }

    #[test]
    fn nobody_who_keeps_its_input_open_is_waited_for() {
        with_child("exec 3<&0; sleep 2 <&3 & exit 6", None, |mut child| {
            let stopped = child.write_all(&vec![0; 4 << 20]);
            assert!(matches!(stopped, Err(Stopped::Ended)), "{stopped:?}");
            assert_eq!(child.wait().expect("a status").and_then(|status| status.code()), Some(6));
        });
    }

    #[test]
    fn what_hangs_is_killed_with_all_it_has_started() {
        let dir = tempfile::TempDir::new().expect("a directory");
        let note = dir.path().join("pid");
        let script = format!("sleep 30 & echo $! >'{}'; wait", note.display());
        with_child(&script, Some(Duration::from_millis(300)), |mut child| {
            let stopped = child.write_all(&vec![0; 4 << 20]);
            assert!(matches!(stopped, Err(Stopped::TimedOut)), "{stopped:?}");
            assert_eq!(child.wait().expect("no error"), None);
            let started = std::fs::read_to_string(&note).expect("the number of the sleep");
            let state = || std::fs::read_to_string(format!("/proc/{}/stat", started.trim())).unwrap_or_default();
            let start = Instant::now();
            while !(state().is_empty() || state().contains(") Z ")) {
                assert!(start.elapsed() < LONG, "{}", state());
                std::thread::sleep(Duration::from_millis(1));
            }
        });
    }

    #[test]
    fn nothing_starts_once_all_has_ended() {
        let groups = Groups::new();
        groups.end(rustix::process::Signal::TERM);
        assert!(Child::start(&groups, &mut shell("exit 0"), None).expect("no error").is_none());
    }
}
