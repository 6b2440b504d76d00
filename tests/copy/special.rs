//! Files and devices that the fast calls refuse, or about which they lie.

use super::{KINDS, channel, contents, file_of, position, sample, through};
use spillpipe::copy;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::fd::OwnedFd;
use std::thread::scope;

/// Files in /proc and /sys: of no length, or of a wrong one, and with an end where some calls see no data at all.
#[test]
fn files_that_the_kernel_makes_up_are_copied_whole() {
    for path in
        ["/proc/cpuinfo", "/proc/self/cmdline", "/proc/filesystems", "/sys/kernel/mm/transparent_hugepage/enabled"]
    {
        let Ok(expected) = std::fs::read(path) else { continue };
        assert!(!expected.is_empty(), "{path}");
        let output = tempfile::tempfile().unwrap();
        let copied = copy(File::open(path).unwrap(), &output, None).unwrap();
        assert_eq!((copied, contents(&output)), (expected.len() as u64, expected.clone()), "{path}");
        for to in ["pipe", "socketpair", "tcp"] {
            let (drain, output) = channel(to);
            copy(File::open(path).unwrap(), &output, None).unwrap();
            drop(output);
            let mut arrived = Vec::new();
            File::from(drain).read_to_end(&mut arrived).unwrap();
            assert_eq!(arrived, expected, "{path} to {to}");
        }
    }
    let output = tempfile::tempfile().unwrap();
    let copied = copy(File::open("/proc/self/maps").unwrap(), &output, None).unwrap();
    let maps = String::from_utf8(contents(&output)).unwrap();
    assert_eq!(copied, maps.len() as u64);
    assert!(maps.contains("[stack]") && maps.ends_with('\n'), "to its end: {maps}");
}

#[test]
fn devices_are_read_and_written() {
    let (zero, null) = (File::open("/dev/zero").unwrap(), OpenOptions::new().write(true).open("/dev/null").unwrap());
    let output = tempfile::tempfile().unwrap();
    assert_eq!(copy(&zero, &output, Some(300_000)).unwrap(), 300_000);
    assert!(contents(&output) == vec![0; 300_000]);
    assert_eq!(copy(&zero, &null, Some(300_000)).unwrap(), 300_000);
    for from in KINDS {
        let input: OwnedFd = if from == "file" {
            file_of(b"to nowhere").into()
        } else {
            let (input, filler) = channel(from);
            File::from(filler).write_all(b"to nowhere").unwrap();
            input
        };
        assert_eq!(copy(&input, &null, None).unwrap(), 10, "{from}");
    }
}

/// What a read leaves of a message is gone, so a plain copy must not look with a small buffer first.
#[test]
fn a_message_is_read_in_one_piece() {
    let (input, filler) = std::os::unix::net::UnixDatagram::pair().unwrap();
    assert_eq!(filler.send(&sample(50_000)).unwrap(), 50_000);
    // So that there is an end, whatever was made of the message.
    input.shutdown(std::net::Shutdown::Read).unwrap();
    let sink = OpenOptions::new().write(true).open("/dev/zero").unwrap();
    assert_eq!(copy(&input, &sink, None).unwrap(), 50_000);
}

#[test]
fn a_terminal_is_written_to() {
    let controller = rustix::pty::openpt(rustix::pty::OpenptFlags::RDWR | rustix::pty::OpenptFlags::NOCTTY).unwrap();
    rustix::pty::unlockpt(&controller).unwrap();
    let path = rustix::pty::ptsname(&controller, Vec::new()).unwrap().into_string().unwrap();
    let terminal = OpenOptions::new().read(true).write(true).open(path).unwrap();
    let (input, mut filler) = io::pipe().unwrap();
    filler.write_all(b"hello").unwrap();
    drop(filler);
    assert_eq!(copy(&input, &terminal, None).unwrap(), 5);
    assert_eq!(copy(file_of(b", you"), &terminal, None).unwrap(), 5);
    let (mut reader, writer) = io::pipe().unwrap();
    assert_eq!(copy(&controller, &writer, Some(10)).unwrap(), 10);
    let mut text = [0; 10];
    reader.read_exact(&mut text).unwrap();
    assert_eq!(&text, b"hello, you");
}

#[test]
fn an_output_that_appends_gets_all_at_its_end() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = sample(200_000);
    for from in KINDS {
        let path = dir.path().join(from);
        std::fs::write(&path, b"before").unwrap();
        let output = OpenOptions::new().append(true).open(&path).unwrap();
        let copied = scope(|scope| {
            let input: OwnedFd = if from == "file" {
                file_of(&bytes).into()
            } else {
                let (input, filler) = channel(from);
                scope.spawn(|| File::from(filler).write_all(&bytes).unwrap());
                input
            };
            copy(&input, &output, None).unwrap()
        });
        assert_eq!(copied, 200_000, "{from}");
        let out = std::fs::read(&path).unwrap();
        assert!(out[..6] == *b"before" && out[6..] == bytes, "{from}");
    }
}

#[test]
fn a_range_of_a_file_over_itself_is_copied_as_read_and_write_would() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    std::fs::write(&path, sample(1000)).unwrap();
    let (input, output) = (File::open(&path).unwrap(), OpenOptions::new().write(true).open(&path).unwrap());
    (&input).seek(SeekFrom::Start(100)).unwrap();
    assert_eq!(copy(&input, &output, None).unwrap(), 900);
    let out = std::fs::read(&path).unwrap();
    assert!(out[..900] == sample(1000)[100..] && out[900..] == sample(1000)[900..]);
}

/// Where that is so, some kernels do not copy ranges between them.
#[test]
fn files_may_be_on_different_file_systems() {
    let bytes = sample(300_000);
    let Ok(mut there) = tempfile::tempfile_in("/dev/shm") else { return };
    there.write_all(&bytes).unwrap();
    there.rewind().unwrap();
    let here = file_of(b"xxx");
    (&here).seek(SeekFrom::Start(2)).unwrap();
    assert_eq!(copy(&there, &here, Some(200_000)).unwrap(), 200_000);
    assert_eq!(copy(&there, &here, None).unwrap(), 100_000);
    assert_eq!((position(&there), position(&here)), (300_000, 300_002));
    assert!(contents(&here)[2..] == bytes);
}

#[test]
fn holes_are_zeros() {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(b"start").unwrap();
    file.seek(SeekFrom::Start(300_000)).unwrap();
    file.write_all(b"end").unwrap();
    file.set_len(400_000).unwrap();
    let expected = contents(&file);
    for to in KINDS {
        let (result, arrived) = through("file", to, &expected, None);
        assert_eq!(result.unwrap(), 400_000);
        assert!(arrived == expected, "{to}");
    }
    // The file with its holes, over bytes that are not zero.
    file.rewind().unwrap();
    let output = file_of(&sample(500_000));
    assert_eq!(copy(&file, &output, None).unwrap(), 400_000);
    let out = contents(&output);
    assert!(out[..400_000] == expected && out[400_000..] == sample(500_000)[400_000..]);
}

/// Beyond what one call moves, and beyond 32 bits.
#[test]
#[ignore = "reads 5 GB of holes, which takes seconds and page cache"]
fn large_sparse_file_is_copied_to_its_end() {
    const BYTES: u64 = 5 << 30;
    let mut file = tempfile::tempfile().unwrap();
    file.set_len(BYTES).unwrap();
    let null = OpenOptions::new().write(true).open("/dev/null").unwrap();
    assert_eq!(copy(&file, &null, None).unwrap(), BYTES);
    assert_eq!(position(&file), BYTES);
    file.rewind().unwrap();
    let (drain, output) = io::pipe().unwrap();
    scope(|scope| {
        let drained = scope.spawn(move || copy(&drain, &null, None).unwrap());
        assert_eq!(copy(&file, &output, None).unwrap(), BYTES);
        drop(output);
        assert_eq!(drained.join().unwrap(), BYTES);
    });
}
