//! Salvage: of any bytes, only what the checksums vouch for, and all that a reader has; of damaged archives, only what
//! was written, and every chunk that is still whole.

use super::{DATA_BYTES_MAX, Ended, in_memory, read_on};
use crate::checks::input::Input;
use crate::checks::refit::{self, STRUCTURE_MAGIC};
use spillpipe::archive::salvage::{self, Error, Options, Output, Report, Span, StreamReport, salvage};
use spillpipe::archive::{Reader, Source};
use spillpipe::codec::Decoder;
use spillpipe::format::*;
use spillpipe::segment::open_chunk;
use std::io;
use world::{Plan, Tape, World, run};

#[path = "../../samples/data.rs"]
#[allow(clippy::duplicate_mod, reason = "the fuzzers have no other samples")]
pub(super) mod samples;
#[path = "../../archive_salvage/world.rs"]
#[allow(dead_code, clippy::unwrap_used, reason = "archive_salvage uses more of it")]
mod world;

/// More damage leaves nothing.
const HARMS_MAX: usize = 12;

/// Archives that are made and damaged as the bytes say; or the bytes themselves, as they come and refitted.
pub(crate) fn archive_salvage(data: &[u8]) {
    let mut input = Input(data);
    if input.bit() {
        harmed(&mut input);
        return;
    }
    let mut bytes = input.0.to_vec();
    vouched(&bytes);
    refit::archive(&mut bytes);
    if bytes != input.0 {
        vouched(&bytes);
    }
}

/// Archives of which every byte is known, damaged.
fn harmed(input: &mut Input) {
    let (seed, shape, size) = (input.u16(), input.byte(), input.u16());
    let mut world = World::default();
    let mut archive = |seed: u64| {
        let plan = Plan {
            chunks: 1 + usize::from(shape >> 1 & 7),
            chunk_bytes: 100 + usize::from(size % 900),
            ..Plan::new(seed)
        };
        let nested =
            (shape & 1 != 0).then(|| world.archive(&Plan { chunks: 3, chunk_bytes: 200, ..Plan::new(seed + 1000) }));
        if let Some(truth) = world.truths.last_mut().filter(|_| nested.is_some()) {
            truth.is_nested = true;
        }
        world.archive(&Plan { nested: nested.as_ref(), ..plan })
    };
    let mut inputs = vec![archive(seed.into())];
    match shape >> 5 & 3 {
        2 => inputs[0].push(&archive(u64::from(seed) + 100_000)),
        3 => inputs.push(inputs[0].clone()),
        _ => {}
    }
    let single = shape & 1 == 0 && shape >> 5 & 3 != 2;
    for _ in 0..HARMS_MAX {
        if input.is_empty() {
            break;
        }
        let which = input.byte();
        let which_input = usize::from(which >> 7) % inputs.len();
        harm(&mut inputs[which_input], which & 0x7F, input);
    }
    let found = run(&inputs, &Options::default());
    let doubts = world.check(&inputs, &found, "what was written");
    // Without any header, a damaged record may look as good as the others.
    let headed = found.0.streams.iter().any(|stream| stream.store.is_some());
    assert!(!(single && headed && doubts.left_out), "of the only archive nothing is left out");
}

fn harm(tape: &mut Tape, kind: u8, input: &mut Input) {
    if tape.len() < 2 {
        return;
    }
    let at = input.below(tape.len());
    let len = (1 + input.below(1000)).min(tape.len() - at);
    match kind % 8 {
        0 => tape.set(at, tape.bytes[at] ^ (1 << (len % 8))),
        1 => (at..at + len).for_each(|at| tape.set(at, 0)),
        2 => drop(tape.remove(at..at + len)),
        // Never an archive: seeds hold some.
        3 => tape.insert(at, Tape::junk(input.take(len).iter().map(|byte| !byte).collect())),
        4 => {
            let piece = tape.remove(at..at + len);
            tape.insert(input.below(tape.len() + 1), piece);
        }
        5 => tape.insert(input.below(tape.len() + 1), tape.cut(at..at + len)),
        6 => drop(tape.remove(at.max(1)..tape.len())),
        _ => drop(tape.remove(0..at)),
    }
}

/// What came out, each piece at its place; the zeros between them only count.
#[derive(Default)]
struct Taken {
    pieces: Vec<(u64, Vec<u8>)>,
    at: u64,
    bytes: usize,
    ended: bool,
}

impl Output for Taken {
    fn data(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.bytes += bytes.len();
        if self.bytes > DATA_BYTES_MAX {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.pieces.push((self.at, bytes.to_vec()));
        self.zeros(bytes.len() as u64)
    }

    fn zeros(&mut self, count: u64) -> io::Result<()> {
        // No file is longer.
        self.at = self.at.checked_add(count).ok_or(io::ErrorKind::StorageFull)?;
        Ok(())
    }

    fn end(&mut self) -> io::Result<()> {
        self.ended = true;
        Ok(())
    }
}

impl Taken {
    fn all(&self) -> Vec<u8> {
        self.pieces.iter().flat_map(|(_, bytes)| bytes).copied().collect()
    }
}

/// `None`: more comes out than this check takes.
fn salvaged(bytes: &[u8], options: &Options) -> Option<(Report, Taken)> {
    let mut taken = Taken::default();
    let inputs = vec![salvage::Input::Source(in_memory(bytes))];
    match salvage(inputs, options, &mut taken) {
        Ok(report) => {
            assert!(taken.ended && report.bytes_out == taken.bytes as u64);
            Some((report, taken))
        }
        Err(Error::Output(_)) => None,
        Err(error) => panic!("memory can be read: {error}"),
    }
}

/// A chunk all of whose checksums hold.
struct Whole {
    seq: u64,
    offset: u64,
    raw: Vec<u8>,
}

/// All of them, found without the library's way through an archive: every place is tried.
fn whole_chunks(bytes: &[u8]) -> Vec<Whole> {
    let starts = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(&STRUCTURE_MAGIC));
    starts.flat_map(|at| Family::ALL.map(|family| whole_chunk(&bytes[at..], family))).flatten().collect()
}

fn whole_chunk(bytes: &[u8], family: Family) -> Option<Whole> {
    let (head, rest) = bytes.split_first_chunk::<RECORD_BYTES>()?;
    let record = Record::decode(head, &SegmentKey::of_record(head, family)?).ok()?;
    let frame = rest.get(..record.frame_len as usize)?;
    let mut raw = vec![0; record.raw_len as usize];
    open_chunk(&record, family, frame, &mut raw, &mut Decoder::default()).ok()?;
    Some(Whole { seq: record.seq.0, offset: record.offset.0, raw })
}

/// What comes out is made of whole chunks, and all that a reader has is among it.
fn vouched(bytes: &[u8]) {
    let chunks = whole_chunks(bytes);
    let Some((report, taken)) = salvaged(bytes, &Options::default()) else { return };
    let out = taken.all();
    let mut at = 0;
    for stream in &report.streams {
        assert_eq!(stream.output_at, Some(at as u64));
        for span in &stream.recovered {
            let len = usize::try_from(span.bytes.end - span.bytes.start).expect("it came out");
            assert!(is_made_of(&chunks, span, &out[at..at + len]), "{span:?} was never written");
            at += len;
        }
        consistent(stream);
    }
    assert_eq!(at, out.len());
    holds_what_is_read(bytes, &report, &out);

    let mut options = Options::default();
    (options.zero_fill, options.unordered) = (true, false);
    if let Some((filled, taken)) = salvaged(bytes, &options) {
        assert!(taken.all() == out && taken.at == filled.bytes_out + filled.zeros_out);
        for (stream, before) in filled.streams.iter().zip(&report.streams) {
            assert_eq!((&stream.recovered, &stream.lost), (&before.recovered, &before.lost));
        }
    }
    (options.zero_fill, options.unordered) = (false, true);
    let mut from = vec![Source::stream("stream", io::Cursor::new(bytes.to_vec())), in_memory(bytes)];
    let mut had = Vec::new();
    while let Some(source) = from.pop() {
        let mut taken = Taken::default();
        match salvage(vec![salvage::Input::Source(source)], &options, &mut taken) {
            Ok(_) => {}
            Err(Error::Output(_)) => return,
            Err(error) => panic!("memory can be read: {error}"),
        }
        for (_, piece) in &taken.pieces {
            assert!(chunks.iter().any(|chunk| chunk.raw == *piece), "{} bytes were never written", piece.len());
        }
        had.push(taken.pieces);
    }
    let lens = |pieces: &[(u64, Vec<u8>)]| -> Vec<usize> { pieces.iter().map(|(_, piece)| piece.len()).collect() };
    let context = || format!("a file and a stream of the same bytes: {:?}, {:?}", lens(&had[0]), lens(&had[1]));
    assert!(had[0] == had[1] || has_long_table(bytes), "{}", context());
    let unordered: usize = lens(&had[0]).iter().sum();
    assert!(unordered >= out.len(), "in the order of the file nothing is left out");
}

/// Whether there is a seal whose table is longer than what can be gone back to in a stream: that hides what is behind it.
fn has_long_table(bytes: &[u8]) -> bool {
    let lens = bytes.windows(RECORD_BYTES).filter(|head| head.starts_with(&STRUCTURE_MAGIC) && head[8..12] == *b"SPSL");
    lens.map(|head| u32::from_le_bytes([head[0x2C], head[0x2D], head[0x2E], head[0x2F]]))
        .any(|len| len > CHUNK_BYTES_MAX)
}

/// Whether chunks of these numbers come to these bytes.
fn is_made_of(chunks: &[Whole], span: &Span, bytes: &[u8]) -> bool {
    // Two chunks may have the same number and place.
    let mut ends = vec![0];
    for seq in span.chunks.clone() {
        let mut next = Vec::new();
        for &at in &ends {
            let offset = span.bytes.start + at as u64;
            let here = chunks.iter().filter(|chunk| (chunk.seq, chunk.offset) == (seq, offset));
            next.extend(here.filter(|chunk| bytes[at..].starts_with(&chunk.raw)).map(|chunk| at + chunk.raw.len()));
        }
        next.sort_unstable();
        next.dedup();
        ends = next;
    }
    ends.contains(&bytes.len())
}

/// What is told of a stream goes together.
fn consistent(stream: &StreamReport) {
    let chunks: u64 = stream.recovered.iter().map(|span| span.chunks.end - span.chunks.start).sum();
    let bytes: u64 = stream.recovered.iter().map(|span| span.bytes.end - span.bytes.start).sum();
    assert_eq!((chunks, bytes), (stream.chunks, stream.bytes));
    let mut spans: Vec<&Span> = stream.recovered.iter().chain(&stream.lost).collect();
    spans.sort_by_key(|span| (span.chunks.start, span.bytes.start));
    for pair in spans.windows(2) {
        let fine = pair[0].chunks.end <= pair[1].chunks.start && pair[0].bytes.end <= pair[1].bytes.start;
        assert!(fine, "{:?} and {:?}", pair[0], pair[1]);
    }
}

fn holds_what_is_read(bytes: &[u8], report: &Report, out: &[u8]) {
    let Ok(mut reader) = Reader::new(in_memory(bytes)) else { return };
    let read = read_on(&mut reader);
    match read.ended {
        Ended::Well => {
            assert!(read.bytes() == out, "what can be read can be salvaged");
            assert!(!report.lost_any() && report.is_ended() && report.left_out.is_empty(), "{report:?}");
        }
        Ended::Badly | Ended::Capped => {
            // Who contradicts whom cannot be known from the first of them.
            let clear =
                report.left_out.is_empty() && report.streams.iter().all(|stream| stream.contradicting_chunks == 0);
            let has = |piece: &Vec<u8>| out.windows(piece.len().max(1)).any(|bytes| bytes == piece);
            assert!(!clear || read.pieces.iter().all(|(_, piece)| has(piece)), "a reader has more: {report:?}");
        }
    }
}
