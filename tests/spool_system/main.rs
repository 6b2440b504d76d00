//! The spool as a system: the real binary, the real kernel, disks that are full, processes that are killed, files that
//! somebody else has put there.

#![expect(clippy::unwrap_used, reason = "a test may end so")]

mod damage;
mod durable;
mod files;
mod follow;
mod full;
mod kill;
mod locks;
mod nospace;
mod places;
mod trace;

#[path = "../common/mod.rs"]
mod common;
#[path = "../mounted/mod.rs"]
mod mounted;

use common::PATIENCE;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

/// A spool in a directory of the test's own, or soon.
struct Spool {
    dir: PathBuf,
    home: Option<tempfile::TempDir>,
}

impl Spool {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        Self { dir: home.path().join("s"), home: Some(home) }
    }

    /// In a directory that somebody else sees to.
    fn within(place: &Path) -> Self {
        Self { dir: place.join("s"), home: None }
    }

    /// A place beside the spool.
    fn beside(&self, name: &str) -> PathBuf {
        self.home.as_ref().unwrap().path().join(name)
    }

    /// A command on it: `DIR` among the arguments, which spaces separate, is its directory.
    fn command(&self, args: &str) -> Command {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("spillpipe"));
        command.args(args.split_whitespace().map(|arg| if arg == "DIR" { self.dir.as_os_str() } else { arg.as_ref() }));
        command
    }

    fn run(&self, args: &str, input: impl Into<Vec<u8>>) -> Output {
        let mut command = assert_cmd::Command::from_std(self.command(args));
        command.timeout(PATIENCE).write_stdin(input).output().unwrap()
    }

    /// Pushes in silence, whatever the file system has free.
    #[track_caller]
    fn push(&self, options: &str, input: impl Into<Vec<u8>>) {
        silent(self.run(&format!("push --min-free 0 {options} DIR"), input));
    }

    /// Pops in silence.
    #[track_caller]
    fn pop(&self, options: &str) -> Vec<u8> {
        silent(self.run(&format!("pop {options} DIR"), ""))
    }

    #[track_caller]
    fn info(&self) -> Value {
        serde_json::from_slice(&silent(self.run("info --json DIR", ""))).unwrap()
    }

    /// Waits until a writer has it, or has taken in so many bytes.
    #[track_caller]
    fn wait_for_writer(&self, bytes: u64) {
        until("a writer", || {
            let output = self.run("info --json DIR", "");
            let info: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
            info["writer_in_use"] == true && info["newest_offset_bytes"].as_u64() >= Some(bytes)
        });
    }

    /// Starts a command with pipes on every end.
    fn start(&self, args: &str) -> Running {
        Running::start(self.command(args))
    }

    /// The segments there are, oldest first.
    fn segments(&self) -> Vec<PathBuf> {
        let files = std::fs::read_dir(&self.dir).unwrap().map(|entry| entry.unwrap().path());
        let mut segments: Vec<_> =
            files.filter(|file| file.extension().is_some_and(|e| e == "zst" || e == "lz4")).collect();
        segments.sort();
        segments
    }

    /// Bytes of all segments.
    fn stored_bytes(&self) -> u64 {
        let entries = std::fs::read_dir(&self.dir).into_iter().flatten().flatten();
        let segments = entries.filter(|entry| entry.path().extension().is_some_and(|e| e == "zst" || e == "lz4"));
        // Some go while this looks.
        segments.filter_map(|entry| Some(entry.metadata().ok()?.len())).sum()
    }
}

/// A command at work, killed when it outlives the test.
struct Running(Child);

impl Running {
    fn start(mut command: Command) -> Self {
        let piped = || Stdio::piped();
        Self(command.stdin(piped()).stdout(piped()).stderr(piped()).spawn().unwrap())
    }

    fn input(&mut self) -> ChildStdin {
        self.0.stdin.take().unwrap()
    }

    fn output(&mut self) -> BufReader<ChildStdout> {
        BufReader::new(self.0.stdout.take().unwrap())
    }

    fn write(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.stdin.as_mut().unwrap().write_all(bytes.as_ref()).unwrap();
    }

    fn is_running(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }

    /// Kills it as nothing can be handled.
    fn kill(mut self) {
        self.0.kill().unwrap();
        assert_eq!(self.0.wait().unwrap().signal(), Some(9), "it had not ended before");
    }

    /// Processor time that it has used, all threads.
    fn processor_time(&self) -> Duration {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.0.id())).unwrap();
        let spent = tasks.flatten().map(|task| {
            let text = std::fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
            text.split_whitespace().next().map_or(0, |ns| ns.parse().unwrap())
        });
        Duration::from_nanos(spent.sum())
    }

    /// Processor time that it uses in so much time.
    fn processor_time_in(&self, time: Duration) -> Duration {
        let before = self.processor_time();
        std::thread::sleep(time);
        self.processor_time().saturating_sub(before)
    }

    /// Waits for its end, with the input closed, and returns what it wrote and said.
    #[track_caller]
    fn end(mut self) -> (ExitStatus, Vec<u8>, String) {
        drop(self.0.stdin.take());
        let mut out = Vec::new();
        if let Some(mut stdout) = self.0.stdout.take() {
            stdout.read_to_end(&mut out).unwrap();
        }
        let mut status = None;
        until("its end", || {
            status = self.0.try_wait().unwrap();
            status.is_some()
        });
        let mut said = String::new();
        self.0.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        (status.unwrap(), out, said)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Asserts that it succeeded without a word, and returns what it wrote.
#[track_caller]
fn silent(output: Output) -> Vec<u8> {
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(0), ""));
    output.stdout
}

/// Asserts that it ended with `status` and last said `words`, in plain lines; returns what it wrote.
#[track_caller]
fn fails(output: Output, status: i32, words: &str) -> Vec<u8> {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(status), "{said}");
    assert!(said.lines().last().unwrap_or_default().contains(words), "{words:?} is not in {said:?}");
    assert!(said.lines().all(|line| line.starts_with("spillpipe: ")) && !said.contains("os error"), "{said}");
    output.stdout
}

/// Waits until `done`.
#[track_caller]
fn until(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < PATIENCE, "{what}: it does not come to pass");
        std::thread::sleep(Duration::from_millis(3));
    }
}

/// The next line, in so much time as a hang does not have.
#[track_caller]
fn line(from: &mut impl BufRead) -> String {
    let mut line = String::new();
    from.read_line(&mut line).unwrap();
    line
}

/// Whether a program can be run here; says so, where nobody can overlook it, when it cannot.
fn has(program: &str) -> bool {
    let found = Command::new(program).arg("--version").output().is_ok();
    if !found {
        common::skipped(&format!("there is no {program}"));
    }
    found
}
