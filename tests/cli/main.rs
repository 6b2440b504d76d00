//! The command as its users see it: the real binary, its exit status, its streams and its files.

#![expect(clippy::unwrap_used, reason = "a test may end so")]

mod ends;
mod report;
mod signals;
mod terminal;
mod usage;

#[path = "../inherited/mod.rs"]
mod inherited;
#[path = "../patience/mod.rs"]
mod patience;

use assert_cmd::Command;
use patience::{PATIENCE, eventually};
use std::os::unix::process::ExitStatusExt;
use std::process::Output;

/// The command, with an input that is empty unless the test gives one.
fn spillpipe(args: &[&str]) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("spillpipe"));
    command.args(args).env_remove("TMPDIR").timeout(PATIENCE);
    command
}

/// The same for tests that talk to it while it runs.
fn raw_spillpipe(args: &[&str]) -> std::process::Command {
    let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin!("spillpipe"));
    command.args(args).env_remove("TMPDIR");
    command
}

/// A shell command in which `"$0"` is the binary.
fn shell(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]).arg(assert_cmd::cargo::cargo_bin!("spillpipe")).timeout(PATIENCE);
    command
}

/// Asserts that it failed with `status`, wrote nothing, and said one line that contains `words`.
#[track_caller]
fn assert_fails(output: &Output, status: i32, words: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(status), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.starts_with("spillpipe: ") && said.contains(words), "{said}");
    assert!(!said.contains("os error"), "{said}");
    assert!(output.stdout.is_empty());
}

/// Asserts that it succeeded in silence, and returns what it wrote.
#[track_caller]
fn assert_silent(output: Output) -> Vec<u8> {
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!((output.status.code(), output.status.signal()), (Some(0), None));
    output.stdout
}
