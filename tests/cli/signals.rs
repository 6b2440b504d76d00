//! Signals: SIGUSR1 asks, SIGPIPE and the size limit are what they are for `cat`, SIGTERM ends it.

use super::inherited;
use super::{assert_fails, eventually, raw_spillpipe, shell};
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Stdio};

fn start(args: &[&str]) -> Child {
    let piped = || Stdio::piped();
    raw_spillpipe(args).stdin(piped()).stdout(piped()).stderr(piped()).spawn().unwrap()
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

/// Waits until the process handles SIGUSR1: before that nobody can.
fn wait_for_handler(child: &Child) {
    eventually("a handler for SIGUSR1", || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"))?.trim().to_owned();
        (u64::from_str_radix(&caught, 16).ok()? & (1 << (Signal::USR1.as_raw() - 1)) != 0).then_some(())
    });
}

#[test]
fn sigusr1_prints_a_line_each_time_and_never_kills() {
    for args in [&[][..], &["-q"], &["-l", "/dev/null"]] {
        let mut child = start(args);
        wait_for_handler(&child);
        let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut ask = |bytes: &str| {
            signal(&child, Signal::USR1);
            let mut line = String::new();
            stderr.read_line(&mut line).unwrap();
            assert!(line.starts_with(&format!("spillpipe: {bytes} in, {bytes} out in ")), "{line}");
        };
        ask("0 B");
        stdin.write_all(b"abc").unwrap();
        stdout.read_exact(&mut [0; 3]).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(50)); // Counted just after it is handed out.
        ask("3 B");
        drop(stdin);
        assert_eq!(child.wait().unwrap().code(), Some(0));
    }
}

#[test]
fn sigusr1_is_answered_before_the_pipe_has_started() {
    let dir = tempfile::TempDir::new().unwrap();
    let fifo = dir.path().join("fifo");
    rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR).unwrap();
    let mut child = start(&["-i", fifo.to_str().unwrap()]);
    wait_for_handler(&child);
    signal(&child, Signal::USR1);
    let mut line = String::new();
    BufReader::new(child.stderr.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.starts_with("spillpipe: 0 B in"), "{line}");
    drop(std::fs::OpenOptions::new().write(true).open(&fifo).unwrap());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_consumer_that_goes_away_ends_it_silently_by_sigpipe() {
    let dir = tempfile::TempDir::new().unwrap();
    let stats = dir.path().join("stats.json");
    let mut child = start(&["-i", "/dev/zero", "-v", "--digest", "crc32", "--stats", stats.to_str().unwrap()]);
    child.stdout.take().unwrap().read_exact(&mut [0; 10]).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.signal(), Some(Signal::PIPE.as_raw()));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    let stats: serde_json::Value = serde_json::from_slice(&std::fs::read(stats).unwrap()).unwrap();
    assert_eq!((&stats["exit_status"], &stats["error"]), (&141.into(), &"the consumer went away".into()));
}

#[test]
fn help_into_a_closed_pipe_ends_as_silently() {
    let output = shell("exec 3>&1; { sleep 0.2; \"$0\" --help; echo $? >&3; } | true").output().unwrap();
    assert_eq!((output.stdout, output.stderr), (b"141\n".to_vec(), vec![]));
}

#[test]
fn the_limit_on_file_sizes_is_an_error_like_any_other() {
    let dir = tempfile::TempDir::new().unwrap();
    let out = dir.path().join("out");
    let script = format!("ulimit -f 1; head -c 1000000 /dev/zero | \"$0\" -o '{}'", out.display());
    assert_fails(&shell(&script).output().unwrap(), 1, "File too large");
}

#[test]
fn sigterm_and_sigint_end_it() {
    for deadly in [Signal::TERM, Signal::INT, Signal::HUP] {
        if inherited::ignores(deadly) {
            continue;
        }
        let mut child = start(&[]);
        wait_for_handler(&child);
        signal(&child, deadly);
        assert_eq!(child.wait().unwrap().signal(), Some(deadly.as_raw()));
    }
}
