//! The fuzz targets' checks, run over their committed corpora and over random bytes: `cargo test` alone sees a
//! regression of anything that a fuzzer has found.

mod checks;
mod samples;
mod seeds;

use proptest::prelude::*;
use spillpipe::archive::{Reader, Source};
use spillpipe::codec::Codec;
use spillpipe::format::{EndState, Family};
use spillpipe::segment::{Chunk, write_all};
use spillpipe::spool::{Next, Spool};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus")
}

#[test]
fn the_checks_hold_for_every_corpus_file() {
    if !corpus().exists() {
        return; // A package from the registry carries no corpora.
    }
    for (target, check) in checks::ALL {
        let files: Vec<_> =
            std::fs::read_dir(corpus().join(target)).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(files.len() >= 2, "a corpus for {target}");
        for file in files {
            eprintln!("{}", file.display());
            check(&std::fs::read(file).unwrap());
        }
    }
}

#[test]
fn the_checks_hold_for_every_seed_as_it_is_written_today() {
    for (target, name, bytes) in seeds::all() {
        let check = checks::ALL.iter().find(|(name, _)| *name == target).expect("a target").1;
        eprintln!("{target}/{name}");
        assert!(bytes.len() < 4096, "{name}: a fuzzer takes no more");
        check(&bytes);
    }
}

#[test]
#[ignore = "writes fuzz/corpus: run it when a format change makes the seeds stale"]
fn write_the_seed_corpora() {
    for (target, name, bytes) in seeds::all() {
        std::fs::create_dir_all(corpus().join(target)).unwrap();
        std::fs::write(corpus().join(target).join(name), bytes).unwrap();
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
        checks::record(&samples::record(family).encode(&checks::format::key(family)));
    }
    let seeds: Vec<_> = seeds::all().into_iter().filter(|(target, ..)| *target == "spool_recovery").collect();
    assert_eq!(seeds.iter().map(|(.., bytes)| read_spool(bytes)).collect::<Vec<_>>(), [1600, 300]);
    for (_, name, bytes) in seeds::all().into_iter().filter(|(target, ..)| *target == "archive_read") {
        let mut data = Vec::new();
        let read = Reader::new(Source::bytes(&*name, bytes)).expect("an archive").read_to_end(&mut data);
        assert!(read.is_ok() && data.len() > 1000, "{name}: {} bytes, {read:?}", data.len());
    }
}

/// How many bytes a new reader has of the spool of which this is the image.
fn read_spool(image: &[u8]) -> usize {
    let disk = checks::spool::recovery::disk_of(image);
    let spool = Spool::open_in(Arc::new(disk), Path::new("dir")).expect("it opens");
    let mut reader = spool.reader("new", checks::spool::at_once()).expect("a reader");
    let mut bytes = 0;
    loop {
        match reader.next().expect("it can be read") {
            Next::Data(data) => bytes += data.bytes.len(),
            Next::Empty { .. } => return bytes,
            Next::End(_) => {}
            told => panic!("{told:?}"),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_checks_hold_for_random_bytes(data in prop::collection::vec(any::<u8>(), 0..600)) {
        for (_, check) in checks::ALL {
            check(&data);
        }
    }

    #[test]
    fn a_seed_with_random_bytes_in_it_is_read_or_refused(
        which in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        patch in prop::collection::vec(any::<u8>(), 0..20),
    ) {
        let seeds = seeds::all();
        let (target, _, mut bytes) = seeds[which.index(seeds.len())].clone();
        let at = at.index(bytes.len());
        let end = (at + patch.len()).min(bytes.len());
        bytes[at..end].copy_from_slice(&patch[..end - at]);
        checks::ALL.iter().find(|(name, _)| *name == target).expect("a target").1(&bytes);
    }
}
