//! Who follows has what is pushed at once, costs nothing while nothing comes, and is told what was dropped meanwhile.

use super::common::{KIB, MIB, noise};
use super::{Running, Spool, has, line, until};
use std::io::Read;
use std::process::Command;
use std::time::{Duration, Instant};

/// What a reader is late by, at most, when nothing is kept back.
const LATE: Duration = Duration::from_millis(50);
/// A quiet while: longer than data is kept to fill a chunk, unless that is asked for otherwise.
const QUIET: Duration = Duration::from_millis(110);
/// How often it is looked for changes that no notification told of.
const RECHECK: Duration = Duration::from_millis(250);

/// Median of the times that a quiet record takes from the producer to the consumer.
fn latency(spool: &Spool, push: &str, pop: Command) -> Duration {
    let mut push = spool.start(push);
    spool.wait_for_writer(0);
    let mut pop = Running::start(pop);
    let mut out = pop.output();
    // The first finds everything being opened.
    push.write("first\n");
    assert_eq!(line(&mut out), "first\n");
    let mut times: Vec<Duration> = (0..20_u64)
        .map(|number| {
            // At rest, and not in step with anything that looks now and then.
            std::thread::sleep(QUIET + Duration::from_millis(number * 7));
            let (record, start) = (format!("record {number}\n"), Instant::now());
            push.write(&record);
            assert_eq!(line(&mut out), record);
            start.elapsed()
        })
        .collect();
    times.sort_unstable();
    println!("median {:?}, worst {:?}", times[10], times[19]);
    assert_eq!(push.end().0.code(), Some(0));
    assert_eq!(pop.end().0.code(), Some(0));
    times[10]
}

#[test]
#[ignore = "measures times, which other tests beside it would spoil"]
fn a_quiet_record_arrives_at_once() {
    for push in ["push --min-free 0 DIR", "push --min-free 0 --linger 0ms DIR"] {
        let spool = Spool::new();
        let late = latency(&spool, push, spool.command("pop --follow DIR"));
        assert!(late < LATE, "{push}: {late:?}");
    }
}

#[test]
#[ignore = "measures times, which other tests beside it would spoil"]
fn without_notification_a_quiet_record_arrives_with_the_next_look() {
    if !has("unshare") {
        return;
    }
    let spool = Spool::new();
    // A user of its own, who may have no inotify instance at all.
    let script = "echo 0 >/proc/sys/user/max_inotify_instances && exec \"$0\" pop --follow \"$1\"";
    let mut pop = Command::new("unshare");
    pop.args(["-r", "sh", "-c", script]).arg(assert_cmd::cargo::cargo_bin!("spillpipe")).arg(&spool.dir);
    let may = Command::new("unshare").args(["-r", "sh", "-c", "echo 0 >/proc/sys/user/max_inotify_instances"]).status();
    if !may.is_ok_and(|status| status.success()) {
        super::common::skipped("a user namespace cannot be had");
        return;
    }
    let late = latency(&spool, "push --min-free 0 --linger 0ms DIR", pop);
    assert!(late < RECHECK + LATE, "{late:?}");
    assert!(late > Duration::from_millis(2), "it had its notifications all the same: {late:?}");
}

#[test]
#[ignore = "measures times, which other tests beside it would spoil"]
fn waiting_costs_no_processor_time() {
    let spool = Spool::new();
    let mut push = spool.start("push --min-free 0 DIR");
    push.write("some\n");
    spool.wait_for_writer(5);
    let mut pop = spool.start("pop --follow DIR");
    let mut out = pop.output();
    assert_eq!(line(&mut out), "some\n");
    // Until what was acknowledged and pushed is durable.
    std::thread::sleep(Duration::from_millis(1500));
    for (who, child) in [("push", &push), ("pop", &pop)] {
        let spent = child.processor_time_in(Duration::from_secs(2)) / 2;
        println!("{who}: {spent:?} a second");
        assert!(spent < Duration::from_millis(10), "{who}: {spent:?} a second");
    }
}

#[test]
fn a_follower_from_under_whom_segments_are_dropped_says_what_is_missing_and_goes_on() {
    let spool = Spool::new();
    let data = noise(5, 12 * MIB);
    let mut push = spool.start("push --min-free 0 --max-disk 1M -s 16K -z none --when-full drop-oldest DIR");
    push.write(&data[..300 * KIB]);
    spool.wait_for_writer(200 << 10);
    // Nobody reads from it yet: it stops within the first of them.
    let mut pop = spool.start("pop --follow DIR");
    until("a reader", || spool.info()["readers"][0]["in_use"] == true);
    std::thread::sleep(Duration::from_millis(100));
    push.write(&data[300 * KIB..]);
    let (status, _, said) = push.end();
    assert!(status.success() && said.starts_with("spillpipe: dropped ") && said.lines().count() == 1, "{said}");
    let mut out = Vec::new();
    pop.output().read_to_end(&mut out).unwrap();
    let (status, _, said) = pop.end();
    assert_eq!(status.code(), Some(0), "to be dropped is no damage: {said}");
    let gaps = said.lines().map(|line| {
        let bytes = line.strip_prefix("spillpipe: gap: ").and_then(|rest| rest.split(' ').next());
        bytes.unwrap_or_else(|| panic!("{line}")).parse::<usize>().unwrap()
    });
    let missing: usize = gaps.sum();
    assert!(missing > 4 * MIB, "{said}");
    assert_eq!(out.len() + missing, data.len(), "{said}");
    let common = out.iter().zip(&data).take_while(|(a, b)| a == b).count();
    assert!(common > 0 && data.ends_with(&out[common..]), "its beginning and its end, and nothing else");
}
