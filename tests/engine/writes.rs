//! What reaches the store does so in few large writes.

use crate::common::{MIB, noise};
use crate::store::{Interfere, Interfered};
use crate::transfer::{options, spill_then_drain};
use spillpipe::store::SegmentName;
use std::io;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Counts the writes of chunks; a segment's header is one of its own.
#[derive(Default)]
struct Counting {
    writes: AtomicUsize,
    bytes: AtomicUsize,
}

impl Interfere for Counting {
    fn append(&self, _: SegmentName, bytes: usize) -> io::Result<()> {
        if bytes > 1000 {
            self.writes.fetch_add(1, Relaxed);
            self.bytes.fetch_add(bytes, Relaxed);
        }
        Ok(())
    }
}

#[test]
fn a_store_that_is_faster_than_the_producer_gets_no_small_writes() {
    let input: Arc<[u8]> = noise(14, 32 * MIB).into();
    let mut options = options();
    options.memory_bytes = 16 * MIB;
    options.read_rate = NonZeroU64::new(64 << 20);
    let store = Arc::new(Counting::default());
    let outcome = spill_then_drain(options, Interfered::boxed(&store), &input);
    outcome.result.expect("nothing fails");
    let (writes, bytes) = (store.writes.load(Relaxed), store.bytes.load(Relaxed));
    assert!(bytes > 8 * MIB, "{bytes} bytes");
    assert!(bytes / writes >= MIB / 4, "{writes} writes of {} bytes each", bytes / writes);
}
