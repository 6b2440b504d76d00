//! Reading an input, and the reasons to stop waiting for it.

use super::ends::PipeEnd;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use std::io::{self, ErrorKind, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

/// What a pipe on the input is grown to: fewer and larger reads.
const PIPE_BYTES: usize = 1 << 20;

/// An input that is being read.
#[derive(Debug)]
pub(super) struct Inlet<'a> {
    input: &'a PipeEnd,
    /// Ends the wait for the input when it becomes readable.
    stop: Option<BorrowedFd<'a>>,
    /// Ends it when nobody can read any more what is written there.
    output: Option<BorrowedFd<'a>>,
}

/// What a read came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Got {
    /// So many bytes; 0: the end.
    Bytes(usize),
    /// It was stopped.
    Stopped,
    /// The output has lost its reader.
    OutputGone,
}

impl<'a> Inlet<'a> {
    /// Reads this input.
    pub(super) fn new(input: &'a PipeEnd, stop: Option<BorrowedFd<'a>>, output: Option<BorrowedFd<'a>>) -> Self {
        grow_pipe(input.file.as_fd());
        Self { input, stop, output }
    }

    /// Reads once, as soon as there is something.
    pub(super) fn read(&self, buffer: &mut [u8]) -> io::Result<Got> {
        loop {
            if let Some(reason) = self.wait()? {
                return Ok(reason);
            }
            match (&self.input.file).read(buffer) {
                // The descriptor may be shared with someone who made it non-blocking, or who was faster.
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
                result => return result.map(Got::Bytes),
            }
        }
    }

    /// Whether a read would not wait, or not for so long.
    pub(super) fn is_ready_within(&self, patience: Duration) -> io::Result<bool> {
        let mut fds = vec![PollFd::new(&self.input.file, PollFlags::IN)];
        fds.extend(self.stop.map(|stop| PollFd::from_borrowed_fd(stop, PollFlags::IN)));
        fds.extend(self.output.map(|output| PollFd::from_borrowed_fd(output, PollFlags::empty())));
        match poll(&mut fds, Timespec::try_from(patience).ok().as_ref()) {
            Ok(ready) => Ok(ready > 0),
            Err(Errno::INTR) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Waits for the input, or a reason not to.
    fn wait(&self) -> io::Result<Option<Got>> {
        let ends = self.stop.map(|stop| (stop, PollFlags::IN, Got::Stopped)).into_iter();
        // Nothing asked for: errors and hang-ups are told all the same.
        let ends = ends.chain(self.output.map(|output| (output, PollFlags::empty(), Got::OutputGone)));
        let (mut fds, reasons): (Vec<_>, Vec<_>) =
            ends.map(|(fd, what, reason)| (PollFd::from_borrowed_fd(fd, what), reason)).unzip();
        fds.push(PollFd::new(&self.input.file, PollFlags::IN));
        loop {
            match poll(&mut fds, None) {
                Ok(_) => break,
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(fds.iter().zip(reasons).find(|(fd, _)| !fd.revents().is_empty()).map(|(_, reason)| reason))
    }
}

/// A wish: what is no pipe, and a refusal, are passed over. A pipe is never made smaller.
fn grow_pipe(fd: BorrowedFd<'_>) {
    if rustix::pipe::fcntl_getpipe_size(fd).is_ok_and(|bytes| bytes < PIPE_BYTES) {
        let _ = rustix::pipe::fcntl_setpipe_size(fd, PIPE_BYTES);
    }
}
