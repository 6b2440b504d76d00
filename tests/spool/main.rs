//! The spool as a library: what goes in comes out, once, in order, whoever dies in between.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod linger;
mod many;
mod round_trip;

use spillpipe::codec::{Choice, Codec, ZstdLevel};
use spillpipe::format::EndState;
use spillpipe::spool::{Damage, Ended, Gap, Next, Reader, ReaderOptions, Spool, Sync, WriterOptions};
use std::io::Write;
use std::time::Duration;

/// Options under which nothing happens but in the caller's thread, when it is asked for.
fn plain() -> WriterOptions {
    let mut options = WriterOptions::default();
    (options.threads, options.linger, options.sync) = (0, None, Sync::Asked);
    options.codec = Choice::Fixed(Codec::Zstd(ZstdLevel::FASTEST));
    options.min_free = spillpipe::spool::Headroom::Bytes(0);
    options
}

/// What a reader met.
#[derive(Debug, Default, PartialEq, Eq)]
struct Met {
    bytes: Vec<u8>,
    gaps: Vec<Gap>,
    damages: Vec<Damage>,
    ends: Vec<Ended>,
}

/// Reads and acknowledges all there is.
fn drain(reader: &mut Reader) -> Met {
    let mut met = Met::default();
    loop {
        match reader.next().expect("it can be read") {
            Next::Data(data) => met.bytes.extend_from_slice(data.bytes),
            Next::Gap(gap) => met.gaps.push(gap),
            Next::Damage(damage) => met.damages.push(damage),
            Next::End(ended) => met.ends.push(ended),
            Next::Empty { .. } => break,
        }
        let place = reader.position();
        reader.ack(place).expect("it can be acknowledged");
    }
    met
}

/// Reads under the name "default" what there is.
fn pop(spool: &Spool) -> Met {
    let mut reader = spool.reader("default", ReaderOptions::default()).expect("a reader");
    let met = drain(&mut reader);
    reader.close().expect("a cursor");
    met
}

/// Writes a whole stream.
fn push(spool: &Spool, options: &WriterOptions, bytes: &[u8], end: EndState) {
    let mut writer = spool.writer(options.clone()).expect("a writer");
    writer.write_all(bytes).expect("it takes all");
    writer.finish(end).expect("it is finished");
}

/// Text that compresses, and tells where in it a byte is.
fn text(bytes: usize) -> Vec<u8> {
    (0u64..).flat_map(|n| format!("line {n} of a text that goes on and on\n").into_bytes()).take(bytes).collect()
}

const SOON: Duration = Duration::from_millis(10);
