//! `pack`: what goes in comes out, and what becomes of the output when something fails.

use super::inherited::ignores;
use super::mounted::Mounted;
use super::patience::eventually;
use super::samples::{noise, text};
use super::{Home, fails, silent, terminal};
use rustix::process::{Pid, Signal, kill_process};
use spillpipe::format::{EndState, Family};
use spillpipe::segment::read_all;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;

/// What is in an archive, how it ends, and its family.
#[track_caller]
fn unpack(archive: &[u8]) -> (Vec<u8>, EndState, Family) {
    let mut data = vec![];
    let (header, seal) = read_all(archive, |_, raw| data.extend_from_slice(raw)).unwrap();
    (data, seal.end, header.family)
}

#[test]
fn an_input_becomes_an_archive_in_a_file_and_on_standard_output() {
    let (home, data) = (Home::new(), [text(1, 700_000), noise(1, 300_000)].concat());
    fs::write(home.file("in"), &data).unwrap();
    assert!(silent(home.run("pack -o a.zst", data.clone())).is_empty());
    assert!(silent(home.run("pack -i in -o b.zst", "not this")).is_empty());
    for archive in [home.read("a.zst"), home.read("b.zst"), silent(home.run("pack", data.clone()))] {
        assert!(unpack(&archive) == (data.clone(), EndState::End, Family::Zstd));
        assert!(archive.len() < data.len());
    }
    assert_eq!(home.names(), ["a.zst", "b.zst", "in"]);
}

#[test]
fn every_codec_and_chunk_size_can_be_asked_for() {
    let (home, data) = (Home::new(), text(2, 100_000));
    for (options, family) in [
        ("-z none -s 4K", Family::Zstd),
        ("-z lz4 -t 3", Family::Lz4),
        ("-z zstd:1 --threads 1", Family::Zstd),
        ("-z zstd:19 -s 4M", Family::Zstd),
    ] {
        let archive = silent(home.run(&format!("pack {options}"), data.clone()));
        assert!(unpack(&archive) == (data.clone(), EndState::End, family), "{options}");
    }
    fails(home.run("pack -z auto", ""), 2, "unknown codec 'auto': it takes zstd, zstd:LEVEL, lz4 or none");
    fails(home.run("pack -z zstd:20", ""), 2, "zstd level '20' is not between 1 and 19");
    fails(home.run("pack -s 1K", ""), 2, "it is not between 4K and 4M");
}

#[test]
fn what_exists_is_replaced_with_force_alone() {
    let home = Home::new();
    fs::write(home.file("a"), "mine").unwrap();
    fails(home.run("pack -o a", "x"), 1, "cannot create a: it exists; use --force to replace it");
    assert_eq!(home.read("a"), b"mine");
    silent(home.run("pack -f -o a", "x"));
    assert_eq!(unpack(&home.read("a")).0, b"x");
    assert_eq!(home.names(), ["a"]);
}

#[test]
fn an_output_that_cannot_be_is_told_and_the_input_left_alone() {
    let home = Home::new();
    fs::write(home.file("in"), "data").unwrap();
    fails(home.run("pack -o none/a", "x"), 1, "cannot create none/a: No such file or directory");
    fails(home.run("pack -o .", "x"), 1, "cannot create .: ");
    fails(home.run("pack -i in -f -o in", "x"), 1, "input and output are the same file (in)");
    fails(home.run("pack -i none -o a", "x"), 1, "cannot open none: No such file or directory");
    fails(home.run("pack -o /dev/full", "x"), 1, "cannot write /dev/full: No space left on device");
    silent(home.run("pack -o /dev/null", "x"));
    assert_eq!((home.names(), home.read("in")), (vec!["in".to_owned()], b"data".to_vec()));
}

#[test]
fn an_input_that_fails_leaves_no_file_or_an_incomplete_one_that_was_asked_for() {
    let home = Home::new();
    let words = "cannot read /proc/self/mem: Input/output error; nothing is left of a";
    fails(home.run("pack -i /proc/self/mem -o a", ""), 1, words);
    assert!(home.names().is_empty());
    fails(home.run("pack -i /proc/self/mem -o a --incomplete", ""), 1, "marked as incomplete");
    assert_eq!(unpack(&home.read("a")).1, EndState::Aborted);
    let archive = fails(home.run("pack -i /proc/self/mem", ""), 1, "marked as incomplete");
    assert_eq!(unpack(&archive).1, EndState::Aborted);
}

#[test]
fn an_archive_can_be_marked_as_incomplete() {
    let home = Home::new();
    assert!(
        unpack(&silent(home.run("pack --incomplete", "abc"))) == (b"abc".to_vec(), EndState::Aborted, Family::Zstd)
    );
}

#[test]
fn what_a_command_writes_is_packed_if_it_succeeds() {
    let home = Home::new();
    silent(home.run("pack -o a -- printf hello", "not this"));
    assert!(unpack(&home.read("a")) == (b"hello".to_vec(), EndState::End, Family::Zstd));
    assert_eq!(unpack(&silent(home.run("pack --incomplete -- cat", "its input is ours"))).0, b"its input is ours");
}

#[test]
fn of_a_command_that_fails_nothing_is_kept_unless_that_was_asked_for() {
    let home = Home::new();
    fs::write(home.file("s"), "printf partial; exit 7").unwrap();
    let words = "'sh' ended with exit status 7; nothing is left of a";
    fails(home.run("pack -o a -- sh s", ""), 1, words);
    assert_eq!(home.names(), ["s"]);
    let words = "'sh' ended with exit status 7; what came before is packed, and marked as incomplete";
    fails(home.run("pack --incomplete -o a -- sh s", ""), 4, words);
    let archive = fails(home.run("pack -- sh s", ""), 4, words);
    for archive in [home.read("a"), archive] {
        assert!(unpack(&archive) == (b"partial".to_vec(), EndState::Aborted, Family::Zstd));
    }
    fs::write(home.file("s"), "kill -9 $$").unwrap();
    fails(home.run("pack -o b -- sh s", ""), 1, "'sh' was killed by SIGKILL");
    fails(home.run("pack -o b -- /nonexistent", ""), 1, "cannot run '/nonexistent': No such file or directory");
    assert!(fails(home.run("pack -- /nonexistent", ""), 1, "cannot run").is_empty());
    fails(home.run("pack -i s -- cat", ""), 2, "cannot be used with");
    assert_eq!(home.names(), ["a", "s"]);
}

#[test]
fn a_command_dies_of_sigpipe_as_in_any_pipeline() {
    let home = Home::new();
    // Its standard error is ours: it must not complain.
    let output = home.shell(r#"{ "$0" pack -s 4K -z none -- yes; echo $? >status; } | head -c 100 >/dev/null"#);
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(home.read("status"), b"141\n");
}

#[test]
fn a_consumer_that_goes_away_is_noticed_while_nothing_comes() {
    let home = Home::new();
    let mut pack = home.raw("pack").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    drop(pack.stdout.take());
    let status = eventually("its end", || pack.try_wait().unwrap());
    assert_eq!(status.signal(), Some(Signal::PIPE.as_raw()));
}

#[test]
fn a_signal_ends_it_and_the_command_and_leaves_nothing() {
    for signal in [Signal::TERM, Signal::HUP] {
        if ignores(signal) {
            continue;
        }
        let home = Home::new();
        fs::write(home.file("s"), "echo $$; echo $$ >&2; exec sleep 60").unwrap();
        let mut pack = home.raw("pack -o a -- sh s").stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(pack.stderr.as_mut().unwrap()).read_line(&mut line).unwrap();
        let command = Pid::from_raw(line.trim().parse().unwrap()).unwrap();
        kill_process(Pid::from_child(&pack), signal).unwrap();
        assert_eq!(eventually("its end", || pack.try_wait().unwrap()).signal(), Some(signal.as_raw()));
        let state = || fs::read_to_string(format!("/proc/{}/stat", command.as_raw_nonzero())).unwrap_or_default();
        eventually("the end of the command", || (state().is_empty() || state().contains(") Z ")).then_some(()));
        assert_eq!(home.names(), ["s"]);
    }
}

#[test]
fn a_command_that_goes_on_behind_its_output_can_be_ended_too() {
    let home = Home::new();
    fs::write(home.file("s"), "exec >&-; echo now >&2; exec sleep 60").unwrap();
    let mut pack = home.raw("pack -o a -- sh s").stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(pack.stderr.as_mut().unwrap()).read_line(&mut line).unwrap();
    kill_process(Pid::from_child(&pack), Signal::TERM).unwrap();
    assert_eq!(eventually("its end", || pack.try_wait().unwrap()).signal(), Some(Signal::TERM.as_raw()));
    assert_eq!(home.names(), ["s"]);
}

#[test]
fn a_command_that_has_ended_is_sent_no_signal() {
    let home = Home::new();
    let trace = home.file("trace");
    let command = home.raw("pack -o a -- false");
    let mut strace = std::process::Command::new("strace");
    strace.args(["-e", "trace=kill,tkill,tgkill,pidfd_send_signal,wait4,waitid", "-o"]).arg(&trace);
    strace.arg(command.get_program()).args(command.get_args()).current_dir(home.path());
    let Ok(output) = strace.output() else {
        eprintln!("SKIPPED: there is no strace");
        return;
    };
    fails(output, 1, "'false' ended with exit status 1; nothing is left of a");
    let trace = fs::read_to_string(trace).unwrap();
    // By then its number may be that of another process.
    assert!(trace.contains("wait") && !trace.contains("kill(") && !trace.contains("send_signal("), "{trace}");
}

#[test]
fn sigkill_leaves_nothing_of_the_file() {
    let home = Home::new();
    let mut pack = home.raw("pack -s 4K -t 1 -o a").stdin(Stdio::piped()).spawn().unwrap();
    pack.stdin.as_mut().unwrap().write_all(&noise(3, 1 << 20)).unwrap();
    pack.kill().unwrap();
    pack.wait().unwrap();
    assert!(home.names().is_empty(), "{:?}", home.names());
}

#[test]
fn a_full_disk_is_told_and_nothing_is_left() {
    let Some(disk) = Mounted::tmpfs("size=1m") else { return };
    let (home, path) = (Home::new(), disk.path().join("a"));
    let output = home.run(&format!("pack -o {}", path.display()), noise(4, 4 << 20));
    fails(output, 1, &format!("cannot write {}: No space left on device", path.display()));
    assert_eq!(fs::read_dir(disk.path()).unwrap().count(), 0);
}

#[test]
fn a_terminal_is_no_place_for_an_archive() {
    let home = Home::new();
    let (_master, terminal) = terminal();
    let pack = home.raw("pack").stdin(Stdio::null()).stdout(terminal).stderr(Stdio::piped()).spawn().unwrap();
    fails(pack.wait_with_output().unwrap(), 2, "an archive is nothing for a terminal");
}

#[test]
fn figures_digest_and_summary_tell_what_was_packed() {
    let home = Home::new();
    let output = home.run("pack -v -o a --digest crc32 --stats stats", "123456789");
    let said = String::from_utf8(output.stderr).unwrap();
    let (digest, summary) = said.split_once('\n').unwrap();
    assert_eq!(digest, "crc32 cbf43926");
    assert!(summary.starts_with("spillpipe: 9 B in ") && summary.contains("stored in 1 chunk, ratio 0."), "{said}");
    let figures: serde_json::Value = serde_json::from_slice(&home.read("stats")).unwrap();
    assert_eq!((&figures["command"], &figures["end"]), (&"pack".into(), &"complete".into()));
    assert_eq!(
        (&figures["bytes_in"], &figures["chunks_in"], &figures["raw_chunks"]),
        (&9.into(), &1.into(), &1.into())
    );
    assert_eq!(figures["stored_bytes"], home.read("a").len());
    assert_eq!((&figures["digest"]["hex"], &figures["exit_status"]), (&"cbf43926".into(), &0.into()));
    fails(home.run("pack -o stats --stats stats", "x"), 1, "figures and output are the same file");
}

#[test]
fn sigusr1_is_answered_and_never_kills() {
    let home = Home::new();
    let mut pack =
        home.raw("pack").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    pack.stdin.as_mut().unwrap().write_all(b"abc").unwrap();
    // It has begun: the archive has.
    let mut archive = vec![0; 128];
    pack.stdout.as_mut().unwrap().read_exact(&mut archive).unwrap();
    let mut said = BufReader::new(pack.stderr.take().unwrap());
    eventually("an answer about the bytes", || {
        kill_process(Pid::from_child(&pack), Signal::USR1).unwrap();
        let mut line = String::new();
        said.read_line(&mut line).unwrap();
        line.starts_with("spillpipe: 3 B packed to ").then_some(())
    });
    drop(pack.stdin.take());
    pack.stdout.take().unwrap().read_to_end(&mut archive).unwrap();
    assert_eq!((pack.wait().unwrap().code(), unpack(&archive).0), (Some(0), b"abc".to_vec()));
}
