//! The simulated disk as a place for a spool's small files.

use super::SimStore;
use super::disk::Disk;
use super::faults::Effect;
use super::files::FileId;
use crate::store::home::{FileName, Files, Folder, Holder, Lock};
use crate::store::{SegmentName, Watch};
use crate::sys::notify;
use rustix::io::Errno;
use std::fmt;
use std::io;
use std::sync::Arc;

/// The operations on small files; see those on segments.
impl Disk {
    fn create_file(&mut self, name: &FileName, bytes: &[u8]) -> io::Result<()> {
        self.change(|disk| {
            if disk.files.get(name).is_ok() {
                return Err(Errno::EXIST.into());
            }
            if bytes.len() as u64 > disk.space_now().free_bytes {
                return Err(Errno::NOSPC.into());
            }
            disk.files.put(name.clone(), bytes);
            Ok(())
        })
    }

    fn update_file(&mut self, name: &FileName, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let offset = usize::try_from(offset).map_err(|_| Errno::FBIG)?;
        let verdict = self.faults.next();
        let old_bytes = self.files.get(name).map(<[u8]>::len);
        let grows_by = old_bytes.map_or(0, |len| offset.saturating_add(bytes.len()).saturating_sub(len));
        let fits = grows_by as u64 <= self.space_now().free_bytes;
        let written = match verdict.effect {
            _ if !fits => 0,
            Effect::All => bytes.len(),
            Effect::None => 0,
            Effect::Part => self.rng().below(bytes.len()),
            Effect::InFlight => self.rng().below(bytes.len() + 1),
        };
        let wrote = self.files.write(name, offset, &bytes[..written]);
        verdict.told?;
        wrote?;
        if !fits {
            return Err(Errno::NOSPC.into());
        }
        let synced = self.change(|disk| disk.files.sync(name));
        // If the machine stopped meanwhile, it is not known yet what became of it.
        if synced.is_err() && self.faults.check_running().is_ok() {
            self.files.give_up(name);
        }
        synced
    }
}

impl Files for SimStore {
    fn list_files(&self, folder: Folder) -> io::Result<Vec<String>> {
        let mut disk = self.lock();
        disk.look()?;
        Ok(disk.files.list(folder))
    }

    fn read_file(&self, name: &FileName) -> io::Result<Vec<u8>> {
        name.check()?;
        let mut disk = self.lock();
        disk.look()?;
        disk.files.get(name).map(<[u8]>::to_vec)
    }

    fn create_file(&self, name: &FileName, bytes: &[u8]) -> io::Result<()> {
        name.check()?;
        self.lock().create_file(name, bytes)
    }

    fn update_file(&self, name: &FileName, offset: u64, bytes: &[u8]) -> io::Result<()> {
        name.check()?;
        self.lock().update_file(name, offset, bytes)
    }

    fn remove_file(&self, name: &FileName) -> io::Result<()> {
        name.check()?;
        self.lock().change(|disk| disk.files.remove(name))
    }

    fn try_lock(&self, name: &FileName) -> io::Result<Option<Box<dyn Lock>>> {
        name.check()?;
        let mut disk = self.lock();
        disk.faults.check_running()?;
        let held = disk.files.lock(name)?.map(|file| Held { store: self.clone(), file });
        Ok(held.map(|held| Box::new(held) as Box<dyn Lock>))
    }

    fn lock_holder(&self, name: &FileName) -> io::Result<Holder> {
        name.check()?;
        let mut disk = self.lock();
        disk.faults.check_running()?;
        let process = Some(std::process::id());
        Ok(if disk.files.is_locked(name)? { Holder::Somebody { process } } else { Holder::Nobody })
    }

    fn segment_sizes(&self) -> io::Result<Vec<(SegmentName, u64)>> {
        self.lock().segment_sizes()
    }

    fn watch(&self) -> Watch {
        let Ok(event) = notify::event().map(Arc::new) else { return Watch::none() };
        self.lock().tell(&event);
        Watch::on(event)
    }
}

struct Held {
    store: SimStore,
    file: FileId,
}

impl Lock for Held {}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Held").finish_non_exhaustive()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.store.lock().files.unlock(self.file);
    }
}
