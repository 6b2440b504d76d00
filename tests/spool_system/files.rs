//! What is in the directory: nobody else's business, and nothing but the spool's own.

use super::{Spool, fails, silent};
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};

/// Everything in a directory, and below.
fn everything(dir: &Path) -> Vec<PathBuf> {
    let mut all = vec![dir.to_owned()];
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { all.extend(everything(&path)) } else { all.push(path) }
    }
    all
}

#[test]
fn whatever_the_umask_it_is_the_owners_alone() {
    for umask in ["000", "077"] {
        let spool = Spool::new();
        let script = format!(
            "umask {umask}; echo x | \"$0\" push --min-free 0 --no-end \"$1\" && \"$0\" pop --peek \"$1\" && \
             printf 'zzzz' | dd of=\"$1/0000000000000001.zst\" bs=1 seek=196 conv=notrunc status=none && \
             echo y | \"$0\" push --min-free 0 \"$1\"; \"$0\" pop \"$1\"; \
             echo z | \"$0\" push --min-free 0 --no-end \"$1\""
        );
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", &script]).arg(assert_cmd::cargo::cargo_bin!("spillpipe")).arg(&spool.dir);
        let output = shell.output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let all = everything(&spool.dir);
        for path in &all {
            let mode = fs::metadata(path).unwrap().mode() & 0o7777;
            let expected = if path.is_dir() { 0o700 } else { 0o600 };
            assert_eq!(mode, expected, "umask {umask}: {} has {mode:o}", path.display());
        }
        // The directory and its two; identity, lock, cursor, segment, and something in quarantine.
        assert_eq!(all.len(), 8, "{all:?}");
    }
}

/// A spool of which one thing is a link to where it really is; and that place.
fn with_link(what: &str) -> (Spool, PathBuf) {
    let spool = Spool::new();
    spool.push("--no-end", "data");
    silent(spool.run("reader add DIR default", ""));
    let real = spool.beside("real");
    let link = spool.dir.join(what);
    fs::rename(&link, &real).unwrap();
    symlink(&real, &link).unwrap();
    (spool, real)
}

fn contents(place: &Path) -> Vec<(PathBuf, u64, Vec<u8>)> {
    if place.is_file() {
        return vec![(place.to_owned(), fs::metadata(place).unwrap().ino(), fs::read(place).unwrap())];
    }
    everything(place).iter().filter(|path| path.is_file()).flat_map(|path| contents(path)).collect()
}

#[test]
fn a_link_in_place_of_anything_is_refused_by_its_name_and_not_followed() {
    let commands = ["push --min-free 0 DIR", "pop DIR", "pop --follow DIR"];
    for (what, refused_by) in [
        ("spool", &commands[..]),
        ("writer.lock", &commands[..1]),
        ("readers", &commands[..]),
        ("quarantine", &commands[..]),
        ("readers/default", &commands[1..]),
        ("0000000000000001.zst", &commands[..]),
    ] {
        for command in refused_by {
            let (spool, real) = with_link(what);
            let before = contents(&real);
            let name = what.rsplit('/').next().unwrap();
            assert!(fails(spool.run(command, "more"), 1, name).is_empty(), "{what}: {command}");
            assert_eq!(contents(&real), before, "{what}: {command}");
            assert!(spool.dir.join(what).is_symlink(), "{what}: {command}");
        }
    }
}

#[test]
fn the_directory_itself_may_be_a_link() {
    let spool = Spool::new();
    spool.push("", "data");
    let link = spool.beside("link");
    symlink(&spool.dir, &link).unwrap();
    let by_link = Spool { dir: link, home: None };
    assert_eq!(by_link.pop(""), b"data");
}

#[test]
fn a_segment_of_another_spool_is_refused_and_stays() {
    let (spool, other) = (Spool::new(), Spool::new());
    spool.push("--no-end", "ours");
    other.push("", "theirs");
    let foreign = spool.dir.join("0000000000000002.zst");
    let before = fs::read(&other.segments()[0]).unwrap();
    fs::write(&foreign, &before).unwrap();
    for command in ["push --min-free 0 DIR", "pop DIR", "pop --follow DIR"] {
        fails(spool.run(command, "x"), 1, "0000000000000002.zst: ");
    }
    assert_eq!(fs::read(&foreign).unwrap(), before);
    silent(spool.run("trim DIR", ""));
    assert_eq!(fs::read(&foreign).unwrap(), before, "trim knows nothing of it either");
}

#[test]
fn a_fifo_and_a_directory_with_the_name_of_a_segment_are_refused() {
    for fifo in [true, false] {
        let spool = Spool::new();
        spool.push("--no-end", "data");
        let place = spool.dir.join("0000000000000002.zst");
        if fifo {
            let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
            rustix::fs::mkfifoat(rustix::fs::CWD, &place, mode).unwrap();
        } else {
            fs::create_dir(&place).unwrap();
        }
        for command in ["push --min-free 0 DIR", "pop DIR"] {
            fails(spool.run(command, "x"), 1, "0000000000000002.zst: ");
        }
        assert!(place.exists());
    }
}

#[test]
fn files_that_have_nothing_to_do_with_it_are_left_alone() {
    let spool = Spool::new();
    spool.push("", "data");
    let notes = [spool.dir.join("notes.txt"), spool.dir.join("readers/.swp"), spool.dir.join("0000000000000001.gz")];
    for note in &notes {
        fs::write(note, "notes").unwrap();
    }
    assert_eq!(spool.pop(""), b"data");
    spool.push("", "more");
    assert_eq!(spool.pop(""), b"more");
    silent(spool.run("trim --quarantine DIR", ""));
    assert!(notes.iter().all(|note| fs::read(note).unwrap() == b"notes"));
}

#[test]
fn a_text_with_the_name_of_a_segment_is_stepped_over() {
    let spool = Spool::new();
    spool.push("--no-end", "before ");
    let text = "not what it is called ".repeat(500);
    fs::write(spool.dir.join("0000000000000002.zst"), &text).unwrap();
    spool.push("", "behind");
    let output = spool.run("pop DIR", "");
    assert_eq!(silent(output), b"before behind", "there is nothing of the stream in it, nor missing");
}
