//! The rules that the parent module explains.

use super::measure::{Reserve, Spacing, Yield};
use super::{Load, Outcome, Plan};
use crate::codec::{Codec, ZstdLevel};
use crate::format::{CodecId, Family};

/// Storage is tight, then scarce: mean fill of the queue in front of the disk, and room left on it. A disk that is the
/// limit keeps that queue full; a chunk that held up those behind it only fills it for a moment.
const SPILL_TIGHT: f32 = 0.75;
const SPILL_SCARCE: f32 = 0.9;
/// Weight of the latest chunk in that mean.
const SPILL_WEIGHT: f32 = 1.0 / 32.0;
const ROOM_TIGHT: f32 = 0.25;
const ROOM_SCARCE: f32 = 0.125;

/// Spacing of tries at incompressible data. A streak so long is rare (1 in 100,000) where 3 chunks in 10 compress.
const CHAFF_STREAK: u32 = 32;
const CHAFF_STEP: u32 = 2;
const CHAFF_GAP_MAX: u32 = 64;

/// A rung is left when the bucket is full. Every chunk gone raw fills it by the rung's weight, every other drains it by
/// one: so a weight of `w` bears one raw chunk in `w + 1`, and the size bears a burst or a hiccup.
const STRAIN_MAX: u32 = 256;
const STRAIN_DENSE: u32 = 42;
const STRAIN_FAST: u32 = 6;

/// Compressing is quick from so many bytes a nanosecond on: 3 GB/s, more than nearly all producers write.
const QUICK_BYTES_PER_NS: u64 = 3;

/// Chunks without pressure before a heavier rung is tried.
const PATIENCE_MIN: u32 = 32;
const PATIENCE_MAX: u32 = 512;

/// Raw KiB between two changes of family, at first (16 MiB, the first segment) and when one follows the other: whatever
/// the signals do and however small the chunks are, there are few segments.
const FAMILY_DWELL_KIB_MIN: u32 = 16 << 10;
const FAMILY_DWELL_KIB_MAX: u32 = 128 << 10;
/// Raw KiB after which the other family's figures no longer count.
const FAMILY_FORGET_KIB: u32 = 1 << 20;
/// The other family must save this many times as much per nanosecond. Less is noise.
const FAMILY_MARGIN: f32 = 1.125;

const _: () = assert!(SPILL_TIGHT < SPILL_SCARCE && ROOM_SCARCE < ROOM_TIGHT);
const _: () = assert!(STRAIN_MAX > 4 * STRAIN_DENSE, "a few raw chunks are no trend");
const _: () = assert!(FAMILY_FORGET_KIB > 2 * FAMILY_DWELL_KIB_MAX);

/// The ladder above raw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Rung {
    Lz4,
    /// zstd:1
    Fast,
    /// zstd:3
    #[default]
    Dense,
}

impl Rung {
    fn codec(self) -> Codec {
        match self {
            Self::Lz4 => Codec::Lz4,
            Self::Fast => Codec::Zstd(ZstdLevel::FASTEST),
            Self::Dense => Codec::Zstd(ZstdLevel::DEFAULT),
        }
    }

    fn family(self) -> Family {
        if self == Self::Lz4 { Family::Lz4 } else { Family::Zstd }
    }

    fn lightest_of_family(self) -> Self {
        if self == Self::Lz4 { Self::Lz4 } else { Self::Fast }
    }

    fn heaviest_of_family(self) -> Self {
        if self == Self::Lz4 { Self::Lz4 } else { Self::Dense }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Storage {
    Plenty,
    Tight,
    Scarce,
}

impl Storage {
    fn of(spill_queue: f32, disk_room: f32) -> Self {
        if spill_queue >= SPILL_SCARCE || disk_room <= ROOM_SCARCE {
            Self::Scarce
        } else if spill_queue >= SPILL_TIGHT || disk_room <= ROOM_TIGHT {
            Self::Tight
        } else {
            Self::Plenty
        }
    }
}

#[derive(Debug)]
pub(super) struct Auto {
    rung: Rung,
    /// Fill of the bucket that takes the rung down.
    strain: u32,
    /// Chunks in a row without pressure, and how many it takes to climb.
    calm: u32,
    patience: u32,
    /// Chunks since the last climb.
    since_climb: u32,
    /// Raw KiB a chunk, since the last change of family, and how many it takes to the next.
    chunk_kib: u32,
    since_family_kib: u32,
    family_dwell_kib: u32,
    /// Mean fill of the queue in front of the disk.
    spill_queue: f32,
    /// Room that a chunk needs to be compressed.
    reserve: Reserve,
    /// Spacing of tries at data that does not compress, and how many did not in a row.
    chaff: Spacing,
    chaff_streak: u32,
    lz4: Yield,
    zstd: Yield,
    /// The last chunk that was compressed took hardly longer than a raw one does.
    quick: bool,
}

impl Auto {
    pub(super) fn new(chunk_bytes: usize) -> Self {
        let chunk_kib = u32::try_from(chunk_bytes >> 10).unwrap_or(u32::MAX);
        Self {
            rung: Rung::default(),
            strain: 0,
            calm: 0,
            patience: PATIENCE_MIN,
            since_climb: u32::MAX,
            chunk_kib,
            since_family_kib: u32::MAX,
            family_dwell_kib: FAMILY_DWELL_KIB_MIN,
            spill_queue: 0.0,
            reserve: Reserve::default(),
            chaff: Spacing::default(),
            chaff_streak: 0,
            lz4: Yield::default(),
            zstd: Yield::default(),
            quick: false,
        }
    }

    pub(super) fn choose(&mut self, load: Load) -> Plan {
        self.since_climb = self.since_climb.saturating_add(1);
        self.since_family_kib = self.since_family_kib.saturating_add(self.chunk_kib);
        self.spill_queue += (load.spill_queue - self.spill_queue) * SPILL_WEIGHT;
        let storage = Storage::of(self.spill_queue, load.disk_room);
        if storage == Storage::Plenty {
            self.reserve.watch(load);
        } else {
            self.reserve.end_trial();
            self.strain = 0;
        }
        let codec = self.codec(self.reserve.is_left(load.queue_room), storage);
        Plan { codec, family: self.rung.family() }
    }

    fn codec(&mut self, has_room: bool, storage: Storage) -> Codec {
        if storage == Storage::Scarce && self.rung == Rung::Lz4 {
            self.change_family(Rung::Fast);
        }
        self.chaff.tick();
        if !self.chaff.is_due() {
            return Codec::Raw;
        }
        let rung = match storage {
            Storage::Scarce => self.rung.heaviest_of_family(),
            Storage::Tight if !has_room => self.rung.lightest_of_family(),
            Storage::Tight => self.rung,
            Storage::Plenty if !has_room && self.quick => self.rung,
            Storage::Plenty if !has_room => {
                self.strained();
                return Codec::Raw;
            }
            Storage::Plenty => {
                self.reserve.rely();
                self.eased();
                self.rung
            }
        };
        self.chaff.restart();
        rung.codec()
    }

    /// A chunk goes raw that would better have been compressed.
    fn strained(&mut self) {
        self.calm = 0;
        let weight = if self.rung == Rung::Dense { STRAIN_DENSE } else { STRAIN_FAST };
        self.strain = (self.strain + weight).min(STRAIN_MAX);
        if self.strain < STRAIN_MAX {
            return;
        }
        match self.rung {
            Rung::Dense => self.step_down(Rung::Fast),
            Rung::Fast => {
                if self.pays(self.lz4, self.zstd) && self.change_family(Rung::Lz4) {
                    self.step_down(Rung::Lz4);
                }
            }
            Rung::Lz4 => {
                if self.pays(self.zstd, self.lz4) {
                    self.change_family(Rung::Fast);
                }
            }
        }
    }

    /// A chunk is compressed without pressure.
    fn eased(&mut self) {
        self.strain = self.strain.saturating_sub(1);
        self.calm += 1;
        if self.calm < self.patience {
            return;
        }
        let climbed = match self.rung {
            Rung::Lz4 => self.change_family(Rung::Fast),
            Rung::Fast => {
                self.rung = Rung::Dense;
                true
            }
            Rung::Dense => false,
        };
        self.calm = 0;
        if climbed {
            (self.strain, self.since_climb) = (0, 0);
        }
    }

    fn step_down(&mut self, rung: Rung) {
        let failed = self.since_climb <= PATIENCE_MAX;
        self.patience = if failed { (self.patience * 2).min(PATIENCE_MAX) } else { PATIENCE_MIN };
        (self.rung, self.strain) = (rung, 0);
    }

    /// Whether it could be done: not before its time.
    fn change_family(&mut self, rung: Rung) -> bool {
        let may = self.since_family_kib >= self.family_dwell_kib;
        if may {
            let soon = self.since_family_kib < 2 * FAMILY_DWELL_KIB_MAX;
            let longer = (self.family_dwell_kib * 2).min(FAMILY_DWELL_KIB_MAX);
            self.family_dwell_kib = if soon { longer } else { FAMILY_DWELL_KIB_MIN };
            (self.rung, self.since_family_kib, self.strain) = (rung, 0, 0);
        }
        may
    }

    /// Whether the other family promises more than the present one. What is not known, or no longer, is worth a try.
    fn pays(&self, other: Yield, present: Yield) -> bool {
        let unknown = other.saved_per_ns().is_none() || self.since_family_kib >= FAMILY_FORGET_KIB;
        match present.saved_per_ns() {
            None => false,
            Some(_) if unknown => true,
            Some(present) => other.saved_per_ns().is_some_and(|other| other > present * FAMILY_MARGIN),
        }
    }

    pub(super) fn observe(&mut self, outcome: &Outcome) {
        match outcome.plan.codec {
            Codec::Raw => return,
            Codec::Lz4 => self.lz4.add(outcome),
            Codec::Zstd(ZstdLevel::FASTEST) => self.zstd.add(outcome),
            Codec::Zstd(_) => {}
        }
        let quick_ns = u64::from(outcome.raw_len) / QUICK_BYTES_PER_NS;
        self.quick = outcome.stored != CodecId::Raw && outcome.cost_ns <= quick_ns;
        if outcome.stored != CodecId::Raw {
            self.chaff = Spacing::default();
            self.chaff_streak = 0;
            return;
        }
        self.chaff_streak = self.chaff_streak.saturating_add(1);
        if self.chaff_streak >= CHAFF_STREAK {
            self.chaff.widen(CHAFF_STEP, CHAFF_GAP_MAX);
            if self.rung == Rung::Lz4 && self.change_family(Rung::Fast) {
                self.chaff = Spacing::default();
                self.chaff_streak = 0;
            }
        }
    }
}
