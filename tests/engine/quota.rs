//! A quota: the file system has room, and yet no write succeeds after the first bytes of a segment.

use crate::common::mixed;
use crate::transfer::{options, pile_up_then_drain};
use spillpipe::format::HEADER_BYTES;
use spillpipe::store::{Append, MemoryStore, Read, SegmentName, Space, Store};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A quota that lets a segment begin, and then takes nothing more: `statvfs` knows nothing of it.
#[derive(Debug)]
struct Quota {
    store: MemoryStore,
    bytes_left: Arc<AtomicU64>,
}

#[derive(Debug)]
struct QuotaAppend {
    file: Box<dyn Append>,
    bytes_left: Arc<AtomicU64>,
}

impl Store for Quota {
    fn create(&self, name: SegmentName) -> io::Result<Box<dyn Append>> {
        let (file, bytes_left) = (self.store.create(name)?, Arc::clone(&self.bytes_left));
        Ok(Box::new(QuotaAppend { file, bytes_left }))
    }

    fn open(&self, name: SegmentName) -> io::Result<Arc<dyn Read>> {
        self.store.open(name)
    }

    fn remove(&self, name: SegmentName) -> io::Result<()> {
        self.store.remove(name)
    }

    fn list(&self) -> io::Result<Vec<SegmentName>> {
        self.store.list()
    }

    fn sync(&self) -> io::Result<()> {
        self.store.sync()
    }

    fn space(&self) -> io::Result<Space> {
        self.store.space()
    }
}

impl Append for QuotaAppend {
    fn append(&mut self, parts: &[io::IoSlice<'_>]) -> io::Result<()> {
        let bytes = parts.iter().map(|part| part.len() as u64).sum();
        let take = |left: u64| left.checked_sub(bytes);
        if bytes > HEADER_BYTES as u64 && self.bytes_left.fetch_update(Relaxed, Relaxed, take).is_err() {
            return Err(io::ErrorKind::QuotaExceeded.into());
        }
        self.file.append(parts)
    }

    fn len(&self) -> u64 {
        self.file.len()
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync()
    }
}

#[test]
fn segments_that_were_begun_and_took_nothing_do_not_stand_in_the_way() {
    // Little enough for all of it to be in before the consumer reads: nothing is tried again then.
    let input = mixed(1, 4352 << 10).into();
    let store = Quota { store: MemoryStore::new(), bytes_left: Arc::new((1 << 20).into()) };
    let outcome = pile_up_then_drain(options(), Box::new(store), &input);
    outcome.result.expect("full is no error");
    assert!(outcome.output == *input);
}
