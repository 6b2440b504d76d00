//! What a failure closes for good, the same in every store.

use std::io;

/// Stands before the appends and syncs of one segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Latch {
    /// Nothing failed so far.
    #[default]
    Open,
    /// An append failed. What was appended before it may still be synced.
    NoAppend,
    /// A sync failed. The kernel may have dropped the pages and marked them clean, so that another sync would
    /// succeed without them: never again.
    NoSync,
}

impl Latch {
    /// Appends by `append`, unless something failed before.
    pub(super) fn append(&mut self, append: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        if *self != Self::Open {
            return Err(io::Error::other("the segment takes no more: an earlier write to it failed"));
        }
        let appended = append();
        if appended.is_err() {
            *self = Self::NoAppend;
        }
        appended
    }

    /// Syncs by `sync`, unless a sync failed before.
    pub(super) fn sync(&mut self, sync: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        if *self == Self::NoSync {
            return Err(io::Error::other("the segment cannot be made durable: an earlier sync of it failed"));
        }
        let synced = sync();
        if synced.is_err() {
            *self = Self::NoSync;
        }
        synced
    }
}
