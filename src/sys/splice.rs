//! The calls that a copy from one descriptor to another is made of, and what a descriptor is, which decides between
//! them.
//!
//! Every call starts at the descriptors' own positions and advances them by what it returns, as `read` and `write` do.
//! Which pairs of descriptors the kernel takes depends on its version and on the file systems: see [`is_refusal`].

use rustix::fs::{FileType, SeekFrom, fstat, major, minor, seek};
use rustix::io::{Errno, retry_on_intr};
use rustix::net::AddressFamily;
use rustix::net::sockopt::socket_domain;
use rustix::pipe::SpliceFlags;
use std::io;
use std::os::fd::BorrowedFd;

/// `/dev/null`, as every Linux numbers it.
const NULL_DEVICE: (u32, u32) = (1, 3);

/// What a descriptor is, as far as a copy cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A regular file with a length: waits for nobody.
    File,
    /// A regular file of length 0: empty, or made up by the kernel as it is read, as those in /proc are.
    Empty,
    /// `/dev/null`: waits for nobody.
    Null,
    Pipe,
    /// A socket to somebody on this machine (`AF_UNIX`).
    LocalSocket,
    /// Any other socket.
    Socket,
    /// A terminal or another device.
    Other,
}

impl Kind {
    /// What `fd` is.
    ///
    /// # Errors
    /// What the system said.
    pub(crate) fn of(fd: BorrowedFd<'_>) -> io::Result<Self> {
        let stat = fstat(fd)?;
        Ok(match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile if stat.st_size == 0 => Self::Empty,
            FileType::RegularFile => Self::File,
            FileType::Fifo => Self::Pipe,
            FileType::Socket if socket_domain(fd)? == AddressFamily::UNIX => Self::LocalSocket,
            FileType::Socket => Self::Socket,
            FileType::CharacterDevice if (major(stat.st_rdev), minor(stat.st_rdev)) == NULL_DEVICE => Self::Null,
            _ => Self::Other,
        })
    }
}

/// Moves up to `bytes` between two descriptors of which one is a pipe; 0 at the end of the input.
///
/// Waits for room in the output first, and then looks at the input, even if that is at its end.
///
/// # Errors
/// What the system said.
pub(crate) fn splice(input: BorrowedFd<'_>, output: BorrowedFd<'_>, bytes: usize) -> io::Result<usize> {
    Ok(retry_on_intr(|| rustix::pipe::splice(input, None, output, None, bytes, SpliceFlags::empty()))?)
}

/// As [`splice`], without waiting for room in the output or, when both are pipes, for bytes in the input.
///
/// # Errors
/// What the system said: EAGAIN when it would have to wait.
pub(crate) fn splice_now(input: BorrowedFd<'_>, output: BorrowedFd<'_>, bytes: usize) -> io::Result<usize> {
    Ok(retry_on_intr(|| rustix::pipe::splice(input, None, output, None, bytes, SpliceFlags::NONBLOCK))?)
}

/// Sends up to `bytes` of a file; 0 at its end.
///
/// # Errors
/// What the system said.
pub(crate) fn sendfile(input: BorrowedFd<'_>, output: BorrowedFd<'_>, bytes: usize) -> io::Result<usize> {
    Ok(retry_on_intr(|| rustix::fs::sendfile(output, input, None, bytes))?)
}

/// Copies, or lets the files share, up to `bytes` of a file; 0 at its end, and for some files always.
///
/// # Errors
/// What the system said.
pub(crate) fn copy_file_range(input: BorrowedFd<'_>, output: BorrowedFd<'_>, bytes: usize) -> io::Result<usize> {
    Ok(retry_on_intr(|| rustix::fs::copy_file_range(input, None, output, None, bytes))?)
}

/// Reads; 0 at the end.
///
/// # Errors
/// What the system said.
pub(crate) fn read(input: BorrowedFd<'_>, buf: &mut [u8]) -> io::Result<usize> {
    Ok(retry_on_intr(|| rustix::io::read(input, &mut *buf))?)
}

/// Writes what there is room for.
///
/// # Errors
/// What the system said.
pub(crate) fn write(output: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    Ok(retry_on_intr(|| rustix::io::write(output, bytes))?)
}

/// Bytes between the position of a file and its end.
///
/// # Errors
/// What the system said: ESPIPE when it has no position.
pub(crate) fn bytes_ahead(file: BorrowedFd<'_>) -> io::Result<u64> {
    let size = u64::try_from(fstat(file)?.st_size).unwrap_or(0);
    Ok(size.saturating_sub(seek(file, SeekFrom::Current(0))?))
}

/// Moves the position of a file back by `bytes`.
///
/// # Errors
/// What the system said: ESPIPE when it has no position.
pub(crate) fn wind_back(file: BorrowedFd<'_>, bytes: usize) -> io::Result<()> {
    let back = i64::try_from(bytes).map_err(|_| Errno::INVAL)?;
    seek(file, SeekFrom::Current(-back))?;
    Ok(())
}

/// Whether an error of [`splice`], [`sendfile`] or [`copy_file_range`] may say no more than "not between these two", in
/// which case nothing was moved and `read` and `write` will do, or tell what is really wrong.
///
/// EIO, ENOSPC and their like are not among them: who reads again after EIO may be given stale bytes without an error.
pub(crate) fn is_refusal(error: &io::Error) -> bool {
    const REFUSALS: [Errno; 8] = [
        // No such call for one of the files, an output that appends, overlapping ranges of one file.
        Errno::INVAL,
        // copy_file_range: an output that appends. Otherwise `read` or `write` will say it again.
        Errno::BADF,
        Errno::XDEV,
        Errno::OPNOTSUPP,
        Errno::NOSYS,
        // System call filters of containers answer so; immutable files do as well.
        Errno::PERM,
        // copy_file_range: a swap file.
        Errno::TXTBSY,
        // Some files in /proc.
        Errno::OVERFLOW,
    ];
    Errno::from_io_error(error).is_some_and(|errno| REFUSALS.contains(&errno))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::io::Write as _;
    use std::net::UdpSocket;
    use std::os::fd::AsFd as _;
    use std::os::unix::net::UnixStream;

    #[test]
    fn kinds_are_told_apart() {
        let mut file = tempfile::tempfile().unwrap();
        assert_eq!(Kind::of(file.as_fd()).unwrap(), Kind::Empty);
        file.write_all(b"x").unwrap();
        assert_eq!(Kind::of(file.as_fd()).unwrap(), Kind::File);
        assert_eq!(Kind::of(io::pipe().unwrap().0.as_fd()).unwrap(), Kind::Pipe);
        assert_eq!(Kind::of(UnixStream::pair().unwrap().0.as_fd()).unwrap(), Kind::LocalSocket);
        assert_eq!(Kind::of(UdpSocket::bind(("127.0.0.1", 0)).unwrap().as_fd()).unwrap(), Kind::Socket);
        let kind_at = |path| Kind::of(File::open(path).unwrap().as_fd()).unwrap();
        assert_eq!(kind_at("/dev/null"), Kind::Null);
        assert_eq!(kind_at("/dev/zero"), Kind::Other);
        assert_eq!(kind_at("/proc/self/maps"), Kind::Empty);
    }

    #[test]
    fn a_refusal_is_no_failure() {
        let file = tempfile::tempfile().unwrap();
        let refused = splice(file.as_fd(), file.as_fd(), 1).unwrap_err();
        assert!(is_refusal(&refused), "neither is a pipe: {refused}");
        let (reader, writer) = io::pipe().unwrap();
        (&writer).write_all(b"x").unwrap();
        let (gone, output) = io::pipe().unwrap();
        drop(gone);
        let failed = splice(reader.as_fd(), output.as_fd(), 1).unwrap_err();
        assert!(!is_refusal(&failed), "{failed}");
    }

    #[test]
    fn winding_back_needs_a_position() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"four").unwrap();
        assert_eq!(bytes_ahead(file.as_fd()).unwrap(), 0);
        wind_back(file.as_fd(), 3).unwrap();
        assert_eq!(bytes_ahead(file.as_fd()).unwrap(), 3);
        let mut rest = [0; 8];
        assert_eq!(read(file.as_fd(), &mut rest).unwrap(), 3);
        assert_eq!(rest[..3], *b"our");
        assert!(wind_back(io::pipe().unwrap().0.as_fd(), 1).is_err());
    }
}
