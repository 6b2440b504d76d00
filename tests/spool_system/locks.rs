//! One process at a time: told who it is, and free again however that one ends.

use super::{Spool, fails, line, silent, until};
use std::time::Duration;

#[test]
fn a_pusher_that_is_killed_leaves_nothing_locked() {
    let spool = Spool::new();
    let first = spool.start("push --min-free 0 DIR");
    spool.wait_for_writer(0);
    let who = format!("is in use by process {}", first.0.id());
    fails(spool.run("push --min-free 0 DIR", "x"), 1, &who);
    first.kill();
    assert_eq!(spool.info()["writer_in_use"], false);
    spool.push("", "at once");
}

#[test]
fn who_waits_to_push_comes_next_when_the_other_is_killed() {
    for kill in [false, true] {
        let spool = Spool::new();
        let mut first = spool.start("push --min-free 0 --no-end --linger 0ms DIR");
        first.write("first ");
        spool.wait_for_writer(6);
        let mut second = spool.start("push --min-free 0 --wait DIR");
        second.write("second");
        drop(second.input());
        std::thread::sleep(Duration::from_millis(150));
        assert!(second.is_running(), "it waits");
        if kill {
            first.kill();
        } else {
            assert_eq!(first.end().0.code(), Some(0));
        }
        assert_eq!(second.end().0.code(), Some(0));
        let output = spool.run("pop DIR", "");
        assert_eq!((output.status.code(), output.stdout), (Some(if kill { 4 } else { 0 }), b"first second".to_vec()));
    }
}

#[test]
fn waiting_for_the_other_costs_little() {
    let spool = Spool::new();
    let _first = spool.start("push --min-free 0 DIR");
    spool.wait_for_writer(0);
    let second = spool.start("push --min-free 0 --wait DIR");
    std::thread::sleep(Duration::from_millis(200));
    let spent = second.processor_time_in(Duration::from_secs(1));
    assert!(spent < Duration::from_millis(50), "{spent:?}");
}

#[test]
fn a_popper_that_is_killed_leaves_nothing_locked() {
    let spool = Spool::new();
    spool.push("--no-end", "one\n");
    let mut first = spool.start("pop --follow DIR");
    let mut out = first.output();
    assert_eq!(line(&mut out), "one\n");
    let who = format!("reader 'default' of {} is in use by process {}", spool.dir.display(), first.0.id());
    fails(spool.run("pop DIR", ""), 1, &who);
    silent(spool.run("pop --reader other DIR", ""));
    first.kill();
    until("the name to be free", || spool.info()["readers"][0]["in_use"] == false);
    spool.push("", "two\n");
    let again = spool.pop("");
    assert!(again == b"two\n" || again == b"one\ntwo\n", "what was not durably acknowledged comes again");
}
