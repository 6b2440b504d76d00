//! Waiting for descriptors without spinning, and without touching their flags (they may be shared).

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use std::io;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

/// What ended a wait for input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ready {
    /// `read` will not block: there are bytes, the end, or an error to be had.
    Readable,
    /// Whoever reads the output went away.
    OutputClosed,
    /// Neither happened in time.
    TimedOut,
}

/// Waits until `input` can be read, the consumer of `watch_output` goes away, or `timeout` is over (`None`: waits
/// for ever, zero: looks once).
///
/// When both happened it says [`Ready::Readable`]: an end that comes at the same time as the consumer's leaves nothing
/// to be lost, and with bytes it is `write` that tells. An output on which nothing can go away (a regular file, /dev/null)
/// never ends the wait.
///
/// # Errors
/// EBADF when one of them is not open; what the system said otherwise.
pub(crate) fn wait_readable(
    input: BorrowedFd<'_>,
    watch_output: Option<BorrowedFd<'_>>,
    timeout: Option<Duration>,
) -> io::Result<Ready> {
    // Without an output the slice is one short, so this second entry is never looked at.
    let output = watch_output.unwrap_or(input);
    let mut fds = [
        PollFd::from_borrowed_fd(input, PollFlags::IN),
        // No events asked for: errors and hang-ups are told all the same.
        PollFd::from_borrowed_fd(output, PollFlags::empty()),
    ];
    let watched = if watch_output.is_some() { 2 } else { 1 };
    if !poll_until(&mut fds[..watched], timeout)? {
        return Ok(Ready::TimedOut);
    }
    Ok(if fds[0].revents().is_empty() { Ready::OutputClosed } else { Ready::Readable })
}

/// Waits until `write` will not block: there is room, or an error to be had. For a descriptor that somebody made
/// non-blocking.
///
/// # Errors
/// EBADF when it is not open; what the system said otherwise.
pub(crate) fn wait_writable(fd: BorrowedFd<'_>) -> io::Result<()> {
    poll_until(&mut [PollFd::from_borrowed_fd(fd, PollFlags::OUT)], None).map(|_| ())
}

/// Polls, going on with the time that remains after a signal. False: the time is over.
fn poll_until(fds: &mut [PollFd<'_>], timeout: Option<Duration>) -> io::Result<bool> {
    // A deadline past the clock's end is none.
    let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    loop {
        let remaining = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let remaining = remaining.and_then(|remaining| Timespec::try_from(remaining).ok());
        match poll(fds, remaining.as_ref()) {
            Ok(0) => return Ok(false),
            Ok(_) if fds.iter().any(|fd| fd.revents().contains(PollFlags::NVAL)) => return Err(Errno::BADF.into()),
            Ok(_) => return Ok(true),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    const SHORT: Option<Duration> = Some(Duration::from_millis(20));

    #[test]
    fn bytes_and_the_end_are_both_readable() -> std::io::Result<()> {
        let (reader, mut writer) = io::pipe()?;
        assert_eq!(wait_readable(reader.as_fd(), None, SHORT)?, Ready::TimedOut);
        writer.write_all(b"x")?;
        assert_eq!(wait_readable(reader.as_fd(), None, None)?, Ready::Readable);
        super::super::fd::read(reader.as_fd(), &mut [0])?;
        drop(writer);
        assert_eq!(wait_readable(reader.as_fd(), None, None)?, Ready::Readable, "the end is there to be read");
        Ok(())
    }

    #[test]
    fn a_consumer_that_leaves_ends_the_wait() -> std::io::Result<()> {
        let (input, _producer) = io::pipe()?;
        let (consumer, output) = io::pipe()?;
        let wait = |timeout| wait_readable(input.as_fd(), Some(output.as_fd()), timeout);
        assert_eq!(wait(SHORT)?, Ready::TimedOut);
        drop(consumer);
        assert_eq!(wait(None)?, Ready::OutputClosed);
        Ok(())
    }

    #[test]
    fn a_socket_peer_that_leaves_ends_the_wait() -> std::io::Result<()> {
        let (input, _producer) = io::pipe()?;
        let (consumer, output) = UnixStream::pair()?;
        drop(consumer);
        assert_eq!(wait_readable(input.as_fd(), Some(output.as_fd()), None)?, Ready::OutputClosed);
        Ok(())
    }

    #[test]
    fn the_end_of_the_input_goes_before_a_closed_output() -> std::io::Result<()> {
        let (input, producer) = io::pipe()?;
        let (consumer, output) = io::pipe()?;
        drop((producer, consumer));
        assert_eq!(wait_readable(input.as_fd(), Some(output.as_fd()), None)?, Ready::Readable);
        Ok(())
    }

    #[test]
    fn a_full_pipe_and_a_file_are_no_closed_output() -> std::io::Result<()> {
        let (input, _producer) = io::pipe()?;
        let (_consumer, mut output) = io::pipe()?;
        output.write_all(&[0; 4096])?;
        assert_eq!(wait_readable(input.as_fd(), Some(output.as_fd()), SHORT)?, Ready::TimedOut);
        let file = tempfile::tempfile()?;
        assert_eq!(wait_readable(input.as_fd(), Some(file.as_fd()), SHORT)?, Ready::TimedOut);
        let null = std::fs::File::create("/dev/null")?;
        assert_eq!(wait_readable(input.as_fd(), Some(null.as_fd()), SHORT)?, Ready::TimedOut);
        Ok(())
    }

    #[test]
    fn the_timeout_is_kept_and_may_be_endless() -> std::io::Result<()> {
        let (reader, mut writer) = io::pipe()?;
        let start = Instant::now();
        assert_eq!(wait_readable(reader.as_fd(), None, SHORT)?, Ready::TimedOut);
        assert!(start.elapsed() >= Duration::from_millis(20));
        assert_eq!(wait_readable(reader.as_fd(), None, Some(Duration::ZERO))?, Ready::TimedOut);
        writer.write_all(b"x")?;
        assert_eq!(wait_readable(reader.as_fd(), None, Some(Duration::MAX))?, Ready::Readable);
        Ok(())
    }

    #[test]
    fn writable_means_room_or_an_error() -> std::io::Result<()> {
        let (reader, writer) = io::pipe()?;
        wait_writable(writer.as_fd())?;
        drop(reader);
        wait_writable(writer.as_fd())?;
        Ok(())
    }
}
