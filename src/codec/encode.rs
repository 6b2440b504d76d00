//! Raw bytes to a data frame.

use super::Choice;
use super::{Codec, ZstdLevel};
use crate::format::{CodecId, Family, frame};
use lz4_flex::block::{CompressTable, compress_into_with_table, get_maximum_output_size};
use zstd::bulk::Compressor;
use zstd::zstd_safe::CParameter;

/// Compression must save at least one part in so many, or the chunk is stored raw: a raw chunk costs nothing to
/// decode.
const SAVING_MIN: usize = 32;

/// One worker's reusable compression contexts. Each is made when it is first needed.
#[derive(Default)]
pub struct Encoder {
    checksum: bool,
    zstd: Option<(ZstdLevel, Compressor<'static>)>,
    lz4: Option<Lz4>,
}

struct Lz4 {
    table: CompressTable,
    /// `lz4_flex` insists on room for its worst case.
    scratch: Vec<u8>,
}

/// What became of a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// How it is stored: raw when compression did not pay.
    pub codec: CodecId,
    /// Bytes of the frame.
    pub frame_len: usize,
}

impl Encoder {
    /// An encoder. With `checksum`, frames carry their format's own content checksum (XXH64 or XXH32), for tools
    /// other than ours: worth it where the file outlives the process.
    #[must_use]
    pub fn new(checksum: bool) -> Self {
        Self { checksum, ..Self::default() }
    }

    /// Compresses `raw` into one frame of `family` in `out`, which must hold
    /// [`frame_bytes_max`](frame::frame_bytes_max) bytes. A codec of the other family, like data that does not
    /// compress, is stored raw.
    ///
    /// ```
    /// use spillpipe::codec::{Codec, Decoder, Encoder};
    /// use spillpipe::format::{CodecId, Family};
    /// let (raw, mut out, mut back) = ([7; 1000], [0; 1100], [0; 1000]);
    /// let encoded = Encoder::new(false).encode(Codec::Lz4, Family::Lz4, &raw, &mut out);
    /// assert!(encoded.frame_len < 50);
    /// Decoder::default().decode(CodecId::Lz4, Family::Lz4, &out[..encoded.frame_len], &mut back)?;
    /// assert_eq!(raw, back);
    /// # Ok::<(), spillpipe::format::FormatError>(())
    /// ```
    ///
    /// # Panics
    /// When `out` is too short.
    pub fn encode(&mut self, codec: Codec, family: Family, raw: &[u8], out: &mut [u8]) -> Encoded {
        let limit = raw.len() - raw.len() / SAVING_MIN;
        let compressed = match codec {
            Codec::Zstd(level) if family == Family::Zstd => self.zstd(level, raw, &mut out[..limit]),
            Codec::Lz4 if family == Family::Lz4 => self.lz4(raw, limit, out),
            _ => None,
        };
        compressed.unwrap_or_else(|| Encoded {
            codec: CodecId::Raw,
            frame_len: frame::write_raw(family, raw, self.checksum, out),
        })
    }

    /// `None` when the frame would not fit into `out`, and so when it is not worth it.
    fn zstd(&mut self, level: ZstdLevel, raw: &[u8], out: &mut [u8]) -> Option<Encoded> {
        if self.zstd.as_ref().is_none_or(|(had, _)| *had != level) {
            let mut context = match self.zstd.take() {
                Some((_, mut context)) => {
                    context.set_compression_level(i32::from(level.get())).ok()?;
                    context
                }
                None => Compressor::new(i32::from(level.get())).ok()?,
            };
            context.set_parameter(CParameter::ChecksumFlag(self.checksum)).ok()?;
            self.zstd = Some((level, context));
        }
        let (_, context) = self.zstd.as_mut()?;
        let frame_len = context.compress_to_buffer(raw, out).ok()?;
        Some(Encoded { codec: CodecId::Zstd, frame_len })
    }

    fn lz4(&mut self, raw: &[u8], limit: usize, out: &mut [u8]) -> Option<Encoded> {
        let lz4 = self.lz4.get_or_insert_with(|| Lz4 { table: CompressTable::large(), scratch: Vec::new() });
        let bound = get_maximum_output_size(raw.len());
        if lz4.scratch.len() < bound {
            lz4.scratch.resize(bound, 0);
        }
        let block_len = compress_into_with_table(raw, &mut lz4.scratch, &mut lz4.table).ok()?;
        if block_len >= limit {
            return None;
        }
        out[frame::LZ4_PREFIX_BYTES..][..block_len].copy_from_slice(&lz4.scratch[..block_len]);
        let frame_len = frame::finish_lz4(raw, block_len, false, self.checksum, out);
        Some(Encoded { codec: CodecId::Lz4, frame_len })
    }

    /// Bytes that the contexts take now.
    #[must_use]
    pub fn context_bytes(&mut self) -> usize {
        let zstd = self.zstd.as_mut().map_or(0, |(_, context)| context.context_mut().sizeof());
        let lz4 = self.lz4.as_ref().map_or(0, |lz4| lz4.scratch.len() + size_of::<CompressTable>());
        zstd + lz4
    }
}

impl std::fmt::Debug for Encoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Encoder").field("checksum", &self.checksum).finish_non_exhaustive()
    }
}

/// The most that one worker's contexts come to, whatever the data: what is set aside of the memory budget.
///
/// An upper bound on what libzstd 1.5.7 allocates, by level and chunk size, as a test measures.
#[must_use]
pub fn encoder_bytes_max(choice: Choice, chunk_bytes: usize) -> usize {
    match choice {
        Choice::Fixed(Codec::Raw) => 0,
        Choice::Fixed(Codec::Lz4) => get_maximum_output_size(chunk_bytes) + size_of::<CompressTable>() + (16 << 10),
        Choice::Fixed(Codec::Zstd(level)) => {
            let (factor, most) = match level.get() {
                ..=3 => (4, 1 << 20),
                4..=8 => (12, 6 << 20),
                _ => (20, usize::MAX),
            };
            (chunk_bytes.next_power_of_two() * factor).min(most) + (640 << 10)
        }
        Choice::Auto => {
            encoder_bytes_max(Choice::Fixed(Codec::Lz4), chunk_bytes)
                + encoder_bytes_max(Choice::Fixed(Codec::Zstd(ZstdLevel::DEFAULT)), chunk_bytes)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::TABLE;

    #[test]
    fn contexts_stay_within_what_is_set_aside_for_them() {
        let levels = (1..=19).filter_map(ZstdLevel::new).map(Codec::Zstd);
        let codecs: Vec<_> = levels.chain(TABLE.iter().map(|row| row.example)).collect();
        for chunk_bytes in [4 << 10, 64 << 10, 68 << 10, 100_000, 256 << 10, 1 << 20, 4 << 20] {
            let raw: Vec<u8> = (0..chunk_bytes).map(|i| u8::try_from(i * i / 7 % 251).expect("under 251")).collect();
            let mut out = vec![0; chunk_bytes + 1000];
            for &codec in &codecs {
                let mut encoder = Encoder::new(false);
                encoder.encode(codec, codec.family().unwrap_or(Family::Zstd), &raw, &mut out);
                let (have, most) = (encoder.context_bytes(), encoder_bytes_max(Choice::Fixed(codec), chunk_bytes));
                assert!(have <= most, "{codec} at {chunk_bytes}: {have} > {most}");
            }
            // As the policy does: back and forth.
            let mut encoder = Encoder::new(false);
            for codec in [Codec::Zstd(ZstdLevel::DEFAULT), Codec::Zstd(ZstdLevel::FASTEST), Codec::Lz4].repeat(2) {
                encoder.encode(codec, codec.family().expect("compressed"), &raw, &mut out);
            }
            let (have, most) = (encoder.context_bytes(), encoder_bytes_max(Choice::Auto, chunk_bytes));
            assert!(have <= most, "auto at {chunk_bytes}: {have} > {most}");
        }
    }
}
