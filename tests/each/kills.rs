//! What comes again when `each` itself is killed, and what becomes of its commands.

use super::inherited::ignores;
use super::{Begin, KEEP, Place, chunks, eventually, finish, seqs};
use rustix::process::{Pid, Signal, kill_process};
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;

/// Whether a process is gone, or as good as.
fn is_gone(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.is_empty() || stat.contains(") Z ")
}

#[test]
fn after_a_kill_exactly_what_was_not_acknowledged_comes_again() {
    let place = Place::new();
    place.push(1 << 12, &chunks(12));
    // Every other batch hangs, until all four jobs do.
    let script = format!(
        r#"if [ $((SPILLPIPE_SEQ % 2)) = 0 ]; then echo $$ >"$OUT/hangs.$SPILLPIPE_SEQ"; exec sleep 60; fi; {KEEP}"#
    );
    let mut each = place.each("--batch-bytes 4K --jobs 4 --ack-interval 0", &script);
    let mut child = each.stdout(Stdio::null()).stderr(Stdio::null()).begin();
    let hanging: Vec<_> = [0, 2, 4, 6].map(|seq| place.await_line(&format!("hangs.{seq}"))).into();
    assert_eq!(seqs(&place.taken()).len(), 3, "1, 3 and 5");
    child.0.kill().unwrap();
    child.0.wait().unwrap();
    for pid in hanging {
        eventually("the end of a command", || is_gone(&pid).then_some(()));
    }
    let mut again = seqs(&place.take("--batch-bytes 4K"));
    assert_eq!(again[..4], [0, 2, 4, 6], "what was under way comes first");
    again.extend(seqs(&place.taken()[..3]));
    again.sort_unstable();
    assert_eq!(again, (0..12).collect::<Vec<_>>());
}

#[test]
fn a_command_never_takes_half_a_batch_for_the_whole_when_we_die() {
    let place = Place::new();
    place.push(1 << 16, &super::text(5, 4 << 20));
    // Reads slowly, and would keep what it has at the end of its input.
    let script = r#"echo $$ >"$OUT/begun"; head -c 1000 >/dev/null; sleep 0.5; cat >"$OUT/kept""#;
    let mut child = place.each("", script).stderr(Stdio::null()).begin();
    let pid = place.await_line("begun");
    child.0.kill().unwrap();
    child.0.wait().unwrap();
    eventually("its end", || is_gone(&pid).then_some(()));
    assert!(!place.out().join("kept").exists());
}

#[test]
fn signals_reach_the_commands_and_then_end_it() {
    for deadly in [Signal::TERM, Signal::INT, Signal::HUP] {
        if ignores(deadly) {
            continue;
        }
        let place = Place::new();
        place.push(1 << 12, &chunks(4));
        let script = format!(
            r#"if [ $SPILLPIPE_SEQ = 1 ]; then
               trap 'echo >"$OUT/told"; exit 0' TERM INT HUP; touch "$OUT/waits"; while :; do sleep 0.05; done
               else {KEEP}
               fi"#
        );
        let child = place.each("--batch-bytes 4K", &script).stderr(Stdio::piped()).begin();
        place.await_file("waits");
        kill_process(Pid::from_child(&child.0), deadly).unwrap();
        let output = finish(child);
        assert_eq!(output.status.signal(), Some(deadly.as_raw()));
        assert!(!super::said(&output).contains("spillpipe"), "{}", super::said(&output));
        place.await_file("told");
        // The one that was told ended with status 0, and the one before is acknowledged as well.
        assert_eq!(seqs(&place.take("--batch-bytes 4K")), [2, 3]);
    }
}

#[test]
fn a_command_that_does_not_mind_a_signal_is_killed_in_the_end() {
    if ignores(Signal::TERM) {
        return;
    }
    let place = Place::new();
    place.push(1 << 12, &chunks(1));
    let script = r#"trap '' TERM; echo $$ >"$OUT/pid"; while :; do sleep 0.05; done"#;
    let child = place.each("", script).stderr(Stdio::null()).begin();
    let pid = place.await_line("pid");
    kill_process(Pid::from_child(&child.0), Signal::TERM).unwrap();
    assert_eq!(finish(child).status.signal(), Some(Signal::TERM.as_raw()));
    assert!(is_gone(&pid));
    assert_eq!(place.take("").len(), 1);
}

#[test]
fn a_second_signal_ends_it_at_once() {
    if ignores(Signal::TERM) {
        return;
    }
    let place = Place::new();
    place.push(1 << 12, &chunks(1));
    let script = r#"trap 'touch "$OUT/told"' TERM; touch "$OUT/waits"; while :; do sleep 0.05; done"#;
    let child = place.each("", script).stderr(Stdio::null()).begin();
    place.await_file("waits");
    let start = std::time::Instant::now();
    kill_process(Pid::from_child(&child.0), Signal::TERM).unwrap();
    place.await_file("told");
    kill_process(Pid::from_child(&child.0), Signal::TERM).unwrap();
    assert_eq!(finish(child).status.signal(), Some(Signal::TERM.as_raw()));
    assert!(start.elapsed() < std::time::Duration::from_millis(1500), "{:?}", start.elapsed());
}
