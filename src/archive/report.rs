//! What is wrong with an archive, and where; what is missing on purpose; how a stream ends.

use crate::format::{ChunkSeq, FormatError, SegmentNumber, StreamOffset};
use std::fmt;
use std::ops::Range;

/// Something that is not as it was written, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Byte of the file where it begins.
    pub at: u64,
    /// Byte of the file where it ends, if it takes up bytes and that is known.
    pub end: Option<u64>,
    /// The chunks concerned, as far as the numbers around them tell.
    pub chunks: Option<Range<ChunkSeq>>,
    /// The bytes of the stream concerned, as far as the offsets around them tell.
    pub offsets: Option<Range<StreamOffset>>,
    /// What it is.
    pub kind: ProblemKind,
}

/// What can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProblemKind {
    /// No whole header stands where a segment begins. What follows it is told by its records.
    #[error("damaged segment header: {0}")]
    Header(FormatError),
    /// Bytes that make no sense: a damaged record, or something that does not belong there.
    #[error("unreadable bytes: {0}")]
    Lost(FormatError),
    /// A record, with its frame behind it, that does not belong to the segment it stands in.
    #[error("damaged record, or one of another segment")]
    Stranger,
    /// The record of a chunk is whole, its frame is not.
    #[error("damaged chunk: {0}")]
    Frame(FormatError),
    /// The frame of a chunk is as it was written, and does not decode to what the record says.
    #[error("chunk that does not decode: {0}")]
    Undecodable(FormatError),
    /// Chunks are missing, and nothing stands where they were.
    #[error("chunks are missing")]
    Missing,
    /// A chunk that was there already, or stands behind later ones.
    #[error("chunk out of order, or there twice: chunk {expected} is next")]
    Repeated {
        /// The chunk that must come next.
        expected: ChunkSeq,
    },
    /// A chunk whose place in the stream lies before the end of the one before.
    #[error("stream offset goes back: {expected} is next")]
    OffsetBack {
        /// Stream offset that must come next.
        expected: StreamOffset,
    },
    /// The seal contradicts what it seals.
    #[error("wrong seal: {0}")]
    Seal(FormatError),
    /// The seek table is damaged, or does not list what is there. The data can be read without it.
    #[error("wrong seek table: {0}")]
    SeekTable(FormatError),
    /// Chunks of a segment whose header is not there, nor anything in its place.
    #[error("no segment header")]
    NoHeader,
    /// Bytes that belong to no segment: behind the end of one, for the most part.
    #[error("bytes that belong to no segment")]
    Outside,
    /// Segments of the stream are missing.
    #[error("segments {} to {} are missing", first.0, last.0)]
    MissingSegments {
        /// The first that is missing.
        first: SegmentNumber,
        /// The last that is missing.
        last: SegmentNumber,
    },
    /// A segment that stands behind a later one of its stream, or is there twice.
    #[error("segment {} {}", number.0, behind(*number, *after))]
    SegmentOrder {
        /// Its number.
        number: SegmentNumber,
        /// That of the one in front of it.
        after: SegmentNumber,
    },
    /// A segment of another store among those of one directory.
    #[error("segment {} is of another store", number.0)]
    OtherStore {
        /// Its number.
        number: SegmentNumber,
    },
    /// The file ends in the middle of something.
    #[error("the file ends here: {0}")]
    CutShort(FormatError),
}

fn behind(number: SegmentNumber, after: SegmentNumber) -> String {
    if number == after { "is there twice".to_owned() } else { format!("stands behind segment {}", after.0) }
}

impl Problem {
    /// Of this kind, from `at` on.
    pub(super) fn new(at: u64, kind: ProblemKind) -> Self {
        Self { at, end: None, chunks: None, offsets: None, kind }
    }

    /// With the byte of the file where it ends.
    pub(super) fn to(self, end: u64) -> Self {
        Self { end: Some(end), ..self }
    }

    /// With the chunks and the bytes of the stream that it concerns.
    pub(super) fn of(self, chunks: Range<ChunkSeq>, offsets: Range<StreamOffset>) -> Self {
        Self { chunks: Some(chunks), offsets: Some(offsets), ..self }
    }
}

/// `at byte 128 to 4223: damaged chunk: … (chunk 3, stream bytes 12288 to 16383)`
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at byte {}", self.at)?;
        if let Some(end) = self.end.filter(|end| *end > self.at + 1) {
            write!(f, " to {}", end - 1)?;
        }
        write!(f, ": {}", self.kind)?;
        let concerned = [
            self.chunks.as_ref().and_then(|chunks| span("chunk", chunks.start.0, chunks.end.0)),
            self.offsets.as_ref().and_then(|bytes| span("stream byte", bytes.start.0, bytes.end.0)),
        ];
        let concerned: Vec<_> = concerned.into_iter().flatten().collect();
        if concerned.is_empty() { Ok(()) } else { write!(f, " ({})", concerned.join(", ")) }
    }
}

/// `chunk 3`, `chunks 3 to 7`; nothing of nothing.
fn span(what: &str, start: u64, end: u64) -> Option<String> {
    match end.checked_sub(start)? {
        0 => None,
        1 => Some(format!("{what} {start}")),
        _ => Some(format!("{what}s {start} to {}", end - 1)),
    }
}

/// Bytes of the stream that were dropped on purpose before they were written: nothing is wrong with the archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Byte of the file where it shows.
    pub at: u64,
    /// The bytes of the stream that are not there.
    pub offsets: Range<StreamOffset>,
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Range { start, end } = &self.offsets;
        let bytes = end.0.saturating_sub(start.0);
        write!(
            f,
            "at byte {}: gap of {bytes} bytes at stream offset {start}, dropped before they were written",
            self.at
        )
    }
}

/// How a stream ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum End {
    /// With its end mark: nothing is missing at the end.
    Complete,
    /// Its last segment is whole, and says that another one follows.
    Continues,
    /// It was marked so when it was written: its producer gave up, or what it was made of is incomplete.
    Aborted,
    /// Its last segment has no seal: whoever wrote it died, or it is cut short.
    Unsealed,
}

impl End {
    /// Whether all of the stream is there, at its end.
    #[must_use]
    pub fn is_complete(self) -> bool {
        self == Self::Complete
    }

    /// A word for programs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Continues => "continues",
            Self::Aborted => "aborted",
            Self::Unsealed => "unsealed",
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Complete => "complete",
            Self::Continues => "incomplete: the next segment is not there",
            Self::Aborted => "incomplete: it was marked so when it was written",
            Self::Unsealed => "incomplete: it has no end mark",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_one_line_with_its_place() {
        let error = FormatError::Short { what: "frame", have: 1, need: 2 };
        let problem = Problem::new(128, ProblemKind::Frame(error)).to(4224);
        assert_eq!(problem.to_string(), "at byte 128 to 4223: damaged chunk: frame is cut short: 1 of 2 bytes");
        let problem =
            Problem::new(7, ProblemKind::Missing).of(ChunkSeq(3)..ChunkSeq(8), StreamOffset(10)..StreamOffset(11));
        assert_eq!(problem.to_string(), "at byte 7: chunks are missing (chunks 3 to 7, stream byte 10)");
        let problem = Problem::new(7, ProblemKind::Outside)
            .to(8)
            .of(ChunkSeq(3)..ChunkSeq(3), StreamOffset(10)..StreamOffset(10));
        assert_eq!(problem.to_string(), "at byte 7: bytes that belong to no segment");
        let problem =
            Problem::new(7, ProblemKind::Missing).of(ChunkSeq(9)..ChunkSeq(3), StreamOffset(5)..StreamOffset(1));
        assert_eq!(problem.to_string(), "at byte 7: chunks are missing", "numbers that go back are no panic");
    }
}
