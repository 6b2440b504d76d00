//! What a program asks the kernel for, as `strace` tells it, in the order of time.

use super::has;
use std::path::Path;
use std::process::Command;

/// A call that succeeded. It took from `begun` to `ended`, which are places in the order of all of them.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) name: String,
    /// What it was given, with the paths of descriptors behind them, and its result.
    pub(super) text: String,
    pub(super) begun: usize,
    pub(super) ended: usize,
}

impl Call {
    /// Whether its first argument is a descriptor of this file.
    pub(super) fn is_on(&self, path: &Path) -> bool {
        let first = self.text.split(['>', ',']).next().unwrap_or_default();
        first.split_once('<').is_some_and(|(_, at)| Path::new(at) == path)
    }

    /// Whether it names this file, in quotes.
    pub(super) fn names(&self, name: &str) -> bool {
        self.text.contains(&format!("\"{name}\""))
    }

    pub(super) fn is_write(&self) -> bool {
        ["write", "pwrite64", "pwritev", "pwritev2", "writev"].contains(&self.name.as_str())
    }

    pub(super) fn is_sync(&self) -> bool {
        self.name == "fsync" || self.name == "fdatasync"
    }

    /// What it returned.
    pub(super) fn result(&self) -> u64 {
        let result = self.text.rsplit_once(" = ").unwrap().1;
        result.split([' ', '<']).next().unwrap().parse().unwrap()
    }
}

/// Runs a command under `strace`, with this input; it must succeed. `None`: there is no `strace`.
#[track_caller]
pub(super) fn traced(command: &Command, input: &[u8]) -> Option<Vec<Call>> {
    if !has("strace") {
        return None;
    }
    let trace = tempfile::NamedTempFile::new().unwrap();
    let mut strace = Command::new("strace");
    strace.args(["-f", "-y", "-s", "80", "-e", "trace=%file,%desc", "-o"]).arg(trace.path());
    strace.arg(command.get_program()).args(command.get_args());
    let mut strace = assert_cmd::Command::from_std(strace);
    let output = strace.timeout(super::common::PATIENCE).write_stdin(input).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = std::fs::read(trace.path()).unwrap();
    Some(calls(&String::from_utf8_lossy(&text)))
}

/// Reads what `strace -f` wrote. Calls of several threads overlap: such a one is told in two halves.
fn calls(trace: &str) -> Vec<Call> {
    let (mut calls, mut open) = (Vec::new(), Vec::<(String, usize, String)>::new());
    for (at, line) in trace.lines().enumerate() {
        let Some((thread, rest)) = line.split_once(' ') else { continue };
        let rest = rest.trim_start();
        if let Some(first) = rest.strip_suffix(" <unfinished ...>") {
            open.push((thread.to_owned(), at, first.to_owned()));
            continue;
        }
        let mut begun = at;
        let mut whole = rest.to_owned();
        if let Some((_, second)) = rest.strip_prefix("<... ").and_then(|rest| rest.split_once(" resumed>")) {
            let place = open.iter().position(|(of, ..)| of == thread).expect("its first half");
            let (_, at, first) = open.remove(place);
            (begun, whole) = (at, first + second);
        }
        let Some((name, text)) = whole.split_once('(') else { continue };
        if text.contains(" = ") && !text.contains(" = -1 ") && !text.contains(" = ?") {
            calls.push(Call { name: name.to_owned(), text: text.to_owned(), begun, ended: at });
        }
    }
    calls
}
