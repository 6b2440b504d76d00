//! Files without a name: when the last descriptor closes, also by a crash or SIGKILL, they are gone.
//!
//! `O_TMPFILE` does it where the file system can. Elsewhere (vfat, NFS, some FUSE) the file is created under a random
//! name and unlinked at once; a kill between those two calls is the only way to leave something (an empty file).
//! It is created in the directory itself, not in one made for it: NFS keeps an unlinked open file under a name of its
//! own until it is closed, so that a directory around it could not be removed, and would stay for ever.

use super::random::fill_random;
use rustix::fs::{Access, AtFlags, CWD, Mode, OFlags, accessat, linkat, openat, unlinkat};
use rustix::io::{Errno, retry_on_intr};
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// The owner reads and writes, nobody else does anything.
pub(crate) const PRIVATE: Mode = Mode::RUSR.union(Mode::WUSR);

/// Random names to try before believing that something is wrong.
const NAMES_MAX: usize = 16;

/// How a nameless file comes to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// By `O_TMPFILE`, else as [`How::Unlink`].
    Best,
    /// Created under a name and unlinked.
    Unlink,
}

/// Opens a new, empty, nameless file in `dir` for reading and writing, mode 0600. It cannot be given a name later.
///
/// # Errors
/// What the system said. Nothing is left behind.
pub(crate) fn open_nameless(dir: BorrowedFd<'_>, how: How) -> io::Result<File> {
    if how == How::Unlink {
        return create_and_unlink(dir);
    }
    // With O_TMPFILE, O_EXCL means that linkat can never name the file.
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::EXCL | OFlags::CLOEXEC;
    match retry_on_intr(|| openat(dir, ".", flags, PRIVATE)) {
        Ok(fd) => Ok(fd.into()),
        // The file system cannot, or the kernel does not know the flag (EISDIR, ENOENT, EINVAL).
        Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::NOENT | Errno::INVAL) => create_and_unlink(dir),
        Err(error) => Err(error.into()),
    }
}

fn create_and_unlink(dir: BorrowedFd<'_>) -> io::Result<File> {
    let (file, name) = create_named(dir, PRIVATE)?;
    retry_on_intr(|| unlinkat(dir, &name, AtFlags::empty()))?;
    Ok(file)
}

/// Creates an empty file in `dir` for reading and writing under a name that nobody has, and tells that.
///
/// # Errors
/// What the system said. Nothing is left behind.
pub(crate) fn create_named(dir: BorrowedFd<'_>, mode: Mode) -> io::Result<(File, String)> {
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::RDWR | OFlags::CLOEXEC;
    for _ in 0..NAMES_MAX {
        let name = random_name()?;
        match retry_on_intr(|| openat(dir, &name, flags, mode)) {
            Ok(fd) => return Ok((fd.into(), name)),
            Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Errno::EXIST.into())
}

/// A name that nobody has, in all likelihood.
pub(crate) fn random_name() -> io::Result<String> {
    let mut random = [0; 8];
    fill_random(&mut random)?;
    Ok(format!(".spillpipe-{:016x}", u64::from_le_bytes(random)))
}

/// Opens a new, empty, nameless file in `dir` that [`link_nameless`] can give a name. `None`: the file system or the kernel
/// cannot, or /proc is not there.
///
/// # Errors
/// What the system said. Nothing is left behind.
pub(crate) fn open_linkable(dir: BorrowedFd<'_>, mode: Mode) -> io::Result<Option<File>> {
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    match retry_on_intr(|| openat(dir, ".", flags, mode)) {
        Ok(fd) => {
            let file = File::from(fd);
            let linkable = accessat(CWD, proc_path(&file), Access::EXISTS, AtFlags::empty()).is_ok();
            Ok(linkable.then_some(file))
        }
        Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::NOENT | Errno::INVAL) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Gives a nameless file a name in `dir`, which nobody has.
///
/// # Errors
/// [`Errno::EXIST`]; what the system said otherwise.
pub(crate) fn link_nameless(file: &File, dir: BorrowedFd<'_>, name: &OsStr) -> Result<(), Errno> {
    // By its descriptor alone it takes a privilege.
    retry_on_intr(|| linkat(CWD, proc_path(file), dir, name, AtFlags::SYMLINK_FOLLOW))
}

fn proc_path(file: &File) -> String {
    format!("/proc/self/fd/{}", file.as_raw_fd())
}

#[cfg(test)]
mod tests {
    use super::super::space::open_dir;
    use super::*;
    use std::os::fd::AsFd;
    use std::os::unix::fs::{FileExt, MetadataExt};

    #[test]
    fn both_ways_give_a_private_file_without_a_name() -> std::io::Result<()> {
        let temp = tempfile::tempdir()?;
        let dir = open_dir(temp.path(), false)?;
        for how in [How::Best, How::Unlink] {
            let file = open_nameless(dir.as_fd(), how)?;
            file.write_all_at(b"abc", 0)?;
            let mut back = [0; 3];
            file.read_exact_at(&mut back, 0)?;
            assert_eq!(&back, b"abc");
            let meta = file.metadata()?;
            assert_eq!((meta.mode() & 0o7777, meta.nlink()), (0o600, 0), "{how:?}");
            assert_eq!(std::fs::read_dir(temp.path())?.count(), 0, "{how:?}");
        }
        Ok(())
    }

    #[test]
    fn a_directory_that_is_gone_is_an_error() -> std::io::Result<()> {
        let temp = tempfile::tempdir()?;
        let dir = open_dir(temp.path(), false)?;
        drop(temp);
        // Which one is the file system's choice: ext4 says EPERM to O_TMPFILE.
        assert!(open_nameless(dir.as_fd(), How::Best).is_err());
        assert_eq!(
            open_nameless(dir.as_fd(), How::Unlink).expect_err("this is refused").kind(),
            io::ErrorKind::NotFound
        );
        Ok(())
    }
}
