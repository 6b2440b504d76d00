//! Steps by chance.

use super::model::{NAMES, Pick, Step, run};
use proptest::prelude::*;
use spillpipe::format::EndState;
use spillpipe::spool::WhenFull;
use spillpipe::store::{Fault, Unsynced};

fn pick() -> impl Strategy<Value = Pick> {
    any::<usize>().prop_map(Pick)
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let reader = || 0..NAMES.len();
    let full = prop_oneof![3 => Just(WhenFull::Fail), 1 => Just(WhenFull::DropOldest)];
    let opening = (prop::sample::select(vec!["zstd:1", "lz4", "none"]), any::<bool>(), full, 48u64..256);
    let end = prop::sample::select(vec![EndState::Continues, EndState::End, EndState::Aborted]);
    let kind = prop::sample::select(vec![Unsynced::Lost, Unsynced::Kept, Unsynced::Torn]);
    let fault = prop::sample::select(vec![Fault::Eio, Fault::Enospc, Fault::Eintr, Fault::ShortWrite]);
    let step = prop_oneof![
        8 => opening.prop_map(|(codec, every_chunk, when_full, kib)| Step::Open {
            codec, every_chunk, when_full, max_disk_bytes: kib << 10,
        }),
        12 => (1u64..9_000).prop_map(Step::Write),
        2 => Just(Step::EndRecord),
        3 => Just(Step::Publish),
        4 => Just(Step::Sync),
        4 => end.prop_map(Step::Finish),
        2 => Just(Step::DropWriter),
        8 => (reader(), 1usize..12).prop_map(|(reader, n)| Step::Read(reader, n)),
        6 => reader().prop_map(Step::Ack),
        3 => (reader(), pick()).prop_map(|(reader, which)| Step::AckPart(reader, which)),
        6 => (reader(), 1u64..12_000).prop_map(|(reader, bytes)| Step::NextBatch(reader, bytes)),
        5 => (reader(), pick()).prop_map(|(reader, which)| Step::AckBatch(reader, which)),
        2 => (reader(), pick()).prop_map(|(reader, which)| Step::LeaveBehind(reader, which)),
        3 => (reader(), pick()).prop_map(|(reader, which)| Step::AckLeft(reader, which)),
        2 => reader().prop_map(Step::Persist),
        3 => reader().prop_map(Step::Close),
        2 => reader().prop_map(Step::DropReader),
        1 => reader().prop_map(Step::Remove),
        1 => (reader(), prop::option::of(pick()), any::<bool>()).prop_map(|(reader, to, new)| Step::Seek(reader, to, new)),
        3 => kind.clone().prop_map(Step::Crash),
        2 => (0u64..60, fault).prop_map(|(after, fault)| Step::Fail(after, fault)),
        2 => (0u64..60, kind).prop_map(|(after, kind)| Step::CutIn(after, kind)),
    ];
    prop::collection::vec(step, 1..70)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, max_shrink_iters: 2000, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_done_the_account_stays_true(steps in steps()) {
        run(&steps);
    }
}
