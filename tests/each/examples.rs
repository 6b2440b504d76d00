//! The scripts in examples/, with stand-ins for what they talk to.

use super::{Begin, Place, eventually, finish, text};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A script of ours, which finds `spillpipe` as if it were installed.
fn example(name: &str) -> Command {
    let mut command = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name));
    let bin = assert_cmd::cargo::cargo_bin!("spillpipe").parent().unwrap().to_owned();
    let paths = std::env::var_os("PATH").unwrap_or_default();
    command.env("PATH", std::env::join_paths(std::iter::once(bin).chain(std::env::split_paths(&paths))).unwrap());
    command
}

/// A script with all that it has started, killed when its test fails.
struct Script(Child);

impl Drop for Script {
    fn drop(&mut self) {
        let _ = kill_process_group(Pid::from_child(&self.0), Signal::KILL);
    }
}

#[test]
fn every_line_of_a_log_gets_to_a_sink_that_fails_now_and_then() {
    // Refuses one batch in three the first time.
    const SINK: &str = r#"[ $((SPILLPIPE_SEQ % 3)) != 0 ] || [ "$SPILLPIPE_ATTEMPT" != 1 ] || exit 1
        cat >"$OUT/$SPILLPIPE_OFFSET.part" && mv "$OUT/$SPILLPIPE_OFFSET.part" "$OUT/$SPILLPIPE_OFFSET""#;
    let place = Place::new();
    let log = place.dir.path().join("a.log");
    std::fs::write(&log, "").unwrap();
    let mut script = example("ship-to-kafka.sh");
    script.arg(&log).arg(place.spool()).env("SINK", SINK).env("OUT", place.out());
    let mut script = Script(script.process_group(0).stderr(Stdio::null()).spawn().unwrap());
    let received = || -> Vec<u64> {
        let files = std::fs::read_dir(place.out()).unwrap().map(|file| file.unwrap().path());
        let whole = files.filter(|file| file.extension().is_none());
        let mut lines: Vec<_> = whole
            .flat_map(|file| {
                std::fs::read_to_string(file).unwrap().lines().map(|it| it.parse().unwrap()).collect::<Vec<_>>()
            })
            .collect();
        lines.sort_unstable();
        lines
    };
    let mut written = 0;
    let mut write = || {
        let mut log = OpenOptions::new().append(true).create(true).open(&log).unwrap();
        writeln!(log, "{written}").unwrap();
        written += 1;
        written
    };
    // Until the script watches the log, nobody takes its lines.
    eventually("the first lines", || {
        write();
        (received().len() > 20).then_some(())
    });
    std::fs::rename(&log, place.dir.path().join("a.log.1")).unwrap();
    let last = (0..50).map(|_| write()).last().unwrap() - 1;
    eventually("the last line", || (received().last() == Some(&last)).then_some(()));
    eventually("all lines", || {
        let lines = received();
        (lines.len() as u64 == last + 1 - lines[0]).then_some(())
    });
    kill_process(Pid::from_child(&script.0), Signal::TERM).unwrap();
    let status = eventually("the end of the script", || script.0.try_wait().unwrap());
    assert_eq!(status.code(), Some(0));
    assert!(!place.dir.path().join("spool.fifo").exists());
}

#[test]
fn uploads_are_named_by_their_digest_and_nothing_is_uploaded_twice() {
    const HAVE: &str = r#"cat "$OUT/$key" 2>/dev/null | wc -c"#;
    // Fails the first time, and leaves half of it.
    const PUT: &str = r#"echo "$key" >>"$OUT/puts"
        [ "$SPILLPIPE_ATTEMPT" != 1 ] || { head -c 1000 >"$OUT/$key"; exit 1; }
        cat >"$OUT/$key""#;
    let place = Place::new();
    let data = text(4, 200_000);
    place.push(1 << 14, &data);
    let upload = |script: &mut Command| {
        script.arg(place.spool()).arg("s3://bucket/").env("HAVE", HAVE).env("PUT", PUT).env("OUT", place.out());
        finish(script.stdout(Stdio::piped()).stderr(Stdio::piped()).begin())
    };
    let output = upload(&mut example("upload-to-s3.sh"));
    assert_eq!(output.status.code(), Some(0), "{}", super::said(&output));
    let digest = super::digest(&data);
    assert_eq!(String::from_utf8_lossy(&output.stdout), format!("0 200000 s3://bucket/{digest}\n"));
    assert!(std::fs::read(place.out().join(&digest)).unwrap() == data);
    // The same bytes once more, as when the acknowledgement was lost.
    place.push(1 << 14, &data);
    let output = upload(&mut example("upload-to-s3.sh"));
    assert_eq!(String::from_utf8_lossy(&output.stdout), format!("200000 200000 s3://bucket/{digest}\n"));
    assert_eq!(place.await_file("puts").lines().count(), 2, "one that failed, one that did not, and no third");
}
