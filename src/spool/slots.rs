//! A file of two slots, written in turn, in place.
//!
//! ```text
//! | slot, generation 7 | slot, generation 8 |     the higher one of the whole ones counts; 9 goes over 7
//! ```

use crate::format::{FormatError, SLOT_BYTES, Slot, SlotKind};
use crate::store::{FileName, Home};
use std::io;

/// What a file of slots holds, and which of the two is written next.
#[derive(Clone, Debug)]
pub(super) struct Slots {
    name: FileName,
    pub(super) slot: Slot,
    /// 0 or 1: where `slot` is.
    place: usize,
    /// The other place holds an older state.
    other_is_older: bool,
}

/// Why there are no slots to be had.
#[derive(Debug)]
pub(super) enum SlotsError {
    Io(io::Error),
    /// Neither slot is whole.
    Damaged(FormatError),
    /// It is of a later version, or another store's.
    Refused(FormatError),
}

impl From<io::Error> for SlotsError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Slots {
    /// Creates the file, with this state in both places.
    ///
    /// # Errors
    /// [`io::ErrorKind::AlreadyExists`]; what the system said otherwise.
    pub(super) fn create(home: &dyn Home, name: FileName, slot: Slot) -> io::Result<Self> {
        home.create_file(&name, &[slot.encode(), slot.encode()].concat())?;
        Ok(Self { name, slot, place: 0, other_is_older: false })
    }

    /// Reads the file.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] and what else the system said; that neither slot is whole, or one is of a later
    /// version.
    pub(super) fn load(home: &dyn Home, name: FileName, kind: SlotKind) -> Result<Self, SlotsError> {
        let bytes = home.read_file(&name)?;
        let decode = |place: usize| {
            let short = FormatError::Short { what: "slot", have: bytes.len() as u64, need: 2 * SLOT_BYTES as u64 };
            let bytes = bytes.get(place * SLOT_BYTES..).and_then(|rest| rest.first_chunk()).ok_or(short)?;
            Slot::decode(bytes, kind)
        };
        let refused = |slot: &Result<Slot, FormatError>| match slot {
            Err(error @ (FormatError::Major { .. } | FormatError::Incompatible { .. })) => Some(*error),
            _ => None,
        };
        let slots = (decode(0), decode(1));
        if let Some(error) = refused(&slots.0).or_else(|| refused(&slots.1)) {
            return Err(SlotsError::Refused(error));
        }
        let newer = |a: &Slot, b: &Slot| a.generation >= b.generation;
        let (slot, place, other_is_older) = match slots {
            (Ok(first), Ok(second)) if newer(&first, &second) => {
                let older = first.generation > second.generation;
                (first, 0, older)
            }
            (_, Ok(second)) => (second, 1, true),
            (Ok(first), Err(_)) => (first, 0, true),
            (Err(error), Err(_)) => return Err(SlotsError::Damaged(error)),
        };
        Ok(Self { name, slot, place, other_is_older })
    }

    /// Writes a file anew in place, both slots of which are damaged. It is never gone meanwhile.
    ///
    /// # Errors
    /// What the system said.
    pub(super) fn restore(home: &dyn Home, name: FileName, slot: Slot) -> io::Result<Self> {
        let written_ns = slot.written_ns;
        let mut slots = Self { name, slot, place: 1, other_is_older: true };
        slots.update(home, written_ns, |_| ())?;
        slots.settle(home)?;
        Ok(slots)
    }

    /// Makes the state that `change` gives durable. When that fails, the state is as it was.
    ///
    /// # Errors
    /// What the system said.
    pub(super) fn update(
        &mut self,
        home: &dyn Home,
        written_ns: u64,
        change: impl FnOnce(&mut Slot),
    ) -> io::Result<()> {
        let mut next = self.slot.clone();
        change(&mut next);
        next.generation = self.slot.generation.saturating_add(1);
        next.written_ns = written_ns;
        let place = 1 - self.place;
        home.update_file(&self.name, (place * SLOT_BYTES) as u64, &next.encode())?;
        (self.slot, self.place, self.other_is_older) = (next, place, true);
        Ok(())
    }

    /// Brings both places to the same state, so that damage to one of them takes nothing back.
    ///
    /// # Errors
    /// What the system said.
    pub(super) fn settle(&mut self, home: &dyn Home) -> io::Result<()> {
        if self.other_is_older {
            let written_ns = self.slot.written_ns;
            self.update(home, written_ns, |_| ())?;
            self.other_is_older = false;
        }
        Ok(())
    }
}
