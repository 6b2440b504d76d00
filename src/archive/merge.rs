//! Several archives to one, without unpacking them.

use super::Input;
use super::segments::{Identity, Segments, Start, Written};
use super::stitch::{StitchError, Survey, stitch, survey};
use crate::format::{EndState, RECORD_BYTES, Record};
use crate::segment::ChunkInfo;
use std::io::Write;

/// Archives to be merged, looked at and found to go together.
///
/// ```
/// use spillpipe::archive::{Input, Merge, Writer, WriterOptions};
/// use spillpipe::format::EndState;
/// use std::io::Write;
///
/// let dir = tempfile::tempdir()?;
/// let mut inputs = Vec::new();
/// for word in ["one ", "two"] {
///     let path = dir.path().join(word);
///     let mut writer = Writer::new(std::fs::File::create(&path)?, &WriterOptions::default())?;
///     writer.write_all(word.as_bytes())?;
///     writer.finish(EndState::End)?;
///     inputs.extend(Input::of(&path)?);
/// }
///
/// let (archive, merged) = Merge::of(inputs)?.write(Vec::new())?;
/// assert_eq!((merged.written.raw_bytes, merged.end), (7, EndState::End));
/// let mut data = Vec::new();
/// spillpipe::segment::read_all(&archive, |_record, raw| data.extend_from_slice(raw))?;
/// assert_eq!(data, b"one two");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Chunks of one store, if all are given in order, keep their stream offsets, with the gaps between them; another store
/// goes on at the end. Frames are copied as they are, when they have the checksum that was noted with them.
#[derive(Debug)]
pub struct Merge {
    inputs: Vec<Input>,
    survey: Survey,
    identity: Option<Identity>,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Merged {
    /// What was written.
    pub written: Written,
    /// Stores that it came from.
    pub stores: usize,
    /// How it ends: [`EndState::Aborted`] unless each of them had its end mark.
    pub end: EndState,
}

impl Merge {
    /// Looks at the structures of all of them: their data is not read yet.
    ///
    /// # Errors
    /// [`StitchError`], but not [`StitchError::Write`].
    pub fn of(inputs: Vec<Input>) -> Result<Self, StitchError> {
        let survey = survey(&inputs)?;
        Ok(Self { inputs, survey, identity: None })
    }

    /// With what would be random otherwise.
    #[must_use]
    pub fn identity(self, identity: Identity) -> Self {
        Self { identity: Some(identity), ..self }
    }

    /// Bytes of data in them.
    #[must_use]
    pub fn raw_bytes(&self) -> u64 {
        self.survey.raw_bytes
    }

    /// Writes the archive of all of them.
    ///
    /// # Errors
    /// [`StitchError`]. What was written by then has no seal.
    pub fn write<W: Write>(&self, output: W) -> Result<(W, Merged), StitchError> {
        let mut out = Segments::begin(output, &start(&self.survey), self.identity).map_err(StitchError::Write)?;
        let mut stored = Vec::new();
        let ending = stitch(&self.inputs, &self.survey, &mut |record, frame| {
            let info = place(record, frame, &mut stored);
            out.chunk(&info, &mut stored)
        })?;
        out.segment().drop_to(ending.offset);
        let (output, written) = out.finish(ending.end).map_err(StitchError::Write)?;
        Ok((output, Merged { written, stores: self.survey.stores, end: ending.end }))
    }
}

/// How a stream of what was surveyed begins.
pub(super) fn start(survey: &Survey) -> Start {
    let Survey { first, chunk_bytes_max, .. } = *survey;
    let (family, first_seq, first_offset) = (first.family, first.first_seq, first.first_offset);
    Start { family, chunk_bytes_max, first_seq, first_offset }
}

/// Puts the frame into `stored`, behind room for a record, and says what that is to hold.
pub(super) fn place(record: &Record, frame: &[u8], stored: &mut Vec<u8>) -> ChunkInfo {
    stored.clear();
    stored.resize(RECORD_BYTES, 0);
    stored.extend_from_slice(frame);
    ChunkInfo {
        raw_len: record.raw_len,
        frame_len: record.frame_len,
        raw_crc: record.raw_crc,
        frame_crc: record.frame_crc,
        codec: record.codec,
        record_end: record.record_end,
        offset: Some(record.offset),
    }
}
