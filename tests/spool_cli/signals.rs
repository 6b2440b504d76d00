//! Signals that end a hand-out: what was written is acknowledged, and comes once.

use super::{Spool, assert_same, eventually, inherited, line, text};
use rustix::process::{Pid, Signal, kill_process};
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::time::{Duration, Instant};

const DEADLY: [Signal; 3] = [Signal::TERM, Signal::INT, Signal::HUP];

fn signal(child: &std::process::Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

#[test]
fn a_service_that_is_stopped_amid_the_stream_leaves_no_byte_out_and_writes_none_twice() {
    for deadly in DEADLY.into_iter().filter(|&deadly| !inherited::ignores(deadly)) {
        let spool = Spool::new();
        let data = text(4 << 20);
        spool.push("-s 16K", data.clone());
        let mut pop = spool.start("pop --ack-interval 10s DIR");
        let mut out = vec![0; 100_000];
        pop.0.stdout.as_mut().unwrap().read_exact(&mut out).unwrap();
        signal(&pop.0, deadly);
        pop.0.stdout.take().unwrap().read_to_end(&mut out).unwrap();
        let status = pop.wait();
        assert_eq!(status.signal(), Some(deadly.as_raw()), "{status:?}");
        assert_eq!(pop.end().2, "");
        assert!(out.len() < data.len(), "it was in the midst");
        out.extend(spool.pop(""));
        assert_same(&out, &data);
    }
}

#[test]
fn with_cat_into_a_file_it_is_the_same() {
    let spool = Spool::new();
    let data = text(4 << 20);
    spool.push("-s 64K", data.clone());
    let path = spool.home.path().join("out");
    let append = || std::fs::OpenOptions::new().create(true).append(true).open(&path).unwrap();
    let mut pop = spool.start("pop DIR");
    // It is slow in the middle, so that the signal comes there.
    let mut cat = std::process::Command::new("sh");
    cat.args(["-c", "head -c 1000000; sleep 0.3; exec cat"]);
    let mut cat = cat.stdin(pop.0.stdout.take().unwrap()).stdout(append()).spawn().unwrap();
    eventually("some of it", || (append().metadata().unwrap().len() >= 1_000_000).then_some(()));
    signal(&pop.0, Signal::TERM);
    assert_eq!(pop.wait().signal(), Some(Signal::TERM.as_raw()));
    assert!(cat.wait().unwrap().success());
    assert!(append().metadata().unwrap().len() < data.len() as u64, "it was in the midst");
    append().write_all(&spool.pop("")).unwrap();
    assert_same(&std::fs::read(&path).unwrap(), &data);
}

#[test]
fn one_that_waits_for_data_ends_at_once() {
    let spool = Spool::new();
    let mut pop = spool.start("pop --follow --ack-interval 10s DIR");
    let mut out = pop.lines();
    eventually("a spool", || spool.exists().then_some(()));
    spool.push("--no-end", "first\n");
    assert_eq!(line(&mut out), "first\n");
    let start = Instant::now();
    signal(&pop.0, Signal::TERM);
    assert_eq!(pop.wait().signal(), Some(Signal::TERM.as_raw()));
    assert!(start.elapsed() < Duration::from_millis(900), "{:?}", start.elapsed());
    assert!(spool.pop("").is_empty());
}

#[test]
fn a_consumer_that_is_stuck_holds_it_up_for_a_second_and_a_second_signal_not_at_all() {
    let spool = Spool::with(text(4 << 20));
    for signals in [1, 2] {
        let mut pop = spool.start("pop --ack-interval 0 DIR");
        pop.0.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
        std::thread::sleep(Duration::from_millis(100)); // The pipe is full.
        let start = Instant::now();
        signal(&pop.0, Signal::TERM);
        if signals == 2 {
            std::thread::sleep(Duration::from_millis(100));
            assert!(pop.0.try_wait().unwrap().is_none(), "it gives the consumer time");
            signal(&pop.0, Signal::TERM);
        }
        assert_eq!(pop.wait().signal(), Some(Signal::TERM.as_raw()));
        let took = start.elapsed();
        assert!(took < Duration::from_secs(3), "{took:?}");
        assert!(if signals == 2 { took < Duration::from_millis(900) } else { took > Duration::from_millis(900) });
    }
}

#[test]
fn a_signal_that_was_ignored_at_the_start_stays_so() {
    let spool = Spool::with(text(1 << 20));
    let mut pop = std::process::Command::new("sh")
        .args(["-c", "trap '' TERM; exec \"$0\" pop \"$1\""])
        .arg(assert_cmd::cargo::cargo_bin!("spillpipe"))
        .arg(spool.dir())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = vec![0; 1000];
    pop.stdout.as_mut().unwrap().read_exact(&mut out).unwrap();
    signal(&pop, Signal::TERM);
    pop.stdout.as_mut().unwrap().read_to_end(&mut out).unwrap();
    assert_eq!(pop.wait().unwrap().code(), Some(0));
    assert_same(&out, &text(1 << 20));
}

#[test]
fn the_filter_keeps_what_it_has_read_and_hands_it_out_once() {
    let spool = Spool::new();
    let data = text(2 << 20);
    let mut filter = spool.start("--spool DIR --min-free 0");
    let mut stdin = filter.0.stdin.take().unwrap();
    let mut out = vec![0; 100_000];
    std::thread::scope(|scope| {
        scope.spawn(|| stdin.write_all(&data).unwrap());
        filter.0.stdout.as_mut().unwrap().read_exact(&mut out).unwrap();
    });
    eventually("all of it", || (spool.info()["newest_offset_bytes"] == data.len() as u64).then_some(()));
    signal(&filter.0, Signal::TERM);
    filter.0.stdout.take().unwrap().read_to_end(&mut out).unwrap();
    assert_eq!(filter.wait().signal(), Some(Signal::TERM.as_raw()));
    drop(stdin);
    let rest = super::fails(spool.run("--spool DIR --min-free 0", ""), 4, "is incomplete");
    out.extend(rest);
    assert_same(&out, &data);
}
