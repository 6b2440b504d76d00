//! What a spool is: the file `spool`, and what stands in for it when that is damaged.

use super::error::Error;
use super::slots::{Slots, SlotsError};
use crate::format::{HEADER_BYTES, Position, SegmentHeader, SegmentNumber, Slot, SlotKind, SlotState, StoreId};
use crate::ring::now_ns;
use crate::store::{FileName, Home};
use crate::sys::random::fill_random;
use std::io;
use std::path::Path;

/// Segments whose headers are asked for the store's id, when the file that should tell is damaged.
const WITNESSES_MAX: usize = 16;

/// Reads the spool's own slots. They are gone, and there are segments: those tell whose they are, and the file is written
/// anew.
///
/// # Errors
/// [`Error::NoSpool`] when there is none; as for [`look`] otherwise.
pub(super) fn load(home: &dyn Home, dir: &Path) -> Result<Slots, Error> {
    match look(home, dir) {
        Err(Error::NoSpool { dir: none }) => {
            let store = witness(home, dir)?.ok_or(Error::NoSpool { dir: none })?;
            Slots::create(home, FileName::Spool, anew(store)).map_err(Error::io("create", dir.join("spool")))
        }
        slots => slots,
    }
}

/// The same for who has had the spool open: a file that is gone is not made anew, for then somebody removes all of it. One
/// that is damaged is, by what the segments tell.
///
/// # Errors
/// [`Error::NoSpool`]; [`Error::Identity`]; [`Error::Segment`] when it needs a newer program; [`Error::Io`].
pub(super) fn look(home: &dyn Home, dir: &Path) -> Result<Slots, Error> {
    let file = || dir.join("spool");
    match Slots::load(home, FileName::Spool, SlotKind::Identity) {
        Ok(slots) => Ok(slots),
        Err(SlotsError::Io(error)) if error.kind() == io::ErrorKind::NotFound => {
            Err(Error::NoSpool { dir: dir.to_owned() })
        }
        Err(SlotsError::Io(error)) => Err(Error::io("read", file())(error)),
        Err(SlotsError::Refused(source)) => Err(Error::Segment { file: file(), source }),
        Err(SlotsError::Damaged(source)) => {
            let store = witness(home, dir)?.ok_or_else(|| Error::Identity { file: file(), source })?;
            Slots::restore(home, FileName::Spool, anew(store)).map_err(Error::io("write anew", file()))
        }
    }
}

/// The state of a spool that only its segments tell of. Nobody knows whether the writer had finished: what is told then is
/// the worse of the two.
fn anew(store: StoreId) -> Slot {
    Slot { state: SlotState::Writing, ..new_slot(SlotKind::Identity, store) }
}

/// Makes a directory a spool. Somebody else who does the same at the same time is as good.
///
/// # Errors
/// [`Error::Io`].
pub(super) fn create(home: &dyn Home, dir: &Path) -> Result<Slots, Error> {
    let mut id = [0; 16];
    fill_random(&mut id).map_err(Error::io("make up an id for", dir.to_owned()))?;
    match Slots::create(home, FileName::Spool, new_slot(SlotKind::Identity, StoreId(id))) {
        Ok(slots) => Ok(slots),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => load(home, dir),
        Err(error) => Err(Error::io("create", dir.join("spool"))(error)),
    }
}

/// A slot at the start of the stream.
pub(super) fn new_slot(kind: SlotKind, store: StoreId) -> Slot {
    Slot {
        kind,
        store,
        generation: 1,
        position: Position { segment: SegmentNumber(1), ..Position::default() },
        written_ns: now_ns(),
        state: SlotState::Open,
        holes: Vec::new(),
    }
}

/// The store's id, as its newest readable segment headers have it.
fn witness(home: &dyn Home, dir: &Path) -> Result<Option<StoreId>, Error> {
    let names = home.list().map_err(Error::io("list", dir.to_owned()))?;
    for &name in names.iter().rev().take(WITNESSES_MAX) {
        let mut bytes = [0; HEADER_BYTES];
        let read = home.open(name).and_then(|file| file.read_exact_at(&mut bytes, 0));
        if let (Ok(()), Ok(header)) = (read, SegmentHeader::decode(&bytes)) {
            return Ok(Some(header.store));
        }
    }
    Ok(None)
}
