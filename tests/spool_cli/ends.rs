//! How a stream ended, and how a reader is told.

use super::{Spool, eventually, fails, line};
use std::time::Duration;

#[test]
fn an_aborted_stream_is_handed_out_and_told_as_incomplete() {
    let spool = Spool::new();
    spool.push("--abort", "half of it");
    assert_eq!(spool.info()["stream"], "incomplete");
    assert_eq!(
        fails(spool.run("pop DIR", ""), 4, "is incomplete: its producer died or gave up at byte 10, before the end"),
        b"half of it"
    );
    assert!(fails(spool.run("pop DIR", ""), 4, "incomplete").is_empty(), "as long as nothing new came");
    spool.push("", "all of it");
    assert_eq!(spool.pop(""), b"all of it", "it has been told already");
}

#[test]
fn an_abort_marks_what_an_earlier_push_left_open() {
    let spool = Spool::new();
    spool.push("--no-end", "half");
    assert_eq!(spool.info()["stream"], "open");
    spool.push("--abort", "");
    assert_eq!(spool.info()["stream"], "incomplete");
    assert_eq!(fails(spool.run("pop DIR", ""), 4, "incomplete"), b"half");
}

#[test]
fn an_open_stream_is_handed_out_without_complaint() {
    let spool = Spool::new();
    spool.push("--no-end", "so far");
    assert_eq!(spool.pop(""), b"so far");
    spool.push("", "");
    assert!(spool.pop("").is_empty());
    assert_eq!(spool.info()["stream"], "complete");
}

#[test]
fn a_killed_producer_leaves_an_incomplete_stream() {
    let spool = Spool::new();
    let mut push = spool.start("push --min-free 0 --linger 0 DIR");
    push.write("half");
    eventually("the bytes", || (spool.exists() && spool.info()["raw_bytes"] == 4).then_some(()));
    push.kill();
    assert_eq!(spool.info()["stream"], "incomplete");
    assert_eq!(fails(spool.run("pop DIR", ""), 4, "incomplete"), b"half");
}

#[test]
fn an_incomplete_place_amid_the_stream_is_told_too() {
    let spool = Spool::new();
    spool.push("--abort", "half ");
    spool.push("", "whole");
    assert_eq!(fails(spool.run("pop DIR", ""), 4, "incomplete"), b"half whole");
    assert!(spool.pop("").is_empty(), "it ends complete, and the rest has been told");
}

#[test]
fn a_producer_that_dies_in_between_leaves_its_mark_also_when_the_next_one_goes_on() {
    let spool = Spool::new();
    let mut push = spool.start("push --min-free 0 --linger 0 DIR");
    push.write("half ");
    eventually("the bytes", || (spool.exists() && spool.info()["raw_bytes"] == 5).then_some(()));
    push.kill();
    spool.push("", "whole");
    assert_eq!(fails(spool.run("pop DIR", ""), 4, "incomplete"), b"half whole");
}

#[test]
fn who_follows_is_told_that_the_producer_died_and_then_waits_for_the_next() {
    let spool = Spool::new();
    let mut push = spool.start("push --min-free 0 --linger 0 DIR");
    let mut pop = spool.start("pop --follow DIR");
    let mut out = pop.lines();
    push.write("half\n");
    assert_eq!(line(&mut out), "half\n");
    push.kill();
    let (status, _, said) = pop.end();
    assert_eq!(status.code(), Some(4), "{said}");
    assert!(said.contains("incomplete"), "{said}");

    let mut pop = spool.start("pop --follow DIR");
    let mut out = pop.lines();
    std::thread::sleep(Duration::from_millis(100));
    assert!(pop.0.try_wait().unwrap().is_none(), "it waits for the next push");
    spool.push("", "whole\n");
    assert_eq!(line(&mut out), "whole\n");
    let (status, _, said) = pop.end();
    assert_eq!((status.code(), said.as_str()), (Some(0), ""));
}

#[test]
fn a_limit_stops_before_an_end_is_told() {
    let spool = Spool::new();
    spool.push("--abort", "four");
    assert_eq!(spool.pop("--max-bytes 4"), b"four");
    assert!(fails(spool.run("pop DIR", ""), 4, "incomplete").is_empty());
}
