//! `salvage`: what comes out of damaged archives, what is said of it, and the exit status.

use super::patience::eventually;
use super::samples::{noise, text};
use super::{Home, fails, silent};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::fs::{self, File};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::os::unix::process::ExitStatusExt;
use std::process::Output;
use std::thread::sleep;
use std::time::Duration;

const CHUNK_BYTES: usize = 4096;

/// A home with an archive of 5 chunks of noise, `a`, which holds them as they are.
fn home() -> (Home, Vec<u8>) {
    let (home, data) = (Home::new(), noise(1, 5 * CHUNK_BYTES));
    silent(home.run("pack -s 4K -o a", data.clone()));
    (home, data)
}

/// Makes `to` of `a` with a damaged byte in each of these chunks.
fn damage(home: &Home, data: &[u8], to: &str, chunks: &[usize]) {
    let mut bytes = home.read("a");
    for chunk in chunks {
        let within = &data[chunk * CHUNK_BYTES + 100..][..100];
        let at = bytes.windows(within.len()).position(|window| window == within).unwrap();
        bytes[at] ^= 1;
    }
    fs::write(home.file(to), bytes).unwrap();
}

/// The data without these chunks.
fn without(data: &[u8], chunks: &[usize]) -> Vec<u8> {
    let all = data.chunks(CHUNK_BYTES).enumerate();
    all.filter(|(number, _)| !chunks.contains(number)).flat_map(|(_, chunk)| chunk).copied().collect()
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn what_is_whole_comes_out_in_silence() {
    let (home, data) = home();
    assert!(silent(home.run("salvage a -o -", "")) == data);
    silent(home.run("salvage a -o b", ""));
    assert!(home.read("b") == data);
    let output = home.run("salvage -v a -o c", "");
    let lines: Vec<_> = said(&output).lines().map(str::to_owned).collect();
    assert_eq!(lines[0], "a: 20 KiB in 5 chunks got back, complete");
    assert!(lines[1].starts_with("spillpipe: ") && lines[1].ends_with("; 20 KiB got back"), "{lines:?}");
    assert_eq!((output.status.code(), lines.len()), (Some(0), 2));
    let output = home.shell("\"$0\" salvage - -o - <a");
    assert!(silent(output) == data, "a file on standard input can be read twice");
}

#[test]
fn what_is_lost_is_told_with_its_place() {
    let (home, data) = home();
    damage(&home, &data, "b", &[1, 4]);
    let output = home.run("salvage b -o c", "");
    assert_eq!(output.status.code(), Some(3));
    assert!(home.read("c") == without(&data, &[1, 4]));
    let expected = "\
b: 12 KiB in 3 chunks got back, its end mark is there
  chunks  stream bytes   what
  0       0 - 4095       got back
  1       4096 - 8191    lost
  2 - 3   8192 - 16383   got back
  4       16384 - 20479  lost
spillpipe: 2 chunks lost, up to 8.0 KiB of the data; 12 KiB got back
";
    assert_eq!(said(&output), expected);
    fails(home.run("salvage -q b -o d", ""), 3, "2 chunks lost, up to 8.0 KiB of the data; 12 KiB got back");
    assert_eq!(home.read("c"), home.read("d"));
}

#[test]
fn a_long_list_is_cut_short() {
    let home = Home::new();
    let data = noise(2, 60 * CHUNK_BYTES);
    silent(home.run("pack -s 4K -o a", data.clone()));
    let odd: Vec<_> = (0..60).filter(|chunk| chunk % 2 == 1).collect();
    damage(&home, &data, "b", &odd);
    let output = home.run("salvage b -o c --stats stats", "");
    assert!(home.read("c") == without(&data, &odd));
    let lines: Vec<_> = said(&output).lines().map(str::to_owned).collect();
    assert_eq!((lines.len(), &*lines[22]), (24, "  and 40 spans more"), "{lines:?}");
    let stats: Value = serde_json::from_slice(&home.read("stats")).unwrap();
    assert_eq!(stats["streams"][0]["lost"].as_array().unwrap().len(), 30, "programs get all of it");
}

#[test]
fn only_the_end_is_missing() {
    let (home, data) = home();
    let bytes = home.read("a");
    fs::write(home.file("b"), &bytes[..bytes.len() - 150]).unwrap();
    let output = home.run("salvage b -o c", "");
    assert_eq!(output.status.code(), Some(4));
    assert!(said(&output).ends_with("all that is there was got back, and it is incomplete: it has no end mark\n"));
    assert!(home.read("c") == data);
    silent(home.run("pack --incomplete -o d", "given up"));
    let output = home.run("salvage -q d -o e", "");
    fails(output, 4, "all that is there was got back, and it is incomplete: it was marked so when it was written");
    assert_eq!(home.read("e"), b"given up");
}

#[test]
fn two_damaged_copies_complete_each_other() {
    let (home, data) = home();
    damage(&home, &data, "b", &[0, 3]);
    damage(&home, &data, "c", &[1, 4]);
    silent(home.run("salvage b c -o d", ""));
    assert!(home.read("d") == data);
}

#[test]
fn zeros_keep_the_rest_where_it_was_and_take_no_space() {
    let home = Home::new();
    let data = noise(3, 64 * CHUNK_BYTES);
    silent(home.run("pack -s 4K -o a", data.clone()));
    let lost: Vec<_> = (4..64).collect();
    damage(&home, &data, "b", &lost);
    let mut expected = data;
    expected[4 * CHUNK_BYTES..].fill(0);
    assert_eq!(home.run("salvage --zero-fill b -o c", "").status.code(), Some(3));
    assert!(home.read("c") == expected);
    let blocks = fs::metadata(home.file("c")).unwrap().blocks();
    assert!(blocks * 512 < 32 * CHUNK_BYTES as u64, "{blocks} blocks");
    assert!(home.run("salvage --zero-fill b -o -", "").stdout == expected, "also through a pipe");
    fails(home.run("salvage --zero-fill --unordered b -o d", ""), 2, "cannot be used with");
}

#[test]
fn archives_are_found_in_the_image_of_a_disk() {
    let (home, data) = home();
    silent(home.run("pack -z lz4 -s 4K -o t", text(4, 50_000)));
    let image = File::create(home.file("image")).unwrap();
    image.write_all_at(&noise(5, 1 << 20), 0).unwrap();
    image.write_all_at(&home.read("a"), 100 << 12).unwrap();
    image.write_all_at(&home.read("t"), 200 << 12).unwrap();
    let output = home.run("salvage image -o b --stats stats", "");
    assert_eq!((output.status.code(), said(&output)), (Some(0), String::new()));
    assert!(home.read("b") == [data, text(4, 50_000)].concat());
    let output = home.run("salvage -v image -o -", "");
    let first = "image at byte 409600: 20 KiB in 5 chunks got back, complete; from byte 0 of the output on\n";
    let second = "image at byte 819200: 49 KiB in 13 chunks got back, complete; from byte 20480 of the output on\n";
    assert!(said(&output).starts_with(&[first, second].concat()), "{}", said(&output));
    let stats: Value = serde_json::from_slice(&home.read("stats")).unwrap();
    let places = stats["streams"].as_array().unwrap().iter().map(|stream| stream["at_byte"].as_u64().unwrap());
    assert_eq!(places.collect::<Vec<_>>(), [100 << 12, 200 << 12]);
    assert_eq!((&stats["streams"][1]["output_offset_bytes"], &stats["end"]), (&20_480.into(), &"complete".into()));
    assert!(stats["files"][0]["junk_bytes"].as_u64().unwrap() > 900_000, "{stats}");
}

#[test]
fn a_spool_and_segments_in_any_order_are_one_stream() {
    let home = Home::new();
    for word in ["one ", "two ", "three"] {
        silent(home.run(&format!("push --min-free 0 {} s", if word == "three" { "" } else { "--no-end" }), word));
    }
    assert_eq!(silent(home.run("salvage s -o -", "")), b"one two three");
    let segments = "s/0000000000000003.zst s/0000000000000001.zst";
    let output = home.run(&format!("salvage {segments} -o a"), "");
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(home.read("a"), b"one three");
    assert!(said(&output).contains("  1       4 - 7         lost\n"), "{}", said(&output));
}

/// What comes before the first header may never have been there: a spool removes what has been handed out.
#[test]
fn a_stream_that_does_not_begin_at_its_beginning_is_told() {
    let home = Home::new();
    for word in ["one ", "two"] {
        silent(home.run(&format!("push --min-free 0 {} s", if word == "two" { "" } else { "--no-end" }), word));
    }
    let output = home.run("salvage s/0000000000000002.zst -o a", "");
    assert_eq!((output.status.code(), home.read("a")), (Some(0), b"two".to_vec()));
    let told = "s/0000000000000002.zst: 3 B in 1 chunk got back, from byte 4 of the stream on, complete\n";
    assert_eq!(said(&output), told);
    fs::remove_file(home.file("s/0000000000000001.zst")).unwrap();
    assert_eq!(silent(home.run("salvage s -o -", "")), b"two");
}

#[test]
fn a_pipe_is_read_once_and_as_it_comes() {
    let (home, data) = home();
    damage(&home, &data, "b", &[2]);
    let told = "standard input can be read only once: copy it to a file first, or take its chunks as they come";
    fails(home.run("salvage - -o c", home.read("b")), 1, told);
    assert!(!home.file("c").exists());
    let output = home.run("salvage -q --unordered - -o -", home.read("b"));
    assert!(fails(output, 3, "1 chunk lost") == without(&data, &[2]));
    // Nobody writes to it, and that is not waited for.
    home.shell("mkfifo pipe");
    fails(home.run("salvage a pipe -o c", ""), 1, "pipe can be read only once");
}

#[test]
fn data_of_another_archive_is_left_out_unless_it_is_wanted() {
    let home = Home::new();
    silent(home.run("pack -z none -o inner", "inside"));
    let data = [noise(6, 1000), home.read("inner"), noise(7, 1000)].concat();
    silent(home.run("pack -z none -s 4K -o a", [&data[..], &noise(8, 6000)].concat()));
    let (mut bytes, within) = (home.read("a"), &data[100..200]);
    // Bytes too many: the next chunk is not where it should be.
    let at = bytes.windows(100).position(|window| window == within).unwrap();
    bytes.splice(at..at, [0; 50]);
    fs::write(home.file("b"), bytes).unwrap();
    let output = home.run("salvage b -o c", "");
    assert!(said(&output).contains("1 chunk left out: data of another archive"), "{}", said(&output));
    let is_in = |name: &str| home.read(name).windows(6).any(|window| window == b"inside");
    assert!(output.status.code() == Some(3) && !is_in("c"));
    home.run("salvage --unordered b -o d", "");
    assert!(is_in("d"));
}

#[test]
fn nothing_is_found_in_what_is_no_archive() {
    let home = Home::new();
    fs::write(home.file("gz"), b"\x1F\x8B\x08\0\0\0").unwrap();
    fs::write(home.file("noise"), noise(9, 100_000)).unwrap();
    fs::create_dir(home.file("dir")).unwrap();
    let before = home.names();
    for (paths, words) in [
        ("gz", "nothing of an archive is in gz: it is gzip data, which 'gzip -dc' reads"),
        ("noise", "nothing of an archive is in noise"),
        ("gz noise", "nothing of an archive is in 2 files"),
        ("noise none", "cannot open none: No such file or directory"),
        ("dir", "dir holds no spool and no segments"),
    ] {
        fails(home.run(&format!("salvage {paths} -o out"), ""), 1, words);
    }
    fails(home.run("salvage noise", ""), 2, "--output <FILE>");
    fails(home.run("salvage -o out", ""), 2, "<PATH>...");
    assert_eq!(home.names(), before);
}

#[test]
fn of_what_is_all_lost_there_is_no_file() {
    let (home, data) = home();
    damage(&home, &data, "b", &[0, 1, 2, 3, 4]);
    fails(home.run("salvage -q b -o c", ""), 3, "5 chunks lost, up to 20 KiB of the data; nothing is left");
    assert!(!home.file("c").exists());
    // An archive of nothing is whole.
    silent(home.run("pack -o e", ""));
    silent(home.run("salvage e -o c", ""));
    assert_eq!(home.read("c"), b"");
}

#[test]
fn no_input_is_ever_written_to() {
    let (home, _) = home();
    silent(home.run("push --min-free 0 s", "spooled"));
    fs::hard_link(home.file("a"), home.file("link")).unwrap();
    let before = home.read("a");
    for (args, words) in [
        ("salvage a -f -o a", "input and output are the same file (a)"),
        ("salvage a -f -o link", "input and output are the same file (link)"),
        ("salvage s -f -o s/0000000000000001.zst", "input and output are the same file (s/0000000000000001.zst)"),
        ("salvage a -o b --stats link", "figures and input are the same file (link)"),
        ("salvage a -o b --log a", "messages and input are the same file (a)"),
    ] {
        fails(home.run(args, ""), 1, words);
    }
    let output = home.shell("\"$0\" salvage a -o - >>a");
    fails(output, 1, "input and output are the same file (a)");
    fails(home.shell("\"$0\" salvage - -f -o a <a"), 1, "input and output are the same file (a)");
    assert!(home.read("a") == before);
    silent(home.run("salvage a -o b", ""));
    fails(home.run("salvage a -o b", ""), 1, "cannot create b: it exists; use --force to replace it");
    silent(home.run("salvage a -f -o b", ""));
}

#[test]
fn an_output_that_takes_no_more_is_told() {
    let (home, _) = home();
    let output = home.shell("\"$0\" salvage a -o - >/dev/full");
    fails(output, 1, "cannot write standard output: No space left on device");
    let output = home.shell("\"$0\" salvage a -o - | true");
    assert_eq!(said(&output), "", "as cat: silently");
}

#[test]
fn a_signal_ends_a_long_search_and_nothing_is_left() {
    let home = Home::new();
    // It takes long to read, and no space.
    File::create(home.file("image")).unwrap().set_len(1 << 42).unwrap();
    let mut salvage = home.raw("salvage image -o out --progress never").spawn().unwrap();
    sleep(Duration::from_millis(200));
    kill_process(Pid::from_child(&salvage), Signal::TERM).unwrap();
    let status = eventually("its end", || salvage.try_wait().unwrap());
    assert_eq!((status.signal(), home.names()), (Some(Signal::TERM.as_raw()), vec!["image".to_owned()]));
}
