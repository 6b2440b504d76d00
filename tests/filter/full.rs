//! File systems that are really full. They are mounted, so these tests need root, and say so where they have it not.

use super::mounted::Mounted;
use super::{command, noise, read_all};
use std::io::Write as _;
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

/// Sends `input` through a filter that spills to `dir`, into a consumer that takes 60 MB a second after a while.
fn through(options: &str, dir: &Path, input: &[u8]) -> (Output, Vec<u8>, serde_json::Value) {
    let stats = tempfile::NamedTempFile::new().unwrap();
    let mut child = command(options, dir, stats.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut producer, mut consumer) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let out = std::thread::scope(|scope| {
        // When it fails, nobody takes the rest.
        scope.spawn(move || producer.write_all(input).ok());
        std::thread::sleep(Duration::from_millis(500));
        let mut out = Vec::new();
        let mut piece = vec![0; 600_000];
        loop {
            match std::io::Read::read(&mut consumer, &mut piece).unwrap() {
                0 => break out,
                n => out.extend_from_slice(&piece[..n]),
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    });
    let output = child.wait_with_output().unwrap();
    (output, out, serde_json::from_reader(stats.reopen().unwrap()).unwrap_or_default())
}

#[test]
fn a_full_tmpfs_makes_the_producer_wait_and_nothing_is_lost() {
    let Some(disk) = Mounted::tmpfs("size=8M") else { return };
    let input = noise(48 << 20);
    for options in ["-m 8M --min-free 0 -q", "-m 8M -q", "-m 8M -q --min-free 0 -z zstd:1 -s 4K"] {
        let (output, out, stats) = through(options, disk.path(), &input);
        assert!(output.status.success(), "{options}: {output:?}");
        assert!(out == input, "{options}");
        assert!(stats["producer_waited_seconds"].as_f64() > Some(0.0), "{options}: {stats}");
        assert!(stats["disk_peak_bytes"].as_u64() <= Some(8 << 20), "{options}: {stats}");
    }
}

#[test]
fn a_full_ext4_makes_the_producer_wait_and_nothing_is_lost() {
    let Some(disk) = Mounted::ext4(16 << 20) else { return };
    let input = noise(48 << 20);
    let (output, out, stats) = through("-m 8M --min-free 0 -q", disk.path(), &input);
    assert!(output.status.success() && out == input, "{output:?} {stats}");
    assert!(stats["producer_waited_seconds"].as_f64() > Some(0.0), "{stats}");
}

#[test]
#[ignore = "large: 1 GB through a full file system"]
fn large_a_gigabyte_through_a_full_file_system() {
    let Some(disk) = Mounted::tmpfs("size=64M") else { return };
    let input = noise(1 << 30);
    let (output, out, stats) = through("--min-free 0 -q", disk.path(), &input);
    assert!(output.status.success() && out == input, "{output:?} {stats}");
}

#[test]
fn fail_says_so_in_one_line() {
    let Some(disk) = Mounted::tmpfs("size=4M") else { return };
    let input = noise(48 << 20);
    let (output, out, _) = through("-m 4M --min-free 0 --when-full fail -q", disk.path(), &input);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(5), "{said}");
    assert_eq!(said, format!("spillpipe: cannot spill to {}: No space left on device\n", disk.path().display()));
    assert!(input.starts_with(&out));
}

#[test]
fn room_is_left_also_when_others_take_it() {
    let Some(disk) = Mounted::tmpfs("size=32M") else { return };
    let path = disk.path().join("the database next door");
    let input = noise(40 << 20);
    let free = || {
        let stat = rustix::fs::statvfs(disk.path()).unwrap();
        stat.f_bavail * stat.f_frsize
    };
    let stats = tempfile::NamedTempFile::new().unwrap();
    let mut child = command("-m 4M --min-free 8M -q", disk.path(), stats.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut producer, consumer) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    std::thread::scope(|scope| {
        let input = &input;
        scope.spawn(move || producer.write_all(input).unwrap());
        let mut other = std::fs::File::create(&path).unwrap();
        let mut least = u64::MAX;
        for _ in 0..100 {
            // It stops short of what is to stay free, and so must we.
            if free() > 9 << 20 {
                other.write_all(&vec![7; 128 << 10]).unwrap();
            }
            least = least.min(free());
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(least >= 8 << 20, "only {least} bytes were free");
        assert!(read_all(consumer) == *input);
    });
    assert!(child.wait().unwrap().success());
}
