//! What verification holds in memory, whatever the input says of itself.

use spillpipe::archive::{FileReport, Observer, Source, Verifier, VerifyOptions};
use spillpipe::codec::Codec;
use spillpipe::format::{
    CHUNK_BYTES_MAX, ChunkSeq, EndState, Family, Record, Salt, SegmentHeader, SegmentNumber, StoreId, StreamOffset,
    crc32, frame::frame_bytes_max,
};
use spillpipe::segment::{Chunk, write_all};
use std::alloc::{GlobalAlloc, Layout, System};
use std::io::{self, Read};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

const MIB: usize = 1 << 20;
/// Two of the largest chunks, and a little.
const BYTES_MAX: usize = 2 * CHUNK_BYTES_MAX as usize + MIB;

static HELD: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static COUNTING: Counting = Counting;

struct Counting;

fn grew(bytes: usize) {
    PEAK.fetch_max(HELD.fetch_add(bytes, Relaxed) + bytes, Relaxed);
}

#[expect(unsafe_code, reason = "an allocator can be had in no other way")]
// SAFETY: the system's allocator does it all, with the arguments as they came; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        grew(layout.size());
        // SAFETY: the caller keeps the contract, which is the same.
        unsafe { System.alloc(layout) }
    }

    // Large blocks grow by having their pages moved: old and new are never there at once.
    unsafe fn realloc(&self, at: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        HELD.fetch_sub(layout.size(), Relaxed);
        grew(bytes);
        // SAFETY: as above.
        unsafe { System.realloc(at, layout, bytes) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(at, layout) }
    }
}

struct Reports(Vec<FileReport>);

impl Observer for Reports {
    fn report(&mut self, report: FileReport) {
        self.0.push(report);
    }
}

/// Some bytes over and over, as a stream: nothing of it is held by the test.
struct Endless(Vec<u8>, usize, u64);

impl Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let rest = &self.0[self.1..];
        let len = rest.len().min(buffer.len()).min(usize::try_from(self.2).unwrap_or(usize::MAX));
        buffer[..len].copy_from_slice(&rest[..len]);
        self.1 = (self.1 + len) % self.0.len();
        self.2 -= len as u64;
        Ok(len)
    }
}

fn header() -> SegmentHeader {
    SegmentHeader {
        store: StoreId([7; 16]),
        number: SegmentNumber(1),
        first_seq: ChunkSeq(0),
        first_offset: StreamOffset(0),
        chunk_bytes_max: CHUNK_BYTES_MAX,
        salt: Salt(9),
        created_ns: 0,
        family: Family::Zstd,
    }
}

/// One test, so that no other one allocates meanwhile.
#[test]
fn no_input_makes_verification_hold_more_than_two_of_the_largest_chunks_and_a_mebibyte() {
    let key = header().key();
    let hostile = Record {
        seq: ChunkSeq(0),
        offset: StreamOffset(0),
        raw_len: CHUNK_BYTES_MAX,
        frame_len: frame_bytes_max(Family::Zstd, CHUNK_BYTES_MAX),
        raw_crc: 1,
        frame_crc: crc32(b""),
        codec: spillpipe::format::CodecId::Zstd,
        record_end: false,
    };
    let raw: Vec<u8> = (0..CHUNK_BYTES_MAX).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let inputs: [(&str, Vec<u8>, u64); 4] = [
        ("one chunk as large as can be", write_all(&header(), true, &[Chunk::new(&raw, Codec::Raw)], EndState::End), 0),
        (
            "records of frames that are not there",
            [&header().encode()[..], &hostile.encode(&key).repeat(20_000)].concat(),
            0,
        ),
        ("nothing but headers", header().encode().repeat(1000), 20 * MIB as u64),
        ("nothing that makes sense behind a header", [&header().encode()[..], &[0x5A; 4000]].concat(), 20 * MIB as u64),
    ];
    drop(raw);
    for (what, bytes, repeated) in inputs {
        let len = if repeated == 0 { bytes.len() as u64 } else { repeated };
        let source = Source::stream("x", Endless(bytes, 0, len));
        let before = HELD.load(Relaxed);
        PEAK.store(before, Relaxed);
        let (mut verifier, mut reports) = (Verifier::new(&VerifyOptions::default()).unwrap(), Reports(vec![]));
        verifier.source(source, &mut reports);
        verifier.finish(&mut reports);
        let held = PEAK.load(Relaxed) - before;
        assert!(held <= BYTES_MAX, "{what}: {held} bytes");
        assert_eq!(reports.0[0].summary.bytes, len, "{what}");
    }
}
