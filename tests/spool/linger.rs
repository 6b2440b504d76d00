//! What nobody asks for comes all the same, in its time.

use super::*;
use std::time::Instant;

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
