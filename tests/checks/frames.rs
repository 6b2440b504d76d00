//! Data frames: any bytes are refused, or fill exactly the buffer they are decoded into.

use super::input::Input;
use super::refit;
use spillpipe::codec::{Decoder, TABLE};
use spillpipe::format::frame::{frame_bytes_max, read_raw, write_raw};
use spillpipe::format::*;

/// A frame of raw blocks: what is accepted is exactly what [`write_raw`] writes, but for the LZ4 block size code.
pub(crate) fn frame_raw(data: &[u8]) {
    let Some((len, bytes)) = data.split_first_chunk::<2>() else { return };
    let raw_len = u16::from_le_bytes(*len);
    let mut raw = vec![0; usize::from(raw_len)];
    for family in Family::ALL {
        let mut refitted = bytes.to_vec();
        let there = refit::frame(CodecId::Raw, family, &mut refitted, raw.len());
        assert_eq!(read_raw(family, &refitted, &mut raw).is_ok(), there.is_some());
        assert!(there.is_none_or(|there| there == raw));
        for frame in [bytes, &refitted] {
            if read_raw(family, frame, &mut raw).is_ok() {
                let mut out = vec![0; frame_bytes_max(family, raw_len.into()) as usize];
                let written = write_raw(family, &raw, frame[4] & 4 != 0, &mut out);
                match family {
                    Family::Zstd => assert_eq!(&out[..written], frame),
                    Family::Lz4 => assert_eq!(written, frame.len()),
                }
            }
        }
    }
}

/// Any bytes as a frame of any codec, as they come and with the frame's own checksums put right.
pub(crate) fn codec_decode(data: &[u8]) {
    let mut input = Input(data);
    let codec = TABLE[usize::from(input.byte()) % TABLE.len()].id;
    let family = input.one_of(&Family::ALL);
    let raw_len = usize::from(input.u16());
    decodes(codec, family, input.0, raw_len);
    let mut frame = input.0.to_vec();
    if let Some(raw) = refit::frame(codec, family, &mut frame, raw_len) {
        assert_eq!(decodes(codec, family, &frame, raw_len), Some(raw), "nothing was wrong but the checksums");
    }
}

/// Decodes twice, with a decoder that was used before, or has failed.
fn decodes(codec: CodecId, family: Family, frame: &[u8], raw_len: usize) -> Option<Vec<u8>> {
    let (mut raw, mut again) = (vec![0; raw_len], vec![1; raw_len]);
    let mut decoder = Decoder::default();
    let first = decoder.decode(codec, family, frame, &mut raw);
    let second = decoder.decode(codec, family, frame, &mut again);
    assert_eq!(first, second, "the second time as the first");
    first.ok()?;
    assert_eq!(raw, again, "all of the buffer is written");
    Some(raw)
}
