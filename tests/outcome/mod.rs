//! How a command ended, and what it said.

use std::os::unix::process::ExitStatusExt;
use std::process::Output;

/// Asserts that it succeeded in silence, and returns what it wrote.
#[track_caller]
pub(crate) fn silent(output: Output) -> Vec<u8> {
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!((output.status.code(), output.status.signal()), (Some(0), None));
    output.stdout
}

/// Asserts that it ended with `status` and said one line that contains `words`; returns what it wrote.
#[track_caller]
pub(crate) fn fails(output: Output, status: i32, words: &str) -> Vec<u8> {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(status), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.starts_with("spillpipe: ") && said.contains(words), "{said}");
    assert!(!said.contains("os error"), "{said}");
    output.stdout
}
