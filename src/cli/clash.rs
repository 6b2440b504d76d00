//! Refuses to use one file for two things, before any of them is opened: what the figures or the messages are
//! written over would be lost, and an output that is the input would be overwritten before it is read.
//!
//! Files are told apart by device and inode, so that hard links, symbolic links and redirections of the shell count;
//! those that do not exist yet by where they would be created. Devices, pipes and terminals may be shared.

use super::closed;
use super::ends::given;
use super::exit::Failure;
use std::ffi::OsString;
use std::fs::{Metadata, metadata, symlink_metadata};
use std::io::{self, ErrorKind};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Symbolic links that are followed to a file that does not exist, as many as the kernel follows.
const LINKS_MAX: usize = 40;

/// Which file it is.
#[derive(Debug, PartialEq, Eq)]
enum Identity {
    /// One that exists: device and inode.
    Existing(u64, u64),
    /// One that would be created: the directory, free of links, and the name.
    New(PathBuf, OsString),
}

/// What a file is used for.
struct Use<'a> {
    what: &'static str,
    path: Option<&'a Path>,
    identity: Option<Identity>,
}

/// What is read or written.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stream<'a> {
    /// The file of this name; `-` and nothing are the standard stream.
    Given(Option<&'a PathBuf>),
    /// Nothing is.
    Unused,
}

/// The files of a command.
#[derive(Clone, Copy, Debug)]
pub(super) struct Files<'a> {
    pub(super) input: Stream<'a>,
    pub(super) output: Stream<'a>,
    /// Of `--log`.
    pub(super) log: Option<&'a PathBuf>,
    /// Of `--stats`.
    pub(super) stats: Option<&'a PathBuf>,
}

/// Checks all pairs of them.
pub(super) fn refuse<'a>(files: Files<'a>) -> Result<(), Failure> {
    let stats = given(files.stats).map(|path| Use::named("figures", path));
    let log = files.log.map(|path| Use::named("messages", path));
    let stream = |what, stream, standard: Use<'a>| match stream {
        Stream::Given(path) => Some(given(path).map_or(standard, |path| Use::named(what, path))),
        Stream::Unused => None,
    };
    let input = stream("input", files.input, Use::standard("input", closed::stdin_was_closed(), io::stdin()));
    let output = stream("output", files.output, Use::standard("output", closed::stdout_was_closed(), io::stdout()));
    let uses: Vec<_> = [stats, log, input, output].into_iter().flatten().collect();
    for (place, a) in uses.iter().enumerate() {
        let same = |b: &&Use<'_>| a.identity.is_some() && a.identity == b.identity;
        if let Some(b) = uses[place + 1..].iter().find(same) {
            let name =
                a.path.or(b.path).map_or_else(|| format!("standard {}", a.what), |path| path.display().to_string());
            return Err(Failure::new(format!("{} and {} are the same file ({name})", a.what, b.what)));
        }
    }
    Ok(())
}

impl<'a> Use<'a> {
    fn named(what: &'static str, path: &'a Path) -> Self {
        Self { what, path: Some(path), identity: of_path(path) }
    }

    fn standard(what: &'static str, was_closed: bool, stream: impl AsFd) -> Self {
        let stat = rustix::fs::fstat(stream).ok().filter(|_| !was_closed);
        let regular = stat.filter(|stat| rustix::fs::FileType::from_raw_mode(stat.st_mode).is_file());
        Self { what, path: None, identity: regular.map(|stat| Identity::Existing(stat.st_dev, stat.st_ino)) }
    }
}

/// `None` for what may be shared, and for what cannot be opened anyway.
fn of_path(path: &Path) -> Option<Identity> {
    let mut path = path.to_owned();
    for _ in 0..LINKS_MAX {
        match metadata(&path) {
            Ok(found) => {
                return Some(found).filter(Metadata::is_file).map(|found| Identity::Existing(found.dev(), found.ino()));
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(_) => return None,
        }
        let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if symlink_metadata(&path).is_ok_and(|link| link.is_symlink()) {
            path = dir.join(path.read_link().ok()?);
        } else {
            return Some(Identity::New(dir.canonicalize().ok()?, path.file_name()?.to_owned()));
        }
    }
    None
}
