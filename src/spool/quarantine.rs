//! Keeping damaged bytes aside, before the segment goes that they are in.

use super::Inner;
use super::scan::Scan;
use crate::store::FileName;
use std::io;

/// Most bytes of one damage that are kept: a frame at most, and then some.
const KEPT_BYTES_MAX: u64 = 8 << 20;
/// Most files that are kept; what is damaged beyond that is told, and goes with its segment.
const FILES_MAX: usize = 1000;

/// Copies `len` bytes of a segment, from `at` on, into the quarantine. Returns the name there: that of the segment and
/// the place in it. `None`: they could not be kept (too many are already, the disk is full); what is damaged is of no
/// use to the reader, who goes on.
pub(super) fn keep(spool: &Inner, scan: &Scan, at: u64, len: u64) -> Option<String> {
    let name = format!("{}.{at}", scan.name());
    let full = || spool.home.list_files(crate::store::Folder::Quarantine).map_or(true, |all| all.len() >= FILES_MAX);
    if len == 0 || full() {
        return None;
    }
    let bytes = scan.bytes(at, len.min(KEPT_BYTES_MAX)).ok()?;
    match spool.home.create_file(&FileName::Quarantine(name.clone()), &bytes) {
        Ok(()) => Some(name),
        // Another reader, or an earlier run, met the same damage.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Some(name),
        Err(_) => None,
    }
}
