//! Producer and consumer are killed again and again, and somebody who keeps books outside finds every byte, once and in
//! order, but for what comes again within the time that an acknowledgement may wait.
//!
//! ```text
//!   feed, from where `info` says that the stream ends ──> push ──> spool ──> pop ──> check, from where `info` says
//!                                                    kill -9 ^           ^ kill -9    that the reader is
//! ```
//! What a push that is killed had made visible is known to nobody outside, so the feed asks the spool. What it says is
//! bounded by the books: not less than the consumer has had, not more than was fed.

use super::common::PATIENCE;
use super::{Running, Spool};
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{ChildStdin, ChildStdout, ExitStatus, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

/// How long an acknowledgement may wait, as `pop` is told.
const ACK_INTERVAL: Duration = Duration::from_millis(100);
/// What making it durable, and being scheduled on a busy machine, may add to that.
const SLACK: Duration = Duration::from_millis(200);
/// A chunk, and what the pipes between two processes hold.
const UNDER_WAY_BYTES: u64 = (256 << 10) + (1 << 20);
const PIECE_BYTES: usize = 64 << 10;

/// The stream from any place on: every eight bytes tell their place, as noise and compressible by turns.
fn fill(place: u64, bytes: &mut [u8]) {
    let word = |at: u64| if at >> 15 & 1 == 0 { mix(at >> 3) } else { at >> 3 }.to_le_bytes();
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

/// Most bytes that came within so much time.
fn most_in(history: &[(Instant, u64)], time: Duration) -> u64 {
    let (mut first, mut most) = (0, 0);
    for (at, seen) in history {
        while *at - history[first].0 > time {
            first += 1;
        }
        most = most.max(seen - history[first].1);
    }
    most
}

/// A child that others may kill while its owner waits for it.
#[derive(Default)]
struct Victim(Mutex<Option<Running>>);

impl Victim {
    fn put(&self, child: Running) {
        *self.0.lock().unwrap() = Some(child);
    }

    /// Whether there was one to kill.
    fn kill(&self) -> bool {
        let mut child = self.0.lock().unwrap();
        child.as_mut().is_some_and(|child| child.is_running() && child.0.kill().is_ok())
    }

    /// Waits for its end.
    fn end(&self) -> ExitStatus {
        let start = Instant::now();
        loop {
            let mut child = self.0.lock().unwrap();
            if let Some(status) = child.as_mut().unwrap().0.try_wait().unwrap() {
                *child = None;
                return status;
            }
            drop(child);
            assert!(start.elapsed() < PATIENCE, "it hangs");
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// The books, and who is at work.
struct World {
    spool: Spool,
    push: String,
    pop: String,
    pusher: Victim,
    popper: Victim,
    /// All up to here was written to some push.
    fed: AtomicU64,
    /// All up to here came out of some pop.
    seen: AtomicU64,
    /// The feed is to come to its end.
    enough: AtomicBool,
    /// One of the two has found something wrong: the other is to give up.
    failed: AtomicBool,
    /// A push has ended with success: all is in.
    complete: AtomicBool,
}

/// What came of it.
#[derive(Debug, Default)]
struct Tally {
    pushes_killed: u32,
    pops_killed: u32,
    pops_incomplete: u32,
    /// Most bytes that came again after a kill.
    again_bytes_max: u64,
    again_bytes_sum: u64,
}

impl World {
    fn offset(&self, of: &str) -> u64 {
        let info = self.spool.info();
        let place = if of == "newest" { &info["newest_offset_bytes"] } else { &info["readers"][0]["offset_bytes"] };
        place.as_u64().unwrap()
    }

    fn spawn(&self, args: &str, input: Stdio, output: Stdio) -> (Running, Option<ChildStdin>, Option<ChildStdout>) {
        // What they say goes to the test's output: a failure is to be seen.
        let mut child = self.spool.command(args).stdin(input).stdout(output).spawn().unwrap();
        let ends = (child.stdin.take(), child.stdout.take());
        (Running(child), ends.0, ends.1)
    }

    /// Feeds one push after the other, until it is enough.
    fn produce(&self) -> u32 {
        let (mut killed, mut piece) = (0, vec![0; PIECE_BYTES]);
        loop {
            let seen = self.seen.load(SeqCst);
            let mut place = self.offset("newest");
            assert!(place >= seen, "the consumer had {seen} bytes, and only {place} are said to have come in");
            let fed = self.fed.load(SeqCst);
            assert!(place <= fed, "{place} bytes are said to have come in, and only {fed} were fed");
            let (child, input, _) = self.spawn(&self.push, Stdio::piped(), Stdio::null());
            self.pusher.put(child);
            let mut input = input.unwrap();
            while !self.enough.load(SeqCst) {
                fill(place, &mut piece);
                // Some of it may get through before the end of it is refused.
                self.fed.fetch_max(place + PIECE_BYTES as u64, SeqCst);
                if input.write_all(&piece).is_err() {
                    break;
                }
                place += PIECE_BYTES as u64;
            }
            drop(input);
            let status = self.pusher.end();
            match (status.code(), status.signal()) {
                (None, Some(9)) if self.failed.load(SeqCst) => return killed,
                (None, Some(9)) => killed += 1,
                (Some(0), None) => {
                    assert_eq!(self.offset("newest"), place, "exit 0: all of it is in");
                    self.fed.store(place, SeqCst);
                    self.complete.store(true, SeqCst);
                    return killed;
                }
                _ => panic!("push: {status}"),
            }
        }
    }

    /// Takes out of one pop after the other, until all is there.
    fn consume(&self) -> Tally {
        let mut tally = Tally::default();
        let (mut bytes, mut expected) = (vec![0; PIECE_BYTES], vec![0; PIECE_BYTES]);
        let mut seen = 0;
        // When how much had been seen.
        let mut history = vec![(Instant::now(), 0)];
        let mut dice = 1;
        loop {
            let complete = self.complete.load(SeqCst);
            let follow = if complete { "" } else { "--follow" };
            let mut place = self.offset("reader");
            assert!(place <= seen, "{place} bytes are acknowledged, and only {seen} were written");
            let (child, _, output) = self.spawn(&format!("{} {follow} DIR", self.pop), Stdio::null(), Stdio::piped());
            self.popper.put(child);
            let mut output = output.unwrap();
            loop {
                let n = output.read(&mut bytes).unwrap();
                if n == 0 {
                    break;
                }
                fill(place, &mut expected[..n]);
                assert!(bytes[..n] == expected[..n], "the {n} bytes from {place} on are not those that were fed");
                place += n as u64;
                seen = seen.max(place);
                self.seen.store(seen, SeqCst);
                let now = Instant::now();
                history.push((now, seen));
                dice = mix(dice);
                if dice % 500 == 0 {
                    // A consumer that stalls: the limit on disk is reached.
                    std::thread::sleep(Duration::from_millis(dice >> 32 & 1023));
                }
            }
            let status = self.popper.end();
            let acknowledged = self.offset("reader");
            match (status.code(), status.signal()) {
                (None, Some(9)) if self.failed.load(SeqCst) => return tally,
                (None, Some(9)) => {
                    tally.pops_killed += 1;
                    // It may not have come to where the one before it was.
                    let again = seen.saturating_sub(acknowledged);
                    tally.again_bytes_max = tally.again_bytes_max.max(again);
                    tally.again_bytes_sum += again;
                    let most = most_in(&history, ACK_INTERVAL + SLACK) + UNDER_WAY_BYTES;
                    assert!(again <= most, "{again} bytes come again, and the interval allows for {most}");
                }
                (Some(code @ (0 | 4)), None) => {
                    assert_eq!(acknowledged, place, "it ended by itself: all that was written is acknowledged");
                    tally.pops_incomplete += u32::from(code == 4);
                    if complete && code == 0 {
                        assert_eq!(seen, self.fed.load(SeqCst), "all that was fed came out");
                        return tally;
                    }
                }
                _ => panic!("pop: {status}"),
            }
            history.drain(..history.len().saturating_sub(50_000));
        }
    }

    /// Kills one of the two, about every second, until `over`.
    fn rage(&self, over: impl Fn() -> bool) {
        let mut dice = 7;
        while !over() {
            dice = mix(dice);
            std::thread::sleep(Duration::from_millis(200 + (dice >> 20) % 1200));
            let victim = if dice & 64 == 0 { &self.pusher } else { &self.popper };
            victim.kill();
        }
        self.enough.store(true, SeqCst);
    }
}

/// Runs it with at most `limit` bytes on disk until `over` holds of what was seen and the time.
fn killed_again_and_again(limit: u64, over: impl Fn(u64, Duration) -> bool + Sync) -> (Tally, u64) {
    let world = World {
        spool: Spool::new(),
        push: format!("push -q --sync interval:100ms --min-free 0 --max-disk {limit} DIR"),
        pop: "pop -q --ack-interval 100ms".to_owned(),
        pusher: Victim::default(),
        popper: Victim::default(),
        fed: AtomicU64::new(0),
        seen: AtomicU64::new(0),
        enough: AtomicBool::new(false),
        failed: AtomicBool::new(false),
        complete: AtomicBool::new(false),
    };
    super::silent(world.spool.run("reader add DIR default", ""));
    let (world, start, done) = (&world, Instant::now(), AtomicBool::new(false));
    let (mut tally, disk_peak) = std::thread::scope(|scope| {
        let disk = scope.spawn(|| {
            let mut most = 0;
            while !done.load(SeqCst) {
                most = most.max(world.spool.stored_bytes());
                std::thread::sleep(Duration::from_millis(5));
            }
            most
        });
        let produced = scope.spawn(|| world.produce());
        let consumed = scope.spawn(|| world.consume());
        let failed = || produced.is_finished() || consumed.is_finished();
        world.rage(|| over(world.seen.load(SeqCst), start.elapsed()) || failed());
        let ended = |at: Instant| at.elapsed() > PATIENCE || (produced.is_finished() && consumed.is_finished());
        let enough = Instant::now();
        while !ended(enough) {
            if consumed.is_finished() && !produced.is_finished() {
                world.failed.store(true, SeqCst);
                world.pusher.kill();
            } else if produced.is_finished() && !world.complete.load(SeqCst) {
                world.failed.store(true, SeqCst);
                world.popper.kill();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let (pushes_killed, tally) = (produced.join(), consumed.join());
        done.store(true, SeqCst);
        (Tally { pushes_killed: pushes_killed.unwrap(), ..tally.unwrap() }, disk.join().unwrap())
    });
    tally.again_bytes_sum /= u64::from(tally.pops_killed.max(1));
    let seen = world.seen.load(SeqCst);
    println!(
        "{seen} bytes in {:.1} s; at most {disk_peak} on disk of {limit}; {tally:?} (the sum is the mean)",
        start.elapsed().as_secs_f64()
    );
    let segment_bytes = limit / 16 + UNDER_WAY_BYTES;
    assert!(disk_peak <= limit + segment_bytes, "{disk_peak} bytes were on disk");
    assert_eq!(world.spool.segments(), Vec::<std::path::PathBuf>::new(), "all is drained");
    assert_eq!(world.spool.info()["quarantine"].as_array().unwrap().len(), 0, "nothing was taken for damaged");
    (tally, seen)
}

#[test]
#[ignore = "takes 20 seconds"]
fn nothing_is_lost_or_invented_while_producer_and_consumer_are_killed() {
    let (tally, seen) = killed_again_and_again(24 << 20, |_, time| time > Duration::from_secs(20));
    assert!(tally.pushes_killed >= 3 && tally.pops_killed >= 3 && seen > 64 << 20, "{tally:?}, {seen} bytes");
}

#[test]
#[ignore = "large: 10 GB, about every second a kill"]
fn large_ten_gigabytes_survive_a_kill_about_every_second() {
    let (tally, _) = killed_again_and_again(256 << 20, |seen, _| seen > 10 << 30);
    assert!(tally.pushes_killed >= 10 && tally.pops_killed >= 10, "{tally:?}");
}
