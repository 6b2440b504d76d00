//! What a user's PATH stands for: a file, standard input, or the segments of a directory, in their order.
//!
//! Nothing is open until its turn comes: a directory may hold more segments than a process may have open files.

use super::{Error, Source};
use crate::format::SegmentNumber;
use crate::store::SegmentName;
use rustix::fs::OFlags;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The name of standard input on the command line.
const STDIN: &str = "-";
/// What makes a directory a spool.
const SPOOL_FILE: &str = "spool";

/// Something to read from, when its turn comes.
#[derive(Clone, Debug)]
pub struct Input {
    place: Place,
    bond: Bond,
}

#[derive(Clone, Debug)]
enum Place {
    Stdin,
    File(PathBuf),
    Segment(Arc<Path>, SegmentName),
}

/// What a source has to do with the one before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Bond {
    /// It may go on where the other has stopped, or be something else.
    #[default]
    Free,
    /// In the same directory: of the same store, and nothing is missing between the two.
    Series,
    /// In a spool, which removes segments that are no longer needed, also from the middle.
    Spool,
}

impl Input {
    /// What `path` stands for: standard input if it is `-`, all segments of a directory, or else itself.
    ///
    /// # Errors
    /// [`Error::NoSegments`] of a directory without any that is no spool; [`Error::Io`] when it cannot be listed. Of a file nothing is
    /// known before it is opened.
    ///
    /// ```
    /// use spillpipe::archive::Input;
    /// let temp = tempfile::tempdir()?;
    /// assert!(Input::of(temp.path()).is_err(), "it holds no segments");
    /// let [input] = &Input::of("data.zst".as_ref())?[..] else { panic!("a file is one input") };
    /// assert_eq!(input.name(), "data.zst");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn of(path: &Path) -> Result<Vec<Self>, Error> {
        let one = |place| vec![Self { place, bond: Bond::Free }];
        if path.as_os_str() == STDIN {
            return Ok(one(Place::Stdin));
        }
        if !path.is_dir() {
            return Ok(one(Place::File(path.to_owned())));
        }
        let names = segments(path).map_err(Error::io("list", path.display().to_string(), None))?;
        // Of a spool, all may have been taken out.
        if names.is_empty() && !is_spool(path) {
            return Err(Error::NoSegments { dir: path.to_owned() });
        }
        let dir: Arc<Path> = path.into();
        let bond = if is_spool(path) { Bond::Spool } else { Bond::Series };
        let input = |name| Self { place: Place::Segment(Arc::clone(&dir), name), bond };
        Ok(names.into_iter().map(input).collect())
    }

    /// As messages call it.
    #[must_use]
    pub fn name(&self) -> String {
        match &self.place {
            Place::Stdin => "standard input".to_owned(),
            Place::File(path) => path.display().to_string(),
            Place::Segment(dir, name) => dir.join(name.to_string()).display().to_string(),
        }
    }

    /// What it has to do with the one before it.
    #[must_use]
    pub fn bond(&self) -> Bond {
        self.bond
    }

    /// Whether it stands in the same directory as that one, and was found there with it.
    pub(super) fn is_beside(&self, other: &Self) -> bool {
        matches!((&self.place, &other.place), (Place::Segment(a, _), Place::Segment(b, _)) if Arc::ptr_eq(a, b))
    }

    /// The number of the segment, of those of a directory.
    #[must_use]
    pub fn number(&self) -> Option<SegmentNumber> {
        match &self.place {
            Place::Segment(_, name) => Some(name.number),
            Place::Stdin | Place::File(_) => None,
        }
    }

    /// How long it is, as far as that shows from outside.
    #[must_use]
    pub fn bytes(&self) -> Option<u64> {
        let metadata = match &self.place {
            Place::Stdin => return None,
            Place::File(path) => std::fs::metadata(path),
            Place::Segment(dir, name) => std::fs::symlink_metadata(dir.join(name.to_string())),
        };
        metadata.ok().filter(std::fs::Metadata::is_file).map(|metadata| metadata.len())
    }

    /// Opens it, without a look at what is in it.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Irregular`] when what is named as a segment of a directory is a link or no file.
    ///
    /// ```
    /// use spillpipe::archive::Input;
    /// let temp = tempfile::tempdir()?;
    /// let file = temp.path().join("x");
    /// std::fs::write(&file, "anything")?;
    /// assert_eq!(Input::of(&file)?[0].open()?.len(), Some(8));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn open(&self) -> Result<Source, Error> {
        let name = self.name();
        let source = match &self.place {
            Place::Stdin => {
                io::stdin().as_fd().try_clone_to_owned().and_then(|stdin| Source::file(name.clone(), File::from(stdin)))
            }
            Place::File(path) => Source::open(path),
            Place::Segment(dir, segment) => {
                let file = dir.join(segment.to_string());
                match open_regular(&file) {
                    Ok(Some(open)) => Source::file(name.clone(), open),
                    Ok(None) => return Err(Error::Irregular { file }),
                    Err(error) => Err(error),
                }
            }
        };
        source.map_err(Error::io("open", name, None))
    }
}

/// Whether a directory says that it is a spool.
#[must_use]
pub fn is_spool(dir: &Path) -> bool {
    std::fs::symlink_metadata(dir.join(SPOOL_FILE)).is_ok_and(|metadata| metadata.is_file())
}

/// By rising number.
fn segments(dir: &Path) -> io::Result<Vec<SegmentName>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        names.extend(entry?.file_name().to_str().and_then(SegmentName::parse));
    }
    names.sort_unstable();
    Ok(names)
}

/// `None`: a link, a pipe or anything else that somebody put there.
fn open_regular(file: &Path) -> io::Result<Option<File>> {
    if !std::fs::symlink_metadata(file)?.is_file() {
        return Ok(None);
    }
    // It may have been replaced just now, by something that is not to be followed, or waited for.
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits();
    let flags = i32::try_from(flags).unwrap_or_default();
    let open = OpenOptions::new().read(true).custom_flags(flags).open(file)?;
    Ok(open.metadata()?.is_file().then_some(open))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_its_segments_by_number_and_nothing_else_of_it() {
        let temp = tempfile::tempdir().unwrap();
        for name in ["000000000000000a.zst", "0000000000000009.lz4", "a.zst", "notes", "1.zst"] {
            std::fs::write(temp.path().join(name), name).unwrap();
        }
        let inputs = Input::of(temp.path()).unwrap();
        let numbers: Vec<_> = inputs.iter().filter_map(Input::number).map(|number| number.0).collect();
        assert_eq!((numbers, inputs[0].bond()), (vec![9, 10], Bond::Series));
        assert_eq!(inputs[0].bytes(), Some(20));
        std::fs::write(temp.path().join(SPOOL_FILE), "").unwrap();
        assert_eq!(Input::of(temp.path()).unwrap()[0].bond(), Bond::Spool);
    }

    #[test]
    fn what_is_no_regular_file_is_no_segment_of_a_directory() {
        let temp = tempfile::tempdir().unwrap();
        let (target, link) = (temp.path().join("target"), temp.path().join("0000000000000001.zst"));
        std::fs::write(&target, "x").unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        std::fs::create_dir(temp.path().join("0000000000000002.zst")).unwrap();
        for input in Input::of(temp.path()).unwrap() {
            let error = input.open().unwrap_err().to_string();
            assert!(error.ends_with(".zst is no regular file"), "{error}");
        }
        assert!(Input::of(&link).unwrap()[0].open().is_ok(), "named by the user, a link is followed");
    }

    #[test]
    fn a_file_that_is_not_there_is_told_when_it_is_opened() {
        let error = Input::of("/nowhere/x.zst".as_ref()).unwrap()[0].open().unwrap_err().to_string();
        assert!(error.starts_with("cannot open /nowhere/x.zst: No such file"), "{error}");
    }
}
