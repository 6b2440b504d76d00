//! `verify`: what is said of sound and of damaged archives, where it is said, and the exit status.

use super::samples::{noise, text};
use super::{Home, fails, silent};
use rustix::process::Signal;
use serde_json::Value;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::{Output, Stdio};

/// A home with a sound archive of 5 chunks, `a.zst`.
fn home() -> (Home, Vec<u8>) {
    let (home, data) = (Home::new(), [text(1, 12_000), noise(1, 8_000)].concat());
    silent(home.run("pack -s 4K -o a.zst", data.clone()));
    (home, data)
}

/// Makes `to` of `from`, changed.
fn change(home: &Home, from: &str, to: &str, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = home.read(from);
    change(&mut bytes);
    fs::write(home.file(to), bytes).unwrap();
}

/// What it wrote: to standard output and to standard error.
fn both(output: &Output) -> (String, String) {
    [&output.stdout, &output.stderr].map(|bytes| String::from_utf8(bytes.clone()).unwrap()).into()
}

#[test]
fn nothing_is_said_of_what_is_sound_unless_it_is_asked_for() {
    let (home, _) = home();
    for args in ["verify a.zst", "verify --quick a.zst", "verify -q a.zst", "verify -t 3 a.zst a.zst"] {
        assert_eq!(silent(home.run(args, "")), b"", "{args}");
    }
    assert_eq!(silent(home.run("verify", home.read("a.zst"))), b"", "from standard input");
    let (out, _) = both(&home.run("verify -v a.zst", ""));
    assert_eq!(out, "a.zst: ok, 20 KiB in 5 chunks, complete\n");
    let (out, _) = both(&home.run("verify -v --quick -", home.read("a.zst")));
    assert_eq!(out, "standard input: ok as far as a quick look tells, 20 KiB in 5 chunks, complete\n");
}

#[test]
fn damage_is_told_with_its_place_and_what_gets_back_the_rest() {
    let (home, _) = home();
    change(&home, "a.zst", "b.zst", |bytes| {
        let len = bytes.len();
        bytes[len - 3000] ^= 1;
    });
    let output = home.run("verify b.zst", "");
    let (out, _) = both(&output);
    fails(output, 3, "b.zst is damaged: 1 problem; 'spillpipe salvage' gets back what is undamaged");
    let lines: Vec<_> = out.lines().collect();
    assert_eq!(lines.len(), 3, "{out}");
    assert!(lines[0].starts_with("b.zst: damaged, 1 problem, 16 KiB in 4 chunks, its end mark is there"), "{out}");
    assert!(lines[1].starts_with("  bytes ") && lines[1].ends_with("  what"), "{out}");
    assert!(lines[2].contains("  4 ") && lines[2].contains("16384 - 19999"), "the chunk and its bytes: {out}");
    assert_eq!(both(&home.run("verify -q b.zst", "")).0, "");
    assert_eq!(silent(home.run("verify --quick b.zst", "")), b"", "the frame is not looked at");
}

#[test]
fn an_archive_without_its_end_is_incomplete() {
    let (home, _) = home();
    change(&home, "a.zst", "b.zst", |bytes| bytes.truncate(bytes.len() - 2000));
    let output = home.run("verify b.zst", "");
    assert!(both(&output).0.starts_with("b.zst: incomplete: it has no end mark, "), "{output:?}");
    assert!(both(&output).0.contains("the file ends here: "), "{output:?}");
    fails(output, 4, "b.zst is incomplete: it has no end mark");
    silent(home.run("pack --incomplete -o c.zst", "data"));
    fails(home.run("verify c.zst", ""), 4, "c.zst is incomplete: it was marked so when it was written");
}

#[test]
fn each_file_is_looked_at_and_the_worst_decides() {
    let (home, _) = home();
    change(&home, "a.zst", "short.zst", |bytes| bytes.truncate(5000));
    change(&home, "a.zst", "wrong.zst", |bytes| bytes[400] ^= 1);
    fs::write(home.file("x.gz"), b"\x1F\x8B\x08\0\0").unwrap();
    let run = |paths: &str| home.run(&format!("verify {paths}"), "");
    fails(run("nothing"), 1, "cannot open nothing: No such file or directory");
    fails(run("x.gz"), 3, "x.gz is no archive: it is gzip data");
    for (paths, status, last) in [
        ("a.zst short.zst", 4, "of 2 files: 1 incomplete"),
        ("short.zst nothing a.zst", 1, "of 3 files: 1 unreadable, 1 incomplete"),
        ("wrong.zst nothing short.zst x.gz", 3, "of 4 files: 2 damaged, 1 unreadable, 1 incomplete"),
    ] {
        let output = run(paths);
        let (out, said) = both(&output);
        assert_eq!(output.status.code(), Some(status), "{paths}: {said}");
        assert_eq!(said.lines().last(), Some(&*format!("spillpipe: {last}")), "{paths}");
        assert_eq!(out.contains("short.zst: incomplete"), paths.contains("short"), "{out}");
    }
}

#[test]
fn a_directory_is_checked_as_one_stream() {
    let home = Home::new();
    for data in [text(2, 9000), noise(2, 9000)] {
        silent(home.run("push -q --no-end --min-free 0 s", data));
    }
    silent(home.run("push -q --min-free 0 s", "the end"));
    assert_eq!(silent(home.run("verify s", "")), b"");
    let (out, _) = both(&home.run("verify -v --digest crc32 s", ""));
    let crc = spillpipe::format::crc32(&[text(2, 9000), noise(2, 9000), b"the end".to_vec()].concat());
    assert_eq!(out.lines().last(), Some(&*format!("crc32 {crc:08x}  s")), "of all of it: {out}");
    assert_eq!(out.matches("goes on in the next file").count(), 2, "{out}");
    fs::create_dir(home.file("empty")).unwrap();
    fails(home.run("verify empty", ""), 1, "empty holds no spool and no segments");
}

#[test]
fn what_a_later_version_wrote_is_not_called_damaged() {
    let (home, _) = home();
    change(&home, "a.zst", "b.zst", |bytes| {
        bytes[0x20] = 2;
        let crc = spillpipe::format::crc32(&bytes[..0x7C]).to_le_bytes();
        bytes[0x7C..0x80].copy_from_slice(&crc);
    });
    fs::write(home.file("ab.zst"), [home.read("a.zst"), home.read("b.zst")].concat()).unwrap();
    for name in ["b.zst", "ab.zst"] {
        for command in ["cat", "verify", "verify --quick", "info", "merge -o out", "split --bytes 4K"] {
            let dir = if command.starts_with("split") { "dir" } else { "" };
            let told = format!("cannot read {name}: format version 2.0 is newer than this program reads (1.x)");
            fails(home.run(&format!("{command} {name} {dir}"), ""), 1, &told);
        }
    }
}

#[test]
fn a_digest_is_printed_and_compared() {
    let (home, data) = home();
    let crc = format!("{:08x}", spillpipe::format::crc32(&data));
    assert_eq!(silent(home.run("verify --digest crc32 a.zst", "")), format!("crc32 {crc}  a.zst\n").as_bytes());
    let upper = crc.to_uppercase();
    silent(home.run(&format!("verify --digest crc32 --expect {upper} a.zst"), ""));
    let told = format!("the crc32 of a.zst is {crc}, not 00000000");
    fails(home.run("verify --digest crc32 --expect 00000000 a.zst", ""), 3, &told);
    change(&home, "a.zst", "b.zst", |bytes| bytes[400] ^= 1);
    assert!(!both(&home.run("verify --digest crc32 b.zst", "")).0.contains("crc32 "), "of damaged data there is none");
    fails(home.run("verify --digest crc32 --expect 00000000 a.zst a.zst", ""), 2, "--expect is for one PATH");
    fails(home.run("verify --digest crc32 --expect 00 a.zst", ""), 2, "--expect has 2 digits, and crc32 8");
    fails(home.run("verify --digest crc32 --expect 0000000x a.zst", ""), 2, "it is not in hexadecimal");
    fails(home.run("verify --digest crc32 --expect= a.zst", ""), 2, "--expect");
    fails(home.run("verify --expect 00 a.zst", ""), 2, "--digest");
    fails(home.run("verify --quick --digest crc32 a.zst", ""), 2, "cannot be used with");
}

#[test]
fn programs_get_all_of_it_as_json() {
    let (home, _) = home();
    change(&home, "a.zst", "b.zst", |bytes| bytes[400] ^= 1);
    let output = home.run("verify --json --digest crc32 a.zst b.zst nothing", "");
    assert_eq!(output.status.code(), Some(3));
    let all: Value = serde_json::from_slice(&output.stdout).unwrap();
    let verdicts: Vec<_> = all["files"].as_array().unwrap().iter().map(|file| file["verdict"].clone()).collect();
    assert_eq!(verdicts, ["sound", "damaged", "unreadable"]);
    assert_eq!((&all["verdict"], &all["exit_status"]), (&Value::from("damaged"), &Value::from(3)));
    let [a, b] = [&all["files"][0], &all["files"][1]];
    assert_eq!(
        (&a["chunks"], &a["raw_bytes"], &a["end"]),
        (&Value::from(5), &Value::from(20_000), &Value::from("complete"))
    );
    assert_eq!((a["problems"].as_array().unwrap().len(), b["problems"].as_array().unwrap().len()), (0, 1));
    assert_eq!((&b["problems"][0]["first_chunk"], &b["problems"][0]["at_byte"]), (&Value::from(0), &Value::from(128)));
    assert_eq!(all["digests"].as_array().unwrap().len(), 1);
}

#[test]
fn nobody_who_listens_is_no_reason_to_panic() {
    let (home, _) = home();
    let output = home.shell("\"$0\" verify -v a.zst a.zst | true; \"$0\" verify -v a.zst >/dev/full");
    let said = both(&output).1;
    assert!(said.contains("cannot write standard output: No space left on device"), "{said}");
    assert!(!said.contains("panick"), "{said}");
}

#[test]
fn hundreds_of_segments_need_few_descriptors() {
    let home = Home::new();
    fs::create_dir(home.file("d")).unwrap();
    silent(home.run("pack -o a.zst", "x"));
    for number in 1..=300 {
        fs::hard_link(home.file("a.zst"), home.file("d").join(format!("{number:016x}.zst"))).unwrap();
    }
    let output = home.shell("ulimit -n 24; \"$0\" verify d");
    let said = both(&output).1;
    assert!(said.contains("of 300 files: 299 damaged"), "they are one and the same segment: {said}");
}

#[test]
fn a_file_whose_digest_is_another_counts_once() {
    let (home, data) = home();
    silent(home.run("pack --incomplete -o c.zst", data.clone()));
    let crc = format!("{:08x}", spillpipe::format::crc32(&data));
    let told = format!("the crc32 of c.zst is {crc}, not 00000000");
    fails(home.run("verify -q --digest crc32 --expect 00000000 c.zst", ""), 3, &told);
}

#[test]
fn nothing_more_is_looked_at_when_nobody_reads_what_is_told() {
    let home = Home::new();
    fs::create_dir(home.file("d")).unwrap();
    silent(home.run("pack -o a.zst", "x"));
    for number in 1..=200 {
        let segment = home.file("d").join(format!("{number:016x}.zst"));
        if number == 100 {
            fs::create_dir(segment).unwrap();
        } else {
            fs::hard_link(home.file("a.zst"), segment).unwrap();
        }
    }
    assert!(both(&home.run("verify -v d", "")).1.contains("is no regular file"), "who reads on is told of it");
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let verify = home.raw("verify -v d").stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
    let output = verify.wait_with_output().unwrap();
    assert_eq!((both(&output).1.as_str(), output.status.signal()), ("", Some(Signal::PIPE.as_raw())));
}

#[test]
fn one_line_is_one_line_also_of_many() {
    let (home, _) = home();
    fails(home.run("verify -q nope1 nope2 a.zst", ""), 1, "of 3 files: 2 unreadable");
    let told = both(&home.run("verify nope1 nope2", "")).1;
    assert_eq!(told.lines().count(), 3, "each by itself, and how many: {told}");
}

#[test]
fn whatever_cannot_be_looked_at_has_all_the_keys_of_what_can() {
    let (home, _) = home();
    fs::create_dir(home.file("empty")).unwrap();
    let output = home.run("verify --json a.zst nothing empty", "");
    let all: Value = serde_json::from_slice(&output.stdout).unwrap();
    let keys = |file: &Value| file.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let files = all["files"].as_array().unwrap();
    assert_eq!((files.len(), keys(&files[1]), keys(&files[2])), (3, keys(&files[0]), keys(&files[0])));
    assert_eq!(files.iter().filter(|file| file["verdict"] == "unreadable").count(), 2);
}
