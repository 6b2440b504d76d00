//! Directories that may not be written, or go while somebody works in them.

use super::common::noise;
use super::mounted::Mounted;
use super::{Spool, fails, line, until};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

#[test]
fn a_read_only_file_system_is_told() {
    let Some(disk) = Mounted::tmpfs("size=4M") else { return };
    let spool = Spool::within(disk.path());
    spool.push("", "data");
    let remount = |options: &str| Command::new("mount").args(["-o", options]).arg(disk.path()).status().unwrap();
    assert!(remount("remount,ro").success());
    let new = disk.path().join("new");
    for args in ["push --min-free 0 DIR", "pop DIR", "reader add DIR x", "info DIR"] {
        fails(spool.run(args, "x"), 1, "Read-only file system");
        let elsewhere = Spool { dir: new.clone(), home: None };
        let words = match args {
            "pop DIR" => "is no spool",
            "info DIR" => "No such file or directory",
            _ => "Read-only file system",
        };
        fails(elsewhere.run(args, "x"), 1, words);
    }
    assert!(remount("remount,rw").success());
    assert_eq!(spool.pop(""), b"data");
}

#[test]
fn a_directory_that_may_not_be_written_is_told() {
    if !rustix::process::geteuid().is_root() {
        super::common::skipped("another user cannot be had");
        return;
    }
    let spool = Spool::new();
    spool.push("", "data");
    // For a user who may not do everything, with a program that it can reach.
    let home = spool.beside("");
    let program = spool.beside("program");
    fs::write(&program, fs::read(assert_cmd::cargo::cargo_bin!("spillpipe")).unwrap()).unwrap();
    for (path, mode) in [(&home, 0o755), (&program, 0o755), (&spool.dir, 0o755)] {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }
    for (args, dir) in [("push", &spool.dir), ("pop", &spool.dir), ("push", &spool.beside("new"))] {
        let mut command = Command::new(&program);
        command.arg(args).arg(dir).uid(65_533).gid(65_533);
        let output = assert_cmd::Command::from_std(command).write_stdin("x").output().unwrap();
        fails(output, 1, "Permission denied");
    }
    assert_eq!(spool.pop(""), b"data");
}

#[test]
fn a_push_whose_directory_goes_fails() {
    let spool = Spool::new();
    let mut push = spool.start("push --min-free 0 --linger 0ms -z none DIR");
    push.write("first");
    spool.wait_for_writer(5);
    fs::remove_dir_all(&spool.dir).unwrap();
    push.write(noise(1, 100_000));
    let (status, _, said) = push.end();
    assert_eq!(status.code(), Some(1), "what it was given is nowhere: {said}");
    assert!(said.contains(spool.dir.to_str().unwrap()) && said.contains("No such file or directory"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
}

#[test]
fn a_pop_whose_directory_goes_fails() {
    let spool = Spool::new();
    spool.push("--no-end", "first\n");
    let mut pop = spool.start("pop --follow DIR");
    let mut out = pop.output();
    assert_eq!(line(&mut out), "first\n");
    fs::remove_dir_all(&spool.dir).unwrap();
    until("its end", || !pop.is_running());
    let (status, _, said) = pop.end();
    assert_eq!(status.code(), Some(1), "{said}");
    let what = ["is no spool", "No such file or directory"].iter().any(|words| said.contains(words));
    assert!(what && said.contains(spool.dir.to_str().unwrap()), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
}
