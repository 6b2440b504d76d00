//! The filter through the real binary, with real pipes, files, sockets and file systems on either end.

#![expect(clippy::unwrap_used, reason = "a test may end so")]

mod bypass;
mod ends;
mod full;
mod promises;
mod round_trip;
mod stress;

#[path = "../inherited/mod.rs"]
mod inherited;
#[path = "../mounted/mod.rs"]
mod mounted;
#[path = "../samples/mod.rs"]
mod samples;

use serde_json::Value;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Longest that any of it may take: a hang is a failure.
const PATIENCE: Duration = Duration::from_mins(1);

/// The filter as a child with pipes on every end, killed when it outlives the test.
struct Filter {
    child: Child,
    dir: tempfile::TempDir,
}

impl Filter {
    /// Starts it with these options, separated by spaces, and a spill directory of its own.
    fn start(options: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self::start_in(options, dir)
    }

    fn start_in(options: &str, dir: tempfile::TempDir) -> Self {
        let child = command(options, dir.path(), &dir.path().join("stats"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self { child, dir }
    }

    fn pid(&self) -> u32 {
        self.child.id()
    }

    fn input(&mut self) -> ChildStdin {
        self.child.stdin.take().unwrap()
    }

    fn output(&mut self) -> ChildStdout {
        self.child.stdout.take().unwrap()
    }

    /// Waits for its end, and returns what it said, and its figures.
    #[track_caller]
    fn end(mut self) -> (ExitStatus, String, Value) {
        let start = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(start.elapsed() < PATIENCE, "it hangs");
            std::thread::sleep(Duration::from_millis(5));
        };
        let mut said = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        let json = std::fs::read(self.dir.path().join("stats")).unwrap_or_default();
        (status, said, serde_json::from_slice(&json).unwrap_or_default())
    }

    /// Files in the spill directory, the figures aside.
    fn files(&self) -> usize {
        std::fs::read_dir(self.dir.path()).unwrap().filter(|e| e.as_ref().unwrap().file_name() != "stats").count()
    }
}

impl Drop for Filter {
    fn drop(&mut self) {
        // It has ended already, but for a test that failed.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn command(options: &str, tmpdir: &Path, stats: &Path) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("spillpipe"));
    command.args(options.split_whitespace()).arg("--tmpdir").arg(tmpdir).arg("--stats").arg(stats);
    command
}

/// Sends `input` through it, while `consume` reads; it must succeed in silence.
#[track_caller]
fn through<T: Send>(options: &str, input: &[u8], consume: impl FnOnce(ChildStdout) -> T + Send) -> (T, Value) {
    let mut filter = Filter::start(options);
    let (mut producer, consumer) = (filter.input(), filter.output());
    let out = std::thread::scope(|scope| {
        scope.spawn(move || producer.write_all(input).unwrap());
        consume(consumer)
    });
    let (status, said, figures) = filter.end();
    assert!(status.success() && said.is_empty(), "{options}: {status}: {said}");
    (out, figures)
}

fn read_all(mut consumer: impl std::io::Read) -> Vec<u8> {
    let mut out = Vec::new();
    consumer.read_to_end(&mut out).unwrap();
    out
}

/// Sleeps first, for so many milliseconds.
fn sleeper(ms: u64) -> impl Fn(ChildStdout) -> Vec<u8> + Send {
    move |consumer| {
        std::thread::sleep(Duration::from_millis(ms));
        read_all(consumer)
    }
}

/// Waits until `done`.
#[track_caller]
fn until(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < PATIENCE, "{what}: it does not come to pass");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Nameless files that the process holds open in `dir`: descriptor and bytes on disk.
fn spill_files(pid: u32, dir: &Path) -> Vec<(std::path::PathBuf, u64)> {
    use std::os::unix::fs::MetadataExt as _;
    let fds = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten().map(|e| e.path());
    let spilled = fds.filter(|fd| {
        let target = std::fs::read_link(fd).unwrap_or_default();
        target.starts_with(dir) && target.to_string_lossy().ends_with("(deleted)")
    });
    spilled.filter_map(|fd| std::fs::metadata(&fd).ok().map(|meta| (fd, meta.blocks() * 512))).collect()
}

fn text(len: usize) -> Vec<u8> {
    samples::text(1, len)
}

fn noise(len: usize) -> Vec<u8> {
    samples::noise(1, len)
}
