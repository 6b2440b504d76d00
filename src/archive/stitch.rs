//! Chunks of archives as they are, one after another, as one stream: what `merge` and `split` have in common.
//!
//! ```text
//!   store A: seq 7 8 9   offset 70 80 95        ──> seq 7 8 9 10 11   offset 70 80 95 100 110
//!   store B: seq 0 1     offset  0 10      (end of A: 100)
//! ```
//! Of one store all must be there, in order; gaps of the stream stay. Another store goes on where the one before ends.
//! Nothing is decoded, but every frame has the checksum that its record says. Damage is refused: what to leave out is not
//! for this to decide.

mod course;

use super::head;
use super::scan::{Depth, Found, Scan};
use super::{Error, Input, Problem};
use crate::format::{EndState, Family, Record, SegmentHeader, StreamOffset};
use course::{Course, STORES_MAX, Step};
use std::io;

/// Why archives cannot be put together, or apart, chunk by chunk.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StitchError {
    /// One of them cannot be read, is damaged, or is none.
    #[error(transparent)]
    Archive(Box<Error>),
    /// One of them does not go on where the one before has stopped.
    #[error("{name} does not follow on what comes before it {problem}; give all files of a stream, in their order")]
    Order {
        /// The file.
        name: String,
        /// What is wrong.
        problem: Box<Problem>,
    },
    /// A store comes again after another one.
    #[error("{name} goes on with a stream that another one has come after; give the files of each stream in a row")]
    Apart {
        /// The file.
        name: String,
    },
    /// There are more streams than are put together at once.
    #[error("{name} begins one stream more, and more than {STORES_MAX} streams are not put together at once")]
    TooMany {
        /// The file.
        name: String,
    },
    /// It is not what it was when it was looked at first.
    #[error("{name} changed while it was read")]
    Changed {
        /// The file.
        name: String,
    },
    /// One is of zstd and one of LZ4.
    #[error(
        "{name} holds {} frames, and what comes before it {}: an archive holds one kind; 'spillpipe cat' \
         into 'spillpipe pack' makes one of both",
        family_name(*family), family_name(other(*family))
    )]
    Family {
        /// The file.
        name: String,
        /// Its family.
        family: Family,
    },
    /// One of them can be read but once.
    #[error("{name} can be read but once; give it as a file")]
    Stream {
        /// What it is called.
        name: String,
    },
    /// None was given.
    #[error("there is no archive to read")]
    Nothing,
    /// What is made of them cannot be written.
    #[error("cannot write: {0}")]
    Write(#[source] io::Error),
}

impl From<Error> for StitchError {
    fn from(error: Error) -> Self {
        Self::Archive(Box::new(error))
    }
}

fn family_name(family: Family) -> &'static str {
    match family {
        Family::Zstd => "zstd",
        Family::Lz4 => "LZ4",
    }
}

fn other(family: Family) -> Family {
    if family == Family::Zstd { Family::Lz4 } else { Family::Zstd }
}

/// What a look at all structures tells.
#[derive(Clone, Copy, Debug)]
pub(super) struct Survey {
    pub(super) first: SegmentHeader,
    pub(super) chunk_bytes_max: u32,
    pub(super) raw_bytes: u64,
    pub(super) stores: usize,
}

/// How it all ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ending {
    pub(super) offset: StreamOffset,
    pub(super) end: EndState,
}

/// Looks at the structures of all inputs.
pub(super) fn survey(inputs: &[Input]) -> Result<Survey, StitchError> {
    let (mut first, mut chunk_bytes_max, mut raw_bytes) = (None, 0, 0_u64);
    let mut course = Course::new(inputs, None);
    walk(inputs, Depth::Structure, &mut course, &mut |step, _, _| {
        match step {
            Step::Header(header) => {
                first.get_or_insert(header);
                chunk_bytes_max = chunk_bytes_max.max(header.chunk_bytes_max);
            }
            Step::Chunk(record) => raw_bytes = raw_bytes.saturating_add(record.raw_len.into()),
            Step::Nothing => {}
        }
        Ok(())
    })?;
    let first = first.ok_or(StitchError::Nothing)?;
    Ok(Survey { first, chunk_bytes_max, raw_bytes, stores: course.stores() })
}

/// Hands every chunk to `sink`, with its place in the stream that they make, and its frame. The inputs must be as they
/// were surveyed.
pub(super) fn stitch(
    inputs: &[Input],
    survey: &Survey,
    sink: &mut dyn FnMut(&Record, &[u8]) -> io::Result<()>,
) -> Result<Ending, StitchError> {
    let mut course = Course::new(inputs, Some(survey));
    walk(inputs, Depth::Full, &mut course, &mut |step, scan, found| match step {
        Step::Chunk(record) => {
            let frame = scan.frame(found.at, &record);
            sink(&record, frame.map_err(Fault::Read)?).map_err(Fault::Write)
        }
        Step::Header(_) | Step::Nothing => Ok(()),
    })?;
    course.ending()
}

/// Which side failed.
enum Fault {
    Read(io::Error),
    Write(io::Error),
}

type Take<'t> = &'t mut dyn FnMut(Step, &mut Scan, &Found) -> Result<(), Fault>;

fn walk(inputs: &[Input], depth: Depth, course: &mut Course, take: Take<'_>) -> Result<(), StitchError> {
    let mut before = None;
    for input in inputs {
        let name = input.name();
        let source = input.open()?;
        if source.is_stream() {
            return Err(StitchError::Stream { name });
        }
        course.begin(input, before.replace(input));
        let mut scan = Scan::new(source, depth);
        head::look(&mut scan, input.bond())?;
        let cannot_read = |at| Error::io("read", name.clone(), at);
        while let Some(found) = scan.next().map_err(cannot_read(scan.at()))? {
            if let Some(source) = head::newer(&found) {
                return Err(Error::Newer { name, source }.into());
            }
            let step = course.take(&found)?;
            match take(step, &mut scan, &found) {
                Ok(()) => {}
                Err(Fault::Read(error)) => return Err(cannot_read(found.at)(error).into()),
                Err(Fault::Write(error)) => return Err(StitchError::Write(error)),
            }
        }
        course.end(scan.at())?;
    }
    course.finish()
}
