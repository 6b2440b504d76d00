//! Commands that fail: again, and again, and then.

use super::{Begin, KEEP, Place, assert_fails, chunks, data_of, said, seqs};
use spillpipe::format::EndState;
use spillpipe::spool::Records;
use std::io::Write;
use std::time::{Duration, Instant};

#[test]
fn it_is_tried_again_after_longer_and_longer_and_then_all_stops_and_nothing_is_lost() {
    let place = Place::new();
    place.push(1 << 12, &chunks(6));
    let start = Instant::now();
    let output = place.run("--batch-bytes 8K --retries 3 --retry-delay 50ms", r#"echo x >>"$OUT/tries"; exit 7"#);
    // 50, 100 and 200 ms, a fifth less at the least.
    assert!(start.elapsed() > Duration::from_millis(280), "{:?}", start.elapsed());
    assert_fails(&output, 1, &["sh ended with exit status 7", "batch 0 (8.0 KiB)", "after 4 attempts"]);
    assert_eq!(said(&output).lines().count(), 4, "a line each time");
    assert_eq!(place.await_file("tries").lines().count(), 4);
    let batches = place.take("--batch-bytes 8K");
    assert_eq!((batches[0].attempt, batches[1].attempt), (5, 1));
    assert!(data_of(&batches) == chunks(6));
}

#[test]
fn a_failure_that_passes_stops_nothing() {
    let place = Place::new();
    place.push(1 << 12, &chunks(2));
    let script = format!("[ $SPILLPIPE_ATTEMPT = 3 ] || exit 1; {KEEP}");
    let output = place.run("--retry-delay 5ms", &script);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(place.taken().iter().map(|batch| batch.attempt).collect::<Vec<_>>(), [3]);
}

#[test]
fn what_is_left_behind_comes_first_at_the_next_run() {
    let place = Place::new();
    place.push(1 << 12, &chunks(6));
    let script =
        format!(r#"echo "$SPILLPIPE_SEQ $SPILLPIPE_DIGEST" >>"$OUT/all"; [ $SPILLPIPE_SEQ != 2 ] || exit 1; {KEEP}"#);
    let options = "--batch-bytes 4K --on-failure leave --retries 1 --retry-delay 5ms";
    let output = place.run(options, &script);
    assert_fails(&output, 1, &["1 batch (4.0 KiB) left behind"]);
    assert_eq!(seqs(&place.taken()), [0, 1, 3, 4, 5]);
    place.push(1 << 12, &chunks(1));
    let batches = place.take("--batch-bytes 4K");
    assert_eq!(seqs(&batches), [2, 6]);
    assert_eq!(batches[0].attempt, 3);
    let all = place.await_file("all");
    assert_eq!(all.lines().filter(|line| *line == format!("2 {}", batches[0].digest)).count(), 2);
    assert_eq!(place.segments().len(), 0, "nothing is kept for it any more");
}

#[test]
fn what_is_left_behind_is_tried_again_while_it_runs() {
    let place = Place::new();
    let mut writer = place.writer(1 << 12, Records::None);
    writer.write_all(&chunks(1)).unwrap();
    let script = format!(r#"echo >>"$OUT/tries"; [ -e "$OUT/go" ] || exit 1; {KEEP}"#);
    let mut command =
        place.each("--follow --on-failure leave --retries 0 --retry-every 50ms --batch-age 0 -q", &script);
    let mut child = command.begin();
    super::eventually("three tries", || (place.await_file("tries").lines().count() >= 3).then_some(()));
    place.touch("go");
    super::eventually("the batch", || place.taken().pop());
    assert_eq!(child.0.try_wait().unwrap(), None, "the stream goes on");
    writer.finish(EndState::End).unwrap();
    assert_eq!(super::finish(child).status.code(), Some(0));
    assert!(data_of(&place.taken()) == chunks(1));
}

#[test]
fn more_than_a_reader_can_keep_stops_it_and_nothing_is_lost() {
    let place = Place::new();
    place.push(1 << 12, &chunks(120));
    let options = "--batch-bytes 4K --on-failure leave --retries 0 -q";
    let output = place.run(options, "exit 1");
    assert_fails(&output, 1, &["batches are left behind, as many as a reader keeps", "nothing is lost"]);
    let mut batches = place.take("--batch-bytes 4K");
    batches.sort_by_key(|batch| batch.seq);
    assert_eq!(seqs(&batches), (0..120).collect::<Vec<_>>());
}

#[test]
fn a_batch_that_cannot_be_told_yet_waits_for_those_before_it() {
    let place = Place::new();
    place.push(1 << 12, &chunks(110));
    // 30 are left behind, 63 hang, and then there is one too many in front of the next.
    let script = format!(
        r#"[ $SPILLPIPE_SEQ -ge 30 ] || exit 1; echo >>"$OUT/begun"
           if [ $SPILLPIPE_SEQ -lt 93 ]; then until [ -e "$OUT/go" ]; do sleep 0.1; done; fi; {KEEP}"#
    );
    let options = "--batch-bytes 4K --jobs 64 --on-failure leave --retries 0 -q";
    let child = place.each(options, &script).stderr(std::process::Stdio::piped()).begin();
    super::eventually("64 commands", || (place.await_file("begun").lines().count() >= 64).then_some(()));
    place.touch("go");
    assert_fails(&super::finish(child), 1, &["30 batches", "left behind"]);
    let mut batches = place.taken();
    batches.extend(place.take("--batch-bytes 4K"));
    batches.sort_by_key(|batch| batch.seq);
    assert_eq!(seqs(&batches), (0..110).collect::<Vec<_>>(), "each of them once");
}

#[test]
fn those_that_run_are_finished_when_one_fails() {
    let place = Place::new();
    place.push(1 << 12, &chunks(8));
    let script = format!(
        r#"case $SPILLPIPE_SEQ in
           0) touch "$OUT/slow"; until [ -e "$OUT/failed" ]; do sleep 0.02; done; sleep 0.2; {KEEP};;
           *) until [ -e "$OUT/slow" ]; do sleep 0.02; done; touch "$OUT/failed"; exit 1;; esac"#
    );
    let output = place.run("--batch-bytes 4K --jobs 2 --retries 0", &script);
    assert_fails(&output, 1, &["batch 1 (4.0 KiB)"]);
    assert_eq!(seqs(&place.taken()), [0]);
    assert_eq!(seqs(&place.take("--batch-bytes 4K")), [1, 2, 3, 4, 5, 6, 7]);
}

#[test]
fn what_is_damaged_between_two_attempts_is_told_and_the_rest_is_handed_out_as_it_is() {
    let place = Place::new();
    place.push(1 << 12, &chunks(9));
    let segment = place.segments().remove(0);
    let middle = std::fs::metadata(&segment).unwrap().len() / 2;
    let script = format!(
        r"if [ $SPILLPIPE_ATTEMPT = 1 ]; then
           printf '\000\377' | dd of='{}' bs=1 seek={middle} conv=notrunc status=none; exit 1
           fi; {KEEP}",
        segment.display()
    );
    let output = place.run("--retry-delay 5ms", &script);
    assert_fails(&output, 3, &["damaged", "4096 bytes"]);
    let batch = place.taken().remove(0);
    assert_eq!((batch.bytes, batch.data.len()), (8 << 12, 8 << 12));
    assert_eq!((batch.digest, batch.attempt), (super::digest(&batch.data), 2));
    assert_eq!(place.take("").len(), 0);
}

#[test]
fn a_command_whose_output_would_go_nowhere_is_not_run() {
    let place = Place::new();
    place.push(1 << 12, &chunks(1));
    let mut command = std::process::Command::new("sh");
    command.args(["-c", r#"exec "$0" each "$1" -- cat >&-"#, env!("CARGO_BIN_EXE_spillpipe")]).arg(place.spool());
    let output = command.output().unwrap();
    assert_fails(&output, 1, &["standard output is closed"]);
    assert!(data_of(&place.take("")) == chunks(1), "nothing is acknowledged");
}
