//! The engine over its public API: what goes in comes out, whatever the disk does in between.

mod damage;
mod faults;
mod limits;

use spillpipe::pipe::{Error, Options, Pipe, Snapshot};
use spillpipe::store::Store;
use std::io::{PipeReader, Read as _, Write as _};
use std::time::Duration;

/// Longest that any run may take: a hang is a failure.
const PATIENCE: Duration = Duration::from_mins(1);

/// Text that compresses four to one or so, with a number in each line.
fn text(len: usize) -> Vec<u8> {
    let words = ["INSERT INTO ledger VALUES", "2026-11-21", "Reykjavik", "pending", "settled", "customer@example.com"];
    let mut out = Vec::with_capacity(len + 128);
    for n in 0_u64.. {
        let word = |i: u64| words[usize::try_from(n.wrapping_mul(i).rotate_left(7) % 6).expect("under 6")];
        out.extend_from_slice(format!("{} ({n},'{}','{}');\n", word(31), word(77), word(103)).as_bytes());
        if out.len() >= len {
            break;
        }
    }
    out.truncate(len);
    out
}

/// Bytes that do not compress (xorshift64*, Vigna 2014).
fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut word = || {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        state.wrapping_mul(0x2545_F491_4F6C_DD1D)
    };
    let mut out: Vec<u8> = std::iter::repeat_with(&mut word).take(len / 8 + 1).flat_map(u64::to_le_bytes).collect();
    out.truncate(len);
    out
}

/// Least memory, so that little data spills.
fn small() -> Options {
    let mut options = Options::default();
    options.memory_bytes = 4 << 20;
    options.threads = 2;
    options
}

/// Pushes `input` through a pipe that spills to `store`; `consume` reads what comes out.
fn run<T: Send>(
    options: Options,
    store: Box<dyn Store>,
    input: &[u8],
    consume: impl FnOnce(PipeReader) -> T + Send,
) -> (Result<Snapshot, Error>, T) {
    let pipe = Pipe::new(options).expect("good options").store(store);
    let (engine_in, mut producer) = std::io::pipe().expect("a pipe");
    let (consumer, engine_out) = std::io::pipe().expect("a pipe");
    let (done, watch) = std::sync::mpsc::sync_channel::<()>(1);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            if watch.recv_timeout(PATIENCE).is_err() {
                eprintln!("the engine hangs");
                std::process::abort();
            }
        });
        // When the engine gives up, the producer finds nobody at the other end.
        scope.spawn(move || producer.write_all(input).ok());
        let out = scope.spawn(move || consume(consumer));
        let result = pipe.run(engine_in, engine_out);
        let out = out.join().expect("the consumer does not panic");
        done.send(()).expect("the watch waits");
        (result, out)
    })
}

/// Sleeps until the whole input must have been taken in, then reads all.
fn sleeps_first(mut consumer: PipeReader) -> Vec<u8> {
    std::thread::sleep(Duration::from_millis(200));
    let mut out = Vec::new();
    consumer.read_to_end(&mut out).expect("pipes do not fail");
    out
}
