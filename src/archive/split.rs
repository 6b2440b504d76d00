//! One archive to several, without unpacking it.

use super::merge::{place, start};
use super::segments::{Segments, Written};
use super::stitch::{StitchError, Survey, stitch, survey};
use super::{Identity, Input};
use crate::format::{EndState, Family, SegmentNumber};
use crate::store::{SegmentName, WholeDir};
use std::fs::File;
use std::io::{self, Write};

/// The least that a part may have, in stored bytes.
pub const SPLIT_BYTES_MIN: u64 = 4096;

/// An archive to be split, looked at and found to be sound in its structure.
///
/// Its parts are segments in a directory: each is an archive of its own for any tool of its family, and together, in order,
/// they are the archive again. Sequence numbers and stream offsets go on from one to the next.
///
/// ```
/// use spillpipe::archive::{Copied, CopyOptions, Input, Parts, Split, Writer, WriterOptions, copy_out};
/// use spillpipe::codec::Codec;
/// use spillpipe::format::EndState;
/// use spillpipe::store::WholeDir;
/// use std::io::Write;
///
/// let temp = tempfile::tempdir()?;
/// let (whole, parts) = (temp.path().join("whole.zst"), temp.path().join("parts"));
/// let mut options = WriterOptions::default();
/// (options.chunk_bytes, options.codec) = (4096, Codec::Raw);
/// let mut writer = Writer::new(std::fs::File::create(&whole)?, &options)?;
/// writer.write_all(&[7; 100_000])?;
/// writer.finish(EndState::End)?;
///
/// let dir = WholeDir::create(&parts)?;
/// let up = Split::of(Input::of(&whole)?, 30_000)?.write(&dir, &mut |_| Ok(()))?;
/// dir.finish()?;
/// assert_eq!((up.written.segments, Input::of(&parts)?.len()), (4, 4));
///
/// let mut data = Vec::new();
/// copy_out(Parts::from(Input::of(&parts)?), &mut data, &CopyOptions::default(), &mut Copied::default())?;
/// assert_eq!(data, [7; 100_000]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Split {
    inputs: Vec<Input>,
    survey: Survey,
    part_bytes: u64,
    identity: Option<Identity>,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SplitUp {
    /// What was written, in all: a segment is a part.
    pub written: Written,
    /// How the last one ends: [`EndState::Aborted`] unless the archive had its end mark.
    pub end: EndState,
}

impl Split {
    /// Looks at the structures of the archive, or of several, which count as one, as in [`Merge`](super::Merge). A part is
    /// to have `part_bytes` stored bytes at most, but one chunk in any case; less than [`SPLIT_BYTES_MIN`] counts as that.
    ///
    /// # Errors
    /// [`StitchError`], but not [`StitchError::Write`].
    pub fn of(inputs: Vec<Input>, part_bytes: u64) -> Result<Self, StitchError> {
        let survey = survey(&inputs)?;
        Ok(Self { inputs, survey, part_bytes: part_bytes.max(SPLIT_BYTES_MIN), identity: None })
    }

    /// With what would be random otherwise.
    #[must_use]
    pub fn identity(self, identity: Identity) -> Self {
        Self { identity: Some(identity), ..self }
    }

    /// Bytes of data in it.
    #[must_use]
    pub fn raw_bytes(&self) -> u64 {
        self.survey.raw_bytes
    }

    /// Writes the parts into a new directory, each durably; `tell` is called with the number of bytes of each write, and an
    /// error of its ends all.
    ///
    /// # Errors
    /// [`StitchError`]. The directory then holds the parts before it, whole, and the beginning of one without a seal:
    /// nothing to keep. A [`WholeDir`] that is dropped without being finished leaves none of it.
    pub fn write(&self, dir: &WholeDir, tell: &mut dyn FnMut(usize) -> io::Result<()>) -> Result<SplitUp, StitchError> {
        let family = self.survey.first.family;
        let parts = Parts::begin(dir, family, tell).map_err(StitchError::Write)?;
        let mut out = Segments::begin(parts, &start(&self.survey), self.identity).map_err(StitchError::Write)?;
        let mut stored = Vec::new();
        let ending = stitch(&self.inputs, &self.survey, &mut |record, frame| {
            let info = place(record, frame, &mut stored);
            let segment = out.segment();
            // With this chunk, and the 16 bytes more that the table takes for it.
            let bytes = segment.bytes_so_far() + stored.len() as u64 + segment.seal_bytes() + 16;
            if segment.chunks() > 0 && bytes > self.part_bytes {
                out.roll(Parts::next)?;
            }
            out.chunk(&info, &mut stored)
        })?;
        out.segment().drop_to(ending.offset);
        let (parts, written) = out.finish(ending.end).map_err(StitchError::Write)?;
        parts.file.sync_all().map_err(StitchError::Write)?;
        Ok(SplitUp { written, end: ending.end })
    }
}

/// The part that is being written, and those after it.
struct Parts<'a> {
    dir: &'a WholeDir,
    family: Family,
    number: SegmentNumber,
    file: File,
    tell: &'a mut dyn FnMut(usize) -> io::Result<()>,
}

impl<'a> Parts<'a> {
    fn begin(dir: &'a WholeDir, family: Family, tell: &'a mut dyn FnMut(usize) -> io::Result<()>) -> io::Result<Self> {
        let number = SegmentNumber(1);
        Ok(Self { dir, family, number, file: dir.file(&SegmentName { number, family }.to_string())?, tell })
    }

    fn next(&mut self) -> io::Result<()> {
        self.file.sync_all()?;
        self.number.0 += 1;
        self.file = self.dir.file(&SegmentName { number: self.number, family: self.family }.to_string())?;
        Ok(())
    }
}

impl Write for Parts<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let len = self.file.write(bytes)?;
        (self.tell)(len)?;
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
