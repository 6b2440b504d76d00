//! Whatever the bytes, all ways to read them have the same data, and only what is sound is called so.

use super::{DATA_BYTES_MAX, Ended, Read, as_stream, copied, in_memory, read_on, verified};
use crate::checks::memory::peak;
use crate::checks::refit;
use spillpipe::archive::{Error, Reader, Verdict};
use spillpipe::format::CHUNK_BYTES_MAX;

/// Two of the largest chunks and a little, beside what the check itself collects of the data, and a copy of the input.
const MEMORY_BYTES_MAX: usize = 2 * CHUNK_BYTES_MAX as usize + (1 << 20) + 3 * DATA_BYTES_MAX;

/// Does it within the bound.
fn within_memory<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let (result, bytes) = peak(work);
    assert!(bytes <= MEMORY_BYTES_MAX, "{what} took {bytes} bytes");
    result
}

/// Any bytes as an archive, as they come and with all checksums put right.
pub(crate) fn archive_read(data: &[u8]) {
    agree(data);
    let mut bytes = data.to_vec();
    refit::archive(&mut bytes);
    if bytes != data {
        agree(&bytes);
    }
}

fn agree(bytes: &[u8]) {
    let read = |source| match Reader::new(source) {
        Ok(mut reader) => read_on(&mut reader),
        Err(_) => Read { pieces: Vec::new(), ended: Ended::Badly },
    };
    let mapped = within_memory("reading a file", || read(in_memory(bytes)));
    let streamed = within_memory("reading a stream", || read(as_stream(bytes)));
    assert_eq!(mapped, streamed, "a file and a stream of the same bytes");
    let end = mapped.pieces.iter().fold(0, |end, (at, bytes)| {
        assert!(*at >= end || end == 0, "positions go up");
        at + bytes.len() as u64
    });
    assert!(end >= mapped.pieces.first().map_or(0, |(at, _)| *at));
    for source in [in_memory(bytes), as_stream(bytes)] {
        let (data, ended) = within_memory("cat", || copied(source));
        let same = if ended == Ended::Capped { data.starts_with(&mapped.bytes()) } else { data == mapped.bytes() };
        assert!(same && (ended == Ended::Well) == (mapped.ended == Ended::Well), "cat: {ended:?}, {:?}", mapped.ended);
    }
    for source in [in_memory(bytes), as_stream(bytes)] {
        let (report, data) = within_memory("verify", || verified(source, false));
        let context = || format!("{report:?}, {:?}", mapped.ended);
        match (report.verdict(), mapped.ended) {
            (Verdict::Sound, Ended::Capped) => assert!(data.starts_with(&mapped.bytes())),
            (Verdict::Sound, ended) => {
                assert!(ended == Ended::Well && data == mapped.bytes(), "what is sound can be read: {}", context());
                assert_eq!(report.summary.all.raw_bytes, data.len() as u64);
            }
            (Verdict::Incomplete, Ended::Capped) => {}
            (Verdict::Incomplete, ended) => {
                assert!(ended == Ended::Badly && data == mapped.bytes(), "all but the end: {}", context());
            }
            (Verdict::Damaged, ended) => {
                // A seek table is not needed to read.
                assert!(ended != Ended::Well || !report.problems.is_empty(), "{}", context());
            }
            (Verdict::Unreadable, ended) => {
                let newer = matches!(report.error, Some(Error::Newer { .. }));
                assert!(newer && ended == Ended::Badly, "memory can be read: {}", context());
            }
        }
    }
    let (quick, _) = within_memory("a quick look", || verified(in_memory(bytes), true));
    if mapped.ended == Ended::Well {
        assert!(quick.end.is_some() || !quick.problems.is_empty(), "{quick:?}");
    }
}
