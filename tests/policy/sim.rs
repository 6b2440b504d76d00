//! A pipe in simulated time: producer, short queue, encoders, memory queue, disk, consumer.

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
pub(crate) const SQL: Kind = Kind([(395.0, 1.55), (295.0, 2.29), (181.0, 2.51)]);
pub(crate) const PROGRAMS: Kind = Kind([(1974.0, 1.15), (1403.0, 1.17), (885.0, 1.18)]);
pub(crate) const BASE64: Kind = Kind([(6705.0, 1.0), (658.0, 1.33), (620.0, 1.33)]);
pub(crate) const RANDOM: Kind = Kind([(RAW_MB_S, 1.0), (RAW_MB_S, 1.0), (RAW_MB_S, 1.0)]);
const RAW_MB_S: f64 = 7000.0;

/// What a pipe is made of. Speeds in MB/s; costs and paces jitter by a fifth either way.
pub(crate) struct Sim {
    pub(crate) choice: Choice,
    pub(crate) workers: usize,
    /// Time the producer needs for the chunk of that number.
    pub(crate) pace_ns: Box<dyn Fn(usize) -> u64>,
    pub(crate) data: Box<dyn Fn(usize) -> Kind>,
    pub(crate) disk_mb_s: f64,
    /// Bytes that the disk may hold, and the speed at which the consumer frees them, counted raw.
    pub(crate) disk_limit: u64,
    pub(crate) consumer_mb_s: f64,
    pub(crate) spill_memory: u64,
    pub(crate) duration_ns: u64,
    pub(crate) seed: u64,
}

impl Default for Sim {
    fn default() -> Self {
        Self {
            choice: Choice::Auto,
            workers: 2,
            pace_ns: steady(150),
            data: Box::new(|_| TEXT),
            disk_mb_s: 3000.0,
            disk_limit: u64::MAX,
            consumer_mb_s: 1.0,
            spill_memory: 32 << 20,
            duration_ns: 2 * SECOND,
            seed: 1,
        }
    }
}

/// Time for one chunk at so many MB/s.
pub(crate) fn ns_at(mb_s: f64) -> u64 {
    (f64::from(CHUNK_BYTES) / mb_s * 1000.0) as u64
}

pub(crate) fn steady(mb_s: u32) -> Box<dyn Fn(usize) -> u64> {
    let ns = ns_at(f64::from(mb_s));
    Box::new(move |_| ns)
}

/// One encoded chunk.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chunk {
    pub(crate) taken_ns: u64,
    pub(crate) plan: Plan,
    pub(crate) stored: CodecId,
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
    chunks.iter().map(|chunk| f64::from(chunk.frame_len)).sum::<f64>() / (chunks.len() as f64 * f64::from(CHUNK_BYTES))
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
    /// When the producer has its next chunk; while it waits for room in the queue, since when.
    ready_ns: u64,
    waits_since: Option<u64>,
    queue: VecDeque<usize>,
    /// Chunks being encoded: when they will be, their number and what they cost.
    encoding: Vec<(u64, usize, u64)>,
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

impl<'a> Pipe<'a> {
    fn new(sim: &'a Sim) -> Self {
        Self {
            sim,
            policy: Policy::new(sim.choice, CHUNK_BYTES as usize),
            random: sim.seed,
            now: 0,
            ready_ns: 0,
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
            let encoded_ns = self.encoding.iter().map(|&(until, ..)| until).min().unwrap_or(NEVER);
            self.now = self.ready_ns.min(encoded_ns).min(self.written_ns).min(self.drained_ns);
            if self.now > self.sim.duration_ns {
                let end = self.sim.duration_ns;
                self.report.waited_ns += self.waits_since.map_or(0, |since| end - since);
                self.report.ended_ns = end;
                return self.report;
            }
            self.produce();
            self.finish_encoding();
            self.finish_io();
            self.place();
            self.take();
            self.start_io();
        }
    }

    fn slots(&self) -> usize {
        2 * self.sim.workers + 2
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

    fn admit(&mut self) {
        if let Some(since) = self.waits_since
            && self.queue.len() < self.slots()
        {
            self.waits_since = None;
            self.report.waited_ns += self.now - since;
            self.queue.push_back(self.produced);
            self.produced += 1;
            let pace_ns = (self.sim.pace_ns)(self.produced);
            self.ready_ns = self.now + self.jitter(pace_ns);
        }
    }

    fn take(&mut self) {
        while self.encoding.len() < self.sim.workers && self.encoded.len() < 2 * self.sim.workers {
            let Some(number) = self.queue.pop_front() else { return };
            let load = Load {
                encode_queue: self.queue.len() as f32 / self.slots() as f32,
                spill_queue: (self.spill_bytes as f32 / self.sim.spill_memory as f32).min(1.0),
                disk_room: 1.0 - (self.disk_bytes as f64 / self.sim.disk_limit as f64) as f32,
            };
            let plan = self.policy.choose(load);
            let (mb_s, ratio) = match plan.codec {
                Codec::Raw => (RAW_MB_S, 1.0),
                Codec::Lz4 => (self.sim.data)(number).0[0],
                Codec::Zstd(level) => (self.sim.data)(number).0[if level.get() == 1 { 1 } else { 2 }],
            };
            let cost_ns = self.jitter(ns_at(mb_s));
            let stored = if ratio > 1.03 { table_id(plan.codec) } else { CodecId::Raw };
            let frame_len = (f64::from(CHUNK_BYTES) / ratio) as u32;
            self.encoding.push((self.now + cost_ns, number, cost_ns));
            self.report.chunks.push(Chunk { taken_ns: self.now, plan, stored, frame_len });
            self.admit();
        }
    }

    fn finish_encoding(&mut self) {
        while let Some(at) = self.encoding.iter().position(|&(until, ..)| until <= self.now) {
            let (_, number, cost_ns) = self.encoding.swap_remove(at);
            let Chunk { plan, stored, frame_len, .. } = self.chunk(number);
            self.policy.observe(&Outcome { plan, stored, raw_len: CHUNK_BYTES, frame_len, cost_ns });
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
        while self.encoded.contains(&self.placed) && self.spill_bytes < self.sim.spill_memory {
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
            self.drained_ns = self.now + ns_at(self.sim.consumer_mb_s);
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
