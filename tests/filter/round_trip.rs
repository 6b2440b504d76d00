//! What goes in comes out, byte for byte: over inputs, codecs, chunk sizes, memory, producers and consumers.

use super::{noise, read_all, sleeper, text, through};
use spillpipe::codec::TABLE;
use std::io::{Read as _, Write as _};
use std::process::ChildStdout;
use std::time::Duration;

fn mixed() -> Vec<u8> {
    [text(9 << 20), noise(5 << 20), vec![0; 6 << 20], text(2 << 20)].concat()
}

#[test]
fn inputs_around_the_edges() {
    let chunk = 256 << 10;
    for len in [0, 1, chunk - 1, chunk, chunk + 1, 3 * chunk] {
        let input = noise(len);
        for consume in [0, 100] {
            assert!(through("-m 8M", &input, sleeper(consume)).0 == input, "{len} bytes");
        }
    }
}

#[test]
fn every_codec_and_size() {
    let input = mixed();
    let names = TABLE.iter().map(|row| row.name).chain(["auto", "zstd:19"]);
    for codec in names {
        for options in ["-m 4M -s 4K", "-m 8M -s 256K", "-m 8M -q -s 4M", "-m 64M -s 256K", "-m 64M -q -s 4M"] {
            // The slowest codec gets the smallest input.
            let input = if codec == "zstd:19" { &input[..2 << 20] } else { &input };
            let (out, stats) = through(&format!("-z {codec} {options}"), input, sleeper(150));
            assert!(out == input, "{codec} {options}");
            assert_eq!(stats["bytes_out"], input.len(), "{codec} {options}");
        }
    }
}

#[test]
#[ignore = "large: 300 MB in each of eight kinds"]
fn large_three_hundred_megabytes_of_everything() {
    let len = 300 << 20;
    for input in [text(len), noise(len), vec![0; len], mixed().repeat(13)] {
        for memory in ["-m 8M", "-m 64M"] {
            assert!(through(memory, &input, sleeper(2000)).0 == input, "{memory}");
        }
    }
}

/// Reads `piece` bytes at a time and rests `ms` after each `every` pieces.
fn halting(piece: usize, every: usize, ms: u64) -> impl Fn(ChildStdout) -> Vec<u8> + Send {
    move |mut consumer| {
        let (mut out, mut buf) = (Vec::new(), vec![0; piece]);
        for n in 1.. {
            match consumer.read(&mut buf).unwrap() {
                0 => break,
                len => out.extend_from_slice(&buf[..len]),
            }
            if n % every == 0 {
                std::thread::sleep(Duration::from_millis(ms));
            }
        }
        out
    }
}

#[test]
fn every_kind_of_consumer() {
    let input = mixed();
    assert!(through("-m 8M", &input, read_all).0 == input, "instant");
    assert!(through("-m 8M", &input, sleeper(1000)).0 == input, "asleep at first");
    assert!(through("-m 8M", &input, halting(64 << 10, 8, 3)).0 == input, "slow");
    assert!(through("-m 8M", &input, halting(1 << 20, 40, 250)).0 == input, "stopping and resuming");
    let little = &input[..300_000];
    assert!(through("-m 4M -s 4K", little, halting(1, usize::MAX, 0)).0 == little, "a byte at a time");
}

#[test]
fn every_kind_of_producer() {
    let input = mixed();
    for (piece, every, ms, len) in
        [(1, usize::MAX, 0, 200_000), (100_000, 20, 30, 20 << 20), (5 << 20, 1, 50, 20 << 20)]
    {
        for sleep in [0, 200] {
            let mut filter = super::Filter::start("-m 4M");
            let (mut producer, consumer) = (filter.input(), filter.output());
            let input = &input[..len];
            let out = std::thread::scope(|scope| {
                scope.spawn(move || {
                    for (n, piece) in (1..).zip(input.chunks(piece)) {
                        producer.write_all(piece).unwrap();
                        if n % every == 0 {
                            std::thread::sleep(Duration::from_millis(ms));
                        }
                    }
                });
                sleeper(sleep)(consumer)
            });
            let (status, said, _) = filter.end();
            assert!(status.success() && said.is_empty(), "{status}: {said}");
            assert!(out == input, "pieces of {piece}");
        }
    }
}

/// Random stalls and sizes on both sides, so that data goes by the window, memory and disk in every mix.
#[test]
fn random_stalls_on_both_sides() {
    let input = mixed();
    for seed in 1..=6_u64 {
        let mut random = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let mut next = move |below: u64| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) % below
        };
        let sizes: Vec<usize> = (0..4000).map(|_| 1 + usize::try_from(next(60_000)).unwrap()).collect();
        let stalls: Vec<u64> = (0..4000).map(|_| if next(40) == 0 { next(25) } else { 0 }).collect();
        let mut filter = super::Filter::start("-m 4M -s 64K");
        let (mut producer, mut consumer) = (filter.input(), filter.output());
        let (input, sizes, stalls) = (&input, &sizes, &stalls);
        let out = std::thread::scope(|scope| {
            scope.spawn(move || {
                let mut rest = &input[..];
                for (size, stall) in sizes.iter().zip(stalls).cycle() {
                    let (piece, left) = rest.split_at((*size).min(rest.len()));
                    producer.write_all(piece).unwrap();
                    rest = left;
                    if rest.is_empty() {
                        break;
                    }
                    std::thread::sleep(Duration::from_millis(stall / 4));
                }
            });
            let mut out = Vec::new();
            let mut buf = vec![0; 70_000];
            for (size, stall) in sizes.iter().rev().zip(stalls.iter().rev()).cycle() {
                match consumer.read(&mut buf[..*size]).unwrap() {
                    0 => break,
                    len => out.extend_from_slice(&buf[..len]),
                }
                std::thread::sleep(Duration::from_millis(*stall));
            }
            out
        });
        let (status, said, _) = filter.end();
        assert!(status.success() && said.is_empty(), "seed {seed}: {status}: {said}");
        assert!(&out == input, "seed {seed}");
    }
}

#[test]
fn one_byte_writes_do_not_cost_a_chunk_each() {
    let input = noise(1 << 20);
    let mut filter = super::Filter::start("-m 8M");
    let (mut producer, consumer) = (filter.input(), filter.output());
    let out = std::thread::scope(|scope| {
        let input = &input;
        scope.spawn(move || input.iter().for_each(|byte| producer.write_all(&[*byte]).unwrap()));
        sleeper(3000)(consumer)
    });
    let (status, said, figures) = filter.end();
    assert!(status.success() && said.is_empty() && out == input, "{status}: {said}");
    assert_eq!(figures["segments"], 0, "1 MiB fits into 8 MiB however it is written: {figures}");
}
