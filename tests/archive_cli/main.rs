//! The commands that work on archives, as their users see them: the real binary, on real files.

#![expect(clippy::unwrap_used, reason = "a test may end so")]

mod cat;
mod cat_ends;
mod info;
mod pack;
mod salvage;
mod stitch;
mod verify;
mod whole;

#[path = "../inherited/mod.rs"]
mod inherited;
#[path = "../mounted/mod.rs"]
mod mounted;
#[path = "../outcome/mod.rs"]
mod outcome;
#[path = "../patience/mod.rs"]
mod patience;
#[allow(unreachable_pub, reason = "written for test files that are crates of their own")]
#[path = "../samples/mod.rs"]
mod samples;

use assert_cmd::Command;
use outcome::{fails, silent};
use patience::PATIENCE;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::Output;
use tempfile::TempDir;

/// A directory of the test's own.
struct Home(TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.file(name)).unwrap()
    }

    /// The names of all that is there, in order.
    fn names(&self) -> Vec<String> {
        let files = std::fs::read_dir(self.path()).unwrap();
        let mut names: Vec<_> = files.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// The command in this directory, with an input that is empty unless the test gives one.
    fn command(&self, args: &str) -> Command {
        let mut command = Command::from_std(self.raw(args));
        command.timeout(PATIENCE);
        command
    }

    /// The same for tests that talk to it while it runs. `args` are separated by spaces.
    fn raw(&self, args: &str) -> std::process::Command {
        let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin!("spillpipe"));
        command.args(args.split_whitespace()).current_dir(self.path());
        command
    }

    fn run(&self, args: &str, input: impl Into<Vec<u8>>) -> Output {
        self.command(args).write_stdin(input).output().unwrap()
    }

    /// A shell command here, in which `"$0"` is the binary.
    fn shell(&self, script: &str) -> Output {
        let mut command = Command::new("sh");
        command.args(["-c", script]).arg(assert_cmd::cargo::cargo_bin!("spillpipe")).current_dir(self.path());
        command.timeout(PATIENCE).output().unwrap()
    }
}

/// A terminal: its other end, and the one that a command gets.
fn terminal() -> (OwnedFd, File) {
    let master = rustix::pty::openpt(rustix::pty::OpenptFlags::RDWR | rustix::pty::OpenptFlags::NOCTTY).unwrap();
    rustix::pty::grantpt(&master).unwrap();
    rustix::pty::unlockpt(&master).unwrap();
    let name = rustix::pty::ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
    (master, File::options().read(true).write(true).open(name).unwrap())
}
