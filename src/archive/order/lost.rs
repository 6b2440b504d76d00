//! What was lost: bytes that are no structure, until something behind them tells what they were.

use super::{Order, Told, What};
use crate::archive::inputs::Bond;
use crate::archive::report::{Problem, ProblemKind};
use crate::format::{ChunkSeq, FormatError, StreamOffset};
use std::ops::Range;

impl Order {
    pub(super) fn lost(&mut self, at: u64, error: FormatError) {
        let file = self.file();
        // Nothing was in a segment that its writer had just begun.
        let is_begun = self.at_start && self.bond != Some(Bond::Free) && matches!(error, FormatError::Short { .. });
        if is_begun && self.pending.is_some() {
            return;
        }
        if self.pending.as_ref().is_some_and(|told| told.file != file) {
            self.give_up();
        }
        let kind = match &mut self.current {
            _ if self.at_start => ProblemKind::Header(error),
            None => ProblemKind::Header(error),
            Some(segment) if segment.sealed.is_some() => ProblemKind::Outside,
            Some(segment) => {
                segment.table = None;
                ProblemKind::Lost(error)
            }
        };
        self.settle(at);
        self.pending = Some(Told { file, what: What::Problem(Problem::new(at, kind)) });
    }

    /// What was lost up to here is told: nobody knows more of it.
    pub(super) fn settle(&mut self, at: u64) {
        if let Some(mut told) = self.pending.take() {
            if let What::Problem(problem) = &mut told.what {
                problem.end.get_or_insert(at);
            }
            self.told.push(followed(told));
        }
    }

    /// What was lost up to `at` is this of the stream.
    pub(super) fn settle_as(&mut self, at: u64, chunks: Range<ChunkSeq>, offsets: Range<StreamOffset>) {
        if let Some(Told { what: What::Problem(problem), .. }) = &mut self.pending {
            problem.chunks.get_or_insert(chunks);
            problem.offsets.get_or_insert(offsets);
        }
        self.settle(at);
    }

    /// Nothing comes behind what was lost: where a file ends in the middle of something, no more is wrong than that.
    pub(super) fn give_up(&mut self) {
        let Some(mut told) = self.pending.take() else { return };
        if let What::Problem(problem) = &mut told.what {
            let in_series = self.bond.is_some_and(|bond| bond != Bond::Free);
            let short = match problem.kind {
                ProblemKind::Header(error @ FormatError::Short { .. }) if in_series => Some(error),
                ProblemKind::Lost(error @ FormatError::Short { .. }) | ProblemKind::CutShort(error) => Some(error),
                _ => None,
            };
            if let Some(error) = short {
                problem.kind = ProblemKind::CutShort(error);
                told.what = What::Cut(problem.clone());
            }
        }
        self.told.push(told);
    }
}

/// Something stands behind what was taken for the end of a file.
pub(super) fn followed(mut told: Told) -> Told {
    if let What::Problem(problem) = &mut told.what
        && let ProblemKind::CutShort(error) = problem.kind
    {
        problem.kind = ProblemKind::Frame(error);
    }
    told
}

/// Whether that is of a writer that died when it had just begun a segment.
pub(super) fn is_begun(told: &Told) -> bool {
    let short = |kind| matches!(kind, ProblemKind::Header(FormatError::Short { .. }));
    matches!(&told.what, What::Problem(problem) if short(problem.kind))
}
