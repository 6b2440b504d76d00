//! What one chunk costs, part by part, and what the whole engine moves: `cargo bench`.
//!
//! Every codec of the table, checksums, the fixed-size structures of the format, the buffers in memory, a pipe whose
//! consumer keeps up, and a file copied into a pipe. Throughput is of raw bytes. `cargo bench -- --test` runs each
//! once, to see that it runs; `cargo bench --bench micro -- --sample-count 10` is quick. How spillpipe compares with
//! other tools: benches/compare.

#![allow(clippy::cast_possible_truncation, reason = "lengths of chunks")]

#[path = "sqldump.rs"]
mod sqldump;

use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use spillpipe::codec::{Codec, Decoder, Encoded, Encoder, TABLE};
use spillpipe::format::frame::frame_bytes_max;
use spillpipe::format::{
    ChunkSeq, CodecId, Family, RECORD_BYTES, Record, Salt, SegmentHeader, SegmentNumber, StoreId, StreamOffset, crc32,
};
use spillpipe::pipe::{Options, Pipe};
use spillpipe::ring::{ChunkInfo, Pool, Shelf, StoredChunk};
use std::fmt;
use std::io::{PipeReader, PipeWriter, Read as _, Write as _};
use std::sync::LazyLock;

/// The default chunk.
const CHUNK_BYTES: usize = 256 << 10;
/// Chunks of each kind of data; a dump's tables differ, so one alone says little.
const CHUNKS: usize = 16;
/// Through the whole pipe, a run.
const STREAM_BYTES: usize = 128 << 20;
/// What the producer writes and the consumer reads at once.
const CALL_BYTES: usize = 64 << 10;

static TEXT: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let mut dump = Vec::new();
    sqldump::dump(32 << 20, &mut dump).expect("a Vec takes all");
    dump.chunks_exact(dump.len() / CHUNKS).map(|part| part[part.len() - CHUNK_BYTES..].to_vec()).take(CHUNKS).collect()
});

static RANDOM: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut byte = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[4]
    };
    (0..CHUNKS).map(|_| (0..CHUNK_BYTES).map(|_| byte()).collect()).collect()
});

fn main() {
    divan::main();
}

/// A codec on a kind of data.
struct Case {
    codec: Codec,
    data: &'static str,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.codec, self.data)
    }
}

impl Case {
    fn all() -> Vec<Self> {
        TABLE.iter().flat_map(|row| ["text", "random"].map(|data| Self { codec: row.example, data })).collect()
    }

    fn chunks(&self) -> &'static [Vec<u8>] {
        if self.data == "text" { &TEXT } else { &RANDOM }
    }

    fn family(&self) -> Family {
        self.codec.family().unwrap_or(Family::Zstd)
    }

    fn frame(&self) -> Vec<u8> {
        vec![0; frame_bytes_max(self.family(), CHUNK_BYTES as u32) as usize]
    }

    fn encode(&self, encoder: &mut Encoder, raw: &[u8], frame: &mut [u8]) -> Encoded {
        encoder.encode(self.codec, self.family(), raw, frame)
    }

    fn frames(&self) -> Vec<(CodecId, Vec<u8>)> {
        let mut encoder = Encoder::default();
        let frame = |raw: &Vec<u8>| {
            let mut frame = self.frame();
            let Encoded { codec, frame_len } = self.encode(&mut encoder, raw, &mut frame);
            frame.truncate(frame_len);
            (codec, frame)
        };
        self.chunks().iter().map(frame).collect()
    }
}

fn all_chunks() -> BytesCount {
    BytesCount::new(CHUNKS * CHUNK_BYTES)
}

#[divan::bench(args = Case::all())]
fn encode(bencher: Bencher<'_, '_>, case: &Case) {
    let (mut encoder, mut frame) = (Encoder::default(), case.frame());
    bencher.counter(all_chunks()).bench_local(|| {
        for raw in case.chunks() {
            black_box(case.encode(&mut encoder, raw, &mut frame));
        }
    });
}

#[divan::bench(args = Case::all())]
fn decode(bencher: Bencher<'_, '_>, case: &Case) {
    let (mut decoder, frames, mut raw) = (Decoder::default(), case.frames(), vec![0; CHUNK_BYTES]);
    bencher.counter(all_chunks()).bench_local(|| {
        for (codec, frame) in &frames {
            decoder.decode(*codec, case.family(), frame, &mut raw).expect("it was encoded just now");
        }
    });
}

#[divan::bench]
fn checksum(bencher: Bencher<'_, '_>) {
    bencher.counter(BytesCount::new(CHUNK_BYTES)).bench(|| crc32(black_box(&RANDOM[0])));
}

fn header() -> SegmentHeader {
    SegmentHeader {
        store: StoreId(*b"0123456789abcdef"),
        number: SegmentNumber(7),
        first_seq: ChunkSeq(1 << 20),
        first_offset: StreamOffset(1 << 38),
        chunk_bytes_max: CHUNK_BYTES as u32,
        salt: Salt(0x4142_4344),
        created_ns: 1_700_000_000_000_000_000,
        family: Family::Zstd,
    }
}

fn info(frame_len: usize) -> ChunkInfo {
    ChunkInfo {
        offset: StreamOffset(1 << 38),
        raw_len: CHUNK_BYTES as u32,
        frame_len: frame_len as u32,
        raw_crc: 1,
        frame_crc: 2,
        codec: CodecId::Zstd,
        family: Family::Zstd,
    }
}

mod header_128_bytes {
    use super::{Bencher, ItemsCount, SegmentHeader, black_box, header};

    #[divan::bench]
    fn encode(bencher: Bencher<'_, '_>) {
        let header = header();
        bencher.counter(ItemsCount::new(1_u32)).bench(|| black_box(&header).encode());
    }

    #[divan::bench]
    fn decode(bencher: Bencher<'_, '_>) {
        let bytes = header().encode();
        bencher.counter(ItemsCount::new(1_u32)).bench(|| SegmentHeader::decode(black_box(&bytes)));
    }
}

mod record_64_bytes {
    use super::{Bencher, ChunkSeq, ItemsCount, Record, black_box, header, info};

    #[divan::bench]
    fn encode(bencher: Bencher<'_, '_>) {
        let (key, record) = (header().key(), info(70_000).record(ChunkSeq(1 << 20)));
        bencher.counter(ItemsCount::new(1_u32)).bench(|| black_box(&record).encode(&key));
    }

    #[divan::bench]
    fn decode(bencher: Bencher<'_, '_>) {
        let key = header().key();
        let bytes = info(70_000).record(ChunkSeq(1 << 20)).encode(&key);
        bencher.counter(ItemsCount::new(1_u32)).bench(|| Record::decode(black_box(&bytes), &key));
    }
}

/// A buffer is lent and given back.
#[divan::bench]
fn pool(bencher: Bencher<'_, '_>) {
    let pool = Pool::new(CHUNK_BYTES, 4);
    bencher.counter(ItemsCount::new(1_u32)).bench(|| pool.take());
}

/// Sixteen chunks into the shelf and out again, with frames of so many KiB: small ones are packed, by copying.
#[divan::bench(args = [40, 64, 256])]
fn shelf(bencher: Bencher<'_, '_>, frame_kib: usize) {
    let pool = Pool::new(RECORD_BYTES + CHUNK_BYTES, 2 * CHUNKS);
    let frame_bytes = frame_kib << 10;
    let mut shelf = Shelf::default();
    bencher.counter(ItemsCount::new(CHUNKS)).bench_local(|| {
        for _ in 0..CHUNKS {
            let mut stored = pool.take();
            stored.advance(RECORD_BYTES + frame_bytes);
            shelf.push(StoredChunk::new(info(frame_bytes), stored));
        }
        while let Some(chunk) = shelf.pop(&pool).expect("as it was put there") {
            black_box(chunk.info);
        }
    });
}

/// The whole engine from pipe to pipe while the consumer keeps up, per memory in MiB.
#[divan::bench(args = [8, 64, 256], sample_count = 10)]
fn keeping_up(bencher: Bencher<'_, '_>, memory_mib: usize) {
    bencher.counter(BytesCount::new(STREAM_BYTES)).bench_local(|| {
        let mut options = Options::default();
        options.memory_bytes = memory_mib << 20;
        let pipe = Pipe::new(options).expect("the options are in bounds");
        let (input, producer) = std::io::pipe().expect("a pipe");
        let (consumer, output) = std::io::pipe().expect("a pipe");
        std::thread::scope(|scope| {
            scope.spawn(move || produce(producer));
            scope.spawn(move || pipe.run(&input, &output).expect("nothing fails"));
            assert_eq!(consume(consumer), STREAM_BYTES);
        });
    });
}

/// For comparison: the same producer and consumer with nothing between them.
#[divan::bench(sample_count = 10)]
fn nothing_between(bencher: Bencher<'_, '_>) {
    bencher.counter(BytesCount::new(STREAM_BYTES)).bench_local(|| {
        let (consumer, producer) = std::io::pipe().expect("a pipe");
        std::thread::scope(|scope| {
            scope.spawn(move || produce(producer));
            assert_eq!(consume(consumer), STREAM_BYTES);
        });
    });
}

fn produce(mut pipe: PipeWriter) {
    let pieces = TEXT.iter().flat_map(|chunk| chunk.chunks(CALL_BYTES)).cycle();
    for piece in pieces.take(STREAM_BYTES / CALL_BYTES) {
        pipe.write_all(piece).expect("the consumer is there");
    }
}

fn consume(mut pipe: PipeReader) -> usize {
    let mut buf = vec![0; CALL_BYTES];
    let mut bytes = 0;
    loop {
        match pipe.read(&mut buf).expect("a pipe can be read") {
            0 => return bytes,
            n => bytes += n,
        }
    }
}

/// A file from the page cache into a pipe that a thread drains, per size in KiB: until the copy has returned, when up
/// to a pipe's 64 KiB are still to be drained.
mod copy {
    use super::{Bencher, BytesCount, CALL_BYTES, consume};
    use std::fs::File;
    use std::io::{PipeWriter, Read as _, Seek as _, Write as _};

    const SIZES_KIB: [usize; 7] = [16, 64, 256, 1 << 10, 16 << 10, 128 << 10, 1 << 20];
    /// Larger sizes are left out when it is only tried whether everything runs.
    const TRIED_KIB_MAX: usize = 1 << 10;

    fn sizes_kib() -> Vec<usize> {
        let tried = std::env::args().any(|arg| arg == "--test");
        SIZES_KIB.into_iter().filter(|size| !tried || *size <= TRIED_KIB_MAX).collect()
    }

    fn bench(bencher: Bencher<'_, '_>, size_kib: usize, copy: impl Fn(&mut File, &mut PipeWriter) -> usize) {
        let bytes = size_kib << 10;
        // A hole: once read it is in the page cache as other data is, and nothing is written to disk meanwhile.
        let mut file = tempfile::tempfile().expect("a file");
        file.set_len(bytes as u64).expect("a file may have holes");
        std::io::copy(&mut file, &mut std::io::sink()).expect("it can be read");
        let (consumer, mut output) = std::io::pipe().expect("a pipe");
        std::thread::scope(|scope| {
            scope.spawn(|| consume(consumer));
            bencher.counter(BytesCount::new(bytes)).bench_local(|| {
                file.rewind().expect("a file has positions");
                assert_eq!(copy(&mut file, &mut output), bytes);
            });
            drop(output);
        });
    }

    fn read_and_write(file: &mut File, output: &mut PipeWriter, buf: &mut [u8]) -> usize {
        let mut bytes = 0;
        loop {
            match file.read(buf).expect("a file can be read") {
                0 => return bytes,
                n => {
                    output.write_all(&buf[..n]).expect("the consumer is there");
                    bytes += n;
                }
            }
        }
    }

    #[divan::bench(args = sizes_kib(), max_time = 5)]
    fn spillpipe(bencher: Bencher<'_, '_>, size_kib: usize) {
        bench(bencher, size_kib, |file, output| {
            usize::try_from(spillpipe::copy(&*file, &*output, None).expect("nothing fails")).expect("it is small")
        });
    }

    #[divan::bench(args = sizes_kib(), max_time = 5)]
    fn read_write_64_kib(bencher: Bencher<'_, '_>, size_kib: usize) {
        bench(bencher, size_kib, |file, output| read_and_write(file, output, &mut vec![0; CALL_BYTES]));
    }

    /// As `std::io::copy` does.
    #[divan::bench(args = sizes_kib(), max_time = 5)]
    fn read_write_8_kib(bencher: Bencher<'_, '_>, size_kib: usize) {
        bench(bencher, size_kib, |file, output| read_and_write(file, output, &mut [0; 8 << 10]));
    }
}
