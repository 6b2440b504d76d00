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
