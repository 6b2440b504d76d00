//! A small file system of a test's own.

use std::path::Path;
use std::process::Command;

/// A tmpfs, mounted until this is dropped.
pub(crate) struct Mounted(tempfile::TempDir);

impl Mounted {
    /// Mounts one with these options; `None`, said loudly, when that is not permitted.
    pub(crate) fn tmpfs(options: &str) -> Option<Self> {
        let dir = tempfile::tempdir().ok()?;
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(dir.path()).output();
        match mount {
            Ok(output) if output.status.success() => Some(Self(dir)),
            refused => {
                let test = std::thread::current().name().unwrap_or("a test").to_owned();
                eprintln!("SKIPPED: {test}: cannot mount a tmpfs: {refused:?}");
                None
            }
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // Lazily: a failed test may still hold files there.
        if !Command::new("umount").arg("-l").arg(self.path()).status().is_ok_and(|status| status.success()) {
            eprintln!("cannot unmount {}", self.path().display());
        }
    }
}
