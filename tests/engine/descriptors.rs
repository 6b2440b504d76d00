//! A large backlog needs few open files. The store here counts them and stores nothing, so that 40 GB take a moment.

use spillpipe::format::{CHUNK_BYTES_MAX, CodecId, Family, RECORD_BYTES, StreamOffset};
use spillpipe::ring::{Block, ChunkInfo, Count, DiskLimits, Headroom, Pool, Ring, StoredChunk, Tail};
use spillpipe::store::{Append, Read, SegmentName, Space, Store};
use std::io::{self, ErrorKind, IoSlice};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

const BACKLOG_BYTES: u64 = 40 << 30;
const OPEN_FILES_MAX: usize = 512;

/// Keeps lengths, no bytes.
#[derive(Debug, Default)]
struct Counting;

#[derive(Debug, Default)]
struct Nothing {
    len_bytes: AtomicU64,
}

impl Store for Counting {
    fn create(&self, _: SegmentName) -> io::Result<Arc<dyn Append>> {
        Ok(Arc::new(Nothing::default()))
    }

    fn open(&self, _: SegmentName) -> io::Result<Arc<dyn Read>> {
        Ok(Arc::new(Nothing::default()))
    }

    fn remove(&self, _: SegmentName) -> io::Result<()> {
        Ok(())
    }

    fn list(&self) -> io::Result<Vec<SegmentName>> {
        Err(ErrorKind::Unsupported.into())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn space(&self) -> io::Result<Space> {
        Ok(Space { total_bytes: 1 << 50, free_bytes: 1 << 50 })
    }
}

impl Append for Nothing {
    fn append(&self, parts: &[IoSlice<'_>]) -> io::Result<()> {
        let bytes = parts.iter().map(|part| part.len() as u64).sum();
        self.len_bytes.fetch_add(bytes, Relaxed);
        Ok(())
    }

    fn len(&self) -> u64 {
        self.len_bytes.load(Relaxed)
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for Nothing {
    fn read_at(&self, _: &mut [u8], _: u64) -> io::Result<usize> {
        Err(ErrorKind::Unsupported.into())
    }

    fn len(&self) -> io::Result<u64> {
        Err(ErrorKind::Unsupported.into())
    }

    fn sync(&self) -> io::Result<()> {
        Err(ErrorKind::Unsupported.into())
    }
}

#[test]
fn a_backlog_of_40_gb_needs_under_512_open_files() {
    let store = Counting;
    let limits = DiskLimits { max_disk_bytes: None, min_free: Headroom::Percent(5.0), segments_max: 1 << 16 };
    let pool = Pool::new(RECORD_BYTES + CHUNK_BYTES_MAX as usize, 16);
    let mut ring = Ring::new(Arc::clone(&pool), 8);
    let mut tail = Tail::new(&store, CHUNK_BYTES_MAX).expect("random numbers");
    let mut offset = 0;
    while offset < BACKLOG_BYTES {
        let mut stored = pool.take();
        stored.advance(RECORD_BYTES + CHUNK_BYTES_MAX as usize);
        let info = ChunkInfo {
            offset: StreamOffset(offset),
            raw_len: CHUNK_BYTES_MAX,
            frame_len: CHUNK_BYTES_MAX,
            raw_crc: 0,
            frame_crc: 0,
            codec: CodecId::Raw,
            family: Family::Zstd,
        };
        assert!(ring.accepts(&info), "the ring spills as fast as it is filled");
        ring.push(StoredChunk::new(info, stored));
        offset += u64::from(CHUNK_BYTES_MAX);
        if ring.can_spill() {
            spill(&mut ring, &mut tail, &limits, &store);
        }
    }
    assert!(ring.disk_bytes() > BACKLOG_BYTES - (64 << 20));
    // One for each segment, as its two ends share it.
    assert!(ring.segments() < OPEN_FILES_MAX, "{} segments", ring.segments());
}

/// What the engine's spiller does, without its waiting.
fn spill(ring: &mut Ring, tail: &mut Tail<'_>, limits: &DiskLimits, store: &dyn Store) {
    let mut blocks = Vec::new();
    ring.spill(limits.write_bytes(), &mut blocks);
    let need_bytes = blocks.iter().map(Block::stored_bytes_max).sum();
    let room = limits.room(store, ring.disk_bytes(), need_bytes, false).expect("it tells").expect("there is room");
    let (family, offset) = (blocks[0].family(), blocks[0].offset());
    if !tail.continues(family, room.segment_bytes, ring.newest_segment()) {
        let segment = tail.begin(family, offset).expect("a segment");
        assert_eq!(ring.began(segment), None, "nothing was read yet");
    }
    let bytes = tail.append(&mut blocks).expect("it takes everything");
    let mut count = Count::default();
    for block in &blocks {
        count += block.count();
    }
    drop(blocks);
    ring.spilled(count, bytes);
}
