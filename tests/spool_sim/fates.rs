//! What became of each byte of a stream, for one reader.

use std::ops::Range;

/// What became of a byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fate {
    Owed,
    /// It may be gone, or not: all others had dealt with it, this one was put behind it, or it was dealt with and the
    /// power cut.
    Gone,
    /// An acknowledgement was asked for, and may have been made durable.
    Asked,
    /// It was made durable.
    Settled,
}

/// Of all bytes: past the last one that something became of, all are owed.
#[derive(Clone, Debug, Default)]
pub(super) struct Fates(Vec<Fate>);

impl Fates {
    /// Those are gone of which `gone` says so, before `len`.
    pub(super) fn new(len: usize, gone: impl Fn(usize) -> bool) -> Self {
        Self((0..len).map(|at| if gone(at) { Fate::Gone } else { Fate::Owed }).collect())
    }

    /// Up to here something may have become of them.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn get(&self, at: usize) -> Fate {
        self.0.get(at).copied().unwrap_or(Fate::Owed)
    }

    pub(super) fn is_owed(&self, at: usize) -> bool {
        self.get(at) == Fate::Owed
    }

    /// Whether something became of any.
    pub(super) fn all_owed(&self) -> bool {
        self.0.iter().all(|fate| *fate == Fate::Owed)
    }

    /// The first of these that was settled.
    pub(super) fn settled_in(&self, range: Range<usize>) -> Option<usize> {
        range.into_iter().find(|at| self.get(*at) == Fate::Settled)
    }

    /// Past the last that was settled.
    pub(super) fn settled_end(&self) -> usize {
        self.0.iter().rposition(|fate| *fate == Fate::Settled).map_or(0, |at| at + 1)
    }

    /// Each of these has come so far, at least.
    pub(super) fn raise(&mut self, range: Range<usize>, fate: Fate) {
        self.0.resize(self.0.len().max(range.end), Fate::Owed);
        for known in &mut self.0[range] {
            *known = (*known).max(fate);
        }
    }

    /// What was asked for has become so.
    pub(super) fn answer(&mut self, answer: Fate) {
        for fate in self.0.iter_mut().filter(|fate| **fate == Fate::Asked) {
            *fate = answer;
        }
    }
}
