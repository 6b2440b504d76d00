//! What is told at the end: digests, figures, messages.

use super::{assert_fails, assert_silent, eventually, raw_spillpipe, shell, spillpipe};
use serde_json::Value;
use std::fs;
use std::io::Read;
use std::process::Stdio;
use tempfile::TempDir;

const DIGESTS_OF_ABC: [(&str, &str); 3] = [
    ("blake3", "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85"),
    ("sha256", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    ("crc32", "352441c2"),
];

#[test]
fn digests_are_printed_because_they_were_asked_for() {
    for (name, hex) in DIGESTS_OF_ABC {
        for quiet in [&[][..], &["-q"]] {
            let output = spillpipe(&["--digest", name]).args(quiet).write_stdin("abc").output().unwrap();
            assert_eq!(String::from_utf8(output.stderr).unwrap(), format!("{name} {hex}\n"));
            assert_eq!(output.stdout, b"abc");
        }
    }
}

#[test]
fn no_digest_is_printed_for_what_did_not_arrive() {
    let output = spillpipe(&["--digest", "crc32", "-o", "/dev/full"]).write_stdin("abc").output().unwrap();
    assert_fails(&output, 1, "No space left on device");
}

fn stats(args: &[&str], stdin: &str) -> Value {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("stats.json");
    let _ = spillpipe(args).arg("--stats").arg(&path).write_stdin(stdin).output().unwrap();
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn figures_of_a_success() {
    let stats = stats(&["--name", "db", "--digest", "crc32", "-m", "8M"], "abc");
    for (field, expected) in [
        ("version", Value::from(env!("CARGO_PKG_VERSION"))),
        ("name", "db".into()),
        ("bytes_in", 3.into()),
        ("bytes_out", 3.into()),
        ("memory_limit_bytes", (8 << 20).into()),
        ("disk_peak_bytes", 0.into()),
        ("ratio", Value::Null),
        ("dropped_chunks", 0.into()),
        ("exit_status", 0.into()),
        ("error", Value::Null),
    ] {
        assert_eq!(stats[field], expected, "{field}");
    }
    assert_eq!(stats["digest"], serde_json::json!({ "algorithm": "crc32", "hex": "352441c2" }));
    let codecs: Vec<_> = stats["chunks"].as_object().unwrap().keys().map(String::as_str).collect();
    let mut expected = spillpipe::codec::TABLE.map(|row| row.name);
    expected.sort_unstable(); // As the test's JSON reader keeps them, or not.
    assert!(expected.iter().all(|name| codecs.contains(name)) && codecs.len() == expected.len());
    assert!(stats["seconds"].as_f64().unwrap() > 0.0);
    assert!(stats["rss_peak_bytes"].as_u64().unwrap() > 1 << 20);
}

#[test]
fn figures_of_a_failure() {
    let failed = stats(&["-o", "/dev/full"], "abc");
    assert_eq!(failed["exit_status"], 1);
    assert_eq!(failed["error"], "cannot write /dev/full: No space left on device");
    assert_eq!((&failed["bytes_out"], &failed["digest"]), (&0.into(), &Value::Null));
    assert_eq!(stats(&["-i", "/nonexistent"], "")["error"], "cannot open /nonexistent: No such file or directory");
}

#[test]
fn every_figure_is_documented_in_its_order() {
    let document = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/stats.md")).unwrap();
    let (_, document) = document.split_once("\n## The filter\n").unwrap();
    let (filter, _) = document.split_once("\n## ").unwrap();
    let documented: Vec<_> = filter.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    let output = spillpipe(&["--stats", "-"]).output().unwrap();
    let written = String::from_utf8(output.stderr).unwrap();
    let written: Vec<_> = written.lines().filter_map(|line| line.strip_prefix("  \"")?.split('"').next()).collect();
    assert_eq!(documented, written);
}

#[test]
fn figures_that_cannot_be_written_are_told_before_the_work() {
    let output = spillpipe(&["--stats", "/nonexistent/x"]).write_stdin("abc").output().unwrap();
    assert_fails(&output, 1, "cannot write figures to /nonexistent/x: No such file or directory");
    let output = spillpipe(&["--stats", "/dev/full"]).output().unwrap();
    assert_fails(&output, 1, "cannot write figures to /dev/full: No space left on device");
}

#[test]
fn figures_can_go_to_a_device() {
    assert_silent(spillpipe(&["--stats", "/dev/null"]).output().unwrap());
    assert!(!fs::metadata("/dev/null").unwrap().is_file());
    let output = shell("echo | \"$0\" --stats /dev/fd/3 3>&1 >/dev/null").output().unwrap();
    let stats: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(stats["bytes_in"], 1);
}

#[test]
fn it_is_silent_without_a_terminal_and_sums_up_when_asked() {
    assert_silent(spillpipe(&[]).write_stdin("abc").output().unwrap());
    let output = spillpipe(&["-v", "--name", "db"]).write_stdin("abc").output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.starts_with("spillpipe[db]: 3 B in ") && said.contains("producer waited 0.0 s"), "{said}");
    assert_eq!(said.lines().count(), 1);
}

#[test]
fn a_log_takes_the_messages_and_keeps_those_before() {
    let dir = TempDir::new().unwrap();
    let log = dir.path().join("log");
    fs::write(&log, "before\n").unwrap();
    let run = |args: &[&str]| spillpipe(args).arg("-l").arg(&log).write_stdin("abc").output().unwrap();
    assert_silent(run(&["-q"]));
    let failed = run(&["-o", "/dev/full"]);
    assert_eq!((failed.status.code(), failed.stderr), (Some(1), vec![]));
    let text = fs::read_to_string(&log).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 3, "{text}");
    assert_eq!(lines[0], "before");
    assert!(lines[1].starts_with("spillpipe: 3 B in "), "{text}");
    assert_eq!(lines[2], "spillpipe: cannot write /dev/full: No space left on device");
    let output = spillpipe(&["-l", "/nonexistent/log"]).output().unwrap();
    assert_fails(&output, 1, "cannot write messages to /nonexistent/log: No such file or directory");
}

#[test]
fn progress_without_a_terminal_is_plain_lines() {
    let output = shell("(printf abc; sleep 0.5) | \"$0\" --progress always --interval 0.1 --size 6").output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.lines().count() >= 3, "{said}");
    assert!(
        said.lines().all(|line| line.trim_start().starts_with("50%") && !line.contains(char::is_control)),
        "{said}"
    );
}

/// The consumer reads nothing, so that what is told is told before anything drains.
#[test]
fn a_full_disk_ends_it_with_status_5_when_that_is_asked_for() {
    let args = ["-i", "/dev/urandom", "-m", "8M", "-T", "/var/tmp", "--min-free", "0", "--max-disk", "16M"];
    let mut command = raw_spillpipe(&args);
    command.args(["--when-full", "fail"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let status = eventually("the end", || child.try_wait().unwrap());
    let mut said = String::new();
    child.stderr.unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(said, "spillpipe: cannot spill to /var/tmp: the limit of 16 MiB is reached (--max-disk)\n");
    assert_eq!(status.code(), Some(5));
}

#[test]
fn a_full_disk_is_told_once_and_what_was_dropped_at_the_end() {
    let mut command = shell(
        "head -c 64M /dev/urandom | \"$0\" -m 8M -T /var/tmp --min-free 0 --max-disk 16M --when-full drop-oldest | \
         (sleep 1; cat) | wc -c",
    );
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    let lines: Vec<_> = said.lines().collect();
    assert_eq!(lines.len(), 2, "{said}");
    assert!(lines[0].contains("the limit of 16 MiB is reached (--max-disk); holding "), "{said}");
    assert!(lines[0].ends_with(" and dropping the oldest"), "{said}");
    assert!(lines[1].starts_with("spillpipe: dropped ") && lines[1].ends_with("(oldest first)"), "{said}");
}
