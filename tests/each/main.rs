//! `spillpipe each` as its users see it: the real binary, a real spool, real commands.

#![expect(clippy::unwrap_used, reason = "a test may end so")]

mod batches;
mod commands;
mod examples;
mod failures;
mod following;
mod kills;

#[path = "../inherited/mod.rs"]
mod inherited;
#[path = "../patience/mod.rs"]
mod patience;
#[path = "../samples/mod.rs"]
mod samples;

use patience::{PATIENCE, eventually};
use samples::text;
use spillpipe::format::EndState;
use spillpipe::ring::Headroom;
use spillpipe::spool::{Records, Spool, Sync, Writer, WriterOptions};
use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A spool, and beside it a directory for what commands write, which they find in `$OUT`.
struct Place {
    dir: TempDir,
}

impl Place {
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        std::fs::create_dir(dir.path().join("out")).unwrap();
        Self { dir }
    }

    fn spool(&self) -> PathBuf {
        self.dir.path().join("spool")
    }

    fn out(&self) -> PathBuf {
        self.dir.path().join("out")
    }

    /// A writer of chunks of this size.
    fn writer(&self, chunk_bytes: usize, records: Records) -> Writer {
        let mut options = WriterOptions::default();
        (options.chunk_bytes, options.threads, options.records) = (chunk_bytes, 0, records);
        (options.sync, options.min_free) = (Sync::Asked, Headroom::Bytes(0));
        Spool::create(self.spool()).unwrap().writer(options).unwrap()
    }

    /// Pushes all of `data` and ends the stream.
    fn push(&self, chunk_bytes: usize, data: &[u8]) {
        let mut writer = self.writer(chunk_bytes, Records::None);
        writer.write_all(data).unwrap();
        writer.finish(EndState::End).unwrap();
    }

    /// The command with these options, to run this script of the shell.
    fn each(&self, options: &str, script: &str) -> Command {
        self.each_of(options, ["sh", "-c", script])
    }

    fn each_of<S: AsRef<OsStr>>(&self, options: &str, command: impl IntoIterator<Item = S>) -> Command {
        let mut each = Command::new(assert_cmd::cargo::cargo_bin!("spillpipe"));
        each.arg("each").arg(self.spool()).args(options.split_whitespace()).arg("--").args(command);
        each.env("OUT", self.out()).stdin(Stdio::null());
        each
    }

    /// Runs it to its end.
    #[track_caller]
    fn run(&self, options: &str, script: &str) -> Output {
        finish(self.each(options, script).stdout(Stdio::piped()).stderr(Stdio::piped()).begin())
    }

    /// Runs a command that keeps its batches, and says nothing; returns what it got, batch by batch.
    #[track_caller]
    fn take(&self, options: &str) -> Vec<Taken> {
        let before = self.taken().len();
        let output = self.run(options, KEEP);
        assert_eq!((output.status.code(), said(&output)), (Some(0), String::new()));
        self.taken().split_off(before)
    }

    /// What [`KEEP`] has kept, in the order in which it came.
    fn taken(&self) -> Vec<Taken> {
        let list = std::fs::read_to_string(self.out().join("list")).unwrap_or_default();
        list.lines().map(|line| Taken::parse(line, &self.out())).collect()
    }

    /// The segments there are.
    fn segments(&self) -> Vec<PathBuf> {
        let files = std::fs::read_dir(self.spool()).unwrap().map(|file| file.unwrap().path());
        files.filter(|file| file.extension().is_some_and(|it| it == "zst" || it == "lz4")).collect()
    }

    /// A file in `$OUT`, once it is there.
    #[track_caller]
    fn await_file(&self, name: &str) -> String {
        eventually(name, || std::fs::read_to_string(self.out().join(name)).ok())
    }

    /// The line in a file in `$OUT`, once it is there.
    #[track_caller]
    fn await_line(&self, name: &str) -> String {
        let line = eventually(name, || Some(self.await_file(name)).filter(|text| text.ends_with('\n')));
        line.trim().to_owned()
    }

    fn touch(&self, name: &str) {
        std::fs::write(self.out().join(name), "").unwrap();
    }
}

/// Keeps a batch in a file, and what the environment says of it in a list.
const KEEP: &str = r#"
    file=$SPILLPIPE_OFFSET.$SPILLPIPE_ATTEMPT
    cat >"$OUT/$file" && echo "$file $SPILLPIPE_SEQ $SPILLPIPE_OFFSET $SPILLPIPE_BYTES \
        $SPILLPIPE_ATTEMPT $SPILLPIPE_DIGEST" >>"$OUT/list""#;

/// A batch as a command saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Taken {
    data: Vec<u8>,
    seq: u64,
    offset: u64,
    bytes: u64,
    attempt: u32,
    digest: String,
}

impl Taken {
    fn parse(line: &str, out: &Path) -> Self {
        let words: Vec<_> = line.split_whitespace().collect();
        let number = |at: usize| words[at].parse().unwrap();
        let (data, attempt) = (std::fs::read(out.join(words[0])).unwrap(), words[4].parse().unwrap());
        let digest = words[5].to_owned();
        Self { data, seq: number(1), offset: number(2), bytes: number(3), attempt, digest }
    }
}

fn data_of(batches: &[Taken]) -> Vec<u8> {
    batches.iter().flat_map(|batch| batch.data.clone()).collect()
}

fn seqs(batches: &[Taken]) -> Vec<u64> {
    batches.iter().map(|batch| batch.seq).collect()
}

/// A command that runs, and is killed when its test fails.
struct Running(Child);

/// Starts one.
trait Begin {
    fn begin(&mut self) -> Running;
}

impl Begin for Command {
    fn begin(&mut self) -> Running {
        Running(self.spawn().unwrap())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = (self.0.kill(), self.0.wait());
    }
}

/// Waits for the end of a command, which is a failure when it does not come.
#[track_caller]
fn finish(mut running: Running) -> Output {
    let child = &mut running.0;
    let streams = (child.stdout.take(), child.stderr.take());
    let start = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        assert!(start.elapsed() < PATIENCE, "it hangs");
        std::thread::sleep(Duration::from_millis(2));
    };
    // It ends on its own, and what it says fits into a pipe.
    let (mut stdout, mut stderr) = (vec![], vec![]);
    if let Some(mut stream) = streams.0 {
        std::io::Read::read_to_end(&mut stream, &mut stdout).unwrap();
    }
    if let Some(mut stream) = streams.1 {
        std::io::Read::read_to_end(&mut stream, &mut stderr).unwrap();
    }
    Output { status, stdout, stderr }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Asserts that it failed with `status`, and that its last line has all these words.
#[track_caller]
fn assert_fails(output: &Output, status: i32, words: &[&str]) {
    let said = said(output);
    assert_eq!(output.status.code(), Some(status), "{said}");
    let last = said.lines().last().unwrap_or_default();
    for word in words {
        assert!(last.starts_with("spillpipe: ") && last.contains(word), "no '{word}' in: {said}");
    }
}

fn digest(data: &[u8]) -> String {
    blake3::hash(data).to_hex().to_string()
}

/// Data of `chunks` chunks of 4 KiB, no two alike.
fn chunks(chunks: usize) -> Vec<u8> {
    text(7, chunks << 12)
}
