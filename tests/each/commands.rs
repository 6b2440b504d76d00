//! Commands that behave in every way that commands do.

use super::{Begin, KEEP, Place, assert_fails, chunks, data_of, finish, said, text};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// More than a pipe holds.
fn much() -> Vec<u8> {
    text(3, 3 << 20)
}

#[test]
fn exit_status_0_acknowledges_however_much_was_read() {
    for script in ["exit 0", "head -c 10 >/dev/null", "exec <&-; sleep 0.1", "cat >/dev/null"] {
        let place = Place::new();
        place.push(1 << 18, &much());
        let output = place.run("--batch-bytes 2M", script);
        assert_eq!((output.status.code(), said(&output)), (Some(0), String::new()), "{script}");
        assert_eq!(place.take("").len(), 0, "{script}");
    }
}

#[test]
fn another_status_does_not_however_much_was_read() {
    for script in ["exit 9", "head -c 10 >/dev/null; exit 9", "exec <&-; sleep 0.1; exit 9", "cat >/dev/null; exit 9"] {
        let place = Place::new();
        place.push(1 << 18, &much());
        assert_fails(&place.run("--batch-bytes 2M --retries 0", script), 1, &["exit status 9", "after 1 attempt"]);
        assert!(data_of(&place.take("")) == much(), "{script}");
    }
}

#[test]
fn what_a_command_leaves_running_is_not_waited_for() {
    let place = Place::new();
    place.push(1 << 18, &much());
    let start = Instant::now();
    let mut each = place.each("--batch-bytes 2M", r#"exec 3<&0; sleep 20 <&3 & echo $! >>"$OUT/pids""#);
    // Those that are left have our output, too: so it is no pipe that is read to its end.
    assert_eq!(finish(each.stdout(Stdio::null()).stderr(Stdio::null()).begin()).status.code(), Some(0));
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    for pid in place.await_file("pids").lines() {
        let pid = rustix::process::Pid::from_raw(pid.parse().unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("it is left alone");
    }
}

#[test]
fn what_takes_too_long_is_killed_with_all_it_has_started() {
    let place = Place::new();
    place.push(1 << 18, &much());
    let start = Instant::now();
    let script = r#"sleep 20 & echo $! >"$OUT/pid"; wait"#;
    let output = place.run("--timeout 500ms --retries 0", script);
    assert_fails(&output, 1, &["sh took longer than 500 ms and was killed", "batch 0"]);
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    let file = format!("/proc/{}/stat", place.await_line("pid"));
    super::eventually("the end of the sleep", || {
        let state = std::fs::read_to_string(&file).unwrap_or_default();
        (state.is_empty() || state.contains(") Z ")).then_some(())
    });
    assert!(data_of(&place.take("")) == much());
}

#[test]
fn a_command_that_is_killed_has_failed() {
    let place = Place::new();
    place.push(1 << 12, &chunks(1));
    assert_fails(&place.run("--retries 0", "kill -KILL $$"), 1, &["sh was killed by SIGKILL"]);
    assert_eq!(place.take("")[0].attempt, 2);
}

#[test]
fn a_command_that_is_not_there_ends_it_at_once_and_costs_no_attempt() {
    let place = Place::new();
    place.push(1 << 12, &chunks(1));
    for (command, why) in [("no-such-command", "No such file or directory"), ("/etc/passwd", "Permission denied")] {
        let start = Instant::now();
        let mut each = place.each_of("--on-failure leave", [command]);
        let output = finish(each.stderr(Stdio::piped()).begin());
        assert_fails(&output, 1, &[&format!("cannot run {command}: {why}")]);
        assert_eq!(said(&output).lines().count(), 1);
        assert!(start.elapsed() < Duration::from_secs(1));
    }
    assert_eq!(place.take("")[0].attempt, 1);
}

#[test]
fn its_output_is_ours() {
    let place = Place::new();
    place.push(1 << 12, b"in\n");
    let output = place.run("", "cat; echo err >&2");
    assert_eq!((output.stdout, output.stderr), (b"in\n".to_vec(), b"err\n".to_vec()));
}

#[test]
fn it_has_nothing_of_ours_but_the_standard_streams() {
    let place = Place::new();
    place.push(1 << 12, &chunks(1));
    // As many as without us: whoever started the tests may have left some open.
    let list = ["ls", "/proc/self/fd"];
    let alone = Command::new(list[0]).arg(list[1]).output().unwrap();
    let output = place.each_of("", list).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&alone.stdout));
}

#[test]
fn it_dies_of_sigpipe_and_may_open_as_many_files_as_we_were_allowed() {
    let place = Place::new();
    place.push(1 << 12, &chunks(1));
    let mut shell = Command::new("sh");
    shell.args(["-c", r#"ulimit -Sn 64; exec "$0" each "$1" -- sh -c 'ulimit -Sn; grep SigIgn /proc/self/status'"#]);
    shell.arg(assert_cmd::cargo::cargo_bin!("spillpipe")).arg(place.spool());
    let output = shell.output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let (limit, ignored) = said.trim().split_once('\n').unwrap();
    let ignored = u64::from_str_radix(ignored.split_whitespace().last().unwrap(), 16).unwrap();
    assert_eq!((limit, ignored >> (rustix::process::Signal::PIPE.as_raw() - 1) & 1), ("64", 0));
}

#[test]
fn its_status_is_known_where_the_death_of_children_is_ignored() {
    for (status, expected) in [(0, 0), (3, 1)] {
        let place = Place::new();
        place.push(1 << 12, &chunks(1));
        let mut shell = Command::new("sh");
        shell.args(["-c", r#"trap '' CHLD; exec "$0" each "$1" --retries 0 -- sh -c "exit $2""#]);
        shell.arg(assert_cmd::cargo::cargo_bin!("spillpipe")).arg(place.spool()).arg(status.to_string());
        let output = shell.output().unwrap();
        assert_eq!(output.status.code(), Some(expected), "{}", said(&output));
    }
}

#[test]
fn as_many_run_at_once_as_are_asked_for() {
    let place = Place::new();
    place.push(1 << 12, &chunks(8));
    // Each waits until four have begun.
    let script = format!(
        r#"mkdir -p "$OUT/begun"; touch "$OUT/begun/$SPILLPIPE_SEQ"
           until [ $(ls "$OUT/begun" | wc -l) -ge 4 ]; do sleep 0.02; done; {KEEP}"#
    );
    let output = place.run("--batch-bytes 4K --jobs 4", &script);
    assert_eq!((output.status.code(), said(&output)), (Some(0), String::new()));
    assert_eq!(place.taken().len(), 8);
    assert_eq!(place.take("").len(), 0);
}
