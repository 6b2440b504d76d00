//! The frames in files of others, what the standard decoders make of them, and segments that hold them.

use crate::samples;
use spillpipe::format::frame::{LZ4_PREFIX_BYTES, finish_lz4, frame_bytes_max};
use spillpipe::format::*;
use spillpipe::segment::{ChunkInfo, SegmentEncoder};
use std::io::Read as _;
use zstd::bulk::Decompressor;
use zstd::zstd_safe;

/// More of a file of a thousand frames shows nothing new.
const FRAMES_MAX: usize = 64;

/// What libzstd makes of single frames.
pub(crate) struct Oracle {
    context: Decompressor<'static>,
    raw: Vec<u8>,
}

impl Oracle {
    pub(crate) fn new() -> Self {
        Self { context: Decompressor::new().unwrap(), raw: vec![0; CHUNK_BYTES_MAX as usize + 1] }
    }

    /// What a frame decodes to, if that fits into a chunk. Decoded in one go and as a stream it must be the same.
    pub(crate) fn decode(&mut self, frame: &[u8]) -> Option<&[u8]> {
        let len = self.context.decompress_to_buffer(frame, &mut self.raw[..]).ok()?;
        let mut streamed = Vec::new();
        let stream = zstd::stream::read::Decoder::with_buffer(frame).unwrap().single_frame();
        if stream.take(len as u64 + 1).read_to_end(&mut streamed).is_ok() {
            assert!(streamed == self.raw[..len], "libzstd disagrees with itself");
        }
        (1..=CHUNK_BYTES_MAX as usize).contains(&len).then(|| &self.raw[..len])
    }
}

/// The zstd frames of a file, from its start as far as it has the structure of frames; the rest as if it were one.
pub(crate) fn zstd_frames(mut file: &[u8]) -> Vec<&[u8]> {
    let mut frames = Vec::new();
    while !file.is_empty() && frames.len() < FRAMES_MAX {
        let len = zstd_safe::find_frame_compressed_size(file).ok().filter(|len| (1..=file.len()).contains(len));
        let (frame, rest) = file.split_at(len.unwrap_or(file.len()));
        frames.push(frame);
        file = rest;
    }
    frames
}

/// Whether the text of the format allows this frame for a chunk, by what its own header says.
pub(crate) fn is_allowed(frame: &[u8], raw_len: usize) -> bool {
    let content = zstd_safe::get_frame_content_size(frame).ok().flatten();
    let dictionary = zstd_safe::get_dict_id_from_frame(frame).is_some();
    let longest = frame_bytes_max(Family::Zstd, u32::try_from(raw_len).unwrap());
    content == Some(raw_len as u64) && !dictionary && frame.len() <= longest as usize
}

pub(crate) fn header(family: Family) -> SegmentHeader {
    SegmentHeader { chunk_bytes_max: CHUNK_BYTES_MAX, ..samples::header(family) }
}

/// A segment of one chunk, right in everything but perhaps in its frame. `None`: no record can say these lengths.
pub(crate) fn wrapped(family: Family, codec: CodecId, frame: &[u8], raw_len: usize, raw_crc: u32) -> Option<Vec<u8>> {
    let raw_len = u32::try_from(raw_len).ok().filter(|len| (1..=CHUNK_BYTES_MAX).contains(len))?;
    let frame_len =
        u32::try_from(frame.len()).ok().filter(|len| (1..=frame_bytes_max(family, raw_len)).contains(len))?;
    let mut segment = SegmentEncoder::new(header(family));
    let mut out = segment.header_bytes().to_vec();
    let frame_crc = crc32(frame);
    let chunk = ChunkInfo { raw_len, frame_len, raw_crc, frame_crc, codec, record_end: false, offset: None };
    out.extend(segment.record(&chunk));
    out.extend_from_slice(frame);
    out.extend(segment.seal(EndState::End));
    Some(out)
}

/// A whole LZ4 frame around these bytes as its block.
pub(crate) fn lz4_frame(block: &[u8], raw: &[u8]) -> Vec<u8> {
    let mut frame = vec![0; block.len() + frame_bytes_max(Family::Lz4, 0) as usize];
    frame[LZ4_PREFIX_BYTES..LZ4_PREFIX_BYTES + block.len()].copy_from_slice(block);
    let len = finish_lz4(raw, block.len(), false, false, &mut frame);
    frame.truncate(len);
    frame
}

/// An LZ4 block decoded as its description says, byte by byte; `None` where it breaks the description, or is longer than
/// a chunk.
pub(crate) fn lz4_block(block: &[u8]) -> Option<Vec<u8>> {
    let mut input = block.iter().copied();
    let mut out = Vec::new();
    let longer = |nibble: u8, input: &mut dyn Iterator<Item = u8>| -> Option<usize> {
        let mut len = usize::from(nibble);
        if nibble == 15 {
            loop {
                let more = input.next()?;
                len += usize::from(more);
                if more < 255 {
                    break;
                }
            }
        }
        Some(len)
    };
    loop {
        let token = input.next()?;
        for _ in 0..longer(token >> 4, &mut input)? {
            out.push(input.next()?);
        }
        if input.len() == 0 {
            return Some(out);
        }
        let back = usize::from(u16::from_le_bytes([input.next()?, input.next()?]));
        let from = out.len().checked_sub(back).filter(|_| back > 0)?;
        let len = longer(token & 15, &mut input)? + 4;
        if out.len() + len > CHUNK_BYTES_MAX as usize {
            return None;
        }
        for i in from..from + len {
            out.push(out[i]);
        }
    }
}
