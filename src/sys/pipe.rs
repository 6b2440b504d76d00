//! Sizes of pipes.

use rustix::pipe::{fcntl_getpipe_size, fcntl_setpipe_size};
use std::os::fd::BorrowedFd;

/// What a process without privileges may ask for when `/proc` does not say (the kernel's default).
const PIPE_BYTES_MAX: usize = 1 << 20;

/// Lets a pipe hold `bytes`, or as much as the system permits, and returns what it holds now; `None` when this is
/// no pipe.
///
/// The size is a wish: the system's bound (`/proc/sys/fs/pipe-max-size`) and a refusal (each user has a budget) are
/// accepted in silence. A pipe is never made smaller: the other end may have wanted it so.
pub(crate) fn grow_pipe(fd: BorrowedFd<'_>, bytes: usize) -> Option<usize> {
    let mut now = fcntl_getpipe_size(fd).ok()?;
    let mut wish = bytes.min(system_max());
    // Over the user's budget the whole request is refused; half of it may still fit. Ends: a wish of 0 is not > now.
    while wish > now {
        match fcntl_setpipe_size(fd, wish) {
            Ok(_) => break,
            Err(_) => wish /= 2,
        }
    }
    if let Ok(size) = fcntl_getpipe_size(fd) {
        now = size;
    }
    Some(now)
}

fn system_max() -> usize {
    std::fs::read_to_string("/proc/sys/fs/pipe-max-size")
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or(PIPE_BYTES_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    #[test]
    fn a_pipe_grows_and_never_shrinks() -> std::io::Result<()> {
        let (reader, writer) = std::io::pipe()?;
        let before = grow_pipe(reader.as_fd(), 0).expect("a pipe");
        let grown = grow_pipe(writer.as_fd(), 256 << 10).expect("a pipe");
        assert!(grown >= before);
        assert_eq!(grow_pipe(reader.as_fd(), 4096), Some(grown), "both ends are one pipe, and it did not shrink");
        Ok(())
    }

    #[test]
    fn a_wish_beyond_the_bound_is_cut_to_it() -> std::io::Result<()> {
        let (reader, _writer) = std::io::pipe()?;
        assert!(grow_pipe(reader.as_fd(), usize::MAX).is_some_and(|size| size <= system_max()));
        Ok(())
    }

    #[test]
    fn what_is_no_pipe_says_so() -> std::io::Result<()> {
        assert_eq!(grow_pipe(tempfile::tempfile()?.as_fd(), 1 << 20), None);
        Ok(())
    }
}
