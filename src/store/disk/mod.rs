//! Segments as files of a directory.
//!
//! ```text
//! nameless   registry in memory: name -> open file      the directory stays empty; all is gone with the process
//! named      DIR/000000000000001a.zst                   survives; list, open and remove go by the directory
//! ```
//!
//! The directory is opened once, and everything goes through that descriptor: it may be renamed, and the process may
//! change its own directory, without consequence. Files are mode 0600 and created exclusively; links are never
//! followed. Errors are what the system said, untouched: the caller, who knows what it was for, adds the path.
//!
//! Not done here: no locks (who may write a directory is the spool's business), no limits, no retries on a full disk.

mod cache;
mod file;
mod plan;

use super::regular::open_regular;
use super::{Append, Read, SegmentName, Space, Store};
use crate::sys::space::{check_writable_dir, is_tmpfs, open_dir, space};
use crate::sys::tmpfile::{How, PRIVATE, open_nameless};
use cache::{Cache, Cached};
use file::{DiskAppend, DiskRead};
use rustix::fs::{AtFlags, Dir, OFlags, fstat, fsync, openat, unlinkat};
use rustix::io::{Errno, retry_on_intr};
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

/// No file system tells times less exactly; FAT, to two seconds.
const TICK_MAX: Duration = Duration::from_secs(3);

/// Whether the files of a [`DiskStore`] have names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Naming {
    /// No: no file outlives the process, however that ends.
    Nameless,
    /// Yes: they are `NUMBER.zst` or `NUMBER.lz4`, and stay until they are removed.
    Named,
}

/// A directory that holds segments.
///
/// ```
/// use spillpipe::format::{Family, SegmentNumber};
/// use spillpipe::store::{DiskStore, SegmentName, Store};
/// use std::io::IoSlice;
///
/// let temp = tempfile::tempdir()?;
/// let store = DiskStore::nameless(temp.path())?;
/// let name = SegmentName { number: SegmentNumber(1), family: Family::Zstd };
/// let segment = store.create(name)?;
/// segment.append(&[IoSlice::new(b"chunk")])?;
///
/// let mut back = [0; 5];
/// store.open(name)?.read_exact_at(&mut back, 0)?;
/// assert_eq!(&back, b"chunk");
/// assert_eq!(std::fs::read_dir(temp.path())?.count(), 0);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct DiskStore {
    path: PathBuf,
    dir: OwnedFd,
    files: Files,
}

#[derive(Debug)]
enum Files {
    Nameless { how: How, open: Mutex<Registry>, cache: Arc<Cache> },
    Named,
}

/// In the order in which they are listed.
type Registry = BTreeMap<SegmentName, Arc<File>>;

impl DiskStore {
    /// A store of nameless files on the file system of `dir`. Creates nothing yet.
    ///
    /// # Errors
    /// When `dir` is missing, no directory, not writable, or on a read-only file system: what the system said.
    pub fn nameless(dir: impl Into<PathBuf>) -> io::Result<Self> {
        Self::open_dir(dir.into(), Files::Nameless { how: How::Best, open: Mutex::default(), cache: Cache::new() })
    }

    /// A store of named files in `dir`. Creates nothing yet.
    ///
    /// # Errors
    /// As for [`DiskStore::nameless`], and when `dir` may not be listed.
    pub fn named(dir: impl Into<PathBuf>) -> io::Result<Self> {
        Self::open_dir(dir.into(), Files::Named)
    }

    fn open_dir(path: PathBuf, files: Files) -> io::Result<Self> {
        check_writable_dir(&path)?;
        let dir = open_dir(&path, matches!(files, Files::Named))?;
        Ok(Self { path, dir, files })
    }

    /// Makes nameless files as on file systems without `O_TMPFILE`: created and unlinked at once. For tests, and for
    /// a file system that has it and has it wrong. Named files are not affected.
    #[must_use]
    pub fn without_tmpfile(mut self) -> Self {
        if let Files::Nameless { how, .. } = &mut self.files {
            *how = How::Unlink;
        }
        self
    }

    /// The directory, as it was given.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.path
    }

    /// Whether its files have names.
    #[must_use]
    pub fn naming(&self) -> Naming {
        match self.files {
            Files::Nameless { .. } => Naming::Nameless,
            Files::Named => Naming::Named,
        }
    }

    /// Whether the file system lives in memory (tmpfs, ramfs): spilling there saves none.
    ///
    /// # Errors
    /// What the system said.
    pub fn is_tmpfs(&self) -> io::Result<bool> {
        is_tmpfs(self.dir.as_fd())
    }

    fn create_named(&self, name: SegmentName) -> io::Result<File> {
        // Only written to: a reader opens it by name, and its right to read is checked there.
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::WRONLY | OFlags::CLOEXEC;
        Ok(retry_on_intr(|| openat(&self.dir, name.to_string(), flags, PRIVATE))?.into())
    }

    fn open_named(&self, name: SegmentName) -> io::Result<File> {
        open_regular(self.descriptor(), &name.to_string(), OFlags::RDONLY, &name)
    }

    /// The directory.
    pub(super) fn descriptor(&self) -> BorrowedFd<'_> {
        self.dir.as_fd()
    }
}

impl Store for DiskStore {
    fn create(&self, name: SegmentName) -> io::Result<Arc<dyn Append>> {
        let (file, cached) = match &self.files {
            Files::Named => (Arc::new(self.create_named(name)?), None),
            Files::Nameless { how, open, cache } => {
                // Under the lock as a whole: of two creations of one name, one succeeds.
                let mut open = lock(open);
                if open.contains_key(&name) {
                    return Err(Errno::EXIST.into());
                }
                let file = Arc::new(open_nameless(self.dir.as_fd(), *how)?);
                open.insert(name, Arc::clone(&file));
                cache.created(name, &file);
                (file, Some(Cached { cache: Arc::clone(cache), name }))
            }
        };
        Ok(Arc::new(DiskAppend::new(file, cached)))
    }

    fn open(&self, name: SegmentName) -> io::Result<Arc<dyn Read>> {
        let (file, cached) = match &self.files {
            Files::Named => (Arc::new(self.open_named(name)?), None),
            Files::Nameless { open, cache, .. } => {
                let file = lock(open).get(&name).map(Arc::clone).ok_or(Errno::NOENT)?;
                (file, Some(Cached { cache: Arc::clone(cache), name }))
            }
        };
        Ok(Arc::new(DiskRead::new(file, cached)))
    }

    fn remove(&self, name: SegmentName) -> io::Result<()> {
        match &self.files {
            Files::Named => Ok(retry_on_intr(|| unlinkat(&self.dir, name.to_string(), AtFlags::empty()))?),
            Files::Nameless { open, cache, .. } => {
                // Closing frees the blocks of a large file, which takes time: not under the lock.
                let removed = lock(open).remove(&name);
                removed.map(drop).ok_or(Errno::NOENT)?;
                cache.removed(name);
                Ok(())
            }
        }
    }

    fn list(&self) -> io::Result<Vec<SegmentName>> {
        match &self.files {
            Files::Nameless { open, .. } => Ok(lock(open).keys().copied().collect()),
            Files::Named => {
                let mut names = Vec::new();
                for entry in Dir::read_from(&self.dir)? {
                    // Other names are not ours: lock, cursors, whatever the user keeps there.
                    names.extend(entry?.file_name().to_str().ok().and_then(SegmentName::parse));
                }
                names.sort_unstable();
                Ok(names)
            }
        }
    }

    fn last_change(&self) -> Option<SystemTime> {
        let stat = fstat(&self.dir).ok().filter(|_| self.naming() == Naming::Named)?;
        let since = Duration::new(u64::try_from(stat.st_mtime).ok()?, u32::try_from(stat.st_mtime_nsec).ok()?);
        let changed = SystemTime::UNIX_EPOCH.checked_add(since)?;
        changed.elapsed().is_ok_and(|ago| ago > TICK_MAX).then_some(changed)
    }

    fn sync(&self) -> io::Result<()> {
        match self.files {
            // What has no name has no entry to make durable.
            Files::Nameless { .. } => Ok(()),
            Files::Named => Ok(retry_on_intr(|| fsync(&self.dir))?),
        }
    }

    fn space(&self) -> io::Result<Space> {
        let space = space(self.dir.as_fd())?;
        Ok(Space { total_bytes: space.total, free_bytes: space.free })
    }

    fn upkeep(&self) -> Option<Duration> {
        match &self.files {
            Files::Nameless { cache, .. } => cache.sweep(),
            Files::Named => None,
        }
    }
}

/// A thread that panicked while it held the lock left the map whole: every change to it is one call.
fn lock(registry: &Mutex<Registry>) -> MutexGuard<'_, Registry> {
    registry.lock().unwrap_or_else(PoisonError::into_inner)
}
