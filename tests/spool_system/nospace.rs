//! Calls that the system refuses because the disk is full, one at each place in turn: the header of a segment, a chunk,
//! a seal, the end mark. `strace` has them refused.

use super::common::{assert_same, noise};
use super::{Spool, fails, has, silent};
use std::process::{Command, Output};

/// Pushes while `strace` has calls refused.
fn refused(spool: &Spool, calls: &str, options: &str, data: &[u8]) -> Output {
    let mut strace = Command::new("strace");
    strace.args(["-f", "-q", "-o", "/dev/null", "-e", "trace=pwritev,openat,fdatasync", "-e"]);
    strace.arg(format!("inject={calls}")).arg(assert_cmd::cargo::cargo_bin!("spillpipe"));
    strace.args(["push", "--min-free", "0", "-z", "none", "-s", "64K", "--max-disk", "8M"]);
    strace.args(options.split_whitespace()).arg(&spool.dir);
    let mut strace = assert_cmd::Command::from_std(strace);
    strace.timeout(super::common::PATIENCE).write_stdin(data).output().unwrap()
}

/// A spool that a reader is registered in, and what is pushed: some segments, each of a header, some chunks, a seal.
fn spool() -> (Spool, Vec<u8>) {
    let spool = Spool::new();
    silent(spool.run("reader add DIR default", ""));
    (spool, noise(7, 1 << 20))
}

#[test]
#[ignore = "needs strace"]
fn a_write_that_finds_the_disk_full_is_made_again_wherever_it_is() {
    if !has("strace") {
        return;
    }
    // The first two are of the spool's own slots.
    for error in ["ENOSPC", "EDQUOT"] {
        let mut waited = 0;
        for nth in 3..=30 {
            let (spool, data) = spool();
            let output = refused(&spool, &format!("pwritev:error={error}:when={nth}"), "", &data);
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            if said.contains("s/spool: ") {
                // The last ones mark in the spool's own slots that the push has ended. In place: they need no room.
                assert_eq!(output.status.code(), Some(1), "{nth}: {said}");
            } else {
                // Without a word: it was a seal, which can be done without.
                assert!(said.is_empty() || said.ends_with("; pausing the producer\n"), "{nth}: {said}");
                assert_eq!(output.status.code(), Some(0), "{nth}: {said}");
                waited += u32::from(!said.is_empty());
            }
            assert_same(&spool.pop(""), &data);
            assert!(spool.segments().is_empty());
        }
        assert!(waited > 16, "each of the chunks, and the headers: {waited}");
    }
}

#[test]
#[ignore = "needs strace"]
fn where_it_is_to_fail_then_it_fails_with_a_prefix_in_it_wherever_it_is() {
    if !has("strace") {
        return;
    }
    for nth in 3..30 {
        let (spool, data) = spool();
        let output = refused(&spool, &format!("pwritev:error=ENOSPC:when={nth}"), "--when-full fail", &data);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.code() == Some(0) {
            // A seal can be missing: what comes behind tells as much.
            assert_same(&spool.pop(""), &data);
            continue;
        }
        assert!(matches!(output.status.code(), Some(1 | 5)), "{nth}: {said}");
        assert!(said.contains("No space left on device"), "{nth}: {said}");
        let out = spool.run("pop DIR", "");
        assert!(data.starts_with(&out.stdout), "{nth}");
        assert!(
            out.status.code() == Some(4) || (out.stdout.len() == data.len() && said.contains("s/spool")),
            "{nth}: {said}"
        );
    }
}

#[test]
#[ignore = "needs strace"]
fn a_sync_that_fails_fails_the_push_and_is_not_tried_again() {
    if !has("strace") {
        return;
    }
    // The first and second are of the spool's own slots.
    let (spool, data) = spool();
    let output = refused(&spool, "fdatasync:error=EIO:when=3+", "", &data);
    fails(output, 1, "Input/output error");
    let out = spool.run("pop DIR", "");
    assert!(data.starts_with(&out.stdout));
    assert_eq!(out.status.code(), Some(4), "what is not known to be durable is not called complete");
}
