//! `info` of archives: what is in them, for people and for programs.

use super::samples::{noise, text};
use super::{Home, fails, silent, terminal};
use serde_json::Value;
use std::fs;
use std::process::Stdio;

/// An archive of two chunks that shrink and two that do not.
fn home() -> Home {
    let home = Home::new();
    silent(home.run("pack -s 4K -o a.zst", [text(1, 8192), noise(1, 8192)].concat()));
    home
}

#[test]
fn a_table_for_people() {
    let home = home();
    let told = String::from_utf8(silent(home.run("info a.zst", ""))).unwrap();
    let row = |name: &str| told.lines().find_map(|line| line.strip_prefix(&format!("{name:<12}"))).unwrap_or_default();
    assert_eq!(row("archive"), "a.zst");
    assert_eq!(row("stream"), "complete, bytes 0 to 16384");
    assert_eq!(row("segments"), "1, number 1, readable with zstd -dc");
    assert_eq!((row("store").len(), row("created").len()), (32, 23), "{told}");
    assert_eq!(row("chunks"), "4 chunks of 4.0 KiB");
    assert!(row("zstd").starts_with("2 chunks, 8.0 KiB in ") && row("raw").starts_with("2 chunks, "), "{told}");
    let bars: Vec<_> = told.lines().filter(|line| line.ends_with(&"#".repeat(50))).collect();
    assert_eq!(bars.len(), 2, "as many chunks shrank as did not: {told}");
    assert!(told.lines().all(|line| line.len() < 80), "{told}");
    assert_eq!(silent(home.run("info -", home.read("a.zst"))), told.replace("a.zst", "-").into_bytes());
}

#[test]
fn programs_get_it_as_json() {
    let home = home();
    let all: Value = serde_json::from_slice(&silent(home.run("info --json a.zst", ""))).unwrap();
    for (name, expected) in [("chunks", 4), ("raw_bytes", 16_384), ("segments", 1), ("problems", 0), ("gaps", 0)] {
        assert_eq!(all[name], expected, "{name}");
    }
    assert_eq!(all["stream"], "complete");
    assert_eq!(all["bytes"], home.read("a.zst").len());
    assert_eq!((&all["codecs"]["zstd"]["chunks"], &all["codecs"]["raw"]["chunks"]), (&2.into(), &2.into()));
    let classes = all["ratios"].as_array().unwrap();
    assert_eq!(classes.iter().map(|class| class["chunks"].as_u64().unwrap()).sum::<u64>(), 4);
}

#[test]
fn a_missing_end_is_a_fact_and_damage_a_failure() {
    let home = home();
    let bytes = home.read("a.zst");
    fs::write(home.file("short"), &bytes[..bytes.len() - 500]).unwrap();
    let told = String::from_utf8(silent(home.run("info short", ""))).unwrap();
    assert!(told.contains("stream      incomplete: it has no end mark, bytes 0 to "), "{told}");
    let mut wrong = bytes.clone();
    wrong[130] ^= 1;
    fs::write(home.file("wrong"), wrong).unwrap();
    let told = fails(home.run("info wrong", ""), 3, "wrong is damaged: 1 problem; 'spillpipe salvage'");
    let told = String::from_utf8(told).unwrap();
    assert!(told.contains("damage      1 problem\n"), "{told}");
    assert!(told.contains("\nwrong:\n"), "{told}");
}

#[test]
fn what_is_no_archive_is_told_as_what_it_is() {
    let home = home();
    fs::write(home.file("x.gz"), b"\x1F\x8B\x08\0\0").unwrap();
    assert_eq!(fails(home.run("info x.gz", ""), 3, "x.gz is no archive: it is gzip data"), b"");
    fails(home.run("info nothing", ""), 1, "cannot open nothing: No such file or directory");
    fs::create_dir(home.file("empty")).unwrap();
    fails(home.run("info empty", ""), 1, "empty is no spool");
}

#[test]
fn a_spool_is_told_as_a_spool_and_its_segments_alone_as_an_archive() {
    let home = Home::new();
    silent(home.run("push -q --min-free 0 s", text(3, 5000)));
    assert!(silent(home.run("info s", "")).starts_with(b"spool       s\n"));
    fs::create_dir(home.file("d")).unwrap();
    let segment = format!("{:016x}.zst", 1);
    fs::write(home.file("d").join(&segment), fs::read(home.file("s").join(&segment)).unwrap()).unwrap();
    assert!(silent(home.run("info d", "")).starts_with(b"archive     d\n"));
}

#[test]
fn an_archive_does_not_come_from_a_terminal() {
    let home = Home::new();
    let (_master, terminal) = terminal();
    let info = home.raw("info -").stdin(terminal).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    fails(info.wait_with_output().unwrap(), 2, "an archive does not come from a terminal; give a PATH");
}
