//! `cat`: what comes out of archives, whole or in part, what is told beside it, and the exit status.

use super::samples::{header, noise, text};
use super::{Home, fails, silent};
use serde_json::Value;
use spillpipe::codec::Codec;
use spillpipe::format::*;
use spillpipe::segment::{Chunk, write_all};
use std::fs;
use std::process::Output;

/// A home with the archive `a.zst` of 5 chunks of 4 KiB, the last one shorter, and its data.
pub(super) fn home() -> (Home, Vec<u8>) {
    let (home, data) = (Home::new(), [text(1, 12_000), noise(1, 8_000)].concat());
    silent(home.run("pack -s 4K -o a.zst", data.clone()));
    (home, data)
}

/// A file of these bytes, changed.
fn write(home: &Home, name: &str, mut bytes: Vec<u8>, change: impl FnOnce(&mut Vec<u8>)) {
    change(&mut bytes);
    fs::write(home.file(name), bytes).unwrap();
}

fn figures(home: &Home) -> Value {
    serde_json::from_slice(&home.read("stats")).unwrap()
}

/// Asserts that it succeeded and said these lines, and returns what it wrote.
#[track_caller]
fn says(output: Output, lines: &[&str]) -> Vec<u8> {
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!((said.lines().collect::<Vec<_>>(), output.status.code()), (lines.to_vec(), Some(0)));
    output.stdout
}

/// Two chunks of 10 bytes, 20 bytes that were dropped between them, from stream offset 100 on.
fn gappy() -> Vec<u8> {
    let header = SegmentHeader { first_offset: StreamOffset(100), first_seq: ChunkSeq(7), ..header(Family::Lz4) };
    let chunk = |raw, offset| Chunk { offset: Some(StreamOffset(offset)), ..Chunk::new(raw, Codec::Lz4) };
    write_all(&header, true, &[chunk(b"0123456789", 100), chunk(b"abcdefghij", 130)], EndState::End)
}

#[test]
fn all_of_it_comes_out_by_any_number_of_threads() {
    let (home, data) = home();
    for args in ["", "-t 0 ", "-t 1 ", "-t 5 ", "--plain "] {
        assert!(silent(home.run(&format!("cat {args}a.zst"), "")) == data, "{args}");
        assert!(silent(home.run(&format!("cat {args}-"), home.read("a.zst"))) == data, "{args}standard input");
    }
    assert!(silent(home.run("cat", home.read("a.zst"))) == data);
    fails(home.run("cat -t 65 a.zst", ""), 2, "it is not a number from 0 to 64");
}

#[test]
fn several_come_out_one_after_the_other() {
    let (home, data) = home();
    silent(home.run("pack -z lz4 -o b.lz4", "the other"));
    let expected = [&data[..], b"the other", &data].concat();
    assert!(silent(home.run("cat a.zst b.lz4 a.zst", "")) == expected);
    assert!(silent(home.run("cat a.zst - a.zst", home.read("b.lz4"))) == expected);
    assert_eq!(silent(home.run("cat --range 4..6 a.zst b.lz4", "")), [&data[4..6], b"ot"].concat(), "of each");
}

#[test]
fn a_range_is_those_bytes() {
    let (home, data) = home();
    for (range, expected) in [
        ("0..1", 0..1),
        ("4K..8K", 4096..8192),
        ("4095..0.004M", 4095..4194),
        ("19999..", 19_999..20_000),
        ("..3", 0..3),
        ("..", 0..20_000),
        ("5..5", 0..0),
        ("1G..", 0..0),
        ("15000..", 15_000..20_000),
    ] {
        assert!(silent(home.run(&format!("cat --range {range} a.zst"), "")) == data[expected.clone()], "{range}");
        assert!(silent(home.run(&format!("cat --range {range}"), home.read("a.zst"))) == data[expected], "{range}, -");
    }
    for (chunks, expected) in [("0..1", 0..4096), ("1..3", 4096..12_288), ("4..", 16_384..20_000), ("9..", 0..0)] {
        assert!(silent(home.run(&format!("cat --chunks {chunks} a.zst"), "")) == data[expected], "{chunks}");
    }
    for (args, words) in [
        ("--range 1", "a range is A..B, A.. or ..B"),
        ("--range 2..1", "it ends before it begins"),
        ("--chunks 1K..2K", "'1K' is not the number of a chunk"),
        ("--chunks 1.. --range 1..", "cannot be used with"),
        ("--plain --range 1..", "cannot be used with"),
    ] {
        fails(home.run(&format!("cat {args} a.zst"), ""), 2, words);
    }
}

#[test]
fn one_byte_costs_the_decoding_of_one_chunk() {
    let (home, data) = home();
    for at in [0, 4095, 4096, 10_000, 19_999] {
        let args = format!("cat --stats stats --range {at}..{} a.zst", at + 1);
        assert_eq!(silent(home.run(&args, "")), data[at..=at]);
        let all = figures(&home);
        assert_eq!((&all["chunks_decoded"], &all["chunks"], &all["bytes"]), (&1.into(), &1.into(), &1.into()), "{at}");
    }
}

#[test]
fn figures_digest_and_summary_tell_what_came_out() {
    let home = Home::new();
    silent(home.run("pack -o a", "123456789"));
    let output = home.run("cat -v --digest crc32 --stats stats a", "");
    let said = String::from_utf8(output.stderr).unwrap();
    let (digest, summary) = said.split_once('\n').unwrap();
    assert_eq!(digest, "crc32 cbf43926");
    assert!(summary.starts_with("spillpipe: 9 B in ") && summary.ends_with("; 1 chunk decoded\n"), "{said}");
    let all = figures(&home);
    for (name, value) in [
        ("command", Value::from("cat")),
        ("end", "complete".into()),
        ("bytes", 9.into()),
        ("missed_bytes", 0.into()),
        ("exit_status", 0.into()),
    ] {
        assert_eq!(all[name], value, "{name}");
    }
    assert_eq!(all["digest"]["hex"], "cbf43926");
}

#[test]
fn a_gap_is_told_and_nothing_comes_out_for_it() {
    let home = Home::new();
    fs::write(home.file("g"), gappy()).unwrap();
    let gap = |bytes| format!("spillpipe: g: gap: {bytes} were dropped before they were written");
    assert_eq!(says(home.run("cat --stats stats g", ""), &[&gap("20 bytes")]), b"0123456789abcdefghij");
    assert_eq!(figures(&home)["missed_bytes"], 20);
    assert_eq!(says(home.run("cat --range 108..115 g", ""), &[&gap("5 bytes")]), b"89");
    assert_eq!(silent(home.run("cat -q g", "")), b"0123456789abcdefghij");
    assert_eq!(silent(home.run("cat --range 130..132 g", "")), b"ab");
    assert_eq!(silent(home.run("cat --chunks 8..9 g", "")), b"abcdefghij");
    let before = "spillpipe: g: 10 bytes of the range lie in front of its data";
    assert_eq!(says(home.run("cat --range 90..102 g", ""), &[before]), b"01");
    assert_eq!(silent(home.run("cat --range ..102 g", "")), b"01", "from wherever it begins");
}

#[test]
fn it_stops_at_the_first_damage_and_says_where() {
    let (home, data) = home();
    write(&home, "b.zst", home.read("a.zst"), |bytes| {
        let len = bytes.len();
        bytes[len - 3000] ^= 1;
    });
    for threads in ["0", "1", "4"] {
        let output = home.run(&format!("cat -t {threads} b.zst a.zst"), "");
        let said = String::from_utf8(output.stderr.clone()).unwrap();
        let out = fails(output, 3, "; 'spillpipe salvage' gets back what is undamaged");
        assert!(said.starts_with("spillpipe: b.zst is damaged at byte ") && said.contains("chunk 4"), "{said}");
        assert!(out == data[..16_384], "{}", out.len());
    }
    fails(home.run("cat -o out b.zst", ""), 3, "; nothing is left of out");
    assert_eq!(home.names(), ["a.zst", "b.zst"]);
    assert!(silent(home.run("cat --range ..16K b.zst", "")) == data[..16_384], "what is not asked for is no matter");
    let _ = home.run("cat --stats stats b.zst", "");
    assert_eq!((&figures(&home)["bytes"], &figures(&home)["exit_status"]), (&16_384.into(), &3.into()));
}

#[test]
fn without_an_end_mark_all_that_is_there_comes_out_and_then_it_is_told() {
    let (home, data) = home();
    write(&home, "short", home.read("a.zst"), |bytes| bytes.truncate(bytes.len() - 2000));
    silent(home.run("pack --incomplete -o gave-up", "as far as it went"));
    let out = fails(home.run("cat short", ""), 4, "short is incomplete: it has no end mark, at stream offset 16384");
    assert!(out == data[..16_384]);
    let out = fails(
        home.run("cat --stats stats gave-up a.zst", ""),
        4,
        "gave-up is incomplete: it was marked so when it was written",
    );
    assert!(out == [b"as far as it went", &data[..]].concat(), "what stands behind it, too");
    assert_eq!((&figures(&home)["end"], &figures(&home)["exit_status"]), (&"incomplete".into(), &4.into()));
    fails(home.run("cat -o out gave-up", ""), 4, "; nothing is left of out; without --output, what there");
    assert!(!home.file("out").exists());
}

#[test]
fn what_is_no_archive_is_named() {
    let (home, data) = home();
    write(&home, "p.zst", zstd::encode_all(&data[..], 1).unwrap(), |_| ());
    write(&home, "s.zst", b"\x50\x2A\x4D\x18\x04\0\0\0skip".to_vec(), |bytes| bytes.extend(home.read("p.zst")));
    let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
    std::io::Write::write_all(&mut encoder, &data).unwrap();
    write(&home, "p.lz4", encoder.finish().unwrap(), |_| ());
    write(&home, "x.gz", b"\x1F\x8B\x08\0\0\0".to_vec(), |_| ());
    write(&home, "text", b"some text, and nothing else".to_vec(), |_| ());
    write(&home, "empty", vec![], |_| ());
    fs::create_dir(home.file("d")).unwrap();
    // A later major version, and a feature that this one does not know, with the checksum right.
    for (name, at, value) in [("new", 0x20, 2), ("bit", 0x24, 4)] {
        write(&home, name, home.read("a.zst"), |bytes| {
            bytes[at] = value;
            let crc = crc32(&bytes[..0x7C]).to_le_bytes();
            bytes[0x7C..0x80].copy_from_slice(&crc);
        });
    }
    for (path, told) in [
        ("p.zst", "p.zst is no archive: it is plain zstd data, which 'zstd -dc' reads, and 'spillpipe cat --plain'"),
        ("p.lz4", "p.lz4 is no archive: it is plain LZ4 data, which 'lz4 -dc' reads, and 'spillpipe cat --plain'"),
        ("s.zst", "or 'lz4 -dc' reads, and 'spillpipe cat --plain'"),
        ("x.gz", "x.gz is no archive: it is gzip data, which 'gzip -dc' reads"),
        ("text", "text is no archive: it is text, which is not compressed at all"),
        ("empty", "empty is no archive: it is an empty file"),
        ("d", "d holds no spool and no segments"),
        ("none", "cannot open none: No such file or directory"),
        ("new", "cannot read new: format version 2.0 is newer than this program reads (1.x)"),
        ("bit", "cannot read bit: the file needs unknown feature bits 0x00000004"),
    ] {
        assert_eq!(fails(home.run(&format!("cat {path}"), ""), 1, told), b"", "{path}");
    }
    for path in ["p.zst", "p.lz4", "s.zst"] {
        assert!(silent(home.run(&format!("cat --plain {path}"), "")) == data, "{path}");
        assert!(silent(home.run("cat --plain", home.read(path))) == data, "{path}");
    }
    fails(home.run("cat --plain x.gz", ""), 1, "x.gz is no archive");
    write(&home, "cut", home.read("p.zst"), |bytes| bytes.truncate(3000));
    fails(home.run("cat --plain cut", ""), 3, "cannot decode cut: ");
}

#[test]
fn no_more_comes_out_than_may() {
    let (home, data) = home();
    assert!(silent(home.run("cat --max-output 20000 a.zst", "")) == data, "exactly that");
    let told = "more than 19999 would come out of a.zst (--max-output)";
    assert!(fails(home.run("cat --max-output 19999 a.zst", ""), 1, told) == data[..19_999]);
    silent(home.run("cat --max-output 40000 a.zst a.zst", ""));
    fails(home.run("cat --max-output 39999 a.zst a.zst", ""), 1, "more than 39999 would");
    fails(home.run("cat --max-output 19999 -o out a.zst", ""), 1, "nothing is left of out");
    assert_eq!(silent(home.run("cat --max-output 2 --range 5..7 a.zst", "")), data[5..7]);
}

#[test]
fn a_bomb_stays_within_what_may_come_out_and_takes_little_memory() {
    let home = Home::new();
    let zeros = vec![0; 64 << 20];
    silent(home.run("pack -s 4M -o bomb", zeros.clone()));
    fs::write(home.file("bomb.zst"), zstd::encode_all(&zeros[..], 3).unwrap()).unwrap();
    for path in ["bomb", "bomb.zst"] {
        let before = fs::metadata(home.file(path)).unwrap().len();
        assert!(before < 64 << 10, "{path}: {before} bytes are no bomb");
        let args = format!("cat --plain --max-output 1M --stats stats -t 1 {path}");
        assert_eq!(fails(home.run(&args, ""), 1, "more than 1M would come out of ").len(), 1 << 20);
        let peak = figures(&home)["rss_peak_bytes"].as_u64().unwrap();
        assert!(peak < 40 << 20, "{path}: {peak}");
    }
}
