//! Puts checksums right in bytes that are otherwise as they come, so that a fuzzer gets past them.
//!
//! The library itself has no way around its checksums, in no build: what is fuzzed is what is shipped. Each check runs
//! its bytes as they come, and once more refitted.

use spillpipe::codec::Decoder;
use spillpipe::format::*;

/// Every record and seal starts so.
pub(crate) const STRUCTURE_MAGIC: [u8; 8] = [0x58, 0x2A, 0x4D, 0x18, 56, 0, 0, 0];
const SKIPPABLE_OF_OTHERS: std::ops::RangeInclusive<u32> = 0x184D_2A51..=0x184D_2A57;
const TAG_AT: usize = 8;
const PREFIX_AT: usize = 0x0C;
const SALT_AT: usize = 0x14;
const RECORD_CRC_AT: usize = 0x3C;
const HEADER_CRC_AT: usize = 0x7C;
/// Of frames that come to more, the checksum of the raw bytes stays as it is: decoding them takes too long.
const RAW_BYTES_MAX: usize = 1 << 16;
/// The flag for a content checksum, in the fifth byte of a frame, is the same in both families.
const FRAME_FLAGS_AT: usize = 4;
const FRAME_CHECKSUM: u8 = 4;

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|word| u32::from_le_bytes(*word))
}

/// A segment header.
pub(crate) fn header(bytes: &mut [u8; HEADER_BYTES]) {
    let crc = crc32(&bytes[..HEADER_CRC_AT]);
    bytes[HEADER_CRC_AT..].copy_from_slice(&crc.to_le_bytes());
}

/// A record or a seal of this store; of the segment that has this salt, if one is given.
pub(crate) fn record(bytes: &mut [u8; RECORD_BYTES], store: &StoreId, salt: Option<Salt>) {
    bytes[..8].copy_from_slice(&STRUCTURE_MAGIC);
    if bytes[TAG_AT..PREFIX_AT] != *b"SPSL" {
        bytes[TAG_AT..PREFIX_AT].copy_from_slice(b"SPCK");
    }
    bytes[PREFIX_AT..SALT_AT].copy_from_slice(&store.0[..SALT_AT - PREFIX_AT]);
    if let Some(salt) = salt {
        bytes[SALT_AT..NEEDLE_BYTES].copy_from_slice(&salt.0.to_le_bytes());
    }
    let crc = crc32(&[&store.0, &bytes[..RECORD_CRC_AT]].concat());
    bytes[RECORD_CRC_AT..].copy_from_slice(&crc.to_le_bytes());
}

/// A slot of a cursor, or of the spool's own.
pub(crate) fn slot(bytes: &mut [u8; SLOT_BYTES]) {
    let at = SLOT_BYTES - 4;
    let crc = crc32(&bytes[..at]);
    bytes[at..].copy_from_slice(&crc.to_le_bytes());
}

/// A data frame, if it decodes but for its checksums: returns what it decodes to.
pub(crate) fn frame(codec: CodecId, family: Family, frame: &mut [u8], raw_len: usize) -> Option<Vec<u8>> {
    let has_sum = frame.get(FRAME_FLAGS_AT)? & FRAME_CHECKSUM != 0;
    let sum_at = frame.len().checked_sub(if has_sum { 4 } else { 0 }).filter(|at| *at > FRAME_FLAGS_AT)?;
    let is_lz4 = codec == CodecId::Lz4 || (codec == CodecId::Raw && family == Family::Lz4);
    let mut bare = frame[..sum_at].to_vec();
    bare[FRAME_FLAGS_AT] &= !FRAME_CHECKSUM;
    for frame in [&mut bare[..], frame] {
        if is_lz4 {
            let sum = twox_hash::XxHash32::oneshot(0, frame.get(4..14)?).to_le_bytes()[1];
            *frame.get_mut(14)? = sum;
        }
    }
    let mut raw = vec![0; raw_len];
    Decoder::default().decode(codec, family, &bare, &mut raw).ok()?;
    if has_sum {
        let sum = if is_lz4 {
            twox_hash::XxHash32::oneshot(0, &raw).to_le_bytes()
        } else {
            let [a, b, c, d, ..] = twox_hash::XxHash64::oneshot(0, &raw).to_le_bytes();
            [a, b, c, d]
        };
        frame[sum_at..].copy_from_slice(&sum);
    }
    Some(raw)
}

/// What is done where a structure is expected and none stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Where {
    /// It is made one: for readers that stop at the first fault.
    Made,
    /// The next one is looked for: for readers that go past damage.
    Found,
}

/// A whole segment: header, records, frames and what they decode to, seal and table. Returns its header. One that has
/// none is of this family and the `store` that is given, or is left alone.
pub(crate) fn segment(
    bytes: &mut [u8],
    own: Option<(StoreId, SegmentNumber)>,
    family: Family,
    place: Where,
) -> Option<SegmentHeader> {
    let mut known = None;
    if let Some(head) = bytes.first_chunk_mut::<HEADER_BYTES>() {
        header(head);
        known = SegmentHeader::decode(head).ok();
        if let (Some(known), Some((store, number))) = (&mut known, own) {
            (known.store, known.number) = (store, number);
            *head = known.encode();
        }
    }
    records(bytes, own.map(|(store, _)| store), known, family, place, &[]);
    known
}

/// What stands behind a header, up to the seal or the next of `stops`.
fn records(
    bytes: &mut [u8],
    own: Option<StoreId>,
    known: Option<SegmentHeader>,
    family: Family,
    place: Where,
    stops: &[usize],
) -> Option<()> {
    let store = own.or(known.map(|header| header.store))?;
    let family = known.map_or(family, |header| header.family);
    let salt = known.filter(|_| place == Where::Made).map(|header| header.salt);
    let mut at = HEADER_BYTES;
    loop {
        let next = structure(bytes, at, &store, salt, family, place)?;
        // A header that was searched past begins another segment; one inside of a frame is data.
        let searched = !bytes[at..].starts_with(&STRUCTURE_MAGIC) || stops.contains(&next);
        if searched && stops.iter().any(|stop| (at..=next).contains(stop)) {
            return None;
        }
        at = next;
    }
}

/// Where segments seem to begin.
pub(crate) fn starts(bytes: &[u8]) -> Vec<usize> {
    let magics = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(b"SPSG\x0D\x0A\x1A\x0A"));
    let start = |at: usize| {
        let mut starts = [(24, 0xFD2F_B528), (19, 0x184D_2204)].into_iter();
        starts.find_map(|(back, magic)| at.checked_sub(back).filter(|at| word(bytes, *at) == Some(magic)))
    };
    magics.filter_map(start).collect()
}

/// Segments one after the other, or in one another.
pub(crate) fn archive(bytes: &mut [u8]) {
    let starts = starts(bytes);
    // What lies inside of a chunk comes before the chunk.
    for &start in starts.iter().rev() {
        let bytes = &mut bytes[start..];
        let Some(head) = bytes.first_chunk_mut::<HEADER_BYTES>() else { continue };
        header(head);
        let Ok(known) = SegmentHeader::decode(head) else { continue };
        let stops: Vec<_> = starts.iter().filter_map(|stop| stop.checked_sub(start)).filter(|stop| *stop > 0).collect();
        records(bytes, None, Some(known), known.family, Where::Found, &stops);
    }
}

/// Refits what stands at `at`; returns where the next structure is to be looked for.
fn structure(
    bytes: &mut [u8],
    at: usize,
    store: &StoreId,
    salt: Option<Salt>,
    family: Family,
    place: Where,
) -> Option<usize> {
    if word(bytes, at).is_some_and(|magic| SKIPPABLE_OF_OTHERS.contains(&magic)) {
        return at.checked_add(8)?.checked_add(word(bytes, at + 4)? as usize);
    }
    if place == Where::Found && !bytes.get(at..)?.starts_with(&STRUCTURE_MAGIC) {
        let rest = bytes.get(at + 1..)?;
        return Some(at + 1 + rest.windows(STRUCTURE_MAGIC.len()).position(|bytes| bytes == STRUCTURE_MAGIC)?);
    }
    let (head, rest) = bytes.get_mut(at..)?.split_first_chunk_mut::<RECORD_BYTES>()?;
    let (raw_len, body_len) = (word(head, 0x28)? as usize, word(head, 0x2C)? as usize);
    let is_seal = head[TAG_AT..PREFIX_AT] == *b"SPSL";
    if let Some(body) = rest.get_mut(..body_len) {
        let codec = CodecId::ALL.into_iter().find(|codec| codec.code() == head[0x38]);
        if let Some(codec) = codec.filter(|_| !is_seal && raw_len <= RAW_BYTES_MAX)
            && let Some(raw) = frame(codec, family, body, raw_len)
        {
            head[0x30..0x34].copy_from_slice(&crc32(&raw).to_le_bytes());
        }
        head[0x34..0x38].copy_from_slice(&crc32(body).to_le_bytes());
    }
    record(head, store, salt);
    if is_seal {
        return None;
    }
    let is_whole = body_len <= rest.len();
    Some(at + RECORD_BYTES + if is_whole { body_len } else { 0 })
}
