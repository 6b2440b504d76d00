//! Files written by this version of the format, committed: they must be read for ever.

mod samples;

use samples::{decode_with_standard_decoders, golden};
use spillpipe::codec::Encoder;
use spillpipe::format::frame::frame_bytes_max;
use spillpipe::format::*;
use spillpipe::segment::{ChunkInfo, Next, SegmentEncoder, SegmentWalker, read_all};

#[test]
#[ignore = "writes tests/golden: only for a new version of the format"]
fn write_the_golden_files() {
    for family in Family::ALL {
        std::fs::write(golden::path(family), golden::written(family)).unwrap();
    }
}

#[test]
fn golden_files_are_read() {
    for family in Family::ALL {
        let mut chunks = Vec::new();
        let (header, seal) =
            read_all(&golden::file(family), |record, raw| chunks.push((*record, raw.to_vec()))).unwrap();
        assert_eq!(header, golden::header(family));
        assert_eq!((seal.chunks, seal.next_seq, seal.end), (3, ChunkSeq(8), EndState::End));
        let compressed = CodecId::ALL[if family == Family::Zstd { 1 } else { 2 }];
        let codecs: Vec<_> = chunks.iter().map(|(record, _)| record.codec).collect();
        assert_eq!(codecs, [compressed, CodecId::Raw, CodecId::Raw]);
        assert!(chunks.iter().map(|(record, _)| record.record_end).eq([false, true, false]));
        assert!(chunks.iter().map(|(_, raw)| raw).eq(&golden::raw_chunks()));
    }
}

#[test]
fn golden_files_are_decoded_by_standard_decoders() {
    for family in Family::ALL {
        let decoded = decode_with_standard_decoders(family, &golden::file(family));
        assert_eq!(decoded, golden::raw_chunks().concat());
    }
}

#[test]
fn golden_files_are_written_again_bit_for_bit() {
    for family in Family::ALL {
        let file = golden::file(family);
        let header = golden::header(family);
        let mut walker = SegmentWalker::new(&header);
        let mut segment = SegmentEncoder::new(header);
        let mut again = segment.header_bytes().to_vec();
        for (i, raw) in golden::raw_chunks().iter().enumerate() {
            let at = usize::try_from(walker.at()).unwrap();
            let Ok(Next::Chunk(record)) = walker.step(file[at..].first_chunk().unwrap()) else { panic!("a chunk") };
            let stored = &file[at + RECORD_BYTES..usize::try_from(walker.at()).unwrap()];
            let mut frame = vec![0; frame_bytes_max(family, header.chunk_bytes_max) as usize];
            let encoded = Encoder::new(true).encode(golden::codec(family), family, raw, &mut frame);
            assert_eq!(encoded.codec, record.codec);
            if record.codec != CodecId::Zstd {
                // What another version of libzstd compresses may differ; raw and LZ4 frames may not.
                assert_eq!(&frame[..encoded.frame_len], stored);
            }
            again.extend(segment.record(&ChunkInfo {
                raw_len: u32::try_from(raw.len()).unwrap(),
                frame_len: u32::try_from(stored.len()).unwrap(),
                raw_crc: crc32(raw),
                frame_crc: crc32(stored),
                codec: record.codec,
                record_end: i == 1,
                offset: None,
            }));
            again.extend(stored);
        }
        again.extend(segment.seal(EndState::End));
        assert_eq!(again, file);
    }
}

#[test]
#[ignore = "needs the zstd and lz4 commands"]
fn golden_files_are_decoded_by_the_standard_commands() {
    for (family, command) in [(Family::Zstd, "zstd"), (Family::Lz4, "lz4")] {
        let run = |flag| std::process::Command::new(command).arg(flag).arg(golden::path(family)).output().unwrap();
        assert!(run("-t").status.success());
        assert_eq!(run("-dc").stdout, golden::raw_chunks().concat());
    }
}
