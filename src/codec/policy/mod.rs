//! Which codec the next chunk gets: the adaptive policy behind `auto`, and the trivial one behind a fixed codec.
//!
//! Pure: what it knows is what it is told, chunk by chunk. No clock, no randomness; the same calls give the same plans.
//! Figures are MB/s and ratios of one thread at 256 KiB. tests/policy holds every promise made here, in simulated time.
//!
//! ```text
//!             spill queue        disk room        chunk queue under 1/3     from 1/3
//!  plenty     under 1/2     and  over 1/4         the rung                  raw
//!  tight      from 1/2      or   1/4 and less     the rung                  lightest of the family
//!  scarce     from 3/4      or   1/8 and less     heaviest of the family, whatever the queue
//! ```
//! 1. **The queue decides at once.** It holds only a millisecond or two of a fast producer, so a chunk goes raw as soon
//!    as a third of it is taken. Raw costs next to nothing (7 GB/s and more) and fits either family. A fast producer
//!    thus gets a mix: compressed while a worker has time, raw while the queue fills.
//! 2. **A full queue is a warning.** One zstd:1 chunk takes 0.5 ms, in which 3 GB/s fill the queue of a single worker.
//!    A queue seen full after a chunk was compressed makes only each 4th chunk be compressed, then each 16th, up to
//!    each 256th. After 320 chunks without, every try that goes well takes one step back. (Multiplicative back-off and
//!    cautious probing, as in TCP's congestion avoidance, Jacobson 1988, with chunks for round trips.)
//! 3. **The rung follows the share of chunks gone raw**: zstd:3, zstd:1 or lz4, downwards from zstd:3, because a slow
//!    producer offers few occasions to climb and a fast one many to descend. zstd:3 (ratio 4.3) with 1 chunk in 43 raw
//!    stores as much as zstd:1 (4.0); zstd:1 with 1 in 7 raw as much as lz4 (2.8). A leaky bucket measures the share.
//!    A calm run of 32 chunks climbs one rung; each climb that fails doubles that, to 512, so that a load between two
//!    rungs does not flap.
//! 4. **A family change must pay**, for it ends a segment. At least 16 MiB lie between two, up to 128 MiB while
//!    one follows the other. Under pressure LZ4 is kept only where it saves more bytes per nanosecond than zstd:1 does, as
//!    measured on this very data: often it does not (SQL 0.14 against 0.17, source 0.27 against 0.36; programs 0.26
//!    against 0.20).
//! 5. **Incompressible data**: after 32 such chunks in a row tries get rarer, down to each 64th chunk. One success ends
//!    it. zstd gives up on such a chunk at 4 to 7 GB/s, so tries cost little. Where LZ4 gave up, zstd has its turn first:
//!    base64 is 1.0 to the one and 1.33 to the other.
//! 6. **Where storage is the limit, compression is the throughput**: a disk of 200 MB/s takes 800 MB/s at ratio 4, so
//!    no chunk goes raw for speed then. The ladder ends at zstd:3: zstd:6 stores 9 % less for 2.6 times the work, and
//!    its contexts take several times the memory.

mod auto;
mod measure;

use super::{Choice, Codec};
use crate::format::{CodecId, Family};
use auto::Auto;

/// How the pipe is doing when a worker takes a chunk. Fractions, 0.0 to 1.0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Load {
    /// Fill of the queue of chunks that wait for an encoder, the one just taken not counted. At 1.0 intake waits.
    pub encode_queue: f32,
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
/// let mut load = Load { encode_queue: 0.0, spill_queue: 0.0, disk_room: 1.0 };
/// assert_eq!(policy.choose(load).codec, Codec::Zstd(ZstdLevel::DEFAULT));
/// load.encode_queue = 0.8;
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
