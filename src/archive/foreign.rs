//! What a file is that is no archive of ours, by its first bytes, so that a message can say what reads it. Pure.

use crate::format::frame::is_skippable;
use crate::format::marks::{SEGMENT_MARKS, SLOT_MAGICS};
use crate::format::{Family, SLOT_BYTES};
use std::fmt;

/// As much of a file as [`Foreign::of`] looks at.
pub const FOREIGN_HEAD_BYTES: usize = SLOT_BYTES;

/// What begins like this is that; what comes first counts.
const MAGICS: [(&[u8], Foreign); 8] = [
    (&Family::Zstd.frame_magic(), Foreign::Zstd),
    (&Family::Lz4.frame_magic(), Foreign::Lz4),
    (&0x184C_2102_u32.to_le_bytes(), Foreign::Lz4Legacy),
    (&[0x1F, 0x8B], Foreign::Gzip),
    (b"\xFD7zXZ\0", Foreign::Xz),
    (b"BZh", Foreign::Bzip2),
    (&SLOT_MAGICS[0], Foreign::Slot),
    (&SLOT_MAGICS[1], Foreign::Slot),
];

/// What a file is that is no archive of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Foreign {
    /// There is nothing in it.
    Empty,
    /// zstd data of somebody else's.
    Zstd,
    /// It begins with a frame that zstd and lz4 skip, as pzstd writes it.
    Skippable,
    /// LZ4 frames of somebody else's.
    Lz4,
    /// LZ4 in the format before frames, as in a Linux kernel.
    Lz4Legacy,
    /// gzip.
    Gzip,
    /// xz.
    Xz,
    /// bzip2.
    Bzip2,
    /// Where a spool's reader is, or the spool's own file.
    Slot,
    /// Nothing but text.
    Text,
}

impl Foreign {
    /// What a file is that begins with these bytes: [`FOREIGN_HEAD_BYTES`] of them, or all there are. `None`: it may be
    /// an archive, also a damaged one.
    ///
    /// ```
    /// use spillpipe::archive::Foreign;
    /// assert_eq!(Foreign::of(b"\x1F\x8B\x08\0\0\0"), Some(Foreign::Gzip));
    /// assert_eq!(Foreign::of(&[0; 100]), None);
    /// ```
    #[must_use]
    pub fn of(head: &[u8]) -> Option<Self> {
        if head.is_empty() {
            return Some(Self::Empty);
        }
        // Damage to its first bytes does not make an archive something else.
        if SEGMENT_MARKS.iter().any(|(at, mark)| head.get(*at..).is_some_and(|rest| rest.starts_with(mark))) {
            return None;
        }
        if let Some((_, foreign)) = MAGICS.iter().find(|(magic, _)| head.starts_with(magic)) {
            return Some(*foreign);
        }
        let skippable = head.first_chunk().is_some_and(|word| is_skippable(u32::from_le_bytes(*word)));
        if skippable { Some(Self::Skippable) } else { is_text(head).then_some(Self::Text) }
    }

    /// Whether it is data that standard frames hold.
    #[must_use]
    pub fn is_plain(self) -> bool {
        matches!(self, Self::Zstd | Self::Skippable | Self::Lz4)
    }
}

/// What it is, and what reads it.
impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "an empty file",
            Self::Zstd => "plain zstd data, which 'zstd -dc' reads",
            Self::Skippable => "plain zstd or LZ4 data, which 'zstd -dc' or 'lz4 -dc' reads",
            Self::Lz4 => "plain LZ4 data, which 'lz4 -dc' reads",
            Self::Lz4Legacy => "LZ4 data of the old format, which 'lz4 -dc' reads",
            Self::Gzip => "gzip data, which 'gzip -dc' reads",
            Self::Xz => "xz data, which 'xz -dc' reads",
            Self::Bzip2 => "bzip2 data, which 'bzip2 -dc' reads",
            Self::Slot => "a spool's note of a place in it, and holds no data: the spool is the directory",
            Self::Text => "text, which is not compressed at all",
        })
    }
}

/// Whether this may be all that there is of the start of a header.
pub(super) fn is_begun(head: &[u8]) -> bool {
    Family::ALL.iter().any(|family| family.empty_frame().starts_with(head))
}

/// Whether all of it is text: UTF-8, at the end perhaps cut short, without control characters that no text has.
fn is_text(head: &[u8]) -> bool {
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        Err(error) if error.error_len().is_some() => return false,
        Err(error) => std::str::from_utf8(&head[..error.valid_up_to()]).unwrap_or_default(),
    };
    !text.is_empty() && !text.chars().any(|c| c.is_control() && !"\t\n\r\x0C\x1B".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Codec;
    use crate::format::{
        ChunkSeq, EndState, Family, HEADER_BYTES, Position, Salt, SegmentHeader, SegmentNumber, Slot, SlotKind,
        SlotState, StoreId, StreamOffset,
    };
    use crate::segment::{Chunk, write_all};

    fn archive(family: Family) -> Vec<u8> {
        let header = SegmentHeader {
            store: StoreId([7; 16]),
            number: SegmentNumber(1),
            first_seq: ChunkSeq(0),
            first_offset: StreamOffset(0),
            chunk_bytes_max: 4096,
            salt: Salt(9),
            created_ns: 0,
            family,
        };
        write_all(&header, true, &[Chunk::new(b"data", Codec::Raw)], EndState::End)
    }

    #[test]
    fn every_kind_is_known_by_what_its_own_tools_write() {
        let zstd = zstd::encode_all(&b"data"[..], 3).unwrap();
        let skippable = [&[0x50, 0x2A, 0x4D, 0x18, 4, 0, 0, 0, 1, 2, 3, 4], &zstd[..]].concat();
        for (bytes, expected) in [
            (&b""[..], Foreign::Empty),
            (&zstd, Foreign::Zstd),
            (&zstd::encode_all(&b""[..], 19).unwrap(), Foreign::Zstd),
            (&skippable, Foreign::Skippable),
            (b"\x04\x22\x4D\x18\x64\x40\xA7", Foreign::Lz4),
            (b"\x02\x21\x4C\x18\x05\0\0\0", Foreign::Lz4Legacy),
            (b"\x1F\x8B\x08\0\0\0\0\0\0\x03", Foreign::Gzip),
            (b"\xFD7zXZ\0\0\x04", Foreign::Xz),
            (b"BZh91AY&SY", Foreign::Bzip2),
            (b"INSERT INTO t\n", Foreign::Text),
            ("größer\r\n\tx".as_bytes(), Foreign::Text),
            (&"größer".as_bytes()[..4], Foreign::Text),
        ] {
            assert_eq!(Foreign::of(bytes), Some(expected), "{bytes:x?}");
        }
        for kind in [SlotKind::Cursor, SlotKind::Identity] {
            let slot = Slot {
                kind,
                store: StoreId([7; 16]),
                generation: 1,
                position: Position::default(),
                written_ns: 0,
                state: SlotState::Open,
                holes: Vec::new(),
            };
            assert_eq!(Foreign::of(&slot.encode()), Some(Foreign::Slot));
        }
    }

    #[test]
    fn no_archive_is_foreign_whatever_bit_of_it_is_flipped_or_how_much_of_it_is_cut_off() {
        for family in Family::ALL {
            let bytes = archive(family);
            for bit in 0..bytes.len() * 8 {
                let mut damaged = bytes.clone();
                damaged[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(Foreign::of(&damaged), None, "{family:?}: bit {bit}");
            }
            assert_eq!(Foreign::of(&bytes[HEADER_BYTES..]), None, "{family:?}: its header is cut off");
            for len in HEADER_BYTES..bytes.len() {
                assert_eq!(Foreign::of(&bytes[..len]), None, "{family:?}: {len} bytes");
            }
        }
    }

    #[test]
    fn what_is_nothing_known_may_be_an_archive() {
        for bytes in [&[0; 100][..], b"\x7FELF\x02\x01", b"text with a \0 in it", b"\xFF\xFE"] {
            assert_eq!(Foreign::of(bytes), None, "{bytes:x?}");
        }
    }
}
