//! What is on the simulated disk: bytes and entries, durable or not yet, and what a crash makes of them.

use super::faults::{Effect, Faults, Rng};
use super::files::{SimFile, SmallFiles};
use crate::store::memory::{UNBOUNDED_BYTES, copy_at, extend_by};
use crate::store::{SegmentName, Space};
use crate::sys::notify;
use rustix::io::Errno;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, IoSlice};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Weak};

/// What a crash does with what was not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsynced {
    /// All of it is gone: appends, creations and removals (a segment removed since comes back).
    Lost,
    /// All of it had made it to the disk by itself.
    Kept,
    /// The seed decides: of each unsynced tail a prefix is there, some of its 512-byte sectors zero, others garbage;
    /// each creation and each removal happened or did not. Where a small file was written over, each sector is as
    /// before, as after, or garbage.
    Torn,
}

/// The unit in which a disk writes, and tears.
pub(super) const SECTOR_BYTES: usize = 512;

pub(super) type InodeId = u64;

/// A file. It is kept while an entry leads to it, now or after a crash, or a handle is open on it.
#[derive(Debug, Default)]
pub(super) struct Inode {
    pub(super) bytes: Vec<u8>,
    /// Of these, the first so many survive a crash.
    pub(super) durable_bytes: usize,
    handles: usize,
    linked: bool,
}

#[derive(Debug)]
pub(super) struct Disk {
    pub(super) faults: Faults,
    pub(super) capacity_bytes: Option<u64>,
    seed: u64,
    rng: Rng,
    inodes: BTreeMap<InodeId, Inode>,
    inodes_made: InodeId,
    entries: BTreeMap<SegmentName, InodeId>,
    durable_entries: BTreeMap<SegmentName, InodeId>,
    pub(super) files: SmallFiles,
    /// Told of every change to the segments.
    watchers: Vec<Weak<OwnedFd>>,
}

/// The operations. Each begins by asking the plan what becomes of it; what is refused for its own reasons (no such
/// name) has been counted, too.
impl Disk {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            faults: Faults::default(),
            capacity_bytes: None,
            seed,
            rng: Rng::new(seed),
            inodes: BTreeMap::new(),
            inodes_made: 0,
            entries: BTreeMap::new(),
            durable_entries: BTreeMap::new(),
            files: SmallFiles::default(),
            watchers: Vec::new(),
        }
    }

    /// An operation that changes nothing.
    pub(super) fn look(&mut self) -> io::Result<()> {
        self.faults.next().told
    }

    /// An operation that happens as a whole or not at all.
    pub(super) fn change(&mut self, change: impl FnOnce(&mut Self) -> io::Result<()>) -> io::Result<()> {
        let verdict = self.faults.next();
        let happens = match verdict.effect {
            Effect::All => true,
            Effect::None | Effect::Part => false,
            Effect::InFlight => self.rng.coin(),
        };
        let changed = if happens { change(self) } else { Ok(()) };
        verdict.told.and(changed)
    }

    /// Creates a file and opens a handle on it.
    pub(super) fn create(&mut self, name: SegmentName) -> io::Result<InodeId> {
        self.change(|disk| {
            if disk.entries.contains_key(&name) {
                return Err(Errno::EXIST.into());
            }
            disk.inodes_made += 1;
            disk.inodes.insert(disk.inodes_made, Inode { linked: true, ..Inode::default() });
            disk.entries.insert(name, disk.inodes_made);
            disk.changed();
            Ok(())
        })?;
        Ok(self.open_handle(self.inodes_made))
    }

    /// Opens a handle on a file.
    pub(super) fn open(&mut self, name: SegmentName) -> io::Result<InodeId> {
        self.look()?;
        let id = *self.entries.get(&name).ok_or(Errno::NOENT)?;
        Ok(self.open_handle(id))
    }

    pub(super) fn remove(&mut self, name: SegmentName) -> io::Result<()> {
        self.change(|disk| {
            let id = disk.entries.remove(&name).ok_or(Errno::NOENT)?;
            if let Some(inode) = disk.inodes.get_mut(&id) {
                inode.linked = false;
            }
            disk.forget_unreachable();
            disk.changed();
            Ok(())
        })
    }

    pub(super) fn list(&mut self) -> io::Result<Vec<SegmentName>> {
        self.look()?;
        Ok(self.entries.keys().copied().collect())
    }

    pub(super) fn segment_sizes(&mut self) -> io::Result<Vec<(SegmentName, u64)>> {
        self.look()?;
        let bytes = |id| self.inodes.get(id).map_or(0, |inode| inode.bytes.len() as u64);
        Ok(self.entries.iter().map(|(name, id)| (*name, bytes(id))).collect())
    }

    pub(super) fn sync_entries(&mut self) -> io::Result<()> {
        self.change(|disk| {
            disk.durable_entries = disk.entries.clone();
            disk.forget_unreachable();
            Ok(())
        })
    }

    pub(super) fn sync_bytes(&mut self, id: InodeId) -> io::Result<()> {
        self.change(|disk| {
            let inode = disk.inode(id)?;
            inode.durable_bytes = inode.bytes.len();
            Ok(())
        })
    }

    /// Appends at the end; there is one writer, so its end is the file's.
    pub(super) fn append(&mut self, id: InodeId, parts: &[IoSlice<'_>]) -> io::Result<()> {
        let verdict = self.faults.next();
        let wanted: usize = parts.iter().map(|part| part.len()).sum();
        let allowed = match verdict.effect {
            Effect::All => wanted,
            Effect::None => 0,
            Effect::Part => self.rng.below(wanted),
            Effect::InFlight => self.rng.below(wanted + 1),
        };
        let free = usize::try_from(self.space_now().free_bytes).unwrap_or(usize::MAX);
        extend_by(&mut self.inode(id)?.bytes, parts, allowed.min(free) as u64);
        self.changed();
        verdict.told?;
        if wanted > free { Err(Errno::NOSPC.into()) } else { Ok(()) }
    }

    pub(super) fn read(&mut self, id: InodeId, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.look()?;
        Ok(copy_at(&self.inode(id)?.bytes, buf, offset))
    }

    pub(super) fn space(&mut self) -> io::Result<Space> {
        self.look()?;
        Ok(self.space_now())
    }

    /// Not an operation: a real store asks no disk for it.
    pub(super) fn len(&mut self, id: InodeId) -> io::Result<u64> {
        self.faults.check_running()?;
        Ok(self.inode(id)?.bytes.len() as u64)
    }

    pub(super) fn close_handle(&mut self, id: InodeId) {
        if let Some(inode) = self.inodes.get_mut(&id) {
            inode.handles = inode.handles.saturating_sub(1);
        }
        self.forget_unreachable();
    }

    fn open_handle(&mut self, id: InodeId) -> InodeId {
        if let Some(inode) = self.inodes.get_mut(&id) {
            inode.handles += 1;
        }
        id
    }

    /// Room counts what is linked or open; what only a crash could bring back takes none.
    pub(super) fn space_now(&self) -> Space {
        let used_bytes: usize = self.inodes.values().filter(|i| i.linked || i.handles > 0).map(|i| i.bytes.len()).sum();
        let total_bytes = self.capacity_bytes.unwrap_or(UNBOUNDED_BYTES);
        let used_bytes = used_bytes as u64 + self.files.bytes();
        Space { total_bytes, free_bytes: total_bytes.saturating_sub(used_bytes) }
    }

    fn inode(&mut self, id: InodeId) -> io::Result<&mut Inode> {
        self.inodes.get_mut(&id).ok_or_else(|| Errno::BADF.into())
    }

    /// Tells `watcher` of every change to the segments from now on.
    pub(super) fn tell(&mut self, watcher: &Arc<OwnedFd>) {
        self.watchers.push(Arc::downgrade(watcher));
    }

    fn changed(&mut self) {
        self.watchers.retain(|watcher| {
            watcher.upgrade().is_some_and(|watcher| {
                notify::raise(&watcher);
                true
            })
        });
    }

    fn forget_unreachable(&mut self) {
        let after_crash: BTreeSet<InodeId> = self.durable_entries.values().copied().collect();
        self.inodes.retain(|id, inode| inode.linked || inode.handles > 0 || after_crash.contains(id));
    }
}

/// What a test does behind the store's back.
impl Disk {
    pub(super) fn by_name(&mut self, name: SegmentName) -> io::Result<&mut Inode> {
        let id = *self.entries.get(&name).ok_or(Errno::NOENT)?;
        self.inode(id)
    }

    /// Changes each byte from `start` up to `end`; `change` gets a random byte with it.
    pub(super) fn damage(
        &mut self,
        name: &SimFile,
        start: u64,
        end: u64,
        change: impl Fn(u8, u8) -> u8,
    ) -> io::Result<()> {
        let index = |offset| usize::try_from(offset).map_err(|_| io::ErrorKind::InvalidInput);
        let range = index(start)?..index(end)?;
        let mut rng = self.rng.clone();
        match name {
            SimFile::Segment(name) => {
                let bytes = self.by_name(*name)?.bytes.get_mut(range).ok_or(io::ErrorKind::InvalidInput)?;
                for byte in bytes {
                    *byte = change(rng.byte(), *byte);
                }
            }
            SimFile::File(name) => {
                let randoms: Vec<u8> = range.clone().map(|_| rng.byte()).collect();
                self.files.damage(name, range, |at, byte| change(randoms[at], byte))?;
            }
        }
        self.rng = rng;
        Ok(())
    }

    /// Puts a segment of these bytes there, durably, in the place of what had its name.
    pub(super) fn put_segment(&mut self, name: SegmentName, bytes: &[u8]) {
        let inode = Inode { bytes: bytes.to_vec(), durable_bytes: bytes.len(), linked: true, handles: 0 };
        if let Ok(found) = self.by_name(name) {
            *found = Inode { handles: found.handles, ..inode };
        } else {
            self.inodes_made += 1;
            self.inodes.insert(self.inodes_made, inode);
            self.entries.insert(name, self.inodes_made);
        }
        if let Some(id) = self.entries.get(&name) {
            self.durable_entries.insert(name, *id);
        }
        self.forget_unreachable();
        self.changed();
    }

    pub(super) fn rng(&mut self) -> &mut Rng {
        &mut self.rng
    }

    pub(super) fn after_crash(&self, unsynced: Unsynced) -> Self {
        // A chance of its own, set by the moment alone: looking at a crash does not change what comes after it.
        let mut rng = Rng::new(self.seed ^ self.faults.operations().rotate_left(32));
        let mut found = Self::new(rng.next());
        found.capacity_bytes = self.capacity_bytes;
        let names: BTreeSet<_> = self.entries.keys().chain(self.durable_entries.keys()).copied().collect();
        for name in names {
            let (now, durable) = (self.entries.get(&name), self.durable_entries.get(&name));
            let survives = match unsynced {
                Unsynced::Kept => now,
                Unsynced::Torn if now == durable || rng.coin() => now,
                Unsynced::Torn | Unsynced::Lost => durable,
            };
            let Some(inode) = survives.and_then(|id| self.inodes.get(id)) else { continue };
            let bytes = match unsynced {
                Unsynced::Lost => inode.bytes[..inode.durable_bytes].to_vec(),
                Unsynced::Kept => inode.bytes.clone(),
                Unsynced::Torn => torn(inode, &mut rng),
            };
            found.inodes_made += 1;
            found.entries.insert(name, found.inodes_made);
            let inode = Inode { durable_bytes: bytes.len(), bytes, linked: true, handles: 0 };
            found.inodes.insert(found.inodes_made, inode);
        }
        found.durable_entries = found.entries.clone();
        found.files = self.files.after_crash(unsynced, &mut rng);
        found
    }
}

/// The durable bytes and a prefix of the tail, in which of four sectors about one is zero and one garbage.
fn torn(inode: &Inode, rng: &mut Rng) -> Vec<u8> {
    let tail_bytes = inode.bytes.len() - inode.durable_bytes;
    let mut bytes = inode.bytes[..inode.durable_bytes + rng.below(tail_bytes + 1)].to_vec();
    let mut start = inode.durable_bytes;
    while start < bytes.len() {
        // The sector that the durable bytes end in is torn behind them only.
        let end = ((start / SECTOR_BYTES + 1) * SECTOR_BYTES).min(bytes.len());
        match rng.below(4) {
            0 => bytes[start..end].fill(0),
            1 => bytes[start..end].fill_with(|| rng.byte()),
            _ => {}
        }
        start = end;
    }
    bytes
}
