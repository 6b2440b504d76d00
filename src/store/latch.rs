//! How far a segment was written, and what a failure closes for good: the same in every store.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Stands before the appends and syncs of one segment. An append holds it, a sync does not: that takes as long as the
/// disk takes, and the next append need not wait for it.
#[derive(Debug, Default)]
pub(super) struct Latch {
    progress: Mutex<Progress>,
    /// Held during a sync. Of two at the same time the system would tell only one of a failure.
    syncing: Mutex<()>,
}

#[derive(Debug, Default)]
struct Progress {
    len_bytes: u64,
    closed: Closed,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Closed {
    /// Nothing failed so far.
    #[default]
    Nothing,
    /// An append failed. What was appended before it may still be synced.
    Appends,
    /// A sync failed. The kernel may have dropped the pages and marked them clean, so that another sync would
    /// succeed without them: never again.
    Everything,
}

impl Latch {
    /// Appends so many bytes by `append`, which gets the offset they belong at, unless something failed before.
    pub(super) fn append(&self, bytes: u64, append: impl FnOnce(u64) -> io::Result<()>) -> io::Result<()> {
        let mut progress = lock(&self.progress);
        if progress.closed != Closed::Nothing {
            return Err(io::Error::other("the segment takes no more: an earlier write to it failed"));
        }
        match append(progress.len_bytes) {
            Ok(()) => progress.len_bytes += bytes,
            Err(error) => {
                progress.closed = Closed::Appends;
                return Err(error);
            }
        }
        Ok(())
    }

    /// Bytes appended with success.
    pub(super) fn len_bytes(&self) -> u64 {
        lock(&self.progress).len_bytes
    }

    /// Syncs by `sync`, unless a sync failed before.
    pub(super) fn sync(&self, sync: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        let _one_at_a_time = lock(&self.syncing);
        if lock(&self.progress).closed == Closed::Everything {
            return Err(io::Error::other("the segment cannot be made durable: an earlier sync of it failed"));
        }
        let synced = sync();
        if synced.is_err() {
            lock(&self.progress).closed = Closed::Everything;
        }
        synced
    }
}

/// A thread that panicked while it held the lock left what it guards whole: every change to it is one step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::ErrorKind::{Other, StorageFull, TimedOut};

    #[test]
    fn a_failed_append_leaves_the_syncs() {
        let latch = Latch::default();
        latch.append(5, |_| Ok(())).unwrap();
        latch.append(0, |offset| if offset == 5 { Ok(()) } else { Err(TimedOut.into()) }).unwrap();
        assert_eq!(latch.append(7, |_| Err(StorageFull.into())).unwrap_err().kind(), StorageFull);
        assert_eq!(latch.append(0, |_| Ok(())).unwrap_err().kind(), Other);
        latch.sync(|| Ok(())).unwrap();
        assert_eq!(latch.len_bytes(), 5);
    }

    #[test]
    fn a_failed_sync_leaves_nothing_also_when_an_append_succeeds_meanwhile() {
        let latch = Latch::default();
        let failed = latch.sync(|| {
            latch.append(5, |_| Ok(()))?;
            Err(TimedOut.into())
        });
        assert_eq!(failed.unwrap_err().kind(), TimedOut);
        assert_eq!(latch.len_bytes(), 5);
        assert_eq!(latch.append(1, |_| Ok(())).unwrap_err().kind(), Other);
        assert_eq!(latch.sync(|| Ok(())).unwrap_err().kind(), Other);
    }

    #[test]
    fn a_sync_that_fails_after_an_append_did_closes_the_syncs_too() {
        let latch = Latch::default();
        latch.append(5, |_| Err(StorageFull.into())).unwrap_err();
        latch.sync(|| Err(TimedOut.into())).unwrap_err();
        assert_eq!(latch.sync(|| Ok(())).unwrap_err().kind(), Other);
    }
}
