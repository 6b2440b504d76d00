//! File systems that are really full. They are mounted, so these tests need root, and say so where they have it not.

use super::common::{PATIENCE, assert_same, noise, thread, wait_until_calm};
use super::mounted::Mounted;
use super::{Running, Spool, fails, has, silent, until};
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::time::Duration;

/// Longest that a push may take to go on when there is room again.
const RESUMED_WITHIN: Duration = Duration::from_secs(5);

fn free_bytes(place: &Path) -> u64 {
    let stat = rustix::fs::statvfs(place).unwrap();
    stat.f_bavail * stat.f_frsize
}

/// Fills what is free, to the last byte, with a file of its own.
fn fill(place: &Path) -> std::path::PathBuf {
    let path = place.join("the database next door");
    let mut file = File::create(&path).unwrap();
    for piece in [1 << 20, 4096, 1] {
        while file.write_all(&vec![7; piece]).is_ok() {}
        // An ext4 that delays its allocations tells only now.
        while file.sync_all().is_err() {}
    }
    assert_eq!(free_bytes(place), 0);
    path
}

/// Everything that a push, which is fed more than fits, is to do on a disk of its own; `taken` is popped while no byte
/// is free.
fn a_full_disk_is_waited_out(disk: &Mounted, options: &str, disk_bytes: usize, taken: usize) {
    let spool = Spool::within(disk.path());
    silent(spool.run("reader add DIR default", ""));
    let data = noise(1, disk_bytes * 5 / 2);
    let mut push = spool.start(&format!("push {options} DIR"));
    let mut input = push.input();
    let mut said = BufReader::new(push.0.stderr.take().unwrap());
    std::thread::scope(|scope| {
        let data = &data;
        scope.spawn(move || input.write_all(data).unwrap());
        let mut line = String::new();
        said.read_line(&mut line).unwrap();
        assert!(
            line.starts_with("spillpipe: cannot write to ") && line.ends_with("; pausing the producer\n"),
            "{line}"
        );
        let full = wait_until_calm(Duration::from_millis(400), || spool.stored_bytes());
        assert!(full > disk_bytes as u64 / 3, "{options}: only {full} bytes fit on {disk_bytes}");
        let spent = push.processor_time_in(Duration::from_secs(1));
        assert!(spent < Duration::from_millis(50), "{options}: {spent:?} of processor time while it waits a second");

        let other = fill(disk.path());
        let mut out = silent(spool.run(&format!("pop --max-bytes {taken} DIR"), ""));
        assert_same(&out, &data[..taken]);
        assert_eq!(spool.info()["readers"][0]["offset_bytes"], taken, "it is acknowledged, with no byte free");
        std::fs::remove_file(other).unwrap();

        let start = std::time::Instant::now();
        let mut pop = spool.start("pop --follow DIR");
        pop.output().read_to_end(&mut out).unwrap();
        assert_same(&out, data);
        assert!(start.elapsed() < RESUMED_WITHIN + Duration::from_secs(5), "{options}: {:?}", start.elapsed());
        assert_eq!(pop.end().0.code(), Some(0), "the stream is complete");
    });
    drop(said);
    until("its end", || !push.is_running());
    assert_eq!(push.0.wait().unwrap().code(), Some(0));
    assert!(spool.segments().is_empty());
}

#[test]
fn a_tmpfs_of_half_a_megabyte_is_waited_out() {
    let Some(disk) = Mounted::tmpfs("size=512k") else { return };
    a_full_disk_is_waited_out(&disk, "-s 16K", 512 << 10, 100_000);
    let Some(disk) = Mounted::tmpfs("size=512k") else { return };
    a_full_disk_is_waited_out(&disk, "--min-free 0", 512 << 10, 100_000);
}

#[test]
fn a_tmpfs_of_four_megabytes_is_waited_out() {
    for options in ["", "--min-free 0", "--min-free 0 --sync chunk -z lz4"] {
        let Some(disk) = Mounted::tmpfs("size=4M") else { return };
        a_full_disk_is_waited_out(&disk, options, 4 << 20, 1 << 20);
    }
}

#[test]
#[ignore = "takes ten seconds, and needs mkfs.ext4"]
fn larger_disks_are_waited_out() {
    for options in ["", "--min-free 0"] {
        let Some(disk) = Mounted::tmpfs("size=64M") else { return };
        a_full_disk_is_waited_out(&disk, options, 64 << 20, 10 << 20);
        for bytes in [16 << 20, 32 << 20] {
            let Some(disk) = Mounted::ext4(bytes as u64) else { return };
            a_full_disk_is_waited_out(&disk, options, bytes, 1 << 20);
        }
    }
}

#[test]
fn a_reader_whose_name_is_new_needs_room_and_says_so() {
    let Some(disk) = Mounted::tmpfs("size=4M") else { return };
    let spool = Spool::within(disk.path());
    spool.push("", noise(1, 1 << 20));
    let other = fill(disk.path());
    for args in ["pop DIR", "pop --follow DIR", "reader add DIR default"] {
        fails(spool.run(args, ""), 1, "/s/readers/default: No space left on device");
    }
    assert_eq!(std::fs::read_dir(spool.dir.join("readers")).unwrap().count(), 0, "nothing half is left");
    std::fs::remove_file(other).unwrap();
    assert_same(&spool.pop(""), &noise(1, 1 << 20));
}

#[test]
fn a_new_spool_needs_room_and_says_so() {
    let Some(disk) = Mounted::tmpfs("size=1M") else { return };
    let spool = Spool::within(disk.path());
    let other = fill(disk.path());
    for args in ["push DIR", "--spool DIR", "pop --follow DIR", "reader add DIR x"] {
        let out = fails(spool.run(args, "x"), 1, "/s");
        let said = spool.run(args, "x").stderr;
        assert!(String::from_utf8_lossy(&said).contains("No space left on device"), "{args}");
        assert!(out.is_empty());
    }
    std::fs::remove_file(other).unwrap();
    spool.push("", "now");
    assert_eq!(spool.pop(""), b"now", "nothing was left in the way");
}

/// Begins a push, with one chunk in its segment, that stands at the end of a block of the disk; then takes all room.
fn at_the_end_of_a_block(spool: &Spool, place: &Path) -> (Running, Vec<u8>, std::path::PathBuf) {
    // What is around a chunk of this size is the same each time.
    let trial = Spool::new();
    trial.push("-z none --no-end", noise(2, 3000));
    let mut push = trial.start("push --min-free 0 -z none --linger 0 DIR");
    push.write(noise(2, 3000));
    trial.wait_for_writer(6000);
    let around = std::fs::metadata(trial.segments().last().unwrap()).unwrap().len() - 3000;
    let data = noise(2, usize::try_from(4096 - around).unwrap());
    let mut push = spool.start("push --min-free 0 -z none --linger 0 DIR");
    push.write(&data);
    spool.wait_for_writer(data.len() as u64);
    assert_eq!(std::fs::metadata(spool.segments().last().unwrap()).unwrap().len(), 4096);
    let other = fill(place);
    (push, data, other)
}

#[test]
fn an_end_mark_that_does_not_fit_is_written_as_soon_as_it_does() {
    let Some(disk) = Mounted::tmpfs("size=4M") else { return };
    let spool = Spool::within(disk.path());
    silent(spool.run("reader add DIR default", ""));
    let (mut push, data, other) = at_the_end_of_a_block(&spool, disk.path());
    drop(push.input());
    let mut said = BufReader::new(push.0.stderr.take().unwrap());
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    assert!(line.contains("No space left on device; pausing the producer"), "{line}");
    assert!(push.is_running(), "without the mark it is not done");
    assert_eq!(spool.pop(""), data, "it can be read, with no byte free");
    std::fs::remove_file(other).unwrap();
    until("its end", || !push.is_running());
    assert_eq!(push.0.wait().unwrap().code(), Some(0));
    assert_eq!(spool.info()["stream"], "complete");
    assert!(spool.pop("").is_empty(), "the mark, and nothing again");
}

#[test]
fn an_end_mark_that_does_not_fit_fails_where_that_was_asked_for() {
    let Some(disk) = Mounted::tmpfs("size=4M") else { return };
    let spool = Spool::within(disk.path());
    silent(spool.run("reader add DIR default", ""));
    let (push, data, other) = at_the_end_of_a_block(&spool, disk.path());
    drop(push);
    std::fs::remove_file(other).unwrap();
    let mut push = spool.start("push --min-free 0 --when-full fail -z none --linger 0 DIR");
    push.write(&data);
    spool.wait_for_writer(2 * data.len() as u64);
    fill(disk.path());
    let (status, _, said) = push.end();
    assert_eq!(status.code(), Some(5), "{said}");
    assert_eq!(said, format!("spillpipe: cannot write to {}: No space left on device\n", spool.dir.display()));
    let out = fails(spool.run("pop DIR", ""), 4, "incomplete");
    assert_same(&out, &[data.clone(), data].concat());
}

/// Pushes more than fits, and follows with a pop as soon as that is told: all must come through.
fn drained_as_soon_as_it_is_full(spool: &Spool) {
    let data = noise(3, 3 << 20);
    let mut push = spool.start("push --min-free 0 -z none DIR");
    let mut input = push.input();
    let sent = data.clone();
    let feed = thread(move || input.write_all(&sent));
    let mut said = BufReader::new(push.0.stderr.take().unwrap());
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    assert!(line.contains("No space left on device; pausing the producer"), "{line}");
    let mut pop = spool.start("pop --follow DIR");
    let mut out = Vec::new();
    pop.output().read_to_end(&mut out).unwrap();
    assert_same(&out, &data);
    feed.join().unwrap().unwrap();
    until("its end", || !push.is_running());
    assert_eq!((push.0.wait().unwrap().code(), pop.end().0.code()), (Some(0), Some(0)));
}

#[test]
fn without_inodes_for_a_segment_it_waits_too() {
    // The root, the spool, its two folders, the lock, the identity, a cursor: and one for a segment.
    let Some(disk) = Mounted::tmpfs("size=8M,nr_inodes=8") else { return };
    let spool = Spool::within(disk.path());
    silent(spool.run("reader add DIR default", ""));
    drained_as_soon_as_it_is_full(&spool);
}

#[test]
fn where_others_leave_little_room_it_goes_on_as_soon_as_its_own_is_drained() {
    let Some(disk) = Mounted::tmpfs("size=8M") else { return };
    let spool = Spool::within(disk.path());
    silent(spool.run("reader add DIR default", ""));
    let other = fill(disk.path());
    File::options().write(true).open(other).unwrap().set_len((8 << 20) - (700 << 10)).unwrap();
    drained_as_soon_as_it_is_full(&spool);
}

/// Pushes `data` where no file may become longer than `limit` bytes.
fn with_limited_files(spool: &Spool, limit: usize, data: &[u8]) -> std::process::Output {
    let mut command = std::process::Command::new("prlimit");
    command.arg(format!("--fsize={limit}")).arg(assert_cmd::cargo::cargo_bin!("spillpipe"));
    command.args(["push", "--min-free", "0", "-z", "none"]).arg(&spool.dir);
    let mut command = assert_cmd::Command::from_std(command);
    command.timeout(PATIENCE).write_stdin(data).output().unwrap()
}

#[test]
fn where_files_may_not_become_long_there_are_more_of_them() {
    if !has("prlimit") {
        return;
    }
    let (spool, data) = (Spool::new(), noise(4, 3 << 20));
    silent(with_limited_files(&spool, 1_000_000, &data));
    assert!(spool.segments().len() >= 4);
    assert_same(&spool.pop(""), &data);
}

#[test]
fn where_not_one_chunk_fits_into_a_file_it_fails_and_leaves_no_pieces() {
    if !has("prlimit") {
        return;
    }
    for limit in [100_000, 262_144] {
        let (spool, data) = (Spool::new(), noise(4, 3 << 20));
        fails(with_limited_files(&spool, limit, &data), 1, "File too large");
        // What came first may have been less than a chunk, and have fitted.
        assert!(spool.segments().len() <= 2, "{:?}", spool.segments());
        let had = fails(spool.run("pop DIR", ""), 4, "incomplete");
        assert!(had.len() < 300_000 && data.starts_with(&had), "{} bytes", had.len());
    }
}
