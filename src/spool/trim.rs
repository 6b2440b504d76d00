//! Removing segments: when every registered reader has dealt with all of one, and under limits the oldest.
//!
//! Whoever notices first removes it; another who comes to it finds it gone, which is as good. The cursors count as they
//! are on disk: a segment goes only when no crash can make it needed again.

use super::Inner;
use super::cursor::Cursor;
use super::error::Error;
use crate::format::SegmentNumber;
use crate::store::SegmentName;
use std::io;

/// What all registered readers need.
#[derive(Debug)]
pub(super) struct Needs {
    cursors: Vec<Cursor>,
    /// Some cursor is damaged: its reader will start over, and needs everything.
    all: bool,
}

impl Needs {
    /// Reads all cursors.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub(super) fn load(spool: &Inner) -> Result<Self, Error> {
        let cursors = spool.cursors()?;
        let all = cursors.iter().any(|(_, cursor)| cursor.is_none());
        Ok(Self { cursors: cursors.into_iter().filter_map(|(_, cursor)| cursor).collect(), all })
    }

    /// Whether somebody needs a segment. Without readers everything is needed: they are yet to come.
    pub(super) fn include(&self, number: SegmentNumber) -> bool {
        self.all || self.cursors.is_empty() || self.cursors.iter().any(|cursor| cursor.needs(number))
    }

    /// From this segment on all are needed.
    pub(super) fn all_from(&self) -> SegmentNumber {
        let first = self.cursors.iter().map(Cursor::first_needed).min();
        first.filter(|_| !self.all).unwrap_or_default()
    }
}

/// Removes those of `names`, by rising number, that nobody needs, and leaves the others in it. Returns how many went.
///
/// # Errors
/// [`Error::Io`]; what went before stays gone.
pub(super) fn remove_unneeded(spool: &Inner, names: &mut Vec<SegmentName>) -> Result<u64, Error> {
    let needs = Needs::load(spool)?;
    let candidates = names.partition_point(|name| name.number < needs.all_from());
    let mut removed = 0;
    let mut kept = Vec::new();
    let mut failed = None;
    for name in names.drain(..candidates) {
        if failed.is_some() || needs.include(name.number) {
            kept.push(name);
            continue;
        }
        match remove(spool, name) {
            Ok(()) => removed += 1,
            Err(error) => {
                kept.push(name);
                failed = Some(error);
            }
        }
    }
    names.splice(..0, kept);
    failed.map_or(Ok(removed), Err)
}

/// Removes a segment, if it is still there.
///
/// # Errors
/// [`Error::Io`].
pub(super) fn remove(spool: &Inner, name: SegmentName) -> Result<(), Error> {
    match spool.home.remove(name) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Error::segment_io("remove", &spool.dir, name)(error))
        }
        _ => Ok(()),
    }
}
