//! A disk that fails, fills up, rots and loses its power on demand: for tests. Deterministic from a seed.
//!
//! ```text
//!               synced by Append::sync    |  not yet          a crash takes the right side away,
//! file      [ durable bytes               |  tail       ]     keeps it, or tears it (see Unsynced)
//! directory [ durable entries             |  creations, removals ]
//!               synced by Store::sync
//! ```
//!
//! # Operations
//! Every call that a real store would take to the disk is one operation, and takes the next number from one counter,
//! from 1 on: create, open, append, read, sync of a segment (by either end), sync of the directory, remove, list, space,
//! sizes of the segments; and creating, reading, removing, listing small files. Updating one is two: the write, and
//! the sync. Not counted: lengths, locks, watches, the dropping of handles, calls that a latch or a bad name refused,
//! and this type's own methods. The n-th operation is
//! thus the same in every run that makes the same calls; with several threads that is the caller's business.
//!
//! # What the simulation assumes
//! * Bytes that were synced stay as they are, also in a sector that a later append shares with them.
//! * An entry is durable after [`Store::sync`](super::Store::sync) only, and a segment's bytes after
//!   [`Append::sync`](super::Append::sync) only; neither brings the other along (some file systems are kinder).
//! * A failed sync made nothing durable that a crash would have to keep, and a segment's cannot be repeated.
//! * A small file is created durably and whole, and removed durably; if the machine stops meanwhile, it was or was not.
//!   An update that was not synced is lost, kept or torn. A failed sync leaves it so, and no later sync makes up for
//!   it: those take only what was written since.
//! * The writer's lock file is always there. Nobody holds a lock after a crash.
//! * Names are not reused: of several unsynced changes to one name, only the first and the last state are seen.

mod disk;
mod faults;
mod files;
mod handles;
mod home;

pub use disk::Unsynced;
pub use faults::Fault;
pub use files::SimFile;

use super::SegmentName;
use disk::Disk;
use std::fmt;
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A simulated disk. Clones are the same disk: a test holds one, the code under test another.
///
/// ```
/// use spillpipe::format::{Family, SegmentNumber};
/// use spillpipe::store::{Fault, SegmentName, SimStore, Store, Unsynced};
/// use std::io::{ErrorKind, IoSlice};
///
/// let disk = SimStore::new(42);
/// let name = SegmentName { number: SegmentNumber(1), family: Family::Lz4 };
/// let segment = disk.create(name)?; // operation 1
/// segment.append(&[IoSlice::new(b"safe")])?; // 2
/// segment.sync()?; // 3
/// disk.sync()?; // 4
///
/// disk.fail_nth(5, Fault::Enospc, false);
/// let error = segment.append(&[IoSlice::new(b"lost")]).unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::StorageFull);
/// assert_eq!(disk.operations(), 5);
///
/// let found = disk.crash(Unsynced::Lost);
/// assert_eq!(found.bytes(name)?, b"safe");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct SimStore {
    disk: Arc<Mutex<Disk>>,
}

impl SimStore {
    /// An empty disk without faults and without end. The seed decides all that is left to chance.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self::of(Disk::new(seed))
    }

    fn of(disk: Disk) -> Self {
        Self { disk: Arc::new(Mutex::new(disk)) }
    }

    /// A panic of a test's thread must not hide the reason behind a poisoned lock.
    fn lock(&self) -> MutexGuard<'_, Disk> {
        self.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Operations begun so far.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.lock().faults.operations()
    }

    /// Lets operation number `n` (the first is 1) fail, and with `sticky` every one after it, too.
    pub fn fail_nth(&self, n: u64, fault: Fault, sticky: bool) {
        self.lock().faults.plan(n, fault, sticky);
    }

    /// Lets the machine stop in the middle of operation number `n`: that one and all after it fail with
    /// [`io::ErrorKind::Other`]. Of the one in flight, the seed decides whether it takes effect (of an append: how
    /// much), as unsynced as its success would have left it. [`SimStore::crash`] then gives what is found.
    pub fn crash_at(&self, n: u64) {
        self.lock().faults.stop_at(n);
    }

    /// Forgets all faults that were asked for, and lets a stopped machine go on.
    pub fn heal(&self) {
        self.lock().faults.clear();
    }

    /// Limits the bytes on the disk; an append over it writes what fits and fails with
    /// [`io::ErrorKind::StorageFull`]. May be below what is there: nothing more goes in then.
    pub fn set_capacity(&self, capacity_bytes: Option<u64>) {
        self.lock().capacity_bytes = capacity_bytes;
    }

    /// The disk as it would be found if the power were cut now. All that is found is durable; there are no faults, no
    /// open handles, and the capacity is the same. This disk goes on as if nothing had happened, so that one moment
    /// can be looked at in every way; the same moment torn twice gives the same.
    #[must_use]
    pub fn crash(&self, unsynced: Unsynced) -> Self {
        Self::of(self.lock().after_crash(unsynced))
    }

    /// All bytes of a segment, also those that no append has confirmed, or of a small file as it reads now.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`].
    pub fn bytes(&self, name: impl Into<SimFile>) -> io::Result<Vec<u8>> {
        let mut disk = self.lock();
        match name.into() {
            SimFile::Segment(name) => Ok(disk.by_name(name)?.bytes.clone()),
            SimFile::File(name) => Ok(disk.files.get(&name)?.to_vec()),
        }
    }

    /// Puts a segment or a small file of these bytes there, durably, in the place of one that is there. Whoever
    /// appends to that goes on to believe in its old length.
    pub fn put_bytes(&self, name: impl Into<SimFile>, bytes: &[u8]) {
        let mut disk = self.lock();
        match name.into() {
            SimFile::Segment(name) => disk.put_segment(name, bytes),
            SimFile::File(name) => disk.files.put(name, bytes),
        }
    }

    /// How many bytes of a segment a crash has to keep.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`].
    pub fn durable_bytes(&self, name: SegmentName) -> io::Result<u64> {
        Ok(self.lock().by_name(name)?.durable_bytes as u64)
    }

    /// Flips one bit of the byte at `offset`; bit 0 is the lowest.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`]; [`io::ErrorKind::InvalidInput`] when there is no such byte or bit.
    pub fn flip_bit(&self, name: impl Into<SimFile>, offset: u64, bit: u8) -> io::Result<()> {
        let mask = 1u8.checked_shl(bit.into()).ok_or(io::ErrorKind::InvalidInput)?;
        self.lock().damage(&name.into(), offset, offset.saturating_add(1), |_, byte| byte ^ mask)
    }

    /// Replaces every byte in `range` by another one, of the seed's choice.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`]; [`io::ErrorKind::InvalidInput`] when the range is not inside the file.
    pub fn corrupt(&self, name: impl Into<SimFile>, range: Range<u64>) -> io::Result<()> {
        self.lock().damage(&name.into(), range.start, range.end, |random, byte| byte ^ random.max(1))
    }

    /// Zeroes the bytes in `range`.
    ///
    /// # Errors
    /// As for [`SimStore::corrupt`].
    pub fn zero(&self, name: impl Into<SimFile>, range: Range<u64>) -> io::Result<()> {
        self.lock().damage(&name.into(), range.start, range.end, |_, _| 0)
    }

    /// Cuts a segment or a small file to `len_bytes`, or does nothing when it is shorter.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`].
    pub fn truncate(&self, name: impl Into<SimFile>, len_bytes: u64) -> io::Result<()> {
        let len = usize::try_from(len_bytes).unwrap_or(usize::MAX);
        let mut disk = self.lock();
        match name.into() {
            SimFile::Segment(name) => {
                let inode = disk.by_name(name)?;
                inode.bytes.truncate(len);
                inode.durable_bytes = inode.durable_bytes.min(len);
            }
            SimFile::File(name) => disk.files.truncate(&name, len)?,
        }
        Ok(())
    }
}

impl fmt::Debug for SimStore {
    /// Without the bytes: a failed assertion should stay readable.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimStore").field("operations", &self.operations()).finish_non_exhaustive()
    }
}
