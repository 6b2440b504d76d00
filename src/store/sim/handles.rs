//! The simulated disk as a [`Store`], and the two ends of its segments.

use super::SimStore;
use super::disk::InodeId;
use crate::store::latch::Latch;
use crate::store::{Append, Read, SegmentName, Space, Store};
use std::io::{self, IoSlice};
use std::sync::Arc;

impl Store for SimStore {
    fn create(&self, name: SegmentName) -> io::Result<Arc<dyn Append>> {
        let inode = self.lock().create(name)?;
        let handle = Handle { store: self.clone(), inode };
        Ok(Arc::new(SimAppend { handle, latch: Latch::default() }))
    }

    fn open(&self, name: SegmentName) -> io::Result<Arc<dyn Read>> {
        let inode = self.lock().open(name)?;
        Ok(Arc::new(Handle { store: self.clone(), inode }))
    }

    fn remove(&self, name: SegmentName) -> io::Result<()> {
        self.lock().remove(name)
    }

    fn list(&self) -> io::Result<Vec<SegmentName>> {
        self.lock().list()
    }

    fn sync(&self) -> io::Result<()> {
        self.lock().sync_entries()
    }

    fn space(&self) -> io::Result<Space> {
        self.lock().space()
    }
}

/// Keeps a file alive, also one without a name. A reader is nothing more.
#[derive(Debug)]
struct Handle {
    store: SimStore,
    inode: InodeId,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.store.lock().close_handle(self.inode);
    }
}

impl Read for Handle {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.store.lock().read(self.inode, buf, offset)
    }

    fn len(&self) -> io::Result<u64> {
        self.store.lock().len(self.inode)
    }

    fn sync(&self) -> io::Result<()> {
        self.store.lock().sync_bytes(self.inode)
    }
}

#[derive(Debug)]
struct SimAppend {
    handle: Handle,
    latch: Latch,
}

impl Append for SimAppend {
    fn append(&self, parts: &[IoSlice<'_>]) -> io::Result<()> {
        let Handle { store, inode } = &self.handle;
        let bytes = parts.iter().map(|part| part.len() as u64).sum();
        self.latch.append(bytes, |_| store.lock().append(*inode, parts))
    }

    fn len(&self) -> u64 {
        self.latch.len_bytes()
    }

    fn sync(&self) -> io::Result<()> {
        let Handle { store, inode } = &self.handle;
        self.latch.sync(|| store.lock().sync_bytes(*inode))
    }
}
