//! Bytes on disk that are not what was written.

use super::{Spool, fails, noise, silent};
use std::fs;
use std::path::Path;

/// Chunks of this size, stored as they are.
const CHUNK: usize = 4096;
const RAW: &str = "-z none -s 4K";

/// Flips a bit of the first place where `needle` is.
fn flip(file: &Path, needle: &[u8]) {
    let mut bytes = fs::read(file).unwrap();
    let at = bytes.windows(needle.len()).position(|window| window == needle).unwrap();
    bytes[at] ^= 1;
    fs::write(file, bytes).unwrap();
}

/// A bit of the first stored byte of each of these chunks.
fn flip_chunks(spool: &Spool, data: &[u8], chunks: impl IntoIterator<Item = usize>) {
    for chunk in chunks {
        flip(&spool.segments()[0], &data[chunk * CHUNK..chunk * CHUNK + 32]);
    }
}

#[test]
fn the_rest_is_handed_out_and_the_damage_is_told_kept_and_exit_status_3() {
    let spool = Spool::new();
    let data = noise(20 * CHUNK);
    spool.push(RAW, data.clone());
    flip_chunks(&spool, &data, [5]);
    let stats = spool.home.path().join("stats");
    let output = spool.run(&format!("pop --stats {} DIR", stats.display()), "");
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), said.lines().count()), (Some(3), 2), "{said}");
    assert!(said.starts_with("spillpipe: damage in segment 1 of "), "{said}");
    assert!(said.contains("4096 bytes of data lost in 1 chunk; kept as "), "{said}");
    assert!(said.contains("is damaged in 1 place: 4096 bytes of data lost, the rest was handed out"), "{said}");
    super::assert_same(&output.stdout, &[&data[..5 * CHUNK], &data[6 * CHUNK..]].concat());
    let figures: serde_json::Value = serde_json::from_slice(&fs::read(&stats).unwrap()).unwrap();
    assert_eq!((&figures["damages"], &figures["lost_bytes"]), (&1.into(), &4096.into()));
    assert!(spool.pop("").is_empty(), "it has been told");

    let kept = spool.info()["quarantine"].as_array().unwrap().len();
    assert_eq!(kept, 1);
    silent(spool.run("trim DIR", ""));
    assert_eq!(spool.info()["quarantine"].as_array().unwrap().len(), 1, "only when asked for");
    silent(spool.run("trim --quarantine DIR", ""));
    assert!(spool.info()["quarantine"].as_array().unwrap().is_empty());
}

#[test]
fn much_damage_is_told_in_few_lines() {
    let spool = Spool::new();
    let data = noise(40 * CHUNK);
    spool.push(RAW, data.clone());
    flip_chunks(&spool, &data, (0..40).step_by(2));
    let output = spool.run("pop DIR", "");
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), said.lines().count()), (Some(3), 11), "{said}");
    assert!(said.contains("is damaged in 20 places: 81920 bytes of data lost"), "{said}");
    assert_eq!(output.stdout.len(), data.len() / 2);
}

#[test]
fn quiet_says_only_what_it_came_to() {
    let spool = Spool::new();
    let data = noise(4 * CHUNK);
    spool.push(RAW, data.clone());
    flip_chunks(&spool, &data, [1]);
    fails(spool.run("pop -q DIR", ""), 3, "is damaged in 1 place");
}

#[test]
fn damage_counts_for_more_than_a_missing_end() {
    let spool = Spool::new();
    let data = noise(4 * CHUNK);
    spool.push(&format!("{RAW} --abort"), data.clone());
    flip_chunks(&spool, &data, [1]);
    fails(spool.run("pop -q DIR", ""), 3, "the stream is incomplete, too");
}
