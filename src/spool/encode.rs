//! Raw chunks to frames: in the caller's thread, or several at once and in order; and the policy that picks the codec.

use crate::codec::{Encoder, Load, Outcome, Plan, Policy};
use crate::format::frame::frame_bytes_max;
use crate::format::{CodecId, Family, crc32};
use crate::sync::ordered::Ordered;
use std::io;
use std::time::Instant;

/// A chunk, encoded.
#[derive(Debug)]
pub(super) struct Encoded {
    pub(super) family: Family,
    pub(super) codec: CodecId,
    pub(super) raw_len: u32,
    pub(super) raw_crc: u32,
    pub(super) frame_crc: u32,
    pub(super) record_end: bool,
    frame_len: usize,
    frame: Vec<u8>,
    raw: Vec<u8>,
    plan: Plan,
    cost_ns: u64,
}

impl Encoded {
    pub(super) fn frame(&self) -> &[u8] {
        &self.frame[..self.frame_len]
    }
}

#[derive(Debug)]
struct Job {
    raw: Vec<u8>,
    frame: Vec<u8>,
    plan: Plan,
    record_end: bool,
}

/// Encodes chunks, and keeps their order.
#[derive(Debug)]
pub(super) struct Encoders {
    policy: Policy,
    pool: Ordered<Job, Encoded>,
    /// A chunk that was taken and is to come again.
    back: Option<Encoded>,
    spare_raw: Vec<Vec<u8>>,
    spare_frames: Vec<Vec<u8>>,
}

impl Encoders {
    /// With 0 threads each chunk is encoded as it is submitted. At most `slots` chunks are under way.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub(super) fn new(policy: Policy, threads: usize, slots: usize) -> io::Result<Self> {
        let worker = || {
            let mut encoder = Encoder::new(true);
            move |job| encode(&mut encoder, job)
        };
        let pool = Ordered::new("encoder", threads, slots, worker)?;
        Ok(Self { policy, pool, back: None, spare_raw: Vec::new(), spare_frames: Vec::new() })
    }

    /// Whether another chunk may be submitted without one being taken before.
    pub(super) fn has_room(&self) -> bool {
        self.under_way() < self.pool.slots()
    }

    /// Whether nothing is under way.
    pub(super) fn is_empty(&self) -> bool {
        self.under_way() == 0
    }

    fn under_way(&self) -> usize {
        self.pool.under_way() + usize::from(self.back.is_some())
    }

    /// An empty buffer for a chunk.
    pub(super) fn buffer(&mut self) -> Vec<u8> {
        let mut raw = self.spare_raw.pop().unwrap_or_default();
        raw.clear();
        raw
    }

    /// Submits the next chunk, which is not empty.
    pub(super) fn submit(&mut self, raw: Vec<u8>, record_end: bool, disk_room: f32) {
        let queue_slots = self.pool.slots();
        let queue_room = queue_slots.saturating_sub(self.under_way());
        let plan = self.policy.choose(Load { queue_room, queue_slots, spill_queue: 0.0, disk_room });
        let frame = self.spare_frames.pop().unwrap_or_default();
        self.pool.submit(Job { raw, frame, plan, record_end });
    }

    /// The oldest chunk that was submitted, if it is done; with `wait`, when it is. `None`: nothing is done, or nothing
    /// is under way.
    ///
    /// # Errors
    /// When a worker broke over a chunk: a defect.
    pub(super) fn take(&mut self, wait: bool) -> io::Result<Option<Encoded>> {
        if self.back.is_some() {
            return Ok(self.back.take());
        }
        let Some(encoded) = self.pool.take(wait)? else { return Ok(None) };
        self.policy.observe(&Outcome {
            plan: encoded.plan,
            stored: encoded.codec,
            raw_len: encoded.raw_len,
            frame_len: u32::try_from(encoded.frame_len).unwrap_or(u32::MAX),
            cost_ns: encoded.cost_ns,
        });
        Ok(Some(encoded))
    }

    /// Takes back the chunk that was taken last: it comes again.
    pub(super) fn put_back(&mut self, encoded: Encoded) {
        self.back = Some(encoded);
    }

    /// Gives the buffers of a chunk back that is written.
    pub(super) fn recycle(&mut self, encoded: Encoded) {
        self.spare_raw.push(encoded.raw);
        self.spare_frames.push(encoded.frame);
    }
}

fn encode(encoder: &mut Encoder, job: Job) -> Encoded {
    let Job { raw, mut frame, plan, record_end } = job;
    let raw_len = u32::try_from(raw.len()).expect("chunks are bounded");
    let room = frame_bytes_max(plan.family, raw_len) as usize;
    if frame.len() < room {
        frame.resize(room, 0);
    }
    let started = Instant::now();
    let stored = encoder.encode(plan.codec, plan.family, &raw, &mut frame);
    let cost_ns = u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
    Encoded {
        family: plan.family,
        codec: stored.codec,
        raw_len,
        raw_crc: crc32(&raw),
        frame_crc: crc32(&frame[..stored.frame_len]),
        record_end,
        frame_len: stored.frame_len,
        frame,
        raw,
        plan,
        cost_ns,
    }
}
