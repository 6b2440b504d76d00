//! Operation number N of the disk fails, for N = 1, 2, ... until none is left to fail.

use crate::common::{MIB, assert_prefix, assert_same, noise};
use crate::transfer::{Outcome, options, pile_up_then_drain, spill_then_drain};
use spillpipe::pipe::Error;
use spillpipe::store::{Fault, SimStore};
use std::sync::Arc;

/// A backlog that takes some twenty operations to write and about a hundred to read back.
const INPUT_BYTES: usize = 6 * MIB;

/// The operations of a run in which nothing fails: the sweep goes a little beyond.
fn sweep(fault: Fault, sticky: bool, check: impl Fn(u64, &Outcome, &[u8])) {
    let input: Arc<[u8]> = noise(7, INPUT_BYTES).into();
    let calm = SimStore::new(1);
    let outcome = spill_then_drain(options(), Box::new(calm.clone()), &input);
    assert_same(&outcome.output, &input);
    assert!(outcome.piled_up.segments > 0, "it spills");
    let last = calm.operations();
    assert!(last > 20, "{last} operations");
    for n in 1..=last {
        let disk = SimStore::new(n);
        disk.fail_nth(n, fault, sticky);
        let outcome = pile_up_then_drain(options(), Box::new(disk), &input);
        assert_prefix(&outcome.output, &input);
        check(n, &outcome, &input);
    }
}

/// An error of the device is told as what it is; only when nothing was asked of the disk after it, all is well.
fn told_or_complete(n: u64, outcome: &Outcome, input: &[u8]) {
    match &outcome.result {
        Ok(_) => assert_same(&outcome.output, input),
        Err(Error::Spill { source, .. }) => assert_eq!(source.raw_os_error(), Some(5), "operation {n}"),
        Err(other) => panic!("operation {n} failed, and it ended with {other:?}"),
    }
}

#[test]
fn a_device_error_is_told_and_what_went_out_is_a_prefix() {
    sweep(Fault::Eio, false, told_or_complete);
}

#[test]
fn a_device_that_is_gone_is_told_and_what_went_out_is_a_prefix() {
    sweep(Fault::Eio, true, told_or_complete);
}

#[test]
fn half_a_write_is_never_read_back() {
    sweep(Fault::ShortWrite, false, told_or_complete);
    sweep(Fault::ShortWrite, true, told_or_complete);
}

#[test]
fn an_interrupted_call_goes_unnoticed() {
    sweep(Fault::Eintr, false, |n, outcome, input| {
        assert!(outcome.result.is_ok(), "operation {n}: {:?}", outcome.result);
        assert_same(&outcome.output, input);
    });
}

#[test]
fn a_disk_that_is_full_for_a_moment_only_makes_the_producer_wait() {
    sweep(Fault::Enospc, false, |n, outcome, input| match &outcome.result {
        Ok(_) => assert_same(&outcome.output, input),
        // The simulation also refuses what no full disk refuses: reading and removing.
        Err(Error::Spill { doing, .. }) => assert!(!doing.starts_with("spill"), "operation {n}: {doing}"),
        Err(other) => panic!("operation {n} found no room, and it ended with {other:?}"),
    });
}
