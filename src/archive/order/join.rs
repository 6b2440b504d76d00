//! Between segments: whether one goes on with the stream of the one before, lies inside it, or ends it.

use super::lost::is_begun;
use super::segment::{Host, Segment};
use super::{Claim, Order, Told, What};
use crate::archive::inputs::Bond;
use crate::archive::report::{Problem, ProblemKind};
use crate::format::{ChunkSeq, EndState, SegmentHeader, SegmentNumber, StreamOffset};
use std::ops::Range;

impl Order {
    pub(super) fn header(&mut self, at: u64, header: &SegmentHeader) {
        let (bond, is_first) = (self.bond.unwrap_or(Bond::Free), self.home.is_none());
        // The first one of a path has nothing to do with what another path holds, unless it goes on there.
        let is_tied = bond != Bond::Free && !is_first;
        let is_lost = !self.at_start && self.pending.is_some();
        let is_nested = self.current.as_ref().is_some_and(|before| is_lost && before.sealed.is_none());
        if bond != Bond::Free && !is_nested && !self.is_inside() {
            let home = *self.home.get_or_insert(header.store);
            if home != header.store {
                self.problem(Problem::new(at, ProblemKind::OtherStore { number: header.number }));
            }
        }
        if !self.current.as_ref().is_some_and(|current| current.is_of(header)) {
            self.leave(|host| host.is_of(header));
        }
        let goes_on = self.current.as_ref().is_some_and(|before| {
            let after = before.number().is_none_or(|number| header.number > number);
            let may = is_tied || self.claim == Claim::Together || !self.at_start || (before.may_go_on() && after);
            before.is_of(header) && may
        });
        let mut segment = Segment::new(self.file(), header);
        if goes_on {
            self.join(at, header, &mut segment);
        } else if is_nested || is_tied && self.current.is_some() {
            // It may lie inside the other, or among the files of the other: which goes on behind it.
            if let Some(file) = self.host.as_ref().map(|host| host.segment.file) {
                self.pass(file);
                self.settle(at);
            } else {
                let lost = self.pending.take();
                self.host = self.current.take().map(|segment| Host { segment, lost });
                self.host_lost_until(at);
            }
        } else {
            self.fresh(at, header, bond == Bond::Series && is_first);
        }
        self.current = Some(segment);
    }

    /// A stream begins: with its first segment, if it is that of a `series`.
    fn fresh(&mut self, at: u64, header: &SegmentHeader, series: bool) {
        if !self.at_start {
            self.settle(at);
        } else if self.current.is_none() && self.bond != Some(Bond::Free) {
            self.pending.take_if(|told| is_begun(told));
        }
        self.abandon();
        let (first, number) = (SegmentNumber(self.place), header.number);
        if series && self.at_start && self.claim != Claim::Midway && number > first {
            let kind = ProblemKind::MissingSegments { first, last: SegmentNumber(number.0 - 1) };
            let (chunks, offsets) = (ChunkSeq(0)..header.first_seq, StreamOffset(0)..header.first_offset);
            self.problem(Problem::new(at, kind).of(chunks, offsets));
        }
    }

    /// A segment of the stream that we are in.
    fn join(&mut self, at: u64, header: &SegmentHeader, segment: &mut Segment) {
        let Some(before) = self.current.take() else { return };
        if before.sealed == Some(EndState::Aborted) {
            // What its producer did not write is missing, whatever was pushed behind it.
            self.told.push(Told { file: before.file, what: What::End(before.end()) });
        }
        let (expected, first) = (before.expected(), header.first_seq);
        let again = first <= expected.0;
        if again && self.at_start {
            self.pending.take_if(|told| is_begun(told));
        }
        if let Some(after) = before.number().filter(|after| header.number <= *after) {
            self.settle(at);
            self.problem(Problem::new(at, ProblemKind::SegmentOrder { number: header.number, after }));
        } else if !again {
            self.missing(at, header, &before, expected.0..first, expected.1..header.first_offset);
        } else if before.sealed.is_none() {
            self.repeat(at, header, &before, segment);
        } else if first < expected.0 {
            self.settle(at);
            self.problem(Problem::new(at, ProblemKind::Repeated { expected: expected.0 }));
            (segment.next_seq, segment.next_offset) = expected;
        } else {
            self.settle(at);
            self.offsets(at, expected.1..header.first_offset);
        }
    }

    /// It follows on a segment without a seal: a torn tail, or a chunk of which its writer did not know whether it was
    /// written, comes again in it.
    fn repeat(&mut self, at: u64, header: &SegmentHeader, before: &Segment, segment: &mut Segment) {
        let first = header.first_seq;
        let comes_again = |told: &mut Told| match &told.what {
            What::Problem(problem) if problem.kind == ProblemKind::Stranger => false,
            What::Problem(problem) => problem.chunks.as_ref().is_none_or(|lost| lost.start >= first),
            _ => true,
        };
        if before.file != self.file() && self.at_start {
            self.pending.take_if(comes_again);
        }
        self.settle(at);
        if first < before.had.0 {
            segment.had = before.had;
        } else {
            // Where the last chunk was not whole, that counts for nothing.
            let end = if first < before.next_seq { before.had.1 } else { before.expected().1 };
            self.offsets(at, end..header.first_offset);
        }
    }

    /// Chunks are missing between the two, or segments.
    fn missing(
        &mut self,
        at: u64,
        header: &SegmentHeader,
        before: &Segment,
        chunks: Range<ChunkSeq>,
        offsets: Range<StreamOffset>,
    ) {
        if self.pending.is_some() {
            self.settle_as(at, chunks, offsets);
            return;
        }
        let next = before.number().and_then(|after| after.checked_add(1));
        match next.filter(|next| *next < header.number) {
            Some(_) if self.bond == Some(Bond::Spool) => self.gap(at, offsets),
            Some(first) => {
                let kind = ProblemKind::MissingSegments { first, last: SegmentNumber(header.number.0 - 1) };
                self.problem(Problem::new(at, kind).of(chunks, offsets));
            }
            None => self.problem(Problem::new(at, ProblemKind::Missing).of(chunks, offsets)),
        }
    }

    /// The stream that we are in ends where it was left.
    pub(super) fn abandon(&mut self) {
        self.give_up_host();
        self.give_up();
        if let Some(segment) = self.current.take() {
            self.told.push(Told { file: segment.file, what: What::End(segment.end()) });
        }
    }
}
