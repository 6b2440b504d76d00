//! Once it runs, the engine allocates nothing for a chunk: buffers go round, and whatever else a chunk needs lies in
//! them. All of Rust's allocations in this process are counted; those of libzstd, which is C, are not.

mod common;

use common::{KIB, MIB, PATIENCE, holds_within, text, thread, wait_until_calm, within};
use spillpipe::codec::{Choice, Codec, TABLE};
use spillpipe::pipe::{Headroom, MEMORY_BYTES_MIN, Options, Pipe};
use std::alloc::{GlobalAlloc, Layout, System};
use std::io::{Read, Write, pipe};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

const CHUNK_BYTES: usize = 16 * KIB;
/// Chunks in the pipe throughout: more than its memory holds.
const BACKLOG_CHUNKS: usize = 600;
/// Chunks until every buffer has been needed and every queue has grown as long as it will be.
const WARM_UP_CHUNKS: usize = 500;
const CHUNKS: u64 = 1000;
/// A segment takes a few allocations, its file and its entry in the store, and may begin in this time.
const ALLOCATIONS_MAX: u64 = CHUNKS / 50;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

#[global_allocator]
static COUNTING: Counting = Counting;

struct Counting;

#[expect(unsafe_code, reason = "an allocator can be had in no other way")]
// SAFETY: the system's allocator does it all, with the arguments as they came; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Relaxed);
        // SAFETY: the caller keeps the contract, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Relaxed);
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Relaxed);
        // SAFETY: as above.
        unsafe { System.realloc(at, layout, bytes) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(at, layout) }
    }
}

/// One test, so that no other one allocates meanwhile.
#[test]
fn a_chunk_on_its_way_through_encoder_disk_and_decoder_costs_no_allocation() {
    for codec in TABLE.iter().map(|row| row.example) {
        let allocations = within(PATIENCE, move || allocations_of_many_chunks(codec));
        eprintln!("{codec}: {allocations} allocations for {CHUNKS} chunks");
        assert!(allocations <= ALLOCATIONS_MAX, "{codec}: {allocations} allocations for {CHUNKS} chunks");
    }
}

/// Allocations while one chunk goes in for each that comes out, and as many as do not fit into memory stay between.
fn allocations_of_many_chunks(codec: Codec) -> u64 {
    let dir = tempfile::tempdir().expect("a directory");
    let mut options = Options::default();
    options.memory_bytes = MEMORY_BYTES_MIN;
    options.chunk_bytes = CHUNK_BYTES;
    options.codec = Choice::Fixed(codec);
    options.threads = 2;
    dir.path().clone_into(&mut options.spill.dir);
    options.spill.min_free = Headroom::Bytes(0);
    let engine = Pipe::new(options).expect("valid options");
    let meter = engine.meter();
    let (source, mut producer) = pipe().expect("a pipe");
    let (mut consumer, sink) = pipe().expect("a pipe");
    let engine = thread(move || engine.run(&source, &sink).expect("nothing fails"));

    let data = text(1, MIB);
    let mut chunks = data.chunks_exact(CHUNK_BYTES).cycle();
    let mut expected = chunks.clone();
    let mut received = vec![0; CHUNK_BYTES];
    let mut bring = || producer.write_all(chunks.next().expect("a cycle")).expect("the engine reads on");
    let mut receive = || {
        consumer.read_exact(&mut received).expect("the engine writes on");
        assert!(Some(&received[..]) == expected.next(), "the bytes come out as they went in");
    };
    (0..BACKLOG_CHUNKS).for_each(|_| bring());
    assert!(holds_within(PATIENCE, || meter.snapshot().disk_bytes > 0), "so much does not fit into memory");
    let mut one_for_one = || {
        bring();
        receive();
    };
    // The spiller may be behind: what is counted at either end is what comes to disk when it is not.
    let settle = || wait_until_calm(Duration::from_millis(25), || meter.snapshot().spilled_bytes);
    (0..WARM_UP_CHUNKS).for_each(|_| one_for_one());
    settle();
    let (before, allocated) = (meter.snapshot(), ALLOCATIONS.load(Relaxed));
    (0..CHUNKS).for_each(|_| one_for_one());
    settle();
    let (after, allocated) = (meter.snapshot(), ALLOCATIONS.load(Relaxed) - allocated);

    drop(producer);
    (0..BACKLOG_CHUNKS).for_each(|_| receive());
    engine.join().expect("the engine does not panic");
    let encoded = after.encoded_bytes - before.encoded_bytes;
    assert!(after.encoded_raw_bytes - before.encoded_raw_bytes >= CHUNKS * CHUNK_BYTES as u64 * 9 / 10, "{after:?}");
    assert!(after.spilled_bytes - before.spilled_bytes >= encoded * 9 / 10, "{after:?}");
    assert!(before.disk_bytes > 0 && after.disk_bytes > 0, "what comes out comes from disk: {after:?}");
    allocated
}
