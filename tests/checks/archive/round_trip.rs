//! Data that is packed with any options comes back, in every way there is; cut short anywhere, it is told.

use super::salvage::samples::noise;
use super::{Ended, as_stream, copied, copied_by, in_memory, read_on, verified, verified_by};
use crate::checks::input::Input;
use spillpipe::archive::{
    self, CopyOptions, Identity, Merge, Parts, Reader, Span, Split, Verdict, VerifyOptions, Writer, WriterOptions,
};
use spillpipe::codec::{Codec, ZstdLevel};
use spillpipe::format::{EndState, Salt, StoreId};
use spillpipe::store::WholeDir;
use std::io::Write;
use std::num::NonZeroU32;
use std::path::Path;

/// In memory, where it can be had: nothing is to be durable.
pub(super) const DIRS: [&str; 2] = ["/dev/shm", "/tmp"];

/// More takes the slow levels too long.
const PIECE_BYTES_MAX: usize = 20_000;

/// An archive, and what it holds.
struct Packed {
    archive: Vec<u8>,
    data: Vec<u8>,
    end: EndState,
}

/// Pieces of data, and how they are packed and read.
pub(crate) fn archive_round_trip(data: &[u8]) {
    let mut input = Input(data);
    let ways = input.byte();
    let threads = usize::from(input.byte()) % 3;
    let (cut, from, len) = (input.u16(), input.u16(), input.u16());
    let part_bytes = u64::from(input.u16());
    let packed = pack(&mut input, usize::from(ways >> 2) % 3);
    comes_back(&packed, threads);
    partly(&packed, u64::from(from), u64::from(len), threads);
    if ways & 1 != 0 {
        stitched(&packed, part_bytes);
    }
    cut_short(&packed, usize::from(cut) * 7 % packed.archive.len());
}

fn pack(input: &mut Input, threads: usize) -> Packed {
    let mut options = WriterOptions::default();
    options.threads = threads;
    options.chunk_bytes = 4096 + usize::from(input.u16());
    options.codec = match input.byte() % 4 {
        0 => Codec::Raw,
        1 => Codec::Lz4,
        _ => Codec::Zstd(ZstdLevel::new(input.byte() % 19 + 1).expect("a level from 1 to 19")),
    };
    options.segment_chunks_max = NonZeroU32::new(u32::from(input.byte() % 5)).unwrap_or(NonZeroU32::MAX);
    let store = StoreId([input.byte(); 16]);
    options.identity = Some(Identity { store, salt: Salt(u32::from(input.u16())), created_ns: input.number() });
    let end = input.one_of(&[EndState::End, EndState::Aborted]);

    let mut writer = Writer::new(Vec::new(), &options).expect("its options are sound");
    let mut data = Vec::new();
    for n in 0..input.byte() % 8 {
        let (kind, len) = (input.byte(), input.below(PIECE_BYTES_MAX));
        let piece = if kind & 32 != 0 {
            noise(n.into(), len)
        } else {
            let pattern: Vec<u8> = input.take(usize::from(kind % 16)).iter().copied().chain([kind]).collect();
            pattern.iter().copied().cycle().take(len).collect()
        };
        writer.write_all(&piece).expect("memory takes all");
        if kind & 64 != 0 {
            writer.end_record();
        }
        if kind & 128 != 0 {
            writer.flush().expect("memory takes all");
        }
        data.extend(piece);
    }
    let (archive, stats) = writer.finish(end).expect("memory takes all");
    assert_eq!((stats.raw_bytes, stats.stored_bytes), (data.len() as u64, archive.len() as u64));
    Packed { archive, data, end }
}

impl Packed {
    /// How reading ends.
    fn ended(&self) -> Ended {
        if self.end == EndState::End { Ended::Well } else { Ended::Badly }
    }

    /// What verification says.
    fn verdict(&self) -> Verdict {
        if self.end == EndState::End { Verdict::Sound } else { Verdict::Incomplete }
    }
}

fn comes_back(packed: &Packed, threads: usize) {
    let Packed { archive, data, .. } = packed;
    for source in [in_memory(archive), as_stream(archive)] {
        let read = read_on(&mut Reader::new(source).expect("it is an archive"));
        assert!(read.bytes() == *data && read.ended == packed.ended(), "{:?}", read.ended);
    }
    let mut options = CopyOptions::default();
    options.threads = threads;
    for source in [in_memory(archive), as_stream(archive)] {
        let (had, ended) = copied_by(source.into(), options.clone());
        assert!(had == *data && ended == packed.ended(), "{ended:?}");
    }
    let mut options = VerifyOptions::default();
    options.threads = threads;
    let (report, had) = verified_by(in_memory(archive), options);
    assert!(had == *data && report.verdict() == packed.verdict(), "{report:?}");
    assert_eq!(verified(in_memory(archive), true).0.verdict(), packed.verdict());
}

/// A part of it, by places and by chunks.
fn partly(packed: &Packed, from: u64, len: u64, threads: usize) {
    let bytes = packed.data.len() as u64;
    let from = from * 9 % (bytes + 3);
    let to = (from + len).min(bytes);
    let place = |at: u64| usize::try_from(at).expect("it is in memory");
    let expected = packed.data.get(place(from)..place(to)).unwrap_or_default();
    let mut options = CopyOptions::default();
    (options.threads, options.span) = (threads, Span::Bytes(from..from + len));
    for source in [in_memory(&packed.archive), as_stream(&packed.archive)] {
        let (had, _) = copied_by(source.into(), options.clone());
        assert!(had == expected, "{len} from {from}: {} bytes", had.len());
    }
    let chunk = from % 6;
    let mut both = Vec::new();
    for span in [0..chunk, chunk..u64::MAX] {
        options.span = Span::Chunks(span);
        both.extend(copied_by(in_memory(&packed.archive).into(), options.clone()).0);
    }
    assert!(both == packed.data, "in front of chunk {chunk}, and from it on");
}

/// Split into files, and merged again.
fn stitched(packed: &Packed, part_bytes: u64) {
    let home = DIRS.iter().find(|dir| Path::new(dir).is_dir()).expect("a place for files");
    let dir = tempfile::tempdir_in(home).expect("a directory");
    let (path, parts) = (dir.path().join("archive"), dir.path().join("parts"));
    std::fs::write(&path, &packed.archive).expect("it is written");
    let whole = WholeDir::create(&parts).expect("a directory");
    let files = |path: &Path| archive::Input::of(path).expect("files");
    let split = Split::of(files(&path), part_bytes).expect("it is sound");
    let split_up = split.write(&whole, &mut |_| Ok(())).expect("it is split");
    whole.finish().expect("it is there");
    assert_eq!((split_up.written.raw_bytes, split_up.end), (packed.data.len() as u64, packed.end));
    let mut options = CopyOptions::default();
    options.threads = 0;
    let (had, ended) = copied_by(Parts::from(files(&parts)), options);
    assert!(had == packed.data && ended == packed.ended(), "{ended:?}");

    let (merged, told) = Merge::of(files(&parts)).expect("it is sound").write(Vec::new()).expect("memory takes all");
    assert_eq!((told.written.raw_bytes, told.end), (packed.data.len() as u64, packed.end));
    let (report, had) = verified(in_memory(&merged), false);
    assert!(had == packed.data && report.verdict() == packed.verdict(), "{report:?}");
}

fn cut_short(packed: &Packed, cut: usize) {
    let (start, ended) = copied(as_stream(&packed.archive[..cut]));
    let is_start = packed.data.starts_with(&start) && ended == Ended::Badly;
    assert!(is_start, "{cut} of {} bytes, {ended:?}", packed.archive.len());
    assert_ne!(verified(in_memory(&packed.archive[..cut]), false).0.verdict(), Verdict::Sound, "cut to {cut}");
}
