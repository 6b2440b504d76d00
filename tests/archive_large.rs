//! An archive larger than one would like to hold in memory: it packs, verifies and gives its ranges in bounded memory.

#![expect(clippy::unwrap_used, reason = "a test may end so")]

#[path = "common/mod.rs"]
mod common;

use common::{MIB, noise, text};
use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Stdio};
use wait4::Wait4 as _;

/// Any stretch of the data can be told by its place: blocks of text and noise, each stamped with its number.
struct Data {
    blocks: [Vec<u8>; 2],
}

impl Data {
    fn new() -> Self {
        Self { blocks: [text(1, MIB), noise(2, MIB)] }
    }

    fn block(&mut self, number: u64) -> &[u8] {
        let block = &mut self.blocks[usize::from(number.is_multiple_of(8))];
        block[..8].copy_from_slice(&number.to_le_bytes());
        block
    }

    fn range(&mut self, from: u64, len: usize) -> Vec<u8> {
        let mut out = Vec::new();
        let mut at = from;
        while out.len() < len {
            let start = usize::try_from(at % MIB as u64).unwrap();
            out.extend_from_slice(&self.block(at / MIB as u64)[start..]);
            at = from + out.len() as u64;
        }
        out.truncate(len);
        out
    }
}

fn spillpipe(args: &[&str], archive: &Path) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("spillpipe"));
    command.args(args).arg(archive);
    command
}

/// Runs it, and returns its output and the most memory that it took, in MiB.
fn run(mut command: Command, feed: impl FnOnce(&mut dyn std::io::Write)) -> (Vec<u8>, u64) {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    feed(&mut stdin);
    drop(stdin);
    let mut out = Vec::new();
    child.stdout.take().unwrap().read_to_end(&mut out).unwrap();
    let used = child.wait4().unwrap();
    assert!(used.status.success(), "{command:?}: {}", used.status);
    (out, used.rusage.maxrss >> 20)
}

/// Packs `mib` MiB, and reads what it packed in every way.
fn goes_through(mib: u64, memory_mib_max: u64) {
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    let archive = dir.path().join("large.zst");
    let (mut data, bytes) = (Data::new(), mib << 20);
    let (_, packing) = run(spillpipe(&["pack", "-z", "zstd:1", "-o"], &archive), |pipe| {
        for number in 0..mib {
            pipe.write_all(data.block(number)).unwrap();
        }
    });
    let (_, verifying) = run(spillpipe(&["verify"], &archive), |_| ());
    let mut ranging = 0;
    for from in [0, 1, bytes / 3, bytes / 2 - 5, bytes - 3_000_000] {
        let range = format!("--range={from}..{}", from + 3_000_000);
        let (out, memory) = run(spillpipe(&["cat", &range], &archive), |_| ());
        assert!(out == data.range(from, 3_000_000), "{range}");
        ranging = memory.max(ranging);
    }
    let stored = File::open(&archive).unwrap().metadata().unwrap().len();
    println!("{mib} MiB in {stored} bytes; MiB of memory: pack {packing}, verify {verifying}, range {ranging}");
    assert!([packing, verifying, ranging].iter().all(|most| *most <= memory_mib_max));
}

#[test]
fn an_archive_larger_than_the_memory_it_may_take_goes_through() {
    goes_through(128, 48);
}

#[test]
#[ignore = "takes minutes and gigabytes"]
fn large_an_archive_of_20_gib_takes_no_more() {
    goes_through(20 << 10, 48);
}
