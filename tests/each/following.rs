//! `--follow`: what comes while it waits.

use super::{Begin, KEEP, Place, assert_fails, chunks, data_of, eventually, finish, seqs};
use rustix::process::{Pid, Signal, kill_process};
use spillpipe::format::EndState;
use spillpipe::spool::Records;
use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;
use std::time::{Duration, Instant};

#[test]
fn a_batch_that_is_not_full_waits_for_its_time() {
    let place = Place::new();
    let mut writer = place.writer(1 << 12, Records::None);
    let child = place.each("--follow --batch-age 600ms", KEEP).begin();
    writer.write_all(b"one").unwrap();
    writer.flush().unwrap();
    let start = Instant::now();
    std::thread::sleep(Duration::from_millis(150));
    writer.write_all(b"two").unwrap();
    writer.flush().unwrap();
    let first = eventually("a batch", || place.taken().pop());
    assert!(start.elapsed() > Duration::from_millis(500), "{:?}", start.elapsed());
    assert_eq!(first.data, b"onetwo");
    writer.finish(EndState::End).unwrap();
    assert_eq!(finish(child).status.code(), Some(0));
}

#[test]
fn a_batch_that_is_full_does_not_wait() {
    let place = Place::new();
    let mut writer = place.writer(1 << 12, Records::None);
    let child = place.each("--follow --batch-age 1h --batch-bytes 8K", KEEP).begin();
    writer.write_all(&chunks(5)).unwrap();
    writer.flush().unwrap();
    eventually("two batches", || (place.taken().len() == 2).then_some(()));
    writer.finish(EndState::End).unwrap();
    assert_eq!(finish(child).status.code(), Some(0));
    assert_eq!(seqs(&place.taken()), [0, 2, 4]);
    assert!(data_of(&place.taken()) == chunks(5));
}

#[test]
fn it_ends_where_the_stream_ends_unless_it_has_told_that_before() {
    let place = Place::new();
    place.push(1 << 12, &chunks(1));
    assert_eq!(place.take("--follow").len(), 1);
    let mut child = place.each("--follow", KEEP).begin();
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(child.0.try_wait().unwrap(), None, "it waits for the next push");
    place.push(1 << 12, &chunks(1));
    assert_eq!(finish(child).status.code(), Some(0));
    assert_eq!(place.taken().len(), 2);
}

#[test]
fn where_a_producer_gave_up_it_ends_as_incomplete() {
    let place = Place::new();
    let mut writer = place.writer(1 << 12, Records::None);
    writer.write_all(&chunks(1)).unwrap();
    let child = place.each("--follow --batch-age 10ms", KEEP).stderr(Stdio::piped()).begin();
    writer.finish(EndState::Aborted).unwrap();
    assert_fails(&finish(child), 4, &["incomplete"]);
    assert!(data_of(&place.taken()) == chunks(1));
}

#[test]
fn sigusr1_asks_and_never_kills() {
    let place = Place::new();
    let mut writer = place.writer(1 << 12, Records::None);
    writer.write_all(&chunks(1)).unwrap();
    let mut child = place.each("--follow --batch-age 0", KEEP).stderr(Stdio::piped()).begin();
    eventually("the batch", || place.taken().pop());
    std::thread::sleep(Duration::from_millis(100)); // It is counted once its command has ended.
    let mut stderr = BufReader::new(child.0.stderr.take().unwrap());
    for _ in 0..2 {
        kill_process(Pid::from_child(&child.0), Signal::USR1).unwrap();
        let mut line = String::new();
        stderr.read_line(&mut line).unwrap();
        assert!(line.starts_with("spillpipe: 1 batch (4.0 KiB) acknowledged in "), "{line}");
    }
    writer.finish(EndState::End).unwrap();
    assert_eq!(finish(child).status.code(), Some(0));
}

#[test]
fn it_takes_no_time_of_the_processor_while_it_waits() {
    let place = Place::new();
    place.push(1 << 12, &chunks(1));
    let mut writer = place.writer(1 << 12, Records::None);
    // First for its command, while data comes; then for more.
    let script = format!(r#"touch "$OUT/runs"; until [ -e "$OUT/go" ]; do sleep 0.2; done; {KEEP}"#);
    let mut child = place.each("--follow --batch-age 0", &script).begin();
    place.await_file("runs");
    let ticks = |pid: u32| -> u64 {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        let fields: Vec<_> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    };
    let before = ticks(child.0.id());
    for _ in 0..50 {
        writer.write_all(b"more").unwrap();
        writer.flush().unwrap();
        std::thread::sleep(Duration::from_millis(10));
    }
    let busy = ticks(child.0.id()) - before;
    assert!(busy <= 2, "{busy} ticks of 10 ms while a command ran");
    place.touch("go");
    eventually("all of it", || (data_of(&place.taken()).len() == 4096 + 200).then_some(()));
    let before = ticks(child.0.id());
    std::thread::sleep(Duration::from_secs(1));
    let idle = ticks(child.0.id()) - before;
    assert!(idle <= 2, "{idle} ticks of 10 ms in an idle second");
    writer.finish(EndState::End).unwrap();
    assert_eq!(child.0.wait().unwrap().code(), Some(0));
}
