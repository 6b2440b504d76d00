//! The two ends of a pipeline, read and written without ever blocking in the call, and without `O_NONBLOCK` on
//! descriptors that other processes share.
//!
//! A pipe is opened again through /proc/self/fd: that gives a file description of our own, which may be non-blocking. A
//! socket takes `MSG_DONTWAIT` a call. A regular file never blocks for long. A pipe that we may not open again (another
//! user's) is polled, and takes as much as surely fits. Whatever is left (a terminal, a device) is polled before it is
//! read, and written as it is, blocking.
//!
//! Bytes can also be spliced from one to the other, which copies nothing, if the output is a pipe of our own: then the
//! call can be told not to block. Into a file or a socket it cannot, and the producer would wait for a slow disk or
//! peer; nor out of a TCP socket, where another reader may be faster.

use super::poll::{readable_now, writable_now};
use super::splice::{Kind, is_refusal, splice_now};
use rustix::fs::{CWD, FileType, Mode, OFlags, fstat, openat};
use rustix::io::{Errno, ioctl_fionread, retry_on_intr};
use rustix::net::{RecvFlags, SendFlags, SocketType, recv, send, sockopt};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// A pipe that is writable takes so many bytes (`PIPE_BUF`) without blocking, if nobody else writes meanwhile.
const PIPE_ROOM_BYTES: usize = 4096;

/// One end.
#[derive(Debug)]
pub(crate) struct Stream<'f> {
    fd: BorrowedFd<'f>,
    how: How,
}

#[derive(Debug)]
enum How {
    /// The same pipe, opened for ourselves.
    Own(OwnedFd),
    /// A pipe that could not be opened again.
    Shared,
    Socket,
    /// Never blocks for long.
    File,
    Other,
}

/// What came of a splice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spliced {
    /// So many bytes went over, more than 0.
    Moved(usize),
    /// Nothing is there now, or the output is full.
    WouldBlock,
    /// The input has ended.
    Ended,
    /// These two do not splice, or not any more: reading and writing will tell. Nothing went over.
    Unfit,
}

/// Which way the bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    In,
    Out,
}

impl<'f> Stream<'f> {
    /// Looks at what `fd` is.
    ///
    /// # Errors
    /// EBADF when it is not open.
    pub(crate) fn new(fd: BorrowedFd<'f>, way: Way) -> io::Result<Self> {
        let how = match FileType::from_raw_mode(fstat(fd)?.st_mode) {
            FileType::Fifo => reopen(fd, way).map_or(How::Shared, How::Own),
            FileType::Socket => How::Socket,
            FileType::RegularFile | FileType::BlockDevice => How::File,
            _ => How::Other,
        };
        Ok(Self { fd, how })
    }

    /// Reads what is there: 0 at the end, `None` when nothing is there now.
    ///
    /// # Errors
    /// What the system said.
    pub(crate) fn try_read(&self, buf: &mut [u8]) -> io::Result<Option<usize>> {
        if matches!(self.how, How::Shared | How::Other) && !readable_now(self.fd)? {
            return Ok(None);
        }
        unless_it_would_block(retry_on_intr(|| match &self.how {
            How::Own(own) => rustix::io::read(own, &mut *buf),
            How::Socket => recv(self.fd, &mut *buf, RecvFlags::DONTWAIT).map(|(n, _)| n),
            How::Shared | How::File | How::Other => rustix::io::read(self.fd, &mut *buf),
        }))
    }

    /// Writes what there is room for; `None` when there is none now.
    ///
    /// # Errors
    /// What the system said.
    pub(crate) fn try_write(&self, bytes: &[u8]) -> io::Result<Option<usize>> {
        if matches!(self.how, How::Shared) && !writable_now(self.fd)? {
            return Ok(None);
        }
        unless_it_would_block(retry_on_intr(|| match &self.how {
            How::Own(own) => rustix::io::write(own, bytes),
            How::Shared => rustix::io::write(self.fd, &bytes[..bytes.len().min(PIPE_ROOM_BYTES)]),
            How::Socket => send(self.fd, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL),
            How::File | How::Other => rustix::io::write(self.fd, bytes),
        }))
    }

    /// Whether it is worth trying to splice from here to `output`.
    pub(crate) fn may_splice_to(&self, output: &Self) -> bool {
        let from = match &self.how {
            How::Own(_) | How::Shared | How::File => true,
            // Of datagrams, an empty one is not the end.
            How::Socket => {
                Kind::of(self.fd).is_ok_and(|kind| kind == Kind::LocalSocket)
                    && sockopt::socket_type(self.fd).is_ok_and(|kind| kind == SocketType::STREAM)
            }
            How::Other => false,
        };
        from && matches!(output.how, How::Own(_))
    }

    /// Moves up to `len` bytes, more than 0, from here to `output`, without a copy where the kernel can.
    ///
    /// # Errors
    /// What the system said, of either end: EPIPE is the output's.
    pub(crate) fn try_splice(&self, output: &Self, len: usize) -> io::Result<Spliced> {
        match splice_now(self.own(), output.own(), len) {
            Ok(0) if self.is_pipe() => Ok(Spliced::Ended),
            // Of other inputs, some end for splice before they do for read: at the length that a file system tells.
            Ok(0) => Ok(Spliced::Unfit),
            Ok(n) => Ok(Spliced::Moved(n)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Spliced::WouldBlock),
            Err(error) if is_refusal(&error) => Ok(Spliced::Unfit),
            Err(error) => Err(error),
        }
    }

    fn is_pipe(&self) -> bool {
        matches!(self.how, How::Own(_) | How::Shared)
    }

    fn own(&self) -> BorrowedFd<'_> {
        if let How::Own(own) = &self.how { own.as_fd() } else { self.fd }
    }

    /// Bytes that are there to be read; `None` when the system does not say.
    pub(crate) fn bytes_waiting(&self) -> Option<usize> {
        usize::try_from(ioctl_fionread(self.fd).ok()?).ok()
    }
}

impl AsFd for Stream<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd
    }
}

/// Opens the pipe behind `fd` again. `None`: not permitted, or no /proc, or nobody is at its other end.
fn reopen(fd: BorrowedFd<'_>, way: Way) -> Option<OwnedFd> {
    let access = if way == Way::In { OFlags::RDONLY } else { OFlags::WRONLY };
    let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
    openat(CWD, path, access | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty()).ok()
}

fn unless_it_would_block(result: Result<usize, Errno>) -> io::Result<Option<usize>> {
    match result {
        Ok(n) => Ok(Some(n)),
        Err(Errno::AGAIN) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::io::{Read as _, Write as _};
    use std::os::unix::net::UnixStream;

    #[test]
    fn an_empty_pipe_and_an_empty_socket_do_not_block() {
        let (pipe, _writer) = io::pipe().unwrap();
        let (socket, _peer) = UnixStream::pair().unwrap();
        for fd in [pipe.as_fd(), socket.as_fd()] {
            assert_eq!(Stream::new(fd, Way::In).unwrap().try_read(&mut [0]).unwrap(), None);
        }
    }

    #[test]
    fn a_full_pipe_and_a_full_socket_do_not_block() {
        let (_reader, pipe) = io::pipe().unwrap();
        let (_peer, socket) = UnixStream::pair().unwrap();
        for fd in [pipe.as_fd(), socket.as_fd()] {
            let stream = Stream::new(fd, Way::Out).unwrap();
            while stream.try_write(&[0; 4096]).unwrap().is_some() {}
        }
    }

    #[test]
    fn the_shared_descriptor_keeps_its_flags() {
        let (reader, writer) = io::pipe().unwrap();
        let flags = rustix::fs::fcntl_getfl(&reader).unwrap();
        let stream = Stream::new(reader.as_fd(), Way::In).unwrap();
        assert!(matches!(stream.how, How::Own(_)));
        assert_eq!(rustix::fs::fcntl_getfl(&reader).unwrap(), flags);
        drop(writer);
        assert_eq!(stream.try_read(&mut [0]).unwrap(), Some(0));
    }

    #[test]
    fn a_pipe_whose_reader_left_says_so() {
        let (reader, writer) = io::pipe().unwrap();
        let before = Stream::new(writer.as_fd(), Way::Out).unwrap();
        drop(reader);
        let after = Stream::new(writer.as_fd(), Way::Out).unwrap();
        for stream in [before, after] {
            assert_eq!(stream.try_write(b"x").unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        }
    }

    #[test]
    fn files_keep_their_position() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"head").unwrap();
        assert_eq!(Stream::new(file.as_fd(), Way::Out).unwrap().try_write(b"tail").unwrap(), Some(4));
        let path = format!("/proc/self/fd/{}", file.as_raw_fd());
        let mut text = String::new();
        File::open(path).unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "headtail");
    }
}
