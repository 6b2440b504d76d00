//! What has been written, and is not known to be durable.

use crate::format::StreamOffset;
use crate::store::{Append, Home, SegmentName};
use std::io;
use std::sync::Arc;

/// A segment with bytes that are not known to be durable.
#[derive(Clone, Debug)]
pub(super) struct Unsynced {
    pub(super) name: SegmentName,
    /// Of older ones only the length is known, and they are opened again to be synced: a file that is open keeps its
    /// place on disk, though it has been read and removed. The system tells a failed write also to who opens it later.
    pub(super) file: Result<Arc<dyn Append>, u64>,
}

impl Unsynced {
    pub(super) fn len(&self) -> u64 {
        self.file.as_ref().map_or_else(|len| *len, |file| file.len())
    }

    fn sync(&self, home: &dyn Home) -> io::Result<()> {
        match &self.file {
            Ok(file) => file.sync(),
            Err(_) => match home.open(self.name) {
                // Read by all, and removed.
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                file => file?.sync(),
            },
        }
    }
}

/// What is to be made durable: may run without the tail.
#[derive(Debug)]
pub(super) struct SyncJob {
    pub(super) home: Arc<dyn Home>,
    /// Each with the bytes that were in it.
    pub(super) files: Vec<(Unsynced, u64)>,
    pub(super) entries: bool,
    pub(super) created: u64,
    pub(super) upto: StreamOffset,
}

impl SyncJob {
    /// Makes it durable: the bytes, then their names.
    pub(super) fn run(&self) -> io::Result<()> {
        for (file, _) in &self.files {
            file.sync(&*self.home)?;
        }
        if self.entries { self.home.sync() } else { Ok(()) }
    }
}
