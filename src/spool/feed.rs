//! A stretch of the stream once more, on its own: for a batch that is tried, and tried again.

use super::Inner;
use super::error::Error;
use super::position::Span;
use super::scan::{Found, Opened, Scan};
use super::window::Ahead;
use crate::codec::Decoder;
use crate::format::{Family, SegmentNumber};
use crate::store::SegmentName;
use std::io;
use std::sync::Arc;

/// Of so many segments each is tried, without a look at the directory, which may be large.
const SEGMENTS_TRIED_MAX: u64 = 64;

/// Reads a stretch of the stream. It may go to another thread, and holds one chunk in memory.
#[derive(Clone, Debug)]
pub struct Feeder {
    spool: Arc<Inner>,
    span: Span,
}

/// What was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fed {
    /// Bytes handed on.
    pub bytes: u64,
    /// Whether the sink had enough before the end.
    pub stopped: bool,
}

impl Feeder {
    pub(super) fn new(spool: Arc<Inner>, span: Span) -> Self {
        Self { spool, span }
    }

    /// Hands all bytes of the stretch to `sink`, in order and verified. What of it was dropped or damaged is not there:
    /// compare the bytes. An error of the sink's ends it, and is no error of its own.
    ///
    /// # Errors
    /// [`Error::Segment`], [`Error::Io`].
    pub fn feed(&self, sink: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> Result<Fed, Error> {
        let mut fed = Fed::default();
        let (mut raw, mut decoder) = (Vec::new(), Decoder::default());
        let mut next_offset = self.span.from.offset;
        for number in self.segments()? {
            let Some(mut scan) = self.open(number)? else { continue };
            let name = scan.name();
            let failed = || Error::segment_io("read", &self.spool.dir, name);
            loop {
                match scan.next(Ahead::Nothing).map_err(failed())? {
                    Found::Chunk(record) if record.offset >= self.span.to.offset => return Ok(fed),
                    // Before the stretch, or had already: from a segment whose last write failed, and was made again.
                    Found::Chunk(record) if record.end_offset() <= next_offset => {}
                    Found::Chunk(record) => {
                        if !scan.open_chunk(&record, &mut raw, &mut decoder).map_err(failed())? {
                            continue;
                        }
                        let place = |offset: u64| usize::try_from(offset - record.offset.0).unwrap_or(usize::MAX);
                        let start = place(next_offset.0.max(record.offset.0));
                        let end = place(self.span.to.offset.0).min(raw.len());
                        if sink(&raw[start..end]).is_err() {
                            return Ok(Fed { stopped: true, ..fed });
                        }
                        fed.bytes += (end - start) as u64;
                        next_offset = record.end_offset();
                    }
                    Found::Damage { .. } => {}
                    Found::Seal(_) | Found::Nothing => break,
                }
            }
        }
        Ok(fed)
    }

    /// The segments that the stretch may be in. A cursor is only as good as its checksum, so that the numbers of a wide
    /// one are not gone through: those are, that are there.
    fn segments(&self) -> Result<Vec<SegmentNumber>, Error> {
        let numbers = self.span.from.segment..=self.span.to.segment;
        if self.span.to.segment.0.saturating_sub(self.span.from.segment.0) < SEGMENTS_TRIED_MAX {
            return Ok((numbers.start().0..=numbers.end().0).map(SegmentNumber).collect());
        }
        let mut there: Vec<_> = self.spool.list()?.into_iter().map(|name| name.number).collect();
        there.retain(|number| numbers.contains(number));
        there.dedup();
        Ok(there)
    }

    fn open(&self, number: SegmentNumber) -> Result<Option<Box<Scan>>, Error> {
        for family in Family::ALL {
            let name = SegmentName { number, family };
            if let Opened::Scan(scan) = Scan::open(&*self.spool.home, &self.spool.dir, self.spool.id, name)? {
                return Ok(Some(scan));
            }
        }
        Ok(None)
    }
}
