//! zstd and LZ4 data that no archive is made of.

use super::samples;
use lz4_flex::frame::{BlockMode, BlockSize, FrameEncoder, FrameInfo};
use spillpipe::archive::*;
use std::io::Write;

const SKIPPED: &[u8] = b"\x5A\x2A\x4D\x18\x04\0\0\0skip";

fn plain(parts: Parts) -> (Vec<u8>, Result<(), CopyError>) {
    let mut options = CopyOptions::default();
    options.plain = true;
    let mut out = Vec::new();
    let result = copy_out(parts, &mut out, &options, &mut Copied::default());
    (out, result)
}

fn plain_bytes(bytes: &[u8]) -> (Vec<u8>, Result<(), CopyError>) {
    plain(Parts::from(Source::bytes("p", bytes)))
}

fn lz4(info: FrameInfo, data: &[u8]) -> Vec<u8> {
    let mut encoder = FrameEncoder::with_frame_info(info, Vec::new());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

fn infos() -> Vec<FrameInfo> {
    let sizes = [BlockSize::Max64KB, BlockSize::Max4MB, BlockSize::Max256KB];
    let info = |(i, size)| {
        let sums = FrameInfo::new().block_checksums(i % 2 == 0).content_checksum(i % 3 == 0);
        sums.block_size(size).block_mode(if i % 2 == 0 { BlockMode::Linked } else { BlockMode::Independent })
    };
    sizes.into_iter().cycle().take(6).enumerate().map(info).collect()
}

/// An empty block is one that takes a byte to say so.
#[test]
fn an_empty_block_is_not_the_end_of_its_frame() {
    let header = &lz4(FrameInfo::new().block_size(BlockSize::Max64KB), b"")[..7];
    let empty = b"\x01\0\0\0\0";
    let abc = b"\x03\0\0\x80abc";
    let end = &[0; 4][..];
    for blocks in [&[&empty[..], abc, end][..], &[abc, empty, end], &[empty, empty, abc, empty, end]] {
        let frame = [header, &blocks.concat()].concat();
        let (out, result) = plain_bytes(&[&frame[..], SKIPPED, &frame].concat());
        result.unwrap();
        assert_eq!(out, b"abcabc");
    }
}

#[test]
fn frames_of_all_kinds_come_out_one_behind_the_other() {
    let (mut bytes, mut data) = (Vec::new(), Vec::new());
    for (i, info) in infos().into_iter().cycle().take(12).enumerate() {
        // Also none at all, and more than a block.
        let raw = [samples::text(i as u64, i * 20_000), samples::noise(i as u64, i * 9000)].concat();
        bytes.extend(lz4(info, &raw));
        bytes.extend(SKIPPED);
        data.extend(raw);
    }
    let (out, result) = plain_bytes(&bytes);
    result.unwrap();
    assert!(out == data, "{} bytes of {}", out.len(), data.len());
}

#[test]
fn a_frame_that_is_cut_short_is_an_error_wherever_it_is_cut() {
    let data = samples::noise(1, 150_000);
    for info in infos() {
        let bytes = lz4(info, &data);
        let block = if bytes[4] & 0x10 == 0 { 65_536 + 4 } else { 65_536 + 8 };
        for len in [4, 6, 7, 9, 11, 100, 7 + block, 7 + 2 * block, bytes.len() - 4, bytes.len() - 1] {
            let (out, result) = plain_bytes(&bytes[..len.min(bytes.len() - 1)]);
            assert!(data.starts_with(&out) && result.is_err(), "{len} bytes of {}", bytes.len());
        }
    }
    let bytes = zstd::encode_all(&data[..], 1).unwrap();
    for len in [4, 100, bytes.len() - 1] {
        assert!(plain_bytes(&bytes[..len]).1.is_err(), "{len} bytes");
    }
}

#[test]
fn what_is_no_frame_is_an_error_behind_one() {
    for behind in [&b"abcd and more"[..], b"abc"] {
        let (out, result) = plain_bytes(&[&lz4(FrameInfo::new(), b"data")[..], behind].concat());
        assert!(out == b"data" && result.is_err(), "{result:?}");
    }
}

#[test]
fn all_the_files_of_a_directory_come_out() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Writer::new(Vec::new(), &WriterOptions::default()).unwrap();
    writer.write_all(b"an archive, ").unwrap();
    let (archive, _) = writer.finish(spillpipe::format::EndState::End).unwrap();
    let zstd = |data: &[u8]| zstd::encode_all(data, 1).unwrap();
    let files = [zstd(b"one, "), zstd(b"two, "), lz4(FrameInfo::new(), b"three, "), archive];
    for (i, bytes) in files.iter().enumerate() {
        std::fs::write(dir.path().join(format!("{i:016x}.zst")), bytes).unwrap();
    }
    let (out, result) = plain(Parts::from(Input::of(dir.path()).unwrap()));
    result.unwrap();
    assert_eq!(String::from_utf8(out).unwrap(), "one, two, three, an archive, ");
    std::fs::write(dir.path().join("0000000000000001.zst"), "text").unwrap();
    let (out, result) = plain(Parts::from(Input::of(dir.path()).unwrap()));
    assert!(out == b"one, " && result.unwrap_err().to_string().contains("0001.zst is no archive: it is text"));
}
