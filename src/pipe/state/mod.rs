//! What the stages share: where every chunk is, and what may happen next.
//!
//! ```text
//!  accept ──> window <──────────────────────────── decoded          take ──> outflow
//!     │         (slots in order, some still being decoded)
//!     └──> encode queue ─> encoded, in order ─> ring ─> decode queue
//! ```
//! One step of a stage is one call under the lock, and every call ends in [`State::settle`], which moves along what
//! can move. Order is kept because chunks only ever go from the end of one queue to the end of the next, and because
//! a chunk goes straight to the window only while nothing is behind it.
//!
//! No I/O, no clock, no waiting here: [`super::monitor`] does the waiting.

mod disk;

use super::bounds::Bounds;
use crate::codec::{Load, Outcome, Plan, Policy};
use crate::format::{FormatError, SegmentNumber, StreamOffset};
use crate::ring::WhenFull;
use crate::ring::{Buffer, Count, FullReason, Pool, Readable, Ring, StoredChunk};
use crate::store::SegmentName;
use std::collections::VecDeque;
use std::sync::Arc;

/// The threads that take turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Intake,
    /// Intake, before it reads on.
    CatchUp,
    Encode,
    Spill,
    Fetch,
    Decode,
    Outflow,
}

impl Role {
    pub(super) const ALL: [Self; 7] =
        [Self::Intake, Self::CatchUp, Self::Encode, Self::Spill, Self::Fetch, Self::Decode, Self::Outflow];
}

/// A chunk to be encoded.
#[derive(Debug)]
pub(super) struct EncodeJob {
    ticket: u64,
    pub(super) offset: StreamOffset,
    pub(super) raw: Buffer,
}

/// Where a stored chunk was.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    Memory,
    Disk { segment: SegmentNumber, byte: u64 },
}

/// A chunk to be decoded.
#[derive(Debug)]
pub(super) struct DecodeJob {
    slot: u64,
    pub(super) chunk: StoredChunk,
    pub(super) place: Place,
}

/// A chunk to be read from disk.
#[derive(Debug)]
pub(super) struct FetchJob {
    slot: u64,
    pub(super) segment: Readable,
}

/// Something for the spiller to do.
#[derive(Debug)]
pub(super) enum SpillJob {
    /// Write the blocks; the ring is so long and ends in that segment.
    Write { disk_bytes: u64, segments: usize, newest: Option<SegmentName>, resuming: bool },
    /// The open segment has been drained: let go of it.
    Release,
}

/// What became of a chunk that intake brought.
#[derive(Debug)]
pub(super) enum Accepted {
    /// It is in.
    Taken,
    /// It was dropped.
    Dropped,
    /// Not yet: an event first, or a segment that was dropped to make room must be removed.
    Full(FullStep),
}

/// What a full ring asks of intake before it may go on.
#[derive(Debug)]
pub(super) enum FullStep {
    /// Tell the user that the producer waits, or that chunks are dropped.
    Tell { reason: FullReason, backlog_bytes: u64 },
    /// Remove what was dropped.
    Remove(Option<SegmentName>),
    /// Give up.
    Fail(FullReason),
}

/// No more can be spilled, for now.
#[derive(Debug)]
struct Full {
    /// Until it has been told.
    reason: Option<FullReason>,
    /// Something has changed: try again.
    retry: bool,
}

#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "four facts that have nothing to do with one another")]
pub(super) struct State {
    bounds: Bounds,
    when_full: WhenFull,
    policy: Policy,
    disk_room: f32,
    /// The chunk that is being filled, while intake waits for more of it: the newest of all.
    open: Option<Buffer>,
    next_offset: StreamOffset,
    input_ended: bool,
    encode_queue: VecDeque<EncodeJob>,
    /// Chunks on their way into the ring, oldest first; `None` while being encoded.
    in_flight: VecDeque<Option<StoredChunk>>,
    first_ticket: u64,
    ring: Ring,
    decode_queue: VecDeque<DecodeJob>,
    /// Frames taken from the ring and not yet decoded.
    fetched: usize,
    /// What goes out next, oldest first; `None` while being decoded.
    window: VecDeque<Option<Buffer>>,
    first_slot: u64,
    /// Bytes in outflow's hands.
    handing_out: u64,
    /// Outflow waits for room.
    output_full: bool,
    /// Bytes pass by.
    bypassed: bool,
    full: Option<Full>,
    /// Room may have come back since the spiller took its job: what it then finds full may not be so any more.
    room_came_back: bool,
    /// The segment that the spiller holds open.
    spilling_to: Option<SegmentName>,
    taken_out: u64,
    dropped: Count,
}

impl State {
    pub(super) fn new(bounds: Bounds, pool: Arc<Pool>, policy: Policy, when_full: WhenFull) -> Self {
        Self {
            bounds,
            when_full,
            policy,
            disk_room: 1.0,
            open: None,
            next_offset: StreamOffset(0),
            input_ended: false,
            encode_queue: VecDeque::new(),
            in_flight: VecDeque::new(),
            first_ticket: 0,
            ring: Ring::new(pool, bounds.ring),
            decode_queue: VecDeque::new(),
            fetched: 0,
            window: VecDeque::new(),
            first_slot: 0,
            handing_out: 0,
            output_full: false,
            bypassed: false,
            full: None,
            room_came_back: false,
            spilling_to: None,
            taken_out: 0,
            dropped: Count::default(),
        }
    }

    /// Whether a thread of that role would get something to do.
    pub(super) fn ready(&self, role: Role) -> bool {
        match role {
            Role::Intake => self.can_accept() || self.full_step_is_due(),
            Role::CatchUp => !self.lets_outflow_catch_up(),
            Role::Encode => self.can_encode(),
            Role::Spill => self.can_spill() || self.can_release(),
            Role::Fetch => self.can_fetch() && self.ring.readable(),
            Role::Decode => !self.decode_queue.is_empty(),
            Role::Outflow => match self.window.front() {
                Some(slot) => slot.is_some(),
                None => (self.open.is_some() && self.is_idle()) || self.is_over(),
            },
        }
    }

    /// Whether everything that came in has been handed to outflow.
    pub(super) fn is_over(&self) -> bool {
        self.input_ended && self.holds_nothing()
    }

    /// Whether all that was brought has been written out.
    pub(super) fn holds_nothing(&self) -> bool {
        self.is_idle() && self.open.is_none() && self.handing_out == 0
    }

    /// Whether what comes in next is what goes out next.
    pub(super) fn is_idle(&self) -> bool {
        self.window.is_empty() && self.ring_is_idle()
    }

    /// Whether nothing is in the ring or on its way there.
    fn ring_is_idle(&self) -> bool {
        self.in_flight.is_empty() && self.ring.is_empty()
    }

    // ── intake ──

    fn window_accepts(&self) -> bool {
        self.ring_is_idle() && self.window.len() < self.bounds.window
    }

    fn can_accept(&self) -> bool {
        let encoders_accept =
            self.encode_queue.len() < self.bounds.encode_queue && self.in_flight.len() < self.bounds.in_flight;
        self.window_accepts() || encoders_accept
    }

    /// Takes in the chunk that follows on the one before, and empties `chunk`. `None`: there is no room now.
    pub(super) fn accept(&mut self, chunk: &mut Option<Buffer>) -> Option<Accepted> {
        debug_assert!(self.open.is_none(), "the open chunk is taken back before another is brought");
        if !self.can_accept() {
            return self.accept_when_full(chunk);
        }
        let raw = chunk.take()?;
        let offset = self.pass(raw.len());
        if self.window_accepts() {
            self.window.push_back(Some(raw));
        } else {
            let ticket = self.first_ticket + self.in_flight.len() as u64;
            self.in_flight.push_back(None);
            self.encode_queue.push_back(EncodeJob { ticket, offset, raw });
        }
        Some(Accepted::Taken)
    }

    /// The stream goes on by `len` bytes; returns where they start.
    fn pass(&mut self, len: usize) -> StreamOffset {
        let offset = self.next_offset;
        self.next_offset.0 += len as u64;
        offset
    }

    fn full_step_is_due(&self) -> bool {
        let Some(full) = self.full.as_ref().filter(|full| !full.retry) else { return false };
        full.reason.is_some()
            || match self.when_full {
                WhenFull::Block | WhenFull::Fail => false,
                WhenFull::DropNew => true,
                WhenFull::DropOldest => self.ring.can_drop(),
            }
    }

    fn accept_when_full(&mut self, chunk: &mut Option<Buffer>) -> Option<Accepted> {
        if !self.full_step_is_due() {
            return None;
        }
        let backlog_bytes = self.backlog_bytes();
        let full = self.full.as_mut()?;
        if let Some(reason) = full.reason.take() {
            let fail = self.when_full == WhenFull::Fail;
            let step = if fail { FullStep::Fail(reason) } else { FullStep::Tell { reason, backlog_bytes } };
            return Some(Accepted::Full(step));
        }
        if self.when_full == WhenFull::DropNew {
            let raw = chunk.take()?;
            self.pass(raw.len());
            self.dropped += Count { chunks: 1, raw_bytes: raw.len() as u64 };
            return Some(Accepted::Dropped);
        }
        let (count, name) = self.ring.drop_oldest()?;
        // Where a segment has to be removed first, that is when to try again.
        full.retry = name.is_none();
        self.dropped += count;
        Some(Accepted::Full(FullStep::Remove(name)))
    }

    /// Leaves the chunk that is being filled here, while intake waits for more.
    pub(super) fn stage(&mut self, chunk: Buffer) {
        self.open = Some(chunk);
    }

    /// Takes it back, unless outflow took it.
    pub(super) fn unstage(&mut self) -> Option<Buffer> {
        self.open.take()
    }

    /// Whether bytes may pass by everybody from now on: nothing is held.
    pub(super) fn enter_bypass(&mut self) -> bool {
        self.bypassed = self.holds_nothing();
        self.bypassed
    }

    /// No more pass by; the stream went on by `bytes` that did.
    pub(super) fn leave_bypass(&mut self, bytes: u64) {
        debug_assert!(self.bypassed && self.holds_nothing());
        self.bypassed = false;
        self.next_offset.0 += bytes;
        self.taken_out += bytes;
    }

    pub(super) fn is_bypassed(&self) -> bool {
        self.bypassed
    }

    pub(super) fn end_input(&mut self) {
        self.input_ended = true;
    }

    // ── encoders ──

    /// While the window has room and the ring is empty, what waits for an encoder waits for the chunks before it only,
    /// and then goes straight to the window: an encoder that began with it would hold it up.
    fn can_encode(&self) -> bool {
        let goes_straight_on = self.ring.is_empty() && self.window.len() < self.bounds.window;
        !self.encode_queue.is_empty() && !goes_straight_on
    }

    /// The next chunk to encode, and how. The plan is made as late as this, so that it fits the pressure.
    pub(super) fn take_encode_job(&mut self) -> Option<(EncodeJob, Plan)> {
        if !self.can_encode() {
            return None;
        }
        let job = self.encode_queue.pop_front()?;
        Some((job, self.policy.choose(self.load())))
    }

    /// A chunk in an encoder's hands holds up those behind it, so the room is also what order leaves of it.
    fn load(&self) -> Load {
        let Bounds { encode_queue: slots, in_flight, .. } = self.bounds;
        Load {
            queue_room: (slots - self.encode_queue.len()).min(in_flight - self.in_flight.len()),
            queue_slots: slots,
            spill_queue: self.ring.back_fill(),
            disk_room: self.disk_room,
        }
    }

    /// The chunk of `ticket` has been encoded.
    pub(super) fn encoded(&mut self, ticket: u64, chunk: StoredChunk, outcome: &Outcome) {
        self.policy.observe(outcome);
        let index = usize::try_from(ticket - self.first_ticket).expect("in flight");
        self.in_flight[index] = Some(chunk);
    }

    // ── outflow ──

    /// What goes out next. `None`: nothing is there now, or it is over.
    pub(super) fn take_out(&mut self) -> Option<Buffer> {
        let chunk = if self.window.front().is_some_and(Option::is_some) {
            self.first_slot += 1;
            self.window.pop_front().flatten()?
        } else if self.is_idle() {
            let chunk = self.open.take()?;
            self.pass(chunk.len());
            chunk
        } else {
            return None;
        };
        self.handing_out = chunk.len() as u64;
        self.taken_out += self.handing_out;
        Some(chunk)
    }

    /// Outflow waits for room in the output, or no longer.
    pub(super) fn set_output_full(&mut self, full: bool) {
        self.output_full = full;
    }

    /// Whether outflow, if intake pauses, is about to write out all that is held.
    pub(super) fn lets_outflow_catch_up(&self) -> bool {
        !self.output_full && self.ring_is_idle() && !self.holds_nothing()
    }

    /// The chunk that was taken out has been written.
    pub(super) fn handed_out(&mut self) {
        self.handing_out = 0;
    }

    // ── all ──

    /// Moves along what can move without a thread's help: encoded chunks into the ring, in order; the oldest chunks,
    /// while they are in memory, to the decoders; and where the ring has run empty, chunks that no encoder has begun
    /// with straight to the window.
    ///
    /// Fails when a chunk in memory is not what was put there.
    pub(super) fn settle(&mut self) -> Result<(), FormatError> {
        loop {
            let encoded = self.in_flight.front().and_then(Option::as_ref);
            let ring_accepts = encoded.is_some_and(|chunk| self.ring.accepts(&chunk.info));
            if let Some(raw) = self.take_not_begun() {
                self.first_ticket += 1;
                self.in_flight.pop_front();
                self.window.push_back(Some(raw));
            } else if ring_accepts {
                self.first_ticket += 1;
                if let Some(chunk) = self.in_flight.pop_front().flatten() {
                    self.ring.push(chunk);
                }
            } else if self.can_fetch()
                && let Some(chunk) = self.ring.pop_from_memory()?
            {
                let slot = self.reserve_slot();
                self.decode_queue.push_back(DecodeJob { slot, chunk, place: Place::Memory });
            } else {
                return Ok(());
            }
        }
    }

    /// The oldest chunk on its way into the ring, if the window can have it as it is.
    fn take_not_begun(&mut self) -> Option<Buffer> {
        let oldest = self.encode_queue.front().is_some_and(|job| job.ticket == self.first_ticket);
        if !oldest || !self.ring.is_empty() || self.window.len() >= self.bounds.window {
            return None;
        }
        self.encode_queue.pop_front().map(|job| job.raw)
    }

    /// Raw bytes taken in and not yet written out. The open chunk and intake's own count, too, once it brought them.
    pub(super) fn backlog_bytes(&self) -> u64 {
        let open = self.open.as_ref().map_or(0, Buffer::len) as u64;
        self.next_offset.0 + open - self.taken_out + self.handing_out - self.dropped.raw_bytes
    }

    pub(super) fn disk_bytes(&self) -> u64 {
        self.ring.disk_bytes()
    }

    pub(super) fn dropped(&self) -> Count {
        self.dropped
    }
}

impl EncodeJob {
    pub(super) fn ticket(&self) -> u64 {
        self.ticket
    }
}

impl DecodeJob {
    pub(super) fn slot(&self) -> u64 {
        self.slot
    }
}

impl FetchJob {
    pub(super) fn slot(&self) -> u64 {
        self.slot
    }
}
