//! Every kind of input with every kind of output: all bytes, no more than the limit, and the positions afterwards.

use super::{KINDS, channel, contents, file_of, position, sample, through};
use proptest::prelude::*;
use spillpipe::copy;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::net::UnixStream;
use std::thread::scope;

#[test]
fn every_kind_to_every_kind() {
    let bytes = sample((3 << 20) + 77);
    for from in KINDS {
        for to in KINDS {
            let (result, arrived) = through(from, to, &bytes, None);
            assert_eq!(result.unwrap(), bytes.len() as u64, "{from} to {to}");
            assert!(arrived == bytes, "{from} to {to}");
        }
    }
}

#[test]
fn the_limit_is_exact_between_every_two_kinds() {
    let bytes = sample(600_000);
    for from in KINDS {
        for to in KINDS {
            for limit in [0, 1, 4097, 200_001] {
                let (result, arrived) = through(from, to, &bytes, Some(limit as u64));
                assert_eq!(result.unwrap(), limit as u64, "{from} to {to}");
                assert!(arrived == bytes[..limit], "{from} to {to}, {limit}");
            }
        }
    }
}

#[test]
fn an_input_shorter_than_the_limit_ends_the_copy() {
    for from in KINDS {
        for to in KINDS {
            let (result, arrived) = through(from, to, b"short", Some(1 << 40));
            assert_eq!((result.unwrap(), arrived.as_slice()), (5, &b"short"[..]), "{from} to {to}");
        }
    }
}

#[test]
fn an_empty_input_is_no_error() {
    for from in KINDS {
        for to in KINDS {
            let (result, arrived) = through(from, to, b"", None);
            assert_eq!((result.unwrap(), arrived.len()), (0, 0), "{from} to {to}");
        }
    }
}

#[test]
fn what_is_beyond_the_limit_stays_in_the_input() {
    for kind in ["pipe", "socketpair", "tcp"] {
        for to in KINDS {
            let (input, filler) = channel(kind);
            File::from(filler).write_all(b"head and tail").unwrap();
            let (_drain, output) = channel(if to == "file" { "pipe" } else { to });
            assert_eq!(copy(&input, &output, Some(4)).unwrap(), 4);
            let mut rest = String::new();
            File::from(input).read_to_string(&mut rest).unwrap();
            assert_eq!(rest, " and tail", "{kind} to {to}");
        }
    }
}

#[test]
fn files_begin_and_end_at_their_positions() {
    let bytes = sample(300_000);
    let mut input = file_of(&bytes);
    let mut output = file_of(&sample(1000));
    input.seek(SeekFrom::Start(1234)).unwrap();
    output.seek(SeekFrom::Start(10)).unwrap();
    assert_eq!(copy(&input, &output, Some(100_000)).unwrap(), 100_000);
    assert_eq!((position(&input), position(&output)), (101_234, 100_010));
    assert_eq!(copy(&input, &output, None).unwrap(), 300_000 - 101_234);
    assert_eq!((position(&input), position(&output)), (300_000, 298_776));
    let out = contents(&output);
    assert!(out[..10] == sample(1000)[..10] && out[10..] == bytes[1234..]);
    assert_eq!(copy(&input, &output, None).unwrap(), 0, "at its end");
    input.seek(SeekFrom::Start(1 << 40)).unwrap();
    assert_eq!(copy(&input, &output, None).unwrap(), 0, "past its end");
    assert_eq!(position(&output), 298_776);
}

#[test]
fn a_file_into_a_pipe_or_socket_advances_by_what_went_out() {
    let bytes = sample(50_000);
    for to in ["pipe", "socketpair", "tcp"] {
        let input = file_of(&bytes);
        let (_drain, output) = channel(to);
        assert_eq!(copy(&input, &output, Some(30_000)).unwrap(), 30_000);
        assert_eq!(position(&input), 30_000, "{to}");
    }
}

#[test]
fn what_is_appended_while_the_copy_runs_belongs_to_it() {
    let (bytes, more) = (sample(2 << 20), sample(50_000));
    let input = file_of(&bytes);
    for to in ["pipe", "socketpair"] {
        (&input).rewind().unwrap();
        input.set_len(2 << 20).unwrap();
        let (drain, output) = channel(to);
        let arrived = scope(|scope| {
            let arrived = scope.spawn(|| {
                let (mut drain, mut all) = (File::from(drain), vec![0]);
                // The copy has begun, and cannot end before the rest is taken.
                drain.read_exact(&mut all).unwrap();
                std::os::unix::fs::FileExt::write_all_at(&input, &more, 2 << 20).unwrap();
                drain.read_to_end(&mut all).unwrap();
                all
            });
            assert_eq!(copy(&input, &output, None).unwrap(), (2 << 20) + 50_000, "{to}");
            drop(output);
            arrived.join().unwrap()
        });
        assert!(arrived[..2 << 20] == bytes && arrived[2 << 20..] == more, "{to}");
    }
}

#[test]
fn both_ways_of_a_socket_pair_at_once() {
    let (left, right) = UnixStream::pair().unwrap();
    let (there, back) = (sample(1 << 20), sample(3 << 19));
    let copy_to = |socket: &UnixStream, bytes: &[u8]| {
        let copied = copy(file_of(bytes), socket, None).unwrap();
        socket.shutdown(std::net::Shutdown::Write).unwrap();
        copied
    };
    let copy_from = |socket: &UnixStream| {
        let file = tempfile::tempfile().unwrap();
        copy(socket, &file, None).unwrap();
        contents(&file)
    };
    scope(|scope| {
        let (left_in, right_in) = (scope.spawn(|| copy_from(&left)), scope.spawn(|| copy_from(&right)));
        scope.spawn(|| assert_eq!(copy_to(&left, &there), 1 << 20));
        assert_eq!(copy_to(&right, &back), 3 << 19);
        assert!(right_in.join().unwrap() == there && left_in.join().unwrap() == back);
    });
}

/// A pipe whose writes come in odd pieces, so that the pages between the ends are all but empty.
#[test]
fn pieces_of_odd_sizes_stay_in_order() {
    let bytes = sample(200_000);
    for to in ["pipe", "socketpair", "tcp"] {
        let ((input, filler), (drain, output)) = (io::pipe().unwrap(), channel(to));
        let arrived = scope(|scope| {
            scope.spawn(|| {
                let (mut filler, mut rest) = (filler, bytes.as_slice());
                for len in [1, 4095, 2, 777, 5000].into_iter().cycle() {
                    let (piece, after) = rest.split_at(rest.len().min(len));
                    if piece.is_empty() {
                        break;
                    }
                    filler.write_all(piece).unwrap();
                    rest = after;
                }
            });
            let arrived = scope.spawn(|| {
                let mut all = Vec::new();
                File::from(drain).read_to_end(&mut all).unwrap();
                all
            });
            assert_eq!(copy(&input, &output, None).unwrap(), 200_000);
            drop(output);
            arrived.join().unwrap()
        });
        assert!(arrived == bytes, "{to}");
    }
}

fn kind() -> impl Strategy<Value = &'static str> {
    prop::sample::select(&KINDS[..])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_size_and_limit_between_any_two(
        from in kind(),
        to in kind(),
        len in prop_oneof![0_usize..9000, 60_000_usize..70_000, 0_usize..1 << 20],
        limit in prop::option::of(0_u64..1 << 20),
    ) {
        let bytes = sample(len);
        let expected = limit.map_or(len, |limit| len.min(usize::try_from(limit).unwrap()));
        let (result, arrived) = through(from, to, &bytes, limit);
        prop_assert_eq!(result.unwrap(), expected as u64);
        prop_assert!(arrived == bytes[..expected]);
    }
}
