//! What comes in a batch, and what becomes of it.

use super::{Begin, Place, assert_fails, chunks, data_of, digest, finish, said, seqs, text};
use spillpipe::format::EndState;
use spillpipe::spool::{Records, Spool, Start};
use std::io::Write;
use std::process::Stdio;
use std::time::Duration;

#[test]
fn everything_is_handed_out_once_and_then_deleted() {
    let place = Place::new();
    let data = text(1, 300_000);
    place.push(1 << 14, &data);
    let batches = place.take("--batch-bytes 64K");
    assert!(batches.len() >= 5, "{}", batches.len());
    assert!(data_of(&batches) == data);
    assert_eq!(place.segments(), Vec::<std::path::PathBuf>::new());
    assert_eq!(place.take("").len(), 0);
}

#[test]
fn the_environment_tells_which_batch_it_is() {
    let place = Place::new();
    place.push(1 << 12, &text(2, 100_000));
    let (mut offset, mut seq) = (0, 0);
    for batch in place.take("--batch-bytes 16K") {
        assert_eq!((batch.offset, batch.seq, batch.attempt), (offset, seq, 1));
        assert_eq!(batch.bytes, batch.data.len() as u64);
        assert!(batch.bytes <= 16 << 10, "{}", batch.bytes);
        assert_eq!(batch.digest, digest(&batch.data));
        (offset, seq) = (offset + batch.bytes, seq + 4);
    }
    assert_eq!(offset, 100_000);
}

#[test]
fn a_batch_has_one_chunk_at_least() {
    let place = Place::new();
    place.push(1 << 12, &chunks(5));
    assert_eq!(seqs(&place.take("--batch-bytes 1")), [0, 1, 2, 3, 4]);
}

#[test]
fn a_batch_ends_where_a_record_ends() {
    let place = Place::new();
    let mut writer = place.writer(1 << 12, Records::Lines);
    let mut data = Vec::new();
    for (at, len) in [100, 5000, 30, 9000, 4095, 4096, 4097, 1, 0, 12_000, 77].iter().cycle().take(60).enumerate() {
        data.extend(text(at as u64, *len).iter().map(|byte| if *byte == b'\n' { b' ' } else { *byte }));
        data.push(b'\n');
    }
    writer.write_all(&data).unwrap();
    writer.finish(EndState::End).unwrap();
    let batches = place.take("--batch-bytes 16K");
    assert!(batches.len() > 5);
    for batch in &batches {
        assert_eq!(batch.data.last(), Some(&b'\n'), "batch {}", batch.seq);
        assert_eq!(batch.digest, digest(&batch.data));
    }
    assert!(data_of(&batches) == data);
}

#[test]
fn readers_of_other_names_have_all_of_it_too() {
    let place = Place::new();
    place.push(1 << 12, &chunks(3));
    for name in ["one", "two"] {
        Spool::open(place.spool()).unwrap().add_reader(name, Start::Oldest).unwrap();
    }
    assert!(data_of(&place.take("--reader one")) == chunks(3));
    assert_eq!(place.take("--reader new --from newest").len(), 0);
    assert!(data_of(&place.take("--reader two")) == chunks(3));
}

#[test]
fn one_process_at_a_time_reads_under_a_name() {
    let place = Place::new();
    place.push(1 << 12, &chunks(1));
    let first = place.each("", r#"touch "$OUT/runs"; until [ -e "$OUT/go" ]; do sleep 0.02; done"#).begin();
    place.await_file("runs");
    let second = place.run("", "exit 0");
    place.touch("go");
    assert_fails(&second, 1, &["reader 'default'", "in use", "--reader"]);
    assert_eq!(finish(first).status.code(), Some(0));
}

#[test]
fn where_there_is_no_spool_it_says_so() {
    assert_fails(&Place::new().run("", "exit 0"), 1, &["is no spool"]);
}

#[test]
fn a_stream_without_its_end_is_incomplete() {
    let place = Place::new();
    let mut writer = place.writer(1 << 12, Records::None);
    writer.write_all(&chunks(2)).unwrap();
    writer.finish(EndState::Aborted).unwrap();
    let output = place.run("", super::KEEP);
    assert_fails(&output, 4, &["incomplete"]);
    assert!(data_of(&place.taken()) == chunks(2));
}

#[test]
fn damage_costs_its_chunk_and_the_rest_is_handed_out() {
    let place = Place::new();
    let data = chunks(12);
    place.push(1 << 12, &data);
    let segment = place.segments().remove(0);
    let mut bytes = std::fs::read(&segment).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&segment, bytes).unwrap();
    let output = place.run("--batch-bytes 8K", super::KEEP);
    assert_fails(&output, 3, &["damaged", "4096 bytes"]);
    let got = data_of(&place.taken());
    let lost: Vec<_> = data.chunks(1 << 12).filter(|chunk| !got.windows(1 << 12).any(|it| it == *chunk)).collect();
    assert_eq!((lost.len(), got.len()), (1, data.len() - (1 << 12)));
    assert_eq!(place.run("", "exit 1").status.code(), Some(0), "it is told once");
}

#[test]
fn a_large_batch_takes_no_memory() {
    const MIB: usize = 1 << 20;
    let place = Place::new();
    let mut writer = place.writer(MIB / 4, Records::None);
    let data = text(9, MIB);
    for _ in 0..200 {
        writer.write_all(&data).unwrap();
    }
    writer.finish(EndState::End).unwrap();
    let stats = place.dir.path().join("stats.json");
    let options = format!("--batch-bytes 1G --stats {}", stats.display());
    let output = finish(place.each_of(&options, ["wc", "-c"]).stdout(Stdio::piped()).begin());
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(0), &b"209715200\n"[..]));
    let stats: serde_json::Value = serde_json::from_slice(&std::fs::read(stats).unwrap()).unwrap();
    let peak = stats["rss_peak_bytes"].as_u64().unwrap();
    assert!(peak < 16 << 20, "{} MiB", peak >> 20);
}

#[test]
fn what_it_did_is_told_to_who_asks() {
    let place = Place::new();
    place.push(1 << 12, &chunks(4));
    let stats = place.dir.path().join("stats.json");
    let options = format!("-v --batch-bytes 8K --stats {}", stats.display());
    let output = place.run(&options, "exit 0");
    let told = said(&output);
    assert!(told.starts_with("spillpipe: 2 batches (16 KiB) acknowledged in "), "{told}");
    let stats: serde_json::Value = serde_json::from_slice(&std::fs::read(stats).unwrap()).unwrap();
    for (figure, value) in [
        ("acknowledged_batches", 2),
        ("acknowledged_bytes", 16 << 10),
        ("left_behind_batches", 0),
        ("failed_attempts", 0),
        ("exit_status", 0),
    ] {
        assert_eq!(stats[figure], value, "{figure}");
    }
    assert_eq!(stats["error"], serde_json::Value::Null);
}

#[test]
fn what_there_is_goes_out_at_once_without_follow() {
    let place = Place::new();
    let mut writer = place.writer(1 << 12, Records::None);
    writer.write_all(&chunks(3)).unwrap();
    writer.sync().unwrap();
    let start = std::time::Instant::now();
    assert_eq!(place.take("--batch-age 1h").len(), 1);
    assert!(start.elapsed() < Duration::from_secs(20));
    writer.finish(EndState::End).unwrap();
}
