//! What others test their decoders with, as input to everything that reads: no panic, no hang, nothing handed out that the
//! reference decoder does not say. The files are not ours to keep here: `SPILLPIPE_CORPORA` names a directory of them,
//! and crates in cargo's registry have some.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod files;
mod frames;
#[path = "../samples/mod.rs"]
mod samples;

use frames::{Oracle, header, is_allowed, lz4_block, lz4_frame, wrapped, zstd_frames};
use samples::readers;
use spillpipe::archive::{FOREIGN_HEAD_BYTES, Foreign, Verdict};
use spillpipe::codec::{Codec, ZstdLevel};
use spillpipe::format::*;
use spillpipe::segment::{Chunk, SegmentError, read_all, write_all};
use std::collections::BTreeMap;
use std::io::Read as _;

const ZSTD_MAGIC: [u8; 4] = 0xFD2F_B528_u32.to_le_bytes();
const LZ4_MAGIC: [u8; 4] = 0x184D_2204_u32.to_le_bytes();

/// All that a segment holds. Everything that reads archives must say the same of it.
fn read(segment: &[u8]) -> Result<Vec<u8>, SegmentError> {
    let mut out = Vec::new();
    let result = read_all(segment, |_, raw| out.extend_from_slice(raw));
    let reading = readers::read(segment);
    assert_eq!(result.is_ok(), reading.verdict == Verdict::Sound, "{result:?}, {:?}", reading.verdict);
    assert!(out == reading.data, "what comes out before the first damage is the same");
    result.map(|_| out)
}

#[test]
fn files_of_others_are_refused_as_segments_and_behind_a_header() {
    let golden_data = samples::golden::raw_chunks().concat();
    files::each(|bytes| {
        assert!(read(bytes).is_err(), "not ours");
        for family in Family::ALL {
            assert!(read(&[&header(family).encode()[..], bytes].concat()).is_err(), "a header, and then no segment");
            let golden = samples::golden::file(family);
            if !bytes.is_empty() {
                let with = [&golden[..], bytes].concat();
                assert!(read_all(&with, |_, _| ()).is_err(), "a segment, and something behind it");
                let reading = readers::read(&with);
                assert!(reading.verdict >= Verdict::Incomplete && reading.data == golden_data, "an archive, likewise");
            }
        }
    });
}

/// By their first bytes: what libzstd decodes is called so.
#[test]
fn files_of_others_are_told_for_what_they_are() {
    let mut oracle = Oracle::new();
    let mut told = BTreeMap::<String, usize>::new();
    files::each(|bytes| {
        let head = &bytes[..bytes.len().min(FOREIGN_HEAD_BYTES)];
        let foreign = Foreign::of(head);
        let decodes = |frame: &&[u8]| frame.starts_with(&ZSTD_MAGIC) && oracle.decode(frame).is_some();
        if zstd_frames(bytes).first().is_some_and(decodes) {
            assert_eq!(foreign, Some(Foreign::Zstd));
        }
        *told.entry(format!("{foreign:?}")).or_default() += 1;
    });
    println!("{told:?}");
}

/// What begins with a zstd frame: as libzstd decodes all of it, to the first thing that it refuses.
#[test]
fn plain_zstd_files_are_decoded_as_libzstd_does() {
    let [mut decoded, mut refused] = [0; 2];
    files::each(|bytes| {
        if !bytes.starts_with(&ZSTD_MAGIC) {
            assert!(!readers::read_plain(bytes).1 || is_lz4_or_skippable(bytes), "neither zstd nor LZ4");
            return;
        }
        let (expected, result) = streamed(bytes);
        let (data, ok) = readers::read_plain(bytes);
        assert_eq!(ok, result.is_ok(), "{result:?}");
        assert!(data == expected, "{} of {}", data.len(), expected.len());
        *if ok { &mut decoded } else { &mut refused } += 1;
    });
    println!("plain zstd files: {decoded} decoded, {refused} refused");
}

/// What libzstd makes of it in pieces of 128 KiB, up to its first error. With more room, or less, it overlooks some frames
/// that are longer than they say, as its command never does.
fn streamed(bytes: &[u8]) -> (Vec<u8>, std::io::Result<()>) {
    let (mut decoder, mut all) = (zstd::stream::read::Decoder::with_buffer(bytes).unwrap(), Vec::new());
    let mut piece = vec![0; 128 << 10];
    loop {
        match decoder.read(&mut piece) {
            Ok(0) => return (all, Ok(())),
            Ok(len) => all.extend_from_slice(&piece[..len]),
            Err(error) => return (all, Err(error)),
        }
    }
}

fn is_lz4_or_skippable(bytes: &[u8]) -> bool {
    let word = bytes.first_chunk().map_or(0, |word| u32::from_le_bytes(*word));
    word == 0x184D_2204 || word & !0xF == 0x184D_2A50
}

/// The same for LZ4, by the command: no crate decodes whole files of it.
#[test]
#[ignore = "needs the lz4 command"]
fn plain_lz4_files_are_decoded_as_the_command_does() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file.lz4");
    let mut decoded = 0;
    files::each(|bytes| {
        if !bytes.starts_with(&LZ4_MAGIC) {
            return;
        }
        std::fs::write(&path, bytes).unwrap();
        let command = std::process::Command::new("lz4").args(["-dcq"]).arg(&path).output().unwrap();
        let (data, ok) = readers::read_plain(bytes);
        assert_eq!(ok, command.status.success(), "{}", String::from_utf8_lossy(&command.stderr));
        assert!(!ok || data == command.stdout, "{} of {} bytes", data.len(), command.stdout.len());
        decoded += usize::from(ok);
    });
    println!("plain LZ4 files: {decoded} decoded");
}

#[test]
fn files_of_others_come_back_as_the_data_that_they_are() {
    files::each(|bytes| {
        for (family, codec) in [(Family::Zstd, Codec::Zstd(ZstdLevel::FASTEST)), (Family::Lz4, Codec::Lz4)] {
            let chunks: Vec<_> = bytes.chunks(CHUNK_BYTES_MAX as usize).map(|raw| Chunk::new(raw, codec)).collect();
            let segment = write_all(&header(family), true, &chunks, EndState::End);
            assert!(read(&segment).as_deref() == Ok(bytes), "{family:?}");
        }
    });
}

/// What the reference decoder decodes, and the text allows, a chunk decodes to; everything else is refused.
#[test]
fn a_zstd_frame_of_others_in_a_record_is_decoded_as_libzstd_does_or_refused() {
    let mut oracle = Oracle::new();
    let [mut decoded, mut refused, mut not_allowed] = [0; 3];
    files::each(|bytes| {
        for frame in zstd_frames(bytes) {
            let said = zstd::zstd_safe::get_frame_content_size(frame).ok().flatten();
            let said = said.and_then(|len| usize::try_from(len).ok()).unwrap_or(1);
            let Some(raw) = oracle.decode(frame) else {
                // With the length that it says of itself, and with others.
                for len in [said, 1, frame.len()] {
                    for codec in [CodecId::Zstd, CodecId::Raw] {
                        if let Some(segment) = wrapped(Family::Zstd, codec, frame, len, 0) {
                            assert!(read(&segment).is_err(), "{codec:?} of {len} bytes, which libzstd refuses");
                        }
                    }
                }
                refused += 1;
                continue;
            };
            let segment = wrapped(Family::Zstd, CodecId::Zstd, frame, raw.len(), crc32(raw));
            let read_back = segment.map(|segment| read(&segment));
            if is_allowed(frame, raw.len()) {
                assert!(matches!(&read_back, Some(Ok(back)) if back == raw), "libzstd decodes it: {read_back:?}");
                decoded += 1;
            } else {
                assert!(!matches!(read_back, Some(Ok(_))), "the format does not allow it");
                not_allowed += 1;
            }
            for wrong in [raw.len() - 1, raw.len() + 1] {
                if let Some(segment) = wrapped(Family::Zstd, CodecId::Zstd, frame, wrong, crc32(raw)) {
                    assert!(read(&segment).is_err(), "it is {} bytes, not {wrong}", raw.len());
                }
            }
            // Said to be stored raw: right only where it is exactly the form that raw chunks have.
            if let Some(Ok(back)) = wrapped(Family::Zstd, CodecId::Raw, frame, raw.len(), crc32(raw)).map(|s| read(&s))
            {
                assert!(back == raw, "taken for raw");
            }
        }
    });
    println!("zstd frames: {decoded} decoded, {not_allowed} not allowed, {refused} that libzstd refuses");
    assert!(decoded > 0 || !files::are_given(), "what zstd tests itself with has such frames");
}

/// Every file as an LZ4 block, too: the ports' corpora of blocks have no names that tell.
#[test]
fn an_lz4_block_of_others_in_a_record_is_decoded_as_its_description_says_or_refused() {
    let [mut decoded, mut refused] = [0; 2];
    files::each(|bytes| {
        let bytes = &bytes[..bytes.len().min(CHUNK_BYTES_MAX as usize)];
        for block in [Some(bytes), bytes.get(7..), bytes.get(19..)].into_iter().flatten() {
            let expected = lz4_block(block);
            let raw = expected.clone().unwrap_or_else(|| vec![0; block.len()]);
            let frame = lz4_frame(block, &raw);
            let Some(segment) = wrapped(Family::Lz4, CodecId::Lz4, &frame, raw.len(), crc32(&raw)) else { continue };
            match (read(&segment), expected) {
                (Ok(back), Some(expected)) => {
                    assert!(back == expected, "decoded to something else");
                    decoded += 1;
                }
                (Ok(_), None) => panic!("the description does not allow this block"),
                (Err(_), _) => refused += 1,
            }
            for wrong in [raw.len().saturating_sub(1), raw.len() + 1] {
                if let Some(segment) = wrapped(Family::Lz4, CodecId::Lz4, &frame, wrong, crc32(&raw)) {
                    assert!(read(&segment).is_err(), "it is {} bytes, not {wrong}", raw.len());
                }
            }
        }
        for codec in [CodecId::Lz4, CodecId::Raw] {
            for len in [1, bytes.len(), bytes.len() * 4] {
                if let Some(segment) = wrapped(Family::Lz4, codec, bytes, len, 0) {
                    assert!(read(&segment).is_err(), "a frame that is none, or whose data has another checksum");
                }
            }
        }
    });
    println!("LZ4 blocks: {decoded} decoded, {refused} refused");
    assert!(decoded > 0 || !files::are_given(), "what LZ4 tests itself with has such blocks");
}
