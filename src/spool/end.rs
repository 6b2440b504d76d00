//! Where the stream ends: found anew at each opening, from the segments, the cursors and the spool's own slot.
//!
//! The furthest of them counts. A cursor can be ahead of the segments: after a power cut, when a reader had data that
//! was never made durable. Going on from there, no sequence number and no offset is ever used twice.

use super::cursor::Cursor;
use super::error::Error;
use super::scan::{Found, Opened, Scan};
use super::slots::Slots;
use super::window::Ahead;
use crate::codec::Decoder;
use crate::format::{ChunkSeq, EndState, FormatError, Position, Record, SegmentNumber, SlotState, StreamOffset};
use crate::segment::open_chunk;
use crate::store::{Home, SegmentName};
use std::io;
use std::path::Path;

/// No stream goes on past this: who writes adds to numbers without further checks.
const NUMBER_MAX: u64 = 1 << 63;

/// The end of the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct End {
    /// What comes next, and the number of the segment that it would begin.
    pub(super) position: Position,
    /// How the newest segment ends.
    pub(super) last: Last,
    /// Where the data ends that is there; `None`: there is none.
    written: Option<(ChunkSeq, StreamOffset)>,
}

/// How the newest segment ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Last {
    /// There is no segment.
    None,
    /// It is sealed.
    Sealed(EndState),
    /// It is not: being written, or its writer died.
    Unsealed,
}

impl End {
    /// Whether a writer died, or its spool was never told that it had ended, given that there is none now.
    pub(super) fn is_broken_off(&self, spool: SlotState) -> bool {
        let is_ended = matches!(self.last, Last::Sealed(EndState::End | EndState::Aborted));
        spool == SlotState::Writing && (!is_ended || self.is_ahead())
    }

    /// Whether more was used up than is there.
    fn is_ahead(&self) -> bool {
        self.written.is_some_and(|(seq, offset)| self.position.seq > seq || self.position.offset > offset)
    }

    /// Whether a stream can go on there.
    ///
    /// # Errors
    /// [`Error::Segment`]: a seal or a slot says that all numbers are used up. It was not written so.
    pub(super) fn check(&self, dir: &Path) -> Result<(), Error> {
        let Position { segment, seq, offset } = self.position;
        for (field, value) in [("segment number", segment.0), ("sequence number", seq.0), ("stream offset", offset.0)] {
            if value > NUMBER_MAX {
                let source = FormatError::Field { field, value, expected: NUMBER_MAX };
                return Err(Error::Segment { file: dir.to_owned(), source });
            }
        }
        Ok(())
    }

    /// The stream goes on behind all cursors, too.
    pub(super) fn pass(&mut self, cursors: &[(String, Option<Cursor>)]) {
        for cursor in cursors.iter().filter_map(|(_, cursor)| cursor.as_ref()) {
            advance(&mut self.position, cursor.position());
        }
    }
}

/// Finds the end, but for what only cursors know: see [`End::pass`].
///
/// # Errors
/// [`Error::Segment`], [`Error::Io`].
pub(super) fn find(home: &dyn Home, dir: &Path, own: &Slots, segments: &[SegmentName]) -> Result<End, Error> {
    let mut end = End { position: own.slot.position, last: Last::None, written: None };
    for &name in segments.iter().rev() {
        end.position.segment = end.position.segment.max(SegmentNumber(name.number.0.saturating_add(1)));
        let scan = match Scan::open(home, dir, own.slot.store, name)? {
            Opened::Scan(scan) => scan,
            Opened::Nothing => {
                // Without a header it was hardly begun: the one before it tells.
                end.last = Last::Unsealed;
                continue;
            }
            // A reader has had all of it.
            Opened::Gone => continue,
        };
        let failed = Error::segment_io("read", dir, name);
        let (seq, offset, last) = end_of_segment(*scan).map_err(failed)?;
        end.last = if end.last == Last::None { last } else { end.last };
        let here = Position { seq, offset, ..end.position };
        end.written = Some((seq, offset));
        advance(&mut end.position, here);
        break;
    }
    Ok(end)
}

/// Moves each part of `position` on to where `to` has it, at least.
pub(super) fn advance(position: &mut Position, to: Position) {
    position.segment = position.segment.max(to.segment);
    position.seq = position.seq.max(to.seq);
    position.offset = position.offset.max(to.offset);
}

/// Where a segment ends: from its seal, or else record by record; payload is read only of the last one.
fn end_of_segment(mut scan: Scan) -> io::Result<(ChunkSeq, StreamOffset, Last)> {
    if let Some(seal) = scan.seal_from_end()? {
        return Ok((seal.next_seq, seal.end_offset, Last::Sealed(seal.end)));
    }
    let mut last: Option<(Record, u64)> = None;
    loop {
        match scan.next(Ahead::Nothing)? {
            Found::Chunk(record) => last = Some((record, scan.frame_at(&record))),
            Found::Damage { .. } => {}
            Found::Seal(seal) => return Ok((seal.next_seq, seal.end_offset, Last::Sealed(seal.end))),
            Found::Nothing => break,
        }
    }
    let Some((record, at)) = last else {
        let start = scan.start();
        return Ok((start.seq, start.offset, Last::Unsealed));
    };
    // The last frame may be torn though its record is whole: that chunk was never there. One before it is damage to
    // readers, who go past it: its number is used up.
    let frame = scan.bytes(at, record.frame_len.into())?;
    let mut raw = vec![0; record.raw_len as usize];
    let opened = open_chunk(&record, scan.header().family, &frame, &mut raw, &mut Decoder::default());
    let (seq, offset) =
        if opened.is_ok() { (record.next_seq(), record.end_offset()) } else { (record.seq, record.offset) };
    Ok((seq, offset, Last::Unsealed))
}
