//! zstd and LZ4 data that is no archive of ours, from front to back: there is nothing in it that would allow more.

use super::copy::{CopyError, Out};
use super::scan::Scan;
use super::{Error, Foreign};
use crate::format::frame::{LZ4_MAGIC, is_skippable};
use lz4_flex::frame::FrameDecoder;
use std::io::{self, BufRead, ErrorKind, Read};

/// What is decoded at once.
const PIECE_BYTES: usize = 128 << 10;
/// The longest header of an LZ4 frame: magic, two bytes of flags, content size, dictionary, checksum. And the size of a
/// block.
const LZ4_HEADER_BYTES_MAX: usize = 4 + 2 + 8 + 4 + 1;
const LZ4_SIZE_BYTES: usize = 4;

/// Decodes all of it.
pub(super) fn copy(scan: Scan, name: String, what: Foreign, out: &mut Out<'_>) -> Result<(), CopyError> {
    let input = Plain { scan, at: 0 };
    let result = match what {
        Foreign::Lz4 => lz4(input, out),
        Foreign::Skippable => match first_frame(input) {
            Ok((LZ4_MAGIC, input)) => lz4(input, out),
            Ok((_, input)) => zstd(input, out),
            Err(error) => Err(Failed::Input(error)),
        },
        _ => zstd(input, out),
    };
    let flushed = out.flush();
    match result {
        Ok(()) => flushed,
        Err(Failed::Output(error)) => Err(error),
        Err(Failed::Input(error)) => Err(Error::io("decode", name, None)(error).into()),
    }
}

/// Whose fault it is.
enum Failed {
    Input(io::Error),
    Output(CopyError),
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self::Input(error)
    }
}

/// Windows are limited as those of the zstd command are.
fn zstd(input: Plain, out: &mut Out<'_>) -> Result<(), Failed> {
    pump(zstd::stream::read::Decoder::with_buffer(input)?, out)
}

/// Frame by frame. The decoder goes from one to the next, which saves making its buffers again, of up to 12 MiB; but they
/// fit one length of blocks.
fn lz4(input: Plain, out: &mut Out<'_>) -> Result<(), Failed> {
    let (mut decoder, mut made_for) = (FrameDecoder::new(Taken::new(input)), None);
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let input = &mut decoder.get_mut().input;
        match input.peek_word()? {
            None => return Ok(()),
            Some(magic) if is_skippable(magic) => input.skip_frame()?,
            Some(LZ4_MAGIC) => {
                let flags = input.lz4_flags()?;
                if made_for.replace(flags) != Some(flags) {
                    decoder = FrameDecoder::new(decoder.into_inner());
                }
                lz4_frame(&mut decoder, lz4_header_bytes(flags), &mut piece, out)?;
            }
            Some(_) => return Err(io::Error::new(ErrorKind::InvalidData, "no LZ4 frame follows").into()),
        }
    }
}

/// One frame. To the decoder an empty block and a missing end are the end, too: what it has taken in tells them apart.
fn lz4_frame(
    decoder: &mut FrameDecoder<Taken>,
    header_bytes: usize,
    piece: &mut [u8],
    out: &mut Out<'_>,
) -> Result<(), Failed> {
    let mut size_at = header_bytes;
    loop {
        decoder.get_mut().first.clear();
        match decoder.read(piece)? {
            // Without data it has taken in one block, or the end mark, or had no more.
            0 => match decoder.get_ref().first.get(size_at..size_at + LZ4_SIZE_BYTES) {
                Some([0, 0, 0, 0]) => return Ok(()),
                Some(_) => {}
                None => return Err(io::Error::from(ErrorKind::UnexpectedEof).into()),
            },
            len => out.put(&piece[..len]).map_err(Failed::Output)?,
        }
        size_at = 0;
    }
}

/// Content size and dictionary may be in it.
fn lz4_header_bytes([flags, _]: [u8; 2]) -> usize {
    let has = |bit: u8| usize::from(flags >> bit & 1);
    4 + 2 + 8 * has(3) + 4 * has(0) + 1
}

/// An input, and how what was taken from it last began.
struct Taken {
    input: Plain,
    first: Vec<u8>,
}

impl Taken {
    fn new(input: Plain) -> Self {
        Self { input, first: Vec::with_capacity(LZ4_HEADER_BYTES_MAX + LZ4_SIZE_BYTES) }
    }
}

impl Read for Taken {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.input.read(buffer)?;
        let room = (LZ4_HEADER_BYTES_MAX + LZ4_SIZE_BYTES).saturating_sub(self.first.len());
        self.first.extend_from_slice(&buffer[..len.min(room)]);
        Ok(len)
    }
}

fn pump(mut decoded: impl Read, out: &mut Out<'_>) -> Result<(), Failed> {
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        match decoded.read(&mut piece) {
            Ok(0) => return Ok(()),
            Ok(len) => out.put(&piece[..len]).map_err(Failed::Output)?,
            Err(error) => return Err(error.into()),
        }
    }
}

/// What comes behind the skippable frames at the start, which may be of either format.
fn first_frame(mut input: Plain) -> io::Result<(u32, Plain)> {
    loop {
        match input.peek_word()? {
            Some(magic) if is_skippable(magic) => input.skip_frame()?,
            magic => return Ok((magic.unwrap_or_default(), input)),
        }
    }
}

/// The bytes of a file whose start was looked at already.
struct Plain {
    scan: Scan,
    at: u64,
}

impl Plain {
    /// The 4 bytes that come next; `None` at the end.
    fn peek_word(&mut self) -> io::Result<Option<u32>> {
        let have = self.scan.ahead(self.at, 4)?;
        match have.first_chunk() {
            Some(word) => Ok(Some(u32::from_le_bytes(*word))),
            None if have.is_empty() => Ok(None),
            None => Err(ErrorKind::UnexpectedEof.into()),
        }
    }

    /// The two bytes behind the magic of an LZ4 frame, which stay.
    fn lz4_flags(&mut self) -> io::Result<[u8; 2]> {
        let have = self.scan.ahead(self.at, 6)?;
        have.get(4..).and_then(<[u8]>::first_chunk).copied().ok_or_else(|| ErrorKind::UnexpectedEof.into())
    }

    fn skip_frame(&mut self) -> io::Result<()> {
        let have = self.scan.ahead(self.at, 8)?;
        let Some(len) = have.get(4..).and_then(<[u8]>::first_chunk) else {
            return Err(ErrorKind::UnexpectedEof.into());
        };
        let mut left = u64::from(u32::from_le_bytes(*len)) + 8;
        while left > 0 {
            let have = self.fill_buf()?.len();
            if have == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            let skipped = have.min(usize::try_from(left).unwrap_or(usize::MAX));
            self.consume(skipped);
            left -= skipped as u64;
        }
        Ok(())
    }
}

impl BufRead for Plain {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.scan.ahead(self.at, 1)
    }

    fn consume(&mut self, len: usize) {
        self.at += len as u64;
    }
}

impl Read for Plain {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let have = self.fill_buf()?;
        let len = have.len().min(buffer.len());
        buffer[..len].copy_from_slice(&have[..len]);
        self.consume(len);
        Ok(len)
    }
}
