//! Files whose checksums hold and that no writer of ours has written: they cost an error at most.

use super::{at_once, open, plain};
use spillpipe::format::*;
use spillpipe::spool::{Next, Seek, Spool, Start};
use spillpipe::store::{FileName, SegmentName, SimStore, Store};
use std::io::Write;

fn place(n: u64) -> Position {
    Position { segment: SegmentNumber(n), seq: ChunkSeq(n), offset: StreamOffset(n) }
}

/// A spool with some data, and a reader whose cursor is this.
fn spool_with(cursor: impl FnOnce(&mut Slot)) -> (SimStore, Spool) {
    let disk = SimStore::new(1);
    let spool = open(&disk).expect("it opens");
    let mut writer = spool.writer(plain()).expect("a writer");
    writer.write_all(&[7; 5000]).expect("it takes them");
    writer.finish(EndState::Continues).expect("its end");
    spool.add_reader("one", Start::Oldest).expect("a reader");
    let file = FileName::reader("one").expect("a name");
    let bytes = disk.bytes(file.clone()).expect("a cursor");
    let mut slot = Slot::decode(bytes.first_chunk().expect("a slot"), SlotKind::Cursor).expect("a slot");
    cursor(&mut slot);
    disk.put_bytes(file, &slot.encode().repeat(2));
    (disk, spool)
}

#[test]
fn a_batch_over_all_segments_that_there_could_be_is_read_from_those_there_are() {
    let to = Position { segment: SegmentNumber(u64::MAX), ..place(3000) };
    let hole =
        Hole { from: Position { offset: StreamOffset(100), ..place(0) }, to, bytes: 9, attempts: 1, left_behind: true };
    let (_, spool) = spool_with(|slot| slot.holes = vec![hole]);
    let reader = spool.reader("one", at_once()).expect("a reader");
    let fed = reader.feeder(&reader.left_behind()[0]).feed(&mut |_| Ok(())).expect("it can be read");
    assert_eq!(fed.bytes, 2900);
}

#[test]
fn batches_that_claim_more_than_all_numbers_are_added_up_to_the_last_one() {
    let hole = Hole { from: place(1), to: place(2), bytes: u64::MAX - 1, attempts: 0, left_behind: true };
    let (_, spool) = spool_with(|slot| slot.holes = vec![hole; 3]);
    assert_eq!(spool.info().expect("it can be looked at").readers[0].backlog_bytes, u64::MAX);
}

#[test]
fn no_stream_goes_on_where_the_numbers_end() {
    for place in [
        Position { segment: SegmentNumber(u64::MAX), ..place(1) },
        Position { seq: ChunkSeq(u64::MAX), ..place(1) },
        Position { offset: StreamOffset(u64::MAX), ..place(1) },
    ] {
        let (disk, spool) = spool_with(|slot| slot.position = place);
        let error = spool.writer(plain()).expect_err("there is nothing behind it").to_string();
        assert!(error.starts_with("dir: ") && error.contains("18446744073709551615"), "{error}");
        assert_eq!(disk.list().expect("no fault").len(), 1, "nothing was begun");
    }
}

#[test]
fn a_reader_is_put_to_a_byte_of_a_segment_that_is_lost() {
    let (disk, spool) = spool_with(|_| ());
    let name = SegmentName { number: SegmentNumber(1), family: Family::Zstd };
    disk.put_bytes(name, b"not even a header");
    let place =
        spool.seek_reader("one", Seek::Offset(StreamOffset(911))).expect("it is between the first and the last");
    assert_eq!(place.offset, StreamOffset(911));
    let mut reader = spool.reader("one", at_once()).expect("a reader");
    let Next::Damage(damage) = reader.next().expect("it can be read") else { panic!() };
    assert_eq!((damage.segment, damage.lost_bytes), (name.number, 5000 - 911));
}
