//! Damage done by hand to the files of a real spool: it costs what it hits, is told, and kept.

use super::common::noise;
use super::{Spool, fails};
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

/// Bytes a chunk, as pushed here.
const CHUNK: usize = 16 << 10;

/// A spool of several segments, with many chunks each; and what is in it.
fn filled() -> (Spool, Vec<u8>, Vec<PathBuf>) {
    let (spool, data) = (Spool::new(), noise(6, 3 << 20));
    spool.push("--max-disk 8M -s 16K -z none", data.clone());
    let segments = spool.segments();
    assert!(segments.len() >= 4);
    (spool, data, segments)
}

fn flip(file: &PathBuf, at: u64) {
    let file = fs::File::options().read(true).write(true).open(file).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 0x10], at).unwrap();
}

/// Files in quarantine, as `info` shows them, with their contents.
fn kept(spool: &Spool) -> Vec<(String, Vec<u8>)> {
    let info = spool.info();
    let files = info["quarantine"].as_array().unwrap().iter().map(|file| {
        let name = file["name"].as_str().unwrap().to_owned();
        let bytes = fs::read(spool.dir.join("quarantine").join(&name)).unwrap();
        assert_eq!(file["bytes"], bytes.len());
        (name, bytes)
    });
    files.collect()
}

/// That `out` is `data` without whole chunks, `lost` of them.
#[track_caller]
fn assert_without(out: &[u8], data: &[u8], lost: usize) {
    let mut rest = out;
    let mut missing = 0;
    for chunk in data.chunks(CHUNK) {
        match rest.strip_prefix(chunk) {
            Some(behind) => rest = behind,
            None => missing += 1,
        }
    }
    assert_eq!((missing, rest.len()), (lost, 0), "chunks lost, bytes that are none of it");
}

#[test]
fn flipped_bytes_cost_their_chunks_and_are_kept() {
    let (spool, data, segments) = filled();
    let before = fs::read(&segments[1]).unwrap();
    flip(&segments[1], 40_000);
    flip(&segments[1], 150_000);
    flip(&segments[3], 60_000);
    let out = fails(spool.run("pop DIR", ""), 3, "is damaged in 3 places: 49152 bytes of data lost");
    assert_without(&out, &data, 3);
    let kept = kept(&spool);
    assert_eq!(kept.len(), 3);
    let damaged = kept.iter().find(|(name, bytes)| {
        let at: usize = name.rsplit_once('.').unwrap().1.parse().unwrap();
        name.starts_with("0000000000000002") && (at..at + bytes.len()).contains(&40_000)
    });
    let (name, bytes) = damaged.expect("the span that was hit");
    let at: usize = name.rsplit_once('.').unwrap().1.parse().unwrap();
    let same = bytes.iter().zip(&before[at..]).filter(|(a, b)| a == b).count();
    assert_eq!(same, bytes.len() - 1, "all of it, with the flipped one in it");
    assert!(spool.segments().is_empty(), "the rest is drained as ever");
    assert!(spool.pop("").is_empty(), "and it is told once");
}

#[test]
fn a_zeroed_tail_costs_the_chunks_in_it() {
    let (spool, data, segments) = filled();
    let file = fs::File::options().write(true).open(&segments[1]).unwrap();
    let len = file.metadata().unwrap().len();
    file.write_all_at(&vec![0; 40_000], len - 40_000).unwrap();
    let out = fails(spool.run("pop DIR", ""), 3, "is damaged in 1 place: 49152 bytes of data lost");
    assert_without(&out, &data, 3);
    assert!(!kept(&spool).is_empty());
}

#[test]
fn a_truncated_segment_costs_what_was_cut_off() {
    let (spool, data, segments) = filled();
    let file = fs::File::options().write(true).open(&segments[1]).unwrap();
    let len = file.metadata().unwrap().len();
    file.set_len(len - 40_000).unwrap();
    let out = fails(spool.run("pop DIR", ""), 3, "is damaged in 1 place: 49152 bytes of data lost");
    assert_without(&out, &data, 3);
}

#[test]
fn the_last_segment_truncated_is_never_complete() {
    let (spool, data, segments) = filled();
    let file = fs::File::options().write(true).open(segments.last().unwrap()).unwrap();
    file.set_len(file.metadata().unwrap().len() - 40_000).unwrap();
    let output = spool.run("pop DIR", "");
    assert!(data.starts_with(&output.stdout));
    assert!(matches!(output.status.code(), Some(3 | 4)), "{:?}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_segment_that_is_gone_from_the_middle_is_a_gap() {
    let (spool, data, segments) = filled();
    fs::remove_file(&segments[2]).unwrap();
    let output = spool.run("pop DIR", "");
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}");
    let missing = data.len() - output.stdout.len();
    assert!(missing > CHUNK && missing % CHUNK == 0);
    assert!(said.starts_with(&format!("spillpipe: gap: {missing} bytes, {} chunks ", missing / CHUNK)), "{said}");
    assert_without(&output.stdout, &data, missing / CHUNK);
}

#[test]
fn a_damaged_header_costs_nothing() {
    let (spool, data, segments) = filled();
    let file = fs::File::options().write(true).open(&segments[1]).unwrap();
    file.write_all_at(&[0xA5; 128], 0).unwrap();
    let out = fails(spool.run("pop DIR", ""), 3, "is damaged in 1 place: 0 bytes of data lost");
    super::common::assert_same(&out, &data);
}

#[test]
fn a_push_goes_on_behind_damage() {
    let (spool, data, segments) = filled();
    flip(segments.last().unwrap(), 20_000);
    spool.push("-s 16K -z none", data.clone());
    let out = fails(spool.run("pop DIR", ""), 3, "is damaged in 1 place: 16384 bytes of data lost");
    assert_without(&out, &[&data[..], &data[..]].concat(), 1);
}
