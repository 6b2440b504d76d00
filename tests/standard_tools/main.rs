//! Which programs and libraries that know nothing of us read our archives: each tried on all kinds of them. What does not
//! work is held here, too: an archive is refused then, or found empty, never read wrongly.
//!
//! .ci/run says what to install. `SPILLPIPE_PYTHON` names a Python that has the libraries of requirements.txt.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod archives;
#[path = "../samples/mod.rs"]
mod samples;

use archives::{Archive, Archives, pack};
use spillpipe::format::Family;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Runs a tool, which must be installed, and be content.
fn run(program: &str, args: &[&str], path: &Path) -> Output {
    let out = output(program, args, path);
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{program} {args:?} {}: {said}", path.display());
    out
}

fn output(program: &str, args: &[&str], path: &Path) -> Output {
    let run = Command::new(program).args(args).arg(path).env("PYTHONDONTWRITEBYTECODE", "1").output();
    run.unwrap_or_else(|e| panic!("{program}: {e}; .ci/run says how to install it"))
}

/// Every archive of the family comes out of this command whole.
fn reads_all(family: Family, program: &str, args: &[&str]) {
    for Archive { path, data, .. } in Archives::new(family).list {
        assert!(run(program, args, &path).stdout == data, "{program} {args:?} {}", path.display());
    }
}

#[test]
#[ignore = "needs the zstd command"]
fn zstd_decompresses_and_tests_them() {
    reads_all(Family::Zstd, "zstd", &["-dcq"]);
    for Archive { path, .. } in Archives::new(Family::Zstd).list {
        run("zstd", &["-tq"], &path);
    }
}

#[test]
#[ignore = "needs the zstd command"]
fn zstd_lists_their_frames_and_sizes() {
    for Archive { path, data, .. } in Archives::new(Family::Zstd).list {
        let listed = String::from_utf8(run("zstd", &["-lv"], &path).stdout).unwrap();
        let size = listed.lines().find(|line| line.starts_with("Decompressed Size:"));
        assert!(size.is_some_and(|line| line.contains(&format!("({} B)", data.len()))), "{listed}");
    }
}

#[test]
#[ignore = "needs the pzstd command"]
fn pzstd_decompresses_them() {
    reads_all(Family::Zstd, "pzstd", &["-dcq"]);
}

#[test]
#[ignore = "needs the lz4 command"]
fn lz4_decompresses_and_tests_them() {
    reads_all(Family::Lz4, "lz4", &["-dcq"]);
    for Archive { path, .. } in Archives::new(Family::Lz4).list {
        run("lz4", &["-tq"], &path);
    }
}

#[test]
#[ignore = "needs bsdcat"]
fn bsdcat_decompresses_the_zstd_family() {
    reads_all(Family::Zstd, "bsdcat", &[]);
}

/// libarchive ends at the empty frame that an LZ4 archive begins with, and says nothing.
#[test]
#[ignore = "needs bsdcat"]
fn bsdcat_finds_the_lz4_family_empty() {
    for Archive { path, data, .. } in Archives::new(Family::Lz4).list {
        assert!(run("bsdcat", &[], &path).stdout.is_empty(), "{} of {} bytes", path.display(), data.len());
    }
}

#[test]
#[ignore = "needs 7z"]
fn seven_zip_decompresses_the_zstd_family() {
    reads_all(Family::Zstd, "7z", &["e", "-so"]);
}

#[test]
#[ignore = "needs tar, bsdtar, zstd and lz4"]
fn tar_unpacks_a_packed_tar() {
    let directory = tempfile::tempdir().unwrap();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let made = Command::new("tar").args(["-cf", "-", "-C"]).arg(&golden).arg(".").output().unwrap();
    for family in Family::ALL {
        let path = directory.path().join(format!("golden.tar.{}", family.extension()));
        pack(family, &made.stdout, &path);
        let readers: &[(&str, &[&str])] = match family {
            Family::Zstd => &[("tar", &["--zstd"]), ("tar", &["-a"]), ("bsdtar", &[])],
            Family::Lz4 => &[("tar", &["-Ilz4"])],
        };
        for (i, (program, options)) in readers.iter().enumerate() {
            let to = directory.path().join(format!("{}{i}", family.extension()));
            std::fs::create_dir(&to).unwrap();
            run(program, &[options, &["-C", to.to_str().unwrap(), "-xf"][..]].concat(), &path);
            let same = Command::new("diff").arg("-r").args([&golden, &to]).status().unwrap();
            assert!(same.success(), "{program} {options:?}");
        }
    }
}

fn python(reader: &str, archive: &Archive, seeks: bool) -> Vec<u8> {
    let program = std::env::var("SPILLPIPE_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/standard_tools/readers.py");
    let len = archive.data.len().to_string();
    let out = Command::new(program).args([script, reader]).arg(&archive.path).args(seeks.then_some(len)).output();
    let out = out.expect("python3");
    assert!(out.status.success(), "{reader} {}: {}", archive.path.display(), String::from_utf8_lossy(&out.stderr));
    out.stdout
}

fn python_reads(family: Family, readers: &[&str], seeks: bool) {
    for reader in readers {
        for archive in Archives::new(family).list {
            assert!(python(reader, &archive, seeks) == archive.data, "{reader} {}", archive.path.display());
        }
    }
}

#[test]
#[ignore = "needs python3 with zstandard"]
fn python_zstandard_reads_them_as_streams() {
    python_reads(Family::Zstd, &["zstandard across frames", "zstandard open", "zstandard copy_stream"], false);
}

#[test]
#[ignore = "needs python3 with pyzstd"]
fn python_pyzstd_reads_them() {
    python_reads(Family::Zstd, &["pyzstd decompress", "pyzstd open"], false);
}

/// The same that Python has of its own from 3.14 on.
#[test]
#[ignore = "needs python3 with backports.zstd"]
fn python_backports_zstd_reads_them() {
    python_reads(Family::Zstd, &["backports.zstd decompress", "backports.zstd open"], false);
}

#[test]
#[ignore = "needs python3 with lz4"]
fn python_lz4_reads_them_as_files() {
    python_reads(Family::Lz4, &["lz4 open"], false);
}

/// Functions that decompress one frame only see the empty one that comes first.
#[test]
#[ignore = "needs python3 with zstandard and lz4"]
fn python_functions_for_one_frame_find_no_data() {
    for (family, reader) in [(Family::Zstd, "zstandard one frame"), (Family::Lz4, "lz4 one frame")] {
        for archive in Archives::new(family).list {
            assert!(python(reader, &archive, false).is_empty(), "{reader} {}", archive.path.display());
        }
    }
}

#[test]
#[ignore = "needs python3 with pyzstd and indexed_zstd"]
fn python_readers_seek_by_the_seek_table() {
    for archive in Archives::new(Family::Zstd).seekable() {
        for reader in ["pyzstd seekable", "indexed_zstd"] {
            assert!(python(reader, archive, true) == archive.data, "{reader} {}", archive.path.display());
        }
    }
}

/// tests/readers, built when it is first needed.
fn crates() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("readers");
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/readers/Cargo.toml");
    let built = Command::new(env!("CARGO"))
        .args(["build", "--release", "--locked", "--quiet", "--manifest-path"])
        .arg(manifest)
        .arg("--target-dir")
        .arg(&target)
        .status();
    assert!(built.unwrap().success(), "tests/readers");
    target.join("release/readers")
}

#[test]
#[ignore = "fetches and builds crates"]
fn crates_for_the_seekable_format_seek_by_the_seek_table() {
    let program = crates();
    let archives = Archives::new(Family::Zstd);
    for Archive { path, data, .. } in archives.seekable() {
        let len = data.len();
        for name in ["zeekstd", "zstd-framed"] {
            let read = |range: &[usize]| {
                let range: Vec<String> = range.iter().map(usize::to_string).collect();
                let out = Command::new(&program).arg(name).arg(path).args(&range).output().unwrap();
                let said = String::from_utf8_lossy(&out.stderr);
                assert!(out.status.success(), "{name} {} {range:?}: {said}", path.display());
                out.stdout
            };
            assert!(&read(&[]) == data, "{name} {}", path.display());
            for (from, to) in [(0, len / 3), (len / 2, len / 2 + len.min(1)), (len / 3, len)] {
                assert!(read(&[from, to]) == data[from..to], "{name} {} {from}..{to}", path.display());
            }
        }
    }
}
