//! What there is in a spool, found without reading any payload.

use super::Inner;
use super::batch::Batch;
use super::cursor::Cursor;
use super::end::{self, End, Last};
use super::error::Error;
use super::event::Ended;
use super::identity;
use super::scan::{Opened, Scan};
use super::slots::SlotsError;
use crate::format::{EndState, Position, SegmentNumber, SlotState, StoreId};
use crate::store::{FileName, Folder, Holder, SegmentName};
use std::io;
use std::time::{Duration, SystemTime};

/// What there is in a spool.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Info {
    /// Its id.
    pub store: StoreId,
    /// The first byte there is.
    pub oldest: Position,
    /// Past the last byte there is.
    pub newest: Position,
    /// Segments.
    pub segments: u64,
    /// Bytes that they take on disk.
    pub disk_bytes: u64,
    /// Bytes of the stream that are in them.
    pub raw_bytes: u64,
    /// Chunks of the stream that are in them.
    pub chunks: u64,
    /// When the oldest of them was begun.
    pub oldest_created: Option<SystemTime>,
    /// How the newest stream ended; `None` when it is open, or being written.
    pub end: Option<Ended>,
    /// Who has the spool open for writing.
    pub writer: Holder,
    /// Its readers, by name.
    pub readers: Vec<ReaderInfo>,
    /// Names and bytes of what was copied aside.
    pub quarantine: Vec<(String, u64)>,
}

/// What is known of a reader.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ReaderInfo {
    /// Its name.
    pub name: String,
    /// Who reads under this name.
    pub holder: Holder,
    /// What it has dealt with, as far as that is durable.
    pub position: Position,
    /// Bytes of the stream that it has not dealt with, those left behind among them.
    pub backlog_bytes: u64,
    /// When the segment was begun that it needs next.
    pub backlog_since: Option<SystemTime>,
    /// Batches that were left behind, or under way when the cursor was written.
    pub left_behind: Vec<Batch>,
    /// How the stream ended at its place.
    pub told: Option<Ended>,
    /// Its cursor is damaged: it will start over, with the oldest data.
    pub damaged: bool,
}

impl Inner {
    pub(super) fn info(&self) -> Result<Info, Error> {
        let own = identity::load(&*self.home, &self.dir)?;
        let sizes = self.home.segment_sizes().map_err(Error::io("list", self.dir.clone()))?;
        let names: Vec<SegmentName> = sizes.iter().map(|(name, _)| *name).collect();
        let mut end = end::find(&*self.home, &self.dir, &own, &names)?;
        let cursors = self.cursors()?;
        end.pass(&cursors);
        let writer = self.writer()?;
        let oldest = self.oldest(&names, end.position)?;
        let mut readers = Vec::new();
        for (name, cursor) in cursors {
            readers.push(self.reader_info(name, cursor, &names, oldest, end)?);
        }
        Ok(Info {
            store: self.id,
            oldest,
            newest: end.position,
            segments: sizes.len() as u64,
            disk_bytes: sizes.iter().map(|(_, bytes)| bytes).sum(),
            raw_bytes: end.position.offset.0.saturating_sub(oldest.offset.0),
            chunks: end.position.seq.0.saturating_sub(oldest.seq.0),
            oldest_created: names.first().map(|name| self.created(*name)).transpose()?.flatten(),
            end: match end.last {
                _ if writer != Holder::Nobody => None,
                Last::Sealed(EndState::End) => Some(Ended::Complete),
                Last::Sealed(EndState::Aborted) => Some(Ended::Incomplete),
                _ => match own.slot.state {
                    SlotState::Open => None,
                    SlotState::Complete => Some(Ended::Complete),
                    SlotState::Incomplete | SlotState::Writing => Some(Ended::Incomplete),
                },
            },
            writer,
            readers,
            quarantine: self.quarantine()?,
        })
    }

    /// All cursors, by name; `None`: damaged.
    pub(super) fn cursors(&self) -> Result<Vec<(String, Option<Cursor>)>, Error> {
        let names = self.home.list_files(Folder::Readers).map_err(Error::io("list", self.dir.join("readers")))?;
        let mut cursors = Vec::new();
        for name in names {
            match Cursor::load(&*self.home, &name, self.id) {
                Ok(cursor) => cursors.push((name, Some(cursor))),
                Err(SlotsError::Damaged(_)) => cursors.push((name, None)),
                Err(SlotsError::Refused(source)) => {
                    return Err(Error::Segment { file: self.reader_file(&name), source });
                }
                // Removed just now.
                Err(SlotsError::Io(error)) if error.kind() == io::ErrorKind::NotFound => {}
                Err(SlotsError::Io(error)) => return Err(Error::io("read", self.reader_file(&name))(error)),
            }
        }
        Ok(cursors)
    }

    fn reader_info(
        &self,
        name: String,
        cursor: Option<Cursor>,
        names: &[SegmentName],
        oldest: Position,
        end: End,
    ) -> Result<ReaderInfo, Error> {
        let damaged = cursor.is_none();
        let place = cursor.as_ref().map_or(oldest, Cursor::position);
        let left_behind: Vec<Batch> =
            cursor.as_ref().map_or_else(Vec::new, |cursor| cursor.holes().iter().map(Batch::from).collect());
        let ahead = end.position.offset.0.saturating_sub(place.offset.max(oldest.offset).0);
        let backlog_bytes = left_behind.iter().map(|batch| batch.bytes).fold(ahead, u64::saturating_add);
        let first = left_behind.iter().map(|batch| batch.span.from.segment).fold(place.segment, Ord::min);
        let since = names.iter().find(|name| name.number >= first).filter(|_| backlog_bytes > 0);
        let holder = self.home.lock_holder(&FileName::Reader(name.clone()));
        Ok(ReaderInfo {
            holder: holder.map_err(Error::io("look at", self.reader_file(&name)))?,
            position: place,
            backlog_bytes,
            backlog_since: since.map(|name| self.created(*name)).transpose()?.flatten(),
            left_behind,
            told: cursor.and_then(|cursor| cursor.ended()),
            damaged,
            name,
        })
    }

    /// The first byte there is; `end` when there is none.
    pub(super) fn oldest(&self, names: &[SegmentName], end: Position) -> Result<Position, Error> {
        // The first one begins at the start, whether it still tells or not.
        if names.first().is_some_and(|name| name.number == SegmentNumber(1)) {
            return Ok(Position { segment: SegmentNumber(1), ..Position::default() });
        }
        for &name in names {
            if let Some(start) = self.start_of(name)? {
                return Ok(Position { segment: names.first().map_or(start.segment, |first| first.number), ..start });
            }
        }
        Ok(end)
    }

    fn created(&self, name: SegmentName) -> Result<Option<SystemTime>, Error> {
        let Opened::Scan(scan) = Scan::open(&*self.home, &self.dir, self.id, name)? else { return Ok(None) };
        let since = Duration::from_nanos(scan.header().created_ns);
        Ok(SystemTime::UNIX_EPOCH.checked_add(since).filter(|_| !since.is_zero()))
    }

    pub(super) fn quarantine(&self) -> Result<Vec<(String, u64)>, Error> {
        let failed = || Error::io("list", self.dir.join("quarantine"));
        let mut files = Vec::new();
        for name in self.home.list_files(Folder::Quarantine).map_err(failed())? {
            match self.home.read_file(&FileName::Quarantine(name.clone())) {
                Ok(bytes) => files.push((name, bytes.len() as u64)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(failed()(error)),
            }
        }
        Ok(files)
    }
}
