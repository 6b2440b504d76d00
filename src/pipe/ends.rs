//! The two ends as the stages see them: never blocking in a call, every wait ended by the stop, every error named by
//! the end that it belongs to.

use super::event::Error;
use crate::sys::pipe::grow_pipe;
use crate::sys::poll::{Stop, Wake, wait_readable, wait_writable};
use crate::sys::stream::{Spliced, Stream, Way};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

/// What the pipes on either end are grown to: fewer and larger moves, fewer changes between the processes.
const PIPE_BYTES: usize = 1 << 20;

/// An input and an output.
pub(super) trait Ends: Sync {
    /// Reads what is there: 0 at the end, `None` when nothing is there now.
    fn try_read(&self, buf: &mut [u8]) -> Result<Option<usize>, Error>;

    /// Writes what there is room for, at least a byte; `None` when there is no room now.
    fn try_write(&self, bytes: &[u8]) -> Result<Option<usize>, Error>;

    /// Moves up to `len` bytes, more than 0, from the input to the output.
    fn try_splice(&self, len: usize) -> Result<Spliced, Error>;

    /// Waits for something to read, or the input's end. Not longer than there is a consumer.
    fn wait_for_input(&self, stop: &Stop) -> Result<Wake, Error>;

    /// Waits for room in the output, at most so long.
    fn wait_for_room(&self, stop: &Stop, timeout: Option<Duration>) -> Result<Wake, Error>;

    /// Whether splicing is possible at all, as far as one can tell without trying.
    fn may_splice(&self) -> bool;

    /// Whether the producer, if it writes on, is soon to wait for us to read.
    fn input_is_filling(&self) -> bool;
}

/// Two descriptors.
pub(super) struct Descriptors<'f> {
    input: Stream<'f>,
    output: Stream<'f>,
    /// What the input holds, if it is a pipe.
    input_bytes_max: Option<usize>,
    may_splice: bool,
}

impl<'f> Descriptors<'f> {
    pub(super) fn new(input: BorrowedFd<'f>, output: BorrowedFd<'f>) -> Result<Self, Error> {
        let ends = (Stream::new(input, Way::In).map_err(Error::Input)?, Stream::new(output, Way::Out));
        let (input, output) = (ends.0, ends.1.map_err(Error::Output)?);
        // A refusal, or an end that is no pipe, is as good: it is only slower.
        let input_bytes_max = grow_pipe(input.as_fd(), PIPE_BYTES);
        let _ = grow_pipe(output.as_fd(), PIPE_BYTES);
        let may_splice = input.may_splice_to(&output);
        Ok(Self { input, output, input_bytes_max, may_splice })
    }
}

impl Ends for Descriptors<'_> {
    fn try_read(&self, buf: &mut [u8]) -> Result<Option<usize>, Error> {
        self.input.try_read(buf).map_err(Error::Input)
    }

    fn try_write(&self, bytes: &[u8]) -> Result<Option<usize>, Error> {
        match self.output.try_write(bytes).map_err(output_error)? {
            Some(0) => Err(Error::Output(io::ErrorKind::WriteZero.into())),
            written => Ok(written),
        }
    }

    fn try_splice(&self, len: usize) -> Result<Spliced, Error> {
        self.input.try_splice(&self.output, len).or_else(|error| match error.kind() {
            // The consumer went away. If the input has ended, too, that is no failure: reading tells.
            io::ErrorKind::BrokenPipe => Ok(Spliced::Unfit),
            // The output is a pipe, which fails in no other way.
            _ => Err(Error::Input(error)),
        })
    }

    fn wait_for_input(&self, stop: &Stop) -> Result<Wake, Error> {
        wait_readable(self.input.as_fd(), self.output.as_fd(), stop).map_err(Error::Input)
    }

    fn wait_for_room(&self, stop: &Stop, timeout: Option<Duration>) -> Result<Wake, Error> {
        wait_writable(self.output.as_fd(), stop, timeout).map_err(Error::Output)
    }

    fn may_splice(&self) -> bool {
        self.may_splice
    }

    fn input_is_filling(&self) -> bool {
        // Of what is no pipe nobody knows.
        self.input_bytes_max.is_none_or(|most| self.input.bytes_waiting().is_none_or(|waiting| waiting >= most / 2))
    }
}

fn output_error(error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => Error::OutputClosed,
        _ => Error::Output(error),
    }
}
