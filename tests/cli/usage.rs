//! Arguments: what is refused, and what is answered.

use super::{assert_fails, assert_silent, spillpipe};

#[test]
fn what_makes_no_sense_is_refused_in_one_line_with_status_2() {
    for (args, words) in [
        (&["-m", "12Q"][..], "unknown unit 'Q': it takes B, K, M, G, T, P or E"),
        (&["-m", "lots"], "a size is a number and a unit"),
        (&["-m", "1M"], "at least 4M"),
        (&["-m", "101%"], "0 to 100"),
        (&["--min-free", "101%"], "0 to 100"),
        (&["-s", "1K"], "between 4K and 4M"),
        (&["-s", "5M"], "between 4K and 4M"),
        (&["-m", "8E"], "memory of 8.0 EiB is more than this machine has ("),
        (&["-m", "0%"], "memory of 0 B is too little: with these options it takes at least 4.0 MiB"),
        (&["-z", "zstd:99"], "zstd level '99' is not between 1 and 19"),
        (&["-z", "gzip"], "unknown codec 'gzip'"),
        (&["--threads", "0"], "it is not a number from 1 to 64"),
        (&["--threads", "x"], "it is not a number from 1 to 64"),
        (&["--threads", "-1"], "it is not a number from 1 to 64"),
        (&["-m", "-1"], "a size is not negative"),
        (&["--max-disk", "-1G"], "a size is not negative"),
        (&["--size", "-1"], "a size is not negative"),
        (&["--min-free", "-5%"], "0 to 100"),
        (&["-r", "0"], "more than 0"),
        (&["-R", "-5"], "a size is not negative"),
        (&["--interval", "0"], "0.1"),
        (&["--interval", "nan"], "0.1"),
        (&["--when-full", "explode"], "possible values: block, fail, drop-oldest, drop-new"),
        (&["--digest", "md5"], "possible values: blake3, sha256, crc32"),
        (&["--codek", "lz4"], "'--codec'"),
        (&["-m"], "a value is required for '--memory"),
        (&["file"], "unexpected argument 'file'"),
        (&["two\nlines"], "unexpected argument"),
    ] {
        assert_fails(&spillpipe(args).output().unwrap(), 2, words);
    }
}

#[test]
fn an_argument_that_is_no_text_is_refused_too() {
    use std::os::unix::ffi::OsStrExt;
    let output = spillpipe(&[]).arg(std::ffi::OsStr::from_bytes(b"--name=\xff")).output().unwrap();
    assert_fails(&output, 2, "UTF-8");
}

#[test]
fn the_last_of_a_repeated_option_counts() {
    assert_silent(spillpipe(&["-m", "8M", "-m", "16M", "-q", "-v", "-q"]).output().unwrap());
}

#[test]
fn help_and_version_go_to_standard_output() {
    for args in [["-h"], ["--help"], ["-V"], ["--version"]] {
        let text = String::from_utf8(assert_silent(spillpipe(&args).output().unwrap())).unwrap();
        assert!(text.contains("spillpipe"), "{text}");
    }
    let version = assert_silent(spillpipe(&["-V"]).output().unwrap());
    assert_eq!(String::from_utf8(version).unwrap(), format!("spillpipe {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn the_long_help_has_defaults_statuses_and_examples() {
    let help = String::from_utf8(assert_silent(spillpipe(&["--help"]).output().unwrap())).unwrap();
    for words in [
        "[default: 64M]",
        "[default: 256K]",
        "[default: 5%]",
        "[default: auto]",
        "/var/tmp",
        "from 4M",
        "from 1 to 64",
        "from 0.1 to 86400",
        "-o /mnt/backup/disk.img -r 50M",
        "to copy slowly, limit the reading",
        "what is still held is lost",
        "stays on standard error",
        "Exit status:",
        "Examples:",
    ] {
        assert!(help.contains(words), "{words}");
    }
    assert!(help.lines().all(|line| line.len() <= 100), "it fits a terminal");
    for row in spillpipe::codec::TABLE {
        assert!(help.contains(&format!("- {}: {}", row.name, row.about)), "{}", row.name);
    }
}
