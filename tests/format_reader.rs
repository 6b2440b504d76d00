//! The reader in Python that was written from docs/format.md alone: it must read what we write and refuse what we refuse.
//! Where the two differ, the text, the reader or the code has a defect.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod samples;

use samples::archives::{self, Ending};
use samples::{golden, header, noise, text};
use spillpipe::codec::{Codec, ZstdLevel};
use spillpipe::format::*;
use spillpipe::segment::{Chunk, write_all};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const READER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/reader.py");

/// Any Python 3 will do; the one of the tests of standard tools starts faster than a wrapper of it.
fn python() -> Command {
    Command::new(std::env::var_os("SPILLPIPE_PYTHON").unwrap_or_else(|| "python3".into()))
}

fn reader(args: &[&str], files: &[&Path]) -> Output {
    python().arg(READER).args(args).args(files).output().unwrap()
}

/// What the reader says of a golden archive.
fn verdict(name: &str, family: Family) -> (i32, &'static str) {
    let parts = archives::parts(name, family);
    if parts.iter().any(|part| matches!(part.ending, Ending::Sealed { end: EndState::Aborted, .. })) {
        return (4, "incomplete: no end mark\n");
    }
    match parts.last().unwrap().ending {
        Ending::Sealed { end: EndState::End, .. } => (0, "complete\n"),
        Ending::Unsealed { cut: 1.. } => (4, "is not all there\n"),
        _ => (4, "incomplete: no end mark\n"),
    }
}

#[test]
#[ignore = "needs python3 and the zstd command"]
fn the_reader_reads_the_golden_files() {
    for family in Family::ALL {
        let out = reader(&[], &[&golden::path(family)]);
        assert!(out.status.success() && out.stdout == golden::raw_chunks().concat(), "{out:?}");
        for name in archives::NAMES {
            let out = reader(&[], &[&archives::path(name, family)]);
            let (exit, said) = verdict(name, family);
            assert_eq!(out.status.code(), Some(exit), "{name}: {out:?}");
            assert!(String::from_utf8_lossy(&out.stderr).ends_with(said), "{name}: {out:?}");
            assert!(out.stdout == archives::data(name, family), "{name}, {family:?}");
        }
    }
}

/// Chunks of every size and kind, in files of their own.
fn fresh(family: Family, directory: &Path) -> (PathBuf, Vec<u8>) {
    let header = SegmentHeader { chunk_bytes_max: 300_000, ..header(family) };
    let compressing = if family == Family::Zstd { Codec::Zstd(ZstdLevel::DEFAULT) } else { Codec::Lz4 };
    let raw: Vec<Vec<u8>> =
        vec![text(1, 300_000), noise(2, 140_000), vec![0; 200_000], noise(3, 1), text(4, 131_072), text(5, 17)];
    let chunks: Vec<Chunk<'_>> = raw.iter().map(|raw| Chunk::new(raw, compressing)).collect();
    let path = directory.join(format!("fresh.{}", family.extension()));
    std::fs::write(&path, write_all(&header, true, &chunks, EndState::End)).unwrap();
    (path, raw.concat())
}

#[test]
#[ignore = "needs python3 and the zstd command"]
fn the_reader_reads_what_is_written_now_and_files_in_a_row() {
    let directory = tempfile::tempdir().unwrap();
    for family in Family::ALL {
        let (path, raw) = fresh(family, directory.path());
        let out = reader(&[], &[&path]);
        assert!(out.status.success() && out.stdout == raw, "{}", String::from_utf8_lossy(&out.stderr));

        let out = reader(&[], &[&archives::path("streams", family), &path]);
        assert!(out.status.success() && out.stdout == [archives::data("streams", family), raw].concat());
        let out = reader(&[], &[&archives::path("aborted", family), &path]);
        assert_eq!(out.status.code(), Some(4), "a stream in front of another has no end mark");
        let twice = [&path, &path].map(PathBuf::as_path);
        assert_eq!(reader(&[], &twice).status.code(), Some(3), "a segment's number comes once");
    }
}

#[test]
#[ignore = "needs python3 and the zstd command"]
fn the_reader_finds_ranges_by_the_seek_table() {
    let directory = tempfile::tempdir().unwrap();
    for family in Family::ALL {
        let (path, raw) = fresh(family, directory.path());
        for (from, to) in [(0, 1), (299_990, 300_010), (439_999, 640_001), (500_000, 500_000), (771_080, 771_090)] {
            let out = reader(&["--range", &format!("{from}..{to}")], &[&archives::path("gaps", family), &path]);
            assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
            assert!(out.stdout == raw[from..to], "{from}..{to}, {family:?}");
        }
    }
}

/// In one process, for speed: each frame is decompressed once.
const FLIPS: &str = "
import functools, sys
sys.path.insert(0, sys.argv[1])
sys.dont_write_bytecode = True
import reader
reader.zstd_frame = functools.cache(reader.zstd_frame)
reader.lz4_block = functools.cache(reader.lz4_block)
whole = open(sys.argv[2], 'rb').read()

def read(file):
    stream, at, out = {}, 0, []
    while at < len(file):
        at = reader.walk(file, at, stream, out.append)
    return b''.join(out), stream['complete']

data, complete = read(whole)
assert complete
for bit in range(len(whole) * 8):
    flipped = bytearray(whole)
    flipped[bit // 8] ^= 1 << bit % 8
    try:
        read(bytes(flipped))
    except Exception:
        continue
    sys.exit(f'bit {bit} is not seen')
for length in range(len(whole)):
    try:
        cut, complete = read(whole[:length]) if length else (b'', False)
    except reader.Damaged:
        continue
    if complete or not data.startswith(cut):
        sys.exit(f'cut to {length}')
print(len(whole) * 8)
";

#[test]
#[ignore = "needs python3 and the zstd command"]
fn the_reader_sees_every_flipped_bit_and_every_cut() {
    for family in Family::ALL {
        let tests = Path::new(READER).parent().unwrap();
        let out = python().args(["-c", FLIPS]).arg(tests).arg(golden::path(family)).output().unwrap();
        let bits = golden::file(family).len() * 8;
        assert_eq!(String::from_utf8_lossy(&out.stdout).trim(), bits.to_string(), "{out:?}");
    }
}
