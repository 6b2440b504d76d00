//! The directory of a spool on disk.
//!
//! ```text
//! DIR/0000000000000001.zst ...     segments: a DiskStore with names
//! DIR/spool  DIR/writer.lock       small files
//! DIR/readers/  DIR/quarantine/    folders of small files
//! DIR/.new-...                     a small file that is being created (in the folders, too)
//! ```
//!
//! All three directories are opened once, and everything goes through those descriptors, as in
//! [`DiskStore`](super::DiskStore). Nothing here knows what is in a file. Names in errors are those below DIR, which the
//! caller adds.

mod create;
mod files;
mod lock;
mod place;

pub(super) use create::rename_to_new;

use super::disk::DiskStore;
use super::home::{FileName, Folder};
use super::regular::regular_len;
use super::{Append, Read, SegmentName, Space, Store};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// The directory of a spool on disk: its segments ([`Store`]), and its small files ([`Files`](super::Files)).
///
/// ```
/// use spillpipe::store::{DirHome, FileName, Files, Holder};
///
/// let temp = tempfile::tempdir()?;
/// let home = DirHome::create(temp.path().join("spool"))?;
/// home.create_file(&FileName::Spool, b"what it is")?;
///
/// let lock = home.try_lock(&FileName::WriterLock)?;
/// assert!(lock.is_some());
/// let other = DirHome::open(home.dir())?;
/// assert_eq!(other.read_file(&FileName::Spool)?, b"what it is");
/// assert!(other.try_lock(&FileName::WriterLock)?.is_none());
/// assert_eq!(other.lock_holder(&FileName::WriterLock)?, Holder::Somebody { process: Some(std::process::id()) });
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct DirHome {
    segments: DiskStore,
    readers: OwnedFd,
    quarantine: OwnedFd,
    notify: bool,
}

impl DirHome {
    /// Opens a directory that [`DirHome::create`] has furnished. What is missing of that beside a `spool` file is made
    /// again.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] when it is missing, or not furnished and without `spool` file;
    /// [`io::ErrorKind::NotADirectory`] also when `readers` or `quarantine` is none, a link for instance; what the
    /// system said otherwise, if it is not writable for example.
    pub fn open(path: impl Into<PathBuf>) -> io::Result<Self> {
        let segments = DiskStore::named(path)?;
        if place::has_spool(segments.descriptor())? {
            place::furnish(segments.descriptor())?;
        }
        Self::of(segments)
    }

    /// Opens a directory, after making what is missing of it: itself (its parent must exist), its folders, and the
    /// writer's lock file. Another process may do the same at the same time. The `spool` file is the caller's.
    ///
    /// # Errors
    /// [`io::ErrorKind::AlreadyExists`] when there is something in the directory, and no `spool` file;
    /// otherwise as for [`DirHome::open`].
    pub fn create(path: impl Into<PathBuf>) -> io::Result<Self> {
        let path = path.into();
        let found = place::make_dir(&path)?;
        let segments = DiskStore::named(path)?;
        if found {
            place::check_vacant(segments.descriptor())?;
        }
        place::furnish(segments.descriptor())?;
        Self::of(segments)
    }

    fn of(segments: DiskStore) -> io::Result<Self> {
        let readers = place::open_folder(segments.descriptor(), Folder::Readers)?;
        let quarantine = place::open_folder(segments.descriptor(), Folder::Quarantine)?;
        for folder in [segments.descriptor(), readers.as_fd(), quarantine.as_fd()] {
            create::clear_leftovers(folder);
        }
        Ok(Self { segments, readers, quarantine, notify: true })
    }

    /// Lets its watches be without notification, as on a system that has none left. For tests.
    #[must_use]
    pub fn without_notify(mut self) -> Self {
        self.notify = false;
        self
    }

    /// The directory, as it was given.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.segments.dir()
    }

    fn folder(&self, folder: Folder) -> BorrowedFd<'_> {
        match folder {
            Folder::Readers => self.readers.as_fd(),
            Folder::Quarantine => self.quarantine.as_fd(),
        }
    }

    /// Where a small file is, and what it is called there.
    fn place_of<'n>(&self, file: &'n FileName) -> io::Result<(BorrowedFd<'_>, &'n str)> {
        file.check()?;
        Ok(match file {
            FileName::Spool => (self.segments.descriptor(), place::SPOOL),
            FileName::WriterLock => (self.segments.descriptor(), place::WRITER_LOCK),
            FileName::Reader(name) => (self.folder(Folder::Readers), name),
            FileName::Quarantine(name) => (self.folder(Folder::Quarantine), name),
        })
    }
}

impl Store for DirHome {
    fn create(&self, name: SegmentName) -> io::Result<Arc<dyn Append>> {
        self.segments.create(name)
    }

    fn open(&self, name: SegmentName) -> io::Result<Arc<dyn Read>> {
        self.segments.open(name)
    }

    /// What is no regular file is not removed either.
    fn remove(&self, name: SegmentName) -> io::Result<()> {
        regular_len(self.segments.descriptor(), name.to_string(), &name)?;
        self.segments.remove(name)
    }

    fn list(&self) -> io::Result<Vec<SegmentName>> {
        self.segments.list()
    }

    fn last_change(&self) -> Option<SystemTime> {
        self.segments.last_change()
    }

    fn sync(&self) -> io::Result<()> {
        self.segments.sync()
    }

    fn space(&self) -> io::Result<Space> {
        self.segments.space()
    }

    fn upkeep(&self) -> Option<Duration> {
        self.segments.upkeep()
    }
}
