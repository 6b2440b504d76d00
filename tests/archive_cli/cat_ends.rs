//! `cat`: where it reads from, where it writes to, and what happens when one of them ends.

use super::cat::home;
use super::inherited::ignores;
use super::patience::{PATIENCE, eventually};
use super::samples::{noise, text};
use super::{Home, fails, silent};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use spillpipe::format::{HEADER_BYTES, RECORD_BYTES};
use std::fs;
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::sync::mpsc::sync_channel;

#[test]
fn a_pipe_and_a_named_pipe_are_read_as_they_come() {
    let (home, data) = home();
    let output = home.shell(r#"mkfifo f; cat a.zst >f & "$0" cat f"#);
    assert!(silent(output) == data);
    let script = r#"(head -c 5000; sleep 0.1; cat) <a.zst | "$0" cat --range 16K.. | cat"#;
    assert!(silent(home.shell(script)) == data[16_384..]);
}

#[test]
fn a_chunk_comes_out_as_soon_as_it_is_there() {
    let (home, data) = home();
    let archive = home.read("a.zst");
    let frame_len = u32::from_le_bytes(*archive[HEADER_BYTES + 0x2C..].first_chunk().unwrap());
    let (first, rest) = archive.split_at(HEADER_BYTES + RECORD_BYTES + frame_len as usize);
    let mut cat = home.raw("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    cat.stdin.as_mut().unwrap().write_all(first).unwrap();
    let mut out = vec![0; 4096];
    cat.stdout.as_mut().unwrap().read_exact(&mut out).unwrap();
    cat.stdin.take().unwrap().write_all(rest).unwrap();
    cat.stdout.as_mut().unwrap().read_to_end(&mut out).unwrap();
    assert!(out == data && cat.wait().unwrap().success());
}

#[test]
fn what_pack_has_taken_in_comes_out_of_cat_while_pack_waits_for_more() {
    let (home, data) = (Home::new(), noise(3, 3 * 4096));
    let mut pack = home.raw("pack -s 4K -t 2").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let archive = pack.stdout.take().unwrap();
    let mut cat = home.raw("cat").stdin(archive).stdout(Stdio::piped()).spawn().unwrap();
    let (mut input, mut output) = (pack.stdin.take().unwrap(), cat.stdout.take().unwrap());
    let (sender, came) = sync_channel(3);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let mut chunk = vec![0; 4096];
            while output.read_exact(&mut chunk).is_ok() && sender.send(chunk.clone()).is_ok() {}
        });
        for chunk in data.chunks(4096) {
            input.write_all(chunk).unwrap();
            let came = came.recv_timeout(PATIENCE / 4);
            if came.as_deref() != Ok(chunk) {
                drop((pack.kill(), cat.kill()));
                panic!("{}", came.map_or_else(|error| error.to_string(), |_| "it is another".to_owned()));
            }
        }
        drop(input);
    });
    assert!(pack.wait().unwrap().success() && cat.wait().unwrap().success());
}

#[test]
fn a_consumer_that_has_enough_ends_it_as_it_ends_cat() {
    let home = Home::new();
    silent(home.run("pack -s 4K -o a", noise(1, 1 << 20)));
    let output = home.shell(r#"{ "$0" cat a; echo $? >status; } | head -c 1"#);
    assert_eq!((&output.stdout[..], &output.stderr[..]), (&noise(1, 1)[..], &b""[..]));
    assert_eq!(home.read("status"), b"141\n");
    let output = home.shell(r#"{ sleep 0.2; "$0" cat -t 0 a; echo $? >status; } | true"#);
    assert_eq!((silent(output), home.read("status")), (vec![], b"141\n".to_vec()));
}

#[test]
fn a_consumer_that_goes_away_is_noticed_while_nothing_comes() {
    let home = Home::new();
    for args in ["cat", "cat --plain -t 0"] {
        let mut cat = home.raw(args).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        drop(cat.stdout.take());
        let status = eventually("its end", || cat.try_wait().unwrap());
        assert_eq!(status.signal(), Some(Signal::PIPE.as_raw()));
    }
}

#[test]
fn an_output_that_takes_no_more_is_told() {
    let (home, _) = home();
    let output = home.shell(r#""$0" cat a.zst >/dev/full"#);
    fails(output, 1, "cannot write standard output: No space left on device");
    fails(home.run("cat -o /dev/full a.zst", ""), 1, "cannot write /dev/full: No space left on device");
    fails(home.shell(r#""$0" cat a.zst >&-"#), 1, "cannot write standard output: Bad file descriptor");
    fails(home.shell(r#""$0" cat <&-"#), 1, "cannot read standard input: Bad file descriptor");
    silent(home.run("cat -o /dev/null a.zst", ""));
}

#[test]
fn a_file_gets_its_name_when_all_of_it_is_there() {
    let (home, data) = home();
    silent(home.run("cat -o out a.zst", ""));
    assert!(home.read("out") == data);
    fails(home.run("cat -o out a.zst", ""), 1, "cannot create out: it exists; use --force to replace it");
    silent(home.run("cat -f -o out --range ..5 a.zst", ""));
    assert!(home.read("out") == data[..5]);
    fails(home.run("cat -o none/out a.zst", ""), 1, "cannot create none/out: No such file or directory");
    assert_eq!(home.names(), ["a.zst", "out"]);
}

#[test]
fn an_output_that_is_an_input_is_refused() {
    let (home, _) = home();
    let before = home.read("a.zst");
    fails(home.run("cat -f -o a.zst a.zst", ""), 1, "input and output are the same file (a.zst)");
    fails(home.shell(r#""$0" cat a.zst >>a.zst"#), 1, "input and output are the same file (a.zst)");
    fails(home.shell(r#""$0" cat - <a.zst >>a.zst"#), 1, "input and output are the same file");
    fails(home.run("cat --stats a.zst a.zst", ""), 1, "figures and input are the same file (a.zst)");
    fails(home.run("cat --log a.zst ./a.zst", ""), 1, "messages and input are the same file (a.zst)");
    assert!(home.read("a.zst") == before);
    let output = home.run("cat a.zst a.zst", "");
    assert_eq!(silent(output).len(), 40_000, "it may come twice");
}

#[test]
fn a_terminal_is_shown_what_comes_out_and_gives_no_archive() {
    let home = Home::new();
    silent(home.run("pack -o a", "hello"));
    let (mut master, terminal) = terminal();
    let cat = home.raw("cat a").stdin(Stdio::null()).stdout(terminal.try_clone().unwrap()).status().unwrap();
    let mut shown = [0; 5];
    master.read_exact(&mut shown).unwrap();
    assert_eq!((&shown, cat.code()), (b"hello", Some(0)));
    let cat = home.raw("cat").stdin(terminal).stderr(Stdio::piped()).spawn().unwrap();
    fails(cat.wait_with_output().unwrap(), 2, "an archive does not come from a terminal; give a PATH");
}

/// A pseudo-terminal: who sits there, and the terminal.
fn terminal() -> (fs::File, fs::File) {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
    (master.into(), fs::OpenOptions::new().read(true).write(true).open(name).unwrap())
}

/// Whether a process has a handler for this signal.
fn catches(process: u32, signal: Signal) -> bool {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap().trim();
    u64::from_str_radix(caught, 16).unwrap() >> (signal.as_raw() - 1) & 1 == 1
}

#[test]
fn a_signal_ends_it_and_leaves_nothing() {
    for signal in [Signal::TERM, Signal::INT] {
        let home = Home::new();
        let mut cat = home.raw("cat -o out").stdin(Stdio::piped()).spawn().unwrap();
        eventually("that it catches signals", || catches(cat.id(), signal).then_some(()));
        kill_process(Pid::from_child(&cat), signal).unwrap();
        assert_eq!(eventually("its end", || cat.try_wait().unwrap()).signal(), Some(signal.as_raw()));
        assert!(home.names().is_empty(), "{:?}", home.names());
    }
}

#[test]
fn a_spool_is_read_from_where_it_still_has_data() {
    let (home, front, rest) = (Home::new(), text(2, 9000), noise(2, 9000));
    silent(home.run("push -q --no-end --min-free 0 s", front.clone()));
    silent(home.run("push -q --min-free 0 s", rest.clone()));
    assert!(silent(home.run("cat s", "")) == [&front[..], &rest].concat());
    assert!(silent(home.run("cat --range 8990..9010 s", "")) == [&front[8990..], &rest[..10]].concat());
    assert!(silent(home.run("pop -q --max-bytes 9001 s", "")) == [&front[..], &rest[..1]].concat());
    assert!(silent(home.run("cat s", "")) == rest, "a segment that was acknowledged is gone");
    assert!(silent(home.run("cat --range 9010..9020 s", "")) == rest[10..20], "by its place in the stream");
    let output = home.run("cat --range 8990..9010 s", "");
    let told = "spillpipe: s: 10 bytes of the range lie in front of its data\n";
    assert_eq!(String::from_utf8_lossy(&output.stderr), told);
    assert!(output.stdout == rest[..10] && output.status.success());
    assert!(silent(home.run("pop -q s", "")) == rest[1..], "nothing was acknowledged by all that");
    assert_eq!(silent(home.run("cat s", "")), b"", "a spool is one also when it is drained");
}

#[test]
fn parts_and_loose_segments_are_read_as_one() {
    let (home, data) = home();
    silent(home.run("split a.zst --bytes 8K parts", ""));
    let mut parts: Vec<_> = fs::read_dir(home.file("parts")).unwrap().map(|entry| entry.unwrap().path()).collect();
    parts.sort();
    assert!(parts.len() > 1, "{parts:?}");
    assert!(silent(home.run("cat parts", "")) == data);
    assert!(silent(home.run("cat --range 15000..17000 parts", "")) == data[15_000..17_000]);
    let joined: Vec<u8> = parts.iter().flat_map(|part| fs::read(part).unwrap()).collect();
    assert!(silent(home.run("cat --range 15000.. -", joined)) == data[15_000..]);
    let last = parts.last().unwrap().display().to_string();
    assert!(data.ends_with(&silent(home.run(&format!("cat {last}"), ""))), "a part is an archive of its own");
}

#[test]
fn a_signal_ends_the_search_of_an_input_without_an_end() {
    if ignores(Signal::TERM) {
        return;
    }
    let (home, _) = home();
    fs::write(home.file("begin"), &home.read("a.zst")[..128]).unwrap();
    let mut feed = Command::new("sh");
    feed.args(["-c", "cat begin; exec cat /dev/zero"]).current_dir(home.path()).stdout(Stdio::piped());
    let mut feed = feed.spawn().unwrap();
    let input = feed.stdout.take().unwrap();
    let mut cat = home.raw("cat").stdin(input).stdout(Stdio::null()).spawn().unwrap();
    let has_taken = || fs::read_to_string(format!("/proc/{}/io", cat.id())).unwrap_or_default();
    eventually("the search", || (!has_taken().contains("rchar: 0\n")).then_some(()));
    kill_process(Pid::from_child(&cat), Signal::TERM).unwrap();
    assert_eq!(eventually("its end", || cat.try_wait().unwrap()).signal(), Some(Signal::TERM.as_raw()));
    feed.wait().unwrap();
}
