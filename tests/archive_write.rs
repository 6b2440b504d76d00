//! Writing archives: what goes in comes out, whatever the size, the codec and the threads; and what becomes of an archive
//! whose writing fails.

#![expect(clippy::unwrap_used, reason = "a test may end so")]

#[allow(unreachable_pub, reason = "written for test files that are crates of their own")]
#[path = "samples/mod.rs"]
mod samples;

use samples::{noise, text};
use spillpipe::archive::{Identity, Writer, WriterOptions, Written};
use spillpipe::codec::{Codec, Decoder, TABLE, ZstdLevel};
use spillpipe::format::{
    EndState, Family, HEADER_BYTES, RECORD_BYTES, Record, Salt, Seal, SeekTable, SegmentHeader, StoreId, crc32,
};
use spillpipe::segment::{Next, SegmentWalker, open_chunk};
use std::cell::RefCell;
use std::io::{self, ErrorKind, Write};
use std::num::NonZeroU32;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Command, Stdio};
use std::rc::Rc;

const CHUNK: usize = 4096;
const IDENTITY: Identity = Identity { store: StoreId([7; 16]), salt: Salt(u32::MAX), created_ns: 5 };

/// Chunks of 4 KiB, in the caller's thread, and always the same.
fn options() -> WriterOptions {
    let mut options = WriterOptions::default();
    (options.chunk_bytes, options.threads, options.identity) = (CHUNK, 0, Some(IDENTITY));
    options
}

fn pack(data: &[u8], options: &WriterOptions) -> (Vec<u8>, Written) {
    let mut writer = Writer::new(Vec::new(), options).unwrap();
    writer.write_all(data).unwrap();
    let (archive, written) = writer.finish(EndState::End).unwrap();
    assert_eq!((written.raw_bytes, written.stored_bytes), (data.len() as u64, archive.len() as u64));
    (archive, written)
}

/// An archive, read record by record.
#[derive(Debug, Default)]
struct Read {
    data: Vec<u8>,
    records: Vec<Record>,
    headers: Vec<SegmentHeader>,
    seals: Vec<Seal>,
}

/// Reads as much as is there, and checks it.
fn read(mut bytes: &[u8]) -> Read {
    let (mut all, mut decoder) = (Read::default(), Decoder::default());
    while let Some(header) = bytes.first_chunk::<HEADER_BYTES>() {
        let header = SegmentHeader::decode(header).unwrap();
        all.headers.push(header);
        let (mut walker, mut entries) = (SegmentWalker::new(&header), header.seek_entries().to_vec());
        loop {
            let at = usize::try_from(walker.at()).unwrap();
            let Some(record) = bytes[at..].first_chunk::<RECORD_BYTES>() else { return all };
            let next = walker.step(record).unwrap();
            let end = usize::try_from(walker.at()).unwrap();
            let Some(body) = bytes.get(at + RECORD_BYTES..end) else { return all };
            match next {
                Next::Chunk(record) => {
                    let mut raw = vec![0; record.raw_len as usize];
                    open_chunk(&record, header.family, body, &mut raw, &mut decoder).unwrap();
                    all.data.extend(raw);
                    all.records.push(record);
                    entries.extend(record.seek_entries());
                }
                Next::Seal(seal) => {
                    entries.push(Seal::seek_entry());
                    assert_eq!(seal.table_crc, crc32(body));
                    assert_eq!(SeekTable::decode(body).unwrap().entries(), entries);
                    all.seals.push(seal);
                    bytes = &bytes[end..];
                    break;
                }
                Next::Skip { .. } => panic!("nobody wrote that"),
            }
        }
    }
    all
}

#[test]
fn every_size_comes_out_as_it_went_in() {
    for len in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 10 * CHUNK + 7] {
        let data = text(len as u64, len);
        let (archive, written) = pack(&data, &options());
        let read = read(&archive);
        assert!(read.data == data, "{len}");
        assert_eq!((written.chunks, read.records.len()), (len.div_ceil(CHUNK) as u64, len.div_ceil(CHUNK)), "{len}");
        assert_eq!((read.seals.len(), read.seals[0].end), (1, EndState::End));
        assert_eq!(
            (read.seals[0].chunks, read.seals[0].end_offset.0),
            (u32::try_from(read.records.len()).unwrap(), len as u64)
        );
        assert_eq!((read.headers[0].number.0, read.headers[0].first_seq.0, read.headers[0].first_offset.0), (1, 0, 0));
    }
}

#[test]
fn every_codec_level_and_chunk_size_comes_out_as_it_went_in() {
    let levels = (1..=19).filter_map(ZstdLevel::new).map(Codec::Zstd);
    let data = [text(1, 40_000), noise(1, 10_000)].concat();
    for codec in levels.chain(TABLE.iter().map(|row| row.example)) {
        for chunk_bytes in [4 << 10, 5000, 256 << 10, 4 << 20] {
            let mut options = options();
            (options.codec, options.chunk_bytes) = (codec, chunk_bytes);
            let (archive, written) = pack(&data, &options);
            let read = read(&archive);
            assert!(read.data == data, "{codec} {chunk_bytes}");
            assert_eq!(read.headers[0].family, codec.family().unwrap_or(Family::Zstd));
            let stored_raw = if codec == Codec::Raw { written.chunks } else { 0 };
            assert!(written.raw_chunks >= stored_raw && written.raw_chunks <= written.chunks);
        }
    }
}

#[test]
fn how_many_threads_there_are_makes_no_difference_and_nor_does_who_reads() {
    let data = [text(2, 300_000), noise(2, 100_000)].concat();
    let (expected, _) = pack(&data, &options());
    for threads in 1..=4 {
        let mut options = options();
        options.threads = threads;
        assert!(pack(&data, &options).0 == expected, "{threads} threads");
        let mut writer = Writer::new(Vec::new(), &options).unwrap();
        let mut rest = data.as_slice();
        while !rest.is_empty() {
            let room = writer.room().unwrap();
            let few = room.len().min(1000);
            let read = io::Read::read(&mut rest, &mut room[..few]).unwrap();
            writer.advance(read);
        }
        assert!(writer.finish(EndState::End).unwrap().0 == expected, "{threads} threads");
    }
}

#[test]
fn two_archives_of_the_same_data_are_told_apart() {
    let mut options = options();
    options.identity = None;
    let [a, b] = [(); 2].map(|()| read(&pack(b"x", &options).0).headers[0]);
    assert!(a.store != b.store && a.salt != b.salt && a.created_ns > 1 << 60);
}

#[test]
fn a_full_segment_is_followed_by_another_one() {
    let mut options = options();
    options.segment_chunks_max = NonZeroU32::new(3).unwrap();
    for chunks in 0..=7 {
        let data = text(3, chunks * CHUNK);
        let (archive, written) = pack(&data, &options);
        let read = read(&archive);
        assert!(read.data == data);
        let segments = chunks.div_ceil(3).max(1);
        assert_eq!((read.headers.len(), written.segments), (segments, segments as u64));
        let ends: Vec<_> = read.seals.iter().map(|seal| seal.end).collect();
        assert_eq!(ends, [vec![EndState::Continues; segments - 1], vec![EndState::End]].concat());
        for (place, header) in read.headers.iter().enumerate() {
            let first = (place as u64 * 3, place as u64 * 3 * CHUNK as u64);
            assert_eq!(
                (header.first_seq.0, header.first_offset.0, header.number.0),
                (first.0, first.1, place as u64 + 1)
            );
            assert!(header.store == read.headers[0].store);
        }
        let salts: std::collections::BTreeSet<_> = read.headers.iter().map(|header| header.salt.0).collect();
        assert_eq!(salts.len(), segments);
    }
}

#[test]
fn a_seek_table_of_more_than_one_piece_of_memory_is_whole() {
    let data = vec![7; 9000 * CHUNK];
    let read = read(&pack(&data, &options()).0);
    assert_eq!((read.records.len(), read.seals[0].chunks), (9000, 9000));
}

#[test]
fn chunks_end_where_records_end_as_long_as_one_fits() {
    let mut writer = Writer::new(Vec::new(), &options()).unwrap();
    let lens = [1000, 3000, 90, 10_000, 4096, 100];
    for len in lens {
        writer.write_all(&text(4, len)).unwrap();
        writer.end_record();
    }
    let read = read(&writer.finish(EndState::End).unwrap().0);
    assert_eq!(read.data.len(), lens.iter().sum::<usize>());
    let ends: Vec<_> = lens.iter().scan(0, |end, len| (*end += *len as u64, Some(*end)).1).collect();
    for record in &read.records {
        assert_eq!(record.record_end, ends.contains(&record.end_offset().0), "{record:?}");
    }
    let chunks: Vec<_> = read.records.iter().map(|record| record.raw_len).collect();
    assert_eq!(chunks, [4090, 4096, 4096, 1808, 4096, 100], "only the record of 10,000 is cut");
}

#[test]
fn what_was_flushed_is_there_though_the_writer_never_ends() {
    let out = Shared::default();
    let mut writer = Writer::new(out.clone(), &options()).unwrap();
    for word in ["one ", "two"] {
        writer.write_all(word.as_bytes()).unwrap();
        writer.flush().unwrap();
    }
    writer.write_all(b"three").unwrap();
    drop(writer);
    let read = read(&out.bytes());
    assert_eq!((read.data.as_slice(), read.records.len(), read.seals.len()), (&b"one two"[..], 2, 0));
}

#[test]
fn dropped_it_leaves_no_seal() {
    for threads in [0, 2] {
        let (out, mut options) = (Shared::default(), options());
        options.threads = threads;
        let mut writer = Writer::new(out.clone(), &options).unwrap();
        writer.write_all(&text(5, 20 * CHUNK)).unwrap();
        drop(writer);
        let read = read(&out.bytes());
        assert!(read.seals.is_empty() && text(5, 20 * CHUNK).starts_with(&read.data));
    }
}

#[test]
fn how_it_ended_is_in_the_seal() {
    for end in [EndState::End, EndState::Aborted, EndState::Continues] {
        let writer = Writer::new(Vec::new(), &options()).unwrap();
        assert_eq!(read(&writer.finish(end).unwrap().0).seals[0].end, end);
    }
}

#[test]
fn options_out_of_bounds_are_refused() {
    for chunk_bytes in [0, 1, 4095, (4 << 20) + 1, usize::MAX] {
        let mut options = options();
        options.chunk_bytes = chunk_bytes;
        let error = Writer::new(Vec::new(), &options).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains(&chunk_bytes.to_string()), "{error}");
    }
}

/// Bytes that outlive their writer.
#[derive(Clone, Default)]
struct Shared(Rc<RefCell<Vec<u8>>>);

impl Shared {
    fn bytes(&self) -> Vec<u8> {
        self.0.borrow().clone()
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What it does at its `at`th write, and otherwise takes a few bytes.
struct Unruly<F> {
    out: Shared,
    calls: usize,
    at: usize,
    what: F,
}

impl<F: FnMut() -> io::Result<usize>> Write for Unruly<F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.calls += 1;
        if self.calls == self.at {
            return (self.what)();
        }
        let few = bytes.len().min(self.calls % 700 + 1);
        self.out.write(&bytes[..few])
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn short_and_interrupted_writes_are_no_failure() {
    let data = noise(6, 5 * CHUNK);
    let (expected, _) = pack(&data, &options());
    for at in [1, 2, 20, 50] {
        let what = || Err(ErrorKind::Interrupted.into());
        let mut writer = Writer::new(Unruly { out: Shared::default(), calls: 0, at, what }, &options()).unwrap();
        writer.write_all(&data).unwrap();
        let (inner, _) = writer.finish(EndState::End).unwrap();
        assert!(inner.out.bytes() == expected && inner.calls > at);
    }
}

#[test]
fn a_write_that_fails_is_the_last_one() {
    let data = noise(7, 12 * CHUNK);
    for (threads, at) in [(0, 20), (0, 40), (2, 40), (2, 90)] {
        let out = Shared::default();
        let what = || Err(ErrorKind::StorageFull.into());
        let mut options = options();
        options.threads = threads;
        let mut writer = Writer::new(Unruly { out: out.clone(), calls: 0, at, what }, &options).unwrap();
        let first = writer.write_all(&data).and_then(|()| writer.flush()).unwrap_err();
        assert_eq!(first.kind(), ErrorKind::StorageFull);
        let before = out.bytes();
        for later in
            [writer.write_all(b"x"), writer.flush(), writer.room().map(drop), writer.finish(EndState::End).map(drop)]
        {
            assert!(later.unwrap_err().to_string().contains("an earlier write failed"));
        }
        assert!(out.bytes() == before && pack(&data, &self::options()).0.starts_with(&before));
        assert!(data.starts_with(&read(&before).data));
    }
}

#[test]
fn a_write_that_panics_is_the_last_one() {
    let out = Shared::default();
    let inner = Unruly { out: out.clone(), calls: 0, at: 40, what: || panic!("the inner writer has a defect") };
    let mut writer = Writer::new(inner, &options()).unwrap();
    let data = noise(8, 9 * CHUNK);
    catch_unwind(AssertUnwindSafe(|| writer.write_all(&data))).unwrap_err();
    let before = out.bytes();
    let later = writer.finish(EndState::End).map(drop).unwrap_err();
    assert!(later.to_string().contains("an earlier write failed"));
    assert!(out.bytes() == before);
}

/// What `tool -dc` makes of an archive.
fn unpacked(tool: &str, archive: &[u8]) -> Vec<u8> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), archive).unwrap();
    let input = std::fs::File::open(file.path()).unwrap();
    let output = Command::new(tool).arg("-dc").stdin(input).stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "{tool}");
    output.stdout
}

#[test]
#[ignore = "needs the zstd and lz4 commands"]
fn standard_tools_read_every_archive() {
    let data = [text(9, 700_000), noise(9, 300_000)].concat();
    for row in TABLE {
        for (chunk_bytes, segment_chunks_max) in [(4 << 10, 7), (256 << 10, 1 << 24)] {
            let mut options = options();
            (options.codec, options.chunk_bytes) = (row.example, chunk_bytes);
            options.segment_chunks_max = NonZeroU32::new(segment_chunks_max).unwrap();
            let tool = if row.example.family() == Some(Family::Lz4) { "lz4" } else { "zstd" };
            for data in [&data[..], b""] {
                assert!(unpacked(tool, &pack(data, &options).0) == data, "{} {chunk_bytes}", row.name);
            }
        }
    }
}
