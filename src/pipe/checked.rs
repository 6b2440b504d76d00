//! The engine under shuttle: every stage as it is, a thread each, on ends and a disk that are played, in one
//! interleaving after another.
//!
//! What must hold in each: it comes to an end (shuttle reports a deadlock, and steps without end); what came out is
//! what went in, in order, to the last byte if nothing failed; a failure of any stage ends all of them, and is what is
//! reported; no buffer is lost.
//!
//! `RUSTFLAGS="--cfg shuttle" cargo test --lib --no-default-features --release pipe::checked`

use super::bounds::Bounds;
use super::disk::Disk;
use super::ends::Ends;
use super::event::Error;
use super::intake::Intake;
use super::monitor::Monitor;
use super::outflow::Outflow;
use super::pacer::Pacer;
use super::run_stages;
use super::state::State;
use crate::codec::{Choice, Codec, Policy};
use crate::ring::WhenFull;
use crate::ring::{BLOCKS_MIN, DiskLimits, Headroom, Pool};
use crate::store::{Fault, SimStore};
use crate::sync::{Mutex, lock};
use crate::sys::poll::{Stop, Wake};
use crate::sys::stream::Spliced;
use shuttle::rand::{Rng, thread_rng};
use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::thread::yield_now;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const CHUNK_BYTES: usize = 256;
/// A record, the frame of a chunk, and more.
const BUFFER_BYTES: usize = 1024;
/// What a played kernel pipe holds.
const PIPE_BYTES: u64 = 600;
const RUNS: usize = 2000;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    None,
    /// The input cannot be read from there on.
    Input(u64),
    /// The consumer leaves when it has read so much.
    Consumer(u64),
    /// That operation of the store, and all after it, fail.
    Store(u64),
    /// The disk has so little room, and more after a while.
    Full(u64),
}

/// Two kernel pipes. Byte `n` of the stream is a function of `n`, so places are all there is to keep.
struct Played {
    places: Mutex<Places>,
    len: u64,
    trouble: Trouble,
    splices: bool,
}

#[derive(Default)]
struct Places {
    /// What the producer wrote, the engine took, the engine handed out, the consumer read.
    written: u64,
    taken: u64,
    out: u64,
    read: u64,
}

fn byte_at(place: u64) -> u8 {
    // Chunks that compress and chunks that do not.
    if place / 700 % 2 == 0 {
        (place / 50).to_le_bytes()[0]
    } else {
        (place.wrapping_mul(0x9E37_79B9) >> 13).to_le_bytes()[0]
    }
}

impl Played {
    fn consumer_left(&self, places: &Places) -> bool {
        matches!(self.trouble, Trouble::Consumer(at) if places.read >= at)
    }

    fn ended(&self, places: &Places) -> bool {
        places.taken == self.len
    }

    /// What a read, or a splice, may take; 0 at the end.
    fn readable(&self, places: &Places) -> Result<Option<u64>, Error> {
        if matches!(self.trouble, Trouble::Input(at) if places.taken >= at) {
            return Err(Error::Input(ErrorKind::ConnectionReset.into()));
        }
        let n = places.written - places.taken;
        Ok((n > 0 || self.ended(places)).then_some(n))
    }

    /// The producer and the consumer, each a thread: they write and read what they can, at random.
    fn peer(&self, over: &dyn Fn() -> bool, mut step: impl FnMut(&mut Places) -> bool) {
        while !over() && step(&mut lock(&self.places)) {
            yield_now();
        }
    }

    fn produce(&self, over: &dyn Fn() -> bool) {
        self.peer(over, |places| {
            let room = PIPE_BYTES - (places.written - places.taken);
            places.written += thread_rng().gen_range(0..=room.min(self.len - places.written));
            places.written < self.len
        });
    }

    fn consume(&self, over: &dyn Fn() -> bool) {
        self.peer(over, |places| {
            places.read += thread_rng().gen_range(0..=places.out - places.read);
            places.read < self.len && !self.consumer_left(places)
        });
    }

    fn wait(&self, stop: &Stop, ready: impl Fn(&Places) -> Option<Wake>) -> Wake {
        loop {
            if let Some(wake) = ready(&lock(&self.places)) {
                return wake;
            }
            if is_raised(stop) {
                return Wake::Stopped;
            }
            yield_now();
        }
    }
}

fn is_raised(stop: &Stop) -> bool {
    stop.sleep(Duration::ZERO).expect("it can be looked at") == Wake::Stopped
}

impl Ends for Played {
    fn try_read(&self, buf: &mut [u8]) -> Result<Option<usize>, Error> {
        let mut places = lock(&self.places);
        let Some(readable) = self.readable(&places)? else { return Ok(None) };
        let n = buf.len().min(usize::try_from(readable).expect("small"));
        for byte in &mut buf[..n] {
            *byte = byte_at(places.taken);
            places.taken += 1;
        }
        Ok(Some(n))
    }

    fn try_write(&self, bytes: &[u8]) -> Result<Option<usize>, Error> {
        let mut places = lock(&self.places);
        if self.consumer_left(&places) {
            return Err(Error::OutputClosed);
        }
        let room = usize::try_from(PIPE_BYTES - (places.out - places.read)).expect("small");
        if room == 0 {
            return Ok(None);
        }
        let n = bytes.len().min(room);
        for &byte in &bytes[..n] {
            assert_eq!(byte, byte_at(places.out), "byte {} is not what came in", places.out);
            places.out += 1;
        }
        Ok(Some(n))
    }

    fn try_splice(&self, len: usize) -> Result<Spliced, Error> {
        if !self.splices {
            return Ok(Spliced::Unfit);
        }
        let mut places = lock(&self.places);
        if self.consumer_left(&places) {
            return Ok(Spliced::Unfit);
        }
        let room = PIPE_BYTES - (places.out - places.read);
        let n = match self.readable(&places)? {
            None => return Ok(Spliced::WouldBlock),
            Some(0) => return Ok(Spliced::Ended),
            Some(_) if room == 0 => return Ok(Spliced::WouldBlock),
            Some(readable) => readable.min(room).min(len as u64),
        };
        assert_eq!(places.out, places.taken, "what goes past everybody goes past nobody");
        (places.taken, places.out) = (places.taken + n, places.out + n);
        Ok(Spliced::Moved(usize::try_from(n).expect("small")))
    }

    fn wait_for_input(&self, stop: &Stop) -> Result<Wake, Error> {
        Ok(self.wait(stop, |places| match self.readable(places) {
            Ok(None) if self.consumer_left(places) => Some(Wake::OutputClosed),
            Ok(None) => None,
            Ok(Some(_)) | Err(_) => Some(Wake::Ready),
        }))
    }

    fn wait_for_room(&self, stop: &Stop, timeout: Option<Duration>) -> Result<Wake, Error> {
        Ok(self.wait(stop, |places| {
            if self.consumer_left(places) || places.out - places.read < PIPE_BYTES {
                Some(Wake::Ready)
            } else {
                timeout.map(|_| Wake::TimedOut)
            }
        }))
    }

    fn may_splice(&self) -> bool {
        self.splices
    }

    fn input_is_filling(&self) -> bool {
        thread_rng().r#gen()
    }
}

/// One run, in the interleaving that shuttle is at.
fn run(splices: bool, when_full: WhenFull, trouble: fn() -> Trouble) {
    let trouble = trouble();
    let played = &Played { places: Mutex::default(), len: thread_rng().gen_range(0..12_000), trouble, splices };
    let store = &SimStore::new(1);
    match trouble {
        Trouble::Store(n) => store.fail_nth(n, Fault::Eio, true),
        Trouble::Full(bytes) => store.set_capacity(Some(bytes)),
        Trouble::None | Trouble::Input(_) | Trouble::Consumer(_) => {}
    }
    let bounds = Bounds::of_shares(thread_rng().gen_range(1..=2), [2, BLOCKS_MIN + 1, 2], [CHUNK_BYTES, BUFFER_BYTES]);
    let pool = Pool::new(bounds.buffer_bytes, bounds.buffers);
    let codec = Choice::Fixed([Codec::Raw, Codec::Lz4][thread_rng().gen_range(0..2)]);
    let state = State::new(bounds, Arc::clone(&pool), Policy::new(codec, CHUNK_BYTES), when_full);
    let monitor = &Monitor::new(state, Arc::clone(&pool), Arc::default(), Stop::new().expect("a descriptor"));
    let (dir, on_event): (_, super::OnEvent) = (Path::new("played"), Box::new(|_| {}));
    let limits = DiskLimits { max_disk_bytes: None, min_free: Headroom::Bytes(0), segments_max: 100 };
    let pacer = || Pacer::new(None);
    let chunk_bytes = CHUNK_BYTES;
    let intake =
        Intake { monitor, ends: played, pacer: pacer(), bypass: splices, chunk_bytes, store, dir, on_event: &on_event };
    let outflow = Outflow { monitor, ends: played, pacer: pacer(), tap: None };
    let disk = Disk { monitor, store, dir, tmpfs: false, limits, chunk_bytes, on_event: &on_event };
    shuttle::thread::scope(|scope| {
        let over = || is_raised(monitor.stop());
        scope.spawn(move || played.produce(&over));
        scope.spawn(move || played.consume(&over));
        if let Trouble::Full(_) = trouble {
            // Shuttle's timeouts never come; this is the one that looks at a full disk again.
            scope.spawn(move || {
                while !over() {
                    store.set_capacity(Some(thread_rng().gen_range(0..20_000)));
                    monitor.update(State::retry_spill);
                    yield_now();
                }
            });
        }
        // On a thread of its own: the end of an outer scope's last thread would end shuttle's waiting for the inner
        // one.
        scope.spawn(move || run_stages(bounds.threads, intake, outflow, disk));
    });
    monitor.update(|_| ());
    let (error, places) = (monitor.take_error(), lock(&played.places));
    let as_it_should = match (&error, trouble) {
        (None, _) => places.out == played.len,
        (Some(Error::Input(_)), Trouble::Input(_)) => places.out == places.taken,
        (Some(Error::OutputClosed), Trouble::Consumer(_)) | (Some(Error::Spill { .. }), Trouble::Store(_)) => true,
        (Some(_), _) => false,
    };
    assert!(as_it_should, "{trouble:?}: {error:?}, {} of {} bytes", places.out, played.len);
    drop(monitor.update(State::unstage));
    assert!(!matches!(error, None | Some(Error::Input(_))) || pool.bytes_out() == 0, "a buffer is lost");
}

fn check(test: impl Fn() + Send + Sync + Clone + 'static) {
    let config = || {
        let mut config = shuttle::Config::new();
        config.max_steps = shuttle::MaxSteps::FailAfter(2_000_000);
        config.stack_size = 2 << 20;
        config
    };
    shuttle::Runner::new(RandomScheduler::new(RUNS), config()).run(test.clone());
    shuttle::Runner::new(PctScheduler::new(3, RUNS / 4), config()).run(test);
}

#[test]
fn checked_with_the_bypass() {
    check(|| run(true, WhenFull::Block, || Trouble::None));
}

#[test]
fn checked_without_the_bypass() {
    check(|| run(false, WhenFull::Block, || Trouble::None));
}

#[test]
fn checked_with_a_failing_input() {
    check(|| run(true, WhenFull::Block, || Trouble::Input(thread_rng().gen_range(0..12_000))));
}

#[test]
fn checked_with_a_consumer_that_leaves() {
    check(|| run(true, WhenFull::Block, || Trouble::Consumer(thread_rng().gen_range(0..12_000))));
}

#[test]
fn checked_with_a_failing_disk() {
    check(|| run(true, WhenFull::Block, || Trouble::Store(thread_rng().gen_range(1..30))));
}

#[test]
fn checked_with_a_full_disk() {
    check(|| run(true, WhenFull::Block, || Trouble::Full(thread_rng().gen_range(0..5000))));
}
