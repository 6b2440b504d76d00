//! What is durable when: the order of writes, syncs and removals, as the kernel is asked for them.

use super::Spool;
use super::common::noise;
use super::trace::{Call, traced};
use std::path::{Path, PathBuf};

/// Creations of segments in a trace: the call, and the segment's path.
fn created(calls: &[Call], dir: &Path) -> Vec<(Call, PathBuf)> {
    let created = calls.iter().filter(|call| call.name == "openat" && call.text.contains("O_EXCL"));
    let segments = created.filter_map(|call| {
        let name = call.text.split('"').nth(1)?;
        let is_segment = Path::new(name).extension().is_some_and(|e| e == "zst" || e == "lz4");
        is_segment.then(|| (call.clone(), dir.join(name)))
    });
    segments.collect()
}

fn writes_to<'c>(calls: &'c [Call], file: &'c Path) -> impl DoubleEndedIterator<Item = &'c Call> {
    calls.iter().filter(move |call| call.is_write() && call.is_on(file))
}

/// A sync of the file that begins after a place in the trace; the first one.
fn synced_after<'c>(calls: &'c [Call], file: &Path, place: usize) -> Option<&'c Call> {
    calls.iter().find(|call| call.is_sync() && call.is_on(file) && call.begun > place)
}

/// A spool's path as the kernel has it.
fn spool() -> Spool {
    let mut spool = Spool::new();
    spool.dir = spool.dir.parent().unwrap().canonicalize().unwrap().join("s");
    spool
}

/// Every segment's last byte and its name are durable at the end, the bytes first.
#[track_caller]
fn assert_all_is_durable(calls: &[Call], dir: &Path) {
    let segments = created(calls, dir);
    assert!(segments.len() > 4, "there are several segments: {}", segments.len());
    for (create, file) in &segments {
        let last = writes_to(calls, file).next_back().expect("a write");
        assert!(synced_after(calls, file, last.ended).is_some(), "{} is not synced at the end", file.display());
        let first = synced_after(calls, file, create.ended).unwrap();
        let name = synced_after(calls, dir, first.ended);
        assert!(name.is_some(), "the name of {} is not synced, or before its bytes", file.display());
    }
}

#[test]
#[ignore = "needs strace"]
fn a_push_that_succeeds_has_synced_every_segment_and_then_the_directory() {
    for options in ["", "--sync interval:5ms", "--sync chunk", "--sync none"] {
        let spool = spool();
        let push = format!("push --min-free 0 --max-disk 8M -z none {options} DIR");
        let Some(calls) = traced(&spool.command(&push), &noise(1, 4 << 20)) else { return };
        assert_all_is_durable(&calls, &spool.dir);
    }
}

#[test]
#[ignore = "needs strace"]
fn sync_chunk_makes_each_chunk_durable_before_the_next_is_written() {
    let spool = spool();
    let push = "push --min-free 0 --max-disk 8M -z none --sync chunk DIR";
    let Some(calls) = traced(&spool.command(push), &noise(1, 4 << 20)) else { return };
    let segments = created(&calls, &spool.dir);
    // A header and a seal are short.
    let chunk = |call: &&Call| call.is_write() && call.result() > 10_000;
    let mut written: Vec<(&Call, &Path)> = Vec::new();
    for (_, file) in &segments {
        written.extend(calls.iter().filter(chunk).filter(|call| call.is_on(file)).map(|call| (call, file.as_path())));
    }
    assert!(written.len() >= 16, "{} chunks", written.len());
    for pair in written.windows(2) {
        let ((before, file), (after, _)) = (pair[0], pair[1]);
        let synced = synced_after(&calls, file, before.ended).unwrap();
        assert!(synced.ended < after.begun, "{before:?} is not durable before {after:?}");
        let (create, _) = segments.iter().find(|(_, segment)| segment == file).unwrap();
        let name = synced_after(&calls, &spool.dir, create.ended).unwrap();
        assert!(name.ended < after.begun, "the name of {} is not durable before {after:?}", file.display());
    }
}

#[test]
#[ignore = "needs strace"]
fn sync_none_syncs_at_the_end_only() {
    let spool = spool();
    let push = "push --min-free 0 --max-disk 8M -z none --sync none DIR";
    let Some(calls) = traced(&spool.command(push), &noise(1, 4 << 20)) else { return };
    let segments = created(&calls, &spool.dir);
    let last = segments.iter().filter_map(|(_, file)| writes_to(&calls, file).next_back()).map(|call| call.ended).max();
    for (_, file) in &segments {
        let first = calls.iter().find(|call| call.is_sync() && call.is_on(file)).unwrap();
        assert!(Some(first.begun) > last, "{first:?}");
    }
}

#[test]
#[ignore = "needs strace"]
fn a_segment_goes_when_the_cursor_past_it_is_durable() {
    for options in ["", "--ack-interval 0ms", "--ack-interval 5ms"] {
        let spool = spool();
        spool.push("--max-disk 8M -z none", noise(1, 4 << 20));
        let segments = spool.segments();
        let pop = format!("pop {options} DIR");
        let Some(calls) = traced(&spool.command(&pop), b"") else { return };
        let cursor = spool.dir.canonicalize().unwrap().join("readers/default");
        let reads = ["read", "pread64", "preadv"];
        for segment in &segments {
            let name = segment.file_name().unwrap().to_str().unwrap();
            let removed = calls.iter().find(|call| call.name == "unlinkat" && call.names(name)).expect("a removal");
            let data = calls.iter().filter(|call| reads.contains(&call.name.as_str()) && call.is_on(segment));
            let read = data.map(|call| call.ended).max().expect("it was read");
            let output = calls.iter().filter(|call| call.name == "write" && call.text.starts_with('1'));
            let written = output.filter(|call| call.begun < removed.begun).map(|call| call.ended).max().unwrap();
            let mut moved = writes_to(&calls, &cursor).filter(|call| call.ended < removed.begun);
            let moved = moved.next_back().expect("the cursor was written");
            assert!(read < moved.begun && written < moved.begun, "{options}: {name} was in use still");
            let durable = synced_after(&calls, &cursor, moved.ended).expect("a sync of the cursor");
            assert!(durable.ended < removed.begun, "{options}: {name} went before its cursor was durable");
        }
    }
}

#[test]
#[ignore = "needs strace"]
fn a_spool_and_a_cursor_come_to_be_whole_and_durable() {
    let spool = spool();
    let Some(calls) = traced(&spool.command("reader add DIR me"), b"") else { return };
    for (folder, name) in [(spool.dir.clone(), "spool"), (spool.dir.join("readers"), "me")] {
        let named = calls.iter().find(|call| call.name == "renameat2" && call.names(name)).expect("a rename");
        assert!(named.text.contains("RENAME_NOREPLACE"), "{named:?}");
        let old = folder.join(named.text.split('"').nth(1).unwrap());
        let written = writes_to(&calls, &old).next_back().expect("a write");
        let synced = synced_after(&calls, &old, written.ended).expect("a sync of the file");
        assert!(synced.ended < named.begun, "{name} has its name before its bytes are durable");
        assert!(synced_after(&calls, &folder, named.ended).is_some(), "the name of {name} is not durable");
    }
    let made = calls.iter().find(|call| call.name == "mkdirat" && call.text.contains("/s\"")).unwrap();
    assert!(synced_after(&calls, spool.dir.parent().unwrap(), made.ended).is_some(), "nor is that of the directory");
}
