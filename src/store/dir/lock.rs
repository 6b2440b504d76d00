//! Locks that end with their process, however that ends: the kernel's, on a descriptor of their own.

use crate::store::home::{FileName, Holder, Lock};
use crate::store::regular::open_regular;
use rustix::fs::{AtFlags, OFlags, major, minor, statat};
use rustix::io::Errno;
use std::fs::{File, Metadata, TryLockError};
use std::io;
use std::os::fd::BorrowedFd;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

/// Somebody who only asks for the holder has the lock for an instant: a few tries tell that from a holder. After each
/// but the last it waits for so many milliseconds; the later ones are for a machine that is busy.
const PAUSES_MS: [Option<u64>; 6] = [Some(1), Some(2), Some(4), Some(8), Some(16), None];

/// A lock, held by a file that is open.
#[derive(Debug)]
struct Held(File);

impl Lock for Held {}

impl Drop for Held {
    fn drop(&mut self) {
        // To close it would do as well, but for a child that another thread is about to start: until that runs its
        // program it has all descriptors, too.
        let _ = self.0.unlock();
    }
}

pub(super) fn try_lock(folder: BorrowedFd<'_>, name: &str, shown: &FileName) -> io::Result<Option<Box<dyn Lock>>> {
    for pause in PAUSES_MS {
        let file = open_regular(folder, name, OFlags::RDWR, shown)?;
        match file.try_lock() {
            Ok(()) => {
                let held = Held(file);
                // Removed between the two: the lock of a file without a name keeps nobody out.
                if !still_has(folder, name, &held.0.metadata()?)? {
                    return Err(Errno::NOENT.into());
                }
                return Ok(Some(Box::new(held)));
            }
            Err(TryLockError::WouldBlock) => {
                if let Some(ms) = pause {
                    std::thread::sleep(Duration::from_millis(ms));
                }
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    Ok(None)
}

pub(super) fn holder(folder: BorrowedFd<'_>, name: &str, shown: &FileName) -> io::Result<Holder> {
    let file = open_regular(folder, name, OFlags::RDONLY, shown)?;
    // Shared: those who ask are not in each other's way.
    match file.try_lock_shared() {
        Ok(()) => {
            file.unlock()?;
            Ok(Holder::Nobody)
        }
        Err(TryLockError::WouldBlock) => {
            let meta = file.metadata()?;
            let device = format!("{:02x}:{:02x}", major(meta.dev()), minor(meta.dev()));
            let locks = std::fs::read_to_string("/proc/locks").unwrap_or_default();
            Ok(Holder::Somebody { process: process_in(&locks, &device, meta.ino()) })
        }
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Whether it is this file that has the name.
fn still_has(folder: BorrowedFd<'_>, name: &str, file: &Metadata) -> io::Result<bool> {
    match statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(found) => Ok((found.st_dev, found.st_ino) == (file.dev(), file.ino())),
        Err(Errno::NOENT) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Who holds a file's lock, according to the text of /proc/locks:
///
/// ```text
/// 1: FLOCK  ADVISORY  WRITE 4711 08:01:1234 0 EOF
/// 1: -> FLOCK  ADVISORY  WRITE 4712 08:01:1234 0 EOF       waits for it
/// ```
///
/// A file of the right number is believed when there is none on the device that `fstat` gives, too: on overlay file
/// systems and on btrfs the two differ.
fn process_in(locks: &str, device: &str, inode: u64) -> Option<u32> {
    let holders = locks.lines().filter_map(|line| {
        let mut fields = line.split_whitespace().skip(1);
        let [kind, _, how, process, place] = std::array::from_fn(|_| fields.next().unwrap_or_default());
        let (on, number) = place.rsplit_once(':')?;
        // A process that this one cannot see is 0, or negative.
        let process: u32 = process.parse().ok().filter(|process| *process > 0)?;
        let ours = kind == "FLOCK" && how == "WRITE" && number.parse() == Ok(inode);
        ours.then_some((on == device, process))
    });
    holders.max_by_key(|(same_device, _)| *same_device).map(|(_, process)| process)
}

#[cfg(test)]
mod tests {
    use super::process_in;

    const LOCKS: &str = "\
1: POSIX  ADVISORY  WRITE 10 fe:00:77 0 EOF
2: FLOCK  ADVISORY  READ 11 fe:00:77 0 EOF
3: FLOCK  ADVISORY  WRITE 12 00:2a:77 0 EOF
4: FLOCK  ADVISORY  WRITE 13 fe:00:77 0 EOF
4: -> FLOCK  ADVISORY  WRITE 14 fe:00:77 0 EOF
5: FLOCK  ADVISORY  WRITE 15 fe:00:770 0 EOF
6: FLOCK  ADVISORY  WRITE 0 fe:00:88 0 EOF
7: FLOCK  ADVISORY  WRITE -1 fe:00:89 0 EOF
8: FLOCK
";

    #[test]
    fn the_holder_is_found_by_device_and_number() {
        assert_eq!(process_in(LOCKS, "fe:00", 77), Some(13));
        assert_eq!(process_in(LOCKS, "00:2a", 77), Some(12));
        assert_eq!(process_in(LOCKS, "fe:00", 7), None);
        assert_eq!(process_in("", "fe:00", 77), None);
    }

    #[test]
    fn on_another_device_the_number_alone_does() {
        assert_eq!(process_in(LOCKS, "00:33", 770), Some(15));
    }

    #[test]
    fn a_process_out_of_sight_is_none() {
        assert_eq!(process_in(LOCKS, "fe:00", 88), None);
        assert_eq!(process_in(LOCKS, "fe:00", 89), None);
    }
}
