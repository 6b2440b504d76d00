//! Archives of which every byte's origin is known, whatever is done to them.

use super::samples::{noise, text};
use spillpipe::archive::Source;
use spillpipe::archive::salvage::{Input, Options, Plain, Report, salvage};
use spillpipe::codec::{Codec, ZstdLevel};
use spillpipe::format::*;
use spillpipe::segment::{Chunk, Next, SegmentWalker, read_all, write_all};
use std::collections::{BTreeSet, HashMap};
use std::ops::Range;

/// Numbers that look random, the same for the same seed.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        let mut dice = Self(seed.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        dice.roll(2);
        dice
    }

    /// One below this.
    pub(crate) fn roll(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).unwrap() % below.max(1)
    }

    pub(crate) fn bytes(&mut self, len: usize) -> Vec<u8> {
        self.roll(2);
        noise(self.0, len)
    }
}

/// Bytes, and which of the bytes that were ever written each is; 0: none.
#[derive(Clone, Default)]
pub(crate) struct Tape {
    pub(crate) bytes: Vec<u8>,
    ids: Vec<u32>,
}

impl Tape {
    pub(crate) fn junk(bytes: Vec<u8>) -> Self {
        Self { ids: vec![0; bytes.len()], bytes }
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn cut(&self, range: Range<usize>) -> Self {
        Self { bytes: self.bytes[range.clone()].to_vec(), ids: self.ids[range].to_vec() }
    }

    pub(crate) fn remove(&mut self, range: Range<usize>) -> Self {
        Self { bytes: self.bytes.drain(range.clone()).collect(), ids: self.ids.drain(range).collect() }
    }

    pub(crate) fn insert(&mut self, at: usize, other: Self) {
        self.bytes.splice(at..at, other.bytes);
        self.ids.splice(at..at, other.ids);
    }

    pub(crate) fn push(&mut self, other: &Self) {
        self.bytes.extend_from_slice(&other.bytes);
        self.ids.extend_from_slice(&other.ids);
    }

    /// Puts other bytes in place of these.
    pub(crate) fn write(&mut self, at: usize, other: &Self) {
        self.bytes[at..at + other.len()].copy_from_slice(&other.bytes);
        self.ids[at..at + other.len()].copy_from_slice(&other.ids);
    }

    pub(crate) fn set(&mut self, at: usize, byte: u8) {
        if self.bytes[at] != byte {
            (self.bytes[at], self.ids[at]) = (byte, 0);
        }
    }

    /// Zeros up to the next place where a block of this length begins.
    pub(crate) fn pad(&mut self, block: usize) {
        let len = self.len().next_multiple_of(block);
        self.bytes.resize(len, 0);
        self.ids.resize(len, 0);
    }

    /// Whether those bytes are there, one after another.
    fn has(&self, ids: &Range<u32>) -> bool {
        let starts = self.ids.iter().enumerate().filter(|(_, id)| **id == ids.start);
        starts
            .into_iter()
            .any(|(at, _)| self.ids.get(at..at + ids.len()).is_some_and(|found| found.iter().copied().eq(ids.clone())))
    }
}

/// What was written.
pub(crate) struct Truth {
    pub(crate) store: StoreId,
    pub(crate) data: Vec<u8>,
    /// Of each chunk: the bytes of its record and its frame, and its bytes in the data.
    chunks: Vec<(Range<u32>, Range<u64>)>,
    /// Whether it is only there as data of another.
    pub(crate) is_nested: bool,
}

impl Truth {
    /// Whether chunks of it come to these bytes, wherever they were.
    fn has(&self, bytes: &[u8]) -> bool {
        let mut ends = BTreeSet::from([0]);
        while let Some(at) = ends.pop_first() {
            if at == bytes.len() {
                return true;
            }
            for (_, place) in &self.chunks {
                let [from, to] = [place.start, place.end].map(|at| usize::try_from(at).unwrap());
                if bytes[at..].starts_with(&self.data[from..to]) {
                    ends.insert(at + to - from);
                }
            }
        }
        false
    }
}

/// What was taken for something else than it was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Doubts {
    /// Data of a chunk, for a stream.
    pub(crate) taken: bool,
    /// A stream, for data of another one's chunk.
    pub(crate) left_out: bool,
}

/// All that was ever written.
#[derive(Default)]
pub(crate) struct World {
    pub(crate) truths: Vec<Truth>,
    last_id: u32,
}

/// What an archive is to be like.
#[derive(Clone, Copy)]
pub(crate) struct Plan<'a> {
    pub(crate) seed: u64,
    pub(crate) chunks: usize,
    /// Most bytes a chunk.
    pub(crate) chunk_bytes: usize,
    /// Packed into this one: in the middle of a chunk of it.
    pub(crate) nested: Option<&'a Tape>,
    pub(crate) family: Family,
    pub(crate) end: EndState,
}

impl Plan<'_> {
    pub(crate) fn new(seed: u64) -> Self {
        let family = if seed.is_multiple_of(2) { Family::Zstd } else { Family::Lz4 };
        Self { seed, chunks: 6, chunk_bytes: 2000, nested: None, family, end: EndState::End }
    }
}

impl World {
    /// Writes an archive of one segment.
    pub(crate) fn archive(&mut self, plan: &Plan<'_>) -> Tape {
        self.segments(plan, 1).remove(0)
    }

    /// Writes a stream of several.
    pub(crate) fn segments(&mut self, plan: &Plan<'_>, segments: usize) -> Vec<Tape> {
        let mut dice = Dice::new(plan.seed);
        let store = StoreId(dice.bytes(16).try_into().unwrap());
        let truth = Truth { store, data: Vec::new(), chunks: Vec::new(), is_nested: false };
        self.truths.push(truth);
        (0..segments).map(|number| self.segment(plan, number, segments, &mut dice)).collect()
    }

    fn segment(&mut self, plan: &Plan<'_>, number: usize, segments: usize, dice: &mut Dice) -> Tape {
        let compressed = match plan.family {
            Family::Zstd => Codec::Zstd(ZstdLevel::FASTEST),
            Family::Lz4 => Codec::Lz4,
        };
        let truth = self.truths.last_mut().unwrap();
        let raws: Vec<(Vec<u8>, Codec)> = (0..plan.chunks)
            .map(|place| {
                let len = 1 + dice.roll(plan.chunk_bytes);
                match plan.nested {
                    Some(nested) if place == plan.chunks / 2 => {
                        let raw = [&dice.bytes(50)[..], &nested.bytes, &dice.bytes(50)].concat();
                        (raw, Codec::Raw)
                    }
                    _ if dice.roll(3) > 0 => (dice.bytes(len), Codec::Raw),
                    _ => (text(dice.roll(1000) as u64, len), compressed),
                }
            })
            .collect();
        let largest = raws.iter().map(|(raw, _)| raw.len()).max().unwrap_or(1).max(plan.chunk_bytes);
        let header = SegmentHeader {
            store: truth.store,
            number: SegmentNumber(1 + number as u64),
            first_seq: ChunkSeq(truth.chunks.len() as u64),
            first_offset: StreamOffset(truth.data.len() as u64),
            chunk_bytes_max: u32::try_from(largest).unwrap(),
            salt: Salt(u32::try_from(dice.roll(1 << 32)).unwrap()),
            created_ns: 0,
            family: plan.family,
        };
        let chunks: Vec<_> = raws.iter().map(|(raw, codec)| Chunk::new(raw, *codec)).collect();
        let end = if number + 1 == segments { plan.end } else { EndState::Continues };
        let bytes = write_all(&header, dice.roll(2) == 0, &chunks, end);
        let first_id = self.last_id + 1;
        self.last_id += u32::try_from(bytes.len()).unwrap();
        let mut walker = SegmentWalker::new(&header);
        loop {
            let at = u32::try_from(walker.at()).unwrap();
            let Next::Chunk(record) = walker.step(bytes[at as usize..][..RECORD_BYTES].try_into().unwrap()).unwrap()
            else {
                break;
            };
            let end = u32::try_from(walker.at()).unwrap();
            truth.chunks.push((first_id + at..first_id + end, record.offset.0..record.end_offset().0));
        }
        truth.data.extend(raws.iter().flat_map(|(raw, _)| raw));
        Tape { ids: (first_id..=self.last_id).collect(), bytes }
    }

    /// Holds what was got back against what was written: whatever comes out is as it was written, and what is whole comes
    /// out, or is told as left out. Where one archive was in another, which of the two it was cannot always be known.
    pub(crate) fn check(&self, inputs: &[Tape], (report, output): &(Report, Vec<u8>), trial: &str) -> Doubts {
        let mut doubts = Doubts::default();
        let mut recovered: HashMap<StoreId, Vec<Range<u64>>> = HashMap::new();
        let mut at = 0;
        // A stream of which nothing is left is told, too.
        for stream in report.streams.iter().filter(|stream| stream.bytes > 0) {
            assert_eq!(stream.output_at, Some(at as u64), "{trial}");
            let bytes = &output[at..][..usize::try_from(stream.bytes).unwrap()];
            at += bytes.len();
            let is = |truth: &&Truth| {
                // Without a header, nothing is at odds with a record whose place is damaged.
                if stream.store.is_none() && truth.has(bytes) {
                    return true;
                }
                let spans = stream.recovered.iter().map(|span| {
                    let [from, to] = [span.bytes.start, span.bytes.end].map(|at| usize::try_from(at).unwrap());
                    truth.data.get(from..to)
                });
                spans.collect::<Option<Vec<_>>>().is_some_and(|spans| spans.concat() == bytes)
            };
            let named = |truth: &&Truth| stream.store.is_none_or(|store| store == truth.store);
            // A few bytes without a header may be of two.
            let truths: Vec<_> = self.truths.iter().filter(named).filter(is).collect();
            assert!(!truths.is_empty(), "{trial}: wrong bytes in {stream:?}");
            doubts.taken |= truths.iter().all(|truth| truth.is_nested);
            for truth in truths {
                let spans = stream.recovered.iter().map(|span| span.bytes.clone());
                recovered.entry(truth.store).or_default().extend(spans);
            }
        }
        assert_eq!((at, report.bytes_out), (output.len(), output.len() as u64), "{trial}");
        for truth in self.truths.iter().filter(|truth| !truth.is_nested) {
            let spans = recovered.get(&truth.store).map(Vec::as_slice).unwrap_or_default();
            for (number, (ids, bytes)) in truth.chunks.iter().enumerate() {
                let whole = inputs.iter().any(|input| input.has(ids));
                let had = spans.iter().any(|span| span.start <= bytes.start && bytes.end <= span.end);
                let told = report.left_out.iter().any(|left| left.chunks > 0);
                assert!(had || !whole || told, "{trial}: chunk {number} is whole and was not got back: {report:#?}");
                doubts.left_out |= whole && !had;
            }
        }
        if report.left_out.is_empty() {
            for input in inputs {
                check_walk(input, &recovered, trial);
            }
        }
        doubts
    }
}

/// Whoever only reads from the front, up to the first damage, gets nothing that salvage does not.
fn check_walk(input: &Tape, recovered: &HashMap<StoreId, Vec<Range<u64>>>, trial: &str) {
    let Some(Ok(header)) = input.bytes.first_chunk().map(SegmentHeader::decode) else { return };
    let spans = recovered.get(&header.store).map(Vec::as_slice).unwrap_or_default();
    // It fails where the damage is: what came before that counts.
    let _ = read_all(&input.bytes, |record, _| {
        let had = |span: &Range<u64>| span.start <= record.offset.0 && record.end_offset().0 <= span.end;
        assert!(spans.iter().any(had), "{trial}: {record:?} of a walk was not got back");
    });
}

/// Salvages these.
pub(crate) fn run(inputs: &[Tape], options: &Options) -> (Report, Vec<u8>) {
    let inputs = inputs.iter().enumerate().map(|(n, tape)| Input::Source(Source::bytes(n.to_string(), &*tape.bytes)));
    let mut output = Plain(Vec::new());
    let report = salvage(inputs.collect(), options, &mut output).unwrap();
    (report, output.0)
}

pub(crate) fn unordered() -> Options {
    Options { unordered: true, ..Options::default() }
}

pub(crate) fn zero_fill() -> Options {
    Options { zero_fill: true, ..Options::default() }
}
