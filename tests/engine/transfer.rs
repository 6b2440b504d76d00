//! Sends bytes through a pipe whose consumer first lets everything pile up.

use crate::common::{PATIENCE, holds_within, thread, wait_until_calm, within};
use spillpipe::pipe::{Error, Headroom, MEMORY_BYTES_MIN, Options, Pipe, Snapshot};
use spillpipe::store::Store;
use std::io::{Read, Write, pipe};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::sync_channel;
use std::time::Duration;

/// What came of it.
pub(crate) struct Outcome {
    pub(crate) result: Result<Snapshot, Error>,
    pub(crate) output: Vec<u8>,
    /// When the consumer began to read.
    pub(crate) piled_up: Snapshot,
}

/// The least memory, so that little data suffices to spill, and every chunk as it is.
pub(crate) fn options() -> Options {
    let mut options = Options::default();
    options.memory_bytes = MEMORY_BYTES_MIN;
    options.chunk_bytes = 64 << 10;
    options.codec = "none".parse().expect("a codec");
    options.threads = 1;
    options.spill.min_free = Headroom::Bytes(0);
    options
}

/// Sends `input` through; the consumer begins to read when nothing moves any more.
pub(crate) fn pile_up_then_drain(options: Options, store: Box<dyn Store>, input: &Arc<[u8]>) -> Outcome {
    transfer(options, store, input, 0)
}

/// The same, with something on disk for sure.
pub(crate) fn spill_then_drain(options: Options, store: Box<dyn Store>, input: &Arc<[u8]>) -> Outcome {
    transfer(options, store, input, 1)
}

fn transfer(options: Options, store: Box<dyn Store>, input: &Arc<[u8]>, spilled_bytes_min: u64) -> Outcome {
    let input = Arc::clone(input);
    within(PATIENCE, move || {
        let pipe_under_test = Pipe::new(options).expect("valid options").store(store);
        let meter = pipe_under_test.meter();
        let (source, mut producer) = pipe().expect("a pipe");
        let (mut consumer, sink) = pipe().expect("a pipe");
        // The engine may give up before it has read all: then the write fails, which is as it should be. The end of
        // the input comes after the pile: from then on nothing is spilled any more.
        let empty = input.is_empty();
        let (piled, all_piled) = sync_channel::<()>(1);
        let feeding = thread(move || {
            let _ = producer.write_all(&input);
            let _ = all_piled.recv();
        });
        let ended = Arc::new(AtomicBool::new(false));
        let engine = {
            let ended = Arc::clone(&ended);
            thread(move || {
                let result = pipe_under_test.run(&source, &sink);
                ended.store(true, Relaxed);
                result
            })
        };
        let begun = || meter.snapshot().bytes_in > 0 || empty || ended.load(Relaxed);
        assert!(holds_within(PATIENCE, begun), "the engine does not begin");
        let spilled = || meter.snapshot().spilled_bytes >= spilled_bytes_min || ended.load(Relaxed);
        assert!(holds_within(PATIENCE, spilled), "so much does not fit into memory");
        let level = || {
            let now = meter.snapshot();
            (now.bytes_in, now.spilled_bytes, ended.load(Relaxed))
        };
        wait_until_calm(Duration::from_millis(25), level);
        let piled_up = meter.snapshot();
        drop(piled);
        let mut output = Vec::new();
        consumer.read_to_end(&mut output).expect("a pipe can be read");
        let result = engine.join().expect("the engine does not panic");
        feeding.join().expect("the producer does not panic");
        Outcome { result, output, piled_up }
    })
}
