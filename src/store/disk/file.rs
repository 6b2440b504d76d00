//! The two ends of a segment that is a file.

use super::cache::Cached;
use crate::store::latch::Latch;
use crate::store::{Append, Read};
use crate::sys::{advice, fd};
use std::fs::File;
use std::io::{self, IoSlice};
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// Writes at the offset that it knows, not at the file's position: that is shared with nobody and cannot drift.
#[derive(Debug)]
pub(super) struct DiskAppend {
    file: Arc<File>,
    latch: Latch,
    cached: Option<Cached>,
}

impl DiskAppend {
    /// For a file that was created just now.
    pub(super) fn new(file: Arc<File>, cached: Option<Cached>) -> Self {
        Self { file, latch: Latch::default(), cached }
    }
}

impl Append for DiskAppend {
    fn append(&self, parts: &[IoSlice<'_>]) -> io::Result<()> {
        let bytes = parts.iter().map(|part| part.len() as u64).sum::<u64>();
        self.latch.append(bytes, |offset| fd::write_all_at(self.file.as_fd(), parts, offset))?;
        if let Some(Cached { cache, name }) = &self.cached {
            cache.wrote(*name, bytes);
        }
        Ok(())
    }

    fn len(&self) -> u64 {
        self.latch.len_bytes()
    }

    fn sync(&self) -> io::Result<()> {
        // fdatasync: with the length, without the times.
        self.latch.sync(|| self.file.sync_data())
    }
}

#[derive(Debug)]
pub(super) struct DiskRead {
    file: Arc<File>,
    cached: Option<Cached>,
}

impl DiskRead {
    pub(super) fn new(file: Arc<File>, cached: Option<Cached>) -> Self {
        advice::sequential(&*file);
        Self { file, cached }
    }
}

impl Read for DiskRead {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let read = loop {
            match self.file.read_at(buf, offset) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read?,
            }
        };
        if let Some(Cached { cache, name }) = &self.cached {
            cache.read(*name, offset + read as u64);
        }
        Ok(read)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}
