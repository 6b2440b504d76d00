//! The filter with a spool: what it buffers outlives it.

use super::{Spool, assert_same, eventually, fails, line, noise, silent, text};
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, Instant};

const SPOOL: &str = "--spool DIR --min-free 0";

#[test]
fn what_goes_in_comes_out_and_nothing_is_left() {
    for options in ["", "-z none -s 4K", "-z lz4 --threads 1 --sync none", "--sync chunk -s 4M", "--max-disk 1M"] {
        let spool = Spool::new();
        let data = [text(1 << 20), noise(300_000)].concat();
        let out = silent(spool.run(&format!("{SPOOL} -q {options}"), data.clone()));
        assert_same(&out, &data);
        assert!(spool.segments().is_empty(), "{options}");
        assert_eq!(spool.info()["stream"], "complete");
    }
}

#[test]
fn a_byte_that_comes_while_the_consumer_waits_goes_out_at_once() {
    let spool = Spool::new();
    let mut filter = spool.start(SPOOL);
    let mut out = filter.lines();
    let mut delays = Vec::new();
    for n in 0..9 {
        std::thread::sleep(Duration::from_millis(30));
        let (start, sent) = (Instant::now(), format!("line {n}\n"));
        filter.write(&sent);
        assert_eq!(line(&mut out), sent);
        delays.push(start.elapsed());
    }
    delays.sort();
    assert!(delays[4] < Duration::from_millis(50), "{delays:?}");
    assert_eq!(filter.end().0.code(), Some(0));
}

#[test]
fn after_a_kill_the_next_run_first_drains_what_is_left() {
    let spool = Spool::new();
    let data = text(3 << 20);
    let mut filter = spool.start(SPOOL);
    let mut head = vec![0; 10_000];
    let mut stdin = filter.0.stdin.take().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| stdin.write_all(&data).unwrap());
        filter.0.stdout.as_mut().unwrap().read_exact(&mut head).unwrap();
    });
    // The linger, and the encoders.
    eventually("all of it in the spool", || (spool.info()["newest_offset_bytes"] == data.len() as u64).then_some(()));
    let pid = filter.0.id();
    assert_eq!(spool.info()["writer_process"], pid);
    filter.kill();
    drop(stdin);
    let at = usize::try_from(spool.reader("default")["offset_bytes"].as_u64().unwrap()).unwrap();

    let output = spool.run(SPOOL, "and this");
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(said.contains("is incomplete"), "{said}");
    assert_same(&output.stdout, &[&data[at..], b"and this"].concat());
    assert_eq!(silent(spool.run(SPOOL, "all is well")), b"all is well");
}

#[test]
fn a_consumer_that_leaves_ends_it_and_what_was_taken_in_stays() {
    let spool = Spool::new();
    let data = noise(600_000);
    let mut filter = spool.start(SPOOL);
    let mut stdin = filter.0.stdin.take().unwrap();
    let mut out = filter.0.stdout.take().unwrap();
    stdin.write_all(&data).unwrap();
    out.read_exact(&mut vec![0; 1000]).unwrap();
    drop(out);
    // Its input stays open: it ends all the same.
    assert_eq!(filter.wait().signal(), Some(13));
    drop(stdin);
    let info = spool.info();
    assert_eq!(info["stream"], "incomplete");
    let at = usize::try_from(spool.reader("default")["offset_bytes"].as_u64().unwrap()).unwrap();
    let rest = fails(spool.run("pop DIR", ""), 4, "incomplete");
    assert!(data[at..].starts_with(&rest), "{at}, {}", rest.len());
}

#[test]
fn a_consumer_that_leaves_an_idle_filter_is_noticed() {
    let spool = Spool::new();
    let mut filter = spool.start(SPOOL);
    filter.write("x");
    filter.0.stdout.take().unwrap().read_exact(&mut [0]).unwrap();
    let start = Instant::now();
    let status = eventually("its end", || filter.0.try_wait().unwrap());
    assert_eq!(status.signal(), Some(13), "{status:?}");
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
}

#[test]
fn files_digest_and_figures_are_those_of_the_filter() {
    let spool = Spool::new();
    let file = |name: &str| spool.home.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(file("in"), "abc").unwrap();
    let args = format!("{SPOOL} -i {} -o {} --digest crc32 --stats {}", file("in"), file("out"), file("stats"));
    let output = spool.run(&args, "");
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "crc32 352441c2\n");
    assert_eq!((output.status.code(), std::fs::read(file("out")).unwrap()), (Some(0), b"abc".to_vec()));
    let figures: serde_json::Value = serde_json::from_slice(&std::fs::read(file("stats")).unwrap()).unwrap();
    assert_eq!(figures["digest"]["hex"], "352441c2");
    assert_eq!(
        (&figures["command"], &figures["bytes_in"], &figures["bytes_out"]),
        (&"filter".into(), &3.into(), &3.into())
    );
    fails(spool.run(&args, ""), 1, "use --force");
    fails(spool.run(&format!("{SPOOL} -i {0} -o {0} -f", file("in")), ""), 1, "same file");
}

#[test]
fn one_at_a_time() {
    let spool = Spool::new();
    let mut filter = spool.start(SPOOL);
    filter.write("x");
    filter.0.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
    fails(spool.run(SPOOL, ""), 1, &format!("is in use by process {}", filter.0.id()));
    assert_eq!(filter.end().0.code(), Some(0));
}

#[test]
fn full_with_fail_hands_out_what_it_has_and_ends_with_status_5() {
    let spool = Spool::new();
    let mut filter = spool.start(&format!("{SPOOL} -q --max-disk 1M -z none --when-full fail"));
    let mut stdin = filter.0.stdin.take().unwrap();
    let data = noise(6 << 20);
    let out = std::thread::scope(|scope| {
        let data = &data;
        scope.spawn(move || stdin.write_all(data).ok());
        std::thread::sleep(Duration::from_millis(300));
        let mut out = Vec::new();
        filter.0.stdout.take().unwrap().read_to_end(&mut out).unwrap();
        out
    });
    let (status, _, said) = filter.end();
    assert_eq!(status.code(), Some(5), "{said}");
    assert!(data.starts_with(&out) && out.len() > 500_000, "{}", out.len());
}

#[test]
fn progress_shows_what_is_in_the_spool() {
    let spool = Spool::new();
    let mut filter = spool.start(&format!("{SPOOL} --progress always --interval 0.1"));
    filter.write("hello");
    let mut said = std::io::BufReader::new(filter.0.stderr.take().unwrap());
    let shown = line(&mut said);
    assert!(shown.contains("backlog") && shown.contains("disk"), "{shown}");
    filter.close_input();
    let mut rest = String::new();
    said.read_to_string(&mut rest).unwrap();
    assert_eq!(filter.wait().code(), Some(0), "{rest}");
}
