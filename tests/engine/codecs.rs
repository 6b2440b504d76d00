//! The codecs in the engine: how long a slow one may hold up what could go out.

use crate::common::mixed;
use crate::transfer::{options, pile_up_then_drain};
use spillpipe::store::MemoryStore;

#[test]
fn a_slow_codec_does_not_hold_up_a_consumer_that_caught_up() {
    let mut options = options();
    options.codec = "zstd:19".parse().expect("a codec");
    options.memory_bytes = 32 << 20;
    let input = mixed(1, 24 << 20).into();
    let outcome = pile_up_then_drain(options, Box::new(MemoryStore::new()), &input);
    let figures = outcome.result.expect("nothing fails");
    assert!(outcome.output == *input);
    let encoded: u64 = figures.chunks.iter().sum();
    assert!(encoded <= 24 * 16 / 2, "{encoded} chunks waited for zstd:19, though they could have gone out");
}
