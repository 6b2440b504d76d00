//! A reader's cursor: what it has dealt with, in memory and on disk.
//!
//! ```text
//!  ... dealt with ... [ hole ] ... dealt with ... [ hole ] ... | place | ... not yet ...
//! ```
//! Everything before the place is dealt with but for the holes: batches that are under way while a later one was
//! acknowledged, or that were left behind.

use super::error::Error;
use super::event::Ended;
use super::identity::new_slot;
use super::slots::{Slots, SlotsError};
use crate::format::{FormatError, HOLES_MAX, Hole, Position, SegmentNumber, Slot, SlotKind, SlotState, StoreId};
use crate::ring::now_ns;
use crate::store::{FileName, Home};
use std::io;

#[derive(Clone, Debug)]
pub(super) struct Cursor {
    slots: Slots,
    /// As it is to be: on disk after [`Self::persist`].
    now: Slot,
    /// It was damaged, and begins anew.
    pub(super) was_damaged: bool,
}

impl Cursor {
    /// The state of a reader that is new: its place, and how the stream ended there, if it knows.
    pub(super) fn new_slot(store: StoreId, position: Position, state: SlotState) -> Slot {
        Slot { position, state, ..new_slot(SlotKind::Cursor, store) }
    }

    /// Registers a reader: at `start`, or with the oldest data there is.
    ///
    /// # Errors
    /// [`io::ErrorKind::AlreadyExists`]; what the system said otherwise.
    pub(super) fn create(home: &dyn Home, name: &str, slot: Slot) -> io::Result<Self> {
        let slots = Slots::create(home, FileName::Reader(name.to_owned()), slot)?;
        Ok(Self { now: slots.slot.clone(), slots, was_damaged: false })
    }

    /// Begins anew in the place of one that is damaged, which its holder has locked.
    ///
    /// # Errors
    /// What the system said.
    pub(super) fn restore(home: &dyn Home, name: &str, slot: Slot) -> io::Result<Self> {
        let slots = Slots::restore(home, FileName::Reader(name.to_owned()), slot)?;
        Ok(Self { now: slots.slot.clone(), slots, was_damaged: true })
    }

    /// Reads a cursor.
    ///
    /// # Errors
    /// What the system said; that it is damaged, or another store's.
    pub(super) fn load(home: &dyn Home, name: &str, store: StoreId) -> Result<Self, SlotsError> {
        let slots = Slots::load(home, FileName::Reader(name.to_owned()), SlotKind::Cursor)?;
        if slots.slot.store != store {
            return Err(SlotsError::Refused(FormatError::Foreign { what: "cursor" }));
        }
        Ok(Self { now: slots.slot.clone(), slots, was_damaged: false })
    }

    /// Up to where all is dealt with, but for the holes.
    pub(super) fn position(&self) -> Position {
        self.now.position
    }

    /// How the stream ended that ended at the place.
    pub(super) fn ended(&self) -> Option<Ended> {
        match self.now.state {
            SlotState::Complete => Some(Ended::Complete),
            SlotState::Incomplete => Some(Ended::Incomplete),
            SlotState::Open | SlotState::Writing => None,
        }
    }

    pub(super) fn holes(&self) -> &[Hole] {
        &self.now.holes
    }

    /// Moves the place on, and leaves holes.
    ///
    /// # Errors
    /// [`Error::Holes`] when there are too many; nothing is changed then.
    pub(super) fn advance(
        &mut self,
        to: Position,
        ended: Option<Ended>,
        holes: impl IntoIterator<Item = Hole>,
    ) -> Result<(), Error> {
        let mut all = self.now.holes.clone();
        all.extend(holes);
        if all.len() > HOLES_MAX {
            return Err(Error::Holes { count: HOLES_MAX });
        }
        all.sort_by_key(|hole| hole.from);
        self.now.holes = all;
        self.now.position = to;
        self.now.state = match ended {
            None => SlotState::Open,
            Some(Ended::Complete) => SlotState::Complete,
            Some(Ended::Incomplete) => SlotState::Incomplete,
        };
        Ok(())
    }

    /// Puts it somewhere else, without holes.
    pub(super) fn put(&mut self, place: Position, state: SlotState) {
        (self.now.position, self.now.state) = (place, state);
        self.now.holes.clear();
    }

    /// Takes a hole away, or gives it another account of itself. False: there is none.
    pub(super) fn change_hole(&mut self, from: Position, change: impl FnOnce(Hole) -> Option<Hole>) -> bool {
        let Some(at) = self.now.holes.iter().position(|hole| hole.from == from) else { return false };
        match change(self.now.holes[at]) {
            Some(hole) => self.now.holes[at] = hole,
            None => drop(self.now.holes.remove(at)),
        }
        true
    }

    /// Whether something is not on disk yet.
    pub(super) fn is_dirty(&self) -> bool {
        self.now != self.slots.slot
    }

    /// Makes it durable.
    ///
    /// # Errors
    /// What the system said; all is as it was then.
    pub(super) fn persist(&mut self, home: &dyn Home) -> io::Result<()> {
        if self.is_dirty() {
            let now = self.now.clone();
            self.slots.update(home, now_ns(), |slot| *slot = now)?;
            self.now = self.slots.slot.clone();
        }
        Ok(())
    }

    /// Makes it durable in both places of its file.
    ///
    /// # Errors
    /// What the system said.
    pub(super) fn settle(&mut self, home: &dyn Home) -> io::Result<()> {
        self.persist(home)?;
        self.slots.settle(home)?;
        self.now = self.slots.slot.clone();
        Ok(())
    }

    /// Whether its reader still needs something of a segment: as it is on disk, for that is what counts after a crash.
    pub(super) fn needs(&self, number: SegmentNumber) -> bool {
        let slot = &self.slots.slot;
        let in_hole = |hole: &Hole| (hole.from.segment..=hole.to.segment).contains(&number);
        number >= slot.position.segment || slot.holes.iter().any(in_hole)
    }

    /// The first segment that is needed for its place, and not only for a hole.
    pub(super) fn first_needed(&self) -> SegmentNumber {
        self.slots.slot.position.segment
    }
}
