//! Where nothing whole is: is that the end of the segment, of the stream, or only of what is written so far?

use super::{Course, Suspect};
use crate::format::SlotState;
use crate::spool::error::Error;
use crate::spool::event::Ended;
use crate::spool::identity;
use crate::store::{Holder, SegmentName};
use std::io;

impl Course {
    /// Nothing whole is here. Is that the end of the segment, of the stream, or only of what is written so far?
    pub(super) fn nothing(&mut self) -> Result<Option<bool>, Error> {
        let in_segment = self.scan.is_some() || self.headless.is_some();
        if in_segment && (!self.later.is_empty() || self.look_for_later()?) {
            // What came into it before the later one was begun may have come after the look at it.
            if !std::mem::replace(&mut self.last_look, true) {
                return Ok(None);
            }
            self.suspect_tail()?;
            self.pass();
            return Ok(None);
        }
        if self.spool.writer()? != Holder::Nobody {
            self.last_look = false;
            return Ok(Some(true));
        }
        if !std::mem::replace(&mut self.last_look, true) {
            return Ok(None);
        }
        let own = identity::look(&*self.spool.home, &self.spool.dir)?.slot;
        if self.spool.writer()? != Holder::Nobody {
            // It came between the two looks, and says there that it writes.
            self.last_look = false;
            return Ok(Some(true));
        }
        let is_short = own.position.seq > self.at.seq || own.position.offset > self.at.offset;
        // Somebody may have come, written, and gone again since there was nothing.
        if (in_segment || is_short) && self.look_for_later()? {
            self.last_look = false;
            return Ok(None);
        }
        self.last_look = false;
        if in_segment {
            self.suspect_tail()?;
            self.pass();
        }
        if is_short {
            // The spool knows of more than there is.
            self.missing_before(own.position.seq, own.position.offset);
            self.end(Ended::Incomplete);
            return Ok(None);
        }
        if in_segment {
            // Without its seal, or that is damaged: what the spool itself knows of its end is as good.
            match own.state {
                SlotState::Open => {}
                SlotState::Complete => self.end(Ended::Complete),
                SlotState::Incomplete | SlotState::Writing => self.end(Ended::Incomplete),
            }
            return Ok(None);
        }
        if self.ended.is_none() {
            match own.state {
                // Between two segments, or before the first.
                SlotState::Writing | SlotState::Incomplete => self.end(Ended::Incomplete),
                // There was no room for a mark of its own.
                SlotState::Complete => self.end(Ended::Complete),
                SlotState::Open => return Ok(Some(false)),
            }
            return Ok(None);
        }
        Ok(Some(false))
    }

    /// The bytes behind the last whole structure of a segment that is over, if any: what was in them shows where the
    /// stream goes on.
    fn suspect_tail(&mut self) -> Result<(), Error> {
        if self.suspect.as_ref().is_some_and(|suspect| suspect.len > 0) {
            return Ok(());
        }
        let Some(segment) = self.scan.as_ref().map(|scan| scan.name()).or(self.headless) else { return Ok(()) };
        let failed = || Error::segment_io("read", &self.spool.dir, segment);
        let (at, end) = match &self.scan {
            Some(scan) => (scan.at(), scan.len().map_err(failed())?),
            None => match self.spool.home.open(segment) {
                Ok(file) => (0, file.len().map_err(failed())?),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                Err(error) => return Err(failed()(error)),
            },
        };
        let len = end.saturating_sub(at);
        self.suspect = Some(Suspect { segment, at, len, kept: None, torn: true });
        Ok(())
    }

    /// Whether there are segments behind the known ones, and that place.
    pub(super) fn look_for_later(&mut self) -> Result<bool, Error> {
        let here = self.scan.as_ref().map(|scan| scan.name()).or(self.headless).map(|name| name.number);
        let at = self.at.segment;
        let is_later = |name: &SegmentName| here.map_or(name.number >= at, |here| name.number > here);
        // What was found has been gone through. To go through a large directory at each look would take its time.
        let changed = self.spool.home.last_change();
        if changed.is_some() && changed == self.listed && self.later.is_empty() {
            return Ok(false);
        }
        self.listed = changed;
        self.later = self.spool.list()?.into_iter().filter(is_later).collect();
        Ok(!self.later.is_empty())
    }
}
