//! One copy under way: which calls to try for the two descriptors, and how far it has come.

use super::{CopyError, plain, relay};
use crate::sys::pipe::grow_pipe;
use crate::sys::poll::{until_readable, until_writable};
use crate::sys::splice::{Kind, bytes_ahead, copy_file_range, is_refusal, sendfile, splice, splice_now};
use std::io;
use std::os::fd::BorrowedFd;

/// Most that one call is asked for. The kernel's own limit is 2 GiB less a page; a file system that shares extents
/// wants whole blocks.
const CALL_BYTES_MAX: u64 = 1 << 30;
/// Both ends are ready, and still EAGAIN, so many times in a row: the file system's own idea of it (some versions of
/// ZFS have it). Plain calls will do.
const FALSE_ALARMS_MAX: u32 = 3;

/// What a pipe is grown to, and how much must be to come for that: less goes through it at once, or nearly so.
const PIPE_BYTES: usize = 1 << 20;
const GROW_FROM_BYTES: u64 = 64 << 10;

/// How one way went.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// As far as the limit.
    Done,
    /// As far as what looks like the end of the input.
    Ended,
    /// Not between these two, from here on.
    Refused,
}

type Call = fn(BorrowedFd<'_>, BorrowedFd<'_>, usize) -> io::Result<usize>;

/// A copy and how far it has come.
#[derive(Debug)]
pub(super) struct Transfer<'f> {
    pub(super) input: BorrowedFd<'f>,
    pub(super) output: BorrowedFd<'f>,
    /// Bytes still to go before the limit.
    pub(super) left: u64,
    copied: u64,
    /// Taken from the input, refused by the output.
    pub(super) unwritten: Vec<u8>,
}

impl<'f> Transfer<'f> {
    pub(super) fn new(input: BorrowedFd<'f>, output: BorrowedFd<'f>, bytes_max: Option<u64>) -> Self {
        Self { input, output, left: bytes_max.unwrap_or(u64::MAX), copied: 0, unwritten: Vec::new() }
    }

    pub(super) fn run(mut self) -> Result<u64, CopyError> {
        match self.every_way() {
            Ok(()) => Ok(self.copied),
            Err(source) => Err(CopyError { copied_bytes: self.copied, unwritten: self.unwritten, source }),
        }
    }

    fn every_way(&mut self) -> io::Result<()> {
        if self.left == 0 {
            return Ok(());
        }
        let (input, output) = (Kind::of(self.input)?, Kind::of(self.output)?);
        if self.left.min(bytes_ahead(self.input).unwrap_or(u64::MAX)) >= GROW_FROM_BYTES {
            for (end, kind) in [(self.input, input), (self.output, output)] {
                // A refusal is as good: it is only slower.
                let _ = if kind == Kind::Pipe { grow_pipe(end, PIPE_BYTES) } else { None };
            }
        }
        let way = match (input, output) {
            (Kind::File, Kind::File | Kind::Empty) => match self.direct(copy_file_range)? {
                Way::Refused => self.direct(sendfile)?,
                way => way,
            },
            (Kind::File, Kind::LocalSocket | Kind::Socket | Kind::Null) => self.direct(sendfile)?,
            (Kind::File, Kind::Pipe) | (Kind::Pipe, Kind::File | Kind::Empty | Kind::Null) => self.direct(splice)?,
            // One that waits would wait for room in the output even at the end of the input.
            (Kind::Pipe, Kind::Pipe) => self.direct(splice_now)?,
            // A pipe relayed to TCP was measured to take twice the time of reading and writing.
            (_, Kind::Other) | (Kind::Empty | Kind::Null | Kind::Other, _) | (Kind::Pipe, Kind::Socket) => Way::Refused,
            (Kind::Pipe | Kind::LocalSocket | Kind::Socket, _) => relay::run(self)?,
        };
        match way {
            Way::Done => Ok(()),
            // Reading again might find a new producer at a named pipe, which is past the end.
            Way::Ended if input == Kind::Pipe => Ok(()),
            Way::Ended => plain::run_after_end(self),
            Way::Refused => plain::run(self),
        }
    }

    /// One call that moves the bytes from end to end, over and over.
    fn direct(&mut self, call: Call) -> io::Result<Way> {
        // At the end of a file, a splice would wait for room in a full pipe all the same: so it is not tried there.
        let mut ahead = bytes_ahead(self.input).unwrap_or(u64::MAX);
        let mut false_alarms = 0;
        while self.left > 0 {
            if ahead == 0 {
                return Ok(Way::Ended);
            }
            match call(self.input, self.output, self.bytes_at_once()) {
                Ok(0) => return Ok(Way::Ended),
                Ok(n) => {
                    self.moved(n);
                    ahead = ahead.saturating_sub(n as u64);
                    false_alarms = 0;
                }
                Err(error) if is_refusal(&error) => return Ok(Way::Refused),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if false_alarms == FALSE_ALARMS_MAX {
                        return Ok(Way::Refused);
                    }
                    false_alarms += 1;
                    if !until_readable(self.input)? {
                        return Ok(Way::Ended);
                    }
                    until_writable(self.output)?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(Way::Done)
    }

    /// What to ask one call for.
    pub(super) fn bytes_at_once(&self) -> usize {
        usize::try_from(self.left.min(CALL_BYTES_MAX)).unwrap_or(usize::MAX)
    }

    /// Counts `bytes` that the output took.
    pub(super) fn moved(&mut self, bytes: usize) {
        self.left -= bytes as u64;
        self.copied += bytes as u64;
    }
}
