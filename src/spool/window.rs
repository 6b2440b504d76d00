//! A stretch of a segment in memory, so that many small structures cost one read.

use crate::store::Read;
use std::io;

/// Bytes that a read takes along, where more than one structure is wanted.
const AHEAD_BYTES: usize = 128 << 10;

#[derive(Debug, Default)]
pub(super) struct Window {
    /// The first `filled` bytes are those of the segment from `at` on.
    bytes: Vec<u8>,
    filled: usize,
    at: u64,
}

/// How much is wanted beyond what is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ahead {
    /// What a read may take along.
    Some,
    /// Nothing: what follows is skipped.
    Nothing,
}

impl Window {
    /// The `len` bytes from `at` on, or as many as there are.
    ///
    /// # Errors
    /// What the system said.
    pub(super) fn get(&mut self, file: &dyn Read, at: u64, len: usize, ahead: Ahead) -> io::Result<&[u8]> {
        let kept = self.filled_from(at);
        if kept < len {
            let want = if ahead == Ahead::Some { len.max(AHEAD_BYTES) } else { len };
            self.bytes.copy_within(self.filled - kept..self.filled, 0);
            (self.at, self.filled) = (at, kept);
            if self.bytes.len() < want {
                self.bytes.resize(want, 0);
            }
            while self.filled < len {
                let n = file.read_at(&mut self.bytes[self.filled..want], at + self.filled as u64)?;
                if n == 0 {
                    break;
                }
                self.filled += n;
            }
        }
        Ok(self.held(at, len))
    }

    /// The `len` bytes from `at` on, or as many of them as were got before.
    pub(super) fn held(&self, at: u64, len: usize) -> &[u8] {
        let have = self.filled_from(at);
        let start = self.filled - have;
        &self.bytes[start..start + have.min(len)]
    }

    /// How many bytes from `at` on are held.
    fn filled_from(&self, at: u64) -> usize {
        let past = at.checked_sub(self.at).and_then(|past| usize::try_from(past).ok());
        past.map_or(0, |past| self.filled.saturating_sub(past))
    }
}
