//! The hand-over between bypass, window and ring, thousands of times: random writes, random reads, stalls on either
//! side, signals. Every byte is told by its place, so nothing has to be kept to compare with.
//!
//! `SPILLPIPE_STRESS_SECONDS` sets the time for each of both ways; 30 without it.

use super::{Filter, PATIENCE};
use serde_json::Value;
use std::io::{Read, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// The stream, from any place on: noise and compressible bytes by turns, 32 KiB each.
fn fill(place: u64, bytes: &mut [u8]) {
    let word = |at: u64| mix(if at >> 15 & 1 == 0 { at >> 3 } else { at >> 15 }).to_le_bytes();
    let skipped = usize::try_from(place & 7).unwrap();
    let (head, rest) = bytes.split_at_mut(bytes.len().min((8 - skipped) % 8));
    head.copy_from_slice(&word(place)[skipped..][..head.len()]);
    for (at, piece) in (place + head.len() as u64..).step_by(8).zip(rest.chunks_mut(8)) {
        piece.copy_from_slice(&word(at)[..piece.len()]);
    }
}

fn mix(word: u64) -> u64 {
    let mixed = word.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed ^ mixed >> 31).wrapping_mul(0xD6E8_FEB8_6659_FD93)
}

/// A generator of its own for each side.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        (mix(self.0) >> 33) % sides
    }

    /// Mostly small, now and then up to 256 KiB.
    fn size(&mut self) -> usize {
        let most = [16, 700, 5000, 70_000, 256 << 10][usize::try_from(self.roll(5)).unwrap()];
        1 + usize::try_from(self.roll(most)).unwrap()
    }

    fn pause(&mut self) {
        if self.roll(100) == 0 {
            std::thread::sleep(Duration::from_micros(self.roll(1000)));
        }
    }
}

/// Where either side is in the stream.
#[derive(Default)]
struct Places {
    produced: AtomicU64,
    consumed: AtomicU64,
}

impl Places {
    fn between(&self) -> u64 {
        self.produced.load(Relaxed).saturating_sub(self.consumed.load(Relaxed))
    }

    /// Sleeps until this holds of the bytes between the two, for a while at most.
    fn wait(&self, most: Duration, until: impl Fn(u64) -> bool) {
        let start = Instant::now();
        while !until(self.between()) && start.elapsed() < most {
            std::thread::sleep(Duration::from_micros(50));
        }
    }
}

/// Writes for so long, in bursts; between most of them the consumer may come to where it is: so all stages have their
/// turn.
fn produce(mut to: impl Write, time: Duration, places: &Places) -> u64 {
    let (start, mut dice, mut place, mut bytes) = (Instant::now(), Dice(1), 0, vec![0; 256 << 10]);
    while start.elapsed() < time {
        for _ in 0..dice.roll(40) {
            let piece = dice.size();
            let piece = &mut bytes[..piece];
            fill(place, piece);
            to.write_all(piece).unwrap();
            place += piece.len() as u64;
            places.produced.store(place, Relaxed);
            dice.pause();
        }
        if dice.roll(4) > 0 {
            places.wait(PATIENCE, |between| between == 0);
        }
    }
    place
}

/// Reads to the end; now and then only when the producer is ahead by far.
fn consume(mut from: impl Read, places: &Places) -> u64 {
    let (mut dice, mut place) = (Dice(2), 0);
    let (mut bytes, mut expected) = (vec![0; 256 << 10], vec![0; 256 << 10]);
    loop {
        let size = dice.size();
        let n = from.read(&mut bytes[..size]).unwrap();
        if n == 0 {
            return place;
        }
        fill(place, &mut expected[..n]);
        assert!(bytes[..n] == expected[..n], "the {n} bytes from {place} on are not those that were written");
        place += n as u64;
        places.consumed.store(place, Relaxed);
        dice.pause();
        if dice.roll(16) == 0 {
            let ahead = dice.roll(8 << 20);
            places.wait(Duration::from_millis(4), |between| between > ahead);
        }
    }
}

fn stress(options: &str, time: Duration) -> Value {
    let mut filter = Filter::start(options);
    let (producer, consumer, stderr) = (filter.input(), filter.output(), filter.child.stderr.take().unwrap());
    let pid = rustix::process::Pid::from_child(&filter.child);
    let (ended, places) = (AtomicBool::new(false), Places::default());
    let (sent, got, said) = std::thread::scope(|scope| {
        let sent = scope.spawn(|| produce(producer, time, &places));
        let said = scope.spawn(move || super::read_all(stderr));
        let signals = scope.spawn(|| {
            // Until its handler is there, the signal would kill it.
            std::thread::sleep(Duration::from_millis(200));
            while !ended.load(Relaxed) {
                rustix::process::kill_process(pid, rustix::process::Signal::USR1).ok();
                std::thread::sleep(Duration::from_millis(3));
            }
        });
        let got = consume(consumer, &places);
        ended.store(true, Relaxed);
        signals.join().unwrap();
        (sent.join().unwrap(), got, said.join().unwrap())
    });
    let start = Instant::now();
    while filter.child.try_wait().unwrap().is_none() {
        assert!(start.elapsed() < PATIENCE, "it hangs");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(filter.child.wait().unwrap().success(), "{}", String::from_utf8_lossy(&said));
    assert_eq!(sent, got);
    serde_json::from_slice(&std::fs::read(filter.dir.path().join("stats")).unwrap()).unwrap()
}

fn seconds() -> u64 {
    std::env::var("SPILLPIPE_STRESS_SECONDS").map_or(30, |text| text.parse().expect("a number of seconds"))
}

#[test]
#[ignore = "takes half a minute"]
fn stress_between_bypass_window_and_ring() {
    let figures = stress("-m 4M -s 4K", Duration::from_secs(seconds()));
    println!("{figures}");
    let flips = figures["bypasses"].as_u64().unwrap();
    assert!(flips >= 5 * seconds(), "{flips} times into the bypass is little: {figures}");
    assert!(figures["spilled_bytes"].as_u64() > Some(0) && figures["spliced_bytes"].as_u64() > Some(0), "{figures}");
}

#[test]
#[ignore = "takes half a minute"]
fn stress_between_window_and_ring_without_the_bypass() {
    let figures = stress("-m 4M --no-splice", Duration::from_secs(seconds()));
    println!("{figures}");
    assert!(figures["spilled_bytes"].as_u64() > Some(0) && figures["spliced_bytes"] == 0, "{figures}");
}
