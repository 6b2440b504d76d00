//! What must hold for any bytes whatever. The fuzz targets (fuzz/) and `tests/fuzz_checks.rs` run the same functions.
//!
//! | file | what any bytes are taken for |
//! |---|---|
//! | `format` | a header, a record, a seal and a table, a slot |
//! | `frames` | a data frame |
//! | `segment` | a segment; chunks to be written |
//! | `spool` | the files of a spool; what is done to one; what a write that was torn left behind |
//! | `archive` | an archive; data to be packed |
//! | `sizes` | what users write |
//!
//! `input` makes decisions of bytes, `refit` puts checksums right, `memory` counts what is allocated.

mod archive;
pub(crate) mod format;
mod frames;
mod input;
mod memory;
mod refit;
mod segment;
mod sizes;
pub(crate) mod spool;

pub(crate) use archive::{archive_range, archive_read, archive_round_trip, archive_salvage, archive_stitch};
pub(crate) use format::{record, seal_and_table, segment_header, slot};
pub(crate) use frames::{codec_decode, frame_raw};
pub(crate) use segment::{round_trip, segment_read};
pub(crate) use sizes::sizes;
pub(crate) use spool::{spool_operations, spool_recovery, spool_torn_tail};

/// Panics when what must hold for these bytes does not.
pub(crate) type Check = fn(&[u8]);

/// Every check, by the name of its fuzz target.
pub(crate) const ALL: [(&str, Check); 17] = [
    ("segment_header", segment_header),
    ("record", record),
    ("seal_and_table", seal_and_table),
    ("slot", slot),
    ("frame_raw", frame_raw),
    ("codec_decode", codec_decode),
    ("segment_read", segment_read),
    ("round_trip", round_trip),
    ("sizes", sizes),
    ("spool_torn_tail", spool_torn_tail),
    ("spool_recovery", spool_recovery),
    ("spool_operations", spool_operations),
    ("archive_read", archive_read),
    ("archive_range", archive_range),
    ("archive_round_trip", archive_round_trip),
    ("archive_salvage", archive_salvage),
    ("archive_stitch", archive_stitch),
];
