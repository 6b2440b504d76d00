//! Reading archives through the library: parts and the whole, files and streams, sound and damaged.

#![expect(clippy::unwrap_used, reason = "a test may end so")]

mod damage;
mod ends;
mod plain;
mod ranges;
mod waits;

#[allow(unreachable_pub, reason = "written for test files that are crates of their own")]
#[path = "../samples/mod.rs"]
mod samples;

use spillpipe::archive::*;
use spillpipe::codec::{Codec, ZstdLevel};
use spillpipe::format::*;
use spillpipe::segment::{Chunk, write_all};
use std::io::{self, Read, Seek, Write};
use std::ops::Range;

/// A chunk of an archive to be: how much is dropped before it, and what it holds.
type Piece = (u64, Vec<u8>);

/// An archive, and what must come out of it: the pieces with their positions.
#[derive(Clone, Debug, Default)]
struct Model {
    bytes: Vec<u8>,
    chunks: Vec<(u64, Vec<u8>)>,
    first_number: u64,
    end: u64,
    segments: u64,
    stream: u8,
    /// Where the stream that we are in is, by its own offsets and numbers.
    offset: u64,
    number: u64,
}

impl Model {
    fn starting(offset: u64, number: u64) -> Self {
        Self { first_number: number, end: offset, offset, number, ..Self::default() }
    }

    /// Adds a segment of the same stream, in front of which so much was dropped, and behind whose chunks.
    fn segment(&mut self, family: Family, before: u64, pieces: &[Piece], behind: u64, end: EndState) {
        self.offset += before;
        self.end += before;
        self.segments += 1;
        let header = SegmentHeader {
            store: StoreId([self.stream; 16]),
            number: SegmentNumber(self.segments),
            first_seq: ChunkSeq(self.number),
            first_offset: StreamOffset(self.offset),
            chunk_bytes_max: 64 << 10,
            salt: Salt(u32::try_from(self.segments).unwrap()),
            created_ns: 0,
            family,
        };
        let codec = if family == Family::Zstd { Codec::Zstd(ZstdLevel::DEFAULT) } else { Codec::Lz4 };
        let mut chunks = Vec::new();
        for (gap, raw) in pieces {
            self.offset += gap;
            self.end += gap;
            chunks.push(Chunk { offset: Some(StreamOffset(self.offset)), ..Chunk::new(raw, codec) });
            self.chunks.push((self.end, raw.clone()));
            self.offset += raw.len() as u64;
            self.end += raw.len() as u64;
        }
        self.number += pieces.len() as u64;
        self.bytes.extend(write_all(&header, true, &chunks, end));
        assert_eq!(behind, 0, "a writer in memory drops nothing behind its chunks");
    }

    /// What follows is another stream.
    fn next_stream(&mut self) {
        (self.stream, self.offset, self.number) = (self.stream + 1, 0, 0);
    }

    fn range(&self, range: &Range<u64>) -> Vec<u8> {
        let clip = |start: u64, raw: &Vec<u8>| {
            let at = |position: u64| usize::try_from(position.saturating_sub(start).min(raw.len() as u64)).unwrap();
            let (from, to) = (at(range.start), at(range.end));
            raw[from..to.max(from)].to_vec()
        };
        self.chunks.iter().flat_map(|(start, raw)| clip(*start, raw)).collect()
    }

    fn chunk_range(&self, range: &Range<u64>) -> Vec<u8> {
        let numbered = self.chunks.iter().zip(self.first_number..);
        numbered.filter(|(_, number)| range.contains(number)).flat_map(|((_, raw), _)| raw.clone()).collect()
    }

    /// Where these chunks are, counted from the first one here: from their first byte to their last, and by their numbers.
    fn whole_chunks(&self, chunks: Range<usize>) -> (Range<u64>, Range<u64>) {
        let (start, (last, raw)) = (self.chunks[chunks.start].0, &self.chunks[chunks.end - 1]);
        let number = |chunk: usize| self.first_number + chunk as u64;
        (start..last + raw.len() as u64, number(chunks.start)..number(chunks.end))
    }

    fn all(&self) -> Vec<u8> {
        self.range(&(0..u64::MAX))
    }

    fn reader(&self) -> Reader {
        Reader::new(Source::bytes("m", self.bytes.clone())).unwrap()
    }
}

/// One stream of one segment, of so many chunks of different lengths, without gaps.
fn simple(family: Family, chunks: usize) -> Model {
    let mut model = Model::default();
    let pieces: Vec<_> = (0..chunks).map(|i| (0, samples::text(i as u64, 40 + i * 3))).collect();
    model.segment(family, 0, &pieces, 0, EndState::End);
    model
}

fn read_all(reader: &mut Reader) -> io::Result<Vec<u8>> {
    let mut data = Vec::new();
    reader.read_to_end(&mut data).map(|_| data)
}

fn archive_error(error: &io::Error) -> &Error {
    error.get_ref().unwrap().downcast_ref().unwrap()
}

/// What comes out of a copy, and how it ends.
fn copy(source: Source, span: Span, threads: usize) -> (Vec<u8>, Copied, Result<(), CopyError>) {
    let mut options = CopyOptions::default();
    (options.span, options.threads) = (span, threads);
    let (mut data, mut copied) = (Vec::new(), Copied::default());
    let result = copy_out(Parts::from(source), &mut data, &options, &mut copied);
    (data, copied, result)
}

fn stream(bytes: &[u8]) -> Source {
    Source::stream("s", io::Cursor::new(bytes.to_vec()))
}

fn file(bytes: &[u8]) -> std::fs::File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file.rewind().unwrap();
    file
}
