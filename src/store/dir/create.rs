//! Creating a small file whole or not at all: under a name that nobody asks for, and then under its own.
//!
//! A crash between the two leaves the first name behind. Whoever comes next removes it, and tells it from one that is
//! being written by its lock. In the moments in which a file has that name and no lock it may be removed by mistake:
//! then its creator finds it gone and does it again.

use super::place::exists;
use crate::store::regular::open_regular;
use crate::sys::random::fill_random;
use crate::sys::tmpfile::PRIVATE;
use rustix::fs::{AtFlags, Dir, OFlags, RenameFlags, fsync, linkat, openat, renameat_with, unlinkat};
use rustix::io::{Errno, retry_on_intr};
use std::ffi::OsStr;
use std::fs::{File, TryLockError};
use std::io::{self, Write as _};
use std::os::fd::BorrowedFd;

const LEFTOVER_PREFIX: &str = ".new-";
const RANDOM_DIGITS: usize = 16;

/// How often a creation that others undid is done again.
const TRIES_MAX: usize = 16;

/// Creates a file of these bytes, durably.
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`]; what the system said otherwise. Nothing is left then, unless the directory could
/// not be synced.
pub(super) fn create_whole(folder: BorrowedFd<'_>, name: &str, bytes: &[u8]) -> io::Result<()> {
    clear_leftovers(folder);
    create(folder, name, bytes, by_rename)
}

fn create(folder: BorrowedFd<'_>, name: &str, bytes: &[u8], publish: Publish) -> io::Result<()> {
    for _ in 0..TRIES_MAX {
        // Before anything is written: on a full disk it is this that is wrong.
        if exists(folder, name)? {
            return Err(Errno::EXIST.into());
        }
        let Some(new) = New::create(folder)? else { continue };
        new.write(bytes)?;
        match publish(&new, name) {
            Ok(()) => return Ok(retry_on_intr(|| fsync(folder))?),
            Err(Errno::NOENT) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Errno::BUSY.into())
}

/// Removes what creations left behind that did not come to their end. It is a matter of manners: what cannot be
/// removed stays.
pub(super) fn clear_leftovers(folder: BorrowedFd<'_>) {
    let Ok(entries) = Dir::read_from(folder) else { return };
    for entry in entries.map_while(Result::ok) {
        let Some(name) = entry.file_name().to_str().ok().filter(|name| is_leftover(name)) else { continue };
        let Ok(file) = open_regular(folder, name, OFlags::RDWR, &name) else { continue };
        if file.try_lock().is_ok() {
            let _ = unlinkat(folder, name, AtFlags::empty());
        }
    }
}

/// Whether a file of this name is being created, or was when something happened.
pub(super) fn is_leftover(name: &str) -> bool {
    let digits = name.strip_prefix(LEFTOVER_PREFIX);
    digits.is_some_and(|digits| digits.len() == RANDOM_DIGITS && digits.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// Gives a file its own name.
type Publish = fn(&New<'_>, &str) -> Result<(), Errno>;

/// A file that does not have its own name yet. Without one it is removed again.
struct New<'f> {
    folder: BorrowedFd<'f>,
    file: File,
    name: String,
}

impl<'f> New<'f> {
    /// `None`: somebody took it for a leftover.
    fn create(folder: BorrowedFd<'f>) -> io::Result<Option<Self>> {
        let mut random = [0; RANDOM_DIGITS / 2];
        fill_random(&mut random)?;
        let name = format!("{LEFTOVER_PREFIX}{:016x}", u64::from_le_bytes(random));
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::RDWR | OFlags::CLOEXEC;
        let file = retry_on_intr(|| openat(folder, &name, flags, PRIVATE))?.into();
        let new = Self { folder, file, name };
        // On a file system without locks it stays without: nobody can take one to remove it either.
        Ok((!matches!(new.file.try_lock(), Err(TryLockError::WouldBlock))).then_some(new))
    }

    fn write(&self, bytes: &[u8]) -> io::Result<()> {
        (&self.file).write_all(bytes)?;
        self.file.sync_all()
    }
}

impl Drop for New<'_> {
    fn drop(&mut self) {
        // After a rename there is none of this name; after a link it is the one too many.
        let _ = unlinkat(self.folder, &self.name, AtFlags::empty());
    }
}

/// By a rename that replaces nothing, where there is one.
fn by_rename(new: &New<'_>, name: &str) -> Result<(), Errno> {
    // Under its own name the lock has a meaning of its own.
    let _ = new.file.unlock();
    match rename_to_new(new.folder, &new.name, name.as_ref()) {
        None => by_link(new, name),
        Some(renamed) => renamed,
    }
}

/// Renames, and replaces nothing; `None`: the kernel or the file system cannot do that.
pub(in crate::store) fn rename_to_new(folder: BorrowedFd<'_>, old: &str, new: &OsStr) -> Option<Result<(), Errno>> {
    match retry_on_intr(|| renameat_with(folder, old, folder, new, RenameFlags::NOREPLACE)) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => None,
        renamed => Some(renamed),
    }
}

/// By a second name, after which the first is removed.
fn by_link(new: &New<'_>, name: &str) -> Result<(), Errno> {
    let _ = new.file.unlock();
    retry_on_intr(|| linkat(new.folder, &new.name, new.folder, name, AtFlags::empty()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::space::open_dir;
    use std::fs;
    use std::os::fd::AsFd;
    use std::os::unix::fs::MetadataExt;
    use std::path::Path;

    fn names(dir: &Path) -> Vec<String> {
        let names = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.collect();
        names.sort();
        names
    }

    #[test]
    fn both_ways_give_one_private_file_and_replace_none() {
        let ways: [Publish; 2] = [by_rename, by_link];
        for (way, publish) in ways.into_iter().enumerate() {
            let temp = tempfile::tempdir().unwrap();
            let dir = open_dir(temp.path(), true).unwrap();
            create(dir.as_fd(), "a", b"first", publish).unwrap();
            assert_eq!(create(dir.as_fd(), "a", b"second", publish).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
            // Also when it came to be after the first look.
            let new = New::create(dir.as_fd()).unwrap().unwrap();
            assert_eq!(publish(&new, "a"), Err(Errno::EXIST), "{way}");
            drop(new);
            assert_eq!(names(temp.path()), ["a"], "{way}");
            assert_eq!(fs::read(temp.path().join("a")).unwrap(), b"first");
            let meta = fs::metadata(temp.path().join("a")).unwrap();
            assert_eq!((meta.mode() & 0o7777, meta.nlink()), (0o600, 1), "{way}");
        }
    }

    #[test]
    fn leftovers_are_cleared_and_what_is_under_way_is_not() {
        let temp = tempfile::tempdir().unwrap();
        let dir = open_dir(temp.path(), true).unwrap();
        let left = ".new-0123456789abcdef";
        let kept = [".new-0123", ".new-0123456789abcdeg", ".other", "new-0123456789abcdef"];
        for name in kept.iter().chain([&left]) {
            fs::write(temp.path().join(name), b"x").unwrap();
        }
        let under_way = New::create(dir.as_fd()).unwrap().unwrap();
        create_whole(dir.as_fd(), "a", b"a").unwrap();
        assert!(temp.path().join(&under_way.name).exists());
        drop(under_way);
        let mut expected = kept.to_vec();
        expected.push("a");
        expected.sort_unstable();
        assert_eq!(names(temp.path()), expected);
    }

    #[test]
    fn a_creation_that_is_undone_by_mistake_is_done_again() {
        let temp = tempfile::tempdir().unwrap();
        let dir = open_dir(temp.path(), true).unwrap();
        let done = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(std::sync::atomic::Ordering::Relaxed) {
                    clear_leftovers(dir.as_fd());
                }
            });
            for number in 0..50 {
                create(dir.as_fd(), &number.to_string(), b"whole", by_rename).unwrap();
            }
            done.store(true, std::sync::atomic::Ordering::Relaxed);
        });
        assert_eq!(names(temp.path()).len(), 50);
    }
}
