//! Every operation of the store fails in turn: a clear error and a true prefix, or, where it is only full, all the data.

use super::{noise, run, sleeps_first, small};
use spillpipe::codec::{Choice, Codec};
use spillpipe::pipe::{Error, Options};
use spillpipe::store::{Fault, SimStore};

fn options() -> Options {
    let mut options = small();
    options.codec = Choice::Fixed(Codec::Raw);
    options
}

/// Operations to try: those of the first two segments, and some later.
fn operations() -> impl Iterator<Item = u64> {
    (1..=24).chain([31, 47])
}

#[test]
fn an_io_error_anywhere_is_told_and_what_went_out_is_a_prefix() {
    let input = noise(8 << 20);
    for (n, fault) in operations().flat_map(|n| [(n, Fault::Eio), (n, Fault::ShortWrite)]) {
        let store = SimStore::new(n);
        store.fail_nth(n, fault, true);
        let (result, out) = run(options(), Box::new(store.clone()), &input, sleeps_first);
        match result {
            Ok(_) => assert!(out == input && store.operations() < n, "operation {n} failed and nobody said so"),
            Err(Error::Spill { source, .. }) => {
                assert_eq!(source.raw_os_error(), Some(5), "operation {n}");
                assert!(input.starts_with(&out), "operation {n}: not a prefix");
            }
            Err(other) => panic!("operation {n}: {other}"),
        }
    }
}

#[test]
fn a_full_disk_anywhere_loses_nothing() {
    let input = noise(8 << 20);
    for n in operations() {
        let store = SimStore::new(n);
        store.fail_nth(n, Fault::Enospc, false);
        let (result, out) = run(options(), Box::new(store), &input, sleeps_first);
        // Only writing may find the disk full; whatever else says so is an error like any other.
        match result {
            Ok(_) => assert!(out == input, "operation {n}: {} bytes", out.len()),
            Err(Error::Spill { doing, .. }) => {
                assert!(doing != "spill to", "operation {n} while writing");
                assert!(input.starts_with(&out), "operation {n}: not a prefix");
            }
            Err(other) => panic!("operation {n}: {other}"),
        }
    }
}

#[test]
fn a_disk_that_stays_full_is_no_more_than_a_smaller_buffer() {
    let input = noise(12 << 20);
    let store = SimStore::new(7);
    store.set_capacity(Some(1 << 20));
    let mut options = options();
    options.spill.min_free = spillpipe::pipe::Headroom::Bytes(0);
    let (result, out) = run(options, Box::new(store), &input, sleeps_first);
    let figures = result.expect("full is no error");
    assert!(out == input);
    assert!(figures.disk_bytes_peak <= 1 << 20 && !figures.producer_waited.is_zero(), "{figures:?}");
}
