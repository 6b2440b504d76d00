//! The directory in which something is to get its name, held open until then.

use crate::sys::space::open_dir;
use rustix::fs::fsync;
use rustix::io::retry_on_intr;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

/// A directory.
#[derive(Debug)]
pub(super) struct Parent {
    dir: OwnedFd,
    /// Whether it can be synced: that takes the right to read it.
    listable: bool,
}

impl Parent {
    /// The one that `path` is in.
    ///
    /// # Errors
    /// What the system said.
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        match open_dir(parent, true) {
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                Ok(Self { dir: open_dir(parent, false)?, listable: false })
            }
            dir => Ok(Self { dir: dir?, listable: true }),
        }
    }

    /// Makes durable what names are in it, as far as we may.
    ///
    /// # Errors
    /// What the system said.
    pub(super) fn sync(&self) -> io::Result<()> {
        if self.listable {
            retry_on_intr(|| fsync(&self.dir))?;
        }
        Ok(())
    }
}

impl AsFd for Parent {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.dir.as_fd()
    }
}
