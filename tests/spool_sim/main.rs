//! The spool on a simulated disk that loses its power, fails and rots: whatever happens below it, what it hands out is
//! what was written at that place, and what was acknowledged either way stays so.

#![expect(clippy::cast_possible_truncation, reason = "the streams are some hundred kilobytes long")]

mod crash;
mod faults;
mod ledger;
mod life;
mod model;
mod mutation;

use ledger::Ledger;
use spillpipe::codec::{Choice, Codec, ZstdLevel};
use spillpipe::spool::{Error, Headroom, ReaderOptions, Spool, Sync, WhenFull, WriterOptions};
use spillpipe::store::SimStore;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

/// Options under which nothing happens but in the caller's thread, when it is asked for; with small segments.
fn plain() -> WriterOptions {
    let mut options = WriterOptions::default();
    (options.threads, options.linger, options.sync) = (0, None, Sync::Asked);
    options.codec = Choice::Fixed(Codec::Zstd(ZstdLevel::FASTEST));
    options.min_free = Headroom::Bytes(0);
    options.chunk_bytes = 4096;
    options.max_disk_bytes = Some(256 << 10);
    options.when_full = WhenFull::Fail;
    options
}

/// Each acknowledgement is durable before the call returns.
fn at_once() -> ReaderOptions {
    let mut options = ReaderOptions::default();
    options.ack_interval = Duration::ZERO;
    options
}

fn open(disk: &SimStore) -> Result<Spool, Error> {
    Spool::create_in(Arc::new(disk.clone()), Path::new("dir"))
}

/// The byte at this place of the stream, as the writer of this number writes it. Runs of equal bytes compress, a little.
fn byte_at(writer: u64, offset: u64) -> u8 {
    let mixed = (writer << 40 | (offset / 5)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed >> 56) as u8
}

fn bytes_at(writer: u64, from: u64, len: u64) -> Vec<u8> {
    (from..from + len).map(|offset| byte_at(writer, offset)).collect()
}

/// Runs the cases in a thread of their own; one that takes longer than this hangs.
const CASE_TIME_MAX: Duration = Duration::from_secs(20);

/// Runs `case` for 1, 2, … until it says that there are no more, or one panics or hangs. Returns how many there were.
fn each(what: &str, case: impl Fn(u64) -> bool + Send + 'static) -> u64 {
    let (sender, results) = sync_channel(1);
    let run = move || {
        for n in 1.. {
            let more = case(n);
            if sender.send((n, more)).is_err() || !more {
                return;
            }
        }
    };
    let cases = std::thread::Builder::new().spawn(run).expect("a thread");
    let mut last = 0;
    loop {
        match results.recv_timeout(CASE_TIME_MAX) {
            Ok((n, false)) => break last = n,
            Ok((n, true)) => last = n,
            Err(RecvTimeoutError::Timeout) => panic!("{what}: number {} hangs", last + 1),
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    if let Err(panic) = cases.join() {
        eprintln!("{what}: at number {}", last + 1);
        std::panic::resume_unwind(panic);
    }
    last
}
