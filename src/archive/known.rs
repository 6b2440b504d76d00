//! Whose a record is: of a segment whose header was seen, of a store that is known otherwise, or of nobody's that we know.
//!
//! A record's checksum covers the store's id, which only headers have. Without one, any bytes of the shape of a record
//! are one of *some* store ([`SegmentKey::of_record`]): which is worth nothing until the frame behind them has the
//! checksum that they say, and little until a second structure says the same store. So a record that looks like one of
//! a segment whose header was seen, and is not what that says it must be, is a damaged one, and not another store's.

use crate::format::{ChunkSeq, Family, FormatError, RECORD_BYTES, Record, Seal, SegmentKey, StoreMark};

/// Segments, and stores, that are known: as many as lie in one another in practice.
const KNOWN_MAX: usize = 8;

/// A record or a seal.
#[derive(Clone, Copy, Debug)]
pub(super) enum Structure {
    Chunk(Record),
    Seal(Seal),
}

impl Structure {
    fn decode(bytes: &[u8; RECORD_BYTES], key: &SegmentKey) -> Result<Self, FormatError> {
        match Record::decode(bytes, key) {
            Ok(record) => Ok(Self::Chunk(record)),
            // A seal differs from a chunk's record in its third word, its tag; its other errors are its own.
            Err(error @ FormatError::Magic { .. }) => match Seal::decode(bytes, key) {
                Err(FormatError::Magic { .. }) => Err(error),
                seal => seal.map(Self::Seal),
            },
            Err(error) => Err(error),
        }
    }

    /// The number of the chunk that it is of, or in front of.
    fn seq(&self) -> ChunkSeq {
        match self {
            Self::Chunk(record) => record.seq,
            Self::Seal(seal) => seal.next_seq,
        }
    }

    /// Length and checksum of what stands behind it: a frame, or a table.
    pub(super) fn body(&self) -> (u32, u32) {
        match self {
            Self::Chunk(record) => (record.frame_len, record.frame_crc),
            Self::Seal(seal) => (seal.table_len, seal.table_crc),
        }
    }
}

/// Whose a structure is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Whose {
    /// Of a segment, or at least a store, that is known.
    Known(SegmentKey),
    /// Of this one, if what stands behind it is what it says.
    Stranger(SegmentKey),
}

/// What is known so far. The newest is last.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// Of headers.
    segments: Vec<SegmentKey>,
    stores: Vec<StoreMark>,
}

impl Known {
    pub(super) fn is_empty(&self) -> bool {
        self.stores.is_empty()
    }

    /// A header was seen.
    pub(super) fn header(&mut self, key: SegmentKey) {
        newest(&mut self.segments, key);
        newest(&mut self.stores, key.store);
    }

    /// A structure with this key was.
    pub(super) fn structure(&mut self, key: SegmentKey) {
        if self.segments.last() != Some(&key) && self.segments.contains(&key) {
            newest(&mut self.segments, key);
        }
        newest(&mut self.stores, key.store);
    }

    /// What these bytes are, in front of something that begins with `body`.
    ///
    /// # Errors
    /// What the segment says of them that we are in.
    pub(super) fn read(&self, bytes: &[u8; RECORD_BYTES], body: &[u8]) -> Result<(Structure, Whose), FormatError> {
        let mut error = None;
        for key in self.segments.iter().rev() {
            match Structure::decode(bytes, key) {
                Ok(structure) => return Ok((structure, Whose::Known(*key))),
                Err(refused) => _ = error.get_or_insert(refused),
            }
        }
        let nobodys = error.unwrap_or(FormatError::Foreign { what: "record" });
        let (structure, key) = stranger(bytes, body).ok_or(nobodys)?;
        let mut segments = self.segments.iter();
        if self.stores.contains(&key.store) {
            // Of a segment whose header was seen it would have been told above.
            let refused = segments.any(|known| (known.store, known.salt) == (key.store, key.salt));
            return if refused { Err(nobodys) } else { Ok((structure, Whose::Known(key))) };
        }
        // No stranger has either of these in common with us.
        let damaged = segments.any(|known| known.store.prefix() == key.store.prefix() || known.salt == key.salt);
        if damaged { Err(nobodys) } else { Ok((structure, Whose::Stranger(key))) }
    }
}

/// Whether these bytes are what follows a chunk of the segment with this key, and number `next`.
pub(super) fn follows(bytes: &[u8; RECORD_BYTES], key: &SegmentKey, next: ChunkSeq) -> bool {
    // The family may be a guess.
    let mut keys = Family::ALL.into_iter().map(|family| SegmentKey { family, ..*key });
    keys.any(|key| Structure::decode(bytes, &key).is_ok_and(|structure| structure.seq() == next))
}

/// A structure, and the key that it says it has. Its family shows in the frame behind it, or in how it is stored.
fn stranger(bytes: &[u8; RECORD_BYTES], body: &[u8]) -> Option<(Structure, SegmentKey)> {
    let shown = Family::ALL.into_iter().find(|family| body == family.frame_magic()).unwrap_or(Family::Zstd);
    let others = Family::ALL.into_iter().filter(|family| *family != shown);
    std::iter::once(shown).chain(others).find_map(|family| {
        let key = SegmentKey::of_record(bytes, family)?;
        Some((Structure::decode(bytes, &key).ok()?, key))
    })
}

fn newest<T: PartialEq>(known: &mut Vec<T>, what: T) {
    if known.last() == Some(&what) {
        return;
    }
    known.retain(|other| *other != what);
    if known.len() >= KNOWN_MAX {
        known.remove(0);
    }
    known.push(what);
}
