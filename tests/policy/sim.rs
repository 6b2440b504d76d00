//! A pipe in simulated time: producer, queue, encoders, memory queue, disk, consumer.

#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a model: small positive figures, good to a few percent"
)]

use spillpipe::codec::{Choice, Codec, Load, Outcome, Plan, Policy};
use spillpipe::format::CodecId;
use std::collections::{BTreeSet, VecDeque};

pub(crate) const CHUNK_BYTES: u32 = 256 << 10;
/// Slots of the queue in front of the encoders: at 64 MiB of memory and two workers; and the fewest that there are,
/// which a simulation takes as 6 more than two a worker.
pub(crate) const LONG: usize = 88;
pub(crate) const SHORT: usize = 0;
pub(crate) const QUEUES: [usize; 2] = [SHORT, LONG];
pub(crate) const MS: u64 = 1_000_000;
pub(crate) const SECOND: u64 = 1000 * MS;

/// What a chunk is like: MB/s of one thread and ratio under lz4, zstd:1 and zstd:3.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind(pub(crate) [(f64, f64); 3]);

/// Kernel source, as the targets have it.
pub(crate) const TEXT: Kind = Kind([(636.0, 2.8), (524.0, 4.0), (366.0, 4.3)]);
/// As measured with the crate's encoder: Rust and C source, a made-up SQL dump, executables, random bytes as base64 and
/// as they are.
pub(crate) const SOURCE: Kind = Kind([(377.0, 3.54), (439.0, 5.2), (343.0, 5.5)]);
/// The dump of the benchmarks, by lz4 -B5 and zstd -B262144.
pub(crate) const DUMP: Kind = Kind([(385.0, 2.41), (297.0, 3.63), (239.0, 3.71)]);
pub(crate) const SQL: Kind = Kind([(395.0, 1.55), (295.0, 2.29), (181.0, 2.51)]);
pub(crate) const PROGRAMS: Kind = Kind([(1974.0, 1.15), (1403.0, 1.17), (885.0, 1.18)]);
pub(crate) const BASE64: Kind = Kind([(6705.0, 1.0), (658.0, 1.33), (620.0, 1.33)]);
/// As `zstd -b1 -B256K` and `lz4 -b1` have it.
pub(crate) const ZEROS: Kind = Kind([(12_000.0, 252.0), (7900.0, 10_000.0), (7100.0, 10_000.0)]);
pub(crate) const RANDOM: Kind = Kind([(RAW_MB_S, 1.0), (RAW_MB_S, 1.0), (RAW_MB_S, 1.0)]);
const RAW_MB_S: f64 = 7000.0;
/// What every chunk costs besides: locks and waking.
const HANDLING_NS: u64 = 2000;

/// Two cores, of which an unthrottled producer, its pipe, intake and the spiller take most from 1500 MB/s on. Encoders
/// of lower priority get the rest, and a tenth of a core each in any case.
const CORES: f64 = 2.0;
const CROWD_MB_S: f64 = 1500.0;
const CROWD_CORES: f64 = 1.8;
const NICE_SHARE: f64 = 0.1;

/// How the producer writes. Speeds in MB/s.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Producer {
    Steady(u32),
    /// So many bytes at a speed, once a period.
    Bursts {
        bytes: u64,
        mb_s: u32,
        period_ns: u64,
    },
    /// At one speed, and after so many bytes at another.
    Turn {
        bytes: u64,
        mb_s: [u32; 2],
    },
}

impl Producer {
    /// `pv -L` at so many MB/s: a tenth of a second's worth at once, as fast as memory goes.
    pub(crate) fn pv(mb_s: u32) -> Self {
        Self::Bursts { bytes: u64::from(mb_s) * 100_000, mb_s: 3000, period_ns: SECOND / 10 }
    }

    /// Time it needs for the chunk that starts at that byte.
    fn chunk_ns(self, at: u64, chunk_bytes: u32) -> u64 {
        let ns = |mb_s| ns_at(chunk_bytes, f64::from(mb_s));
        match self {
            Self::Steady(mb_s) => ns(mb_s),
            Self::Bursts { bytes, mb_s, period_ns } => {
                let begins = at % bytes < u64::from(chunk_bytes);
                let burst_ns = (bytes as f64 / f64::from(mb_s) * 1000.0) as u64;
                ns(mb_s) + if begins { period_ns.saturating_sub(burst_ns) } else { 0 }
            }
            Self::Turn { bytes, mb_s } => ns(mb_s[usize::from(at >= bytes)]),
        }
    }
}

/// What a pipe is made of. Speeds in MB/s; costs and paces jitter by a fifth either way.
pub(crate) struct Sim {
    pub(crate) choice: Choice,
    pub(crate) workers: usize,
    pub(crate) chunk_bytes: u32,
    /// Chunks that may wait for an encoder, at least.
    pub(crate) slots: usize,
    pub(crate) producer: Producer,
    /// By number of the chunk.
    pub(crate) data: Box<dyn Fn(usize) -> Kind>,
    /// Everything runs on two cores, and the encoders on what the rest leaves of them.
    pub(crate) crowded: bool,
    pub(crate) disk_mb_s: f64,
    /// Bytes that the disk may hold, and the speed at which the consumer frees them, counted raw.
    pub(crate) disk_limit: u64,
    pub(crate) consumer_mb_s: f64,
    pub(crate) duration_ns: u64,
    pub(crate) seed: u64,
}

impl Default for Sim {
    fn default() -> Self {
        Self {
            choice: Choice::Auto,
            workers: 2,
            chunk_bytes: CHUNK_BYTES,
            slots: LONG,
            producer: Producer::Steady(150),
            data: Box::new(|_| TEXT),
            crowded: false,
            disk_mb_s: 5000.0,
            disk_limit: u64::MAX,
            consumer_mb_s: 1.0,
            duration_ns: 2 * SECOND,
            seed: 1,
        }
    }
}

/// Time for so many bytes at so many MB/s.
pub(crate) fn ns_at(bytes: u32, mb_s: f64) -> u64 {
    (f64::from(bytes) / mb_s * 1000.0) as u64
}

/// One encoded chunk.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chunk {
    pub(crate) taken_ns: u64,
    pub(crate) plan: Plan,
    pub(crate) stored: CodecId,
    pub(crate) raw_len: u32,
    pub(crate) frame_len: u32,
}

/// What came of it, chunks in stream order.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) chunks: Vec<Chunk>,
    pub(crate) waited_ns: u64,
    pub(crate) ended_ns: u64,
}

impl Report {
    /// Share of the time that the producer waited.
    pub(crate) fn waited(&self) -> f64 {
        self.waited_ns as f64 / self.ended_ns as f64
    }

    /// Bytes stored for each byte taken in.
    pub(crate) fn stored(&self) -> f64 {
        stored(&self.chunks)
    }

    /// The chunks taken from that time on.
    pub(crate) fn since(&self, ns: u64) -> &[Chunk] {
        &self.chunks[self.chunks.partition_point(|chunk| chunk.taken_ns < ns)..]
    }
}

/// Bytes stored for each byte taken in.
pub(crate) fn stored(chunks: &[Chunk]) -> f64 {
    let sum = |len: fn(&Chunk) -> u32| chunks.iter().map(|chunk| f64::from(len(chunk))).sum::<f64>();
    sum(|chunk| chunk.frame_len) / sum(|chunk| chunk.raw_len)
}

/// Changes of codec from one compressed chunk to the next.
pub(crate) fn codec_changes(chunks: &[Chunk]) -> usize {
    let codecs: Vec<_> = chunks.iter().map(|chunk| chunk.plan.codec).filter(|codec| *codec != Codec::Raw).collect();
    codecs.windows(2).filter(|pair| pair[0] != pair[1]).count()
}

/// Share of the chunks that were to get that codec.
pub(crate) fn share(chunks: &[Chunk], codec: Codec) -> f64 {
    let these = chunks.iter().filter(|chunk| chunk.plan.codec == codec).count();
    these as f64 / chunks.len() as f64
}

impl Sim {
    pub(crate) fn run(&self) -> Report {
        Pipe::new(self).run()
    }
}

/// The next random number: splitmix64 (Steele, Lea and Flood 2014).
pub(crate) fn next_random(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mixed = (*seed ^ (*seed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

const NEVER: u64 = u64::MAX;

struct Pipe<'a> {
    sim: &'a Sim,
    policy: Policy,
    random: u64,
    now: u64,
    /// When the producer has its next chunk, and how long it takes over it; while it waits for room, since when.
    ready_ns: u64,
    pace_ns: u64,
    waits_since: Option<u64>,
    queue: VecDeque<usize>,
    encoding: Vec<Encoding>,
    /// Encoded ahead of their turn, or for want of room in memory: their number.
    encoded: BTreeSet<usize>,
    placed: usize,
    spill: VecDeque<usize>,
    spill_bytes: u64,
    written_ns: u64,
    on_disk: VecDeque<usize>,
    disk_bytes: u64,
    drained_ns: u64,
    produced: usize,
    report: Report,
}

/// A chunk in a worker's hands.
struct Encoding {
    number: usize,
    since: u64,
    /// What is left to do, in nanoseconds of a whole core.
    left_ns: f64,
}

impl<'a> Pipe<'a> {
    fn new(sim: &'a Sim) -> Self {
        Self {
            sim,
            policy: Policy::new(sim.choice, sim.chunk_bytes as usize),
            random: sim.seed,
            now: 0,
            ready_ns: 0,
            pace_ns: 1,
            waits_since: None,
            queue: VecDeque::new(),
            encoding: Vec::new(),
            encoded: BTreeSet::new(),
            placed: 0,
            spill: VecDeque::new(),
            spill_bytes: 0,
            written_ns: NEVER,
            on_disk: VecDeque::new(),
            disk_bytes: 0,
            drained_ns: NEVER,
            produced: 0,
            report: Report { chunks: Vec::new(), waited_ns: 0, ended_ns: 0 },
        }
    }

    fn run(mut self) -> Report {
        loop {
            let share = self.share();
            let done_ns = |job: &Encoding| self.now + (job.left_ns / share).ceil() as u64;
            let encoded_ns = self.encoding.iter().map(done_ns).min().unwrap_or(NEVER);
            let next = self.ready_ns.min(encoded_ns).min(self.written_ns).min(self.drained_ns);
            if next > self.sim.duration_ns {
                let end = self.sim.duration_ns;
                self.report.waited_ns += self.waits_since.map_or(0, |since| end - since);
                self.report.ended_ns = end;
                return self.report;
            }
            let passed = (next - self.now) as f64;
            self.now = next;
            for job in &mut self.encoding {
                job.left_ns -= passed * share;
            }
            self.produce();
            self.finish_encoding();
            self.finish_io();
            self.place();
            self.take();
            self.start_io();
        }
    }

    /// Of a core, for each encoder.
    fn share(&self) -> f64 {
        if !self.sim.crowded {
            return 1.0;
        }
        let mb_s = f64::from(self.sim.chunk_bytes) / self.pace_ns as f64 * 1000.0;
        let crowd = if self.waits_since.is_some() { 0.0 } else { CROWD_CORES * (mb_s / CROWD_MB_S).min(1.0) };
        ((CORES - crowd) / self.encoding.len() as f64).clamp(NICE_SHARE, 1.0)
    }

    /// By a fifth either way.
    fn jitter(&mut self, ns: u64) -> u64 {
        ns * (800 + next_random(&mut self.random) % 401) / 1000
    }

    fn produce(&mut self) {
        if self.ready_ns <= self.now {
            self.ready_ns = NEVER;
            self.waits_since = Some(self.now);
        }
        self.admit();
    }

    fn slots(&self) -> usize {
        self.sim.slots.max(2 * self.sim.workers + 6)
    }

    /// Bytes that wait for the disk at most: the quarter of the ring that is always kept for that.
    fn spill_memory(&self) -> u64 {
        let ring = (self.slots() - 2 * self.sim.workers - 2) * 4 / 3;
        (ring / 4).max(2) as u64 * u64::from(self.sim.chunk_bytes)
    }

    /// Chunks that the producer may bring before it waits.
    fn room(&self) -> usize {
        let in_flight = self.produced - self.placed;
        (self.slots() - self.queue.len()).min(self.slots() + self.sim.workers - in_flight)
    }

    fn admit(&mut self) {
        if let Some(since) = self.waits_since
            && self.room() > 0
        {
            self.waits_since = None;
            self.report.waited_ns += self.now - since;
            self.queue.push_back(self.produced);
            self.produced += 1;
            let at = self.produced as u64 * u64::from(self.sim.chunk_bytes);
            self.pace_ns = self.sim.producer.chunk_ns(at, self.sim.chunk_bytes);
            self.ready_ns = self.now + self.jitter(self.pace_ns);
        }
    }

    fn load(&self) -> Load {
        Load {
            queue_room: self.room(),
            queue_slots: self.slots(),
            spill_queue: (self.spill_bytes as f32 / self.spill_memory() as f32).min(1.0),
            disk_room: 1.0 - (self.disk_bytes as f64 / self.sim.disk_limit as f64) as f32,
        }
    }

    fn take(&mut self) {
        while self.encoding.len() < self.sim.workers {
            let Some(number) = self.queue.pop_front() else { return };
            let plan = self.policy.choose(self.load());
            let (mb_s, ratio) = match plan.codec {
                Codec::Raw => (RAW_MB_S, 1.0),
                Codec::Lz4 => (self.sim.data)(number).0[0],
                Codec::Zstd(level) => (self.sim.data)(number).0[if level.get() == 1 { 1 } else { 2 }],
            };
            let left_ns = self.jitter(HANDLING_NS + ns_at(self.sim.chunk_bytes, mb_s)) as f64;
            let stored = if ratio > 1.03 { table_id(plan.codec) } else { CodecId::Raw };
            let raw_len = self.sim.chunk_bytes;
            let frame_len = (f64::from(raw_len) / ratio) as u32;
            self.encoding.push(Encoding { number, since: self.now, left_ns });
            self.report.chunks.push(Chunk { taken_ns: self.now, plan, stored, raw_len, frame_len });
            self.admit();
        }
    }

    fn finish_encoding(&mut self) {
        while let Some(at) = self.encoding.iter().position(|job| job.left_ns < 1.0) {
            let Encoding { number, since, .. } = self.encoding.swap_remove(at);
            let Chunk { plan, stored, raw_len, frame_len, .. } = self.chunk(number);
            self.policy.observe(&Outcome { plan, stored, raw_len, frame_len, cost_ns: self.now - since });
            self.encoded.insert(number);
        }
    }

    fn chunk(&self, number: usize) -> Chunk {
        self.report.chunks[number]
    }

    fn frame_bytes(&self, number: usize) -> u64 {
        u64::from(self.chunk(number).frame_len)
    }

    /// Moves what is encoded, in order, into the memory in front of the disk.
    fn place(&mut self) {
        while self.encoded.contains(&self.placed) && self.spill_bytes < self.spill_memory() {
            self.encoded.remove(&self.placed);
            self.spill_bytes += self.frame_bytes(self.placed);
            self.spill.push_back(self.placed);
            self.placed += 1;
        }
    }

    fn finish_io(&mut self) {
        if self.written_ns <= self.now {
            self.written_ns = NEVER;
            let number = self.spill.pop_front().expect("one was being written");
            self.spill_bytes -= self.frame_bytes(number);
            self.on_disk.push_back(number);
        }
        if self.drained_ns <= self.now {
            self.drained_ns = NEVER;
            let number = self.on_disk.pop_front().expect("one was being drained");
            self.disk_bytes -= self.frame_bytes(number);
        }
    }

    fn start_io(&mut self) {
        if self.written_ns == NEVER
            && let Some(&number) = self.spill.front()
        {
            let bytes = self.frame_bytes(number);
            if self.disk_bytes + bytes <= self.sim.disk_limit {
                self.disk_bytes += bytes;
                self.written_ns = self.now + (bytes as f64 / self.sim.disk_mb_s * 1000.0) as u64;
            }
        }
        if self.drained_ns == NEVER && !self.on_disk.is_empty() {
            self.drained_ns = self.now + ns_at(self.sim.chunk_bytes, self.sim.consumer_mb_s);
        }
    }
}

fn table_id(codec: Codec) -> CodecId {
    match codec {
        Codec::Raw => CodecId::Raw,
        Codec::Lz4 => CodecId::Lz4,
        Codec::Zstd(_) => CodecId::Zstd,
    }
}
