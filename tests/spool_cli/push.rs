//! What goes in comes out, in order, however it was pushed.

use super::{Spool, assert_same, fails, line, noise, silent, text};
use std::fs;

#[test]
fn what_is_pushed_is_popped_once() {
    let spool = Spool::new();
    let data = [text(3 << 20), noise(1 << 20)].concat();
    spool.push("", data.clone());
    assert_same(&spool.pop(""), &data);
    assert!(spool.pop("").is_empty(), "it was acknowledged");
    assert!(spool.segments().is_empty(), "and takes no disk any more");
}

#[test]
fn every_codec_and_chunk_size_goes_through() {
    let data = [text(300_000), noise(100_000)].concat();
    for options in ["-z none", "-z lz4", "-z zstd:1", "-z auto -s 4K --threads 1", "-s 4M --sync none", "--sync chunk"]
    {
        let spool = Spool::new();
        spool.push(options, data.clone());
        assert_same(&spool.pop(""), &data);
    }
}

#[test]
fn several_pushes_are_one_stream_in_their_order() {
    let spool = Spool::new();
    for word in ["one ", "two ", "three"] {
        spool.push("--no-end", word);
    }
    assert_eq!(spool.pop(""), b"one two three");
    spool.push("", " four");
    spool.push("", " five");
    assert_eq!(spool.pop(""), b" four five", "also behind ends");
}

#[test]
fn nothing_at_all_is_a_complete_stream_too() {
    let spool = Spool::with("");
    assert_eq!(spool.info()["stream"], "complete");
    assert!(spool.pop("").is_empty());
}

#[test]
fn a_file_is_pushed_like_standard_input() {
    let spool = Spool::new();
    let file = spool.home.path().join("in");
    fs::write(&file, "from a file").unwrap();
    spool.push(&format!("-i {}", file.display()), "not this");
    assert_eq!(spool.pop(""), b"from a file");
}

#[test]
fn an_existing_empty_directory_becomes_a_spool() {
    let spool = Spool::new();
    fs::create_dir(spool.dir()).unwrap();
    spool.push("", "x");
    assert_eq!(spool.pop(""), b"x");
}

#[test]
fn a_directory_with_something_else_in_it_is_left_alone() {
    let spool = Spool::new();
    fs::create_dir(spool.dir()).unwrap();
    fs::write(spool.dir().join("letter"), "dear").unwrap();
    for args in ["push DIR", "pop --follow DIR", "reader add DIR x", "--spool DIR"] {
        fails(spool.run(args, "x"), 1, "holds files and is no spool; choose a new or an empty directory");
    }
    for args in ["pop DIR", "info DIR", "trim DIR", "reader remove DIR x"] {
        fails(spool.run(args, "x"), 1, "is no spool");
    }
    assert_eq!(fs::read_dir(spool.dir()).unwrap().count(), 1);
}

#[test]
fn a_second_pusher_is_told_who_pushes() {
    let spool = Spool::new();
    let first = spool.start("push --min-free 0 DIR");
    super::eventually("a writer", || (spool.exists() && spool.info()["writer_in_use"] == true).then_some(()));
    let words = format!("is in use by process {}; use --wait to wait for it", first.0.id());
    fails(spool.run("push --min-free 0 DIR", "x"), 1, &words);
    fails(spool.run("--spool DIR --min-free 0", "x"), 1, "in use by process");
    assert_eq!(spool.info()["writer_process"], first.0.id());
    assert_eq!(first.end().0.code(), Some(0));
}

#[test]
fn a_second_pusher_that_waits_comes_second() {
    let spool = Spool::new();
    let mut first = spool.start("push --min-free 0 --no-end DIR");
    first.write("first ");
    super::eventually("a writer", || (spool.exists() && spool.info()["writer_in_use"] == true).then_some(()));
    let mut second = spool.start("push --min-free 0 --wait DIR");
    second.write("second");
    second.close_input();
    std::thread::sleep(std::time::Duration::from_millis(50));
    assert!(second.0.try_wait().unwrap().is_none(), "it waits");
    assert_eq!(first.end().0.code(), Some(0));
    assert_eq!(second.end().0.code(), Some(0));
    assert_eq!(spool.pop(""), b"first second");
}

#[test]
fn an_input_that_fails_leaves_what_was_read_marked_as_incomplete() {
    let spool = Spool::new();
    fails(spool.run("push -i /proc/self/mem --min-free 0 DIR", ""), 1, "cannot read /proc/self/mem: ");
    fails(spool.run("pop DIR", ""), 4, "incomplete");
    fails(spool.run("push -i /nonexistent DIR", ""), 1, "cannot open /nonexistent");
    fails(spool.run("push -i /tmp DIR", ""), 1, "cannot read /tmp: Is a directory");
}

#[test]
fn a_wrong_input_makes_no_spool() {
    let spool = Spool::new();
    fails(spool.run("push -i /nonexistent DIR", ""), 1, "cannot open /nonexistent");
    assert!(!spool.dir().exists());
    fails(super::spillpipe("push /nonexistent/s").output().unwrap(), 1, "/nonexistent/s: No such file or directory");
}

#[test]
fn records_end_where_chunks_end() {
    let spool = Spool::new();
    let lines = (0..20_000).fold(String::new(), |lines, n| lines + &format!("line {n}\n"));
    spool.push("--records lines -s 4K -z none", lines.clone());
    // A chunk that is lost takes whole lines with it, and no part of one.
    let segment = spool.segments().remove(0);
    let mut bytes = fs::read(&segment).unwrap();
    let at = bytes.windows(9).position(|window| window == b"line 7777").unwrap();
    bytes[at] ^= 1;
    fs::write(segment, bytes).unwrap();
    let left = String::from_utf8(fails(spool.run("pop -q DIR", ""), 3, "is damaged in 1 place")).unwrap();
    assert!(left.len() < lines.len() && left.len() >= lines.len() - 4096, "{}", left.len());
    let numbers = left.lines().map(|line| line.strip_prefix("line ").unwrap().parse::<u32>().unwrap());
    assert!(numbers.clone().is_sorted() && numbers.max() == Some(19_999));
}

#[test]
fn figures_tell_what_was_taken_in() {
    let spool = Spool::new();
    let stats = spool.home.path().join("stats");
    spool.push(&format!("--stats {}", stats.display()), text(1 << 20));
    let figures: serde_json::Value = serde_json::from_slice(&fs::read(&stats).unwrap()).unwrap();
    assert_eq!((&figures["command"], &figures["end"]), (&"push".into(), &"complete".into()));
    assert_eq!((&figures["bytes_in"], &figures["exit_status"]), (&(1 << 20).into(), &0.into()));
    assert!(figures["stored_bytes"].as_u64().unwrap() < 1 << 20 && figures["ratio"].as_f64().unwrap() > 1.0);
    assert!(figures["syncs"].as_u64().unwrap() > 0 && figures["chunks_in"].as_u64().unwrap() >= 4, "{figures}");
    let output = spool.run(&format!("push --stats {0} -l {0} DIR", stats.display()), "");
    fails(output, 1, "figures and messages are the same file");
}

#[test]
fn without_a_terminal_it_says_only_what_it_is_asked_for() {
    let spool = Spool::new();
    let output = spool.run("push -v --min-free 0 DIR", "hello");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.starts_with("spillpipe: 5 B in ") && said.ends_with("in 1 chunk; synced\n"), "{said}");
    let output = spool.run("pop -v DIR", "");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.starts_with("spillpipe: 5 B in ") && said.lines().count() == 1, "{said}");
    let log = spool.home.path().join("log");
    silent(spool.run(&format!("push --min-free 0 -l {} DIR", log.display()), "x"));
    assert!(fs::read_to_string(log).unwrap().starts_with("spillpipe: 1 B in "));
}

#[test]
fn sigusr1_is_answered_and_never_kills() {
    use rustix::process::{Pid, Signal, kill_process};
    let spool = Spool::new();
    let mut push = spool.start("push --min-free 0 DIR");
    push.write("abc");
    super::eventually("the bytes", || (spool.exists() && spool.info()["raw_bytes"] == 3).then_some(()));
    kill_process(Pid::from_child(&push.0), Signal::USR1).unwrap();
    let mut said = std::io::BufReader::new(push.0.stderr.take().unwrap());
    assert!(line(&mut said).starts_with("spillpipe: 3 B taken in after "));
    push.close_input();
    assert_eq!(push.wait().code(), Some(0));
}
