//! While the consumer keeps up, bytes are spliced; where they cannot be, they are copied; and either way they arrive.

use super::{Filter, command, noise, read_all, sleeper, through};
use serde_json::Value;
use std::fs::File;
use std::io::{Read as _, Seek as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::Stdio;
use std::time::Duration;

/// Runs the filter from `input` to a pipe, and returns what came out, and its figures.
fn from(options: &str, input: impl Into<Stdio>) -> (Vec<u8>, Value) {
    let dir = tempfile::tempdir().unwrap();
    let stats = dir.path().join("stats");
    let run = command(options, dir.path(), &stats).stdin(input).stderr(Stdio::inherit()).output().unwrap();
    assert!(run.status.success());
    (run.stdout, serde_json::from_slice(&std::fs::read(stats).unwrap()).unwrap())
}

fn file_of(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file.rewind().unwrap();
    file
}

#[test]
fn a_trickle_passes_by_to_the_last_byte() {
    let mut filter = Filter::start("");
    let (mut producer, mut consumer) = (filter.input(), filter.output());
    for round in 0..100_u8 {
        producer.write_all(&[round]).unwrap();
        let mut byte = [0];
        consumer.read_exact(&mut byte).unwrap();
        assert_eq!(byte, [round]);
    }
    drop(producer);
    assert_eq!(read_all(consumer), b"");
    let (_, _, figures) = filter.end();
    assert_eq!((&figures["bypasses"], &figures["bytes_out"]), (&1.into(), &100.into()), "{figures}");
    assert_eq!(figures["memory_peak_bytes"], 0, "nothing was buffered: {figures}");
}

#[test]
fn a_trickle_fills_the_pipe_with_bytes_and_not_with_splices() {
    let mut filter = Filter::start("-m 4M");
    let (mut producer, consumer) = (filter.input(), filter.output());
    // One at a time, or they would come together.
    for _ in 0..2000 {
        producer.write_all(&[7; 100]).unwrap();
        std::thread::sleep(Duration::from_micros(50));
    }
    drop(producer);
    assert!(read_all(consumer) == vec![7; 200_000]);
    let (_, _, figures) = filter.end();
    assert_eq!((&figures["bypasses"], &figures["memory_peak_bytes"]), (&1.into(), &0.into()), "{figures}");
}

#[test]
fn a_consumer_that_stalls_gets_the_rest_out_of_the_buffer_and_then_the_bypass_again() {
    let mut filter = Filter::start("-m 8M");
    let (mut producer, mut consumer) = (filter.input(), filter.output());
    let input = noise(16 << 20);
    let mut out = vec![0; input.len()];
    for round in 1..=3 {
        producer.write_all(&input).unwrap();
        consumer.read_exact(&mut out).unwrap();
        assert!(out == input, "round {round}");
    }
    producer.write_all(b"spliced again").unwrap();
    drop(producer);
    assert_eq!(read_all(consumer), b"spliced again");
    let (_, _, figures) = filter.end();
    assert!(figures["bypasses"].as_u64() >= Some(3), "{figures}");
    assert!(figures["spilled_bytes"].as_u64() > Some(0), "{figures}");
}

#[test]
fn local_socket_and_file_are_spliced_into_a_pipe() {
    let input = noise(3 << 20);
    let (mut producer, end) = UnixStream::pair().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| producer.write_all(&input).and_then(|()| producer.shutdown(std::net::Shutdown::Write)).unwrap());
        for (name, end) in [("socket", Stdio::from(OwnedFd::from(end))), ("file", file_of(&input).into())] {
            let (out, figures) = from("", end);
            assert!(out == input, "{name}");
            assert!(figures["spliced_bytes"].as_u64() > Some(0), "{name}: {figures}");
        }
    });
}

/// `splice` takes a byte out of band for the end.
#[test]
fn a_tcp_input_is_read_past_what_is_out_of_band() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut producer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (end, _) = listener.accept().unwrap();
    let input = noise(100_000);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            producer.write_all(&input[..50_000]).unwrap();
            rustix::net::send(&producer, b"!", rustix::net::SendFlags::OOB).unwrap();
            producer.write_all(&input[50_000..]).unwrap();
            producer.shutdown(std::net::Shutdown::Write).unwrap();
        });
        assert!(from("", OwnedFd::from(end)).0 == input);
    });
}

#[test]
fn ends_that_do_not_splice_are_copied() {
    // Files that the kernel makes up as they are read, a device, and outputs that are no pipes.
    let own = |path: &str| std::fs::read(path).unwrap();
    for path in ["/proc/filesystems", "/proc/version", "/sys/kernel/mm/transparent_hugepage/enabled"] {
        assert_eq!(from("", File::open(path).unwrap()).0, own(path), "{path}");
    }
    let (out, figures) = from("", File::open("/dev/null").unwrap());
    assert!(out.is_empty() && figures["spliced_bytes"] == 0);
    let (dir, input) = (tempfile::tempdir().unwrap(), noise(1 << 20));
    let path = dir.path().join("log");
    for (what, output) in [
        ("a file", File::create(&path).unwrap()),
        ("a file that is appended to", File::options().append(true).open(&path).unwrap()),
    ] {
        let stats = dir.path().join("stats");
        let mut child = command("", dir.path(), &stats).stdin(Stdio::piped()).stdout(output).spawn().unwrap();
        child.stdin.take().unwrap().write_all(&input).unwrap();
        assert!(child.wait().unwrap().success(), "{what}");
        let figures: Value = serde_json::from_slice(&std::fs::read(stats).unwrap()).unwrap();
        assert_eq!((&figures["spliced_bytes"], &figures["bytes_out"]), (&0.into(), &input.len().into()), "{what}");
    }
    assert!(std::fs::read(&path).unwrap() == [input.clone(), input].concat());
}

/// What was read and could not be written filled the chunk, and reading nothing into it looked like the end.
#[test]
fn a_trickle_into_a_full_pipe_is_not_the_end_with_the_smallest_chunks() {
    let mut filter = Filter::start("-m 4M -s 4K");
    let (mut producer, consumer) = (filter.input(), filter.output());
    let size = || rustix::pipe::fcntl_getpipe_size(&consumer).unwrap();
    let before = size();
    super::until("the pipe has grown", || size() > before || before >= 1 << 20);
    let size = size();
    // Whole pages are spliced, a place in the pipe each: all but one.
    let mut input = noise(size - 4096);
    producer.write_all(&input).unwrap();
    std::thread::sleep(Duration::from_millis(100));
    for piece in [noise(10), noise(200 << 10)] {
        producer.write_all(&piece).unwrap();
        input.extend(piece);
        std::thread::sleep(Duration::from_millis(100));
    }
    drop(producer);
    assert!(read_all(consumer) == input);
    assert!(filter.end().0.success());
}

#[test]
fn what_must_be_seen_or_held_back_is_not_spliced() {
    let input = noise(1 << 20);
    for options in ["--no-splice", "-q --digest crc32 -l /dev/null", "-R 1G"] {
        let mut filter = Filter::start(options);
        let (mut producer, consumer) = (filter.input(), filter.output());
        let out = std::thread::scope(|scope| {
            scope.spawn(|| {
                producer.write_all(&input).unwrap();
                drop(producer);
            });
            read_all(consumer)
        });
        let (status, _, figures) = filter.end();
        assert!(status.success() && out == input, "{options}");
        assert_eq!(figures["spliced_bytes"], 0, "{options}: {figures}");
    }
}

#[test]
fn a_read_rate_holds_in_the_bypass() {
    let input = noise(1 << 20);
    let start = std::time::Instant::now();
    let (out, figures) = through("-r 2M", &input, read_all);
    assert!(out == input && figures["spliced_bytes"].as_u64() > Some(1 << 19), "{figures}");
    // Half a second, less the burst of a tenth that a start may have.
    assert!(start.elapsed() > Duration::from_millis(350), "{:?}", start.elapsed());
}

#[test]
fn a_slow_consumer_does_not_hold_up_the_producer_in_the_bypass() {
    let mut filter = Filter::start("-m 32M");
    let (mut producer, mut consumer) = (filter.input(), filter.output());
    let input = noise(24 << 20);
    let written_in = std::thread::scope(|scope| {
        // 16 MB a second, a little at a time: there is always room soon.
        scope.spawn(|| {
            let mut piece = vec![0; 16 << 10];
            while consumer.read(&mut piece).unwrap() > 0 {
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        let start = std::time::Instant::now();
        producer.write_all(&input).unwrap();
        drop(producer);
        start.elapsed()
    });
    let (_, _, figures) = filter.end();
    assert!(written_in < Duration::from_millis(700), "{written_in:?}: {figures}");
}

#[test]
fn a_consumer_that_leaves_ends_the_bypass() {
    let mut filter = Filter::start("");
    let (mut producer, consumer) = (filter.input(), filter.output());
    producer.write_all(b"x").unwrap();
    std::thread::sleep(Duration::from_millis(50));
    drop(consumer);
    super::until("its end", || filter.child.try_wait().unwrap().is_some());
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&filter.child.wait().unwrap()), Some(13));
}

#[test]
fn a_consumer_that_leaves_together_with_the_producer_is_no_failure() {
    for _ in 0..20 {
        let mut filter = Filter::start("");
        let (mut producer, mut consumer) = (filter.input(), filter.output());
        producer.write_all(b"x").unwrap();
        consumer.read_exact(&mut [0]).unwrap();
        drop((producer, consumer));
        assert!(filter.end().0.success());
    }
}

/// Data calls in a trace: splices that moved something, and reads and writes of more than a few bytes.
fn data_calls(options: &str, producer: &str) -> (usize, Vec<String>) {
    let dir = tempfile::tempdir().unwrap();
    let script = format!(
        "{producer} | strace -f -o trace -e trace=splice,read,write,readv,writev,pread64,pwrite64,pwritev \"$0\" {options} -T \"$PWD\" | cat >/dev/null"
    );
    let done = std::process::Command::new("bash")
        .args(["-c", &script])
        .arg(assert_cmd::cargo::cargo_bin!("spillpipe"))
        .current_dir(dir.path())
        .status()
        .unwrap();
    assert!(done.success());
    let trace = std::fs::read_to_string(dir.path().join("trace")).unwrap();
    let returned =
        |line: &str| line.rsplit_once(") = ").map(|(_, n)| n).and_then(|n| n.split(' ').next()?.parse::<u64>().ok());
    let splices = trace.lines().filter(|line| line.contains("splice(") && returned(line) > Some(0)).count();
    let copies = trace.lines().filter(|line| !line.contains("splice") && returned(line) > Some(4096));
    (splices, copies.map(str::to_owned).collect())
}

#[test]
#[ignore = "needs strace and pv"]
fn strace_sees_splices_only_while_the_consumer_keeps_up() {
    // On a busy machine `cat` itself may get no turn for longer than the pipes hold: then it has not kept up, and the
    // run says nothing. One run in which it has is what is asked for.
    let mut runs = (0..6).map(|_| data_calls("", "head -c 60000000 /dev/zero | pv -q -L 50m"));
    assert!(runs.any(|(splices, copies)| splices > 0 && copies.is_empty()));
    let (splices, copies) = data_calls("--no-splice", "head -c 6000000 /dev/zero | pv -q -L 50m");
    assert!(splices == 0 && !copies.is_empty(), "the test sees copies where there are some");
}

#[test]
#[ignore = "needs strace"]
fn strace_sees_hardly_a_call_while_the_consumer_is_blocked() {
    let mut filter = Filter::start("-m 8M");
    let (mut producer, consumer) = (filter.input(), filter.output());
    producer.write_all(&noise(12 << 20)).unwrap();
    std::thread::sleep(Duration::from_millis(500));
    let trace = filter.dir.path().join("trace");
    let pid = filter.pid().to_string();
    let mut strace = std::process::Command::new("timeout")
        .args(["-s", "INT", "3", "strace", "-f", "-q", "-o", trace.to_str().unwrap(), "-p", &pid])
        .spawn()
        .unwrap();
    strace.wait().unwrap();
    let calls = std::fs::read_to_string(trace).unwrap();
    // Three seconds; each thread's interrupted call is shown twice.
    assert!(calls.lines().count() <= 40, "{calls}");
    drop(producer);
    assert!(sleeper(0)(consumer) == noise(12 << 20));
    assert!(filter.end().0.success());
}
