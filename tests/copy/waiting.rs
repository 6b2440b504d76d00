//! Who waits for whom: full outputs, empty inputs, non-blocking ends, and pipes that nobody may keep locked.

use super::{KINDS, NAP, channel, contents, file_of, sample, set_nonblocking};
use rustix::fs::fcntl_getfl;
use spillpipe::copy;
use std::fs::File;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

/// All in one thread: nobody takes anything out while the copy runs.
#[test]
fn an_input_that_ends_as_the_output_is_full_does_not_wait_for_room() {
    let capacity = |pipe: &io::PipeWriter| rustix::pipe::fcntl_getpipe_size(pipe).unwrap();
    let (_keep, writer) = io::pipe().unwrap();
    let full = capacity(&writer);
    assert_eq!(copy(file_of(&sample(full)), &writer, None).unwrap(), full as u64, "from a file");

    let (input, mut filler) = io::pipe().unwrap();
    filler.write_all(&sample(full)).unwrap();
    drop(filler);
    let (_keep, writer) = io::pipe().unwrap();
    assert_eq!(copy(&input, &writer, None).unwrap(), full as u64, "from a pipe");
}

/// As it would be if the kernel kept the pipe locked while it waits for the socket.
#[test]
fn bytes_that_have_arrived_can_be_taken_while_the_copy_waits_for_more() {
    for from in ["pipe", "socketpair", "tcp"] {
        for to in ["pipe", "socketpair", "tcp"] {
            let ((input, filler), (drain, output)) = (channel(from), channel(to));
            let (mut filler, mut drain) = (File::from(filler), File::from(drain));
            scope(|scope| {
                let copied = scope.spawn(|| {
                    let copied = copy(&input, &output, None);
                    drop(output);
                    copied
                });
                for question in [b"one", b"two"] {
                    filler.write_all(question).unwrap();
                    let mut answer = [0; 3];
                    sleep(NAP);
                    drain.read_exact(&mut answer).unwrap();
                    assert_eq!(&answer, question, "{from} to {to}");
                }
                drop(filler);
                assert_eq!(copied.join().unwrap().unwrap(), 6, "{from} to {to}");
            });
        }
    }
}

#[test]
fn a_pipe_has_room_for_its_producer_while_the_copy_waits_for_a_socket() {
    let ((input, filler), (drain, output)) = (channel("pipe"), channel("socketpair"));
    let (mut filler, mut drain) = (File::from(filler), File::from(drain));
    let (both_full, at_last) = std::sync::mpsc::sync_channel::<()>(1);
    let written = scope(|scope| {
        let copied = scope.spawn(|| {
            let copied = copy(&input, &output, None);
            drop(output);
            copied.unwrap()
        });
        let drained = scope.spawn(move || {
            let in_time = at_last.recv_timeout(Duration::from_secs(5)).is_ok();
            let mut all = Vec::new();
            drain.read_to_end(&mut all).unwrap();
            (in_time, all.len())
        });
        set_nonblocking(&filler);
        let (mut written, mut last) = (0, Instant::now());
        while last.elapsed() < 3 * NAP {
            match filler.write(&[7; 4096]) {
                Ok(n) => (written, last) = (written + n, Instant::now()),
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
        }
        both_full.send(()).unwrap();
        drop(filler);
        assert_eq!(drained.join().unwrap(), (true, written), "a write that must not wait did not");
        assert_eq!(copied.join().unwrap(), written as u64);
        written
    });
    assert!(written > 64 << 10, "pipe and socket were both filled: {written}");
}

#[test]
fn a_non_blocking_input_is_waited_for() {
    for from in ["pipe", "socketpair", "tcp"] {
        for to in KINDS {
            let (input, filler) = channel(from);
            set_nonblocking(&input);
            let flags = fcntl_getfl(&input).unwrap();
            let file = tempfile::tempfile().unwrap();
            let (drain, output) = if to == "file" {
                (None, file.as_fd().try_clone_to_owned().unwrap())
            } else {
                let (drain, output) = channel(to);
                (Some(drain), output)
            };
            let copied = scope(|scope| {
                scope.spawn(|| {
                    let mut filler = File::from(filler);
                    for _ in 0..2 {
                        sleep(NAP);
                        filler.write_all(b"late").unwrap();
                    }
                });
                copy(&input, &output, None).unwrap()
            });
            assert_eq!(copied, 8, "{from} to {to}");
            assert_eq!(fcntl_getfl(&input).unwrap(), flags, "its flags are as they were");
            drop(output);
            let arrived = drain.map_or_else(
                || contents(&file),
                |drain| {
                    let mut all = Vec::new();
                    File::from(drain).read_to_end(&mut all).unwrap();
                    all
                },
            );
            assert_eq!(arrived, b"latelate", "{from} to {to}");
        }
    }
}

#[test]
fn a_non_blocking_output_is_waited_for() {
    let bytes = sample(2 << 20);
    for from in KINDS {
        for to in ["pipe", "socketpair", "tcp"] {
            let ((input, filler), (drain, output)) = if from == "file" {
                ((file_of(&bytes).into(), None), channel(to))
            } else {
                let (input, filler) = channel(from);
                ((input, Some(filler)), channel(to))
            };
            set_nonblocking(&output);
            let arrived = scope(|scope| {
                scope.spawn(|| filler.map(|filler| File::from(filler).write_all(&bytes).unwrap()));
                let arrived = scope.spawn(|| {
                    sleep(NAP);
                    let mut all = Vec::new();
                    File::from(drain).read_to_end(&mut all).unwrap();
                    all
                });
                assert_eq!(copy(&input, &output, None).unwrap(), bytes.len() as u64, "{from} to {to}");
                drop(output);
                arrived.join().unwrap()
            });
            assert!(arrived == bytes, "{from} to {to}");
        }
    }
}

/// The plain way into a full, non-blocking pipe: writes come up short.
#[test]
fn short_writes_go_on_where_they_stopped() {
    let (mut drain, output) = io::pipe().unwrap();
    set_nonblocking(&output);
    let zero = File::open("/dev/zero").unwrap();
    let arrived = scope(|scope| {
        let arrived = scope.spawn(move || {
            let (mut bytes, mut buf) = (0, [1; 1000]);
            loop {
                match drain.read(&mut buf).unwrap() {
                    0 => return bytes,
                    n => bytes += n,
                }
                assert!(buf.iter().all(|b| *b == 0 || *b == 1));
            }
        });
        assert_eq!(copy(&zero, &output, Some(1_000_003)).unwrap(), 1_000_003);
        drop(output);
        arrived.join().unwrap()
    });
    assert_eq!(arrived, 1_000_003);
}
