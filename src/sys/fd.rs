//! Reading and writing borrowed descriptors, interrupted calls restarted.

use rustix::io::retry_on_intr;
use std::io::{self, IoSlice};
use std::os::fd::BorrowedFd;

/// Most parts that one vectored call takes (`IOV_MAX` on Linux); more is EINVAL.
const PARTS_MAX: usize = 1024;

/// Reads up to `buf.len()` bytes; 0 at the end.
///
/// # Errors
/// What the system said; [`io::ErrorKind::WouldBlock`] when somebody made the descriptor non-blocking and there
/// is nothing: wait with [`super::poll::wait_readable`].
pub(crate) fn read(fd: BorrowedFd<'_>, buf: &mut [u8]) -> io::Result<usize> {
    Ok(retry_on_intr(|| rustix::io::read(fd, &mut *buf))?)
}

/// Writes some of `bytes`; the number says how many.
///
/// # Errors
/// What the system said; [`io::ErrorKind::WouldBlock`] when somebody made the descriptor non-blocking and there
/// is no room: wait with [`super::poll::wait_writable`].
pub(crate) fn write(fd: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    Ok(retry_on_intr(|| rustix::io::write(fd, bytes))?)
}

/// Writes all of `parts`, in order, from `offset` on. Leaves the file position alone.
///
/// # Errors
/// What the system said, [`io::ErrorKind::WriteZero`] when it took nothing without saying why. Some of the bytes
/// may be there then.
pub(crate) fn write_all_at(fd: BorrowedFd<'_>, parts: &[IoSlice<'_>], mut offset: u64) -> io::Result<()> {
    let mut parts = parts.to_vec();
    let mut rest = parts.as_mut_slice();
    // Drops empty parts at the front, so that "nothing left" is the same as "no parts left".
    IoSlice::advance_slices(&mut rest, 0);
    while !rest.is_empty() {
        let batch = &rest[..rest.len().min(PARTS_MAX)];
        let n = retry_on_intr(|| rustix::io::pwritev(fd, batch, offset))?;
        if n == 0 && batch.iter().any(|part| !part.is_empty()) {
            return Err(io::ErrorKind::WriteZero.into());
        }
        // A batch of nothing but empty parts would not advance by its length of 0.
        if n == 0 {
            let skip = batch.len();
            rest = &mut rest[skip..];
        }
        IoSlice::advance_slices(&mut rest, n);
        offset += n as u64;
    }
    Ok(())
}
