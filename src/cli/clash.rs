//! Refuses to use one file for two things, before any of them is opened: what the figures or the messages are
//! written over would be lost, and an output that is the input would be overwritten before it is read.
//!
//! Files are told apart by device and inode, so that hard links, symbolic links and redirections of the shell count;
//! those that do not exist yet by where they would be created. Pipes, terminals and devices may be shared; but a disk
//! that an archive is read from is not written to.

use super::closed;
use super::ends::given;
use super::exit::Failure;
use rustix::fs::{FileType, Stat, fstat, stat};
use rustix::io::Errno;
use spillpipe::store::SegmentName;
use std::ffi::OsString;
use std::fs::symlink_metadata;
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

/// Symbolic links that are followed to a file that does not exist, as many as the kernel follows.
const LINKS_MAX: usize = 40;

/// Which file it is.
#[derive(Debug, PartialEq, Eq)]
enum Identity {
    /// One that exists: device and inode.
    Existing(u64, u64),
    /// A disk, which has several names: its own device.
    Disk(u64),
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
    /// The archives of these names: `-` is the standard stream, and a directory stands for its segments.
    Archives(&'a [PathBuf]),
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
        Stream::Archives(_) | Stream::Unused => None,
    };
    let input = stream("input", files.input, Use::stdin());
    let output = stream("output", files.output, Use::stdout());
    let uses: Vec<_> = [stats, log, input, output].into_iter().flatten().collect();
    for (place, a) in uses.iter().enumerate() {
        let same = |b: &&Use<'_>| a.identity == b.identity && !matches!(a.identity, None | Some(Identity::Disk(_)));
        if let Some(b) = uses[place + 1..].iter().find(same) {
            return Err(same_file(a.what, b.what, a.path.or(b.path)));
        }
    }
    let Stream::Archives(paths) = files.input else { return Ok(()) };
    refuse_archives(paths, &uses)
}

/// Refuses to write to a file that an archive is read from.
fn refuse_archives(paths: &[PathBuf], written: &[Use<'_>]) -> Result<(), Failure> {
    if written.iter().all(|written| written.identity.is_none()) {
        return Ok(());
    }
    for path in paths {
        let named = |path: PathBuf| (of_path(&path), Some(path));
        let inputs: Vec<_> = match given(Some(path)) {
            None => vec![(Use::stdin().identity, None)],
            Some(path) if path.is_dir() => segments(path).map(named).collect(),
            Some(path) => vec![named(path.clone())],
        };
        for (identity, path) in inputs {
            if let Some(found) = written.iter().find(|written| identity.is_some() && written.identity == identity) {
                let (a, b) = if found.what == "output" { ("input", found.what) } else { (found.what, "input") };
                return Err(same_file(a, b, found.path.or(path.as_deref())));
            }
        }
    }
    Ok(())
}

fn same_file(a: &str, b: &str, path: Option<&Path>) -> Failure {
    let name = path.map_or_else(|| format!("standard {a}"), |path| path.display().to_string());
    Failure::new(format!("{a} and {b} are the same file ({name})"))
}

fn segments(dir: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries.filter(|entry| entry.file_name().to_str().and_then(SegmentName::parse).is_some()).map(|entry| entry.path())
}

impl<'a> Use<'a> {
    fn named(what: &'static str, path: &'a Path) -> Self {
        Self { what, path: Some(path), identity: of_path(path) }
    }

    fn stdin() -> Self {
        Self::standard("input", closed::stdin_was_closed(), io::stdin())
    }

    fn stdout() -> Self {
        Self::standard("output", closed::stdout_was_closed(), io::stdout())
    }

    fn standard(what: &'static str, was_closed: bool, stream: impl AsFd) -> Self {
        let found = fstat(stream).ok().filter(|_| !was_closed);
        Self { what, path: None, identity: found.and_then(|found| of_stat(&found)) }
    }
}

/// `None` for what may be shared, and for what cannot be opened anyway.
fn of_path(path: &Path) -> Option<Identity> {
    let mut path = path.to_owned();
    for _ in 0..LINKS_MAX {
        match stat(&path) {
            Ok(found) => return of_stat(&found),
            Err(Errno::NOENT) => {}
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

fn of_stat(found: &Stat) -> Option<Identity> {
    match FileType::from_raw_mode(found.st_mode) {
        FileType::RegularFile => Some(Identity::Existing(found.st_dev, found.st_ino)),
        FileType::BlockDevice => Some(Identity::Disk(found.st_rdev)),
        _ => None,
    }
}
