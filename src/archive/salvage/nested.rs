//! What is a stream, and what is data of one: an archive that was packed into another one shows, in the middle of the
//! other's, where that is damaged.
//!
//! ```text
//! | S: record 4 | fr##e: ...| T: header | record | frame | ... | seal | table | ...# | ####rd | frame | S: record 6 |
//! ```
//! A stream is data of another one when there is proof of that: the other one lost chunks right there and goes on behind
//! it, or the frame of its last chunk, which is broken, reaches over it. In doubt it is a stream.
//!
//! Of a chunk that could be compressed nothing shows. In one that could not, the data stands as it is, up to the end of a
//! block: 128 KiB of zstd's, all of an LZ4 chunk. So what stands in one piece for longer than that was not packed.

use super::catalogue::{Catalogue, Entry, Part, Stream};
use super::report::Why;
use crate::format::needle;
use std::cell::LazyCell;
use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

/// Files begin at such places of a file system, and packed ones hardly ever do.
const BLOCK_BYTES: u64 = 4096;
/// In a record: half of the store's id, and the segment's salt behind it.
const STORE_AT: usize = 0x0C;
const SALT_AT: usize = 0x14;

/// Structures of one stream, in a file, with none of another between them.
#[derive(Clone, Debug)]
pub(super) struct Visit {
    pub(super) file: usize,
    pub(super) stream: u32,
    pub(super) at: u64,
    /// Where the last one ends.
    pub(super) end: u64,
    /// Whether the first stands where a structure must stand: at the start of the file, or behind another.
    pub(super) in_place: bool,
    /// Whether it begins with a header.
    pub(super) headed: bool,
    /// Whether it ends with a seal, and its table.
    pub(super) sealed: bool,
    /// Number of the first, and the one that must come behind the last.
    pub(super) first_seq: u64,
    pub(super) next_seq: u64,
    /// Where the piece begins that we are in: structures one right behind the other.
    pub(super) run_at: u64,
    /// The longest such piece, and where it begins.
    pub(super) longest_run: (u64, u64),
    /// The last chunk, if that is broken: its number, and where its frame should end.
    pub(super) broken: Option<(u64, u64)>,
    pub(super) chunks: u64,
}

impl Visit {
    pub(super) fn new(file: usize, stream: u32, at: u64, in_place: bool, first_seq: u64) -> Self {
        Self {
            file,
            stream,
            at,
            end: at,
            in_place,
            headed: false,
            sealed: false,
            first_seq,
            next_seq: first_seq,
            run_at: at,
            longest_run: (0, at),
            broken: None,
            chunks: 0,
        }
    }
}

/// Why a stream is left out, by stream; `None`: it is not.
pub(super) fn judge(catalogue: &Catalogue) -> Vec<Option<Why>> {
    let streams = &catalogue.streams;
    let mut own = vec![false; streams.len()];
    for (visit, nested) in catalogue.visits.iter().zip(nested(catalogue)) {
        own[visit.stream as usize] |= !nested;
    }
    let damaged = look_alikes(catalogue);
    let why = |(own, damaged)| match (own, damaged) {
        (_, true) => Some(Why::DamagedRecord),
        (false, false) => Some(Why::Nested),
        (true, false) => None,
    };
    own.into_iter().zip(damaged).map(why).collect()
}

/// Which visits are data of another stream.
fn nested(catalogue: &Catalogue) -> Vec<bool> {
    let visits = &catalogue.visits;
    let mut last = HashMap::new();
    for (place, visit) in visits.iter().enumerate() {
        last.insert((visit.file, visit.stream), place);
    }
    // Of one archive alone it is never asked.
    let there: LazyCell<HashSet<_>, _> = LazyCell::new(|| {
        let place = |entry: &Entry| {
            let part = &catalogue.parts[entry.part as usize];
            (part.file as usize, part.stream, entry.seq)
        };
        catalogue.entries.iter().map(place).collect()
    });
    // The visits of streams that go on later, the innermost last: each stream once.
    let mut open: Vec<usize> = Vec::new();
    let mut nested = Vec::with_capacity(visits.len());
    for (place, visit) in visits.iter().enumerate() {
        open.retain(|&before| {
            let before = &visits[before];
            before.file == visit.file && before.stream != visit.stream && last[&(before.file, before.stream)] > place
        });
        let packed = |host: &Stream| {
            let (run, _) = visit.longest_run;
            let on_its_own = visit.headed && visit.at % BLOCK_BYTES == 0;
            !visit.in_place && !on_its_own && run <= host.longest_plain
        };
        let stream_at = |place: usize| &catalogue.streams[visits[place].stream as usize];
        // The chunk that must come next is not somewhere else in this file, as in an image of a disk it may be.
        let misses = |place: usize| {
            let before = &visits[place];
            !there.contains(&(before.file, before.stream, before.next_seq))
        };
        let within = open.iter().rev().any(|&before| {
            // Where that stream goes on.
            let next = visits[place..].iter().take(AHEAD_MAX).find(|next| next.stream == visits[before].stream);
            packed(stream_at(before)) && misses(before) && encloses(&visits[before], visit, next)
        });
        let previous = place.checked_sub(1).filter(|&previous| visits[previous].file == visit.file);
        // The end of the other one is lost, with the end of this chunk.
        let at_its_tail = previous.is_some_and(|previous| {
            let over = last[&(visit.file, visits[previous].stream)] == previous;
            let inside = visits[previous].broken.is_some_and(|(_, frame_end)| visit.end <= frame_end);
            over && inside && packed(stream_at(previous)) && misses(previous)
        });
        nested.push(within || at_its_tail);
        open.push(place);
        if open.len() > OPEN_MAX {
            open.remove(0);
        }
    }
    nested
}

/// Streams that lie in one another, and how far one is looked for: bounds of the time that made-up ones take.
const OPEN_MAX: usize = 8;
const AHEAD_MAX: usize = 64;

/// Whether a stream that was at `before`, and goes on at `next`, lost chunks at `visit`, in which that may be.
fn encloses(before: &Visit, visit: &Visit, next: Option<&Visit>) -> bool {
    // Behind a seal comes no chunk, and in front of the chunk that must come next none is missing.
    if before.sealed || next.is_some_and(|next| next.first_seq <= before.next_seq) {
        return false;
    }
    let (run, run_at) = visit.longest_run;
    match before.broken {
        // The chunk behind it is where it is, so this is what is between the two.
        Some((seq, _)) if next.is_some_and(|next| next.first_seq == seq + 1) => true,
        // In one piece over the place where the stream should have gone on: that was written over.
        Some((_, end)) => !(run_at < end && end < run_at + run),
        None => true,
    }
}

/// Streams that are none: their one record, or few, look like those of a stream that more tells of, and are damaged. Where
/// nothing tells, one that is said to be far out in the stream is less likely to be right.
fn look_alikes(catalogue: &Catalogue) -> Vec<bool> {
    let rank = |stream: u32| {
        let stream = &catalogue.streams[stream as usize];
        (stream.id.is_some(), stream.witnesses, Reverse(stream.furthest.1))
    };
    // Half of the store's id, or the salt: damage that hits both leaves nothing that looks like a record.
    let looks = |part: &Part| {
        let needle = needle(&part.key);
        [(false, needle[STORE_AT..SALT_AT].to_vec()), (true, needle[SALT_AT..].to_vec())]
    };
    let mut best = HashMap::new();
    for part in &catalogue.parts {
        for looks in looks(part) {
            let rank = rank(part.stream);
            let best = best.entry(looks).or_insert(rank);
            *best = rank.max(*best);
        }
    }
    let mut damaged = vec![false; catalogue.streams.len()];
    for part in &catalogue.parts {
        let rank = rank(part.stream);
        damaged[part.stream as usize] |= !rank.0 && looks(part).iter().any(|looks| best[looks] > rank);
    }
    damaged
}
