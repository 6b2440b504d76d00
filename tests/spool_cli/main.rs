//! The commands that work on a spool, as their users see them: the real binary, on a real directory.

#![expect(clippy::unwrap_used, reason = "a test may end so")]
#![expect(clippy::needless_raw_string_hashes, reason = "expect-test writes them so")]

mod damage;
mod ends;
mod full;
mod info;
mod pop;
mod push;
mod readers;
mod signals;
mod through;
mod usage;

#[path = "../inherited/mod.rs"]
mod inherited;
#[path = "../outcome/mod.rs"]
mod outcome;
#[path = "../patience/mod.rs"]
mod patience;
#[path = "../samples/mod.rs"]
mod samples;

use assert_cmd::Command;
use outcome::{fails, silent};
use patience::{PATIENCE, eventually};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Child, ExitStatus, Output, Stdio};
use tempfile::TempDir;

/// The command, with an input that is empty unless the test gives one. `args` are separated by spaces.
fn spillpipe(args: &str) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("spillpipe"));
    command.args(args.split_whitespace()).timeout(PATIENCE);
    command
}

/// A directory of the test's own, with a spool in it, or soon.
struct Spool {
    home: TempDir,
}

impl Spool {
    fn new() -> Self {
        Self { home: tempfile::tempdir().unwrap() }
    }

    /// One with `data` pushed to it.
    fn with(data: impl Into<Vec<u8>>) -> Self {
        let spool = Self::new();
        spool.push("", data);
        spool
    }

    fn dir(&self) -> PathBuf {
        self.home.path().join("s")
    }

    /// Whether it is a spool by now.
    fn exists(&self) -> bool {
        self.dir().join("spool").exists()
    }

    /// A command on this spool: `DIR` among the arguments is its directory.
    fn command(&self, args: &str) -> Command {
        spillpipe(&self.args(args))
    }

    fn args(&self, args: &str) -> String {
        args.replace("DIR", self.dir().to_str().unwrap())
    }

    fn run(&self, args: &str, input: impl Into<Vec<u8>>) -> Output {
        self.command(args).write_stdin(input).output().unwrap()
    }

    /// Pushes, in silence, whatever the file system has free.
    #[track_caller]
    fn push(&self, options: &str, input: impl Into<Vec<u8>>) {
        let out = silent(self.run(&format!("push --min-free 0 {options} DIR"), input));
        assert!(out.is_empty());
    }

    /// Pops, in silence.
    #[track_caller]
    fn pop(&self, options: &str) -> Vec<u8> {
        silent(self.run(&format!("pop {options} DIR"), ""))
    }

    #[track_caller]
    fn info(&self) -> Value {
        serde_json::from_slice(&silent(self.run("info --json DIR", ""))).unwrap()
    }

    /// The same, of this reader.
    #[track_caller]
    fn reader(&self, name: &str) -> Value {
        let info = self.info();
        let readers = info["readers"].as_array().unwrap();
        readers.iter().find(|reader| reader["name"] == name).expect("a reader of this name").clone()
    }

    /// Starts a command with pipes on every end.
    fn start(&self, args: &str) -> Running {
        let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin!("spillpipe"));
        command.args(self.args(args).split_whitespace());
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        Running(child)
    }

    /// The segments there are, oldest first.
    fn segments(&self) -> Vec<PathBuf> {
        let files = std::fs::read_dir(self.dir()).unwrap().map(|entry| entry.unwrap().path());
        let mut segments: Vec<_> =
            files.filter(|file| file.extension().is_some_and(|e| e == "zst" || e == "lz4")).collect();
        segments.sort();
        segments
    }
}

/// A command at work, killed when it outlives the test.
struct Running(Child);

impl Running {
    fn write(&mut self, bytes: impl AsRef<[u8]>) {
        let stdin = self.0.stdin.as_mut().unwrap();
        stdin.write_all(bytes.as_ref()).unwrap();
    }

    fn close_input(&mut self) {
        self.0.stdin = None;
    }

    fn lines(&mut self) -> BufReader<std::process::ChildStdout> {
        BufReader::new(self.0.stdout.take().unwrap())
    }

    /// Waits for its end, and returns what it wrote and said.
    #[track_caller]
    fn end(mut self) -> (ExitStatus, Vec<u8>, String) {
        self.close_input();
        let mut out = Vec::new();
        if let Some(mut stdout) = self.0.stdout.take() {
            stdout.read_to_end(&mut out).unwrap();
        }
        let status = self.wait();
        let mut said = String::new();
        self.0.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        (status, out, said)
    }

    #[track_caller]
    fn wait(&mut self) -> ExitStatus {
        eventually("its end", || self.0.try_wait().unwrap())
    }

    fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// The next line.
fn line(from: &mut impl BufRead) -> String {
    let mut line = String::new();
    from.read_line(&mut line).unwrap();
    line
}

fn text(len: usize) -> Vec<u8> {
    samples::text(1, len)
}

fn noise(len: usize) -> Vec<u8> {
    samples::noise(1, len)
}

#[track_caller]
fn assert_same(got: &[u8], sent: &[u8]) {
    assert!(got == sent, "{} bytes came out of {}", got.len(), sent.len());
}
