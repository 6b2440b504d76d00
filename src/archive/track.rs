//! Positions in a file, whatever streams are in it: a stream's own offsets and numbers, and where another stream begins
//! behind the first, on from there.

use crate::format::{Record, Seal, SegmentHeader, SegmentNumber, StoreMark};

/// A place in a file, as its readers count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Position {
    /// Bytes: the stream offset, of the first stream.
    pub(super) offset: u64,
    /// Chunks: the sequence number, of the first stream.
    pub(super) number: u64,
}

/// Where the walk is.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Track {
    store: Option<StoreMark>,
    /// The segment that we are in, and whether its end was seen.
    number: SegmentNumber,
    is_sealed: bool,
    /// It repeats chunks of the one before: those in front of what comes next.
    repeats: bool,
    /// What comes next, by the numbers of the stream itself.
    next: Position,
    /// What is added to those: nothing in the first stream. It wraps, so that no numbers make it panic.
    shift: Position,
    /// Where the first stream begins, once its header was seen.
    origin: Option<Position>,
}

impl Track {
    /// A segment begins: of the same stream unless its numbers say otherwise.
    pub(super) fn header(&mut self, header: &SegmentHeader) {
        let store = header.key().store;
        let first = Position { offset: header.first_offset.0, number: header.first_seq.0 };
        let is_same = self.store == Some(store);
        let was_torn = is_same && !self.is_sealed && header.number > self.number;
        (self.number, self.is_sealed) = (header.number, false);
        self.repeats = was_torn && first.number < self.next.number;
        if self.repeats {
            return;
        }
        let goes_on = is_same && first.offset >= self.next.offset && first.number >= self.next.number;
        if self.store.is_some() && !goes_on {
            let end = self.position();
            self.shift = Position {
                offset: end.offset.wrapping_sub(first.offset),
                number: end.number.wrapping_sub(first.number),
            };
        }
        self.origin = self.origin.or(Some(first).filter(|_| self.store.is_none()));
        (self.store, self.next) = (Some(store), first);
    }

    /// Whether this chunk stood in the segment before, too.
    pub(super) fn had(&self, record: &Record) -> bool {
        self.repeats && record.seq.0 < self.next.number
    }

    /// A chunk stands here. Returns where it begins.
    pub(super) fn chunk(&mut self, record: &Record) -> Position {
        self.go_to(record);
        let start = self.position();
        self.next = Position { offset: record.end_offset().0, number: record.next_seq().0 };
        start
    }

    /// What stands in front of this chunk is passed over.
    pub(super) fn go_to(&mut self, record: &Record) {
        self.next = Position { offset: record.offset.0, number: record.seq.0 };
    }

    /// A segment ends.
    pub(super) fn seal(&mut self, seal: &Seal) {
        self.is_sealed = true;
        self.next = Position { offset: seal.end_offset.0, number: seal.next_seq.0 };
    }

    /// What comes next.
    pub(super) fn position(&self) -> Position {
        let (next, shift) = (self.next, self.shift);
        Position { offset: next.offset.wrapping_add(shift.offset), number: next.number.wrapping_add(shift.number) }
    }

    /// What the numbers of the stream that we are in are off by.
    pub(super) fn shift(&self) -> Position {
        self.shift
    }

    /// Where the first stream begins: what lies in front of that was never here.
    pub(super) fn origin(&self) -> Option<Position> {
        self.origin
    }

    /// What comes next, by the numbers of the stream itself.
    pub(super) fn next(&self) -> Position {
        self.next
    }
}
