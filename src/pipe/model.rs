//! [`State`] against a model: one thread plays all the stages, in any order that proptest finds, on a disk that fills
//! up whenever it likes.
//!
//! What must hold: chunks go out whole, in order and once; what is missing was counted as dropped; no stage takes more
//! than its share of the pool (the pool asserts that); [`State::ready`] says exactly when a step is possible; and when
//! the input has ended, the stages come to the end by themselves.

use super::bounds::Bounds;
use super::state::{Accepted, DecodeJob, EncodeJob, FetchJob, FullStep, Place, Role, SpillJob, State};
use crate::codec::{Choice, Codec, Decoder, Encoder, Outcome, Plan, Policy, ZstdLevel};
use crate::format::{ChunkSeq, Family, RECORD_BYTES, crc32};
use crate::ring::WhenFull;
use crate::ring::{BLOCKS_MIN, Block, Buffer, ChunkInfo, Count, FullReason, Head, Pool, StoredChunk, Tail};
use crate::segment::open_chunk;
use crate::store::{MemoryStore, SegmentName, Store};
use proptest::prelude::*;
use std::sync::Arc;

const CHUNK_BYTES: usize = 4096;
/// A record and a frame, in whole pages.
const BUFFER_BYTES: usize = 3 * 4096;
/// Far more rounds than the largest case needs to drain.
const ROUNDS_MAX: usize = 100_000;

/// What happens next. The number decides the details.
#[derive(Clone, Copy, Debug)]
enum Event {
    /// The producer writes: a chunk is handed over, or tried again.
    Bring(u16),
    /// The producer pauses in the midst of a chunk.
    Pause(u16),
    /// What the producer writes goes past everybody, if it may.
    Bypass(u16),
    EncodeBegin,
    EncodeEnd(u16),
    SpillBegin,
    SpillEnd(Fate),
    /// The spiller has slept for a while.
    Recheck,
    FetchBegin,
    FetchEnd,
    DecodeBegin,
    DecodeEnd(u16),
    OutBegin,
    OutEnd,
    /// The consumer stops to read, or reads again.
    OutputFull(bool),
}

/// What becomes of a write.
#[derive(Clone, Copy, Debug)]
enum Fate {
    /// It succeeds, in a new segment where the open one has reached so many bytes.
    Done { segment_bytes: u16 },
    /// The limits stand against it.
    Full,
    /// A segment can be begun, and then there is no room for the chunks.
    FullAfterBegin,
}

/// The spiller, when it has nothing to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spiller {
    Awake,
    /// Until [`State::ready`] says so, or where it is timed, for a while.
    Asleep {
        timed: bool,
    },
}

type Writing = (Vec<Block>, Option<SegmentName>);

struct Model<'s> {
    state: State,
    pool: Arc<Pool>,
    threads: usize,
    store: &'s MemoryStore,
    tail: Tail<'s>,
    head: Head,
    brought: u32,
    /// In intake's hands, for want of room.
    in_hand: Option<Buffer>,
    encoding: Vec<(EncodeJob, Buffer)>,
    spiller: Spiller,
    writing: Option<Writing>,
    fetching: Option<(FetchJob, Buffer)>,
    decoding: Vec<(DecodeJob, Buffer)>,
    going_out: Option<Buffer>,
    output_is_full: bool,
    next_out: u32,
    missing: u64,
}

impl<'s> Model<'s> {
    fn new(bounds: Bounds, when_full: WhenFull, store: &'s MemoryStore) -> Self {
        let pool = Pool::new(bounds.buffer_bytes, bounds.buffers);
        let policy = Policy::new(Choice::Fixed(Codec::Raw), bounds.chunk_bytes);
        Self {
            state: State::new(bounds, Arc::clone(&pool), policy, when_full),
            pool,
            threads: bounds.threads,
            store,
            tail: Tail::new(store, u32::try_from(CHUNK_BYTES).unwrap()).unwrap(),
            head: Head::default(),
            brought: 0,
            in_hand: None,
            encoding: Vec::new(),
            spiller: Spiller::Awake,
            writing: None,
            fetching: None,
            decoding: Vec::new(),
            going_out: None,
            output_is_full: false,
            next_out: 0,
            missing: 0,
        }
    }

    /// Does it, if it can be done now. False: it cannot.
    fn play(&mut self, event: Event) -> bool {
        let played = match event {
            Event::Bring(len) => self.bring(len),
            Event::Pause(len) => self.pause(len),
            Event::Bypass(len) => self.bypass(len),
            Event::EncodeBegin => self.encode_begin(),
            Event::EncodeEnd(n) => self.encode_end(n),
            Event::SpillBegin => self.spill_begin(),
            Event::SpillEnd(fate) => self.spill_end(fate),
            Event::Recheck => self.recheck(),
            Event::FetchBegin => self.fetch_begin(),
            Event::FetchEnd => self.fetch_end(),
            Event::DecodeBegin => self.decode_begin(),
            Event::DecodeEnd(n) => self.decode_end(n),
            Event::OutBegin => self.out_begin(),
            Event::OutEnd => self.out_end(),
            Event::OutputFull(full) => self.output_full(full),
        };
        self.settle();
        played
    }

    /// As the monitor does after every change.
    fn settle(&mut self) {
        self.state.settle().unwrap();
        let _ = self.state.backlog_bytes(); // It would underflow here.
        if self.writing.is_some() {
            return;
        }
        if self.state.ready(Role::Spill) {
            self.spiller = Spiller::Awake;
        } else if self.spiller == Spiller::Awake {
            self.spiller = Spiller::Asleep { timed: self.state.recheck_is_due() };
        }
        let left_alone = self.spiller == Spiller::Asleep { timed: false };
        assert!(!(left_alone && self.state.recheck_is_due()), "nobody will look at the full disk again");
    }

    /// A step, which is possible exactly when [`State::ready`] says so.
    fn step<T>(&mut self, role: Role, step: impl FnOnce(&mut State) -> Option<T>) -> Option<T> {
        let ready = self.state.ready(role);
        let outcome = step(&mut self.state);
        assert_eq!(outcome.is_some(), ready && !self.state.is_over(), "{role:?}");
        outcome
    }

    // ── intake ──

    fn bring(&mut self, len: u16) -> bool {
        if self.in_hand.is_none() {
            let chunk = self.take_back();
            self.in_hand = Some(self.fill(chunk, CHUNK_BYTES - usize::from(len) % 4000));
        }
        let mut chunk = self.in_hand.take();
        let accepted = self.step(Role::Intake, |state| state.accept(&mut chunk));
        self.in_hand = chunk;
        match accepted {
            None => false,
            Some(Accepted::Full(FullStep::Remove(Some(name)))) => {
                self.remove(Some(name));
                true
            }
            Some(_) => true,
        }
    }

    fn pause(&mut self, len: u16) -> bool {
        if self.in_hand.is_some() {
            return false;
        }
        let chunk = self.take_back();
        let len = chunk.len().max(1 + usize::from(len) % (CHUNK_BYTES - 1));
        let chunk = self.fill(chunk, len.max(4));
        self.state.stage(chunk);
        true
    }

    /// Intake looks before it reads on.
    fn bypass(&mut self, len: u16) -> bool {
        if self.in_hand.is_some() {
            return false;
        }
        let caught_up = |state: &mut State| (!state.lets_outflow_catch_up()).then(|| state.enter_bypass());
        if self.step(Role::CatchUp, caught_up) != Some(true) {
            return false;
        }
        assert!(self.going_out.is_none(), "what goes past everybody goes past nobody");
        self.missing += u64::from(self.brought - self.next_out);
        self.brought += 1;
        self.next_out = self.brought;
        self.state.leave_bypass(1 + u64::from(len));
        true
    }

    fn take_back(&mut self) -> Buffer {
        self.state.unstage().unwrap_or_else(|| self.pool.take())
    }

    /// Fills a chunk up to `len` bytes: its number, then more or less compressible ones.
    fn fill(&mut self, mut chunk: Buffer, len: usize) -> Buffer {
        if chunk.is_empty() {
            chunk.extend(&self.brought.to_le_bytes());
            self.brought += 1;
        }
        let number = u32::from_le_bytes(*chunk.filled().first_chunk().unwrap());
        while chunk.len() < len {
            chunk.extend(&[byte_at(number, chunk.len())]);
        }
        chunk
    }

    // ── encoders ──

    fn encode_begin(&mut self) -> bool {
        if self.encoding.len() == self.threads {
            return false;
        }
        let Some((job, _plan)) = self.step(Role::Encode, State::take_encode_job) else { return false };
        self.encoding.push((job, self.pool.take()));
        true
    }

    fn encode_end(&mut self, n: u16) -> bool {
        if self.encoding.is_empty() {
            return false;
        }
        let (job, mut stored) = self.encoding.swap_remove(usize::from(n) % self.encoding.len());
        let (codec, family) = [(Codec::Zstd(ZstdLevel::DEFAULT), Family::Zstd), (Codec::Lz4, Family::Lz4)]
            [usize::from((n / 16).is_multiple_of(16))];
        let raw = job.raw.filled();
        stored.advance(RECORD_BYTES);
        let encoded = Encoder::default().encode(codec, family, raw, stored.spare_mut());
        stored.advance(encoded.frame_len);
        let [raw_len, frame_len] = [raw.len(), encoded.frame_len].map(|len| u32::try_from(len).unwrap());
        let (raw_crc, frame_crc) = (crc32(raw), crc32(&stored.filled()[RECORD_BYTES..]));
        let info =
            ChunkInfo { offset: job.offset, raw_len, frame_len, raw_crc, frame_crc, codec: encoded.codec, family };
        let plan = Plan { codec, family };
        let outcome = Outcome { plan, stored: encoded.codec, raw_len, frame_len, cost_ns: 1 };
        let ticket = job.ticket();
        drop(job);
        self.state.encoded(ticket, StoredChunk::new(info, stored), &outcome);
        true
    }

    // ── the spiller ──

    fn spill_begin(&mut self) -> bool {
        if self.writing.is_some() {
            return false;
        }
        let mut blocks = Vec::new();
        match self.step(Role::Spill, |state| state.take_spill_job(1 << 20, &mut blocks)) {
            None => return false,
            Some(SpillJob::Release) => self.tail.finish(),
            Some(SpillJob::Write { newest, .. }) => self.writing = Some((blocks, newest)),
        }
        true
    }

    fn spill_end(&mut self, fate: Fate) -> bool {
        let Some((mut blocks, newest)) = self.writing.take() else { return false };
        self.spiller = Spiller::Awake;
        let segment_bytes = match fate {
            Fate::Done { segment_bytes } => u64::from(segment_bytes),
            Fate::Full => return self.is_full(blocks),
            Fate::FullAfterBegin => 0,
        };
        let (family, offset) = (blocks[0].family(), blocks[0].offset());
        if !self.tail.continues(family, segment_bytes, newest) {
            let segment = self.tail.begin(family, offset).unwrap();
            let drained = self.state.began_segment(segment);
            self.state.settle().unwrap();
            self.remove(drained);
        }
        if matches!(fate, Fate::FullAfterBegin) {
            return self.is_full(blocks);
        }
        let bytes = self.tail.append(&mut blocks).unwrap();
        let mut count = Count::default();
        for block in &blocks {
            count += block.count();
        }
        drop(blocks);
        self.state.spilled(count, bytes, 1.0);
        true
    }

    fn is_full(&mut self, mut blocks: Vec<Block>) -> bool {
        self.tail.finish();
        let name = self.state.spill_is_full(&mut blocks, FullReason::MaxDisk { limit_bytes: 0 });
        if let Some(name) = name {
            self.store.remove(name).unwrap();
        }
        true
    }

    fn recheck(&mut self) -> bool {
        let due = self.spiller == Spiller::Asleep { timed: true };
        if due {
            self.state.retry_spill();
            self.spiller = Spiller::Awake;
        }
        due
    }

    fn remove(&mut self, name: Option<SegmentName>) {
        if let Some(name) = name {
            self.store.remove(name).unwrap();
            self.state.retry_spill();
        }
    }

    // ── fetching and decoding ──

    fn fetch_begin(&mut self) -> bool {
        if self.fetching.is_some() {
            return false;
        }
        let Some(job) = self.step(Role::Fetch, State::take_fetch_job) else { return false };
        self.fetching = Some((job, self.pool.take()));
        true
    }

    fn fetch_end(&mut self) -> bool {
        let Some((job, frame)) = self.fetching.take() else { return false };
        let (chunk, byte) = self.head.next(&job.segment, frame).unwrap();
        let place = Place::Disk { segment: job.segment.name().number, byte };
        let drained = self.state.fetched(job.slot(), chunk, place);
        self.remove(drained);
        true
    }

    fn decode_begin(&mut self) -> bool {
        if self.decoding.len() == self.threads {
            return false;
        }
        let Some(job) = self.step(Role::Decode, State::take_decode_job) else { return false };
        self.decoding.push((job, self.pool.take()));
        true
    }

    fn decode_end(&mut self, n: u16) -> bool {
        if self.decoding.is_empty() {
            return false;
        }
        let (job, mut raw) = self.decoding.swap_remove(usize::from(n) % self.decoding.len());
        let slot = job.slot();
        let (chunk, info) = (&job.chunk, job.chunk.info);
        let len = info.raw_len as usize;
        let record = info.record(ChunkSeq(0));
        open_chunk(&record, info.family, chunk.frame(), &mut raw.spare_mut()[..len], &mut Decoder::default()).unwrap();
        raw.advance(len);
        drop(job);
        self.state.decoded(slot, raw);
        true
    }

    // ── outflow ──

    fn out_begin(&mut self) -> bool {
        if self.going_out.is_some() {
            return false;
        }
        let Some(chunk) = self.step(Role::Outflow, State::take_out) else { return false };
        let number = u32::from_le_bytes(*chunk.filled().first_chunk().unwrap());
        assert!(number >= self.next_out, "in order, and once");
        let whole = chunk.filled().iter().enumerate().skip(4).all(|(at, &byte)| byte == byte_at(number, at));
        assert!(whole, "chunk {number} is not what came in");
        self.missing += u64::from(number - self.next_out);
        self.next_out = number + 1;
        self.going_out = Some(chunk);
        self.output_is_full = false;
        true
    }

    fn out_end(&mut self) -> bool {
        let Some(chunk) = self.going_out.take() else { return false };
        drop(chunk);
        self.state.set_output_full(false);
        self.state.handed_out();
        true
    }

    fn output_full(&mut self, full: bool) -> bool {
        let changes = self.going_out.is_some() && self.output_is_full != full;
        if changes {
            self.output_is_full = full;
            self.state.set_output_full(full);
        }
        changes
    }

    // ── the end ──

    /// Everyone does what can be done until nothing can.
    fn drain(&mut self, fate: Fate) {
        for _ in 0..ROUNDS_MAX {
            let mut moved = self.in_hand.is_some() && self.play(Event::Bring(0));
            for event in [
                Event::EncodeBegin,
                Event::EncodeEnd(0),
                Event::SpillBegin,
                Event::SpillEnd(fate),
                Event::FetchBegin,
                Event::FetchEnd,
                Event::DecodeBegin,
                Event::DecodeEnd(0),
                Event::OutBegin,
                Event::OutEnd,
            ] {
                moved |= self.play(event);
            }
            if !moved && !self.play(Event::Recheck) {
                assert!(self.in_hand.is_some() || self.state.ready(Role::CatchUp), "intake waits for outflow for ever");
                return;
            }
        }
        panic!("it goes round and round");
    }

    fn end(mut self, fate: Fate) {
        self.drain(fate);
        assert!(self.in_hand.is_none(), "intake hangs");
        if let Some(chunk) = self.state.unstage() {
            self.in_hand = Some(chunk);
            self.drain(fate);
        }
        self.state.end_input();
        self.settle();
        self.drain(fate);
        assert!(self.state.is_over(), "it hangs at the end");
        self.missing += u64::from(self.brought - self.next_out);
        assert_eq!(self.state.dropped().chunks, self.missing, "what is missing was counted");
        assert_eq!((self.state.backlog_bytes(), self.state.disk_bytes(), self.pool.bytes_out()), (0, 0, 0));
        assert_eq!(self.store.list().unwrap(), []);
    }
}

/// Every third chunk does not compress, so that blocks hold one frame or many.
fn byte_at(number: u32, at: usize) -> u8 {
    let mixed = (u64::from(number) << 32 | at as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    if number.is_multiple_of(3) {
        (mixed ^ mixed >> 29).wrapping_mul(0xBF58_476D_1CE4_E5B9).to_be_bytes()[0]
    } else {
        number.to_le_bytes()[0]
    }
}

fn bounds() -> impl Strategy<Value = Bounds> {
    (1..4usize, 1..5usize, BLOCKS_MIN..12, 1..6usize).prop_map(|(threads, window, ring, encode_queue)| {
        Bounds::of_shares(threads, [window, ring, encode_queue], [CHUNK_BYTES, BUFFER_BYTES])
    })
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        3 => (0..30_000u16).prop_map(|segment_bytes| Fate::Done { segment_bytes }),
        1 => Just(Fate::Full),
        2 => Just(Fate::FullAfterBegin),
    ]
}

/// The more often the consumer's side has its turn, the nearer to empty everything is.
fn event(consumer: u32) -> impl Strategy<Value = Event> {
    prop_oneof![
        8 => any::<u16>().prop_map(Event::Bring),
        1 => any::<u16>().prop_map(Event::Pause),
        2 => any::<u16>().prop_map(Event::Bypass),
        6 => Just(Event::EncodeBegin),
        6 => any::<u16>().prop_map(Event::EncodeEnd),
        3 => Just(Event::SpillBegin),
        // A write is slow.
        1 => fate().prop_map(Event::SpillEnd),
        1 => Just(Event::Recheck),
        consumer => Just(Event::FetchBegin),
        consumer => Just(Event::FetchEnd),
        consumer => Just(Event::DecodeBegin),
        consumer => any::<u16>().prop_map(Event::DecodeEnd),
        consumer => Just(Event::OutBegin),
        consumer => Just(Event::OutEnd),
        1 => any::<bool>().prop_map(Event::OutputFull),
    ]
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let events = |consumer| prop::collection::vec(event(consumer), 0..600);
    prop_oneof![events(2), events(6), events(12), events(24)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn any_order_of_steps_keeps_the_bytes_in_order_and_comes_to_an_end(
        bounds in bounds(),
        when_full in prop::sample::select(vec![WhenFull::Block, WhenFull::DropOldest, WhenFull::DropNew]),
        events in events(),
        at_the_end in fate(),
    ) {
        let store = MemoryStore::new();
        let mut model = Model::new(bounds, when_full, &store);
        for event in events {
            model.play(event);
        }
        model.end(at_the_end);
    }
}
