//! Raw chunks to frames: in the caller's thread, or several at once and in order.
//!
//! ```text
//!   submit ──> jobs ──> workers ──> results ──> next, in the order of submission
//! ```

use crate::codec::{Encoder, Load, Outcome, Plan, Policy};
use crate::format::frame::frame_bytes_max;
use crate::format::{CodecId, Family, crc32};
use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
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
    index: u64,
    raw: Vec<u8>,
    frame: Vec<u8>,
    plan: Plan,
    record_end: bool,
}

/// Encodes chunks, and keeps their order.
#[derive(Debug)]
pub(super) struct Encoders {
    policy: Policy,
    slots: usize,
    /// Chunks submitted and taken so far.
    submitted: u64,
    taken: u64,
    /// From `taken` on, as far as they are done.
    done: VecDeque<Option<Encoded>>,
    spare_raw: Vec<Vec<u8>>,
    spare_frames: Vec<Vec<u8>>,
    workers: Workers,
}

#[derive(Debug)]
enum Workers {
    /// The caller's thread.
    Here(Box<Encoder>),
    Threads {
        jobs: Option<SyncSender<Job>>,
        /// `None`: the worker broke over it.
        results: Receiver<(u64, Option<Encoded>)>,
        threads: Vec<JoinHandle<()>>,
    },
}

impl Encoders {
    /// With 0 threads each chunk is encoded as it is submitted. At most `slots` chunks are under way.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub(super) fn new(policy: Policy, threads: usize, slots: usize) -> io::Result<Self> {
        let workers = if threads == 0 { Workers::Here(Box::new(Encoder::new(true))) } else { start(threads, slots)? };
        Ok(Self {
            policy,
            slots,
            submitted: 0,
            taken: 0,
            done: VecDeque::new(),
            spare_raw: Vec::new(),
            spare_frames: Vec::new(),
            workers,
        })
    }

    /// Whether another chunk may be submitted without one being taken before.
    pub(super) fn has_room(&self) -> bool {
        self.under_way() < self.slots
    }

    /// Whether nothing is under way.
    pub(super) fn is_empty(&self) -> bool {
        self.under_way() == 0
    }

    fn under_way(&self) -> usize {
        usize::try_from(self.submitted - self.taken).unwrap_or(usize::MAX)
    }

    /// An empty buffer for a chunk.
    pub(super) fn buffer(&mut self) -> Vec<u8> {
        let mut raw = self.spare_raw.pop().unwrap_or_default();
        raw.clear();
        raw
    }

    /// Submits the next chunk, which is not empty.
    pub(super) fn submit(&mut self, raw: Vec<u8>, record_end: bool, disk_room: f32) {
        let load = Load {
            queue_room: self.slots.saturating_sub(self.under_way()),
            queue_slots: self.slots,
            spill_queue: 0.0,
            disk_room,
        };
        let plan = self.policy.choose(load);
        let frame = self.spare_frames.pop().unwrap_or_default();
        let job = Job { index: self.submitted, raw, frame, plan, record_end };
        self.submitted += 1;
        match &mut self.workers {
            Workers::Here(encoder) => {
                let (index, done) = (job.index, encode(encoder, job));
                self.enter(index, done);
            }
            // They end only when the sender is dropped.
            Workers::Threads { jobs, .. } => drop(jobs.as_ref().map(|jobs| jobs.send(job))),
        }
    }

    /// The oldest chunk that was submitted, if it is done; with `wait`, when it is. `None`: nothing is done, or nothing
    /// is under way.
    ///
    /// # Errors
    /// When a worker broke over a chunk: a defect.
    pub(super) fn take(&mut self, wait: bool) -> io::Result<Option<Encoded>> {
        loop {
            if let Some(Some(_)) = self.done.front() {
                self.taken += 1;
                return Ok(self.done.pop_front().flatten());
            }
            if self.is_empty() {
                return Ok(None);
            }
            let Workers::Threads { results, .. } = &self.workers else { return Err(broke()) };
            let (index, encoded) = match if wait { results.recv().map_err(Into::into) } else { results.try_recv() } {
                Ok(result) => result,
                Err(TryRecvError::Empty) => return Ok(None),
                Err(TryRecvError::Disconnected) => return Err(broke()),
            };
            self.enter(index, encoded.ok_or_else(broke)?);
        }
    }

    /// Takes back the chunk that was taken last: it comes again.
    pub(super) fn put_back(&mut self, encoded: Encoded) {
        self.taken -= 1;
        self.done.push_front(Some(encoded));
    }

    /// Gives the buffers of a chunk back that is written.
    pub(super) fn recycle(&mut self, encoded: Encoded) {
        self.spare_raw.push(encoded.raw);
        self.spare_frames.push(encoded.frame);
    }

    fn enter(&mut self, index: u64, encoded: Encoded) {
        self.policy.observe(&Outcome {
            plan: encoded.plan,
            stored: encoded.codec,
            raw_len: encoded.raw_len,
            frame_len: u32::try_from(encoded.frame_len).unwrap_or(u32::MAX),
            cost_ns: encoded.cost_ns,
        });
        let place = usize::try_from(index - self.taken).unwrap_or(usize::MAX);
        while self.done.len() <= place {
            self.done.push_back(None);
        }
        self.done[place] = Some(encoded);
    }
}

impl Drop for Encoders {
    fn drop(&mut self) {
        if let Workers::Threads { jobs, threads, .. } = &mut self.workers {
            drop(jobs.take());
            for thread in threads.drain(..) {
                let _ = thread.join();
            }
        }
    }
}

fn start(count: usize, slots: usize) -> io::Result<Workers> {
    // Neither ever holds more than is under way, so nobody waits for room in them.
    let (jobs, queue) = sync_channel::<Job>(slots);
    let (sender, results) = sync_channel(slots);
    let queue = Arc::new(Mutex::new(queue));
    let mut threads = Vec::new();
    for _ in 0..count {
        let (queue, sender) = (Arc::clone(&queue), sender.clone());
        let run = move || {
            let mut encoder = Encoder::new(true);
            loop {
                let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
                let Ok(job) = job else { return };
                let index = job.index;
                // What becomes of the encoder is of no matter: the writer is over then.
                let done = catch_unwind(AssertUnwindSafe(|| encode(&mut encoder, job))).ok();
                if sender.send((index, done)).is_err() {
                    return;
                }
            }
        };
        threads.push(thread::Builder::new().name("encoder".to_owned()).spawn(run)?);
    }
    Ok(Workers::Threads { jobs: Some(jobs), results, threads })
}

fn broke() -> io::Error {
    io::Error::other("a thread that compresses broke: this is a defect, please report it")
}

fn encode(encoder: &mut Encoder, job: Job) -> Encoded {
    let Job { raw, mut frame, plan, record_end, .. } = job;
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
