//! Where a command on archives writes to: standard output, or a file that gets its name when it is whole.

use crate::cli::deadly::Deadly;
use crate::cli::ends::{self, PipeEnd, given};
use crate::cli::exit::{Exit, Failure};
use crate::cli::text::plain;
use rustix::event::{PollFd, PollFlags, poll};
use spillpipe::store::{Replace, Whole};
use std::fmt;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

/// An output that is open.
#[derive(Debug)]
pub(super) struct Output {
    kind: Kind,
    name: Name,
}

#[derive(Debug)]
enum Kind {
    Standard(PipeEnd),
    File(Whole),
}

/// What messages call it.
#[derive(Clone, Debug)]
pub(super) struct Name(String);

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Output {
    /// Standard output, or the file of this path, which is not there before [`Self::finish`]; one that exists is only
    /// replaced with `force`.
    pub(super) fn open(path: Option<&PathBuf>, force: bool) -> Result<Self, Failure> {
        let Some(path) = given(path) else {
            let end = ends::standard_output()?;
            let name = Name(end.name.clone());
            return Ok(Self { kind: Kind::Standard(end), name });
        };
        let replace = if force { Replace::Always } else { Replace::Never };
        let file = Whole::create(path, replace).map_err(|error| cannot_create(path, &error))?;
        Ok(Self { kind: Kind::File(file), name: Name(path.display().to_string()) })
    }

    /// The same, with the deadly signals caught: after a wait for the reader of a named pipe, which they end, and before
    /// there is a file, which they would leave behind.
    pub(super) fn open_and_catch(path: Option<&PathBuf>, force: bool) -> Result<(Self, Deadly), Failure> {
        let catch = || Deadly::catch().map_err(Failure::io("cannot handle signals"));
        if given(path).is_some_and(|path| path.metadata().is_ok_and(|found| !found.is_file())) {
            let output = Self::open(path, force)?;
            return Ok((output, catch()?));
        }
        let deadly = catch()?;
        Ok((Self::open(path, force)?, deadly))
    }

    /// What messages call it.
    pub(super) fn name(&self) -> Name {
        self.name.clone()
    }

    /// Whether it is a file that gets its name at the end, and else leaves nothing behind.
    pub(super) fn is_file(&self) -> bool {
        matches!(&self.kind, Kind::File(file) if file.file().metadata().is_ok_and(|metadata| metadata.is_file()))
    }

    /// Whether what is written there is for a person to look at.
    pub(super) fn is_terminal(&self) -> bool {
        self.file().is_terminal()
    }

    /// Makes a file durable and gives it its name.
    pub(super) fn finish(self) -> Result<(), Failure> {
        match self.kind {
            Kind::Standard(_) => Ok(()),
            Kind::File(file) => file.finish().map_err(|error| cannot_create(Path::new(&self.name.0), &error)),
        }
    }

    fn file(&self) -> &std::fs::File {
        match &self.kind {
            Kind::Standard(end) => &end.file,
            Kind::File(file) => file.file(),
        }
    }
}

impl Name {
    /// That it takes no more.
    pub(super) fn cannot_write(&self, error: &io::Error) -> Failure {
        let exit = if error.kind() == ErrorKind::BrokenPipe { Exit::ConsumerGone } else { Exit::Failed };
        Failure { exit, text: format!("cannot write {}: {}", self.0, plain(error)) }
    }
}

/// An output that takes no more when a signal has come.
///
/// A reader that is stuck is not waited for then, and we are killed; but not while we write a file: nobody would remove
/// what there is of it.
#[derive(Debug)]
pub(super) struct Guarded<'a> {
    output: Output,
    deadly: &'a Deadly,
    is_file: bool,
}

impl<'a> Guarded<'a> {
    pub(super) fn new(output: Output, deadly: &'a Deadly) -> Self {
        Self { is_file: output.is_file(), output, deadly }
    }

    /// Why a write failed: the signal, if one has come.
    pub(super) fn failure(deadly: &Deadly, name: &Name, error: &io::Error) -> Failure {
        deadly.check().err().unwrap_or_else(|| name.cannot_write(error))
    }

    /// What messages call it.
    pub(super) fn name(&self) -> Name {
        self.output.name()
    }

    /// As [`Output::finish`], unless a signal has come.
    pub(super) fn finish(self) -> Result<(), Failure> {
        self.deadly.check()?;
        self.output.finish()
    }
}

impl AsFd for Guarded<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.output.as_fd()
    }
}

impl Write for Guarded<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.deadly.check().map_err(|failure| io::Error::other(failure.text))?;
        if self.is_file { self.output.write(bytes) } else { self.deadly.write(|| self.output.write(bytes)) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsFd for Output {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file().as_fd()
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match self.file().write(bytes) {
                // The descriptor may be shared with someone who made it non-blocking.
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    let _ = poll(&mut [PollFd::new(self, PollFlags::OUT)], None); // The write will tell.
                }
                result => return result,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn cannot_create(path: &Path, error: &io::Error) -> Failure {
    let hint = if error.kind() == ErrorKind::AlreadyExists {
        "it exists; use --force to replace it".to_owned()
    } else {
        plain(error)
    };
    Failure::new(format!("cannot create {}: {hint}", path.display()))
}
