//! `merge` and `split`, from end to end, and what they refuse.

use super::inherited::ignores;
use super::patience::eventually;
use super::samples::{noise, text};
use super::{Home, fails, silent};
use rustix::process::{Pid, Signal, geteuid, kill_process};
use spillpipe::format::EndState;
use spillpipe::segment::read_all;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

fn packed(home: &Home, name: &str, data: &[u8]) {
    silent(home.run(&format!("pack -s 4K -o {name}"), data));
}

#[track_caller]
fn unpack(archive: &[u8]) -> (Vec<u8>, EndState) {
    let mut data = vec![];
    let (_, seal) = read_all(archive, |_, raw| data.extend_from_slice(raw)).unwrap();
    (data, seal.end)
}

#[test]
fn what_is_split_and_merged_again_is_the_same_data() {
    let (home, data) = (Home::new(), [text(1, 200_000), noise(1, 100_000)].concat());
    packed(&home, "a", &data);
    silent(home.run("split a --bytes 16K parts", ""));
    let parts = fs::read_dir(home.file("parts")).unwrap().count();
    assert!(parts > 5, "{parts}");
    silent(home.run("merge parts -o b", ""));
    assert!(unpack(&home.read("b")) == (data, EndState::End));
    assert_eq!(home.names(), ["a", "b", "parts"]);
}

#[test]
fn parts_of_which_the_first_is_gone_are_not_taken_for_all() {
    let (home, data) = (Home::new(), noise(4, 40_000));
    packed(&home, "a", &data);
    silent(home.run("split a --bytes 16K parts", ""));
    fs::remove_file(home.file("parts").join(format!("{:016x}.zst", 1))).unwrap();
    let told = "segments 1 to 1 are missing";
    assert_eq!(fails(home.run("cat parts", ""), 3, told), b"");
    assert!(String::from_utf8_lossy(&home.run("verify parts", "").stdout).contains(told));
    fails(home.run("verify parts", ""), 3, "damaged");
    fails(home.run("merge parts -o b", ""), 1, told);
    assert!(silent(home.run("cat --range 30000..31000 parts", "")) == data[30_000..31_000], "what is there can be had");
}

#[test]
fn archives_become_one() {
    let home = Home::new();
    for (name, data) in [("a", "one "), ("b", "two "), ("c", "three")] {
        packed(&home, name, data.as_bytes());
    }
    let output = home.run("merge -v a b c -o d --stats stats", "");
    assert_eq!(unpack(&home.read("d")), (b"one two three".to_vec(), EndState::End));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.starts_with("spillpipe: ") && said.ends_with("; 3 chunks in 1 segment\n"), "{said}");
    let figures: serde_json::Value = serde_json::from_slice(&home.read("stats")).unwrap();
    assert_eq!((&figures["command"], &figures["bytes_in"]), (&"merge".into(), &13.into()));
    fails(home.run("merge a b -o d", ""), 1, "cannot create d: it exists; use --force to replace it");
    silent(home.run("merge a b -f -o d", ""));
    assert_eq!(unpack(&home.read("d")).0, b"one two ");
}

#[test]
fn a_spool_becomes_an_archive() {
    let home = Home::new();
    for word in ["one ", "two"] {
        silent(home.run("push --min-free 0 s", word));
    }
    silent(home.run("merge s -o a", ""));
    assert_eq!(unpack(&home.read("a")), (b"one two".to_vec(), EndState::End));
}

#[test]
fn what_lacks_its_end_mark_is_merged_and_split_and_told() {
    let home = Home::new();
    packed(&home, "a", b"whole");
    silent(home.run("pack --incomplete -o b", "broken off"));
    fails(home.run("merge a b -o c", ""), 4, "c is written, and marked as incomplete");
    assert_eq!(unpack(&home.read("c")), (b"wholebroken off".to_vec(), EndState::Aborted));
    fails(home.run("split b --bytes 1M d", ""), 4, "d is written, and marked as incomplete");
}

#[test]
fn what_does_not_go_together_makes_nothing() {
    let home = Home::new();
    packed(&home, "a", &noise(2, 50_000));
    silent(home.run("pack -z lz4 -o l", "x"));
    fs::write(home.file("text"), "some text, and nothing else").unwrap();
    let mut damaged = home.read("a");
    damaged[20_000] ^= 1;
    fs::write(home.file("damaged"), damaged).unwrap();
    fs::create_dir(home.file("empty")).unwrap();
    let before = home.names();
    for (paths, status, words) in [
        ("a l", 1, "l holds LZ4 frames, and what comes before it zstd"),
        ("a text", 1, "text is no archive: it is text"),
        ("damaged", 3, "damaged is damaged at byte "),
        ("a none", 1, "cannot open none: No such file or directory"),
        ("a -", 1, "standard input can be read but once; give it as a file"),
        ("a empty", 1, "empty holds no spool and no segments"),
        ("a a", 1, "segment 1 is there twice"),
    ] {
        fails(home.run(&format!("merge {paths} -o out"), ""), status, words);
    }
    fails(home.run("merge a -f -o a", ""), 1, "input and output are the same file (a)");
    fails(home.run("merge a", ""), 2, "--output <FILE>");
    fails(home.run("split damaged --bytes 4K out", ""), 3, "damaged is damaged at byte ");
    fails(home.run("split a --bytes 4K .", ""), 1, "cannot create .: it exists; give a name that is free");
    fails(home.run("split a --bytes 4K a", ""), 1, "cannot create a: it exists; give a name that is free");
    fails(home.run("split a --bytes 4K empty", ""), 1, "cannot create empty: it exists");
    fails(home.run("split a --bytes 4K none/out", ""), 1, "cannot create none/out: No such file or directory");
    fails(home.run("split a --bytes 1K out", ""), 2, "it takes at least 4K");
    assert_eq!(home.names(), before);
}

/// Every file below, and what is in it.
fn contents(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(contents(&path));
        } else {
            found.push((path.display().to_string(), fs::read(&path).unwrap()));
        }
    }
    found.sort();
    found
}

#[test]
fn archives_are_only_read_whatever_else_is_given_their_names() {
    let home = Home::new();
    packed(&home, "a", &text(3, 50_000));
    silent(home.run("split a --bytes 4K parts", ""));
    fs::hard_link(home.file("a"), home.file("b")).unwrap();
    symlink("parts/0000000000000002.zst", home.file("link")).unwrap();
    let before = contents(home.path());
    for (args, words) in [
        ("merge a -o m --stats a", "figures and input are the same file (a)"),
        ("merge a -v -o m --log b", "messages and input are the same file (b)"),
        ("merge parts -o m --stats link", "figures and input are the same file (link)"),
        ("merge none -o m --stats none", "figures and input are the same file (none)"),
        ("merge b -f -o a", "input and output are the same file (a)"),
        (
            "merge parts -f -o parts/0000000000000001.zst",
            "input and output are the same file (parts/0000000000000001.zst)",
        ),
        ("split a --bytes 8K d --stats b", "figures and input are the same file (b)"),
        ("split parts -v --bytes 8K d --log link", "messages and input are the same file (link)"),
    ] {
        fails(home.run(args, ""), 1, words);
    }
    for command in ["merge a -o -", "verify -v a", "info a"] {
        fails(home.shell(&format!("\"$0\" {command} >>b")), 1, "input and output are the same file (a)");
    }
    assert!(contents(home.path()) == before);
    fs::write(home.file("parts").join("notes"), "").unwrap();
    silent(home.run("merge parts -o m --stats parts/notes", ""));
}

#[test]
fn a_named_pipe_is_refused_and_not_waited_for() {
    let home = Home::new();
    packed(&home, "a", b"data");
    assert!(Command::new("mkfifo").arg(home.file("pipe")).status().unwrap().success());
    for args in ["merge a pipe -o m", "split pipe --bytes 1M d"] {
        fails(home.run(args, ""), 1, "pipe can be read but once; give it as a file");
    }
}

#[test]
fn a_signal_ends_the_wait_for_the_other_end_of_a_named_pipe() {
    if ignores(Signal::TERM) {
        return;
    }
    let home = Home::new();
    packed(&home, "a", b"data");
    let children: Vec<_> = ["merge a -o", "pack -o", "pack -o b -i", "cat a -o", "salvage a -o"]
        .into_iter()
        .enumerate()
        .map(|(number, args)| {
            let pipe = format!("pipe{number}");
            assert!(Command::new("mkfifo").arg(home.file(&pipe)).status().unwrap().success());
            (args, home.raw(&format!("{args} {pipe}")).stdin(Stdio::null()).spawn().unwrap())
        })
        .collect();
    let before = home.names();
    sleep(Duration::from_millis(300));
    for (_, child) in &children {
        kill_process(Pid::from_child(child), Signal::TERM).unwrap();
    }
    for (args, mut child) in children {
        let status = eventually(args, || child.try_wait().unwrap());
        assert_eq!(status.signal(), Some(Signal::TERM.as_raw()), "{args}");
    }
    assert_eq!(home.names(), before);
}

/// A debugger that lets the second fsync, which is that of the directory, take more than the grace of a second.
#[test]
fn a_signal_while_the_disk_is_slow_leaves_no_half_of_anything() {
    if ignores(Signal::TERM) {
        return;
    }
    let home = Home::new();
    packed(&home, "a", b"data");
    let slow = ["-o", "/dev/null", "-e", "trace=fsync", "-e", "inject=fsync:delay_enter=1500000:when=2"];
    let command = home.raw("split a --bytes 1M d");
    let mut strace = Command::new("strace");
    strace.args(slow).arg(command.get_program()).args(command.get_args()).current_dir(home.path());
    let Ok(mut strace) = strace.spawn() else {
        eprintln!("SKIPPED: there is no strace");
        return;
    };
    let children = format!("/proc/{0}/task/{0}/children", strace.id());
    let part = || {
        let dirs = home.names().into_iter().filter(|name| name.starts_with(".spillpipe-"));
        dirs.map(|name| home.file(&name).join("0000000000000001.zst")).find(|part| part.exists())
    };
    eventually("the part", part);
    sleep(Duration::from_millis(100));
    let child: i32 = fs::read_to_string(children).unwrap().trim().parse().unwrap();
    kill_process(Pid::from_raw(child).unwrap(), Signal::TERM).unwrap();
    eventually("its end", || strace.try_wait().unwrap());
    assert_eq!(home.names(), ["a", "d"]);
}

#[test]
fn where_we_may_write_and_not_look_there_can_be_results() {
    let home = Home::new();
    packed(&home, "a", b"data");
    fs::create_dir(home.file("blind")).unwrap();
    for (name, mode) in [(".", 0o755), ("blind", 0o333)] {
        fs::set_permissions(home.file(name), Permissions::from_mode(mode)).unwrap();
    }
    for args in ["merge a -o blind/m", "split a --bytes 1M blind/d"] {
        let command = home.raw(args);
        let mut unprivileged = Command::new("setpriv");
        if geteuid().is_root() {
            // A copy, as the binary may be where only root may look.
            let copied = Command::new("cp").arg(command.get_program()).arg(home.file("spillpipe")).status();
            assert!(copied.unwrap().success());
            unprivileged.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]).arg("./spillpipe");
        } else {
            unprivileged = Command::new(command.get_program());
        }
        let Ok(output) = unprivileged.args(command.get_args()).current_dir(home.path()).output() else {
            eprintln!("SKIPPED: there is no setpriv");
            return;
        };
        silent(output);
    }
    fs::set_permissions(home.file("blind"), Permissions::from_mode(0o755)).unwrap();
    assert!(home.file("blind/m").is_file() && home.file("blind/d/0000000000000001.zst").is_file());
}
