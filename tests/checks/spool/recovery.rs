//! Any bytes as the files of a spool: it opens or says why not, comes to an end, and hands out nothing but what the
//! checksums vouch for; after that it is written and read as any other.

use super::oracle::{Whole, is_there, whole_chunks};
use super::{at_once, drain, plain};
use crate::checks::input::Input;
use crate::checks::refit::{self, Where};
use spillpipe::format::*;
use spillpipe::spool::{Error, Spool};
use spillpipe::store::{FileName, SegmentName, SimFile, SimStore, Store};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

/// Whose the refitted files are.
const STORE: StoreId = StoreId(*b"0123456789abcdef");
const READERS: [&str; 3] = ["a", "b", "new"];
const MORE: &[u8] = b"what comes after it";
/// More of any of them, for so many bytes of files, means that it runs in circles.
const EVENTS_PER_BYTE_MAX: usize = 1;
const OPERATIONS_PER_BYTE_MAX: u64 = 40;
const OPERATIONS_MAX: u64 = 3_000;

const REFIT: u8 = 0x80;

/// A disk with files of these bytes: of each one byte that says which, the length, and the bytes. Slots are filled up
/// with zeros.
pub(crate) fn disk_of(data: &[u8]) -> SimStore {
    let disk = SimStore::new(3);
    let mut input = Input(data);
    while !input.is_empty() {
        let kind = input.byte();
        let len = usize::from(input.u16());
        let mut bytes = input.take(len).to_vec();
        let n = kind >> 3 & 7;
        let family = Family::ALL[usize::from(kind & 1)];
        match kind & 7 {
            0 | 1 => {
                let name = SegmentName { number: SegmentNumber(u64::from(n) + 1), family };
                if kind & REFIT != 0 {
                    refit::segment(&mut bytes, Some((STORE, name.number)), family, Where::Found);
                }
                disk.put_bytes(name, &bytes);
            }
            2..=4 => put_slot(&disk, file(kind), usize::from(n & 1), &bytes, kind & REFIT != 0),
            _ => disk.put_bytes(file(kind - 3), &bytes),
        }
    }
    disk
}

fn file(kind: u8) -> FileName {
    match kind & 7 {
        2 => FileName::Spool,
        3 => FileName::Reader(READERS[0].to_owned()),
        _ => FileName::Reader(READERS[1].to_owned()),
    }
}

fn put_slot(disk: &SimStore, name: FileName, place: usize, bytes: &[u8], refitted: bool) {
    let mut slot = [0; SLOT_BYTES];
    let len = bytes.len().min(SLOT_BYTES);
    slot[..len].copy_from_slice(&bytes[..len]);
    if refitted {
        slot[0x10..0x20].copy_from_slice(&STORE.0);
        refit::slot(&mut slot);
    }
    let mut both = disk.bytes(name.clone()).unwrap_or_default();
    both.resize(2 * SLOT_BYTES, 0);
    both[place * SLOT_BYTES..][..SLOT_BYTES].copy_from_slice(&slot);
    disk.put_bytes(name, &both);
}

/// The bytes of which [`spool_recovery`] makes this disk again, or nearly so.
pub(crate) fn pack(disk: &SimStore) -> Vec<u8> {
    let mut packed = Vec::new();
    let mut entry = |kind: u8, bytes: &[u8]| {
        packed.push(kind | REFIT);
        packed.extend(u16::try_from(bytes.len()).expect("a small file").to_le_bytes());
        packed.extend_from_slice(bytes);
    };
    for kind in 2..=4 {
        let Ok(bytes) = disk.bytes(file(kind)) else { continue };
        for (place, slot) in bytes.chunks(SLOT_BYTES).enumerate() {
            let used = slot[..SLOT_BYTES - 4].iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1);
            entry(kind | if place == 0 { 0 } else { 8 }, &slot[..used]);
        }
    }
    for name in disk.list().expect("no fault") {
        let number = u8::try_from(name.number.0 - 1).expect("a few segments");
        let family = u8::from(name.family == Family::Lz4);
        entry(number << 3 | family, &disk.bytes(name).expect("no fault"));
    }
    packed
}

/// Files of these bytes.
pub(crate) fn spool_recovery(data: &[u8]) {
    let disk = disk_of(data);
    let Ok(spool) = Spool::open_in(Arc::new(disk.clone()), Path::new("dir")) else { return };
    let segments: Vec<SegmentName> = disk.list().expect("no fault");
    let images: Vec<_> = segments.iter().map(|name| disk.bytes(*name).expect("no fault")).collect();
    let size = images.iter().map(Vec::len).sum::<usize>() + 100;
    let mut chunks = Vec::new();
    // Bad bytes are an error for who asks, or none: never the end of the process.
    let Ok(info) = spool.info() else { return };
    for (name, bytes) in segments.iter().zip(&images) {
        chunks.extend(whole_chunks(bytes, &info.store, name.family));
    }
    let before = disk.operations();
    for name in READERS {
        let _ = read_twice(&spool, name, &chunks, size * EVENTS_PER_BYTE_MAX);
    }
    let operations = disk.operations() - before;
    let most = OPERATIONS_MAX + size as u64 * OPERATIONS_PER_BYTE_MAX;
    assert!(operations <= most, "{operations} operations for {size} bytes");
    for (name, bytes) in segments.iter().zip(&images) {
        // Gone, when all had dealt with it, or as it was.
        let now = disk.bytes(SimFile::from(*name)).ok();
        assert!(now.is_none_or(|now| now == *bytes), "{name} was changed");
    }
    let _ = goes_on(&spool, size * EVENTS_PER_BYTE_MAX);
}

/// Reads all there is, twice; acknowledges it; then there is nothing more.
fn read_twice(spool: &Spool, name: &str, chunks: &[Whole], events_max: usize) -> Result<(), Error> {
    let mut reader = spool.reader(name, at_once())?;
    let place = reader.acknowledged();
    let first = drain(&mut reader, events_max)?;
    drop(reader);
    let mut reader = spool.reader(name, at_once())?;
    let again = drain(&mut reader, events_max)?;
    assert_eq!(first.pieces, again.pieces, "what was not acknowledged comes again, and nothing else");
    let mut end = place.offset.0;
    for (at, bytes) in &first.pieces {
        assert!(*at >= end, "{name}: from {at} on it comes twice");
        assert!(is_there(chunks, *at, bytes), "{name}: {} bytes at {at} were never written", bytes.len());
        end = at + bytes.len() as u64;
    }
    for batch in reader.left_behind() {
        fed_from(chunks, &reader, &batch)?;
    }
    let to = reader.position();
    reader.ack(to)?;
    reader.close()?;
    let mut reader = spool.reader(name, at_once())?;
    let more = drain(&mut reader, events_max)?;
    assert_eq!((more.pieces.len(), more.ends.len()), (0, 0), "{name}: nothing new: {more:?}");
    reader.close().map(drop)
}

/// A batch is made of stretches of whole chunks.
fn fed_from(chunks: &[Whole], reader: &spillpipe::spool::Reader, batch: &spillpipe::spool::Batch) -> Result<(), Error> {
    reader.feeder(batch).feed(&mut |bytes| {
        let known = |chunk: &Whole| chunk.raw.windows(bytes.len().max(1)).any(|piece| piece == bytes);
        assert!(chunks.iter().any(known), "{} bytes of a batch were never written", bytes.len());
        Ok(())
    })?;
    Ok(())
}

/// Another stream goes through it.
fn goes_on(spool: &Spool, events_max: usize) -> Result<(), Error> {
    let mut writer = spool.writer(plain())?;
    if writer.write_all(MORE).is_err() {
        return Ok(());
    }
    writer.finish(EndState::End)?;
    let mut reader = spool.reader(READERS[0], at_once())?;
    let had = drain(&mut reader, events_max)?;
    let bytes = had.bytes();
    assert!(bytes.ends_with(MORE), "what was written comes: {had:?}");
    Ok(())
}
