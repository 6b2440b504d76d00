//! Writing in many parts at one place of a file, interrupted calls restarted.

use rustix::io::retry_on_intr;
use std::io::{self, IoSlice};
use std::os::fd::BorrowedFd;

/// Most parts that one vectored call is made of: they fit on the stack. Linux takes no more than 1024.
const PARTS_MAX: usize = 128;

/// Writes all of `parts`, in order, from `offset` on. Leaves the file position alone.
///
/// # Errors
/// What the system said, [`io::ErrorKind::WriteZero`] when it took nothing without saying why. Some of the bytes
/// may be there then.
pub(crate) fn write_all_at(fd: BorrowedFd<'_>, parts: &[IoSlice<'_>], mut offset: u64) -> io::Result<()> {
    for parts in parts.chunks(PARTS_MAX) {
        let mut batch = [IoSlice::new(&[]); PARTS_MAX];
        let mut rest = &mut batch[..parts.len()];
        rest.copy_from_slice(parts);
        // Drops empty parts at the front, so that "nothing left" is the same as "no parts left".
        IoSlice::advance_slices(&mut rest, 0);
        while !rest.is_empty() {
            let n = retry_on_intr(|| rustix::io::pwritev(fd, rest, offset))?;
            if n == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            IoSlice::advance_slices(&mut rest, n);
            offset += n as u64;
        }
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
        let (left, right) = bytes.split_at(PARTS_MAX + PARTS_MAX / 2);
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
