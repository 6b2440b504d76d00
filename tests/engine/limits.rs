//! Bounds that are kept: disk, memory, descriptors; and what is dropped under which policy.

use super::{noise, run, sleeps_first, small, text};
use spillpipe::codec::{Choice, Codec, TABLE};
use spillpipe::pipe::{Error, WhenFull};
use spillpipe::store::MemoryStore;

const CHUNK: usize = 64 << 10;

#[test]
fn every_codec_brings_back_what_went_in() {
    let mut input = text(6 << 20);
    input.extend(noise(3 << 20));
    input.extend(vec![0; 3 << 20]);
    for codec in TABLE.iter().map(|row| Choice::Fixed(row.example)).chain([Choice::Auto]) {
        for chunk_bytes in [4 << 10, 50_000, 256 << 10] {
            let mut options = small();
            (options.codec, options.chunk_bytes) = (codec, chunk_bytes);
            let (result, out) = run(options, Box::new(MemoryStore::new()), &input, sleeps_first);
            let figures = result.expect("nothing fails");
            assert!(out == input, "{codec} in chunks of {chunk_bytes}");
            assert!(figures.segments > 0, "{codec}: it spilled");
            assert_eq!(figures.backlog_bytes + figures.disk_bytes, 0, "{codec}: all is drained");
            assert!(figures.memory_bytes_peak <= 4 << 20, "{codec}: {}", figures.memory_bytes_peak);
        }
    }
}

#[test]
fn a_limit_on_disk_is_kept_and_the_producer_waits() {
    let input = noise(16 << 20);
    for limit in [0, 1000, 100_000, 1 << 20, 5 << 20] {
        let mut options = small();
        options.spill.max_disk_bytes = Some(limit);
        let (result, out) = run(options, Box::new(MemoryStore::new()), &input, sleeps_first);
        let figures = result.expect("waiting is no error");
        assert!(out == input, "limit {limit}");
        assert!(figures.disk_bytes_peak <= limit, "limit {limit}: {}", figures.disk_bytes_peak);
        assert!(!figures.producer_waited.is_zero(), "limit {limit}");
    }
}

#[test]
fn fail_ends_it_when_neither_disk_nor_memory_takes_more() {
    let mut options = small();
    (options.spill.max_disk_bytes, options.spill.when_full) = (Some(1 << 20), WhenFull::Fail);
    let input = noise(16 << 20);
    let (result, out) = run(options, Box::new(MemoryStore::new()), &input, sleeps_first);
    assert!(matches!(result, Err(Error::Full { .. })), "{result:?}");
    assert!(input.starts_with(&out));
}

/// Chunks of `len` bytes whose every 8 bytes are the number of the chunk.
fn numbered(chunks: u64) -> Vec<u8> {
    (0..chunks).flat_map(|n| std::iter::repeat_n(n.to_le_bytes(), CHUNK / 8)).flatten().collect()
}

/// The numbers of the chunks, each of which must be whole and in order.
fn numbers(out: &[u8]) -> Vec<u64> {
    let (words, rest) = out.as_chunks::<8>();
    assert!(rest.is_empty());
    let words: Vec<u64> = words.iter().map(|word| u64::from_le_bytes(*word)).collect();
    let mut runs: Vec<(u64, usize)> = Vec::new();
    for word in words {
        match runs.last_mut() {
            Some((n, count)) if *n == word => *count += 1,
            _ => runs.push((word, 1)),
        }
    }
    assert!(runs.windows(2).all(|pair| pair[0].0 < pair[1].0), "in order");
    runs.into_iter().map(|(n, count)| (n, assert_eq!(count * 8, CHUNK, "chunk {n} is whole")).0).collect()
}

/// What is left of 400 numbered chunks when there is no room for most of them.
fn dropped(when_full: WhenFull, max_disk_bytes: u64) -> Vec<u64> {
    let mut options = small();
    options.codec = Choice::Fixed(Codec::Raw);
    options.chunk_bytes = CHUNK;
    (options.spill.max_disk_bytes, options.spill.when_full) = (Some(max_disk_bytes), when_full);
    let input = numbered(400);
    let (result, out) = run(options, Box::new(MemoryStore::new()), &input, |consumer| {
        std::thread::sleep(std::time::Duration::from_millis(300));
        sleeps_first(consumer)
    });
    let figures = result.expect("dropping is no error");
    assert_eq!(figures.bytes_in, input.len() as u64);
    assert_eq!(figures.bytes_in, figures.bytes_out + figures.dropped_bytes, "{figures:?}");
    assert_eq!(figures.dropped_bytes, figures.dropped_chunks * CHUNK as u64);
    assert!(figures.dropped_chunks > 0, "there was no room");
    assert!(figures.producer_waited.as_secs_f64() < 0.2, "dropping is for producers that must not wait");
    numbers(&out)
}

#[test]
fn drop_oldest_keeps_the_newest() {
    for max_disk_bytes in [0, 1 << 20, 8 << 20] {
        let kept = dropped(WhenFull::DropOldest, max_disk_bytes);
        assert_eq!(kept.last(), Some(&399), "with {max_disk_bytes} bytes of disk");
    }
}

#[test]
fn drop_new_keeps_the_oldest() {
    for max_disk_bytes in [0, 1 << 20, 8 << 20] {
        let kept = dropped(WhenFull::DropNew, max_disk_bytes);
        let first = kept.iter().zip(0..).take_while(|(n, i)| **n == *i).count();
        assert!(first >= 20, "the first {first} chunks are whole with {max_disk_bytes} bytes of disk");
    }
}

#[test]
fn a_slow_codec_does_not_hold_up_a_consumer_that_caught_up() {
    let mut options = small();
    options.codec = "zstd:19".parse().expect("a codec");
    options.memory_bytes = 32 << 20;
    options.chunk_bytes = CHUNK;
    let input = text(24 << 20);
    let (result, out) = run(options, Box::new(MemoryStore::new()), &input, sleeps_first);
    let figures = result.expect("nothing fails");
    assert!(out == input);
    let encoded: u64 = figures.chunks.iter().sum();
    assert!(encoded <= 24 * 16 / 2, "{encoded} chunks waited for zstd:19, though they could have gone out");
}
