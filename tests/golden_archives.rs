//! Archives written by this version of the format, committed: they must be read for ever.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod samples;

use samples::archives::{self, Ending, Part};
use samples::{decode_with_standard_decoders, readers};
use sha2::{Digest as _, Sha256};
use spillpipe::archive::Verdict;
use spillpipe::codec::{Decoder, Encoder};
use spillpipe::format::frame::frame_bytes_max;
use spillpipe::format::*;
use spillpipe::segment::{Next, SegmentWalker, open_chunk, read_all};

/// SHA-256 of every file, the zstd family first. A CRC-32 would not do: records end with their own, so that the files of
/// an aborted and an open stream, which differ in a seal, have the same.
const FROZEN: [(&str, [&str; 2]); archives::NAMES.len()] = [
    (
        "empty",
        [
            "754d2d88e615bec32dc95d3ce59a108ee49791301ae3f2cc30b355ce15a3a083",
            "431db30254e48d0905bca04f5c65ea07f03a96ac961fe2d539698078285997f9",
        ],
    ),
    (
        "codecs",
        [
            "5210e0b8283d2fa40fea7b7b337c1423c60334c897233f555a43164be25baebe",
            "bc2a8031b0a79353f21938f2e42a77340cee72ef9f400d5f776517c06a220267",
        ],
    ),
    (
        "bare",
        [
            "c2aca441b8e765036315e57e8157ffd70a7060313cf8370ef0852891c5097a89",
            "982a3c8e6e44bb054512d344541175a0f1d7d6b05341d3869442508100d96ca6",
        ],
    ),
    (
        "gaps",
        [
            "29e32a05201e81c96ee9f60a197a0979ce5e18b2dedb4b149039e022f443f68f",
            "be9e10f4cbf580e7d322ca6b5ae1dcd950a80cb200d58512f2df1e0c1bf3ac97",
        ],
    ),
    (
        "aborted",
        [
            "fb2d6366f5f71f77964a82d182be3e52077bf6bde4ca352475656e5d486ba068",
            "5d2cef2941ebee05bd07e2bd6a541370c1d7932f25d04119c91d204229339462",
        ],
    ),
    (
        "open",
        [
            "38d98a9e01fe625a4ed419f2d31100fefcc88926e17b5c3d678bde71c630330a",
            "6cb2e68dfcf7e0ba0d99456a5f53f6076a9ea1778da7f966cb28b0f59b2f00ab",
        ],
    ),
    (
        "unsealed",
        [
            "d69d513761673985174a39a4b3828af2cc87b27e50e0e9274a76c5e30db265c1",
            "8ca909b6a7768df4060c0e0643be20baa388837f3b215b31026a19ff88be57bd",
        ],
    ),
    (
        "torn",
        [
            "3b8f5f0cda409da54888d03abbbbd75abc68ca4f81e45e831925c08df8f884ca",
            "2cf7e7965fb7caf5f14b34267f2dd38cacdd5ed2ecc9b7ced7f9b014f68e6984",
        ],
    ),
    (
        "segments",
        [
            "239dba953d5aed11b93db55d5446bec26d1c9f3fe457403b5a0fa53096c1a39d",
            "d484fd2c5f8c7ebf16cd7380ec552ce0a43d06be747ef760316fa86282adc83e",
        ],
    ),
    (
        "pushes",
        [
            "80ee9c405a5a664655020027afbbbb777f70577d21637efcbb69edd41c1db172",
            "5ea8dc7c709e4d99bf465008e8ce32d02739d15b8dfc4a3decbc5dc0532a3c57",
        ],
    ),
    (
        "streams",
        [
            "d38910c0df8db47c1021f00a7255afa83c55ae98d4800de93dbef9cb66bb7edf",
            "937eead1de1d393248523927063faebdba9a505d421c2bf2008ff3c29f347f3c",
        ],
    ),
    (
        "newer",
        [
            "3a413c76b0fca3d7018b893536a7371c594a90f017a08674595f8bf54abedeed",
            "fbc5118e4d0b3a656cfe8683acdb21604a503de602fbe7906de9efce63011aee",
        ],
    ),
];

fn each(mut f: impl FnMut(&str, Family, Vec<u8>)) {
    for name in archives::NAMES {
        for family in Family::ALL {
            f(name, family, std::fs::read(archives::path(name, family)).unwrap());
        }
    }
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

/// One segment of a file, read without the help of its writer.
struct Seen {
    header: SegmentHeader,
    chunks: Vec<(Record, Vec<u8>, Vec<u8>)>,
    skipped: usize,
    seal: Option<Seal>,
    /// The bytes of it.
    len: usize,
}

/// Walks a segment until its seal, or until what comes next is no structure of it.
fn see(file: &[u8]) -> Seen {
    let header = SegmentHeader::decode(file.first_chunk().unwrap()).unwrap();
    let mut seen = Seen { header, chunks: Vec::new(), skipped: 0, seal: None, len: HEADER_BYTES };
    let mut walker = SegmentWalker::new(&header);
    let mut decoder = Decoder::default();
    while let Some(bytes) = file.get(seen.len..).and_then(|rest| rest.first_chunk()) {
        let Ok(next) = walker.step(bytes) else { break };
        let Some(body) = file.get(seen.len..usize::try_from(walker.at()).unwrap()) else { break };
        seen.len += body.len();
        match next {
            Next::Chunk(record) => {
                let frame = body[RECORD_BYTES..].to_vec();
                let mut raw = vec![0; record.raw_len as usize];
                open_chunk(&record, header.family, &frame, &mut raw, &mut decoder).unwrap();
                seen.chunks.push((record, frame, raw));
            }
            Next::Skip { .. } => seen.skipped += 1,
            Next::Seal(seal) => {
                seen.seal = Some(seal);
                break;
            }
        }
    }
    seen
}

fn see_all(parts: &[Part], mut file: &[u8]) -> Vec<Seen> {
    let mut segments = Vec::new();
    for part in parts {
        let seen = see(file);
        file = &file[seen.len..];
        if matches!(part.ending, Ending::Unsealed { cut: 1.. }) {
            assert!(file.len() > RECORD_BYTES, "a record, and a part of its frame");
            file = &[];
        }
        segments.push(seen);
    }
    assert!(file.is_empty(), "nothing behind the last segment");
    segments
}

#[test]
#[ignore = "writes those of tests/golden that are not there"]
fn write_the_golden_archives() {
    for name in archives::NAMES {
        for family in Family::ALL {
            let file: Vec<u8> = archives::parts(name, family).iter().flat_map(Part::write_now).collect();
            let path = archives::path(name, family);
            if !path.exists() {
                std::fs::write(path, file).unwrap();
            }
        }
    }
    each(|name, family, file| println!("{name} {family:?} {}", sha256(&file)));
}

#[test]
fn golden_archives_never_change() {
    assert_eq!(FROZEN.map(|(name, _)| name), archives::NAMES);
    let mut frozen = FROZEN.into_iter().flat_map(|(_, sums)| sums);
    each(|name, family, file| {
        assert_eq!(Some(sha256(&file).as_str()), frozen.next(), "{name}, {family:?}");
        assert!(file.len() < 8 << 10, "small enough to be kept");
    });
}

#[test]
fn golden_archives_are_read() {
    each(|name, family, file| {
        let parts = archives::parts(name, family);
        let mut data = Vec::new();
        for (seen, part) in see_all(&parts, &file).iter().zip(&parts) {
            assert_eq!(seen.header, part.header, "{name}");
            assert_eq!(seen.skipped, part.pieces.iter().filter(|piece| piece.others.is_some()).count(), "{name}");
            let torn = usize::from(matches!(part.ending, Ending::Unsealed { cut: 1.. }));
            assert_eq!(seen.chunks.len(), part.pieces.len() - torn, "{name}");
            let mut offset = part.header.first_offset.0;
            for ((record, _, raw), piece) in seen.chunks.iter().zip(&part.pieces) {
                offset += piece.dropped;
                assert_eq!((record.offset.0, record.record_end), (offset, piece.record_end), "{name}");
                assert!(raw == &piece.raw, "{name}");
                offset += raw.len() as u64;
                data.extend_from_slice(raw);
            }
            match (part.ending, seen.seal) {
                (Ending::Sealed { end, dropped }, Some(seal)) => {
                    assert_eq!((seal.end, seal.end_offset.0), (end, offset + dropped), "{name}");
                }
                (Ending::Unsealed { .. }, None) => {}
                (ending, seal) => panic!("{name}: {ending:?}, {seal:?}"),
            }
        }
        assert!(data == archives::data(name, family), "{name}");
    });
}

/// By everything there is, which must agree.
#[test]
fn golden_archives_are_read_by_every_reader() {
    each(|name, family, file| {
        let reading = readers::read(&file);
        let parts = archives::parts(name, family);
        let is = |end| move |part: &archives::Part| matches!(part.ending, Ending::Sealed { end: is, .. } if is == end);
        let complete = parts.last().is_some_and(is(EndState::End)) && !parts.iter().any(is(EndState::Aborted));
        let verdict = if complete { Verdict::Sound } else { Verdict::Incomplete };
        assert_eq!(reading.verdict, verdict, "{name}");
        assert!(reading.data == archives::data(name, family), "{name}");
    });
}

#[test]
fn golden_archives_hold_every_codec_in_every_way() {
    for family in Family::ALL {
        let file = std::fs::read(archives::path("codecs", family)).unwrap();
        let seen = see(&file);
        let (compressed, raw): (Vec<_>, Vec<_>) =
            seen.chunks.iter().partition(|(record, ..)| record.codec != CodecId::Raw);
        assert!(compressed.len() >= 2 && raw.len() >= 3, "{family:?}");
        assert!(seen.chunks.iter().any(|(record, ..)| record.raw_len == 1));
        assert!(seen.chunks.iter().any(|(record, ..)| record.raw_len == seen.header.chunk_bytes_max));
    }
}

/// What one sealed segment is must be read whole by the reference, seek table and all.
#[test]
fn golden_archives_of_sealed_segments_pass_every_check() {
    each(|name, family, file| {
        let parts = archives::parts(name, family);
        let mut at = 0;
        for (part, seen) in parts.iter().zip(see_all(&parts, &file)) {
            if seen.seal.is_some() {
                let segment = &file[at..at + seen.len];
                let (header, seal) = read_all(segment, |_, _| ()).unwrap_or_else(|e| panic!("{name}: {e}"));
                assert_eq!((header, Some(seal)), (part.header, seen.seal), "{name}");
            }
            at += seen.len;
        }
    });
}

#[test]
fn golden_archives_are_decoded_by_standard_decoders() {
    each(|name, family, file| {
        if name != "torn" {
            assert!(decode_with_standard_decoders(family, &file) == archives::data(name, family), "{name}");
        }
    });
}

/// All but what another version of libzstd or `lz4_flex` may compress otherwise is what this program writes today.
#[test]
fn golden_archives_are_written_again_bit_for_bit() {
    each(|name, family, file| {
        let parts = archives::parts(name, family);
        let mut again = Vec::new();
        for (part, seen) in parts.iter().zip(see_all(&parts, &file)) {
            let mut encoder = Encoder::new(part.checksum);
            let mut frame = vec![0; frame_bytes_max(family, part.header.chunk_bytes_max) as usize];
            again.extend(part.write(|i| {
                let piece = &part.pieces[i];
                let now = encoder.encode(piece.codec, family, &piece.raw, &mut frame);
                let Some((record, stored, _)) = seen.chunks.get(i) else {
                    // The torn one: its frame was longer than what is there.
                    return (now.codec, frame[..now.frame_len].to_vec());
                };
                if now.codec == CodecId::Raw {
                    assert!(&frame[..now.frame_len] == stored, "{name}");
                }
                (record.codec, stored.clone())
            }));
        }
        assert!(again == file, "{name}, {family:?}");
    });
}
