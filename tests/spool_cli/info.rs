//! What is told of a spool, to people and to programs.

use super::{Spool, silent};
use expect_test::{Expect, expect};

/// What differs from run to run, made the same.
fn steady(spool: &Spool, text: &str) -> String {
    let mut text = text.replace(spool.dir().to_str().unwrap(), "DIR");
    for seconds in 1..10 {
        // On a machine that is busy it may have taken some.
        text = text.replace(&format!("age_seconds\": {seconds}"), "age_seconds\": 0");
        text = text.replace(&format!(" {seconds} s "), " 0 s ");
    }
    let mut steady = String::new();
    for line in text.lines() {
        let line = match line.split_once("\"store\": ") {
            Some((indent, _)) => format!("{indent}\"store\": \"ID\","),
            None => line.to_owned(),
        };
        steady += &(line + "\n");
    }
    steady
}

fn check(spool: &Spool, args: &str, expected: &Expect) {
    let out = String::from_utf8(silent(spool.run(args, ""))).unwrap();
    expected.assert_eq(&steady(spool, &out));
}

/// Two readers, one of them behind, in a stream of a chunk and a half.
fn two_readers() -> Spool {
    let spool = Spool::new();
    silent(spool.run("reader add DIR archive", ""));
    spool.push("-z none -s 4K --no-end", super::noise(6000));
    spool.pop("--max-bytes 100");
    spool
}

#[test]
fn a_table_for_people() {
    let spool = two_readers();
    check(
        &spool,
        "info DIR",
        &expect![[r#"
        spool       DIR
        stream      open, bytes 0 to 6000
        writer      -
        stored      5.9 KiB in 6.3 KiB on disk
        segments    1, 2 chunks, the oldest 0 s old

        reader   backlog  behind  at byte  in use by  left behind
        archive  5.9 KiB  0 s     0        -          -
        default  5.8 KiB  0 s     100      -          -
    "#]],
    );
    spool.push("--abort", "");
    spool.pop("--reader archive --max-bytes 6000");
    check(
        &spool,
        "info DIR",
        &expect![[r#"
        spool       DIR
        stream      incomplete, bytes 0 to 6000
        writer      -
        stored      5.9 KiB in 6.5 KiB on disk
        segments    2, 2 chunks, the oldest 0 s old

        reader   backlog  behind  at byte  in use by  left behind
        archive  0 B      -       6000     -          -
        default  5.8 KiB  0 s     100      -          -
    "#]],
    );
    check(
        &Spool::with(""),
        "info DIR",
        &expect![[r#"
        spool       DIR
        stream      complete, bytes 0 to 0
        writer      -
        stored      0 B in 233 B on disk
        segments    1, 0 chunks, the oldest 0 s old
        readers     none: all data stays until one is added and has read it
    "#]],
    );
}

#[test]
fn a_batch_that_was_left_behind_is_told() {
    let spool = Spool::with("12345");
    let output = spool.run("each -q --on-failure leave --retries 0 DIR -- false", "");
    assert_eq!(output.status.code(), Some(1));
    check(
        &spool,
        "info DIR",
        &expect![[r#"
        spool       DIR
        stream      complete, bytes 0 to 5
        writer      -
        stored      5 B in 334 B on disk
        segments    1, 1 chunk, the oldest 0 s old

        reader   backlog  behind  at byte  in use by  left behind
        default  5 B      0 s     5        -          1 batch, 5 B
        default left behind: chunk 0 on, 5 B, 1 attempt
    "#]],
    );
    let left = &spool.reader("default")["left_behind"];
    assert_eq!(*left, serde_json::json!([{ "chunk": 0, "offset_bytes": 0, "bytes": 5, "attempts": 1 }]));
}

#[test]
fn json_for_programs() {
    check(
        &two_readers(),
        "info --json DIR",
        &expect![[r#"
        {
          "version": "0.1.0",
          "store": "ID",
          "stream": "open",
          "oldest_offset_bytes": 0,
          "newest_offset_bytes": 6000,
          "oldest_age_seconds": 0,
          "segments": 1,
          "chunks": 2,
          "raw_bytes": 6000,
          "disk_bytes": 6425,
          "ratio": 0.934,
          "writer_in_use": false,
          "writer_process": null,
          "readers": [
            {
              "name": "archive",
              "backlog_bytes": 6000,
              "backlog_age_seconds": 0,
              "offset_bytes": 0,
              "chunk": 0,
              "in_use": false,
              "process": null,
              "told": null,
              "damaged": false,
              "left_behind": []
            },
            {
              "name": "default",
              "backlog_bytes": 5900,
              "backlog_age_seconds": 0,
              "offset_bytes": 100,
              "chunk": 0,
              "in_use": false,
              "process": null,
              "told": null,
              "damaged": false,
              "left_behind": []
            }
          ],
          "quarantine": []
        }
    "#]],
    );
}

#[test]
fn a_reader_of_the_table_that_has_seen_enough_is_no_failure() {
    use std::os::unix::process::ExitStatusExt;
    let spool = two_readers();
    let mut info = spool.start("info DIR");
    drop(info.0.stdout.take());
    let status = info.wait();
    // It may have been faster than we were.
    assert!(status.success() || status.signal() == Some(13), "{status:?}");
}
