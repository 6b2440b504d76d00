//! A life of a spool, step by step as the bytes say, held against the account of it.

use super::model::{NAMES, Pick, Step, run};
use crate::checks::input::Input;
use spillpipe::format::EndState;
use spillpipe::spool::WhenFull;
use spillpipe::store::{Fault, Unsynced};

/// More take too long.
const STEPS_MAX: usize = 80;

/// Steps by the bytes, and what is left at the end against the account.
pub(crate) fn spool_operations(data: &[u8]) {
    let mut input = Input(data);
    let mut steps = Vec::new();
    while !input.is_empty() && steps.len() < STEPS_MAX {
        steps.push(step(&mut input));
    }
    run(&steps);
}

fn step(input: &mut Input) -> Step {
    let kind = input.byte();
    let reader = usize::from(kind >> 7) % NAMES.len();
    let mut pick = || Pick(usize::from(input.byte()));
    match kind % 20 {
        0 => {
            let bits = input.byte();
            Step::Open {
                codec: ["zstd:1", "lz4", "none"][usize::from(bits & 3) % 3],
                every_chunk: bits & 4 != 0,
                when_full: if bits & 8 == 0 { WhenFull::Fail } else { WhenFull::DropOldest },
                max_disk_bytes: u64::from(48 + (bits >> 4) * 12) << 10,
            }
        }
        1 | 2 => Step::Write(u64::from(input.u16()) % 9_000 + 1),
        3 => Step::EndRecord,
        4 => Step::Publish,
        5 => Step::Sync,
        6 => Step::Finish(input.one_of(&[EndState::Continues, EndState::End, EndState::Aborted])),
        7 => Step::DropWriter,
        8 => Step::Read(reader, usize::from(input.byte()) % 12 + 1),
        9 => Step::Ack(reader),
        10 => Step::AckPart(reader, pick()),
        11 => Step::NextBatch(reader, u64::from(input.u16()) % 12_000 + 1),
        12 => Step::AckBatch(reader, pick()),
        13 => Step::LeaveBehind(reader, pick()),
        14 => Step::AckLeft(reader, pick()),
        15 => Step::Persist(reader),
        16 if kind & 64 == 0 => Step::Close(reader),
        16 => Step::DropReader(reader),
        17 => Step::Remove(reader),
        18 => match input.byte() {
            0 => Step::Seek(reader, None, false),
            1 => Step::Seek(reader, None, true),
            _ => Step::Seek(reader, Some(Pick(usize::from(input.u16()))), false),
        },
        _ => {
            let (how, kind) = (input.byte(), input.one_of(&[Unsynced::Lost, Unsynced::Kept, Unsynced::Torn]));
            let after = u64::from(how >> 2);
            match how & 3 {
                0 | 1 => Step::Crash(kind),
                2 => Step::CutIn(after, kind),
                _ => Step::Fail(after, input.one_of(&[Fault::Eio, Fault::Enospc, Fault::Eintr, Fault::ShortWrite])),
            }
        }
    }
}
