//! Segments in memory: for tests, and for buffers that must not touch a disk.

use super::latch::Latch;
use super::{Append, Read, SegmentName, Space, Store};
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::io::{self, IoSlice};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

/// The size that a store without a capacity claims to have: large, and far from where percentages overflow.
pub(super) const UNBOUNDED_BYTES: u64 = 1 << 50;

/// A store in memory.
///
/// With a capacity it behaves as a full disk does: an append writes what fits, then fails with
/// [`io::ErrorKind::StorageFull`]; room comes back when a removed segment's last handle is dropped.
///
/// ```
/// use spillpipe::store::{MemoryStore, Store};
/// let store = MemoryStore::with_capacity(1 << 20);
/// assert_eq!(store.space()?.free_bytes, 1 << 20);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct MemoryStore {
    segments: Mutex<Segments>,
    room: Arc<Room>,
}

/// In the order in which they are listed.
type Segments = BTreeMap<SegmentName, Arc<Segment>>;

impl MemoryStore {
    /// A store that takes whatever memory there is.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A store that holds at most `capacity_bytes`.
    #[must_use]
    pub fn with_capacity(capacity_bytes: u64) -> Self {
        let room = Room { capacity_bytes: Some(capacity_bytes), used_bytes: Mutex::default() };
        Self { segments: Mutex::default(), room: Arc::new(room) }
    }
}

impl Store for MemoryStore {
    fn create(&self, name: SegmentName) -> io::Result<Arc<dyn Append>> {
        let mut segments = lock(&self.segments);
        if segments.contains_key(&name) {
            return Err(Errno::EXIST.into());
        }
        let segment = Arc::new(Segment { bytes: RwLock::default(), room: Arc::clone(&self.room) });
        segments.insert(name, Arc::clone(&segment));
        Ok(Arc::new(MemoryAppend { segment, latch: Latch::default() }))
    }

    fn open(&self, name: SegmentName) -> io::Result<Arc<dyn Read>> {
        let segments = lock(&self.segments);
        let segment = segments.get(&name).ok_or(Errno::NOENT)?;
        Ok(Arc::clone(segment) as Arc<dyn Read>)
    }

    fn remove(&self, name: SegmentName) -> io::Result<()> {
        // The bytes are freed after the lock.
        let removed = lock(&self.segments).remove(&name);
        removed.map(drop).ok_or_else(|| Errno::NOENT.into())
    }

    fn list(&self) -> io::Result<Vec<SegmentName>> {
        Ok(lock(&self.segments).keys().copied().collect())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn space(&self) -> io::Result<Space> {
        let total_bytes = self.room.capacity_bytes.unwrap_or(UNBOUNDED_BYTES);
        Ok(Space { total_bytes, free_bytes: total_bytes.saturating_sub(*lock(&self.room.used_bytes)) })
    }
}

#[derive(Debug, Default)]
struct Room {
    capacity_bytes: Option<u64>,
    used_bytes: Mutex<u64>,
}

impl Room {
    /// Takes `bytes`, or what there is; returns how many.
    fn take(&self, bytes: u64) -> u64 {
        let mut used = lock(&self.used_bytes);
        let free = self.capacity_bytes.unwrap_or(u64::MAX).saturating_sub(*used);
        let taken = bytes.min(free);
        *used += taken;
        taken
    }

    fn give_back(&self, bytes: u64) {
        *lock(&self.used_bytes) -= bytes;
    }
}

#[derive(Debug)]
struct Segment {
    bytes: RwLock<Vec<u8>>,
    room: Arc<Room>,
}

impl Read for Segment {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        Ok(copy_at(&self.bytes.read().unwrap_or_else(PoisonError::into_inner), buf, offset))
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.bytes.read().unwrap_or_else(PoisonError::into_inner).len() as u64)
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        self.room.give_back(self.bytes.get_mut().unwrap_or_else(PoisonError::into_inner).len() as u64);
    }
}

#[derive(Debug)]
struct MemoryAppend {
    segment: Arc<Segment>,
    latch: Latch,
}

impl Append for MemoryAppend {
    fn append(&self, parts: &[IoSlice<'_>]) -> io::Result<()> {
        let segment = &self.segment;
        let wanted: u64 = parts.iter().map(|part| part.len() as u64).sum();
        self.latch.append(wanted, |_| {
            // What fits goes in, as on a disk that fills up.
            let taken = segment.room.take(wanted);
            extend_by(&mut segment.bytes.write().unwrap_or_else(PoisonError::into_inner), parts, taken);
            if taken < wanted { Err(Errno::NOSPC.into()) } else { Ok(()) }
        })
    }

    fn len(&self) -> u64 {
        self.latch.len_bytes()
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

/// What `read_at` does, for bytes in memory.
pub(super) fn copy_at(bytes: &[u8], buf: &mut [u8], offset: u64) -> usize {
    let from = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
    let n = buf.len().min(bytes.len() - from);
    buf[..n].copy_from_slice(&bytes[from..from + n]);
    n
}

/// Appends the first `limit_bytes` of `parts`.
pub(super) fn extend_by(bytes: &mut Vec<u8>, parts: &[IoSlice<'_>], limit_bytes: u64) {
    let mut left = usize::try_from(limit_bytes).unwrap_or(usize::MAX);
    for part in parts {
        let n = part.len().min(left);
        bytes.extend_from_slice(&part[..n]);
        left -= n;
    }
}

/// A thread that panicked while it held the lock left what it guards whole: every change to it is one step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
