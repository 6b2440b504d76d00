//! Progress on a real terminal, which a pseudo-terminal is.

use super::{eventually, raw_spillpipe};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};

/// A terminal and all that was ever drawn on it.
struct Terminal {
    ours: File,
    theirs: File,
    drawn: Arc<Mutex<Vec<u8>>>,
}

impl Terminal {
    fn new(columns: u16) -> Self {
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&ours).unwrap();
        unlockpt(&ours).unwrap();
        let name = ptsname(&ours, Vec::new()).unwrap().into_string().unwrap();
        let theirs = OpenOptions::new().read(true).write(true).open(name).unwrap();
        let terminal = Self { ours: File::from(ours), theirs, drawn: Arc::default() };
        terminal.resize(columns);
        let (mut from, drawn) = (terminal.ours.try_clone().unwrap(), Arc::clone(&terminal.drawn));
        // Ends when the last handle on the other side is closed.
        let reader = move || {
            let mut buffer = [0; 4096];
            while let Ok(n @ 1..) = from.read(&mut buffer) {
                drawn.lock().unwrap().extend_from_slice(&buffer[..n]);
            }
        };
        std::thread::Builder::new().spawn(reader).unwrap();
        terminal
    }

    fn resize(&self, columns: u16) {
        let size = Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&self.theirs, size).unwrap();
    }

    fn drawn(&self) -> String {
        String::from_utf8(self.drawn.lock().unwrap().clone()).unwrap()
    }

    fn start(&self, args: &[&str]) -> Child {
        let stderr = self.theirs.try_clone().unwrap();
        raw_spillpipe(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(stderr).spawn().unwrap()
    }

    /// Waits until a frame that contains `words` is drawn.
    #[track_caller]
    fn wait_for(&self, words: &str) {
        eventually(words, || self.drawn().contains(words).then_some(()));
    }
}

#[test]
fn progress_is_drawn_in_place_within_the_width_and_removed() {
    for (columns, words) in [(80, "backlog"), (40, "out")] {
        let terminal = Terminal::new(columns);
        let mut child = terminal.start(&["--interval", "0.1", "--size", "100"]);
        child.stdin.as_ref().unwrap().write_all(b"hello").unwrap();
        terminal.wait_for("5% ");
        terminal.wait_for(words);
        drop(child.stdin.take());
        assert_eq!(child.wait().unwrap().code(), Some(0));
        terminal.wait_for("spillpipe: 5 B in ");
        let drawn = terminal.drawn();
        let (progress, summary) = drawn.split_once("spillpipe: ").unwrap();
        assert!(!progress.contains(['\n', '\u{1b}']), "{drawn:?}");
        assert!(progress.split(['\r', '\u{8}']).all(|frame| frame.len() < columns.into()), "{drawn:?}");
        assert!(progress.ends_with(" \r"), "removed before the summary: {drawn:?}");
        assert_eq!(summary.matches('\n').count(), 1, "{drawn:?}");
    }
}

#[test]
fn progress_follows_the_size_of_the_terminal() {
    let terminal = Terminal::new(80);
    let mut child = terminal.start(&["--interval", "0.1"]);
    terminal.wait_for("disk");
    terminal.resize(40);
    eventually("a narrow frame", || {
        terminal.drawn().rsplit('\r').any(|frame| frame.contains("out") && !frame.contains("disk")).then_some(())
    });
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
}

#[test]
fn the_terminal_shows_nothing_when_that_is_asked_for() {
    for (args, expected) in
        [(&["-q", "--interval", "0.1"][..], ""), (&["--progress", "never", "--interval", "0.1"], "spillpipe: 0 B in ")]
    {
        let terminal = Terminal::new(80);
        let mut child = terminal.start(args);
        std::thread::sleep(std::time::Duration::from_millis(300));
        drop(child.stdin.take());
        assert!(child.wait().unwrap().success());
        if !expected.is_empty() {
            terminal.wait_for(expected);
        }
        assert!(terminal.drawn().starts_with(expected) && !terminal.drawn().contains("backlog    "));
    }
}

#[test]
fn a_terminal_for_everything_is_as_with_cat() {
    let terminal = Terminal::new(80);
    let stream = || terminal.theirs.try_clone().unwrap();
    let mut command = raw_spillpipe(&["--interval", "0.1"]);
    let mut child = command.stdin(stream()).stdout(stream()).stderr(stream()).spawn().unwrap();
    drop(command); // It holds the other side open.
    (&terminal.ours).write_all(b"hello\n").unwrap();
    terminal.wait_for("hello\r\nhello\r\n"); // The echo, and what went through.
    std::thread::sleep(std::time::Duration::from_millis(300));
    (&terminal.ours).write_all(b"\x04").unwrap();
    assert!(child.wait().unwrap().success());
    terminal.wait_for("spillpipe: 6 B in ");
    assert!(!terminal.drawn().contains("backlog    "), "no progress amid the data: {:?}", terminal.drawn());
}

#[test]
fn a_message_goes_around_the_progress_line() {
    let terminal = Terminal::new(80);
    let mut child = terminal.start(&["--interval", "0.1", "-o", "/dev/full"]);
    terminal.wait_for("backlog");
    child.stdin.take().unwrap().write_all(b"x").unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1));
    terminal.wait_for("\rspillpipe: cannot write /dev/full: No space left on device\r\n");
}
