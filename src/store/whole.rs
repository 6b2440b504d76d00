//! A file that gets its name when it is whole: until then nothing stands under that name, or what stood there before.
//!
//! ```text
//!   O_TMPFILE ──> write ──> sync ──> link ──> sync the directory        SIGKILL before the link: nothing is left
//! ```
//! Where the file system has no nameless files, it has another name until then, which a SIGKILL leaves behind. What is no
//! regular file (a terminal, a named pipe, /dev/null) is written to as it is.

use super::dir::rename_to_new;
use super::parent::Parent;
use crate::sys::tmpfile::{PRIVATE, create_named, link_nameless, open_linkable, random_name};
use rustix::fs::{AtFlags, Mode, fchmod, linkat, renameat, unlinkat};
use rustix::io::{Errno, retry_on_intr};
use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, IoSlice, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// What becomes of a file that has the name already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replace {
    /// It stays: creating, or finishing, fails.
    Never,
    /// It is replaced at the end, in one step; its permissions are kept.
    Always,
}

/// A file under construction.
///
/// ```
/// use spillpipe::store::{Replace, Whole};
/// use std::io::Write;
///
/// let dir = tempfile::tempdir()?;
/// let path = dir.path().join("file");
/// let mut file = Whole::create(&path, Replace::Never)?;
/// file.write_all(b"all of it")?;
/// assert!(!path.exists());
/// file.finish()?;
/// assert_eq!(std::fs::read(&path)?, b"all of it");
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// Dropped without [`finish`](Self::finish), it leaves nothing behind.
#[derive(Debug)]
pub struct Whole {
    file: File,
    /// `None`: it is no regular file, and has its name.
    place: Option<Place>,
}

/// Where it is to be.
#[derive(Debug)]
struct Place {
    dir: Parent,
    name: OsString,
    replace: Replace,
    /// Its name until then, where it must have one.
    other_name: Option<String>,
}

/// Opens a file that has no name yet; `None`: it must have one.
type Nameless = fn(BorrowedFd<'_>, Mode) -> io::Result<Option<File>>;

impl Whole {
    /// A new file for `path`; with [`Replace::Always`], a symbolic link is followed. Its permissions are those that any new
    /// file gets.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`], with [`Replace::Never`]; what the system said otherwise. Nothing is left then.
    pub fn create(path: &Path, replace: Replace) -> io::Result<Self> {
        Self::create_by(path, replace, open_linkable)
    }

    fn create_by(path: &Path, replace: Replace, nameless: Nameless) -> io::Result<Self> {
        let there = unless_missing(path.metadata())?;
        if let Some(metadata) = &there {
            if metadata.is_dir() {
                return Err(ErrorKind::IsADirectory.into());
            }
            if !metadata.is_file() {
                return Self::as_it_is(path);
            }
        }
        let is_link = unless_missing(path.symlink_metadata())?.is_some_and(|metadata| metadata.is_symlink());
        if replace == Replace::Never && (there.is_some() || is_link) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        // What a link points to is replaced; one that points nowhere is.
        let path = if is_link && there.is_some() { path.canonicalize()? } else { path.to_owned() };
        let name = path.file_name().filter(|_| !ends_in_slash(&path)).ok_or(ErrorKind::IsADirectory)?.to_owned();
        let dir = Parent::of(&path)?;
        let kept = there.map(|metadata| Mode::from_raw_mode(metadata.mode() & 0o777));
        // Until it has the permissions of the one that it replaces, it has the least.
        let mode = if kept.is_some() { PRIVATE } else { Mode::from_raw_mode(0o666) };
        let (file, other_name) = match nameless(dir.as_fd(), mode)? {
            Some(file) => (file, None),
            None => create_named(dir.as_fd(), mode).map(|(file, name)| (file, Some(name)))?,
        };
        let whole = Self { file, place: Some(Place { dir, name, replace, other_name }) };
        if let Some(mode) = kept {
            fchmod(&whole.file, mode)?;
        }
        Ok(whole)
    }

    fn as_it_is(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().write(true).open(path)?;
        // It may be another by now.
        if file.metadata()?.is_file() {
            return Err(ErrorKind::AlreadyExists.into());
        }
        Ok(Self { file, place: None })
    }

    /// The file.
    #[must_use]
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Makes it durable, and gives it its name.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`], with [`Replace::Never`], when another has got its name meanwhile; what the system said
    /// otherwise. Nothing is left then, unless the directory could not be synced.
    pub fn finish(mut self) -> io::Result<()> {
        match self.file.sync_all() {
            // A device may have nothing to sync.
            Err(error) if matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => {}
            synced => synced?,
        }
        let Some(place) = &mut self.place else { return Ok(()) };
        place.publish(&self.file)?;
        place.dir.sync()
    }
}

impl Place {
    fn publish(&mut self, file: &File) -> io::Result<()> {
        let dir = self.dir.as_fd();
        if self.other_name.is_none() {
            match link_nameless(file, dir, &self.name) {
                Err(Errno::EXIST) if self.replace == Replace::Always => {
                    // A link replaces nothing, a rename does.
                    let name = random_name()?;
                    link_nameless(file, dir, OsStr::new(&name))?;
                    self.other_name = Some(name);
                }
                linked => return Ok(linked?),
            }
        }
        let Some(old) = self.other_name.as_deref() else { return Ok(()) };
        match self.replace {
            Replace::Always => retry_on_intr(|| renameat(dir, old, dir, &self.name))?,
            Replace::Never => match rename_to_new(dir, old, &self.name) {
                Some(renamed) => renamed?,
                // The other name goes when all is over.
                None => return Ok(retry_on_intr(|| linkat(dir, old, dir, &self.name, AtFlags::empty()))?),
            },
        }
        self.other_name = None;
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(name) = &self.other_name {
            let _ = unlinkat(&self.dir, name, AtFlags::empty());
        }
    }
}

impl Write for Whole {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        self.file.write_vectored(parts)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn unless_missing(metadata: io::Result<Metadata>) -> io::Result<Option<Metadata>> {
    match metadata {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        metadata => metadata.map(Some),
    }
}

/// Whether it can only name a directory.
fn ends_in_slash(path: &Path) -> bool {
    path.as_os_str().as_encoded_bytes().ends_with(b"/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    const WAYS: [Nameless; 2] = [open_linkable, |_, _| Ok(None)];

    fn names(dir: &Path) -> Vec<String> {
        let names = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.collect();
        names.sort();
        names
    }

    #[test]
    fn it_has_its_name_when_it_is_whole_and_not_before() {
        for (other_names, how) in WAYS.into_iter().enumerate() {
            let temp = tempfile::tempdir().unwrap();
            let path = temp.path().join("a");
            let mut whole = Whole::create_by(&path, Replace::Never, how).unwrap();
            whole.write_all(b"whole").unwrap();
            let before = names(temp.path());
            // This file system has nameless files, or no test would know.
            assert_eq!((before.len(), before.contains(&"a".to_owned())), (other_names, false));
            whole.finish().unwrap();
            assert_eq!((names(temp.path()), fs::read(&path).unwrap()), (vec!["a".to_owned()], b"whole".to_vec()));
            assert_eq!(path.metadata().unwrap().nlink(), 1);
        }
    }

    #[test]
    fn dropped_it_leaves_nothing() {
        for how in WAYS {
            let temp = tempfile::tempdir().unwrap();
            let mut whole = Whole::create_by(&temp.path().join("a"), Replace::Never, how).unwrap();
            whole.write_all(b"a part").unwrap();
            drop(whole);
            assert!(names(temp.path()).is_empty());
        }
    }

    #[test]
    fn nothing_is_replaced_without_leave_not_even_what_came_meanwhile() {
        for how in WAYS {
            let temp = tempfile::tempdir().unwrap();
            let path = temp.path().join("a");
            let whole = Whole::create_by(&path, Replace::Never, how).unwrap();
            fs::write(&path, "mine").unwrap();
            assert_eq!(whole.finish().unwrap_err().kind(), ErrorKind::AlreadyExists);
            let refused = Whole::create_by(&path, Replace::Never, how).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::AlreadyExists);
            symlink("nowhere", temp.path().join("l")).unwrap();
            let refused = Whole::create_by(&temp.path().join("l"), Replace::Never, how).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::AlreadyExists);
            assert_eq!(
                (names(temp.path()), fs::read(&path).unwrap()),
                (vec!["a".into(), "l".into()], b"mine".to_vec())
            );
        }
    }

    #[test]
    fn with_leave_the_old_one_stands_until_the_end_and_its_permissions_stay() {
        for how in WAYS {
            let temp = tempfile::tempdir().unwrap();
            let (path, link) = (temp.path().join("a"), temp.path().join("l"));
            fs::write(&path, "old").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
            symlink("a", &link).unwrap();
            for (name, text) in [(&path, "new"), (&link, "newer")] {
                let mut whole = Whole::create_by(name, Replace::Always, how).unwrap();
                whole.write_all(text.as_bytes()).unwrap();
                assert_ne!(fs::read_to_string(&path).unwrap(), text);
                whole.finish().unwrap();
                assert_eq!(fs::read_to_string(&path).unwrap(), text);
                assert_eq!(path.metadata().unwrap().mode() & 0o7777, 0o640);
            }
            assert!(link.symlink_metadata().unwrap().is_symlink());
            assert_eq!(names(temp.path()), ["a", "l"]);
        }
    }

    #[test]
    fn a_new_file_has_the_permissions_that_any_gets() {
        let temp = tempfile::tempdir().unwrap();
        File::create(temp.path().join("plain")).unwrap();
        for (how, name) in WAYS.into_iter().zip(["a", "b"]) {
            let path = temp.path().join(name);
            Whole::create_by(&path, Replace::Never, how).unwrap().finish().unwrap();
            let mode = |name| temp.path().join(name).metadata().unwrap().mode();
            assert_eq!(mode(name), mode("plain"));
        }
    }

    #[test]
    fn what_is_no_regular_file_is_written_to_as_it_is() {
        let mut null = Whole::create(Path::new("/dev/null"), Replace::Never).unwrap();
        null.write_all(b"x").unwrap();
        null.finish().unwrap();
        let mut full = Whole::create(Path::new("/dev/full"), Replace::Never).unwrap();
        assert_eq!(full.write_all(b"x").unwrap_err().kind(), ErrorKind::StorageFull);
    }

    #[test]
    fn a_place_that_cannot_be_is_told() {
        let temp = tempfile::tempdir().unwrap();
        fs::write(temp.path().join("f"), "").unwrap();
        for (place, kind) in [
            (".", ErrorKind::IsADirectory),
            ("none/a", ErrorKind::NotFound),
            ("f/a", ErrorKind::NotADirectory),
            ("a/", ErrorKind::IsADirectory),
        ] {
            for replace in [Replace::Never, Replace::Always] {
                assert_eq!(Whole::create(&temp.path().join(place), replace).unwrap_err().kind(), kind, "{place}");
            }
        }
        assert_eq!(names(temp.path()), ["f"]);
    }
}
