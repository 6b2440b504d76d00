//! A small file system of a test's own.

use std::path::Path;
use std::process::{Command, Output};

/// A tmpfs, mounted until this is dropped.
pub(crate) struct Mounted(tempfile::TempDir);

impl Mounted {
    /// Mounts one with these options; `None`, said loudly, when that is not permitted.
    pub(crate) fn tmpfs(options: &str) -> Option<Self> {
        let dir = tempfile::tempdir().ok()?;
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(dir.path()).output();
        Self::if_mounted(dir, mount, "a tmpfs")
    }

    fn if_mounted(dir: tempfile::TempDir, mount: std::io::Result<Output>, what: &str) -> Option<Self> {
        match mount {
            Ok(output) if output.status.success() => Some(Self(dir)),
            refused => {
                let test = std::thread::current().name().unwrap_or("a test").to_owned();
                eprintln!("SKIPPED: {test}: cannot mount {what}: {refused:?}");
                None
            }
        }
    }

    /// An ext4 of so many bytes in a file, by way of a loop device; `None`, said loudly, when that cannot be had.
    #[allow(dead_code, reason = "each test file uses its part")]
    pub(crate) fn ext4(bytes: u64) -> Option<Self> {
        let dir = tempfile::tempdir().ok()?;
        let image = tempfile::NamedTempFile::new().ok()?;
        image.as_file().set_len(bytes).ok()?;
        let script = "mkfs.ext4 -q -m 0 -O ^has_journal \"$0\" && mount -o loop \"$0\" \"$1\"";
        let mount = Command::new("sh").args(["-c", script]).arg(image.path()).arg(dir.path()).output();
        Self::if_mounted(dir, mount, "an ext4")
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
