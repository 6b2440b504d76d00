//! What is whole, and what only looks so: every command says the same of it.

use super::samples::text;
use super::{Home, fails, silent};
use std::fs;

/// An archive in parts, as they are named: `a` in the directory `parts`.
fn parts(home: &Home, data: &[u8]) -> Vec<String> {
    silent(home.run("pack -s 4K -o a", data));
    silent(home.run("split a --bytes 8K parts", ""));
    let mut names: Vec<_> = fs::read_dir(home.file("parts"))
        .unwrap()
        .map(|entry| format!("parts/{}", entry.unwrap().file_name().into_string().unwrap()))
        .collect();
    names.sort();
    assert!(names.len() > 3, "{names:?}");
    names
}

#[test]
fn a_command_that_an_empty_variable_was_to_name_is_refused() {
    let home = Home::new();
    silent(home.run("pack -o a", "kept"));
    fails(home.run("pack -f -o a --", ""), 2, "no command after '--'");
    assert_eq!(silent(home.run("cat a", "")), b"kept");
}

#[test]
fn the_parts_of_a_stream_are_one_stream_when_they_are_given_as_files() {
    let (home, data) = (Home::new(), text(1, 200_000));
    let names = parts(&home, &data);
    assert!(silent(home.run(&format!("cat {}", names.join(" ")), "")) == data);
    silent(home.run(&format!("verify {}", names.join(" ")), ""));
    let holed = [&names[..1], &names[2..]].concat();
    fails(home.run(&format!("cat {}", holed.join(" ")), ""), 3, "segments 2 to 2 are missing");
    fails(home.run(&format!("cat {}", names[..2].join(" ")), ""), 4, "the next segment is not there");
}

#[test]
fn parts_without_the_first_are_damaged_as_a_directory_and_told_as_files() {
    let (home, data) = (Home::new(), text(2, 200_000));
    let names = parts(&home, &data);
    fs::remove_file(home.file(&names[0])).unwrap();
    for (command, status) in [("cat parts", 3), ("merge parts -o m", 1), ("verify -q parts", 3)] {
        fails(home.run(command, ""), status, if status == 1 { "segments 1 to 1 are missing" } else { "is damaged" });
    }
    let out = home.run(&format!("verify -v {}", names[names.len() - 1]), "").stdout;
    assert!(String::from_utf8(out).unwrap().contains(" of its stream on, complete"));
}

#[test]
fn what_a_push_gave_up_stays_missing_whatever_is_pushed_behind_it() {
    let home = Home::new();
    home.run("push --min-free 0 --abort s", "broken off ");
    silent(home.run("push --min-free 0 s", "whole"));
    let out = fails(home.run("cat s", ""), 4, "it was marked so when it was written");
    assert_eq!(out, b"broken off whole");
    fails(home.run("verify -q s", ""), 4, "it was marked so when it was written");
    fails(home.run("merge s -o m", ""), 4, "m is written, and marked as incomplete");
}

#[test]
fn a_spool_that_was_drained_is_whole_and_empty() {
    let home = Home::new();
    silent(home.run("push --min-free 0 s", "data"));
    assert_eq!(silent(home.run("pop s", "")), b"data");
    assert_eq!(silent(home.run("cat s", "")), b"");
    silent(home.run("verify s", ""));
}

#[test]
fn what_a_range_asks_for_and_is_not_there_is_told() {
    let home = Home::new();
    silent(home.run("pack -s 4K -o a", text(3, 10_000)));
    for (range, len, words) in [
        ("--range 9000..12000", 1000, "a: 2000 bytes of the range are not there"),
        ("--range 20000..20001", 0, "a: 1 byte of the range is not there"),
        ("--chunks 2..5", 10_000 - 8192, "a: 2 chunks of the range are not there"),
    ] {
        assert_eq!(fails(home.run(&format!("cat {range} a"), ""), 0, words).len(), len, "{range}");
    }
    silent(home.run("cat --range 9000.. a", ""));
}

#[test]
fn what_is_no_archive_is_not_searched_to_its_end() {
    let home = Home::new();
    fails(home.run("cat /dev/zero", ""), 3, "/dev/zero is damaged at byte 0: ");
}
