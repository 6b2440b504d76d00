//! The part of the state that has to do with the disk: spilling, being full, fetching back and decoding.

use super::{DecodeJob, FetchJob, Full, Place, SpillJob, State};
use crate::ring::{Block, Buffer, Count, FullReason, Segment, StoredChunk};
use crate::store::SegmentName;

impl State {
    // ── the spiller ──

    pub(super) fn can_spill(&self) -> bool {
        // After the end of the input nobody waits for memory any more.
        !self.input_ended && self.ring.can_spill() && self.full.as_ref().is_none_or(|full| full.retry)
    }

    pub(super) fn can_release(&self) -> bool {
        self.spilling_to.is_some() && self.spilling_to != self.ring.newest_segment()
    }

    /// Whether the spiller should look again after a while, though nothing told it to. Also when there is nothing to be
    /// written now: there may be by then, and nothing else would tell.
    pub(in crate::pipe) fn recheck_is_due(&self) -> bool {
        !self.input_ended && self.full.as_ref().is_some_and(|full| !full.retry)
    }

    /// What there is to do for the spiller, and in `blocks`, which is empty, what there is to write: at most so many
    /// bytes, unless a single block is longer.
    pub(in crate::pipe) fn take_spill_job(&mut self, write_bytes: u64, blocks: &mut Vec<Block>) -> Option<SpillJob> {
        if self.can_spill() {
            self.room_came_back = false;
            self.ring.spill(write_bytes, blocks);
            return Some(SpillJob::Write {
                disk_bytes: self.ring.disk_bytes(),
                segments: self.ring.segments(),
                newest: self.ring.newest_segment(),
                resuming: self.full.is_some(),
            });
        }
        if self.can_release() {
            self.spilling_to = None;
            return Some(SpillJob::Release);
        }
        None
    }

    pub(in crate::pipe) fn began_segment(&mut self, segment: Segment) -> Option<SegmentName> {
        self.spilling_to = Some(segment.name());
        self.ring.began(segment)
    }

    /// The blocks are on disk. Returns whether the user was told that it was full before.
    pub(in crate::pipe) fn spilled(&mut self, count: Count, bytes: u64, disk_room: f32) -> bool {
        self.ring.spilled(count, bytes);
        self.disk_room = disk_room;
        self.full.take().is_some_and(|full| full.reason.is_none())
    }

    /// The blocks stay in memory: no more can be spilled. Returns the segment to remove, if one came to hold nothing;
    /// the spiller removes it before it takes its next job.
    pub(in crate::pipe) fn spill_is_full(
        &mut self,
        blocks: &mut Vec<Block>,
        reason: FullReason,
    ) -> Option<SegmentName> {
        self.disk_room = 0.0;
        self.spilling_to = None;
        let reason = match self.full.take() {
            // Told already: the same story goes on.
            Some(Full { reason: None, .. }) => None,
            _ => Some(reason),
        };
        let emptied = self.ring.unspill(blocks);
        // One that was begun in vain gives no room back: the spiller would go round and round.
        let retry = self.room_came_back || emptied.as_ref().is_some_and(Segment::was_written_to);
        self.full = Some(Full { reason, retry });
        emptied.map(|segment| segment.name())
    }

    /// Space may have come back.
    pub(in crate::pipe) fn retry_spill(&mut self) {
        self.room_came_back = true;
        if let Some(full) = &mut self.full {
            full.retry = true;
        }
    }

    // ── fetching and decoding ──

    pub(super) fn can_fetch(&self) -> bool {
        self.window.len() < self.bounds.window && self.fetched < self.bounds.fetched
    }

    pub(super) fn reserve_slot(&mut self) -> u64 {
        self.fetched += 1;
        self.window.push_back(None);
        self.first_slot + self.window.len() as u64 - 1
    }

    pub(in crate::pipe) fn take_fetch_job(&mut self) -> Option<FetchJob> {
        if !self.can_fetch() {
            return None;
        }
        let segment = self.ring.begin_read()?;
        Some(FetchJob { slot: self.reserve_slot(), segment })
    }

    /// The chunk has been read. Returns the segment to remove, if that was its last.
    pub(in crate::pipe) fn fetched(&mut self, slot: u64, chunk: StoredChunk, place: Place) -> Option<SegmentName> {
        let raw_len = chunk.info.raw_len;
        self.decode_queue.push_back(DecodeJob { slot, chunk, place });
        self.ring.end_read(raw_len)
    }

    pub(in crate::pipe) fn take_decode_job(&mut self) -> Option<DecodeJob> {
        self.decode_queue.pop_front()
    }

    pub(in crate::pipe) fn decoded(&mut self, slot: u64, raw: Buffer) {
        self.fetched -= 1;
        let index = usize::try_from(slot - self.first_slot).expect("in the window");
        self.window[index] = Some(raw);
    }
}
