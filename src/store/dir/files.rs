//! The small files of a spool, on disk.

use super::DirHome;
use super::{create, lock};
use crate::store::home::{FileName, Files, Folder, Holder, Lock};
use crate::store::regular::{open_regular, regular_len};
use crate::store::{SegmentName, Watch};
use crate::sys::{fd, notify};
use rustix::fs::{AtFlags, Dir, FileType, OFlags, fsync, unlinkat};
use rustix::io::retry_on_intr;
use std::io::{self, IoSlice, Read as _};
use std::os::fd::AsFd;
use std::sync::Arc;

impl Files for DirHome {
    fn list_files(&self, folder: Folder) -> io::Result<Vec<String>> {
        let dir = self.folder(folder);
        let mut names = Vec::new();
        for entry in Dir::read_from(dir)? {
            let entry = entry?;
            // A name that no file here can have was put there by somebody else.
            let Some(file) = entry.file_name().to_str().ok().and_then(|name| folder.file(name)) else { continue };
            let (FileName::Reader(name) | FileName::Quarantine(name)) = file else { continue };
            let regular = match entry.file_type() {
                FileType::RegularFile => true,
                // Some file systems do not tell here.
                FileType::Unknown => regular_len(dir, name.as_str(), &name).is_ok(),
                _ => false,
            };
            if regular {
                names.push(name);
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    fn read_file(&self, name: &FileName) -> io::Result<Vec<u8>> {
        let (folder, file) = self.place_of(name)?;
        let mut bytes = Vec::new();
        open_regular(folder, file, OFlags::RDONLY, name)?.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn create_file(&self, name: &FileName, bytes: &[u8]) -> io::Result<()> {
        let (folder, file) = self.place_of(name)?;
        create::create_whole(folder, file, bytes)
    }

    fn update_file(&self, name: &FileName, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let (folder, file) = self.place_of(name)?;
        let file = open_regular(folder, file, OFlags::WRONLY, name)?;
        fd::write_all_at(file.as_fd(), &[IoSlice::new(bytes)], offset)?;
        file.sync_data()
    }

    fn remove_file(&self, name: &FileName) -> io::Result<()> {
        let (folder, file) = self.place_of(name)?;
        regular_len(folder, file, name)?;
        retry_on_intr(|| unlinkat(folder, file, AtFlags::empty()))?;
        Ok(retry_on_intr(|| fsync(folder))?)
    }

    fn try_lock(&self, name: &FileName) -> io::Result<Option<Box<dyn Lock>>> {
        let (folder, file) = self.place_of(name)?;
        lock::try_lock(folder, file, name)
    }

    fn lock_holder(&self, name: &FileName) -> io::Result<Holder> {
        let (folder, file) = self.place_of(name)?;
        lock::holder(folder, file, name)
    }

    fn segment_sizes(&self) -> io::Result<Vec<(SegmentName, u64)>> {
        let dir = self.segments.descriptor();
        let mut found = Vec::new();
        for entry in Dir::read_from(dir)? {
            let entry = entry?;
            let Some(name) = entry.file_name().to_str().ok().and_then(SegmentName::parse) else { continue };
            match regular_len(dir, entry.file_name(), &name) {
                Ok(bytes) => found.push((name, bytes)),
                // Removed meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        found.sort_unstable();
        Ok(found)
    }

    fn watch(&self) -> Watch {
        if !self.notify {
            return Watch::none();
        }
        // Whatever is missing, it is only later that a change is noticed.
        notify::watch_dir(self.segments.descriptor())
            .map_or_else(|_| Watch::none(), |notify| Watch::on(Arc::new(notify)))
    }
}
