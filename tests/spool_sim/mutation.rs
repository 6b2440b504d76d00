//! Every bit of a small spool flipped, every file cut to every length, and every tail of it zeroed.

use super::{at_once, open, plain};
use spillpipe::format::{EndState, HEADER_BYTES, RECORD_BYTES, SegmentHeader};
use spillpipe::segment::{Next as Structure, SegmentWalker};
use spillpipe::spool::{Ended, Next, Reader, Spool, Start};
use spillpipe::store::{FileName, SegmentName, SimFile, SimStore, Store, Unsynced};
use std::io::Write;
use std::ops::Range;

const READERS: [&str; 2] = ["begun", "new"];
/// More than any of them has to tell.
const EVENTS_MAX: usize = 100;

/// A spool of three segments, and what is in it.
struct Image {
    disk: SimStore,
    stream: Vec<u8>,
    /// Each chunk: where it is in which segment, and in the stream.
    chunks: Vec<(SegmentName, Range<u64>, Range<u64>)>,
    /// Where the reader is that has begun.
    begun: u64,
    is_sealed: bool,
}

/// What is done to it.
#[derive(Clone, Copy, Debug)]
enum Harm {
    Flip(u64, u8),
    Truncate(u64),
    ZeroFrom(u64),
}

impl Harm {
    fn is_on(self, range: &Range<u64>) -> bool {
        match self {
            Self::Flip(at, _) => range.contains(&at),
            Self::Truncate(at) | Self::ZeroFrom(at) => range.end > at,
        }
    }

    fn go(self, disk: &SimStore, file: &SimFile) {
        let len = disk.bytes(file.clone()).expect("it is there").len() as u64;
        match self {
            Self::Flip(at, bit) => disk.flip_bit(file.clone(), at, bit),
            Self::Truncate(len) => disk.truncate(file.clone(), len),
            Self::ZeroFrom(at) => disk.zero(file.clone(), at..len),
        }
        .expect("it can be harmed");
    }
}

fn image(is_sealed: bool) -> Image {
    let disk = SimStore::new(5);
    let spool = open(&disk).expect("it opens");
    for name in READERS {
        spool.add_reader(name, Start::Oldest).expect("a reader");
    }
    let mut stream = Vec::new();
    for (codec, chunks) in [("zstd:1", 4), ("lz4", 3), ("none", 2)] {
        let mut options = plain();
        options.codec = codec.parse().expect("a codec");
        let mut writer = spool.writer(options).expect("a writer");
        for n in 0..chunks {
            let line = format!("{codec} {n}, line after line. ");
            let bytes: Vec<u8> = line.bytes().cycle().take(1100 + 300 * n).collect();
            writer.write_all(&bytes).expect("it takes them");
            writer.publish().expect("a chunk");
            stream.extend(bytes);
        }
        match codec {
            "none" if is_sealed => drop(writer.finish(EndState::End).expect("its end")),
            "none" => drop(writer),
            _ => drop(writer.finish(EndState::Continues).expect("its end")),
        }
    }
    let mut reader = spool.reader(READERS[0], at_once()).expect("a reader");
    reader.next().expect("the first chunk");
    let Next::Data(data) = reader.next().expect("the second") else { panic!() };
    let part = data.place(200);
    reader.ack(part).expect("it is acknowledged");
    reader.close().expect("it is closed");
    let chunks = disk.list().expect("segments").into_iter().flat_map(|name| chunks_of(&disk, name)).collect();
    Image { disk, stream, chunks, begun: part.offset.0, is_sealed }
}

fn chunks_of(disk: &SimStore, name: SegmentName) -> Vec<(SegmentName, Range<u64>, Range<u64>)> {
    let bytes = disk.bytes(name).expect("a segment");
    let header = SegmentHeader::decode(bytes.first_chunk::<HEADER_BYTES>().expect("a header")).expect("a header");
    let mut walker = SegmentWalker::new(&header);
    let mut chunks = Vec::new();
    while let Some(record) = bytes.get(walker.at() as usize..).and_then(|rest| rest.first_chunk::<RECORD_BYTES>()) {
        let at = walker.at();
        let Ok(Structure::Chunk(record)) = walker.step(record) else { break };
        chunks.push((name, at..walker.at(), record.offset.0..record.end_offset().0));
    }
    chunks
}

impl Image {
    fn files(&self) -> (Vec<SegmentName>, Vec<FileName>) {
        let small = [FileName::Spool].into_iter().chain(READERS.map(|name| FileName::reader(name).expect("a name")));
        (self.disk.list().expect("segments"), small.collect())
    }

    fn len(&self, file: impl Into<SimFile>) -> u64 {
        self.disk.bytes(file).expect("it is there").len() as u64
    }

    /// Whether this byte is in a frame, whose bytes are all alike.
    fn is_payload(&self, name: SegmentName, at: u64) -> bool {
        let inside = |range: &Range<u64>| range.start + RECORD_BYTES as u64 <= at && at < range.end;
        self.chunks.iter().any(|(segment, range, _)| *segment == name && inside(range))
    }

    /// Whether the harm reaches this chunk.
    fn is_hit(&self, harm: Harm, file: &SimFile, chunk: usize) -> bool {
        let (segment, range, _) = &self.chunks[chunk];
        *file == SimFile::Segment(*segment) && harm.is_on(range)
    }

    /// What nobody can tell from a write that never came to its end: chunks at the end of the last segment without a seal.
    fn may_be_torn(&self, harm: Harm, file: &SimFile, chunk: usize) -> bool {
        !self.is_sealed && (chunk..self.chunks.len()).all(|chunk| self.is_hit(harm, file, chunk))
    }

    /// Harms it, and sees what comes of it; `on`: also whether it goes on afterwards.
    fn check(&self, file: impl Into<SimFile>, harm: Harm, on: bool) {
        let file = file.into();
        let context = format!("{file:?} {harm:?}, sealed {}", self.is_sealed);
        let disk = self.disk.crash(Unsynced::Kept);
        harm.go(&disk, &file);
        let spool = open(&disk).unwrap_or_else(|error| panic!("{context}: {error}"));
        for name in READERS {
            let mut reader = self.opened(&spool, name, &file, &context);
            let (had, lost, ends) = self.drain(&mut reader, &context);
            let begun = if name == "new" { 0 } else { self.begun };
            let mut missing = false;
            for (chunk, (.., range)) in self.chunks.iter().enumerate().filter(|(_, (.., range))| range.end > begun) {
                let is_had = had.iter().any(|had| had.start <= range.start.max(begun) && had.end == range.end);
                assert!(is_had || self.is_hit(harm, &file, chunk), "{context}: {name} has not got {range:?}: {had:?}");
                missing |= !is_had && !self.may_be_torn(harm, &file, chunk);
            }
            assert!(!missing || reader.stats().damages > 0, "{context}: {name} is not told: {had:?}, {lost}");
            let end = if self.is_sealed { Ended::Complete } else { Ended::Incomplete };
            assert!(ends.last() == Some(&end) || (missing && !ends.is_empty()), "{context}: {name} is told {ends:?}");
            reader.close().unwrap_or_else(|error| panic!("{context}: {error}"));
        }
        if on {
            go_on(&spool, &context);
        }
    }

    fn opened(&self, spool: &Spool, name: &str, file: &SimFile, context: &str) -> Reader {
        let reader = spool.reader(name, at_once()).unwrap_or_else(|error| panic!("{context}: {error}"));
        let place = reader.acknowledged().offset.0;
        let is_its_own = *file == SimFile::File(FileName::reader(name).expect("a name"));
        let expected = if name == "new" { 0 } else { self.begun };
        assert!(place == expected || (is_its_own && place == 0), "{context}: {name} begins at {place}");
        reader
    }

    /// Reads and acknowledges all there is: the stretches that came, the bytes that were told missing, the ends.
    fn drain(&self, reader: &mut Reader, context: &str) -> (Vec<Range<u64>>, u64, Vec<Ended>) {
        let (mut had, mut lost, mut ends) = (Vec::<Range<u64>>::new(), 0, Vec::new());
        for event in 0.. {
            assert!(event < EVENTS_MAX, "{context}: it comes to an end");
            match reader.next().unwrap_or_else(|error| panic!("{context}: {error}")) {
                Next::Data(data) => {
                    let range = data.from.offset.0..data.to.offset.0;
                    let truth = self.stream.get(range.start as usize..range.end as usize);
                    assert_eq!(truth, Some(data.bytes), "{context}: {range:?}");
                    assert!(had.last().is_none_or(|last| last.end <= range.start), "{context}: {range:?} in order");
                    had.push(range);
                }
                Next::Gap(gap) => lost += gap.bytes,
                Next::Damage(damage) => lost += damage.lost_bytes,
                Next::End(ended) => ends.push(ended),
                Next::Empty { .. } => break,
            }
        }
        let place = reader.position();
        reader.ack(place).unwrap_or_else(|error| panic!("{context}: {error}"));
        (had, lost, ends)
    }
}

impl Image {
    /// Harms it, several times, and writes another stream before anybody has read.
    fn check_written_first(&self, file: SegmentName, harms: &[Harm]) {
        let context = format!("{file} {harms:?}, sealed {}", self.is_sealed);
        let disk = self.disk.crash(Unsynced::Kept);
        for harm in harms {
            harm.go(&disk, &file.into());
        }
        let spool = open(&disk).unwrap_or_else(|error| panic!("{context}: {error}"));
        write_more(&spool, &context);
        for name in READERS {
            let mut reader = spool.reader(name, at_once()).unwrap_or_else(|error| panic!("{context}: {error}"));
            let bytes = bytes_of(&mut reader, &context);
            let text = String::from_utf8_lossy(&bytes);
            assert!(text.ends_with(MORE), "{context}: {name} has not got what was written: {} bytes", bytes.len());
            let begun = if name == "new" { 0 } else { self.begun };
            for (chunk, (.., range)) in self.chunks.iter().enumerate().filter(|(_, (.., range))| range.start >= begun) {
                let is_hit = harms.iter().any(|harm| self.is_hit(*harm, &file.into(), chunk));
                let truth = &self.stream[range.start as usize..range.end as usize];
                let is_had = memchr::memmem::find(&bytes, truth).is_some();
                assert!(is_had || is_hit, "{context}: {name} has not got {range:?}");
            }
        }
    }
}

const MORE: &str = "what comes after it";

fn write_more(spool: &Spool, context: &str) {
    let mut writer = spool.writer(plain()).unwrap_or_else(|error| panic!("{context}: {error}"));
    writer.write_all(MORE.as_bytes()).expect("it takes it");
    writer.finish(EndState::End).unwrap_or_else(|error| panic!("{context}: {error}"));
}

/// Reads all there is.
fn bytes_of(reader: &mut Reader, context: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for event in 0.. {
        assert!(event < EVENTS_MAX, "{context}: it comes to an end");
        match reader.next().unwrap_or_else(|error| panic!("{context}: {error}")) {
            Next::Data(data) => bytes.extend_from_slice(data.bytes),
            Next::Empty { .. } => break,
            Next::Gap(_) | Next::Damage(_) | Next::End(_) => {}
        }
    }
    bytes
}

/// Another stream goes through it.
fn go_on(spool: &Spool, context: &str) {
    write_more(spool, context);
    for name in READERS {
        let mut reader = spool.reader(name, at_once()).unwrap_or_else(|error| panic!("{context}: {error}"));
        let bytes = bytes_of(&mut reader, context);
        assert_eq!(String::from_utf8_lossy(&bytes), MORE, "{context}: {name}");
        assert_eq!(reader.told(), Some(Ended::Complete), "{context}: {name}");
        let place = reader.position();
        reader.ack(place).unwrap_or_else(|error| panic!("{context}: {error}"));
        reader.close().unwrap_or_else(|error| panic!("{context}: {error}"));
    }
    let info = spool.info().unwrap_or_else(|error| panic!("{context}: {error}"));
    assert_eq!(info.disk_bytes, 0, "{context}: all of it is dealt with, and gone");
}

/// Of the harms so many are followed by another stream.
const ON_STEP: u64 = 11;
/// Bytes of a frame, and the zeros of a slot, are all alike: of those, every so many are harmed.
const PAYLOAD_STEP: u64 = 13;
const ZEROS_STEP: u64 = 509;
/// So much of a slot is used here, but for its checksum.
const SLOT_USED_BYTES: u64 = 0x50;
const SLOT_BYTES: u64 = 4096;

fn segment_places(image: &Image, name: SegmentName, every: bool) -> impl Iterator<Item = u64> + use<'_> {
    (0..image.len(name)).filter(move |at| every || !image.is_payload(name, *at) || at % PAYLOAD_STEP == 0)
}

fn slot_places(len: u64) -> impl Iterator<Item = u64> {
    (0..len).filter(|at| {
        let in_slot = at % SLOT_BYTES;
        !(SLOT_USED_BYTES..SLOT_BYTES - 4).contains(&in_slot) || at % ZEROS_STEP == 0
    })
}

fn flip_segments(every: bool) {
    for image in [image(true), image(false)] {
        for name in image.files().0 {
            for at in segment_places(&image, name, every) {
                for bit in 0..8 {
                    image.check(name, Harm::Flip(at, bit), (8 * at + u64::from(bit)) % ON_STEP == 0);
                }
            }
        }
    }
}

#[test]
fn no_flipped_bit_of_a_segment_costs_more_than_its_chunk() {
    flip_segments(false);
}

#[test]
#[ignore = "takes half a minute"]
fn large_no_flipped_bit_of_a_segment_costs_more_than_its_chunk() {
    flip_segments(true);
}

#[test]
fn no_flipped_bit_of_a_cursor_or_of_the_spool_costs_anything() {
    for image in [image(true), image(false)] {
        for file in image.files().1 {
            for at in slot_places(image.len(&file)) {
                for bit in 0..8 {
                    image.check(&file, Harm::Flip(at, bit), (8 * at + u64::from(bit)) % ON_STEP == 0);
                }
            }
        }
    }
}

#[test]
fn no_lost_or_zeroed_tail_of_a_segment_costs_more_than_what_was_in_it() {
    for image in [image(true), image(false)] {
        for name in image.files().0 {
            for at in segment_places(&image, name, false) {
                image.check(name, Harm::Truncate(at), at % ON_STEP == 0);
                image.check(name, Harm::ZeroFrom(at), at % ON_STEP == 0);
            }
        }
    }
}

#[test]
fn no_lost_or_zeroed_tail_of_a_cursor_or_of_the_spool_costs_data() {
    for image in [image(true), image(false)] {
        for file in image.files().1 {
            for at in slot_places(image.len(&file)) {
                image.check(&file, Harm::Truncate(at), at % ON_STEP == 0);
                image.check(&file, Harm::ZeroFrom(at), at % ON_STEP == 0);
            }
        }
    }
}

#[test]
fn a_stream_goes_on_behind_damage_that_no_reader_has_met() {
    for image in [image(true), image(false)] {
        for name in image.files().0 {
            for at in segment_places(&image, name, false) {
                image.check_written_first(name, &[Harm::Flip(at, (at % 8) as u8)]);
                image.check_written_first(name, &[Harm::Truncate(at)]);
            }
        }
    }
}

#[test]
fn a_stream_does_not_go_on_where_readers_pass_several_damaged_frames() {
    let image = image(false);
    let last: Vec<_> = image.chunks.iter().rev().take(2).collect();
    let harms: Vec<_> = last.iter().map(|(_, at, _)| Harm::Flip(at.end - 10, 3)).collect();
    image.check_written_first(last[0].0, &harms);
}

#[test]
fn a_spool_of_which_nothing_tells_what_it_is_is_refused() {
    let disk = SimStore::new(1);
    open(&disk).expect("it opens");
    disk.truncate(FileName::Spool, 100).expect("it is there");
    let error = open(&disk).expect_err("there is no segment that tells");
    assert!(error.to_string().starts_with("dir/spool is damaged beyond repair"), "{error}");
}
