//! In and out again.

use super::*;
use spillpipe::spool::{BatchLimits, Error, NextBatch, Records, Tap, WhenFull};
use std::time::Instant;

fn names(dir: &std::path::Path) -> Vec<String> {
    let mut names: Vec<_> =
        std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| spillpipe::store::SegmentName::parse(name).is_some());
    names.sort();
    names
}

#[test]
fn what_goes_in_comes_out_and_is_gone() {
    let temp = tempfile::tempdir().unwrap();
    let spool = Spool::create(temp.path().join("d")).unwrap();
    let data = text(3 << 20);
    for codec in ["none", "lz4", "zstd:1", "auto"] {
        for threads in [0, 2] {
            let mut options = plain();
            (options.codec, options.threads) = (codec.parse().unwrap(), threads);
            push(&spool, &options, &data, EndState::End);
            let met = pop(&spool);
            assert!(met.bytes == data, "{codec}, {threads}: {} bytes", met.bytes.len());
            assert_eq!((met.ends, met.gaps, met.damages), (vec![Ended::Complete], vec![], vec![]), "{codec}");
            assert_eq!(names(spool.dir()), Vec::<String>::new(), "all of it is gone");
        }
    }
}

#[test]
fn several_streams_follow_one_another_and_a_reader_goes_on_where_it_was() {
    let temp = tempfile::tempdir().unwrap();
    let spool = Spool::create(temp.path()).unwrap();
    push(&spool, &plain(), b"one ", EndState::End);
    push(&spool, &plain(), b"two ", EndState::Continues);
    assert_eq!(pop(&spool).bytes, b"one two ");
    push(&spool, &plain(), b"three", EndState::Aborted);
    let met = pop(&spool);
    assert_eq!((met.bytes.as_slice(), met.ends), (b"three".as_slice(), vec![Ended::Incomplete]));
    let met = pop(&spool);
    assert_eq!((met.bytes.len(), met.ends.len()), (0, 0), "an end is told once");
    let reader = spool.reader("default", ReaderOptions::default()).unwrap();
    assert_eq!(reader.told(), Some(Ended::Incomplete), "but remembered");
}

#[test]
fn a_writer_that_is_dropped_leaves_an_incomplete_stream() {
    let temp = tempfile::tempdir().unwrap();
    let spool = Spool::create(temp.path()).unwrap();
    let mut writer = spool.writer(plain()).unwrap();
    writer.write_all(b"some").unwrap();
    drop(writer);
    let met = pop(&spool);
    assert_eq!((met.bytes.as_slice(), met.ends), (b"some".as_slice(), vec![Ended::Incomplete]));
    // The next writer marks it in the stream, and this reader is not told twice; another one is.
    push(&spool, &plain(), b"more", EndState::End);
    assert_eq!(pop(&spool).ends, [Ended::Complete]);
}

#[test]
fn incompleteness_is_marked_for_those_who_come_later() {
    let temp = tempfile::tempdir().unwrap();
    let spool = Spool::create(temp.path()).unwrap();
    let mut writer = spool.writer(plain()).unwrap();
    writer.write_all(b"some").unwrap();
    drop(writer);
    push(&spool, &plain(), b"more", EndState::End);
    let met = pop(&spool);
    assert_eq!((met.bytes.as_slice(), met.ends), (b"somemore".as_slice(), vec![Ended::Incomplete, Ended::Complete]));
}

#[test]
fn a_trickle_is_seen_after_the_linger_and_durable_after_the_interval() {
    let temp = tempfile::tempdir().unwrap();
    let spool = Spool::create(temp.path()).unwrap();
    let mut options = plain();
    (options.linger, options.sync) = (Some(SOON), Sync::Interval(3 * SOON));
    let mut writer = spool.writer(options).unwrap();
    let mut reader = spool.reader("default", ReaderOptions::default()).unwrap();
    let started = Instant::now();
    writer.write_all(b"drop").unwrap();
    loop {
        match reader.next().unwrap() {
            Next::Data(data) => break assert_eq!(data.bytes, b"drop"),
            Next::Empty { writer } => assert!(writer),
            other => panic!("{other:?}"),
        }
        reader.wait(Duration::from_secs(1), None).unwrap();
    }
    assert!(started.elapsed() < Duration::from_secs(1));
    while writer.durable().offset.0 < 4 {
        assert!(started.elapsed() < Duration::from_secs(5));
        std::thread::sleep(SOON);
    }
}

/// Nothing compressed, and no more than so much on disk.
fn within_a_mebibyte(when_full: WhenFull) -> WriterOptions {
    let mut options = plain();
    (options.codec, options.max_disk_bytes) = ("none".parse().unwrap(), Some(1 << 20));
    options.when_full = when_full;
    options
}

#[test]
fn the_newest_is_kept_where_the_oldest_is_dropped() {
    let temp = tempfile::tempdir().unwrap();
    let spool = Spool::create(temp.path()).unwrap();
    let options = within_a_mebibyte(WhenFull::DropOldest);
    let data = text(4 << 20);
    push(&spool, &options, &data, EndState::End);
    let info = spool.info().unwrap();
    assert!(info.disk_bytes <= 1 << 20, "{info:?}");
    let mut reader = spool.reader("late", ReaderOptions::default()).unwrap();
    let met = drain(&mut reader);
    assert!(data.ends_with(&met.bytes) && met.bytes.len() > 700_000, "{}", met.bytes.len());
}

#[test]
fn a_reader_that_was_overtaken_is_told_how_much_it_missed() {
    let temp = tempfile::tempdir().unwrap();
    let spool = Spool::create(temp.path()).unwrap();
    let options = within_a_mebibyte(WhenFull::DropOldest);
    let data = text(4 << 20);
    let mut writer = spool.writer(options).unwrap();
    writer.write_all(&data[..100_000]).unwrap();
    writer.publish().unwrap();
    let mut reader = spool.reader("default", ReaderOptions::default()).unwrap();
    let Next::Data(first) = reader.next().unwrap() else { panic!() };
    let had = first.bytes.len();
    let place = first.to;
    reader.ack(place).unwrap();
    writer.write_all(&data[100_000..]).unwrap();
    writer.finish(EndState::End).unwrap();
    let met = drain(&mut reader);
    let missed: u64 = met.gaps.iter().map(|gap| gap.bytes).sum();
    assert_eq!(had as u64 + missed + met.bytes.len() as u64, data.len() as u64);
    assert!(data.ends_with(&met.bytes[met.bytes.len() - 500_000..]) && met.damages.is_empty());
}

#[test]
fn when_full_a_writer_waits_for_its_reader() {
    let temp = tempfile::tempdir().unwrap();
    let spool = Spool::create(temp.path()).unwrap();
    let options = within_a_mebibyte(WhenFull::Block);
    let data = text(8 << 20);
    spool.add_reader("default", spillpipe::spool::Start::Oldest).unwrap();
    let met = std::thread::scope(|scope| {
        scope.spawn(|| push(&spool, &options, &data, EndState::End));
        let mut reader = spool.reader("default", ReaderOptions::default()).unwrap();
        let mut met = Met::default();
        while met.ends.is_empty() {
            let more = drain(&mut reader);
            met.bytes.extend(more.bytes);
            met.ends.extend(more.ends);
            reader.wait(Duration::from_millis(100), None).unwrap();
        }
        met
    });
    assert!(met.bytes == data);
}

#[derive(Default)]
struct Heard(Vec<u8>);

impl Tap for Heard {
    fn restart(&mut self) {
        self.0.clear();
    }

    fn take(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }
}

#[test]
fn batches_end_with_records_and_are_left_behind_and_offered_again() {
    let temp = tempfile::tempdir().unwrap();
    let spool = Spool::create(temp.path()).unwrap();
    let mut options = plain();
    (options.records, options.chunk_bytes) = (Records::Lines, 4096);
    let data = text(100_000);
    push(&spool, &options, &data, EndState::End);
    let limits = BatchLimits { bytes: 20_000, age: Duration::ZERO };
    let mut batches = Vec::new();
    let mut reader = spool.reader("default", ReaderOptions::default()).unwrap();
    let mut heard = Heard::default();
    loop {
        match reader.next_batch(limits, &mut heard).unwrap() {
            NextBatch::Batch(batch) => {
                assert_eq!(batch.bytes, heard.0.len() as u64);
                assert!(batch.bytes <= 20_000 && (heard.0.ends_with(b"\n") || batch.bytes < 4096));
                batches.push((batch, heard.0.clone()));
            }
            NextBatch::End(ended) => assert_eq!(ended, Ended::Complete),
            NextBatch::Waiting { .. } => break,
            other => panic!("{other:?}"),
        }
    }
    let all: Vec<u8> = batches.iter().flat_map(|(_, bytes)| bytes.clone()).collect();
    assert!(all == data);
    // The second is left behind, the first never settled, all others acknowledged in reverse.
    reader.leave_behind(&batches[1].0, 3).unwrap();
    for (batch, _) in batches[2..].iter().rev() {
        reader.ack_batch(batch).unwrap();
    }
    reader.close().unwrap();

    let mut reader = spool.reader("default", ReaderOptions::default()).unwrap();
    let again = reader.left_behind();
    assert_eq!(
        again.iter().map(|b| (b.bytes, b.attempts)).collect::<Vec<_>>(),
        [(batches[0].0.bytes, 0), (batches[1].0.bytes, 3)]
    );
    for (batch, (_, bytes)) in again.iter().zip(&batches) {
        let mut fed = Vec::new();
        reader
            .feeder(batch)
            .feed(&mut |bytes| {
                fed.extend_from_slice(bytes);
                Ok(())
            })
            .unwrap();
        assert!(fed == *bytes);
        reader.ack_batch(batch).unwrap();
    }
    assert!(matches!(reader.next().unwrap(), Next::End(Ended::Complete)), "it was told, and not acknowledged");
    let place = reader.position();
    reader.ack(place).unwrap();
    reader.close().unwrap();
    assert_eq!(names(spool.dir()), Vec::<String>::new());
}

#[test]
fn there_is_one_writer_and_one_process_a_reader() {
    let temp = tempfile::tempdir().unwrap();
    let spool = Spool::create(temp.path()).unwrap();
    let writer = spool.writer(plain()).unwrap();
    assert!(matches!(spool.writer(plain()), Err(Error::Busy { .. })));
    let reader = spool.reader("a", ReaderOptions::default()).unwrap();
    assert!(matches!(spool.reader("a", ReaderOptions::default()), Err(Error::Busy { .. })));
    drop((writer, reader));
    spool.writer(plain()).unwrap();
    spool.reader("a", ReaderOptions::default()).unwrap();
}
