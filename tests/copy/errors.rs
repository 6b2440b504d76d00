//! What a copy that fails says, and that nothing is lost between its count and what it hands back.

use super::{channel, file_of, position, sample};
use spillpipe::copy;
use spillpipe::copy::CopyError;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::thread::scope;

/// /dev/full takes nothing; what was read for it must not be gone.
#[test]
fn a_full_output_says_so_and_loses_nothing() {
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let bytes = sample(10_000);
    let file = file_of(&bytes);
    let error = copy(&file, &full, None).unwrap_err();
    assert_eq!((error.source.kind(), error.copied_bytes), (ErrorKind::StorageFull, 0));
    assert_eq!((position(&file), error.unwritten.len()), (0, 0), "the file was wound back");

    for from in ["pipe", "socketpair", "tcp"] {
        let (input, filler) = channel(from);
        File::from(filler).write_all(&bytes).unwrap();
        let error = copy(&input, &full, None).unwrap_err();
        assert_eq!((error.source.kind(), error.copied_bytes), (ErrorKind::StorageFull, 0), "{from}");
        let mut all = error.unwritten;
        File::from(input).read_to_end(&mut all).unwrap();
        assert!(all == bytes, "{from}");
    }
}

/// Takes `bytes` and then hangs up, which a copy of more than any buffer in between must notice.
fn reader_that_leaves(kind: &str, bytes: usize) -> (OwnedFd, impl FnOnce() -> Vec<u8> + Send + use<>) {
    let (drain, output) = channel(kind);
    (output, move || {
        let mut taken = vec![0; bytes];
        File::from(drain).read_exact(&mut taken).unwrap();
        taken
    })
}

/// A peer that closes its socket with bytes unread resets the connection.
fn has_gone(kind: &str, error: &CopyError) -> bool {
    let reset = kind != "pipe" && error.source.kind() == ErrorKind::ConnectionReset;
    reset || error.source.kind() == ErrorKind::BrokenPipe
}

#[test]
fn a_consumer_that_leaves_is_a_broken_pipe_and_nothing_is_lost_from_the_count() {
    let bytes = sample(20 << 20);
    for to in ["pipe", "socketpair"] {
        let (output, take) = reader_that_leaves(to, 100_000);
        let file = file_of(&bytes);
        let (error, taken) = scope(|scope| {
            let taken = scope.spawn(take);
            (copy(&file, &output, None).unwrap_err(), taken.join().unwrap())
        });
        assert!(has_gone(to, &error), "{to}: {error}");
        assert!(error.copied_bytes >= 100_000 && taken == bytes[..100_000], "{to}");
        assert_eq!((position(&file), error.unwritten.len()), (error.copied_bytes, 0), "{to}");
    }
}

#[test]
fn what_was_taken_for_a_consumer_that_left_is_handed_back() {
    // More than all buffers on the way hold together, or it might be through before the consumer leaves.
    let bytes = sample(12 << 20);
    for from in ["pipe", "socketpair", "tcp"] {
        for to in ["pipe", "socketpair"] {
            let (output, take) = reader_that_leaves(to, 100_000);
            let (input, filler) = channel(from);
            scope(|scope| {
                scope.spawn(|| File::from(filler).write_all(&bytes).unwrap());
                let taken = scope.spawn(take);
                let error = copy(&input, &output, None).unwrap_err();
                assert!(has_gone(to, &error), "{from} to {to}: {error}");
                assert!(taken.join().unwrap() == bytes[..100_000]);
                let at = usize::try_from(error.copied_bytes).unwrap();
                let mut rest = error.unwritten;
                File::from(input).read_to_end(&mut rest).unwrap();
                assert!(rest == bytes[at..], "{from} to {to}: what is not counted is in `unwritten` or in the input");
            });
        }
    }
}

#[test]
fn what_cannot_be_read_or_written_says_why() {
    let (reader, writer) = io::pipe().unwrap();
    let file = file_of(b"x");
    let bad = |result: Result<u64, CopyError>| result.unwrap_err().source.raw_os_error();
    let badf = Some(rustix::io::Errno::BADF.raw_os_error());
    assert_eq!(bad(copy(&file, &reader, None)), badf, "an end to read from is no output");
    assert_eq!(bad(copy(&writer, &file, None)), badf, "an end to write to is no input");
    let directory = File::open("/").unwrap();
    let isdir = Some(rustix::io::Errno::ISDIR.raw_os_error());
    assert_eq!(bad(copy(&directory, &file, None)), isdir);
    assert_eq!(position(&file), 0);
}

#[test]
fn a_limit_of_nothing_touches_nothing() {
    let (_reader, writer) = io::pipe().unwrap();
    assert_eq!(copy(&writer, &writer, Some(0)).unwrap(), 0, "not even to see that it cannot be read");
}

#[test]
fn an_error_stays_itself_inside_an_io_error() {
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let error = io::Error::from(copy(file_of(b"x"), &full, None).unwrap_err());
    assert_eq!(error.kind(), ErrorKind::StorageFull);
    assert_eq!(error.downcast::<CopyError>().unwrap().copied_bytes, 0);
}
