//! Input and output: files, standard streams, and what must not be touched.

use super::{assert_fails, assert_silent, shell, spillpipe};
use std::fs;
use std::path::PathBuf;
use tempfile::TempDir;

struct Dir(TempDir);

impl Dir {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn file(&self, name: &str, content: &str) -> String {
        fs::write(self.path(name), content).unwrap();
        self.name(name)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn name(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }
}

#[test]
fn standard_input_to_standard_output_byte_by_byte() {
    let data: Vec<u8> = (0..3_000_000_u32).flat_map(u32::to_le_bytes).collect();
    let out = assert_silent(spillpipe(&[]).write_stdin(data.clone()).output().unwrap());
    assert!(out == data);
    assert!(assert_silent(spillpipe(&[]).output().unwrap()).is_empty());
}

#[test]
fn file_to_file() {
    let dir = Dir::new();
    let input = dir.file("in", "hello");
    assert!(assert_silent(spillpipe(&["-i", &input, "-o", &dir.name("out")]).output().unwrap()).is_empty());
    assert_eq!(dir.read("out"), "hello");
}

#[test]
fn a_dash_is_a_standard_stream() {
    let out = assert_silent(spillpipe(&["-i", "-", "-o", "-"]).write_stdin("hello").output().unwrap());
    assert_eq!(out, b"hello");
}

#[test]
fn an_output_that_exists_is_left_alone_without_force() {
    let dir = Dir::new();
    let out = dir.file("out", "precious and long");
    assert_fails(&spillpipe(&["-o", &out]).write_stdin("new").output().unwrap(), 1, "use --force");
    assert_eq!(dir.read("out"), "precious and long");
    assert_silent(spillpipe(&["-f", "-o", &out]).write_stdin("new").output().unwrap());
    assert_eq!(dir.read("out"), "new");
}

#[test]
fn a_device_is_no_file_to_overwrite() {
    assert_silent(spillpipe(&["-o", "/dev/null"]).write_stdin("x").output().unwrap());
    assert_fails(
        &spillpipe(&["-o", "/dev/full"]).write_stdin("x").output().unwrap(),
        1,
        "cannot write /dev/full: No space left on device",
    );
}

#[test]
fn input_and_output_are_never_the_same_file() {
    let dir = Dir::new();
    let file = dir.file("file", "precious");
    fs::hard_link(&file, dir.path("link")).unwrap();
    std::os::unix::fs::symlink(&file, dir.path("symlink")).unwrap();
    for out in ["file", "link", "symlink"] {
        let output = spillpipe(&["-f", "-i", &file, "-o", &dir.name(out)]).output().unwrap();
        assert_fails(&output, 1, "same file");
    }
    assert_fails(&shell(&format!("\"$0\" <'{file}' >>'{file}'")).output().unwrap(), 1, "same file");
    assert_fails(&shell(&format!("\"$0\" -f -o '{file}' <'{file}'")).output().unwrap(), 1, "same file");
    assert_eq!(dir.read("file"), "precious");
}

/// They were emptied, or written into, before anything of them was read.
#[test]
fn figures_and_messages_never_go_over_the_input_or_the_output() {
    let dir = Dir::new();
    let file = dir.file("in", "precious");
    fs::hard_link(&file, dir.path("hard")).unwrap();
    std::os::unix::fs::symlink("in", dir.path("soft")).unwrap();
    std::os::unix::fs::symlink("new", dir.path("dangling")).unwrap();
    fs::create_dir(dir.path("d")).unwrap();
    for (args, words) in [
        ("-i in --stats in", "figures and input are the same file (in)"),
        ("-i in --stats hard", "figures and input are the same file (hard)"),
        ("-i soft --stats in", "figures and input"),
        ("--stats in <in", "figures and input are the same file (in)"),
        ("--stats hard <in", "figures and input"),
        ("--stats ./in >>in", "figures and output"),
        ("-f -i hard -o soft", "input and output"),
        ("-f -o in --stats in", "figures and output"),
        ("-f -o in -l hard", "messages and output"),
        ("-i in -l in", "messages and input are the same file (in)"),
        ("-l in <in", "messages and input"),
        ("-l in --stats in", "figures and messages"),
        ("-o new --stats new -f", "figures and output are the same file (new)"),
        ("-o new -l d/../new", "messages and output"),
        ("-l new --stats ./new", "figures and messages"),
        ("-l dangling -o new -f", "messages and output"),
    ] {
        let script = format!("cd '{}' && \"$0\" {args}", dir.0.path().display());
        assert_fails(&shell(&script).output().unwrap(), 1, words);
        assert_eq!(dir.read("in"), "precious", "{args}");
        assert!(!dir.path("new").exists(), "{args}");
    }
    let script =
        format!("cd '{}' && \"$0\" -l /dev/null --stats /dev/null </dev/null >/dev/null", dir.0.path().display());
    assert_silent(shell(&script).output().unwrap());
    assert_silent(
        spillpipe(&["-i", &file, "-o", &dir.name("o"), "-l", &dir.name("l"), "--stats", &dir.name("s")])
            .output()
            .unwrap(),
    );
    assert_eq!(dir.read("o"), "precious");
}

#[test]
fn nothing_is_created_when_the_rest_is_wrong() {
    let dir = Dir::new();
    let (out, missing, file) = (dir.name("out"), dir.name("missing"), dir.file("file", ""));
    for (args, words) in [
        (["-T", &missing, "-o", &out], "cannot spill to"),
        (["-T", &file, "-o", &out], "Not a directory"),
        (["-i", &missing, "-o", &out], "No such file or directory"),
        (["-i", "/tmp", "-o", &out], "cannot read /tmp: Is a directory"),
    ] {
        assert_fails(&spillpipe(&args).output().unwrap(), 1, words);
        assert!(!dir.path("out").exists(), "{words}");
    }
    let output = spillpipe(&["-T", "/nonexistent"]).output().unwrap();
    assert_fails(&output, 1, "cannot spill to /nonexistent: No such file or directory");
    let out = dir.name("missing/out");
    assert_fails(&spillpipe(&["-o", &out]).output().unwrap(), 1, "cannot create");
}

#[test]
fn an_existing_output_survives_a_failure_also_with_force() {
    let dir = Dir::new();
    let out = dir.file("out", "precious");
    assert_fails(&spillpipe(&["-f", "-o", &out, "-T", "/nonexistent"]).output().unwrap(), 1, "cannot spill to");
    assert_fails(&spillpipe(&["-f", "-o", &out, "-i", "/nonexistent"]).output().unwrap(), 1, "cannot open");
    assert_eq!(dir.read("out"), "precious");
}

#[test]
fn the_spill_directory_comes_from_the_environment() {
    assert_fails(&spillpipe(&[]).env("TMPDIR", "/nonexistent").output().unwrap(), 1, "/nonexistent");
    assert_silent(spillpipe(&["-T", "/var/tmp"]).env("TMPDIR", "/nonexistent").output().unwrap());
    assert_silent(spillpipe(&[]).env("TMPDIR", "").output().unwrap());
}

/// Rust's runtime puts /dev/null in the place of a closed stream: all data would be lost, and success reported.
#[test]
fn a_closed_standard_stream_is_an_error_and_no_success() {
    let closed = shell("echo data | \"$0\" >&-").output().unwrap();
    assert_fails(&closed, 1, "cannot write standard output: Bad file descriptor");
    let closed = shell("\"$0\" <&-").output().unwrap();
    assert_fails(&closed, 1, "cannot read standard input: Bad file descriptor");
    assert_silent(shell("echo data | \"$0\" >/dev/null").output().unwrap());
    assert_silent(shell("echo data | \"$0\" 1<>/dev/null").output().unwrap());
    assert_silent(shell("\"$0\" -i /dev/null -o /dev/null <&- >&-").output().unwrap());
}

#[test]
fn a_closed_standard_error_is_no_reason_to_fail() {
    assert_eq!(assert_silent(shell("echo data | \"$0\" -v --digest crc32 2>&-").output().unwrap()), b"data\n");
    assert_eq!(assert_silent(shell("echo data | \"$0\" -v 2>/dev/full").output().unwrap()), b"data\n");
    let output = shell("\"$0\" -i /nonexistent 2>&-").output().unwrap();
    assert_eq!((output.status.code(), output.stderr), (Some(1), vec![]));
}
