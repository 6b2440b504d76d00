//! How the memory is shared out: every stage's part of the pool, settled before the first byte.
//!
//! The parts add up to the pool, each stage keeps to its own, and none ever waits for a buffer that another stage
//! holds: there is nothing to deadlock on. Of what is not needed to keep the workers going, half is the ring's. Of the
//! other half the window gets a quarter; the rest lets chunks wait for an encoder, so that a burst need not go to disk
//! raw.

use super::options::{CHUNKS_IN_MEMORY_MIN, MEMORY_BYTES_MIN, Options, OptionsError, THREADS_MAX};
use crate::codec::encoder_bytes_max;
use crate::format::frame::frame_bytes_max;
use crate::format::{CHUNK_BYTES_MAX, CHUNK_BYTES_MIN, Family, RECORD_BYTES};
use crate::ring::BLOCKS_MIN;

/// What a decompression context takes at most, in bytes: libzstd's for frames of one segment.
const DECODER_BYTES_MAX: usize = 256 << 10;
/// Chunks that may wait for each encoder, and two more in all, at least.
const ENCODE_QUEUE_PER_THREAD: usize = 2;
/// Least buffers of window, ring and waiting chunks together: half are the ring's, which are to be as many as it needs.
const WINDOW_AND_RING_MIN: usize = 2 * BLOCKS_MIN;
const PAGE_BYTES: usize = 4096;

/// Shares of the pool, in buffers unless said otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bounds {
    pub(super) threads: usize,
    pub(super) chunk_bytes: usize,
    pub(super) buffer_bytes: usize,
    /// The whole pool.
    pub(super) buffers: usize,
    pub(super) window: usize,
    pub(super) ring: usize,
    /// Chunks that may wait for an encoder.
    pub(super) encode_queue: usize,
    /// Chunks between intake and ring, these and the ones that are being encoded. Each holds one buffer, and while it
    /// is encoded two.
    pub(super) in_flight: usize,
    /// Frames between ring and window; the window's slot is taken when the frame is fetched.
    pub(super) fetched: usize,
}

impl Bounds {
    pub(super) fn new(options: &Options) -> Result<Self, OptionsError> {
        let Options { memory_bytes, chunk_bytes, threads, codec, .. } = *options;
        if memory_bytes < MEMORY_BYTES_MIN {
            return Err(OptionsError::Memory { memory_bytes, least_bytes: MEMORY_BYTES_MIN });
        }
        if !(CHUNK_BYTES_MIN as usize..=CHUNK_BYTES_MAX as usize).contains(&chunk_bytes) {
            return Err(OptionsError::Chunk { chunk_bytes });
        }
        if !(1..=THREADS_MAX).contains(&threads) {
            return Err(OptionsError::Threads { threads });
        }
        // A power of two, because contexts grow with the chunk at powers of two: what fits goes on fitting as memory
        // grows.
        let chunk_bytes = chunk_bytes.min(1 << (memory_bytes / CHUNKS_IN_MEMORY_MIN).ilog2());
        let buffer_bytes = buffer_bytes(chunk_bytes);
        let per_thread = encoder_bytes_max(codec, chunk_bytes) + DECODER_BYTES_MAX;
        let fit = |threads: usize| {
            let buffers = memory_bytes.checked_sub(threads * per_thread)? / buffer_bytes;
            let (encode_queue_min, fetched) = (ENCODE_QUEUE_PER_THREAD * threads + 2, threads + 1);
            // One in intake's hands and one in outflow's, and for each encoder a chunk and an output.
            let working = 1 + encode_queue_min + 2 * threads + fetched + 1;
            let rest = buffers.checked_sub(working).filter(|&rest| rest >= WINDOW_AND_RING_MIN)?;
            let (ring, window) = (rest / 2, rest.div_ceil(8));
            let encode_queue = encode_queue_min + rest - ring - window;
            let in_flight = encode_queue + threads;
            Some(Self { threads, chunk_bytes, buffer_bytes, buffers, window, ring, encode_queue, in_flight, fetched })
        };
        // Workers beyond what the memory feeds would only wait for one another.
        let enough = |bounds: &Self| bounds.window + bounds.encode_queue + bounds.ring >= bounds.buffers / 2;
        (1..=threads).rev().filter_map(fit).find(|b| b.threads == 1 || enough(b)).ok_or_else(|| {
            let least_bytes = per_thread + buffer_bytes * (10 + WINDOW_AND_RING_MIN);
            OptionsError::Memory { memory_bytes, least_bytes }
        })
    }
}

#[cfg(test)]
impl Bounds {
    /// Shares as small as a test wants them, and a pool that is their sum.
    pub(super) fn of_shares(
        threads: usize,
        [window, ring, encode_queue]: [usize; 3],
        [chunk_bytes, buffer_bytes]: [usize; 2],
    ) -> Self {
        let (in_flight, fetched) = (encode_queue + threads, threads + 1);
        // Intake's and outflow's, the outputs of the encoders, and the shares.
        let buffers = 2 + threads + window + ring + in_flight + fetched;
        Self { threads, chunk_bytes, buffer_bytes, buffers, window, ring, encode_queue, in_flight, fetched }
    }
}

/// A buffer holds a raw chunk, or a record and the longest frame of one, in whole pages.
fn buffer_bytes(chunk_bytes: usize) -> usize {
    let raw_len = u32::try_from(chunk_bytes).unwrap_or(CHUNK_BYTES_MAX);
    let frame = Family::ALL.map(|family| frame_bytes_max(family, raw_len)).into_iter().max().unwrap_or(raw_len);
    (frame as usize + RECORD_BYTES).next_multiple_of(PAGE_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{Choice, Codec, TABLE, ZstdLevel};

    /// Every codec, and of zstd a level of each of the classes in which contexts grow.
    fn choices() -> impl Iterator<Item = Choice> {
        let levels = [ZstdLevel::DEFAULT, ZstdLevel::new(6).expect("a level"), ZstdLevel::BEST].map(Codec::Zstd);
        TABLE.iter().map(|row| row.example).chain(levels).map(Choice::Fixed).chain([Choice::Auto])
    }

    #[test]
    fn the_shares_and_the_contexts_stay_within_the_memory() {
        for codec in choices() {
            for memory_bytes in [MEMORY_BYTES_MIN, 8 << 20, 64 << 20, 1 << 30] {
                for chunk_bytes in [4 << 10, 64 << 10, 256 << 10, 4 << 20] {
                    for threads in [1, 2, 4, 8, 16, 64] {
                        let options = Options { memory_bytes, chunk_bytes, codec, threads, ..Options::default() };
                        let b = Bounds::new(&options).expect("from the least memory on, every combination works");
                        let contexts = b.threads * (encoder_bytes_max(codec, b.chunk_bytes) + DECODER_BYTES_MAX);
                        assert!(b.buffers * b.buffer_bytes + contexts <= memory_bytes, "{options:?}: {b:?}");
                        assert!(b.window + b.ring + 2 + b.in_flight + b.threads + b.fetched <= b.buffers, "{b:?}");
                        assert!(b.ring >= BLOCKS_MIN, "{options:?}: {b:?}");
                    }
                }
            }
        }
    }

    /// `-m 4352K -z zstd:19` was refused, though `-m 4M -z zstd:19` worked.
    #[test]
    fn more_memory_is_never_refused_nor_used_worse() {
        for (codec, chunk_bytes, threads) in choices().flat_map(|codec| {
            let chunks = [4 << 10, 100_000, 256 << 10, 300 << 10, 4 << 20];
            chunks.into_iter().flat_map(move |chunk_bytes| [1, 2, 4, 64].map(|threads| (codec, chunk_bytes, threads)))
        }) {
            let mut had: Option<Bounds> = None;
            for memory_bytes in (MEMORY_BYTES_MIN..80 << 20).step_by(60 << 10) {
                let options = Options { memory_bytes, chunk_bytes, codec, threads, ..Options::default() };
                let b = Bounds::new(&options).unwrap_or_else(|error| panic!("{options:?}: {error}"));
                let had = had.replace(b).unwrap_or(b);
                assert!(b.chunk_bytes >= had.chunk_bytes, "{options:?}: {b:?} after {had:?}");
                // Larger chunks may leave room for fewer workers, and more workers take from the rest.
                assert!(
                    b.chunk_bytes > had.chunk_bytes || b.threads >= had.threads,
                    "{options:?}: {b:?} after {had:?}"
                );
                if (b.chunk_bytes, b.threads) == (had.chunk_bytes, had.threads) {
                    let shares = |b: Bounds| [b.buffers, b.window, b.ring, b.encode_queue];
                    assert!(shares(b).iter().zip(shares(had)).all(|(&now, then)| now >= then), "{b:?} after {had:?}");
                }
            }
        }
    }

    #[test]
    fn eight_mebibytes_leave_most_to_the_backlog() {
        let b = Bounds::new(&Options { memory_bytes: 8 << 20, threads: 2, ..Options::default() }).expect("8 MiB");
        assert_eq!((b.threads, b.chunk_bytes), (2, 128 << 10));
        assert!(b.window + b.encode_queue + b.ring > b.buffers / 2);
    }
}
