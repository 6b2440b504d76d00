//! `spillpipe::copy` between every kind of descriptor: each byte once, in order, exactly counted, and never lost
//! without a word, also where the kernel refuses, stops short or lies.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

mod ends;
mod errors;
mod special;
mod waiting;

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use spillpipe::copy;
use spillpipe::copy::CopyError;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::thread::scope;
use std::time::Duration;

const NAP: Duration = Duration::from_millis(30);

const KINDS: [&str; 4] = ["file", "pipe", "socketpair", "tcp"];

/// Bytes that differ from place to place, so that a lost, doubled or moved one shows.
fn sample(len: usize) -> Vec<u8> {
    (0..len).map(|i| ((i * 2_654_435_761) >> 13).to_le_bytes()[0]).collect()
}

fn file_of(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file.rewind().unwrap();
    file
}

/// All that is in a file, from its start; leaves its position alone.
fn contents(file: &File) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(file.metadata().unwrap().len()).unwrap()];
    std::os::unix::fs::FileExt::read_exact_at(file, &mut bytes, 0).unwrap();
    bytes
}

fn position(mut file: &File) -> u64 {
    file.stream_position().unwrap()
}

fn tcp() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let out = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (listener.accept().unwrap().0, out)
}

fn set_nonblocking(fd: impl AsFd) {
    let flags = fcntl_getfl(&fd).unwrap();
    fcntl_setfl(&fd, flags | OFlags::NONBLOCK).unwrap();
}

/// Where bytes come out, and where they go in.
fn channel(kind: &str) -> (OwnedFd, OwnedFd) {
    match kind {
        "pipe" => io::pipe().map(|(r, w)| (r.into(), w.into())).unwrap(),
        "socketpair" => UnixStream::pair().map(|(r, w)| (r.into(), w.into())).unwrap(),
        "tcp" => {
            let (r, w) = tcp();
            (r.into(), w.into())
        }
        kind => unreachable!("{kind}"),
    }
}

/// Copies `bytes` from one kind to the other and returns what arrived. Channels are filled and drained by threads.
fn through(from: &str, to: &str, bytes: &[u8], bytes_max: Option<u64>) -> (Result<u64, CopyError>, Vec<u8>) {
    scope(|scope| {
        let input: OwnedFd = if from == "file" {
            file_of(bytes).into()
        } else {
            let (input, filler) = channel(from);
            // The copy may stop at its limit, which closes the input under the filler.
            scope.spawn(move || drop(File::from(filler).write_all(bytes)));
            input
        };
        if to == "file" {
            let output = tempfile::tempfile().unwrap();
            let result = copy(&input, &output, bytes_max);
            return (result, contents(&output));
        }
        let (drain, output) = channel(to);
        let arrived = scope.spawn(move || {
            let mut arrived = Vec::new();
            File::from(drain).read_to_end(&mut arrived).unwrap();
            arrived
        });
        let result = copy(&input, &output, bytes_max);
        drop((input, output));
        (result, arrived.join().unwrap())
    })
}
