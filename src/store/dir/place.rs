//! What a spool's directory must have, and what it must not have before it becomes one.

use super::create::is_leftover;
use crate::store::home::{FileName, Folder};
use crate::store::regular::open_regular;
use crate::sys::space::open_dir;
use rustix::fs::{AtFlags, CWD, Dir, Mode, OFlags, fsync, mkdirat, openat, statat};
use rustix::io::{Errno, retry_on_intr};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

pub(super) const SPOOL: &str = "spool";
pub(super) const WRITER_LOCK: &str = "writer.lock";

/// Where a file system of its own keeps what its check found.
const LOST_AND_FOUND: &str = "lost+found";

const FOLDERS: [Folder; 2] = [Folder::Readers, Folder::Quarantine];

/// The owner does everything, nobody else anything.
const PRIVATE_DIR: Mode = Mode::RWXU;

/// Makes the directory itself durably; true when it was there.
pub(super) fn make_dir(path: &Path) -> io::Result<bool> {
    let found = match mkdirat(CWD, path, PRIVATE_DIR) {
        Ok(()) => false,
        Err(Errno::EXIST) => true,
        Err(error) => return Err(error.into()),
    };
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let synced = open_dir(parent, true).and_then(|parent| Ok(retry_on_intr(|| fsync(&parent))?));
    // Another process may have made it just now, but then it will sync it; and the parent may be none of our business.
    if found { Ok(true) } else { synced.map(|()| false) }
}

/// Whether there is something called `spool`.
pub(super) fn has_spool(dir: BorrowedFd<'_>) -> io::Result<bool> {
    exists(dir, SPOOL)
}

pub(super) fn exists(dir: BorrowedFd<'_>, name: &str) -> io::Result<bool> {
    match retry_on_intr(|| statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)) {
        Ok(_) => Ok(true),
        Err(Errno::NOENT) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Refuses a directory that is no spool and has something in it. What [`furnish`] makes is allowed: that may have been
/// all that came to be before a crash, or another process may be at it.
pub(super) fn check_vacant(dir: BorrowedFd<'_>) -> io::Result<()> {
    // The usual case, in which there may be a hundred thousand names.
    if has_spool(dir)? {
        return Ok(());
    }
    let ours = [LOST_AND_FOUND, SPOOL, WRITER_LOCK, "readers", "quarantine"];
    let mut vacant = names(dir)?.iter().all(|name| ours.contains(&name.as_str()));
    for folder in FOLDERS {
        if vacant && exists(dir, &folder.to_string())? {
            vacant = names(open_folder(dir, folder)?.as_fd())?.is_empty();
        }
    }
    // Asked again: whoever makes a spool makes this file before all that would count as something.
    if vacant || has_spool(dir)? {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::AlreadyExists, "the directory is not empty, and is no spool"))
}

/// What is in a directory, without what a crash left there.
fn names(dir: BorrowedFd<'_>) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(dir)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name != "." && name != ".." && !is_leftover(&name) {
            names.push(name);
        }
    }
    Ok(names)
}

/// Makes what is missing in the directory, durably.
pub(super) fn furnish(dir: BorrowedFd<'_>) -> io::Result<()> {
    let mut made = false;
    for folder in FOLDERS {
        match mkdirat(dir, folder.to_string(), PRIVATE_DIR) {
            Ok(()) => made = true,
            Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
    }
    if !exists(dir, WRITER_LOCK)? {
        open_regular(dir, WRITER_LOCK, OFlags::CREATE | OFlags::RDWR, &FileName::WriterLock)?;
        made = true;
    }
    if made {
        retry_on_intr(|| fsync(dir))?;
    }
    Ok(())
}

/// Opens a folder, which must not be a link.
pub(super) fn open_folder(dir: BorrowedFd<'_>, folder: Folder) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match retry_on_intr(|| openat(dir, folder.to_string(), flags, Mode::empty())) {
        Ok(opened) => Ok(opened),
        Err(error @ (Errno::NOTDIR | Errno::LOOP | Errno::NOENT)) => {
            let kind = if error == Errno::NOENT { io::ErrorKind::NotFound } else { io::ErrorKind::NotADirectory };
            Err(io::Error::new(kind, format!("{folder} is not a directory")))
        }
        Err(error) => Err(error.into()),
    }
}
