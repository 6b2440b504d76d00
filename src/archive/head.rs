//! How a file begins: as an archive, perhaps a damaged one, or as something else. All who read archives ask here.

use super::foreign::is_begun;
use super::scan::{Found, Item, Scan};
use super::{Bond, Error, FOREIGN_HEAD_BYTES, Foreign};
use crate::format::{FormatError, HEADER_BYTES, SegmentHeader};

/// Makes sure that an archive begins here, perhaps a damaged one, and returns its header, if that is whole.
pub(super) fn look(scan: &mut Scan, bond: Bond) -> Result<Option<SegmentHeader>, Error> {
    let name = scan.source().name().to_owned();
    let cannot = |error| Error::io("read", name.clone(), 0)(error);
    let head = scan.peek(0, HEADER_BYTES).map_err(cannot)?;
    // More is not asked for where a stream may have no more yet.
    match head.first_chunk().map(SegmentHeader::decode) {
        Some(Ok(header)) => return Ok(Some(header)),
        Some(Err(source)) if is_newer(&source) => return Err(Error::Newer { name, source }),
        Some(Err(_)) | None => {}
    }
    // A writer that died just when it had begun a segment leaves it empty, or a part of its header.
    if bond != Bond::Free && is_begun(head) {
        return Ok(None);
    }
    match Foreign::of(scan.peek(0, FOREIGN_HEAD_BYTES).map_err(cannot)?) {
        Some(what) => Err(Error::Foreign { name, what }),
        None => Ok(None),
    }
}

/// What was found, if that is a header which a later version of the format has written.
pub(super) fn newer(found: &Found) -> Option<FormatError> {
    match found.item {
        Item::Lost(error) if is_newer(&error) => Some(error),
        _ => None,
    }
}

fn is_newer(error: &FormatError) -> bool {
    matches!(error, FormatError::Major { .. } | FormatError::Incompatible { .. })
}
