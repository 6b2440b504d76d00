//! A disk, or its limit, that is full.

use super::{Spool, eventually, fails, noise, silent};
use std::time::{Duration, Instant};

/// More than the limit, and nothing that compresses.
const LIMITED: &str = "--min-free 0 --max-disk 1M -z none";

#[test]
fn full_with_fail_ends_with_status_5_and_leaves_what_it_has_as_incomplete() {
    let spool = Spool::new();
    silent(spool.run("reader add DIR default", ""));
    let data = noise(4 << 20);
    let output = spool.run(&format!("push {LIMITED} -q --when-full fail DIR"), data.clone());
    fails(output, 5, "the limit of 1.0 MiB is reached (--max-disk)");
    assert!(spool.info()["disk_bytes"].as_u64().unwrap() <= 1 << 20);
    let output = spool.run("pop DIR", "");
    assert_eq!(output.status.code(), Some(4));
    assert!(output.stdout.len() > 500_000 && data.starts_with(&output.stdout), "{}", output.stdout.len());
}

#[test]
fn dropping_the_oldest_leaves_the_newest_and_tells_both_sides() {
    let spool = Spool::new();
    // A reader that has read: to one that never did, the oldest is what there is.
    spool.push("--no-end", "x");
    spool.pop("");
    let data = noise(4 << 20);
    let output = spool.run(&format!("push {LIMITED} --when-full drop-oldest DIR"), data.clone());
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.starts_with("spillpipe: dropped ") && said.contains("(oldest first)"), "{said}");
    let stats = spool.home.path().join("stats");
    let output = spool.run(&format!("pop --stats {} DIR", stats.display()), "");
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), said.lines().count()), (Some(0), 1), "{said}");
    assert!(data.ends_with(&output.stdout) && output.stdout.len() > 500_000, "{}", output.stdout.len());
    let missed = data.len() - output.stdout.len();
    assert!(said.starts_with(&format!("spillpipe: gap: {missed} bytes, ")), "{said}");
    let figures: serde_json::Value = serde_json::from_slice(&std::fs::read(&stats).unwrap()).unwrap();
    assert_eq!(figures["gap_bytes"], missed);
}

#[test]
fn dropping_the_new_leaves_the_oldest() {
    let spool = Spool::new();
    silent(spool.run("reader add DIR default", ""));
    let data = noise(4 << 20);
    let output = spool.run(&format!("push {LIMITED} --when-full drop-new -q DIR"), data.clone());
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0));
    let out = spool.run("pop -q DIR", "");
    assert_eq!((out.status.code(), out.stderr.len()), (Some(0), 0));
    let kept = out.stdout.iter().zip(&data).take_while(|(a, b)| a == b).count();
    assert!(kept > 500_000, "{kept}");
}

#[test]
fn by_default_the_producer_waits_until_a_reader_makes_room() {
    let spool = Spool::new();
    silent(spool.run("reader add DIR default", ""));
    let data = noise(3 << 20);
    let file = spool.home.path().join("in");
    std::fs::write(&file, &data).unwrap();
    let start = Instant::now();
    let mut push = spool.start(&format!("push {LIMITED} -q -i {} DIR", file.display()));
    eventually("a full spool", || {
        (spool.exists() && spool.info()["disk_bytes"].as_u64() > Some(700_000)).then_some(())
    });
    std::thread::sleep(Duration::from_millis(100));
    assert!(push.0.try_wait().unwrap().is_none(), "it waits");
    let out = silent(spool.run("pop --follow DIR", ""));
    super::assert_same(&out, &data);
    assert_eq!(push.wait().code(), Some(0));
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
}
