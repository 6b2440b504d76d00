//! Streams that somebody waits for, and what ends the wait.

use super::simple;
use rustix::fs::{OFlags, fcntl_setfl};
use spillpipe::archive::*;
use std::io::{self, ErrorKind, Write};
use std::os::fd::OwnedFd;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

#[test]
fn what_ends_the_wait_for_a_stream_ends_the_copy() {
    let model = simple(spillpipe::format::Family::Lz4, 2);
    let (input, mut producer) = io::pipe().unwrap();
    producer.write_all(&model.bytes[..model.bytes.len() - 1]).unwrap();
    let input: std::os::fd::OwnedFd = input.into();
    let mut reads = 0;
    let source = Source::file("pipe", input.into()).unwrap().waiting_by(move |_| {
        reads += 1;
        if reads == 1 { Ok(()) } else { Err(ErrorKind::BrokenPipe.into()) }
    });
    let (mut out, options) = (Vec::new(), CopyOptions::default());
    let error = copy_out(Parts::from(source), &mut out, &options, &mut Copied::default()).unwrap_err();
    assert!(out == model.all(), "what was there came out");
    let CopyError::Archive(Error::Io { source, .. }) = &error else { panic!("{error}") };
    assert_eq!(source.kind(), ErrorKind::BrokenPipe);
    let file = Source::file("file", super::file(&model.bytes)).unwrap();
    let file = file.waiting_by(|_| panic!("a file is not waited for"));
    copy_out(Parts::from(file), &mut io::sink(), &options, &mut Copied::default()).unwrap();
}

/// Readers take this kind for a reason to try again.
#[test]
fn a_wait_that_is_interrupted_ends_the_read_as_any_other_that_fails() {
    let (input, _producer) = io::pipe().unwrap();
    let input: OwnedFd = input.into();
    let mut waits = 0;
    let source = Source::file("pipe", input.into()).unwrap().waiting_by(move |_| {
        waits += 1;
        let kind = if waits == 1 { ErrorKind::Interrupted } else { ErrorKind::BrokenPipe };
        Err(io::Error::new(kind, format!("wait {waits}")))
    });
    let error = copy_out(Parts::from(source), &mut io::sink(), &CopyOptions::default(), &mut Copied::default());
    assert_eq!(error.unwrap_err().to_string(), "cannot read pipe at byte 0: wait 1");
}

#[test]
fn whoever_finds_nothing_where_there_was_something_waits_as_before() {
    let (input, mut producer) = io::pipe().unwrap();
    let input: OwnedFd = input.into();
    fcntl_setfl(&input, OFlags::NONBLOCK).unwrap();
    let (sender, told) = sync_channel(1);
    let mut waits = 0;
    // The first wait ends, and somebody else reads what was there.
    let source = Source::file("pipe", input.into()).unwrap().waiting_by(move |_| {
        waits += 1;
        if waits == 1 {
            return Ok(());
        }
        sender.send(()).unwrap();
        Err(ErrorKind::BrokenPipe.into())
    });
    std::thread::scope(|scope| {
        let reading = scope.spawn(|| Reader::new(source).map(drop).unwrap_err().to_string());
        let waited = told.recv_timeout(Duration::from_secs(2)).is_ok();
        // So that it ends in any case, if it has not yet.
        let _ = producer.write_all(b"x");
        assert!(waited, "it was not asked");
        assert!(reading.join().unwrap().starts_with("cannot read pipe at byte 0: "));
    });
}
