//! Descriptors that become readable when something happens: in a directory (inotify), or when they are told to.

use rustix::event::{EventfdFlags, eventfd};
use rustix::fs::inotify::{CreateFlags, WatchFlags, add_watch, init};
use rustix::io::{Errno, read, retry_on_intr, write};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

/// What is of interest in a directory: names that come and go, and bytes that are written.
const CHANGES: WatchFlags = WatchFlags::CREATE
    .union(WatchFlags::MODIFY)
    .union(WatchFlags::CLOSE_WRITE)
    .union(WatchFlags::MOVED_TO)
    .union(WatchFlags::DELETE);

/// One call takes some hundreds of events.
const BATCH_BYTES: usize = 16 << 10;
/// Calls before what is left is left for the next time.
const BATCHES_MAX: usize = 64;

/// A descriptor that becomes readable with every change in this directory from now on.
///
/// # Errors
/// `EMFILE` or `ENOSPC` when the user has as many as permitted; what the system said otherwise.
pub(crate) fn watch_dir(dir: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let notify = init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
    // There is no call that takes the descriptor itself, and the path may mean another directory by now.
    let path = format!("/proc/self/fd/{}", dir.as_raw_fd());
    retry_on_intr(|| add_watch(&notify, &path, CHANGES | WatchFlags::ONLYDIR))?;
    Ok(notify)
}

/// A descriptor that becomes readable by [`raise`].
///
/// # Errors
/// What the system said (no descriptors left).
pub(crate) fn event() -> io::Result<OwnedFd> {
    Ok(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?)
}

/// Makes what [`event`] gave readable.
pub(crate) fn raise(event: &OwnedFd) {
    // The only error is a counter about to overflow, which leaves it readable all the same.
    let _ = retry_on_intr(|| write(event, &1u64.to_le_bytes()));
}

/// Takes what there is to be read, so that the descriptor is readable again only after something new. False: there was
/// nothing.
///
/// # Errors
/// What the system said.
pub(crate) fn drain(notify: &OwnedFd) -> io::Result<bool> {
    let mut events = [0; BATCH_BYTES];
    for batch in 0..BATCHES_MAX {
        match retry_on_intr(|| read(notify, &mut events)) {
            Ok(0) | Err(Errno::AGAIN) => return Ok(batch > 0),
            Ok(_) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::super::poll::readable_now;
    use super::super::space::open_dir;
    use super::*;
    use std::fs;
    use std::io::Write as _;
    use std::os::fd::AsFd;

    #[test]
    fn every_change_in_a_directory_is_told_also_under_another_name() -> io::Result<()> {
        let parent = tempfile::tempdir()?;
        let (old, new) = (parent.path().join("old"), parent.path().join("new"));
        fs::create_dir(&old)?;
        let dir = open_dir(&old, true)?;
        fs::rename(&old, &new)?;
        let notify = watch_dir(dir.as_fd())?;
        let told = || -> io::Result<bool> { Ok(readable_now(&notify)? && drain(&notify)?) };
        assert!(!told()?, "nothing yet");
        let mut file = fs::File::create(new.join("a"))?;
        assert!(told()?, "created");
        file.write_all(b"x")?;
        assert!(told()?, "written");
        drop(file);
        assert!(told()?, "closed");
        fs::rename(parent.path().join("new/a"), new.join("b"))?;
        assert!(told()?, "renamed");
        fs::remove_file(new.join("b"))?;
        assert!(told()?, "removed");
        assert!(!told()?, "that was all");
        assert!(!drain(&notify)?);
        Ok(())
    }

    #[test]
    fn what_is_raised_is_drained_once() -> io::Result<()> {
        let event = event()?;
        assert!(!readable_now(&event)?);
        raise(&event);
        raise(&event);
        assert!(readable_now(&event)? && drain(&event)?);
        assert!(!readable_now(&event)?);
        Ok(())
    }
}
