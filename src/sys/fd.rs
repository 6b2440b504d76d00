//! Writing in many parts at one place of a file, interrupted calls restarted.

use rustix::io::retry_on_intr;
use std::io::{self, IoSlice};
use std::os::fd::BorrowedFd;

/// Most parts that one vectored call takes (`IOV_MAX` on Linux); more is EINVAL.
const PARTS_MAX: usize = 1024;

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

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;
    use std::os::fd::AsFd;

    #[test]
    fn more_parts_than_one_call_takes_are_written_in_order() -> io::Result<()> {
        let bytes: Vec<u8> = (0..=u8::MAX).cycle().take(3 * PARTS_MAX).collect();
        // Runs of empty parts, longer than a batch, in front, in between and at the end.
        let empty = || std::iter::repeat_n(IoSlice::new(&[]), PARTS_MAX + 1);
        let (left, right) = bytes.split_at(1500);
        let mut parts: Vec<_> = empty().chain(left.chunks(1).map(IoSlice::new)).chain(empty()).collect();
        parts.extend(right.chunks(1).map(IoSlice::new).chain(empty()));

        let mut file = tempfile::tempfile()?;
        write_all_at(file.as_fd(), &parts, 0)?;
        let mut back = Vec::new();
        file.read_to_end(&mut back)?;
        assert!(back == bytes);
        Ok(())
    }

    #[test]
    fn nothing_to_write_is_no_error() -> io::Result<()> {
        let file = tempfile::tempfile()?;
        write_all_at(file.as_fd(), &[], 0)?;
        write_all_at(file.as_fd(), &[IoSlice::new(&[])], 7)?;
        assert_eq!(file.metadata()?.len(), 0);
        Ok(())
    }
}
