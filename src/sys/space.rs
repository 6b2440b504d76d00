//! Directories and the file systems under them: may we write there, what is it, how much room has it.

use rustix::fs::{Access, AtFlags, CWD, Mode, OFlags, accessat, fstatfs, fstatvfs, open};
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::Path;

/// `f_type` of tmpfs and of ramfs: file systems that live in memory.
const TMPFS_MAGIC: u32 = 0x0102_1994;
const RAMFS_MAGIC: u32 = 0x8584_58F6;

/// Opens a directory; `listable` asks for the right to read its names and to sync it, too.
///
/// # Errors
/// [`io::ErrorKind::NotADirectory`]; what the system said otherwise.
pub(crate) fn open_dir(path: &Path, listable: bool) -> io::Result<OwnedFd> {
    let how = if listable { OFlags::RDONLY } else { OFlags::PATH };
    Ok(open(path, how | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?)
}

/// Says whether files can be created in this directory, without creating one.
///
/// # Errors
/// [`io::ErrorKind::NotFound`], [`io::ErrorKind::NotADirectory`], [`io::ErrorKind::PermissionDenied`],
/// [`io::ErrorKind::ReadOnlyFilesystem`]; what the system said otherwise.
pub(crate) fn check_writable_dir(path: &Path) -> io::Result<()> {
    open_dir(path, false)?;
    Ok(accessat(CWD, path, Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS)?)
}

/// Room on a file system, in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FileSystemSpace {
    /// All of it.
    pub(crate) total: u64,
    /// What this process may still write.
    pub(crate) free: u64,
}

/// What the system says when a file system is full.
pub(crate) fn no_space() -> io::Error {
    rustix::io::Errno::NOSPC.into()
}

/// Room on the file system of this directory.
///
/// # Errors
/// What the system said.
pub(crate) fn space(dir: BorrowedFd<'_>) -> io::Result<FileSystemSpace> {
    let stat = fstatvfs(dir)?;
    Ok(FileSystemSpace {
        total: stat.f_blocks.saturating_mul(stat.f_frsize),
        free: stat.f_bavail.saturating_mul(stat.f_frsize),
    })
}

/// Whether what is written there stays in memory.
///
/// # Errors
/// What the system said.
pub(crate) fn is_tmpfs(dir: BorrowedFd<'_>) -> io::Result<bool> {
    let kind = fstatfs(dir)?.f_type;
    Ok([TMPFS_MAGIC, RAMFS_MAGIC].into_iter().any(|magic| i64::from(magic) == kind))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    #[test]
    fn a_directory_is_checked_before_data_flows() -> std::io::Result<()> {
        let dir = tempfile::tempdir()?;
        check_writable_dir(dir.path())?;
        let missing = check_writable_dir(&dir.path().join("no")).expect_err("this is refused");
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
        let file = tempfile::NamedTempFile::new_in(dir.path())?;
        assert_eq!(check_writable_dir(file.path()).expect_err("this is refused").kind(), io::ErrorKind::NotADirectory);
        // Not even root can write there.
        assert!(check_writable_dir(Path::new("/proc/self")).is_err());
        Ok(())
    }

    #[test]
    fn the_numbers_are_those_of_the_file_system() -> std::io::Result<()> {
        let dir = open_dir(Path::new("/dev/shm"), false)?;
        assert!(is_tmpfs(dir.as_fd())?);
        let space = space(dir.as_fd())?;
        assert!(space.free > 0 && space.free <= space.total);
        assert!(!is_tmpfs(open_dir(Path::new("/proc"), false)?.as_fd())?);
        Ok(())
    }
}
