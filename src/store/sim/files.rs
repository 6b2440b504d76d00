//! The small files on the simulated disk, as they read and as they were made durable.
//!
//! ```text
//! bytes      what a read gives          ──sync──>   durable     what a crash has to keep
//!            a write goes here                      never differs outside of what was written and not synced
//! ```

use super::disk::{SECTOR_BYTES, Unsynced};
use super::faults::Rng;
use crate::store::{FileName, Folder, SegmentName};
use rustix::io::Errno;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::ops::Range;

/// A file on a simulated disk, of either kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SimFile {
    /// A segment.
    Segment(SegmentName),
    /// A small file.
    File(FileName),
}

impl From<SegmentName> for SimFile {
    fn from(name: SegmentName) -> Self {
        Self::Segment(name)
    }
}

impl From<FileName> for SimFile {
    fn from(name: FileName) -> Self {
        Self::File(name)
    }
}

impl From<&FileName> for SimFile {
    fn from(name: &FileName) -> Self {
        Self::File(name.clone())
    }
}

/// Tells a file from a later one of the same name: a lock is on the file, not on the name.
pub(super) type FileId = u64;

#[derive(Debug, Default)]
struct SmallFile {
    id: FileId,
    bytes: Vec<u8>,
    durable: Vec<u8>,
    /// What the next sync makes durable.
    written: Vec<Range<usize>>,
}

#[derive(Debug)]
pub(super) struct SmallFiles {
    files: BTreeMap<FileName, SmallFile>,
    files_made: FileId,
    locked: BTreeSet<FileId>,
}

impl Default for SmallFiles {
    fn default() -> Self {
        let mut files = Self { files: BTreeMap::new(), files_made: 0, locked: BTreeSet::new() };
        files.put(FileName::WriterLock, &[]);
        files
    }
}

impl SmallFiles {
    /// What they take of the disk.
    pub(super) fn bytes(&self) -> u64 {
        self.files.values().map(|file| file.bytes.len() as u64).sum()
    }

    pub(super) fn list(&self, folder: Folder) -> Vec<String> {
        let names = self.files.keys().filter_map(|name| match (name, folder) {
            (FileName::Reader(name), Folder::Readers) | (FileName::Quarantine(name), Folder::Quarantine) => {
                Some(name.clone())
            }
            _ => None,
        });
        names.collect()
    }

    pub(super) fn get(&self, name: &FileName) -> io::Result<&[u8]> {
        self.files.get(name).map(|file| &*file.bytes).ok_or_else(|| Errno::NOENT.into())
    }

    fn get_mut(&mut self, name: &FileName) -> io::Result<&mut SmallFile> {
        self.files.get_mut(name).ok_or_else(|| Errno::NOENT.into())
    }

    /// Puts a file there, durably, or these bytes into the one that is there.
    pub(super) fn put(&mut self, name: FileName, bytes: &[u8]) {
        self.files_made += 1;
        let made = self.files_made;
        let file = self.files.entry(name).or_insert_with(|| SmallFile { id: made, ..SmallFile::default() });
        (file.bytes, file.durable, file.written) = (bytes.to_vec(), bytes.to_vec(), Vec::new());
    }

    pub(super) fn remove(&mut self, name: &FileName) -> io::Result<()> {
        self.files.remove(name).map(drop).ok_or_else(|| Errno::NOENT.into())
    }

    /// Writes over what is there; not durable yet.
    pub(super) fn write(&mut self, name: &FileName, offset: usize, bytes: &[u8]) -> io::Result<()> {
        let file = self.get_mut(name)?;
        let end = offset.checked_add(bytes.len()).ok_or(Errno::FBIG)?;
        if bytes.is_empty() {
            return Ok(());
        }
        if file.bytes.len() < end {
            file.bytes.resize(end, 0);
        }
        file.bytes[offset..end].copy_from_slice(bytes);
        file.written.push(offset..end);
        Ok(())
    }

    /// Makes durable what was written since the last sync.
    pub(super) fn sync(&mut self, name: &FileName) -> io::Result<()> {
        let file = self.get_mut(name)?;
        for range in file.written.drain(..) {
            if file.durable.len() < range.end {
                file.durable.resize(range.end, 0);
            }
            file.durable[range.clone()].copy_from_slice(&file.bytes[range]);
        }
        Ok(())
    }

    /// After a failed sync: what was written since the last one is never made durable.
    pub(super) fn give_up(&mut self, name: &FileName) {
        if let Ok(file) = self.get_mut(name) {
            file.written.clear();
        }
    }

    /// Locks the file; `None` when it is locked.
    pub(super) fn lock(&mut self, name: &FileName) -> io::Result<Option<FileId>> {
        let id = self.get_mut(name)?.id;
        Ok(self.locked.insert(id).then_some(id))
    }

    pub(super) fn unlock(&mut self, id: FileId) {
        self.locked.remove(&id);
    }

    pub(super) fn is_locked(&mut self, name: &FileName) -> io::Result<bool> {
        let id = self.get_mut(name)?.id;
        Ok(self.locked.contains(&id))
    }

    /// Changes each byte in `range`, on the disk and as it reads; `change` gets its index in the range with it.
    pub(super) fn damage(
        &mut self,
        name: &FileName,
        range: Range<usize>,
        change: impl Fn(usize, u8) -> u8,
    ) -> io::Result<()> {
        let file = self.get_mut(name)?;
        if file.bytes.get(range.clone()).is_none() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        for bytes in [&mut file.bytes, &mut file.durable] {
            let bytes = bytes.iter_mut().enumerate().take(range.end).skip(range.start);
            bytes.for_each(|(at, byte)| *byte = change(at - range.start, *byte));
        }
        Ok(())
    }

    pub(super) fn truncate(&mut self, name: &FileName, len: usize) -> io::Result<()> {
        let file = self.get_mut(name)?;
        file.bytes.truncate(len);
        file.durable.truncate(len);
        file.written.iter_mut().for_each(|range| range.end = range.end.min(len));
        file.written.retain(|range| range.start < range.end);
        Ok(())
    }

    pub(super) fn after_crash(&self, unsynced: Unsynced, rng: &mut Rng) -> Self {
        let mut found = Self::default();
        for (name, file) in &self.files {
            match unsynced {
                Unsynced::Lost => found.put(name.clone(), &file.durable),
                Unsynced::Kept => found.put(name.clone(), &file.bytes),
                Unsynced::Torn => found.put(name.clone(), &torn(file, rng)),
            }
        }
        found
    }
}

/// Each sector in which the two differ is the one, the other, or garbage.
fn torn(file: &SmallFile, rng: &mut Rng) -> Vec<u8> {
    let mut bytes = file.durable.clone();
    if file.bytes.len() > bytes.len() && rng.coin() {
        bytes.resize(file.bytes.len(), 0);
    }
    for start in (0..bytes.len()).step_by(SECTOR_BYTES) {
        let end = (start + SECTOR_BYTES).min(bytes.len());
        let new = &file.bytes[start..end];
        if bytes[start..end] != *new {
            match rng.below(3) {
                0 => bytes[start..end].copy_from_slice(new),
                1 => bytes[start..end].fill_with(|| rng.byte()),
                _ => {}
            }
        }
    }
    bytes
}
