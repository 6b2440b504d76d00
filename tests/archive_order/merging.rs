//! What merging alone must refuse.

use super::*;

#[test]
fn numbers_that_run_out_are_refused_by_merge() {
    let temp = tempfile::tempdir().unwrap();
    let last = segment(header(1, 1, u64::MAX - 1, 0), &[b"last"], EndState::End);
    assert_eq!(merge(file(temp.path(), &last)).unwrap().0, b"last");
    let other = segment(header(2, 1, 0, 0), &[b"more"], EndState::End);
    let error = merge(file(temp.path(), &[last, other].concat())).unwrap_err().to_string();
    assert!(error.contains("sequence number"), "{error}");
}

#[test]
fn an_input_that_changes_between_two_looks_is_refused() {
    let temp = tempfile::tempdir().unwrap();
    let small = SegmentHeader { chunk_bytes_max: 4, ..header(1, 1, 0, 100) };
    let small = segment(small, &[b"abcd"], EndState::End);
    let lz4 = SegmentHeader { family: Family::Lz4, ..header(1, 1, 0, 100) };
    for changed in [
        segment(header(1, 1, 0, 100), &[b"much more than was allowed for"], EndState::End),
        segment(header(1, 1, 0, 0), &[b"abcd"], EndState::End),
        segment(lz4, &[b"abcd"], EndState::End),
        [&small[..], &segment(header(2, 1, 0, 0), &[b"much more"], EndState::End)].concat(),
    ] {
        let merge = Merge::of(file(temp.path(), &small)).unwrap();
        std::fs::write(temp.path().join("file"), changed).unwrap();
        let error = merge.write(Vec::new()).map(drop).unwrap_err().to_string();
        assert!(error.ends_with("changed while it was read"), "{error}");
    }
}

#[test]
fn a_file_of_nothing_but_headers_is_refused_soon() {
    let temp = tempfile::tempdir().unwrap();
    let headers = (0..70_000_u32).flat_map(|n| {
        let mut header = header(1, 1, 0, 0);
        header.store.0[..4].copy_from_slice(&n.to_le_bytes());
        header.encode()
    });
    let headers: Vec<u8> = headers.collect();
    let error = merge(file(temp.path(), &headers)).unwrap_err().to_string();
    assert!(error.contains("more than 65536 streams"), "{error}");
}
