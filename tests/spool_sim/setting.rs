//! A spool on a simulated disk, with everything in the caller's hands, and what is written to it.

use spillpipe::codec::{Choice, Codec, ZstdLevel};
use spillpipe::spool::{Error, Headroom, ReaderOptions, Spool, Sync, WhenFull, WriterOptions};
use spillpipe::store::SimStore;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Options under which nothing happens but in the caller's thread, when it is asked for; with small segments.
pub(crate) fn plain() -> WriterOptions {
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
pub(crate) fn at_once() -> ReaderOptions {
    let mut options = ReaderOptions::default();
    options.ack_interval = Duration::ZERO;
    options
}

pub(crate) fn open(disk: &SimStore) -> Result<Spool, Error> {
    Spool::create_in(Arc::new(disk.clone()), Path::new("dir"))
}

/// The byte at this place of the stream, as the writer of this number writes it. Runs of equal bytes compress, a little.
fn byte_at(writer: u64, offset: u64) -> u8 {
    let mixed = (writer << 40 | (offset / 5)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed >> 56) as u8
}

pub(crate) fn bytes_at(writer: u64, from: u64, len: u64) -> Vec<u8> {
    (from..from + len).map(|offset| byte_at(writer, offset)).collect()
}
