//! Opening what must be a regular file, whatever somebody put in its place.

use crate::sys::tmpfile::PRIVATE;
use rustix::fs::{AtFlags, FileType, OFlags, openat, statat};
use rustix::io::{Errno, retry_on_intr};
use std::fmt::Display;
use std::fs::File;
use std::io;
use std::os::fd::BorrowedFd;

/// Opens a file of a directory; `shown` is what an error calls it. A link is not followed, and nothing is waited for:
/// opening a FIFO would wait for its other end.
///
/// # Errors
/// [`io::ErrorKind::InvalidInput`] when it is no regular file; what the system said otherwise.
pub(super) fn open_regular(dir: BorrowedFd<'_>, name: &str, access: OFlags, shown: &dyn Display) -> io::Result<File> {
    // Regular files do not heed O_NONBLOCK.
    let flags = access | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file: File = match retry_on_intr(|| openat(dir, name, flags, PRIVATE)) {
        Ok(file) => file.into(),
        // A link; a FIFO or a socket without another end; a directory, to be written to.
        Err(Errno::LOOP | Errno::NXIO | Errno::ISDIR) => return Err(not_regular(shown)),
        Err(error) => return Err(error.into()),
    };
    if file.metadata()?.is_file() { Ok(file) } else { Err(not_regular(shown)) }
}

/// The length of a file of a directory.
///
/// # Errors
/// As for [`open_regular`].
pub(super) fn regular_len(dir: BorrowedFd<'_>, name: impl rustix::path::Arg, shown: &dyn Display) -> io::Result<u64> {
    let stat = statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Ok(stat.st_size.try_into().unwrap_or(0)),
        _ => Err(not_regular(shown)),
    }
}

fn not_regular(shown: &dyn Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, format!("{shown} is not a regular file"))
}
