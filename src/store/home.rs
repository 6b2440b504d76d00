//! The directory of a spool: a store of named segments, and beside them small files that are written in place.
//!
//! ```text
//! DIR/spool               what the spool is            DIR/readers/NAME     a reader's cursor
//! DIR/writer.lock         held by the one writer       DIR/quarantine/NAME  damaged bytes, copied aside
//! ```
//!
//! A small file is created whole, durably, and keeps its length: updates are written over it, so that they need no
//! room on a full disk. Nothing here knows what is in one.

use super::{SegmentName, Store};
use std::fmt;
use std::io;

/// Names a small file of a spool.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileName {
    /// What the spool is.
    Spool,
    /// What its writer holds locked. Empty.
    WriterLock,
    /// A reader's cursor.
    Reader(String),
    /// Damaged bytes that were copied aside.
    Quarantine(String),
}

/// Longest name of a reader.
const READER_NAME_BYTES_MAX: usize = 64;
/// Longest name of what was copied aside: it may contain other names.
const QUARANTINE_NAME_BYTES_MAX: usize = 192;

impl FileName {
    /// The cursor of the reader of this name; `None` unless that is 1 to 64 of `A-Z a-z 0-9 . _ -`, beginning with
    /// neither a dot nor a dash.
    #[must_use]
    pub fn reader(name: &str) -> Option<Self> {
        is_plain(name, READER_NAME_BYTES_MAX).then(|| Self::Reader(name.to_owned()))
    }

    /// What was copied aside under this name; `None` unless that is as for [`FileName::reader`], or up to 192 long.
    #[must_use]
    pub fn quarantine(name: &str) -> Option<Self> {
        is_plain(name, QUARANTINE_NAME_BYTES_MAX).then(|| Self::Quarantine(name.to_owned()))
    }

    /// Whether its name is one that [`FileName::reader`] or [`FileName::quarantine`] would have taken. Every store
    /// answers another one with [`io::ErrorKind::InvalidInput`].
    #[must_use]
    pub fn is_valid(&self) -> bool {
        match self {
            Self::Spool | Self::WriterLock => true,
            Self::Reader(name) => is_plain(name, READER_NAME_BYTES_MAX),
            Self::Quarantine(name) => is_plain(name, QUARANTINE_NAME_BYTES_MAX),
        }
    }

    /// The error about a name that is not valid.
    pub(super) fn check(&self) -> io::Result<()> {
        if self.is_valid() {
            return Ok(());
        }
        let (Self::Reader(name) | Self::Quarantine(name)) = self else { return Ok(()) };
        Err(io::Error::new(io::ErrorKind::InvalidInput, format!("{name:?} cannot be the name of a file here")))
    }
}

/// Whether this is a name that means the same everywhere: to a shell, in a message, as a file.
fn is_plain(name: &str, bytes_max: usize) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=bytes_max).contains(&name.len()) && !name.starts_with(['.', '-']) && name.bytes().all(plain)
}

impl fmt::Display for FileName {
    /// Its path in the directory of a spool.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Spool => f.write_str("spool"),
            Self::WriterLock => f.write_str("writer.lock"),
            Self::Reader(name) => write!(f, "{}/{name}", Folder::Readers),
            Self::Quarantine(name) => write!(f, "{}/{name}", Folder::Quarantine),
        }
    }
}

/// A folder of small files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Folder {
    /// The readers' cursors.
    Readers,
    /// What was copied aside.
    Quarantine,
}

impl Folder {
    /// The file of this name in it, if there can be one.
    #[must_use]
    pub fn file(self, name: &str) -> Option<FileName> {
        match self {
            Self::Readers => FileName::reader(name),
            Self::Quarantine => FileName::quarantine(name),
        }
    }
}

impl fmt::Display for Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Readers => "readers",
            Self::Quarantine => "quarantine",
        })
    }
}

/// A lock that is held until this is dropped, or the process ends in whatever way.
pub trait Lock: Send + fmt::Debug {}

/// The small files of a spool. All methods may be called from several threads at once. A name that is not
/// [valid](FileName::is_valid) is [`io::ErrorKind::InvalidInput`] to all of them.
pub trait Files: Send + Sync + fmt::Debug {
    /// The names of the files in a folder, in order: of regular files with a valid name.
    ///
    /// # Errors
    /// What the system said.
    fn list_files(&self, folder: Folder) -> io::Result<Vec<String>>;

    /// All bytes of a file.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`]; [`io::ErrorKind::InvalidInput`] when it is no regular file, a link for instance;
    /// what the system said otherwise.
    fn read_file(&self, name: &FileName) -> io::Result<Vec<u8>>;

    /// Creates a file of these bytes: durable, and whole or not there at all.
    ///
    /// # Errors
    /// [`io::ErrorKind::AlreadyExists`]; what the system said otherwise. It may be there all the same when only its
    /// folder could not be synced.
    fn create_file(&self, name: &FileName, bytes: &[u8]) -> io::Result<()>;

    /// Writes `bytes` over those at `offset`, durably. A crash meanwhile leaves anything in the sectors that they are
    /// in, and all others as they are. A file that ends before, because it was damaged, becomes longer.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`]; what the system said otherwise. What is there then is what a crash could leave,
    /// until these bytes are written again.
    fn update_file(&self, name: &FileName, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Removes a file, durably.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`]; what the system said otherwise.
    fn remove_file(&self, name: &FileName) -> io::Result<()>;

    /// Takes the lock of a file; `None` when somebody else has it, in this process or another.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`], also when the file is removed meanwhile; what the system said otherwise.
    fn try_lock(&self, name: &FileName) -> io::Result<Option<Box<dyn Lock>>>;

    /// Who has the lock of a file. To ask is never in the way of somebody who takes it.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`]; what the system said otherwise.
    fn lock_holder(&self, name: &FileName) -> io::Result<Holder>;

    /// The segments there are, by rising number, and how many bytes each has.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] when one is no regular file; what the system said otherwise.
    fn segment_sizes(&self) -> io::Result<Vec<(SegmentName, u64)>>;

    /// Something to wait with for changes to the segments from now on. There always is: without notification if the
    /// system has none left.
    fn watch(&self) -> super::Watch;
}

/// Who holds a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    /// Nobody.
    Nobody,
    /// Somebody; the process, if the system tells.
    Somebody {
        /// Its number.
        process: Option<u32>,
    },
}

/// What a spool lives in.
pub trait Home: Store + Files {}

impl<T: Store + Files> Home for T {}
