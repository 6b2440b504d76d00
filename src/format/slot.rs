//! The slot: 4096 bytes that say where in a stream somebody is. Two of them make a file that is written in place.
//!
//! ```text
//! | magic 8 | version 4 | bits 4 | store id 16 | generation 8 | place 24 | written 8 | state 1 | flags 1 | holes 2 | 0 ×4 |
//! | holes, 64 bytes each | zeros | CRC-32 4 |
//! ```
//!
//! A cursor and a spool's identity are both kept so: the one that has the higher generation of two whole slots counts,
//! and the other is written next. So a write that was cut short costs nothing but itself, and needs no room.

use super::bytes::{Put, Take};
use super::{ChunkSeq, FormatError, SegmentNumber, StoreId, StreamOffset, crc32};

/// Length of a slot.
pub const SLOT_BYTES: usize = 4096;
/// Most holes in a slot.
pub const HOLES_MAX: usize = (CRC_AT - HOLES_AT) / HOLE_BYTES;

const MAJOR: u16 = 1;
const MINOR: u16 = 0;
const HOLES_AT: usize = 0x50;
const HOLE_BYTES: usize = 64;
const CRC_AT: usize = 0xFFC;
const HOLE_LEFT_BEHIND: u32 = 1;

/// Whose place a slot keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlotKind {
    /// A reader's: what it has dealt with.
    Cursor,
    /// The spool's own: what its writer has used up.
    Identity,
}

impl SlotKind {
    pub(super) const fn magic(self) -> [u8; 8] {
        match self {
            Self::Cursor => *b"SPCU\x0D\x0A\x1A\x0A",
            Self::Identity => *b"SPID\x0D\x0A\x1A\x0A",
        }
    }
}

/// What is known of the stream at a place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SlotState {
    /// More may follow. Of a spool: nobody writes.
    #[default]
    Open,
    /// A stream ended there, complete.
    Complete,
    /// A stream ended there, incomplete.
    Incomplete,
    /// Of a spool: somebody writes, or died over it.
    Writing,
}

impl SlotState {
    const ALL: [Self; 4] = [Self::Open, Self::Complete, Self::Incomplete, Self::Writing];

    fn code(self) -> u8 {
        match self {
            Self::Open => 0,
            Self::Complete => 1,
            Self::Incomplete => 2,
            Self::Writing => 3,
        }
    }
}

/// A place in the stream of a store.
///
/// Places of one stream compare by their offset; of two at the same offset, the later one is past an end that stands
/// between them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// The segment in which it lies, or would, if it were written.
    pub segment: SegmentNumber,
    /// The chunk.
    pub seq: ChunkSeq,
    /// Stream offset: of the chunk's first byte, or of one inside it.
    pub offset: StreamOffset,
}

impl Ord for Position {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.offset, self.seq, self.segment).cmp(&(other.offset, other.seq, other.segment))
    }
}

impl PartialOrd for Position {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// A stretch of the stream before a cursor's place that has not been dealt with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hole {
    /// Its first byte.
    pub from: Position,
    /// Past its last one.
    pub to: Position,
    /// Bytes of it that were handed out: less than it spans, where some were dropped or damaged.
    pub bytes: u64,
    /// How often it was tried.
    pub attempts: u32,
    /// Left behind on purpose; otherwise under way when the cursor moved past.
    pub left_behind: bool,
}

/// One slot.
///
/// ```
/// use spillpipe::format::*;
/// let slot = Slot {
///     kind: SlotKind::Cursor,
///     store: StoreId([7; 16]),
///     generation: 3,
///     position: Position { segment: SegmentNumber(2), seq: ChunkSeq(9), offset: StreamOffset(5000) },
///     written_ns: 0,
///     state: SlotState::Open,
///     holes: Vec::new(),
/// };
/// assert_eq!(Slot::decode(&slot.encode(), SlotKind::Cursor), Ok(slot));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Whose it is.
    pub kind: SlotKind,
    /// The store.
    pub store: StoreId,
    /// Counts up with every write.
    pub generation: u64,
    /// The place. A spool's own: at or past every place that was ever used up.
    pub position: Position,
    /// When it was written, in nanoseconds since 1970.
    pub written_ns: u64,
    /// What is known of the stream there.
    pub state: SlotState,
    /// At most [`HOLES_MAX`], by rising place.
    pub holes: Vec<Hole>,
}

impl Slot {
    /// The 4096 bytes.
    ///
    /// # Panics
    /// When there are more than [`HOLES_MAX`] holes: a writer's mistake.
    #[must_use]
    pub fn encode(&self) -> [u8; SLOT_BYTES] {
        assert!(self.holes.len() <= HOLES_MAX, "{} holes", self.holes.len());
        let holes = u16::try_from(self.holes.len()).expect("at most HOLES_MAX");
        let put = Put::<SLOT_BYTES>::new()
            .raw(&self.kind.magic())
            .u16(MAJOR)
            .u16(MINOR)
            .u32(0)
            .raw(&self.store.0)
            .u64(self.generation);
        let mut put =
            place(put, &self.position).u64(self.written_ns).u8(self.state.code()).u8(0).u16(holes).zeros_to(HOLES_AT);
        for hole in &self.holes {
            put = place(place(put, &hole.from), &hole.to).u64(hole.bytes).u32(hole.attempts).u32(if hole.left_behind {
                HOLE_LEFT_BEHIND
            } else {
                0
            });
        }
        let put = put.zeros_to(CRC_AT);
        let crc = crc32(put.so_far());
        put.u32(crc).done()
    }

    /// Reads the 4096 bytes back.
    ///
    /// # Errors
    /// [`FormatError::Magic`] when this is no slot of that kind; [`FormatError::Checksum`] when it is a damaged one;
    /// [`FormatError::Major`] and [`FormatError::Incompatible`] when it needs a newer program;
    /// [`FormatError::Field`] when a field is out of bounds.
    pub fn decode(bytes: &[u8; SLOT_BYTES], kind: SlotKind) -> Result<Self, FormatError> {
        let mut take = Take::new(bytes);
        let (magic, expected) = (take.array::<8>(), kind.magic());
        if magic != expected {
            let first = |bytes: [u8; 8]| u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
            return Err(FormatError::Magic { what: "slot", expected: first(expected), found: first(magic) });
        }
        let computed = crc32(&bytes[..CRC_AT]);
        let stored = u32::from_le_bytes(std::array::from_fn(|i| bytes[CRC_AT + i]));
        if computed != stored {
            return Err(FormatError::Checksum { what: "slot", stored, computed });
        }
        let (major, minor) = (take.u16(), take.u16());
        if major != MAJOR {
            return Err(FormatError::Major { major, minor });
        }
        let incompatible = take.u32();
        if incompatible != 0 {
            return Err(FormatError::Incompatible { bits: incompatible });
        }
        let field = |field, value: u64, expected: usize| FormatError::Field { field, value, expected: expected as u64 };
        let (store, generation, position) = (StoreId(take.array()), take.u64(), take_place(&mut take));
        let written_ns = take.u64();
        let code = take.u8();
        let state = SlotState::ALL.into_iter().find(|state| state.code() == code);
        let state = state.ok_or(field("slot state", code.into(), SlotState::ALL.len() - 1))?;
        // For later, compatible versions.
        let _flags = take.u8();
        let count = usize::from(take.u16());
        if count > HOLES_MAX {
            return Err(field("holes", count as u64, HOLES_MAX));
        }
        take.zeros_to(HOLES_AT);
        let holes = (0..count)
            .map(|_| Hole {
                from: take_place(&mut take),
                to: take_place(&mut take),
                bytes: take.u64(),
                attempts: take.u32(),
                left_behind: take.u32() & HOLE_LEFT_BEHIND != 0,
            })
            .collect();
        Ok(Self { kind, store, generation, position, written_ns, state, holes })
    }
}

fn place<const N: usize>(put: Put<N>, place: &Position) -> Put<N> {
    put.u64(place.segment.0).u64(place.seq.0).u64(place.offset.0)
}

fn take_place<const N: usize>(take: &mut Take<'_, N>) -> Position {
    let [segment, seq, offset] = [take.u64(), take.u64(), take.u64()];
    Position { segment: SegmentNumber(segment), seq: ChunkSeq(seq), offset: StreamOffset(offset) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(n: u64) -> Position {
        Position { segment: SegmentNumber(n), seq: ChunkSeq(n + 1), offset: StreamOffset(n + 2) }
    }

    fn slot(holes: usize) -> Slot {
        Slot {
            kind: SlotKind::Cursor,
            store: StoreId(*b"0123456789abcdef"),
            generation: u64::MAX,
            position: place(100),
            written_ns: 12,
            state: SlotState::Incomplete,
            holes: (0..holes as u64)
                .map(|n| Hole { from: place(n), to: place(n + 9), bytes: n, attempts: 3, left_behind: n % 2 == 0 })
                .collect(),
        }
    }

    #[test]
    fn a_slot_is_what_it_was_with_any_number_of_holes() {
        for holes in [0, 1, HOLES_MAX] {
            assert_eq!(Slot::decode(&slot(holes).encode(), SlotKind::Cursor), Ok(slot(holes)), "{holes}");
        }
        assert!(Slot::decode(&slot(0).encode(), SlotKind::Identity).is_err());
    }

    #[test]
    fn no_flipped_bit_goes_unseen() {
        let bytes = slot(2).encode();
        for bit in 0..SLOT_BYTES * 8 {
            let mut damaged = bytes;
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(Slot::decode(&damaged, SlotKind::Cursor).is_err(), "bit {bit}");
        }
    }
}
