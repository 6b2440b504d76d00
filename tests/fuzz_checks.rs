//! The fuzz targets' checks, run over their committed corpora and over random bytes: `cargo test` alone sees a
//! regression of anything that a fuzzer has found.

mod checks;
mod samples;

use proptest::prelude::*;
use spillpipe::codec::{Codec, ZstdLevel};
use spillpipe::format::{EndState, Family};
use spillpipe::segment::{Chunk, write_all};
use std::path::Path;

#[test]
fn the_checks_hold_for_every_corpus_file() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    if !corpus.exists() {
        return; // A package from the registry carries no corpora.
    }
    for (target, check) in checks::ALL {
        let files: Vec<_> =
            std::fs::read_dir(corpus.join(target)).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(files.len() >= 2, "a corpus for {target}");
        for file in files {
            check(&std::fs::read(file).unwrap());
        }
    }
}

#[test]
#[ignore = "writes fuzz/corpus: run it when a format change makes the seeds stale"]
fn write_the_seed_corpora() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    let save = |target: &str, name: &str, bytes: &[u8]| {
        std::fs::create_dir_all(corpus.join(target)).unwrap();
        std::fs::write(corpus.join(target).join(name), bytes).unwrap();
    };
    for (family, codec) in [(Family::Zstd, Codec::Zstd(ZstdLevel::FASTEST)), (Family::Lz4, Codec::Lz4)] {
        let name = family.extension();
        let header = samples::header(family);
        let text = samples::text(1, 900);
        let noise = samples::noise(1, 40);
        let chunks = [Chunk::new(&text, codec), Chunk::new(&noise, Codec::Raw), Chunk::new(b"end", codec)];
        let file = write_all(&header, true, &chunks, EndState::End);
        save("segment_header", name, &header.encode());
        save("record", name, &samples::record(family).encode(&checks::key(family)));
        let table_len = spillpipe::format::SeekTable::encoded_len(9);
        save("seal_and_table", name, &file[file.len() - table_len - 64..]);
        save("segment_read", name, &file);
        save("segment_read", &format!("{name}-empty"), &write_all(&header, false, &[], EndState::Aborted));

        let (mut frame, mut encoder) = ([0; 1000], spillpipe::codec::Encoder::new(true));
        let len = encoder.encode(codec, family, &text, &mut frame).frame_len;
        let id = u8::from(family == Family::Zstd) + 1;
        save("codec_decode", name, &[&[id, u8::from(family == Family::Lz4), 0x84, 3], &frame[..len]].concat());
        let len = encoder.encode(Codec::Raw, family, &noise, &mut frame).frame_len;
        save(
            "codec_decode",
            &format!("{name}-raw"),
            &[&[0, u8::from(family == Family::Lz4), 40, 0], &frame[..len]].concat(),
        );
        save("frame_raw", name, &[&[40, 0], &frame[..len]].concat());
        save("round_trip", name, &[&[u8::from(family == Family::Lz4), 1, 1], &samples::noise(9, 200)[..]].concat());
    }
}

#[test]
fn the_checks_see_bytes_that_get_far() {
    // A check that returns early for everything would never fail: the seeds must be accepted, not just survived.
    for family in Family::ALL {
        let header = samples::header(family);
        let file = write_all(&header, false, &[Chunk::new(b"data", Codec::Raw)], EndState::End);
        assert!(spillpipe::segment::read_all(&file, |_, _| ()).is_ok());
        checks::segment_read(&file);
        checks::record(&samples::record(family).encode(&checks::key(family)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_checks_hold_for_random_bytes(data in prop::collection::vec(any::<u8>(), 0..600)) {
        for (_, check) in checks::ALL {
            check(&data);
        }
    }

    #[test]
    fn a_segment_with_random_bytes_in_it_is_read_or_refused(
        family in prop::sample::select(&Family::ALL[..]),
        at in 0_usize..700,
        patch in prop::collection::vec(any::<u8>(), 0..20),
    ) {
        let text = samples::text(3, 600);
        let chunks = [Chunk::new(&text, Codec::Lz4), Chunk::new(&text[..9], Codec::Raw)];
        let mut file = write_all(&samples::header(family), false, &chunks, EndState::End);
        let at = at % (file.len() - patch.len());
        file[at..at + patch.len()].copy_from_slice(&patch);
        checks::segment_read(&file);
    }
}
