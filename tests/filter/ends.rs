//! Either end may be anything that has a descriptor, and either peer may die.

use super::{Filter, PATIENCE, command, noise, read_all, until};
use rustix::fs::OFlags;
use std::fs::File;
use std::io::{Read as _, Seek as _, Write as _};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt as _;
use std::process::Stdio;
use std::time::{Duration, Instant};

fn run(input: impl Into<Stdio>, output: impl Into<Stdio>) -> std::process::Output {
    let dir = tempfile::tempdir().unwrap();
    command("-m 4M", dir.path(), &dir.path().join("stats"))
        .stdin(input)
        .stdout(output)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
        .wait_with_output()
        .unwrap()
}

fn file_of(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file.rewind().unwrap();
    file
}

fn bytes_of(mut file: File) -> Vec<u8> {
    file.rewind().unwrap();
    read_all(file)
}

#[test]
fn from_file_to_file() {
    let input = noise(6 << 20);
    let output = tempfile::tempfile().unwrap();
    assert!(run(file_of(&input), output.try_clone().unwrap()).status.success());
    assert!(bytes_of(output) == input);
}

#[test]
fn to_a_file_that_is_appended_to() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    std::fs::write(&path, "before ").unwrap();
    let output = File::options().append(true).open(&path).unwrap();
    assert!(run(file_of(b"after"), output).status.success());
    assert_eq!(std::fs::read(&path).unwrap(), b"before after");
}

#[test]
fn from_socket_to_socket() {
    let input = noise(6 << 20);
    let (mut producer, engine_in) = UnixStream::pair().unwrap();
    let (consumer, engine_out) = UnixStream::pair().unwrap();
    let (output, out) = std::thread::scope(|scope| {
        let input = &input;
        scope.spawn(move || producer.write_all(input).unwrap());
        let reader = scope.spawn(move || {
            std::thread::sleep(Duration::from_millis(300));
            read_all(consumer)
        });
        let output = run(OwnedFd::from(engine_in), OwnedFd::from(engine_out));
        (output, reader.join().unwrap())
    });
    assert!(output.status.success() && out == input, "{output:?}");
}

#[test]
fn from_an_odd_file_of_proc() {
    let output = tempfile::tempfile().unwrap();
    assert!(run(File::open("/proc/self/maps").unwrap(), output.try_clone().unwrap()).status.success());
    assert!(String::from_utf8(bytes_of(output)).unwrap().contains("[stack]"));
}

#[test]
fn from_and_to_dev_null() {
    let null = || File::options().read(true).write(true).open("/dev/null").unwrap();
    assert!(run(null(), null()).status.success());
    assert!(run(file_of(&noise(3 << 20)), null()).status.success());
}

#[test]
fn to_a_full_device() {
    let output = run(file_of(b"x"), File::options().write(true).open("/dev/full").unwrap());
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(said, "spillpipe: cannot write standard output: No space left on device\n");
}

#[test]
fn the_flags_of_shared_descriptors_stay_as_they_were() {
    let flags = |fd: &dyn AsFd| rustix::fs::fcntl_getfl(fd.as_fd()).unwrap() - OFlags::LARGEFILE;
    let (engine_in, mut producer) = std::io::pipe().unwrap();
    let (consumer, engine_out) = std::io::pipe().unwrap();
    let before = (flags(&engine_in), flags(&engine_out));
    let dir = tempfile::tempdir().unwrap();
    let mut child = command("-m 4M", dir.path(), &dir.path().join("stats"))
        .stdin(engine_in.try_clone().unwrap())
        .stdout(engine_out.try_clone().unwrap())
        .spawn()
        .unwrap();
    producer.write_all(&noise(5 << 20)).unwrap();
    assert_eq!((flags(&engine_in), flags(&engine_out)), before, "while it runs");
    drop((producer, consumer));
    child.wait().unwrap();
    assert_eq!((flags(&engine_in), flags(&engine_out)), before, "after it ended");
}

/// Waits for the end of the filter, which must come within a second.
#[track_caller]
fn ends_at_once(filter: Filter, since: Instant) -> std::process::ExitStatus {
    let (status, said, _) = filter.end();
    assert!(since.elapsed() < Duration::from_secs(1), "{:?}", since.elapsed());
    assert_eq!(said, "");
    status
}

#[test]
fn a_consumer_that_dies_while_nothing_flows_ends_it_by_sigpipe() {
    let mut filter = Filter::start("");
    let (_producer, consumer) = (filter.input(), filter.output());
    std::thread::sleep(Duration::from_millis(200));
    drop(consumer);
    assert_eq!(ends_at_once(filter, Instant::now()).signal(), Some(13));
}

#[test]
fn a_consumer_that_dies_with_a_backlog_ends_it_by_sigpipe() {
    let mut filter = Filter::start("-m 4M");
    let (mut producer, consumer) = (filter.input(), filter.output());
    producer.write_all(&noise(9 << 20)).unwrap();
    drop(consumer);
    assert_eq!(ends_at_once(filter, Instant::now()).signal(), Some(13));
}

#[test]
fn a_producer_that_dies_leaves_all_that_it_wrote() {
    let mut filter = Filter::start("-m 4M");
    let (mut producer, mut consumer) = (filter.input(), filter.output());
    let input = noise(9 << 20);
    producer.write_all(&input).unwrap();
    drop(producer);
    let mut out = Vec::new();
    consumer.read_to_end(&mut out).unwrap();
    assert!(out == input && filter.end().0.success());
}

#[test]
fn a_line_arrives_at_once_in_every_state() {
    let mut filter = Filter::start("-m 4M");
    let (mut producer, mut consumer) = (filter.input(), filter.output());
    let mut echo = |line: &[u8]| {
        let start = Instant::now();
        producer.write_all(line).unwrap();
        let mut back = vec![0; line.len()];
        consumer.read_exact(&mut back).unwrap();
        assert_eq!(back, line);
        start.elapsed()
    };
    // Alone; then after a partly filled chunk; then after a backlog that went by the disk.
    for before in [0, 100_000, 0] {
        echo(&noise(before));
        let mut times: Vec<_> = (0..51).map(|n| echo(format!("line {n}\n").as_bytes())).collect();
        times.sort();
        assert!(times[25] < Duration::from_millis(5), "median {:?}", times[25]);
    }
}

#[test]
fn a_terminal_on_either_end() {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap();
    let slave = File::options().read(true).write(true).open(name.to_str().unwrap()).unwrap();
    let mut attributes = rustix::termios::tcgetattr(&slave).unwrap();
    attributes.make_raw();
    rustix::termios::tcsetattr(&slave, rustix::termios::OptionalActions::Now, &attributes).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let mut child = command("--progress never", dir.path(), &dir.path().join("stats"))
        .stdin(slave.try_clone().unwrap())
        .stdout(slave)
        .spawn()
        .unwrap();
    let mut master = File::from(master);
    let start = Instant::now();
    for n in 0..20 {
        let line = format!("typed {n}\n");
        master.write_all(line.as_bytes()).unwrap();
        let mut back = vec![0; line.len()];
        master.read_exact(&mut back).unwrap();
        assert_eq!(back, line.as_bytes());
    }
    assert!(start.elapsed() < PATIENCE);
    child.kill().unwrap();
    until("its end", || child.try_wait().unwrap().is_some());
}

#[test]
fn an_input_that_fails_is_an_error_once_all_that_it_gave_is_out() {
    let input = noise(6 << 20);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut producer = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (engine_in, _) = listener.accept().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let mut child = command("-m 4M --no-splice", dir.path(), &dir.path().join("stats"))
        .stdin(OwnedFd::from(engine_in))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    producer.write_all(&input).unwrap();
    // Closed without lingering, a connection is reset. What the peer has not read by then is lost to it.
    std::thread::sleep(Duration::from_millis(500));
    rustix::net::sockopt::set_socket_linger(&producer, Some(Duration::ZERO)).unwrap();
    drop(producer);
    std::thread::sleep(Duration::from_millis(200));
    assert!(child.try_wait().unwrap().is_none(), "there is something to hand out yet");
    let out = read_all(child.stdout.take().unwrap());
    let end = child.wait_with_output().unwrap();
    assert!(out == input);
    assert_eq!(end.status.code(), Some(1));
    assert_eq!(
        String::from_utf8(end.stderr).unwrap(),
        "spillpipe: cannot read standard input: Connection reset by peer\n"
    );
}
