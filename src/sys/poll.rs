//! Waiting for descriptors without spinning, and without touching their flags (they may be shared).

use super::notify;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

/// What ended a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wake {
    /// `read` or `write` will not block: there is something, the end, or an error to be had.
    Ready,
    /// Whoever reads the output went away.
    OutputClosed,
    /// [`Stop::raise`] was called.
    Stopped,
    /// None of it happened in time.
    TimedOut,
}

/// Ends every wait that watches it, now and later.
#[derive(Debug)]
pub(crate) struct Stop(OwnedFd);

impl Stop {
    /// One that is not raised.
    ///
    /// # Errors
    /// What the system said (no descriptors left).
    pub(crate) fn new() -> io::Result<Self> {
        notify::event().map(Self)
    }

    /// Raises it, for good.
    pub(crate) fn raise(&self) {
        notify::raise(&self.0);
    }

    /// Sleeps for `time`, or until it is raised.
    ///
    /// # Errors
    /// What the system said.
    pub(crate) fn sleep(&self, time: Duration) -> io::Result<Wake> {
        let raised = poll_until(&mut [PollFd::new(&self.0, PollFlags::IN)], Some(time))?;
        Ok(if raised { Wake::Stopped } else { Wake::TimedOut })
    }
}

/// Waits until `input` can be read, the consumer of `output` goes away, or `stop` is raised.
///
/// When several happened at once, the first of that list counts: an end that comes at the same time as the consumer's
/// leaves nothing to be lost, and with bytes it is `write` that tells. An output on which nothing can go away (a
/// regular file, /dev/null) never ends the wait.
///
/// # Errors
/// EBADF when one of them is not open; what the system said otherwise.
pub(crate) fn wait_readable(input: BorrowedFd<'_>, output: BorrowedFd<'_>, stop: &Stop) -> io::Result<Wake> {
    let mut fds = [
        PollFd::from_borrowed_fd(input, PollFlags::IN),
        // No events asked for: errors and hang-ups are told all the same.
        PollFd::from_borrowed_fd(output, PollFlags::empty()),
        PollFd::new(&stop.0, PollFlags::IN),
    ];
    poll_until(&mut fds, None)?;
    Ok(match fds.iter().position(|fd| !fd.revents().is_empty()) {
        Some(0) => Wake::Ready,
        Some(1) => Wake::OutputClosed,
        Some(_) => Wake::Stopped,
        None => Wake::TimedOut,
    })
}

/// Waits until `output` takes something, its consumer goes away (`write` will tell), `stop` is raised, or `timeout` is
/// over.
///
/// # Errors
/// EBADF when it is not open; what the system said otherwise.
pub(crate) fn wait_writable(output: BorrowedFd<'_>, stop: &Stop, timeout: Option<Duration>) -> io::Result<Wake> {
    let mut fds = [PollFd::from_borrowed_fd(output, PollFlags::OUT), PollFd::new(&stop.0, PollFlags::IN)];
    let in_time = poll_until(&mut fds, timeout)?;
    Ok(match fds[0].revents().is_empty() {
        false => Wake::Ready,
        true if in_time => Wake::Stopped,
        true => Wake::TimedOut,
    })
}

/// Waits until `notify` can be read, `stop` is raised, or `timeout` is over. When both happened, the stop counts.
///
/// # Errors
/// What the system said.
pub(crate) fn wait_notified(
    notify: Option<BorrowedFd<'_>>,
    stop: Option<&Stop>,
    timeout: Duration,
) -> io::Result<Wake> {
    let mut fds = Vec::with_capacity(2);
    fds.extend(stop.map(|stop| PollFd::new(&stop.0, PollFlags::IN)));
    fds.extend(notify.map(|notify| PollFd::from_borrowed_fd(notify, PollFlags::IN)));
    if !poll_until(&mut fds, Some(timeout))? {
        return Ok(Wake::TimedOut);
    }
    let stopped = stop.is_some() && !fds[0].revents().is_empty();
    Ok(if stopped { Wake::Stopped } else { Wake::Ready })
}

/// Whether `read` would not block: there is something, the end, or an error to be had.
///
/// # Errors
/// EBADF when it is not open; what the system said otherwise.
pub(crate) fn readable_now(input: impl AsFd) -> io::Result<bool> {
    poll_until(&mut [PollFd::new(&input, PollFlags::IN)], Some(Duration::ZERO))
}

/// Whether `write` would not block, for a little: there is room, or an error to be had.
///
/// # Errors
/// EBADF when it is not open; what the system said otherwise.
pub(crate) fn writable_now(output: impl AsFd) -> io::Result<bool> {
    poll_until(&mut [PollFd::new(&output, PollFlags::OUT)], Some(Duration::ZERO))
}

/// Waits until `read` would not block. False: there is nothing but the end of a pipe to be had.
///
/// # Errors
/// EBADF when it is not open; what the system said otherwise.
pub(crate) fn until_readable(input: BorrowedFd<'_>) -> io::Result<bool> {
    let mut fds = [PollFd::from_borrowed_fd(input, PollFlags::IN)];
    poll_until(&mut fds, None)?;
    Ok(fds[0].revents() != PollFlags::HUP)
}

/// Waits until `write` would not block, for a little: there is room, or an error to be had.
///
/// # Errors
/// EBADF when it is not open; what the system said otherwise.
pub(crate) fn until_writable(output: BorrowedFd<'_>) -> io::Result<()> {
    poll_until(&mut [PollFd::from_borrowed_fd(output, PollFlags::OUT)], None).map(drop)
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
    use std::io::{Read as _, Write as _};
    use std::os::unix::net::UnixStream;

    /// What a wait says that nothing but the stop ends, after a while.
    fn wait(input: impl AsFd, output: impl AsFd) -> Wake {
        let stop = Stop::new().unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(Duration::from_millis(20));
                stop.raise();
            });
            wait_readable(input.as_fd(), output.as_fd(), &stop).unwrap()
        })
    }

    #[test]
    fn bytes_and_the_end_are_both_readable() {
        let (mut reader, mut writer) = io::pipe().unwrap();
        let (_consumer, output) = io::pipe().unwrap();
        assert_eq!(wait(&reader, &output), Wake::Stopped);
        assert!(!readable_now(&reader).unwrap());
        writer.write_all(b"x").unwrap();
        assert_eq!(wait(&reader, &output), Wake::Ready);
        assert!(readable_now(&reader).unwrap());
        reader.read_exact(&mut [0]).unwrap();
        drop(writer);
        assert_eq!(wait(&reader, &output), Wake::Ready, "the end is there to be read");
    }

    #[test]
    fn a_consumer_that_leaves_ends_the_wait() {
        let (input, _producer) = io::pipe().unwrap();
        let (consumer, output) = io::pipe().unwrap();
        assert_eq!(wait(&input, &output), Wake::Stopped);
        drop(consumer);
        assert_eq!(wait(&input, &output), Wake::OutputClosed);
        let (consumer, output) = UnixStream::pair().unwrap();
        drop(consumer);
        assert_eq!(wait(&input, &output), Wake::OutputClosed);
    }

    #[test]
    fn the_end_of_the_input_goes_before_a_closed_output() {
        let (input, producer) = io::pipe().unwrap();
        let (consumer, output) = io::pipe().unwrap();
        drop((producer, consumer));
        assert_eq!(wait(&input, &output), Wake::Ready);
    }

    #[test]
    fn a_full_pipe_and_a_file_are_no_closed_output() {
        let (input, _producer) = io::pipe().unwrap();
        let (_consumer, mut output) = io::pipe().unwrap();
        output.write_all(&[0; 4096]).unwrap();
        assert_eq!(wait(&input, &output), Wake::Stopped);
        assert_eq!(wait(&input, tempfile::tempfile().unwrap()), Wake::Stopped);
        assert_eq!(wait(&input, std::fs::File::create("/dev/null").unwrap()), Wake::Stopped);
    }

    #[test]
    fn a_sleep_lasts_as_long_as_it_should_unless_it_is_stopped() {
        let stop = Stop::new().unwrap();
        let start = Instant::now();
        assert_eq!(stop.sleep(Duration::from_millis(20)).unwrap(), Wake::TimedOut);
        assert!(start.elapsed() >= Duration::from_millis(20));
        stop.raise();
        assert_eq!(stop.sleep(Duration::MAX).unwrap(), Wake::Stopped);
        assert_eq!(stop.sleep(Duration::MAX).unwrap(), Wake::Stopped, "for good");
    }

    #[test]
    fn the_bare_end_of_a_pipe_is_told_from_bytes_before_it() {
        let (mut reader, mut writer) = io::pipe().unwrap();
        writer.write_all(b"x").unwrap();
        assert!(until_readable(reader.as_fd()).unwrap());
        drop(writer);
        assert!(until_readable(reader.as_fd()).unwrap(), "one byte, then the end");
        reader.read_exact(&mut [0]).unwrap();
        assert!(!until_readable(reader.as_fd()).unwrap());
    }

    #[test]
    fn writable_means_room_or_an_error() {
        let stop = Stop::new().unwrap();
        let (reader, writer) = io::pipe().unwrap();
        assert_eq!(wait_writable(writer.as_fd(), &stop, None).unwrap(), Wake::Ready);
        drop(reader);
        assert_eq!(wait_writable(writer.as_fd(), &stop, None).unwrap(), Wake::Ready);
    }
}
