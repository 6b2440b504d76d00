//! The way through what is put together: which chunk is which of the new stream. What may follow what is for
//! [`super::super::order`] to say; whatever that tells, but for gaps and ends, is refused.

use super::{Ending, StitchError, Survey};
use crate::archive::order::{Order, Told, What};
use crate::archive::scan::{Found, Item};
use crate::archive::{Error, Input, Problem, ProblemKind};
use crate::format::{ChunkSeq, EndState, FormatError, Record, SegmentHeader, StoreId, StreamOffset};
use std::collections::HashSet;

/// Streams that are told from one another: with room to spare, 4 MiB.
pub(super) const STORES_MAX: usize = 1 << 16;

/// What something that was found is to the stream.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    Header(SegmentHeader),
    /// With its place in the new stream.
    Chunk(Record),
    Nothing,
}

/// Where the stream is.
#[derive(Debug)]
pub(super) struct Course<'a> {
    inputs: &'a [Input],
    /// What was found when they were looked at first.
    survey: Option<&'a Survey>,
    order: Order,
    /// Those that were met.
    stores: HashSet<StoreId>,
    header: Option<SegmentHeader>,
    /// Where the store at hand begins in its own stream, and in the new one.
    base: (StreamOffset, StreamOffset),
    /// Past the last chunk that was taken, in the new stream.
    next: (ChunkSeq, StreamOffset),
    /// Something is missing that its producer knew of.
    is_incomplete: bool,
}

impl<'a> Course<'a> {
    pub(super) fn new(inputs: &'a [Input], survey: Option<&'a Survey>) -> Self {
        Self {
            inputs,
            survey,
            order: Order::strict(),
            stores: HashSet::new(),
            header: None,
            base: Default::default(),
            next: Default::default(),
            is_incomplete: false,
        }
    }

    /// The next file begins.
    pub(super) fn begin(&mut self, input: &Input, before: Option<&Input>) {
        if !before.is_some_and(|before| before.is_beside(input)) {
            self.order.path();
        }
        self.order.begin(input.bond());
    }

    pub(super) fn take(&mut self, found: &Found) -> Result<Step, StitchError> {
        let told = self.order.take(found).collect();
        self.hear(told, Some(found))?;
        if matches!(found.item, Item::Chunk(_)) && self.order.owes() {
            self.finish()?;
        }
        if self.order.passed_over() || self.order.is_inside() {
            return Ok(Step::Nothing);
        }
        match found.item {
            Item::Header(header) => self.header(&header).map(|()| Step::Header(header)),
            Item::Chunk(record) => {
                let placed = self.place(&record).map_err(|error| self.too_far(found.at, error))?;
                Ok(Step::Chunk(placed))
            }
            Item::Seal(seal, _) => {
                self.next.1 = self.mapped(seal.end_offset).map_err(|error| self.too_far(found.at, error))?;
                Ok(Step::Nothing)
            }
            // The order tells of what is not as it should be.
            Item::Broken(..) | Item::Lost(_) | Item::Skip { .. } => Ok(Step::Nothing),
        }
    }

    /// The file at hand ends here.
    pub(super) fn end(&mut self, len: u64) -> Result<(), StitchError> {
        let told = self.order.end(len).collect();
        self.hear(told, None)
    }

    /// No file comes any more.
    pub(super) fn finish(&mut self) -> Result<(), StitchError> {
        let told = self.order.finish().collect();
        self.hear(told, None)
    }

    fn hear(&mut self, told: Vec<Told>, found: Option<&Found>) -> Result<(), StitchError> {
        for Told { file, what } in told {
            match what {
                What::Problem(problem) => return Err(refused(self.name(file), problem, found)),
                What::Gap(_) => {}
                What::Cut(_) => self.is_incomplete = true,
                What::End(end) => self.is_incomplete |= !end.is_complete(),
            }
        }
        Ok(())
    }

    fn name(&self, file: usize) -> String {
        self.inputs.get(file).map(Input::name).unwrap_or_default()
    }

    /// The file at hand.
    fn here(&self) -> String {
        self.name(self.order.file())
    }

    fn header(&mut self, header: &SegmentHeader) -> Result<(), StitchError> {
        let changed = |survey: &Survey| {
            let first = self.header.is_some() || *header == survey.first;
            !first || header.chunk_bytes_max > survey.chunk_bytes_max
        };
        if self.survey.is_some_and(changed) {
            return Err(StitchError::Changed { name: self.here() });
        }
        match self.header.replace(*header) {
            None => {
                self.base = (header.first_offset, header.first_offset);
                self.next = (header.first_seq, header.first_offset);
            }
            Some(before) if before.family != header.family => {
                return Err(StitchError::Family { name: self.here(), family: header.family });
            }
            Some(before) if before.store == header.store => return Ok(()),
            Some(_) => self.base = (header.first_offset, self.next.1),
        }
        if !self.stores.insert(header.store) {
            return Err(StitchError::Apart { name: self.here() });
        }
        if self.stores.len() > STORES_MAX {
            return Err(StitchError::TooMany { name: self.here() });
        }
        Ok(())
    }

    /// Where a chunk is in the new stream.
    fn place(&mut self, record: &Record) -> Result<Record, FormatError> {
        let too_far = |field, value| FormatError::TooLong { field, value, limit: u64::MAX };
        let (seq, offset) = (self.next.0, self.mapped(record.offset)?);
        let next_seq = seq.checked_add(1).ok_or_else(|| too_far("sequence number", seq.0))?;
        let end = offset.checked_add(record.raw_len.into()).ok_or_else(|| too_far("stream offset", offset.0))?;
        self.next = (next_seq, end);
        Ok(Record { seq, offset, ..*record })
    }

    fn mapped(&self, offset: StreamOffset) -> Result<StreamOffset, FormatError> {
        let (own, new) = self.base;
        let mapped = offset.0.checked_sub(own.0).and_then(|past| new.checked_add(past));
        mapped.ok_or(FormatError::TooLong { field: "stream offset", value: offset.0, limit: u64::MAX })
    }

    /// The new stream is longer than any stream can be.
    fn too_far(&self, at: u64, error: FormatError) -> StitchError {
        Error::damaged(self.here(), Problem::new(at, ProblemKind::Lost(error))).into()
    }

    /// How many streams there are.
    pub(super) fn stores(&self) -> usize {
        self.stores.len()
    }

    /// How it all ends, when it has.
    pub(super) fn ending(&self) -> Result<Ending, StitchError> {
        if self.header.is_none() {
            return Err(StitchError::Changed { name: self.name(0) });
        }
        let end = if self.is_incomplete { EndState::Aborted } else { EndState::End };
        Ok(Ending { offset: self.next.1, end })
    }
}

/// Why it cannot be taken: damage, or files that are not all, or not in order.
fn refused(name: String, problem: Problem, found: Option<&Found>) -> StitchError {
    let at_header = found.is_some_and(|found| matches!(found.item, Item::Header(_)) && found.at == problem.at);
    let is_order = match problem.kind {
        ProblemKind::SegmentOrder { .. } | ProblemKind::MissingSegments { .. } | ProblemKind::OtherStore { .. } => true,
        ProblemKind::Missing | ProblemKind::Repeated { .. } | ProblemKind::OffsetBack { .. } => at_header,
        _ => false,
    };
    if is_order {
        StitchError::Order { name, problem: Box::new(problem) }
    } else {
        Error::damaged(name, problem).into()
    }
}
