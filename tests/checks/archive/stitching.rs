//! Any bytes as archives to be merged, or split: what is made of them holds the same data, or they are refused.

use super::round_trip::DIRS;
use super::{Ended, copied_by, in_memory, verified};
use crate::checks::input::Input;
use crate::checks::refit;
use spillpipe::archive::{self, CopyOptions, Merge, Parts, Split, StitchError, Verdict};
use spillpipe::format::EndState;
use spillpipe::store::WholeDir;
use std::path::Path;

/// Bytes as one archive, refitted; in one file, or cut into two: where a segment begins, or anywhere.
pub(crate) fn archive_stitch(data: &[u8]) {
    let mut input = Input(data);
    let (ways, cut, part_bytes) = (input.byte(), input.u16(), u64::from(input.u16()));
    let mut bytes = input.0.to_vec();
    refit::archive(&mut bytes);
    let starts = refit::starts(&bytes);
    let cut = match ways % 4 {
        0 | 1 => 0,
        2 if !starts.is_empty() => starts[usize::from(cut) % starts.len()],
        _ => usize::from(cut) % (bytes.len() + 1),
    };
    let home = DIRS.iter().find(|dir| Path::new(dir).is_dir()).expect("a place for files");
    let dir = tempfile::tempdir_in(home).expect("a directory");
    let mut files = Vec::new();
    for (name, bytes) in [("a", &bytes[..cut]), ("b", &bytes[cut..])].into_iter().filter(|(_, bytes)| !bytes.is_empty())
    {
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).expect("it is written");
        files.extend(archive::Input::of(&path).expect("a file"));
    }
    let mut options = CopyOptions::default();
    options.threads = 0;
    let (had, ended) = copied_by(Parts::from(files.clone()), options.clone());
    if files.is_empty() || ended == Ended::Capped {
        return;
    }
    match Merge::of(files.clone()).and_then(|merge| merge.write(Vec::new())) {
        Ok((merged, told)) => {
            let (report, data) = verified(in_memory(&merged), false);
            let expected = if told.end == EndState::End { Verdict::Sound } else { Verdict::Incomplete };
            // Of the data itself nothing is looked at but the frames' checksums.
            let decodes = report.verdict() == expected;
            assert!(decodes || ended == Ended::Badly, "{report:?}");
            assert!(!decodes || is_same(&data, &had, ended), "{} and {} bytes", data.len(), had.len());
            assert_eq!(told.written.stored_bytes, merged.len() as u64);
        }
        Err(StitchError::Write(error)) => panic!("memory takes all: {error}"),
        Err(StitchError::Family { .. } | StitchError::Apart { .. }) => {}
        // Two files of one store that do not go on: read one after the other they are two streams.
        Err(StitchError::Order { .. }) if files.len() > 1 => {}
        Err(error) => assert!(ended != Ended::Well, "it can be read: {error}"),
    }
    if ways & 128 != 0 {
        let parts = dir.path().join("parts");
        let whole = WholeDir::create(&parts).expect("a directory");
        let split = Split::of(files, part_bytes).and_then(|split| split.write(&whole, &mut |_| Ok(())));
        if split.is_ok() {
            whole.finish().expect("it is there");
            let (data, parts_ended) = copied_by(Parts::from(archive::Input::of(&parts).expect("files")), options);
            assert!(is_same(&data, &had, ended), "{} and {} bytes", data.len(), had.len());
            assert!(ended == Ended::Badly || parts_ended == ended, "{parts_ended:?}");
        }
    }
}

/// Whether it is what was read before. A seek table that is another's ends reading, and is not needed to stitch.
fn is_same(data: &[u8], had: &[u8], ended: Ended) -> bool {
    if ended == Ended::Badly { data.starts_with(had) } else { data == had }
}
