//! Where segments live: a small trait, and the stores that implement it.
//!
//! The trait asks for nothing that only a local file could do: a segment is created, appended to, read by range,
//! listed and removed; it is never written in place, truncated or punched, so an object store can be one too.
//!
//! | store | what for |
//! |---|---|
//! | [`DiskStore`] | a directory; nameless files (nothing is left behind) or named ones |
//! | [`DirHome`] | the directory of a spool: named segments, and the small files beside them |
//! | [`MemoryStore`] | tests, and buffers that must not touch a disk |
//! | [`SimStore`] | a disk that fails and crashes on demand, for tests |
//!
//! A file that is nobody's store, but is to be there whole or not at all, is a [`Whole`], and a directory a [`WholeDir`].
//!
//! What a spool needs beyond segments is [`Files`]; a store with both is a [`Home`]. One conformance suite
//! (tests/store) holds for all of them.

mod dir;
mod disk;
mod home;
mod latch;
mod memory;
mod parent;
mod regular;
mod sim;
mod watch;
mod whole;
mod whole_dir;

pub use dir::DirHome;
pub use disk::{DiskStore, Naming};
pub use home::{FileName, Files, Folder, Holder, Home, Lock};
pub use memory::MemoryStore;
pub use sim::{Fault, SimFile, SimStore, Unsynced};
pub use watch::{Cancel, Watch, Woken};
pub use whole::{Replace, Whole};
pub use whole_dir::WholeDir;

use crate::format::{Family, SegmentNumber};
use std::cmp::Ordering;
use std::fmt;
use std::io::{self, IoSlice};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// Names a segment within a store: its number and, as file name extension, its family. Ordered by number first.
///
/// ```
/// use spillpipe::format::{Family, SegmentNumber};
/// use spillpipe::store::SegmentName;
/// let name = SegmentName { number: SegmentNumber(26), family: Family::Zstd };
/// assert_eq!(name.to_string(), "000000000000001a.zst");
/// assert_eq!(SegmentName::parse("000000000000001a.zst"), Some(name));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SegmentName {
    /// Its number.
    pub number: SegmentNumber,
    /// Its family.
    pub family: Family,
}

impl SegmentName {
    /// Reads a file name back; `None` when it is not exactly what [`fmt::Display`] writes.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let (digits, extension) = name.split_once('.')?;
        let family = Family::ALL.into_iter().find(|f| f.extension() == extension)?;
        let number = SegmentNumber(u64::from_str_radix(digits, 16).ok()?);
        Some(Self { number, family }).filter(|n| n.to_string() == name)
    }
}

impl Ord for SegmentName {
    fn cmp(&self, other: &Self) -> Ordering {
        let key = |name: &Self| (name.number, name.family.extension());
        key(self).cmp(&key(other))
    }
}

impl PartialOrd for SegmentName {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for SegmentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}.{}", self.number.0, self.family.extension())
    }
}

/// Room in a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// Bytes of the whole file system.
    pub total_bytes: u64,
    /// Bytes that this process may still write there.
    pub free_bytes: u64,
}

/// Whether an error says that there is no room: for now, in the hope that some comes back. A file as large as it may
/// become (`EFBIG`) is over as well, and the next one is not.
#[must_use]
pub fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}

/// A place for segments. All methods may be called from several threads at once.
///
/// A segment that was removed stays readable through the handles that are open on it; its space comes back when
/// the last one is dropped.
pub trait Store: Send + Sync + fmt::Debug {
    /// Creates an empty segment and opens it for appending.
    ///
    /// # Errors
    /// [`io::ErrorKind::AlreadyExists`] when there is one of that name; what the system said otherwise. Nothing is
    /// left of a segment whose creation failed.
    fn create(&self, name: SegmentName) -> io::Result<Arc<dyn Append>>;

    /// Opens a segment for reading, also while it is being appended to.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] when there is none of that name; what the system said otherwise.
    fn open(&self, name: SegmentName) -> io::Result<Arc<dyn Read>>;

    /// Removes a segment.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] when there is none of that name; what the system said otherwise.
    fn remove(&self, name: SegmentName) -> io::Result<()>;

    /// The segments there are, by rising number.
    ///
    /// # Errors
    /// What the system said.
    fn list(&self) -> io::Result<Vec<SegmentName>>;

    /// When a segment was last created or removed, if that can be told, and was so long ago that no later change can bear
    /// the same time: as long as it stays the same, so does what [`Self::list`] gives. `None`: list, to know.
    fn last_change(&self) -> Option<SystemTime> {
        None
    }

    /// Makes creations and removals so far durable (for a directory: fsync).
    ///
    /// # Errors
    /// What the system said.
    fn sync(&self) -> io::Result<()>;

    /// How much room there is.
    ///
    /// # Errors
    /// What the system said.
    fn space(&self) -> io::Result<Space>;

    /// Does what is to be done beside reading and writing, such as keeping caches small, and says after how long it
    /// wants to be called again, if nothing is written meanwhile. `None`: not any more. It is only called for good
    /// manners, by the thread that writes, at most four times a second: nothing is lost without.
    fn upkeep(&self) -> Option<Duration> {
        None
    }
}

/// The writing end of one segment; there is one a segment.
pub trait Append: Send + Sync + fmt::Debug {
    /// Appends all of `parts`, in order, after what was appended before.
    ///
    /// # Errors
    /// What the system said. Some of the bytes may be there then, past the length that [`Append::len`] still
    /// gives: the segment takes no further appends ([`io::ErrorKind::Other`]), readers go by the length that they
    /// were told, and the data belongs into a new segment.
    fn append(&self, parts: &[IoSlice<'_>]) -> io::Result<()>;

    /// Bytes appended with success.
    fn len(&self) -> u64;

    /// Whether nothing has been appended with success.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Makes the bytes appended so far durable. May run beside an append, which it does not hold up.
    ///
    /// # Errors
    /// What the system said. What is not known durable then must be written again elsewhere; the segment takes no
    /// further appends and no further sync succeeds.
    fn sync(&self) -> io::Result<()>;
}

/// The reading end of one segment.
pub trait Read: Send + Sync + fmt::Debug {
    /// Reads up to `buf.len()` bytes at `offset`; 0 at the end. Interrupted calls are retried inside.
    ///
    /// # Errors
    /// What the system said.
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Bytes there are now.
    ///
    /// # Errors
    /// What the system said.
    fn len(&self) -> io::Result<u64>;

    /// Makes the bytes that are there now durable, whoever wrote them.
    ///
    /// # Errors
    /// What the system said.
    fn sync(&self) -> io::Result<()>;

    /// Whether there are none.
    ///
    /// # Errors
    /// What the system said.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Fills `buf` from `offset` on.
    ///
    /// # Errors
    /// [`io::ErrorKind::UnexpectedEof`] when the segment ends before; what the system said otherwise.
    fn read_exact_at(&self, mut buf: &mut [u8], mut offset: u64) -> io::Result<()> {
        while !buf.is_empty() {
            let n = self.read_at(buf, offset)?;
            if n == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            buf = &mut buf[n..];
            offset += n as u64;
        }
        Ok(())
    }
}
