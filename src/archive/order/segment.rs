//! A segment as far as it was found, and the one that another may lie inside.

use super::lost::followed;
use super::{End, Order, Told, What};
use crate::archive::inputs::Bond;
use crate::archive::report::ProblemKind;
use crate::format::{
    ChunkSeq, EndState, SeekDigest, SeekEntry, SegmentHeader, SegmentKey, SegmentNumber, StreamOffset,
};

/// A segment, and what of it was lost when another one was found.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) segment: Segment,
    pub(super) lost: Option<Told>,
}

/// A segment, as far as it was found.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) file: usize,
    pub(super) key: SegmentKey,
    /// Known of those whose header is whole.
    pub(super) header: Option<SegmentHeader>,
    pub(super) next_seq: ChunkSeq,
    pub(super) next_offset: StreamOffset,
    /// Up to here all chunks of the stream were whole, in this segment or before it: what is below comes again.
    pub(super) had: (ChunkSeq, StreamOffset),
    /// What its seek table must be, as long as nothing in front of it was lost.
    pub(super) table: Option<SeekDigest>,
    pub(super) sealed: Option<EndState>,
}

impl Order {
    /// What the host has lost goes as far as that, unless it goes on.
    pub(super) fn host_lost_until(&mut self, at: u64) {
        if let Some(Host { lost: Some(Told { what: What::Problem(problem), .. }), .. }) = &mut self.host {
            problem.end.get_or_insert(at);
        }
    }

    /// Back to the host, if that is the one: then what was found meanwhile lay in what it has lost.
    pub(super) fn leave(&mut self, is_it: impl FnOnce(&Segment) -> bool) {
        let Some(Host { segment, lost }) = self.host.take_if(|host| is_it(&host.segment)) else { return };
        self.pass(segment.file);
        self.current = Some(segment);
        if let Some(mut lost) = lost {
            if let What::Problem(problem) = &mut lost.what {
                problem.end = None;
            }
            self.pending = Some(lost);
        }
    }

    /// Whether the file ends inside a chunk of the host, and all that was found meanwhile with it. Others than those of
    /// a directory may be several files, one written behind the other.
    pub(super) fn is_cut(&self) -> bool {
        let Some(Host { segment, lost: Some(lost) }) = &self.host else { return false };
        let is_cut = matches!(&lost.what, What::Problem(problem) if matches!(problem.kind, ProblemKind::CutShort(_)));
        let is_here = self.current.as_ref().is_none_or(|current| current.file == segment.file);
        is_cut && is_here && self.bond.is_some_and(|bond| bond != Bond::Free)
    }

    /// The segment at hand is left, for another one: its stream ends, if it is not inside a file of the host.
    pub(super) fn pass(&mut self, host_file: usize) {
        if let Some(segment) = self.current.take_if(|segment| segment.file != host_file) {
            self.give_up();
            self.told.push(Told { file: segment.file, what: What::End(segment.end()) });
        }
    }

    /// The host does not come back: what was lost of it is that, and its stream ends there.
    pub(super) fn give_up_host(&mut self) {
        let is_cut = self.is_cut();
        let Some(Host { segment, lost }) = self.host.take() else { return };
        if is_cut {
            (self.current, self.pending) = (None, lost);
            self.give_up();
        } else {
            self.told.extend(lost.map(followed));
        }
        self.told.push(Told { file: segment.file, what: What::End(segment.end()) });
    }
}

impl Segment {
    pub(super) fn new(file: usize, header: &SegmentHeader) -> Self {
        let mut table = SeekDigest::default();
        for entry in header.seek_entries() {
            table.push(entry);
        }
        Self {
            file,
            key: header.key(),
            header: Some(*header),
            next_seq: header.first_seq,
            next_offset: header.first_offset,
            had: (header.first_seq, header.first_offset),
            table: Some(table),
            sealed: None,
        }
    }

    /// One whose header is not at hand, from this chunk on.
    pub(super) fn headless(file: usize, key: SegmentKey, seq: ChunkSeq, offset: StreamOffset) -> Self {
        let (next_seq, next_offset, had) = (seq, offset, (seq, offset));
        Self { file, key, header: None, next_seq, next_offset, had, table: None, sealed: None }
    }

    pub(super) fn number(&self) -> Option<SegmentNumber> {
        self.header.map(|header| header.number)
    }

    /// Whether it is of the store that this header says.
    pub(super) fn is_of(&self, header: &SegmentHeader) -> bool {
        self.key.store == header.key().store
    }

    /// What must come behind the last chunk of the stream: in this segment, unless that repeats the one before.
    pub(super) fn expected(&self) -> (ChunkSeq, StreamOffset) {
        (self.next_seq.max(self.had.0), self.next_offset.max(self.had.1))
    }

    /// Whether its stream has not ended with it.
    pub(super) fn may_go_on(&self) -> bool {
        matches!(self.sealed, None | Some(EndState::Continues))
    }

    /// How its stream ends, if it does so with it.
    pub(super) fn end(&self) -> End {
        match self.sealed {
            Some(EndState::End) => End::Complete,
            Some(EndState::Aborted) => End::Aborted,
            Some(EndState::Continues) => End::Continues,
            None => End::Unsealed,
        }
    }

    pub(super) fn count(&mut self, entry: SeekEntry) {
        if let Some(table) = &mut self.table {
            table.push(entry);
        }
    }
}
