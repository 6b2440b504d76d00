//! The policy behind `-z auto`, in a simulated pipe: its promises as tests.
//!
//! Time is a number here: minutes of stream take milliseconds, and the same seed gives the same run.

mod sim;

use proptest::prelude::*;
use sim::*;
use spillpipe::codec::{Choice, Codec, Plan, TABLE, ZstdLevel};
use spillpipe::format::Family;

const KINDS: [(&str, Kind); 6] =
    [("text", TEXT), ("source", SOURCE), ("sql", SQL), ("programs", PROGRAMS), ("base64", BASE64), ("random", RANDOM)];
const PACES_MB_S: [u32; 9] = [20, 150, 300, 450, 600, 900, 1500, 2000, 3000];
const DENSE: Codec = Codec::Zstd(ZstdLevel::DEFAULT);

fn fixed() -> [Choice; 4] {
    ["none", "lz4", "zstd:1", "zstd:3"].map(|name| name.parse().expect("a codec"))
}

fn all(kind: Kind) -> Box<dyn Fn(usize) -> Kind> {
    Box::new(move |_| kind)
}

fn only(chunks: &[Chunk], codec: Codec) -> bool {
    !chunks.is_empty() && chunks.iter().all(|chunk| chunk.plan.codec == codec)
}

/// Bursts of 64 MiB at full speed, half a second apart.
fn bursty(mb_s: u32) -> Box<dyn Fn(usize) -> u64> {
    let ns = ns_at(f64::from(mb_s));
    Box::new(move |chunk| if chunk % 256 == 0 { SECOND / 2 } else { ns })
}

/// Seven chunks of ten random, in no order.
fn mixed(kind: Kind) -> Box<dyn Fn(usize) -> Kind> {
    Box::new(move |chunk| if next_random(&mut (chunk as u64)) % 10 < 7 { RANDOM } else { kind })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_producer_hardly_waits_longer_than_with_everything_raw(
        seed: u64, workers in 1..=4_usize, pace in 20..3000_u32, kind in 0..KINDS.len(), burst: bool, mix: bool,
    ) {
        let sim = |choice| {
            let kind = KINDS[kind].1;
            let pace_ns = if burst { bursty(pace) } else { steady(pace) };
            let data = if mix { mixed(kind) } else { all(kind) };
            Sim { choice, workers, pace_ns, data, seed, duration_ns: SECOND, ..Sim::default() }.run()
        };
        let (auto, raw) = (sim(Choice::Auto), sim(Choice::Fixed(Codec::Raw)));
        // One worker that needs 0.9 ms for a chunk loses half a millisecond at every 256th of 87 us.
        let tolerance = if pace <= 2000 { 0.01 } else { 0.025 };
        prop_assert!(auto.waited() <= raw.waited() + tolerance, "{} > {}", auto.waited(), raw.waited());
    }

    #[test]
    fn families_change_seldom_and_never_within_64_chunks(
        seed: u64, workers in 1..=4_usize, pace in 20..4000_u32, kind in 0..KINDS.len(), disk in 100..4000_u32, burst: bool,
    ) {
        let pace_ns = if burst { bursty(pace) } else { steady(pace) };
        let data = mixed(KINDS[kind].1);
        let sim = Sim { workers, pace_ns, data, seed, disk_mb_s: f64::from(disk), duration_ns: SECOND, ..Sim::default() };
        let chunks = sim.run().chunks;
        let changes: Vec<_> = (1..chunks.len()).filter(|&i| chunks[i].plan.family != chunks[i - 1].plan.family).collect();
        prop_assert!(changes.windows(2).all(|pair| pair[1] - pair[0] >= 64), "{changes:?}");
        prop_assert!(changes.len() <= 6 + chunks.len() / 512, "{} in {}", changes.len(), chunks.len());
    }
}

/// What random cases may miss: two workers, 3 GB/s and SQL waited 9 % when the spacing narrowed at every success.
#[test]
fn the_fastest_producers_wait_no_longer_than_with_everything_raw() {
    for (workers, (name, kind)) in (2..=4).flat_map(|workers| KINDS.map(|kind| (workers, kind))) {
        let run = Sim { workers, pace_ns: steady(3000), data: all(kind), duration_ns: SECOND, ..Sim::default() }.run();
        assert!(run.waited() < 0.005, "{name}, {workers} workers: {}", run.waited());
    }
}

/// The disk is the limit now and then: going raw then is no reason for LZ4, which being heavier again would leave.
#[test]
fn a_disk_nearly_fast_enough_does_not_make_families_flap() {
    let changes = |pair: &[Chunk]| pair[0].plan.family != pair[1].plan.family;
    for (name, kind) in KINDS {
        let chunks = Sim { pace_ns: steady(4000), data: all(kind), ..Sim::default() }.run().chunks;
        let count = chunks.windows(2).filter(|pair| changes(pair)).count();
        assert!(count <= 8, "{name}: {count} in {}", chunks.len());
    }
}

#[test]
fn stores_about_as_little_as_the_best_codec_that_keeps_up() {
    for (name, kind) in KINDS {
        for (workers, pace) in (1..=4).flat_map(|workers| PACES_MB_S.map(|pace| (workers, pace))) {
            let sim = |choice, duration_ns| {
                Sim { choice, workers, pace_ns: steady(pace), data: all(kind), duration_ns, ..Sim::default() }.run()
            };
            let keeps_up = fixed().map(|choice| sim(choice, 200 * MS)).into_iter().filter(|run| run.waited() < 0.01);
            let best = keeps_up.map(|run| run.stored()).fold(1.0, f64::min);
            let auto = stored(sim(Choice::Auto, 1500 * MS).since(SECOND));
            assert!(auto <= best * 1.15, "{name}, {workers} workers, {pace} MB/s: {auto:.3}, best {best:.3}");
        }
    }
}

#[test]
fn a_slow_producer_gets_the_heaviest_codec_from_the_first_chunk() {
    let report = Sim::default().run();
    assert!(only(&report.chunks, DENSE));
    assert_eq!(report.waited_ns, 0);
}

/// A single worker sees an empty queue however fast the producer is, and so needs longest: over 500 seeds 1.14 s.
#[test]
fn the_heaviest_codec_is_back_about_a_second_after_the_load_went() {
    for (workers, seed) in (1..=4).flat_map(|workers| (1..=8).map(move |seed| (workers, seed))) {
        let (fast_chunks, fast_ns, slow_ns) = (8000, ns_at(2000.0), ns_at(150.0));
        let pace_ns = Box::new(move |chunk| if chunk < fast_chunks { fast_ns } else { slow_ns });
        let report = Sim { workers, seed, pace_ns, duration_ns: 3 * SECOND, ..Sim::default() }.run();
        let within_ns = if workers == 1 { 1200 * MS } else { SECOND };
        let later = report.since(report.chunks[fast_chunks].taken_ns + within_ns);
        assert!(only(later, DENSE), "{workers} workers, seed {seed}");
    }
}

#[test]
fn a_steady_load_between_two_levels_does_not_flap() {
    for (name, kind) in KINDS {
        for (workers, pace) in (1..=4).flat_map(|workers| PACES_MB_S.map(|pace| (workers, pace))) {
            let chunks = Sim { workers, pace_ns: steady(pace), data: all(kind), duration_ns: SECOND, ..Sim::default() }
                .run()
                .chunks;
            let (changes, most) = (codec_changes(&chunks), 8 + chunks.len() / 128);
            assert!(changes <= most, "{name}, {workers} workers, {pace} MB/s: {changes} in {}", chunks.len());
        }
    }
}

#[test]
fn incompressible_data_is_tried_ever_more_seldom() {
    for pace in PACES_MB_S {
        let chunks =
            Sim { pace_ns: steady(pace), data: all(RANDOM), duration_ns: 2 * SECOND, ..Sim::default() }.run().chunks;
        let tried = chunks.iter().filter(|chunk| chunk.plan.codec != Codec::Raw).count();
        assert!(tried <= 64 + chunks.len() / 64, "{pace} MB/s: {tried} of {}", chunks.len());
    }
}

#[test]
fn compressible_data_after_incompressible_is_noticed_within_64_chunks() {
    for (workers, turn) in (1..=4).flat_map(|workers| [5, 50, 170, 330, 500].map(|turn| (workers, turn))) {
        let data = Box::new(move |chunk| if chunk < turn { RANDOM } else { TEXT });
        let chunks = Sim { workers, data, duration_ns: 4 * SECOND, ..Sim::default() }.run().chunks;
        let noticed = 64 + workers;
        assert!(only(&chunks[turn + noticed..], DENSE), "{workers} workers, turn at {turn}");
    }
}

#[test]
fn data_that_is_compressible_here_and_there_still_gets_smaller() {
    let chunks = Sim { data: mixed(TEXT), ..Sim::default() }.run().chunks;
    let ideal = 0.7 + 0.3 / 4.3;
    assert!(stored(&chunks) < ideal + 0.02, "{}", stored(&chunks));
}

/// LZ4 gives up on base64 at once, and so feels no pressure to leave.
#[test]
fn lz4_does_not_keep_data_that_only_zstd_can_compress() {
    for workers in 1..=4 {
        let (fast_ns, slow_ns) = (ns_at(2000.0), ns_at(300.0));
        let pace_ns = Box::new(move |chunk| if chunk < 6000 { fast_ns } else { slow_ns });
        let data = Box::new(|chunk| if chunk < 6000 { PROGRAMS } else { BASE64 });
        let chunks = Sim { workers, pace_ns, data, duration_ns: 2 * SECOND, ..Sim::default() }.run().chunks;
        assert!(stored(&chunks[7000..]) < 0.76, "{workers} workers: {}", stored(&chunks[7000..]));
    }
}

#[test]
fn a_slow_disk_takes_in_what_the_best_codec_would() {
    for (disk, workers) in [100.0, 200.0, 400.0, 1000.0].into_iter().flat_map(|disk| (1..=4).map(move |w| (disk, w))) {
        // Chunks in a second, once the memory in front of the disk has filled.
        let taken = |choice| {
            let pipe = Sim { choice, workers, pace_ns: steady(3000), disk_mb_s: disk, ..Sim::default() };
            Sim { duration_ns: 3 * SECOND, ..pipe }.run().since(2 * SECOND).len()
        };
        let (auto, best) = (taken(Choice::Auto), fixed().map(taken).into_iter().max().expect("four"));
        assert!(auto * 100 >= best * 94, "{workers} workers, disk {disk} MB/s: {auto} chunks, best {best}");
    }
}

#[test]
fn the_nearer_the_disk_limit_the_heavier() {
    const LIMIT: u64 = 1 << 30;
    let pipe = Sim { pace_ns: steady(1500), disk_limit: LIMIT, duration_ns: 6 * SECOND, ..Sim::default() };
    let (report, mut bytes) = (pipe.run(), 0);
    // By percent of the limit that is stored; up to 3 % of that may still be in memory.
    let mut stored_at = |until: u64| {
        let from = bytes;
        let these = report.chunks.iter().scan(0, |sum, chunk| {
            *sum += u64::from(chunk.frame_len);
            Some((*sum, *chunk))
        });
        bytes = LIMIT / 100 * until;
        these.filter(|(sum, _)| (from..bytes).contains(sum)).map(|(_, chunk)| chunk).collect::<Vec<_>>()
    };
    let (plenty, _, tight, _, scarce) = (stored_at(75), stored_at(79), stored_at(87), stored_at(92), stored_at(99));
    assert!(share(&plenty, Codec::Raw) > 0.1);
    assert!(stored(&tight) < stored(&plenty) && !tight.iter().any(|chunk| chunk.plan.codec == Codec::Raw));
    assert!(only(&scarce, DENSE));
}

#[test]
fn an_unthrottled_producer_gets_what_the_workers_can_spare() {
    // In the long run at most; the first 300 ms, which is all that P3's dump takes, hardly less.
    for (workers, pace, most) in [(2, 1500, 0.5), (2, 2000, 0.7), (2, 3000, 0.85), (3, 3000, 0.7), (4, 3000, 0.5)] {
        for duration_ns in [300 * MS, 2 * SECOND] {
            let report = Sim { workers, pace_ns: steady(pace), duration_ns, ..Sim::default() }.run();
            assert!(report.stored() < most, "{workers} workers, {pace} MB/s: {}", report.stored());
            assert!(report.waited() < 0.01, "{workers} workers, {pace} MB/s: {}", report.waited());
        }
    }
}

#[test]
fn a_fixed_codec_stays_whatever_happens() {
    for row in TABLE {
        let pipe =
            Sim { choice: Choice::Fixed(row.example), pace_ns: bursty(3000), data: mixed(TEXT), ..Sim::default() };
        let family = row.example.family().unwrap_or(Family::Zstd);
        assert!(pipe.run().chunks.iter().all(|chunk| chunk.plan == Plan { codec: row.example, family }));
    }
}

#[test]
fn every_plan_fits_its_family() {
    let pipe = Sim {
        pace_ns: bursty(3000),
        data: mixed(PROGRAMS),
        disk_mb_s: 700.0,
        duration_ns: 8 * SECOND,
        ..Sim::default()
    };
    let fits = |plan: Plan| plan.codec.family().is_none_or(|family| family == plan.family);
    assert!(pipe.run().chunks.iter().all(|chunk| fits(chunk.plan)));
}
