//! What all ends of a spool share: where it is, whose it is, its locks, and the places in its stream.

use super::check_name;
use super::cursor::Cursor;
use super::end::{self, End};
use super::error::Error;
use super::identity;
use super::scan::{Found, Opened, Scan};
use super::slots::{Slots, SlotsError};
use super::window::Ahead;
use crate::format::{Position, SegmentNumber, SlotState, StoreId, StreamOffset};
use crate::ring::now_ns;
use crate::store::{FileName, Holder, Home, Lock, SegmentName};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) home: Arc<dyn Home>,
    pub(super) dir: PathBuf,
    pub(super) id: StoreId,
}

impl Inner {
    pub(super) fn list(&self) -> Result<Vec<SegmentName>, Error> {
        self.home.list().map_err(Error::io("list", self.dir.clone()))
    }

    pub(super) fn reader_file(&self, name: &str) -> PathBuf {
        self.dir.join("readers").join(name)
    }

    pub(super) fn check_reader(&self, name: &str) -> Result<(), Error> {
        check_name(name)?;
        match self.home.lock_holder(&FileName::Reader(name.to_owned())) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(Error::NoReader { dir: self.dir.clone(), name: name.to_owned() })
            }
            holder => holder.map(drop).map_err(Error::io("look at", self.reader_file(name))),
        }
    }

    pub(super) fn lock(&self, file: &FileName, what: impl Fn() -> String) -> Result<Box<dyn Lock>, Error> {
        let failed = || Error::io("lock", self.dir.join(file.to_string()));
        if let Some(lock) = self.home.try_lock(file).map_err(failed())? {
            return Ok(lock);
        }
        let process = match self.home.lock_holder(file) {
            Ok(Holder::Somebody { process }) => process,
            Ok(Holder::Nobody) | Err(_) => None,
        };
        Err(Error::Busy { what: what(), process })
    }

    /// Locks a reader's cursor, and reads it. One that is damaged is kept in quarantine, and made anew: its reader
    /// starts over.
    pub(super) fn lock_cursor(&self, name: &str) -> Result<(Box<dyn Lock>, Cursor), Error> {
        let file = FileName::Reader(name.to_owned());
        let what = || format!("reader '{name}' of {}", self.dir.display());
        let lock = self.lock(&file, what)?;
        match Cursor::load(&*self.home, name, self.id) {
            Ok(cursor) => Ok((lock, cursor)),
            Err(SlotsError::Io(error)) => Err(Error::io("read", self.reader_file(name))(error)),
            Err(SlotsError::Refused(source)) => Err(Error::Segment { file: self.reader_file(name), source }),
            Err(SlotsError::Damaged(_)) => {
                let failed = || Error::io("make anew", self.reader_file(name));
                let bytes = self.home.read_file(&file).map_err(failed())?;
                let aside = FileName::Quarantine(format!("cursor.{name}"));
                let _ = self.home.create_file(&aside, &bytes); // An earlier one is as good.
                let (place, state) = self.first()?;
                let slot = Cursor::new_slot(self.id, place, state);
                let cursor = Cursor::restore(&*self.home, name, slot).map_err(failed())?;
                Ok((lock, cursor))
            }
        }
    }

    /// Keeps in the spool's own slot that all up to a cursor's place was used up, before the cursor goes back or away:
    /// it may be the last trace. A writer knows by itself.
    pub(super) fn remember(&self, place: Position) -> Result<(), Error> {
        let failed = || Error::io("write", self.dir.join("spool"));
        let Some(_lock) = self.home.try_lock(&FileName::WriterLock).map_err(failed())? else { return Ok(()) };
        let mut own = identity::load(&*self.home, &self.dir)?;
        let mut used_up = own.slot.position;
        end::advance(&mut used_up, place);
        if used_up == own.slot.position {
            return Ok(());
        }
        own.update(&*self.home, now_ns(), |slot| slot.position = used_up).map_err(failed())
    }

    /// The spool's own slot, and where the stream ends.
    pub(super) fn end(&self) -> Result<(Slots, End), Error> {
        let own = identity::load(&*self.home, &self.dir)?;
        let mut end = end::find(&*self.home, &self.dir, &own, &self.list()?)?;
        // After the segments: what is gone of them by now, a cursor has passed.
        end.pass(&self.cursors()?);
        Ok((own, end))
    }

    /// Past the newest byte: in the segment that is being written, if there is one. And how the stream ended there.
    pub(super) fn newest(&self) -> Result<(Position, SlotState), Error> {
        let (own, end) = self.end()?;
        let writing = self.writer()? != Holder::Nobody;
        let open = writing && end.last == end::Last::Unsealed;
        let segment = SegmentNumber(end.position.segment.0 - u64::from(open));
        let state = match own.slot.state {
            SlotState::Complete | SlotState::Incomplete if !writing => own.slot.state,
            _ => SlotState::Open,
        };
        Ok((Position { segment, ..end.position }, state))
    }

    /// The oldest byte there is, of whose stream's end nothing has been told.
    pub(super) fn first(&self) -> Result<(Position, SlotState), Error> {
        let (newest, _) = self.newest()?;
        Ok((self.oldest(&self.list()?, newest)?, SlotState::Open))
    }

    /// Where a segment begins, if it tells.
    pub(super) fn start_of(&self, name: SegmentName) -> Result<Option<Position>, Error> {
        match Scan::open(&*self.home, &self.dir, self.id, name)? {
            Opened::Scan(scan) => Ok(Some(scan.start())),
            Opened::Nothing | Opened::Gone => Ok(None),
        }
    }

    /// The place of a byte that is between the oldest and the newest.
    pub(super) fn place_of(
        &self,
        names: &[SegmentName],
        oldest: Position,
        offset: StreamOffset,
    ) -> Result<Position, Error> {
        // The last segment that begins at or before it. Headers are few bytes, but segments may be many.
        let (mut found, mut low, mut high) = (None, 0, names.len());
        while low < high {
            let middle = low + (high - low) / 2;
            // Without a header, the next one that has one tells.
            let mut at = middle;
            let scan = loop {
                match names.get(at).filter(|_| at < high) {
                    None => break None,
                    Some(&name) => match Scan::open(&*self.home, &self.dir, self.id, name)? {
                        Opened::Scan(scan) => break Some(scan),
                        Opened::Nothing | Opened::Gone => at += 1,
                    },
                }
            };
            match scan {
                Some(scan) if scan.header().first_offset <= offset => {
                    found = Some(scan);
                    low = at + 1;
                }
                Some(_) | None => high = middle,
            }
        }
        // No segment that says where it begins does so before it: it was in one that is lost, and that will be told.
        let Some(mut scan) = found else { return Ok(Position { offset, ..oldest }) };
        let mut place = scan.start();
        let name = scan.name();
        loop {
            let found = scan.next(Ahead::Nothing).map_err(Error::segment_io("read", &self.dir, name))?;
            match found {
                Found::Chunk(record) if record.end_offset() <= offset => place.seq = record.next_seq(),
                Found::Damage { .. } => {}
                Found::Chunk(_) | Found::Seal(_) | Found::Nothing => break,
            }
        }
        Ok(Position { offset, ..place })
    }

    /// Who has the spool open for writing.
    pub(super) fn writer(&self) -> Result<Holder, Error> {
        self.home.lock_holder(&FileName::WriterLock).map_err(Error::io("look at", self.dir.join("writer.lock")))
    }
}
