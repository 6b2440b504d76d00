//! Where the walk has lost its place: the next structure, found by how our own frames begin.

use super::{Found, Scan};
use crate::format::marks::{OUR_FRAME, STRUCTURES};
use memchr::memmem;
use std::io;

/// The most bytes that a structure begins in front of the magic that it is found by.
const BACK_BYTES: u64 = 16;

const _: () = assert!(STRUCTURES[0].1 <= 16 && STRUCTURES[1].1 <= 16 && STRUCTURES[2].1 <= 16, "BACK_BYTES");

/// How much is searched at once, at least.
const SEARCH_BYTES: usize = 4 << 10;

impl Scan {
    /// Finds the next structure at or after `from`. Without one, the walk is at the end.
    pub(super) fn search(&mut self, from: u64) -> io::Result<Option<Found>> {
        let finder = memmem::Finder::new(&OUR_FRAME);
        let mut cursor = from;
        loop {
            // A header begins before the magic that it is found by.
            let base = from.max(cursor.saturating_sub(BACK_BYTES));
            self.window.hold(base);
            let have = self.window.some(base, SEARCH_BYTES)?;
            let start = usize::try_from(cursor - base).unwrap_or(usize::MAX).min(have.len());
            let Some(hit) = finder.find(&have[start..]) else {
                let end = base + have.len() as u64;
                if have.len() < SEARCH_BYTES {
                    self.state.at = end;
                    return Ok(None);
                }
                cursor = end - (OUR_FRAME.len() as u64 - 1);
                continue;
            };
            // The length behind it says what it may be, and most often that it is nothing.
            let len =
                have.get(start + hit + 4..).and_then(|rest| rest.first_chunk()).map(|len| u32::from_le_bytes(*len));
            let hit = cursor + hit as u64;
            if len.is_none() && have.len() >= SEARCH_BYTES {
                cursor = hit;
                continue;
            }
            let back = STRUCTURES.iter().find(|(known, _)| len == Some(*known));
            let place = back.and_then(|(_, back)| hit.checked_sub(*back as u64)).filter(|place| *place >= from);
            if let Some(place) = place
                && let Ok(found) = self.look(place, false)?
            {
                return Ok(Some(found));
            }
            cursor = hit + 1;
        }
    }
}
