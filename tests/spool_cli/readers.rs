//! Several readers, each with its own place.

use super::{Spool, assert_same, eventually, fails, silent, text};

#[test]
fn readers_are_independent_and_the_disk_is_free_when_the_last_has_read() {
    let spool = Spool::new();
    let data = text(1 << 20);
    silent(spool.run("reader add DIR a", ""));
    silent(spool.run("reader add DIR b", ""));
    spool.push("", data.clone());
    assert_same(&spool.pop("--reader a"), &data);
    assert!(!spool.segments().is_empty(), "b has not read");
    assert_eq!(spool.reader("a")["backlog_bytes"], 0);
    assert_eq!(spool.reader("b")["backlog_bytes"], 1 << 20);
    assert_same(&spool.pop("--reader b"), &data);
    assert!(spool.segments().is_empty());
}

#[test]
fn one_process_at_a_time_reads_under_a_name() {
    let spool = Spool::new();
    spool.push("--no-end", "x");
    let pop = spool.start("pop --follow --peek DIR");
    eventually("a reader", || spool.reader_in_use("default").then_some(()));
    let words = format!("is in use by process {}; --reader gives another name", pop.0.id());
    fails(spool.run("pop DIR", ""), 1, &words);
    fails(spool.run("reader seek DIR default newest", ""), 1, "in use by process");
    fails(spool.run("reader remove DIR default", ""), 1, "in use by process");
    assert_eq!(spool.pop("--reader other"), b"x");
}

#[test]
fn a_new_reader_begins_where_it_is_told_to() {
    let spool = Spool::with("old ");
    silent(spool.run("reader add DIR first --from oldest", ""));
    silent(spool.run("reader add DIR late --from newest", ""));
    assert!(spool.pop("--reader later --from newest").is_empty());
    spool.push("", "new");
    assert_eq!(spool.pop("--reader late"), b"new");
    assert_eq!(spool.pop("--reader later --from oldest"), b"new", "it is not new any more");
    assert_eq!(spool.pop("--reader first"), b"old new");
}

#[test]
fn a_removed_reader_holds_nothing_back() {
    let spool = Spool::new();
    silent(spool.run("reader add DIR gone", ""));
    spool.push("", "data");
    assert_eq!(spool.pop(""), b"data");
    assert!(!spool.segments().is_empty());
    silent(spool.run("reader remove DIR gone", ""));
    silent(spool.run("trim DIR", ""));
    assert!(spool.segments().is_empty());
}

#[test]
fn seeking_moves_a_reader_by_bytes_and_units() {
    let spool = Spool::new();
    let data = text(100_000);
    spool.push("-s 4K", data.clone());
    silent(spool.run("reader add DIR me", ""));
    let peek = || spool.pop("--reader me --peek --max-bytes 10");
    for (place, at) in [("2K", 2048), ("+1K", 3072), ("50001", 50_001), ("oldest", 0), ("+7", 7)] {
        silent(spool.run(&format!("reader seek DIR me {place}"), ""));
        assert_eq!(peek(), &data[at..at + 10], "{place}");
    }
    silent(spool.run("reader seek DIR me newest", ""));
    assert!(peek().is_empty());
    fails(spool.run("reader seek DIR me 100001", ""), 2, "there is nothing at byte 100001 of the stream");
    fails(spool.run("reader seek DIR me +1", ""), 2, "there is nothing at byte 100001 of the stream");
}

#[test]
fn names_that_are_none_and_readers_that_are_not_there_are_told() {
    let spool = Spool::with("x");
    silent(spool.run("reader add DIR me", ""));
    fails(spool.run("reader add DIR me", ""), 1, "has a reader 'me' already");
    fails(spool.run("reader remove DIR you", ""), 1, "has no reader 'you'");
    fails(spool.run("reader seek DIR you +1", ""), 1, "has no reader 'you'");
    for name in ["../x", "a/b", ".hidden", "x\u{e9}", &"n".repeat(65)] {
        fails(spool.run(&format!("pop --reader {name} DIR"), ""), 2, "is no name for a reader");
        fails(spool.run(&format!("reader add DIR {name}"), ""), 2, "is no name for a reader");
    }
}

#[test]
fn a_look_leaves_no_reader_behind_that_would_keep_everything() {
    let spool = Spool::with("precious");
    assert_eq!(spool.pop("--peek --reader me"), b"precious");
    assert!(spool.info()["readers"].as_array().unwrap().is_empty());
    silent(spool.run("reader add DIR me", ""));
    assert_eq!(spool.pop("--peek --reader me"), b"precious");
    assert_eq!(spool.reader("me")["offset_bytes"], 0, "who was there before stays");
}

#[test]
fn trimming_makes_room_and_its_readers_are_told_of_the_gap() {
    let spool = Spool::new();
    spool.push("", "x");
    spool.pop("--reader slow");
    for _ in 0..4 {
        spool.push("--no-end -z none", super::noise(200_000));
    }
    assert_eq!(spool.segments().len(), 4);
    let output = spool.run("trim -v --keep 450K DIR", "");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.starts_with("spillpipe: removed 2 segments, "), "{said}");
    let output = spool.run("pop --reader slow DIR", "");
    assert_eq!((output.status.code(), output.stdout.len()), (Some(0), 400_000));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.starts_with("spillpipe: gap: 400000 bytes, "), "{said}");
    assert_eq!(said.lines().count(), 1);
}

impl Spool {
    fn reader_in_use(&self, name: &str) -> bool {
        let info = self.info();
        info["readers"].as_array().unwrap().iter().any(|reader| reader["name"] == name && reader["in_use"] == true)
    }
}
