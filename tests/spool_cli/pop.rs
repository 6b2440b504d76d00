//! Popping: once, in parts, without acknowledging, following.

use super::{Spool, assert_same, eventually, fails, line, silent, text};
use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, Instant};

#[test]
fn a_missing_spool_is_an_error_with_a_hint() {
    let spool = Spool::new();
    fails(spool.run("pop DIR", ""), 1, "is no spool; 'spillpipe push' makes one");
    assert!(!spool.dir().exists());
}

#[test]
fn a_spool_whose_file_is_gone_is_told_as_such_unless_there_is_data_to_know_it_by() {
    let spool = Spool::with("x");
    let own = spool.dir().join("spool");
    std::fs::remove_file(&own).unwrap();
    assert_eq!(spool.pop(""), b"x");
    std::fs::remove_file(&own).unwrap();
    assert!(spool.segments().is_empty());
    for args in ["pop DIR", "push --min-free 0 DIR", "info DIR"] {
        fails(spool.run(args, ""), 1, "is no spool any more: its file 'spool' is missing");
    }
}

#[test]
fn peeking_takes_nothing() {
    let spool = Spool::with("precious");
    assert_eq!(spool.pop("--peek"), b"precious");
    assert_eq!(spool.pop("--peek --max-bytes 3"), b"pre");
    assert_eq!(spool.pop(""), b"precious");
    assert!(spool.pop("--peek").is_empty());
}

#[test]
fn a_limit_is_kept_to_the_byte_and_the_next_pop_goes_on_there() {
    let spool = Spool::new();
    let data = text(1 << 20);
    spool.push("-s 64K", data.clone());
    let sizes = [1, 65_535, 65_536, 1, 100_000, 200_000];
    let mut out = Vec::new();
    for size in sizes {
        let part = spool.pop(&format!("--max-bytes {size}"));
        assert_eq!(part.len(), size);
        out.extend(part);
        assert_eq!(spool.reader("default")["offset_bytes"], out.len());
    }
    out.extend(spool.pop("--max-bytes 1G"));
    assert_same(&out, &data);
}

#[test]
fn following_waits_for_a_spool_and_for_its_pushes_and_ends_at_the_end_mark() {
    let spool = Spool::new();
    let mut pop = spool.start("pop --follow DIR");
    let mut out = pop.lines();
    eventually("a spool", || spool.exists().then_some(()));
    spool.push("--no-end", "first\n");
    assert_eq!(line(&mut out), "first\n");
    spool.push("", "second\n");
    assert_eq!(line(&mut out), "second\n");
    let (status, _, said) = pop.end();
    assert_eq!((status.code(), said.as_str()), (Some(0), ""));
}

#[test]
fn an_end_that_was_told_is_waited_at_for_the_next_push() {
    let spool = Spool::with("first\n");
    assert_eq!(spool.pop("--follow"), b"first\n");
    let mut pop = spool.start("pop --follow DIR");
    let mut out = pop.lines();
    std::thread::sleep(Duration::from_millis(100));
    assert!(pop.0.try_wait().unwrap().is_none(), "it waits");
    spool.push("", "second\n");
    assert_eq!(line(&mut out), "second\n");
    assert_eq!(pop.end().0.code(), Some(0));
}

/// Lost wake-ups would show as 250 ms, data kept to fill a chunk as 100 ms.
#[test]
fn a_quiet_single_line_arrives_at_once() {
    let spool = Spool::new();
    let mut push = spool.start("push --min-free 0 --linger 0 DIR");
    let mut pop = spool.start("pop --follow DIR");
    let mut out = pop.lines();
    let mut delays = Vec::new();
    for n in 0..9 {
        std::thread::sleep(Duration::from_millis(30));
        let (start, sent) = (Instant::now(), format!("line {n}\n"));
        push.write(&sent);
        assert_eq!(line(&mut out), sent);
        delays.push(start.elapsed());
    }
    delays.sort();
    assert!(delays[4] < Duration::from_millis(50), "{delays:?}");
    assert_eq!(push.end().0.code(), Some(0));
    assert_eq!(pop.end().0.code(), Some(0));
}

#[test]
fn a_line_is_not_kept_for_longer_than_the_linger() {
    let spool = Spool::new();
    let mut push = spool.start("push --min-free 0 DIR");
    let mut pop = spool.start("pop --follow DIR");
    let mut out = pop.lines();
    push.write("warm-up\n");
    assert_eq!(line(&mut out), "warm-up\n");
    let start = Instant::now();
    push.write("hello\n");
    assert_eq!(line(&mut out), "hello\n");
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    push.close_input();
    assert_eq!(push.wait().code(), Some(0));
    assert_eq!(pop.wait().code(), Some(0));
}

#[test]
fn a_consumer_that_leaves_ends_it_by_sigpipe_and_what_was_written_is_acknowledged() {
    let spool = Spool::new();
    let data = text(4 << 20);
    spool.push("-s 64K", data.clone());
    let mut pop = spool.start("pop DIR");
    let mut head = vec![0; 100_000];
    let mut out = pop.0.stdout.take().unwrap();
    out.read_exact(&mut head).unwrap();
    drop(out);
    let status = pop.wait();
    assert_eq!(status.signal(), Some(13), "{status:?}");
    assert_eq!(pop.end().2, "");
    let at = usize::try_from(spool.reader("default")["offset_bytes"].as_u64().unwrap()).unwrap();
    assert!((100_000..data.len()).contains(&at), "{at}");
    assert_same(&spool.pop(""), &data[at..]);
}

#[test]
fn a_consumer_that_leaves_while_nothing_comes_is_noticed() {
    let spool = Spool::new();
    let mut pop = spool.start("pop --follow DIR");
    eventually("a spool", || spool.exists().then_some(()));
    drop(pop.0.stdout.take());
    let start = Instant::now();
    let status = pop.wait();
    assert_eq!(status.signal(), Some(13), "{status:?}");
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
}

#[test]
fn a_full_output_is_told_and_what_was_not_written_stays() {
    let spool = Spool::with("precious");
    let output = std::process::Command::new("sh")
        .args(["-c", "exec \"$0\" pop \"$1\" >/dev/full"])
        .arg(assert_cmd::cargo::cargo_bin!("spillpipe"))
        .arg(spool.dir())
        .output()
        .unwrap();
    fails(output, 1, "cannot write standard output: No space left on device");
    assert_eq!(spool.pop(""), b"precious");
}

#[test]
fn every_acknowledgement_interval_hands_out_the_same() {
    let data = text(1 << 20);
    for interval in ["0", "1ms", "10s"] {
        let spool = Spool::new();
        spool.push("-s 64K", data.clone());
        assert_same(&spool.pop(&format!("--ack-interval {interval}")), &data);
        assert!(spool.pop("").is_empty());
    }
}

#[test]
fn a_kill_repeats_at_most_what_was_not_acknowledged_on_disk() {
    let spool = Spool::new();
    let data = text(1 << 20);
    spool.push("-s 16K", data.clone());
    let mut pop = spool.start("pop --ack-interval 0 DIR");
    let mut head = vec![0; 300_000];
    pop.0.stdout.as_mut().unwrap().read_exact(&mut head).unwrap();
    pop.kill();
    // What is in the pipe was written, and counts; the chunk under way comes again.
    let at = usize::try_from(spool.reader("default")["offset_bytes"].as_u64().unwrap()).unwrap();
    assert!(at + (16 << 10) >= head.len(), "{at}");
    assert_same(&spool.pop(""), &data[at..]);
}

/// A spool with two batches that 'each' has left behind, and something new.
fn with_batches_left_behind() -> Spool {
    let spool = Spool::new();
    for part in ["first ", "second ", "third "] {
        spool.push("--no-end -z none", part);
    }
    let output = spool.run("each -q --on-failure leave --retries 0 --batch-bytes 1 DIR -- grep -q third", "");
    assert_eq!(output.status.code(), Some(1));
    spool.push("", "fourth");
    assert_eq!(spool.reader("default")["left_behind"].as_array().unwrap().len(), 2);
    spool
}

#[test]
fn what_each_left_behind_comes_first() {
    let spool = with_batches_left_behind();
    assert_eq!(spool.pop(""), b"first second fourth");
    assert!(spool.reader("default")["left_behind"].as_array().unwrap().is_empty());
    assert!(spool.pop("").is_empty());
}

#[test]
fn a_look_or_a_part_is_without_what_each_left_behind_and_says_so() {
    let spool = with_batches_left_behind();
    for options in ["--peek", "--max-bytes 100"] {
        let output = spool.run(&format!("pop {options} DIR"), "");
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(said, "spillpipe: 2 batches (13 B) are left behind, and not handed out\n");
        assert_eq!((output.status.code(), output.stdout), (Some(0), b"fourth".to_vec()));
    }
    assert_eq!(spool.pop(""), b"first second ");
}

#[test]
fn a_batch_left_behind_that_is_damaged_meanwhile_is_told_as_damage() {
    let spool = with_batches_left_behind();
    let segment = &spool.segments()[0];
    let mut bytes = std::fs::read(segment).unwrap();
    let at = bytes.windows(5).position(|window| window == b"first").unwrap();
    bytes[at] ^= 1;
    std::fs::write(segment, bytes).unwrap();
    let output = spool.run("pop DIR", "");
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), said.lines().count()), (Some(3), 2), "{said}");
    assert!(said.contains("of the batch left behind at byte 0, 6 bytes of 6 are damaged"), "{said}");
    assert!(said.contains("is damaged in 1 place: 6 bytes of data lost"), "{said}");
    assert_eq!(output.stdout, b"second fourth");
    assert!(spool.pop("").is_empty(), "it has been told");
}

#[test]
fn figures_tell_what_was_handed_out() {
    let spool = Spool::with(text(300_000));
    let stats = spool.home.path().join("stats");
    silent(spool.run(&format!("pop --reader me --stats {} DIR", stats.display()), ""));
    let figures: serde_json::Value = serde_json::from_slice(&std::fs::read(&stats).unwrap()).unwrap();
    for (key, value) in [
        ("command", "pop".into()),
        ("reader", "me".into()),
        ("bytes_out", 300_000.into()),
        ("offset_bytes", 300_000.into()),
        ("incomplete", false.into()),
        ("gap_bytes", 0.into()),
        ("damages", 0.into()),
        ("exit_status", 0.into()),
        ("error", serde_json::Value::Null),
    ] {
        assert_eq!(figures[key], value, "{key}: {figures}");
    }
}
