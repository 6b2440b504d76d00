//! A data frame back to exactly the bytes it came from.

use crate::format::{CodecId, Family, FormatError, frame};
use zstd::bulk::Decompressor;
use zstd::zstd_safe;

/// One worker's reusable decompression context.
#[derive(Default)]
pub struct Decoder {
    zstd: Option<Decompressor<'static>>,
}

impl Decoder {
    /// Decodes `frame`, which must be one frame and no more, into exactly `raw`. See [`super::Encoder::encode`] for
    /// an example.
    ///
    /// # Errors
    /// [`FormatError`] when the frame is not a whole one of that codec, says another length, needs a dictionary,
    /// or does not decode. `raw` holds anything then.
    pub fn decode(&mut self, codec: CodecId, family: Family, frame: &[u8], raw: &mut [u8]) -> Result<(), FormatError> {
        match codec {
            CodecId::Raw => frame::read_raw(family, frame, raw),
            CodecId::Lz4 => {
                let block = frame::parse_lz4(frame, raw.len())?;
                let undecodable = FormatError::Undecodable { codec: "LZ4" };
                if block.uncompressed {
                    return Err(undecodable);
                }
                let len = lz4_flex::block::decompress_into(block.bytes, raw).map_err(|_| undecodable)?;
                if len != raw.len() {
                    return Err(undecodable);
                }
                frame::check_lz4_checksum(&block, raw)
            }
            CodecId::Zstd => self.zstd(frame, raw),
        }
    }

    fn zstd(&mut self, frame: &[u8], raw: &mut [u8]) -> Result<(), FormatError> {
        let undecodable = FormatError::Undecodable { codec: "zstd" };
        let own_len = zstd_safe::find_frame_compressed_size(frame).map_err(|_| undecodable)?;
        let field = |field, value: usize, expected: usize| {
            let (value, expected) = (value as u64, expected as u64);
            if value == expected { Ok(()) } else { Err(FormatError::Field { field, value, expected }) }
        };
        field("zstd frame's own length", own_len, frame.len())?;
        let content = zstd_safe::get_frame_content_size(frame).ok().flatten().ok_or(undecodable)?;
        field("zstd content size", usize::try_from(content).map_err(|_| undecodable)?, raw.len())?;
        let dictionary = zstd_safe::get_dict_id_from_frame(frame).map_or(0, std::num::NonZeroU32::get);
        field("zstd dictionary", dictionary as usize, 0)?;
        let decompressor = match &mut self.zstd {
            Some(decompressor) => decompressor,
            None => self.zstd.insert(Decompressor::new().map_err(|_| undecodable)?),
        };
        let len = decompressor.decompress_to_buffer(frame, raw).map_err(|_| undecodable)?;
        field("zstd decoded length", len, raw.len())
    }
}

impl std::fmt::Debug for Decoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Decoder")
    }
}

#[cfg(test)]
mod tests {
    use zstd::zstd_safe::{DCtx, compress};

    /// The memory shares of a pipe count on it.
    #[test]
    fn a_context_takes_at_most_256_kib() {
        for (level, chunk_bytes) in
            [1, 3, 19].into_iter().flat_map(|level| [4 << 10, 1 << 20, 4 << 20].map(|c| (level, c)))
        {
            let raw: Vec<u8> =
                (0..chunk_bytes).map(|i: usize| u8::try_from(i * i / 7 % 251).expect("under 251")).collect();
            let (mut frame, mut back) = (vec![0; chunk_bytes + 1000], vec![0; chunk_bytes]);
            let frame_len = compress(&mut frame[..], &raw, level).expect("compressible");
            let mut context = DCtx::create();
            context.decompress(&mut back[..], &frame[..frame_len]).expect("a frame");
            assert!(back == raw && context.sizeof() <= 256 << 10, "level {level}, {chunk_bytes}: {}", context.sizeof());
        }
    }
}
