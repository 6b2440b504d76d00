//! A directory that gets its name when it is whole, with all that is in it.
//!
//! Until then it has another name beside, which a SIGKILL leaves behind.

use super::dir::rename_to_new;
use super::parent::Parent;
use crate::sys::tmpfile::random_name;
use rustix::fs::{AtFlags, Dir, Mode, OFlags, fsync, mkdirat, openat, renameat, statat, unlinkat};
use rustix::io::{Errno, retry_on_intr};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

/// A directory under construction. Dropped without [`finish`](Self::finish), it leaves nothing behind.
///
/// ```
/// use spillpipe::store::WholeDir;
/// use std::io::Write;
///
/// let temp = tempfile::tempdir()?;
/// let path = temp.path().join("dir");
/// let dir = WholeDir::create(&path)?;
/// dir.file("a")?.write_all(b"a")?;
/// assert!(!path.exists());
/// dir.finish()?;
/// assert_eq!(std::fs::read(path.join("a"))?, b"a");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct WholeDir {
    parent: Parent,
    name: OsString,
    /// What it is called meanwhile; `None` once it has its name.
    meanwhile: Option<String>,
    dir: OwnedFd,
}

impl WholeDir {
    /// A new directory for `path`, where there is nothing.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`] when something is there; what the system said otherwise. Nothing is left then.
    pub fn create(path: &Path) -> io::Result<Self> {
        // What has no name of its own is there: `.`, `..` and the root.
        let name = path.file_name().ok_or(ErrorKind::AlreadyExists)?.to_owned();
        let parent = Parent::of(path)?;
        refuse_existing(&parent, &name)?;
        let meanwhile = random_name()?;
        retry_on_intr(|| mkdirat(&parent, &meanwhile, Mode::from_raw_mode(0o777)))?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match retry_on_intr(|| openat(&parent, &meanwhile, flags, Mode::empty())) {
            Ok(dir) => Ok(Self { parent, name, meanwhile: Some(meanwhile), dir }),
            Err(error) => {
                let _ = unlinkat(&parent, &meanwhile, AtFlags::REMOVEDIR);
                Err(error.into())
            }
        }
    }

    /// Creates a file in it. Who writes it syncs it.
    ///
    /// # Errors
    /// What the system said.
    pub fn file(&self, name: &str) -> io::Result<File> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(retry_on_intr(|| openat(&self.dir, name, flags, Mode::from_raw_mode(0o666)))?.into())
    }

    /// Makes durable which files are in it, and gives it its name.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`] when another has got its name meanwhile; what the system said otherwise. Nothing is
    /// left then, unless the directory around it could not be synced.
    pub fn finish(mut self) -> io::Result<()> {
        let Some(meanwhile) = &self.meanwhile else { return Ok(()) };
        retry_on_intr(|| fsync(&self.dir))?;
        if let Some(renamed) = rename_to_new(self.parent.as_fd(), meanwhile, &self.name) {
            renamed?;
        } else {
            refuse_existing(&self.parent, &self.name)?;
            // Of what came just now, it replaces an empty directory, and nothing else.
            retry_on_intr(|| renameat(&self.parent, meanwhile, &self.parent, &self.name))?;
        }
        self.meanwhile = None;
        self.parent.sync()
    }
}

fn refuse_existing(parent: &Parent, name: &OsStr) -> io::Result<()> {
    match statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => Ok(()),
        Err(error) => Err(error.into()),
        Ok(_) => Err(ErrorKind::AlreadyExists.into()),
    }
}

impl Drop for WholeDir {
    fn drop(&mut self) {
        let Some(meanwhile) = &self.meanwhile else { return };
        for entry in Dir::read_from(&self.dir).into_iter().flatten().flatten() {
            let _ = unlinkat(&self.dir, entry.file_name(), AtFlags::empty());
        }
        let _ = unlinkat(&self.parent, meanwhile, AtFlags::REMOVEDIR);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::io::Write;
    use std::os::unix::fs::{MetadataExt, symlink};

    fn entries(dir: &Path) -> usize {
        fs::read_dir(dir).unwrap().count()
    }

    #[test]
    fn it_has_its_name_when_it_is_whole_and_not_before() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("d");
        let dir = WholeDir::create(&path).unwrap();
        dir.file("a").unwrap().write_all(b"a").unwrap();
        assert!(dir.file("a").is_err(), "each name once");
        assert!(!path.exists());
        dir.finish().unwrap();
        assert_eq!((entries(temp.path()), fs::read(path.join("a")).unwrap()), (1, b"a".to_vec()));
        fs::create_dir(temp.path().join("plain")).unwrap();
        let mode = |name| temp.path().join(name).metadata().unwrap().mode();
        assert_eq!(mode("d"), mode("plain"), "the permissions that any new directory gets");
    }

    #[test]
    fn dropped_it_leaves_nothing() {
        let temp = tempfile::tempdir().unwrap();
        let dir = WholeDir::create(&temp.path().join("d/")).unwrap();
        dir.file("a").unwrap().write_all(b"a part").unwrap();
        drop(dir);
        assert_eq!(entries(temp.path()), 0);
    }

    #[test]
    fn what_is_there_is_left_alone_also_what_came_meanwhile() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("d");
        let dir = WholeDir::create(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert_eq!(dir.finish().unwrap_err().kind(), ErrorKind::AlreadyExists, "even an empty one");
        fs::write(path.join("f"), "").unwrap();
        symlink("nowhere", path.join("l")).unwrap();
        for (name, kind) in [
            ("d", ErrorKind::AlreadyExists),
            ("d/", ErrorKind::AlreadyExists),
            ("d/..", ErrorKind::AlreadyExists),
            ("d/f", ErrorKind::AlreadyExists),
            ("d/l", ErrorKind::AlreadyExists),
            ("d/f/d", ErrorKind::NotADirectory),
            ("no/d", ErrorKind::NotFound),
        ] {
            assert_eq!(WholeDir::create(&temp.path().join(name)).unwrap_err().kind(), kind, "{name}");
        }
        assert_eq!(WholeDir::create(Path::new(".")).unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!((entries(temp.path()), entries(&path)), (1, 2));
    }
}
