//! What must follow what, in one file and in the files of a directory: copying, reading, verifying and merging must say
//! the same of it, and none of them may hand out what is not of the stream, or twice what is.

#![expect(clippy::unwrap_used, reason = "a test may end so")]

mod directories;
mod merging;
mod rows;
mod streams;

#[allow(unreachable_pub, reason = "written for test files that are crates of their own")]
#[path = "../samples/mod.rs"]
mod samples;

use spillpipe::archive::*;
use spillpipe::codec::Codec;
use spillpipe::format::*;
use spillpipe::segment::{Chunk, read_all, write_all};
use std::io::{Cursor, Read as _};
use std::path::{Path, PathBuf};

fn header(store: u8, number: u64, seq: u64, offset: u64) -> SegmentHeader {
    SegmentHeader {
        store: StoreId([store; 16]),
        number: SegmentNumber(number),
        first_seq: ChunkSeq(seq),
        first_offset: StreamOffset(offset),
        chunk_bytes_max: 4096,
        salt: Salt(u32::from(store) << 8 | u32::try_from(number).unwrap()),
        created_ns: 0,
        family: Family::Zstd,
    }
}

fn segment(header: SegmentHeader, chunks: &[&[u8]], end: EndState) -> Vec<u8> {
    let chunks: Vec<_> = chunks.iter().map(|raw| Chunk::new(raw, Codec::Raw)).collect();
    write_all(&header, true, &chunks, end)
}

/// Where records and seal stand.
fn places(segment: &[u8]) -> Vec<usize> {
    let key = SegmentHeader::decode(segment.first_chunk().unwrap()).unwrap().key();
    let mut places = vec![HEADER_BYTES];
    while let Some(Ok(record)) =
        segment[*places.last().unwrap()..].first_chunk().map(|bytes| Record::decode(bytes, &key))
    {
        places.push(places.last().unwrap() + RECORD_BYTES + record.frame_len as usize);
    }
    places
}

/// Without its seal, as a writer that was killed leaves it.
fn unsealed(header: SegmentHeader, chunks: &[&[u8]]) -> Vec<u8> {
    let mut bytes = segment(header, chunks, EndState::End);
    bytes.truncate(*places(&bytes).last().unwrap());
    bytes
}

/// The data in a span, and whether that went well; from a file, from a stream, and by a reader.
fn ranged(bytes: &[u8], span: &Span) -> [(Vec<u8>, bool); 3] {
    let copy = |source| {
        let (mut options, mut data) = (CopyOptions::default(), Vec::new());
        (options.span, options.threads) = (span.clone(), 0);
        let result = copy_out(Parts::from(source), &mut data, &options, &mut Copied::default());
        (data, result.is_ok())
    };
    let mut data = Vec::new();
    let mut reader = Reader::new(Source::bytes("x", bytes.to_vec())).unwrap();
    let limited = match span.clone() {
        Span::Bytes(range) => reader.range(range),
        Span::Chunks(range) => reader.chunks(range),
        Span::All => Ok(()),
    };
    let read = limited.is_ok() && reader.read_to_end(&mut data).is_ok();
    let stream = Source::stream("x", Cursor::new(bytes.to_vec()));
    [copy(Source::bytes("x", bytes.to_vec())), copy(stream), (data, read)]
}

/// No byte of a span is another one, and none is missing without an error.
#[track_caller]
fn spans_are_right_or_refused(bytes: &[u8], chunks: &[&[u8]]) {
    let all = chunks.concat();
    let len = all.len();
    for start in 0..=len {
        for end in [start + 1, start + 5, len] {
            let expected = &all[start..end.clamp(start, len)];
            for (out, ok) in ranged(bytes, &Span::Bytes(start as u64..end as u64)) {
                assert!(expected.starts_with(&out) && (out == expected || !ok), "{start}..{end}: {ok}, {out:?}");
            }
        }
    }
    for start in 0..chunks.len() {
        let expected = chunks[start..].iter().take(2).copied().collect::<Vec<_>>().concat();
        for (out, ok) in ranged(bytes, &Span::Chunks(start as u64..start as u64 + 2)) {
            assert!(expected.starts_with(&out) && (out == expected || !ok), "chunk {start}: {ok}, {out:?}");
        }
    }
}

#[derive(Default)]
struct Seen {
    reports: Vec<FileReport>,
    data: Vec<u8>,
}

impl Observer for Seen {
    fn data(&mut self, bytes: &[u8]) {
        self.data.extend_from_slice(bytes);
    }

    fn report(&mut self, report: FileReport) {
        self.reports.push(report);
    }
}

fn verify(inputs: &[Input]) -> Seen {
    let mut options = VerifyOptions::default();
    options.data = true;
    let (mut verifier, mut seen) = (Verifier::new(&options).unwrap(), Seen::default());
    for input in inputs {
        verifier.input(input, &mut seen);
    }
    verifier.finish(&mut seen);
    seen
}

fn verify_bytes(bytes: &[u8]) -> (FileReport, Vec<u8>) {
    let mut options = VerifyOptions::default();
    options.data = true;
    let (mut verifier, mut seen) = (Verifier::new(&options).unwrap(), Seen::default());
    verifier.source(Source::bytes("x", bytes.to_vec()), &mut seen);
    verifier.finish(&mut seen);
    (seen.reports.remove(0), seen.data)
}

fn cat(inputs: Vec<Input>, span: Span) -> (Vec<u8>, Result<(), CopyError>) {
    let (mut options, mut data) = (CopyOptions::default(), Vec::new());
    (options.span, options.threads) = (span, 0);
    let result = copy_out(Parts::from(inputs), &mut data, &options, &mut Copied::default());
    (data, result)
}

fn merge(inputs: Vec<Input>) -> Result<(Vec<u8>, EndState), StitchError> {
    let (archive, merged) = Merge::of(inputs)?.write(Vec::new())?;
    let mut data = Vec::new();
    read_all(&archive, |_, raw| data.extend_from_slice(raw)).unwrap();
    Ok((data, merged.end))
}

/// A file of these bytes.
fn file(dir: &Path, bytes: &[u8]) -> Vec<Input> {
    let path = dir.join("file");
    std::fs::write(&path, bytes).unwrap();
    Input::of(&path).unwrap()
}

/// A new directory of these segments, by number.
fn directory(home: &Path, name: &str, segments: &[(u64, &[u8])]) -> PathBuf {
    let dir = home.join(name);
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir(&dir).unwrap();
    for (number, bytes) in segments {
        std::fs::write(dir.join(format!("{number:016x}.zst")), bytes).unwrap();
    }
    dir
}

fn verdicts(seen: &Seen) -> Vec<Verdict> {
    seen.reports.iter().map(FileReport::verdict).collect()
}

fn is_incomplete(result: &Result<(), CopyError>) -> bool {
    matches!(result, Err(CopyError::Archive(Error::Incomplete { .. })))
}
