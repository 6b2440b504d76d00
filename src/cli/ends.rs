//! The two ends of the pipe: standard streams or files, checked before anything is created.

use super::closed;
use super::exit::Failure;
use spillpipe::store::DiskStore;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Stands for a standard stream.
const STANDARD: &str = "-";

/// One end.
#[derive(Debug)]
pub(super) struct PipeEnd {
    /// Open, and ours to close.
    pub(super) file: File,
    /// As messages call it.
    pub(super) name: String,
    /// Whether the user named it, rather than the shell.
    named: bool,
}

fn name(path: Option<&PathBuf>, standard: &str) -> String {
    given(path).map_or_else(|| standard.to_owned(), |path| path.display().to_string())
}

/// The path, unless it stands for a standard stream.
pub(super) fn given(path: Option<&PathBuf>) -> Option<&PathBuf> {
    path.filter(|path| path.as_os_str() != STANDARD)
}

/// Opens the input.
pub(super) fn open_input(path: Option<&PathBuf>) -> Result<PipeEnd, Failure> {
    let name = name(path, "standard input");
    let cannot = |doing: &str| Failure::io(format!("cannot {doing} {name}"));
    let path = given(path);
    let file = match path {
        Some(path) => File::open(path).map_err(cannot("open"))?,
        None => standard(closed::stdin_was_closed(), io::stdin()).map_err(cannot("read"))?,
    };
    if file.metadata().is_ok_and(|metadata| metadata.is_dir()) {
        return Err(cannot("read")(rustix::io::Errno::ISDIR.into()));
    }
    Ok(PipeEnd { file, named: path.is_some(), name })
}

/// Opens the output, last of all: it is not created when anything is wrong with the rest. One that exists is only
/// overwritten with `force`, and never when it is the input.
pub(super) fn open_output(path: Option<&PathBuf>, force: bool, input: &PipeEnd) -> Result<PipeEnd, Failure> {
    let output = match given(path) {
        Some(path) => PipeEnd { file: create(path, force, input)?, named: true, name: path.display().to_string() },
        None => standard_output()?,
    };
    if let Ok(metadata) = output.file.metadata() {
        refuse_same(input, &metadata)?;
    }
    Ok(output)
}

/// Standard output as it is.
pub(super) fn standard_output() -> Result<PipeEnd, Failure> {
    let name = "standard output";
    let cannot = Failure::io(format!("cannot write {name}"));
    let file = standard(closed::stdout_was_closed(), io::stdout()).map_err(cannot)?;
    Ok(PipeEnd { file, named: false, name: name.to_owned() })
}

/// A descriptor of our own for a standard stream.
fn standard(was_closed: bool, stream: impl AsFd) -> io::Result<File> {
    if was_closed {
        return Err(rustix::io::Errno::BADF.into());
    }
    Ok(stream.as_fd().try_clone_to_owned()?.into())
}

/// Creates the output file. One that exists is only touched when it is no regular file, or with `force`.
fn create(path: &Path, force: bool, input: &PipeEnd) -> Result<File, Failure> {
    let cannot = |error: io::Error| Failure::io(format!("cannot create {}", path.display()))(error);
    match OpenOptions::new().write(true).create_new(true).open(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        result => return result.map_err(cannot),
    }
    let regular = |metadata: &Metadata| -> Result<bool, Failure> {
        refuse_same(input, metadata)?;
        if metadata.is_file() && !force {
            let text = format!("cannot create {}: it exists; use --force to overwrite it", path.display());
            return Err(Failure::new(text));
        }
        Ok(metadata.is_file())
    };
    // Looked at before it is opened, as that may wait (a named pipe), and after, as it may be another by then.
    regular(&path.metadata().map_err(cannot)?)?;
    let file = OpenOptions::new().write(true).open(path).map_err(cannot)?;
    if regular(&file.metadata().map_err(cannot)?)? {
        file.set_len(0).map_err(cannot)?;
    }
    Ok(file)
}

/// Refuses an output that is the input: it would be overwritten before it is read, or grow for ever.
fn refuse_same(input: &PipeEnd, output: &Metadata) -> Result<(), Failure> {
    let same = input.file.metadata().is_ok_and(|input| {
        input.is_file() && output.is_file() && (input.dev(), input.ino()) == (output.dev(), output.ino())
    });
    if same { Err(Failure::new(format!("input and output are the same file ({})", input.name))) } else { Ok(()) }
}

impl PipeEnd {
    /// What a command writes.
    pub(super) fn of_command(file: File, name: String) -> Self {
        Self { file, name, named: false }
    }

    /// Bytes that are left in an input that is a file; `None` when nobody can know.
    pub(super) fn bytes_left(&self) -> Option<u64> {
        let metadata = self.file.metadata().ok().filter(Metadata::is_file)?;
        let position = rustix::fs::tell(&self.file).ok()?;
        Some(metadata.len().saturating_sub(position)).filter(|&bytes| bytes > 0)
    }

    /// Makes an output file of the user's durable: only then do a network file system, or a disk that fails late,
    /// say that the data did not arrive.
    pub(super) fn sync(&self) -> Result<(), Failure> {
        if !self.named || !self.file.metadata().is_ok_and(|metadata| metadata.is_file()) {
            return Ok(());
        }
        match self.file.sync_all() {
            Err(error) if matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => Ok(()),
            result => result.map_err(Failure::io(format!("cannot sync {}", self.name))),
        }
    }
}

/// Checks that files can be created in the spill directory, without creating one.
pub(super) fn check_spill_dir(dir: &Path) -> Result<(), Failure> {
    let cannot = Failure::io(format!("cannot spill to {}", dir.display()));
    DiskStore::nameless(dir).map(drop).map_err(cannot)
}
