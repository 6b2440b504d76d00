//! Spools on a simulated disk.

#![allow(clippy::cast_possible_truncation, reason = "the streams are some hundred kilobytes long")]

#[path = "../../spool_sim/fates.rs"]
mod fates;
#[path = "../../spool_sim/ledger.rs"]
#[allow(dead_code, reason = "spool_sim uses more of it")]
mod ledger;
#[path = "../../spool_sim/model.rs"]
mod model;
mod operations;
mod oracle;
pub(crate) mod recovery;
#[path = "../../spool_sim/setting.rs"]
mod setting;
mod torn;

use ledger::Ledger;
pub(crate) use operations::spool_operations;
pub(crate) use recovery::spool_recovery;
pub(crate) use setting::{at_once, bytes_at, open, plain};
use spillpipe::spool::{Damage, Ended, Gap, Next, Reader};
pub(crate) use torn::spool_torn_tail;

/// What a reader had in one go.
#[derive(Debug, Default, PartialEq, Eq)]
struct Had {
    /// Each piece: where in the stream, and its bytes.
    pieces: Vec<(u64, Vec<u8>)>,
    gaps: Vec<Gap>,
    damages: Vec<Damage>,
    ends: Vec<Ended>,
}

impl Had {
    fn bytes(&self) -> Vec<u8> {
        self.pieces.iter().flat_map(|(_, bytes)| bytes).copied().collect()
    }
}

/// Reads all there is. It comes to an end after at most so many events, or at an error.
fn drain(reader: &mut Reader, events_max: usize) -> Result<Had, spillpipe::spool::Error> {
    let mut had = Had::default();
    for _ in 0..=events_max {
        match reader.next()? {
            Next::Data(data) => {
                assert_eq!(data.to.offset.0 - data.from.offset.0, data.bytes.len() as u64);
                had.pieces.push((data.from.offset.0, data.bytes.to_vec()));
            }
            Next::Gap(gap) => had.gaps.push(gap),
            Next::Damage(damage) => had.damages.push(damage),
            Next::End(ended) => had.ends.push(ended),
            Next::Empty { .. } => return Ok(had),
        }
    }
    panic!("it comes to no end: {had:?}");
}
