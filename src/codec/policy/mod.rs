//! Which codec the next chunk gets: the adaptive policy behind `auto`, and the trivial one behind a fixed codec.
//!
//! Pure: what it knows is what it is told, chunk by chunk. No clock, no randomness; the same calls give the same plans.
//! Figures are MB/s and ratios of one thread at 256 KiB. tests/policy holds every promise made here, in simulated time.
//!
//! ```text
//!             spill queue (mean)    disk room         the queue has room    it has not
//!  plenty     under 3/4        and  over 1/4          the rung              raw
//!  tight      from 3/4         or   1/4 and less      the rung              lightest of the family
//!  scarce     from 9/10        or   1/8 and less      heaviest of the family, whatever the room
//! ```
//! 1. **Room decides at once.** A chunk is compressed where there is room for those that come meanwhile, and goes raw
//!    where not: that costs next to nothing (7 GB/s and more) and fits either family. Room is what intake may still
//!    bring: free slots, less what order holds back behind a chunk in an encoder's hands. 24 chunks will do: a producer
//!    of 3 GB/s brings 17 while zstd:3 is at work at 181 MB/s, its slowest, whatever the size of a chunk. So at 64 MiB
//!    of memory, which gives 82 to 91 slots, a burst of 15 MB is compressed whole. Short queues reserve 2/3.
//! 2. **The reserve learns.** Where encoders get little of a core, more comes meanwhile. When no more than a sixteenth
//!    of the queue is left after a chunk was compressed, the reserve grows by half, and once it exceeds the queue, to
//!    four times that. Every 64 chunks without, it shrinks by a quarter, so that next to nothing is compressed for some
//!    320 chunks.
//! 3. **The rung follows the share of chunks gone raw**: zstd:3, zstd:1 or lz4, downwards from zstd:3, because a slow
//!    producer offers few occasions to climb and a fast one many to descend. zstd:3 (ratio 4.3) with 1 chunk in 43 raw
//!    stores as much as zstd:1 (4.0); zstd:1 with 1 in 7 raw as much as lz4 (2.8). A leaky bucket measures the share. A
//!    calm run of 32 chunks climbs one rung; each climb that fails doubles that, to 512, so that a load between two
//!    rungs does not flap.
//! 4. **A family change must pay**, for it ends a segment. At least 16 MiB lie between two, up to 128 MiB while one
//!    follows the other. Under pressure LZ4 is kept only where it saves more bytes per nanosecond than zstd:1 does, as
//!    measured on this very data: often it does not (SQL 0.14 against 0.17, source 0.27 against 0.36; programs 0.26
//!    against 0.20).
//! 5. **Incompressible data**: after 32 such chunks in a row tries get rarer, down to each 64th chunk. One success ends
//!    it. zstd gives up on such a chunk at 4 to 7 GB/s, so tries cost little. Where LZ4 gave up, zstd has its turn
//!    first: base64 is 1.0 to the one and 1.33 to the other.
//! 6. **What compresses in next to no time** (zeros, a disk image's empty parts: 3 GB/s and more) is compressed whatever
//!    the room. The last chunk tells: when the data changes, each worker has one chunk wrong.
//! 7. **Where storage is the limit, compression is the throughput**: a disk of 200 MB/s takes 800 MB/s at ratio 4, so
//!    no chunk goes raw for speed then. The spill queue counts by its mean over some 32 chunks, for all that a slow
//!    chunk held up comes to it at once. The ladder ends at zstd:3: zstd:6 stores 9 % less for 2.6 times the work, and
//!    its contexts take several times the memory.

mod auto;
mod measure;

use super::{Choice, Codec};
use crate::format::{CodecId, Family};
use auto::Auto;

/// How the pipe is doing when a worker has taken a chunk. Fractions are 0.0 to 1.0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Load {
    /// Chunks that may yet come before intake waits, whether for want of a slot in the queue in front of the encoders
    /// or because an older chunk is still in an encoder's hands.
    pub queue_room: usize,
    /// Chunks that may wait for an encoder.
    pub queue_slots: usize,
    /// Fill of the memory for encoded chunks that wait for the disk. At 1.0 the encoders wait.
    pub spill_queue: f32,
    /// Disk room left, as a fraction of the limit. 1.0 where there is no limit.
    pub disk_room: f32,
}

/// How to encode one chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The codec: raw, or one of the family.
    pub codec: Codec,
    /// The family of segment it goes into. Another one than the chunk before had means a new segment.
    pub family: Family,
}

/// What became of one chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What [`Policy::choose`] said.
    pub plan: Plan,
    /// How it is stored: raw when compression did not pay.
    pub stored: CodecId,
    /// Bytes before.
    pub raw_len: u32,
    /// Bytes of the frame.
    pub frame_len: u32,
    /// Time that encoding took, in nanoseconds.
    pub cost_ns: u64,
}

/// Picks the codec of every chunk of one stream.
///
/// ```
/// use spillpipe::codec::{Choice, Codec, Load, Policy, ZstdLevel};
/// let mut policy = Policy::new(Choice::Auto, 256 << 10);
/// let mut load = Load { queue_room: 90, queue_slots: 95, spill_queue: 0.0, disk_room: 1.0 };
/// assert_eq!(policy.choose(load).codec, Codec::Zstd(ZstdLevel::DEFAULT));
/// load.queue_room = 10;
/// assert_eq!(policy.choose(load).codec, Codec::Raw);
/// ```
#[derive(Debug)]
pub struct Policy(Mode);

#[derive(Debug)]
enum Mode {
    Fixed(Plan),
    Auto(Auto),
}

impl Policy {
    /// The policy for what the user asked for, where a chunk has so many raw bytes.
    #[must_use]
    pub fn new(choice: Choice, chunk_bytes: usize) -> Self {
        Self(match choice {
            Choice::Fixed(codec) => Mode::Fixed(Plan { codec, family: codec.family().unwrap_or(Family::Zstd) }),
            Choice::Auto => Mode::Auto(Auto::new(chunk_bytes)),
        })
    }

    /// The plan for the next chunk. To be called in stream order, when a worker has taken it.
    pub fn choose(&mut self, load: Load) -> Plan {
        match &mut self.0 {
            Mode::Fixed(plan) => *plan,
            Mode::Auto(auto) => auto.choose(load),
        }
    }

    /// Learns from a chunk that has been encoded. To be called in any order.
    pub fn observe(&mut self, outcome: &Outcome) {
        if let Mode::Auto(auto) = &mut self.0 {
            auto.observe(outcome);
        }
    }
}
