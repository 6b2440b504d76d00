//! What nobody asks for comes all the same, in its time.

use super::*;
use std::time::Instant;

#[test]
fn what_comes_after_a_quiet_while_is_seen_at_once_and_a_trickle_no_more_often_than_the_linger() {
    let temp = tempfile::tempdir().unwrap();
    let spool = Spool::create(temp.path()).unwrap();
    let mut options = plain();
    options.linger = Some(Duration::from_mins(1));
    let mut writer = spool.writer(options).unwrap();
    let mut reader = spool.reader("default", ReaderOptions::default()).unwrap();
    let started = Instant::now();
    writer.write_all(b"first").unwrap();
    let mut met = Met::default();
    while met.bytes != b"first" {
        assert!(started.elapsed() < Duration::from_secs(5), "it waits for the linger");
        met.bytes.extend(drain(&mut reader).bytes);
        reader.wait(SOON, None).unwrap();
    }
    writer.write_all(b"second").unwrap();
    std::thread::sleep(5 * SOON);
    assert_eq!(drain(&mut reader).bytes, b"", "a minute is not over");
    writer.finish(EndState::End).unwrap();
    assert_eq!(drain(&mut reader).bytes, b"second");
}

#[test]
fn a_record_that_ends_after_its_bytes_came_is_seen_after_the_linger() {
    let temp = tempfile::tempdir().unwrap();
    let spool = Spool::create(temp.path()).unwrap();
    let mut options = plain();
    options.linger = Some(SOON);
    let mut writer = spool.writer(options).unwrap();
    let mut reader = spool.reader("default", ReaderOptions::default()).unwrap();
    let started = Instant::now();
    for record in [&b"first"[..], b"second"] {
        writer.write_all(record).unwrap();
        // Nothing whole is there meanwhile, and the thread that keeps the times goes to sleep.
        std::thread::sleep(3 * SOON);
        writer.end_record().unwrap();
        let mut met = Met::default();
        while met.bytes != record {
            assert!(started.elapsed() < Duration::from_secs(5), "{record:?} was forgotten");
            met.bytes.extend(drain(&mut reader).bytes);
            reader.wait(SOON, None).unwrap();
        }
    }
}
