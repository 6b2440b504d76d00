//! Random stalls and sizes on both sides: whatever the timing, what comes out is what went in.

use crate::common::{MIB, PATIENCE, holds_within, mixed, noise, thread, within};
use crate::transfer::options;
use proptest::prelude::*;
use spillpipe::pipe::{Pipe, Snapshot};
use spillpipe::store::{MemoryStore, SimStore, Store};
use std::io::{Read, Write, pipe};
use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;

/// One move of a peer: so many bytes, then a rest.
#[derive(Clone, Debug)]
struct Move {
    bytes: usize,
    rest: Duration,
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let bytes = prop_oneof![1 => 1..100usize, 3 => 1_000..100_000usize, 2 => 100_000..3_000_000usize];
    let rest = prop_oneof![4 => Just(0), 1 => 0..2_000u64, 1 => 0..20_000u64].prop_map(Duration::from_micros);
    prop::collection::vec((bytes, rest).prop_map(|(bytes, rest)| Move { bytes, rest }), 1..40)
}

fn codecs() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["auto", "none", "lz4", "zstd:1"])
}

#[derive(Clone, Debug)]
struct Case {
    seed: u64,
    input_bytes: usize,
    chunk_bytes: usize,
    codec: &'static str,
    threads: usize,
    capacity: Option<u64>,
    writes: Vec<Move>,
    reads: Vec<Move>,
}

fn cases() -> impl Strategy<Value = Case> {
    let capacity = prop_oneof![3 => Just(None), 1 => (0..6u64 << 20).prop_map(Some)];
    let chunk = prop::sample::select(vec![4 << 10, 10_000, 64 << 10]);
    let sizes = (any::<u32>(), 0..10usize << 20, chunk, 1..4usize);
    (sizes, codecs(), capacity, moves(), moves()).prop_map(|(sizes, codec, capacity, writes, reads)| {
        let (seed, input_bytes, chunk_bytes, threads) = sizes;
        Case { seed: seed.into(), input_bytes, chunk_bytes, codec, threads, capacity, writes, reads }
    })
}

/// All the rests of a peer together: 10 MB in pieces of a few bytes would take hours.
const RESTS_MAX: Duration = Duration::from_secs(2);

fn take_a_rest(time: Duration, patience: &mut Duration) {
    let time = time.min(*patience);
    *patience -= time;
    sleep(time);
}

fn run(case: Case) -> (Arc<[u8]>, Vec<u8>) {
    let input: Arc<[u8]> = mixed(case.seed, case.input_bytes).into();
    let sent = Arc::clone(&input);
    let output = within(PATIENCE, move || {
        let mut options = options();
        options.chunk_bytes = case.chunk_bytes;
        options.codec = case.codec.parse().expect("a codec");
        options.threads = case.threads;
        let store: Box<dyn Store> = match case.capacity {
            None => Box::new(MemoryStore::new()),
            Some(bytes) => {
                let disk = SimStore::new(case.seed);
                disk.set_capacity(Some(bytes));
                Box::new(disk)
            }
        };
        let under_test = Pipe::new(options).expect("valid options").store(store);
        let (source, mut producer) = pipe().expect("a pipe");
        let (mut consumer, sink) = pipe().expect("a pipe");
        let engine = thread(move || under_test.run(&source, &sink));
        let writes = case.writes;
        let feeding = thread(move || {
            let (mut rest, mut patience) = (&input[..], RESTS_MAX);
            for step in writes.iter().cycle() {
                let (now, later) = rest.split_at(step.bytes.min(rest.len()));
                producer.write_all(now).expect("the engine reads");
                rest = later;
                if rest.is_empty() {
                    break;
                }
                take_a_rest(step.rest, &mut patience);
            }
        });
        let (mut output, mut patience) = (Vec::new(), RESTS_MAX);
        for step in case.reads.iter().cycle() {
            let wanted = u64::try_from(step.bytes).expect("small");
            if consumer.by_ref().take(wanted).read_to_end(&mut output).expect("a pipe can be read") == 0 {
                break;
            }
            take_a_rest(step.rest, &mut patience);
        }
        feeding.join().expect("the producer does not panic");
        let end = engine.join().expect("the engine does not panic").expect("nothing fails");
        assert_eq!((end.bytes_in, end.bytes_out), (case.input_bytes as u64, case.input_bytes as u64));
        assert_eq!((end.backlog_bytes, end.disk_bytes, end.memory_bytes), (0, 0, 0), "all of it is given back");
        output
    });
    (sent, output)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, max_shrink_iters: 30, ..ProptestConfig::default() })]

    #[test]
    fn what_comes_out_is_what_went_in(case in cases()) {
        let (sent, output) = run(case);
        prop_assert!(sent[..] == output[..], "{} of {} bytes", output.len(), sent.len());
    }
}

#[test]
fn a_wait_is_seen_while_it_lasts() {
    for splice in [true, false] {
        let mut options = options();
        options.splice = splice;
        let engine = Pipe::new(options).expect("valid options").store(Box::new(MemoryStore::new()));
        let meter = engine.meter();
        let (source, mut producer) = pipe().expect("a pipe");
        let (consumer, sink) = pipe().expect("a pipe");
        let running = thread(move || engine.run(source, sink));
        let grows = |time: fn(&Snapshot) -> Duration| {
            let before = time(&meter.snapshot());
            holds_within(PATIENCE, || time(&meter.snapshot()) > before + Duration::from_millis(100))
        };
        assert!(grows(|now| now.consumer_waited), "splice {splice}: the producer is silent");
        producer.write_all(&noise(31, 3 * MIB)).expect("it is taken in");
        let taken = || meter.snapshot().bytes_in == 3 * MIB as u64;
        assert!(holds_within(PATIENCE, taken) && grows(|now| now.output_blocked), "splice {splice}: nobody reads");
        drop((producer, consumer));
        running.join().expect("no panic").expect_err("the consumer left");
    }
}
