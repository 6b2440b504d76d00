//! How much disk the ring may take, and how large its segments are.

use std::io;

use crate::store::{Space, Store};
use crate::sys::space::no_space;
use crate::units::human;

/// A segment is at least so long, in bytes, unless the disk is tiny.
const SEGMENT_BYTES_MIN: u64 = 16 << 20;
/// A segment is at most so long, in bytes.
const SEGMENT_BYTES_MAX: u64 = 1 << 30;
/// A segment is about this fraction of what is on disk: what is drained but not yet deleted stays under 2 %.
const SEGMENTS_PER_BACKLOG: u64 = 64;
/// A segment is at most this fraction of the limit or of the file system, so that a full disk drains in steps.
const SEGMENTS_PER_LIMIT_MIN: u64 = 16;
/// Once full, so much must be free again before spilling goes on, in bytes: or a disk that stays nearly full
/// would be filled in crumbs, a segment each.
const RESUME_BYTES: u64 = 4 << 20;

/// Most bytes that one write to disk is made of, unless a single block is longer.
const WRITE_BYTES_MAX: u64 = 1 << 20;
/// A write is at most this fraction of the limit, unless a single block is longer: what does not fit as a whole is not
/// written at all, and that is to be little of it.
const WRITES_PER_LIMIT_MIN: u64 = 8;

/// Bounds on the disk that a ring takes.
#[derive(Clone, Copy, Debug)]
pub struct DiskLimits {
    /// Most bytes on disk.
    pub max_disk_bytes: Option<u64>,
    /// How much of the file system stays free.
    pub min_free: Headroom,
    /// Most segment files open at once.
    pub segments_max: usize,
}

/// What to do when neither disk nor memory takes more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenFull {
    /// Let the producer wait.
    Block,
    /// End with an error.
    Fail,
    /// Throw away the oldest spilled chunks and go on.
    DropOldest,
    /// Throw away what the producer writes until there is room again.
    DropNew,
}

/// Room that the spill leaves free on its file system.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Headroom {
    /// So many bytes.
    Bytes(u64),
    /// So many percent of the file system, 0 to 100.
    Percent(f64),
}

impl Headroom {
    /// In bytes, on a file system of `total_bytes`.
    ///
    /// ```
    /// assert_eq!(spillpipe::ring::Headroom::Percent(5.0).bytes(1000), 50);
    /// ```
    #[must_use]
    pub fn bytes(self, total_bytes: u64) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes,
            #[expect(
                clippy::cast_precision_loss,
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a percentage of a disk needs no more than 53 bits"
            )]
            Self::Percent(percent) => (total_bytes as f64 * percent / 100.0) as u64,
        }
    }
}

/// Why no more can be spilled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FullReason {
    /// The file system is full, or a quota is used up.
    #[error("{0}")]
    System(io::Error),
    /// The limit on disk bytes is reached.
    #[error("the limit of {} on disk is reached", human(*limit_bytes))]
    MaxDisk {
        /// The limit.
        limit_bytes: u64,
    },
    /// The room that is to stay free is all that is left.
    #[error("only {} are free, and {} are to stay so", human(*free_bytes), human(*min_free_bytes))]
    MinFree {
        /// Bytes free.
        free_bytes: u64,
        /// Bytes to be left free.
        min_free_bytes: u64,
    },
    /// No more segment files can be open at once.
    #[error("{open} segment files are open, as many as may be")]
    Descriptors {
        /// Segment files open.
        open: usize,
    },
}

/// What the disk allows at this moment.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// Bytes that a segment should reach before the next is begun.
    pub segment_bytes: u64,
    /// Room left, as a fraction of the limit: 1 is plenty, 0 is full.
    pub fraction: f32,
}

impl DiskLimits {
    /// How much to gather for one write, in bytes.
    #[must_use]
    pub fn write_bytes(&self) -> u64 {
        self.max_disk_bytes.map_or(WRITE_BYTES_MAX, |limit| WRITE_BYTES_MAX.min(limit / WRITES_PER_LIMIT_MIN))
    }

    /// Whether `need_bytes` more may be written where `disk_bytes` are already; `resuming` asks for enough to make
    /// a fresh start worth while.
    ///
    /// # Errors
    /// The limit that stands against it.
    pub fn room(
        &self,
        store: &dyn Store,
        disk_bytes: u64,
        need_bytes: u64,
        resuming: bool,
    ) -> io::Result<Result<Room, FullReason>> {
        let space = store.space()?;
        let min_free_bytes = self.min_free.bytes(space.total_bytes);
        let limit_bytes = self.max_disk_bytes.unwrap_or(u64::MAX);
        let ceiling_bytes = limit_bytes.min(space.total_bytes);
        // No more than what is stored can come back: when that is little, it is others who have filled the disk.
        let fresh_start_bytes = RESUME_BYTES.min(ceiling_bytes / 8).min(disk_bytes);
        let need_bytes = if resuming { need_bytes.max(fresh_start_bytes) } else { need_bytes };
        if disk_bytes.saturating_add(need_bytes) > limit_bytes {
            return Ok(Err(FullReason::MaxDisk { limit_bytes }));
        }
        if space.free_bytes < min_free_bytes.saturating_add(need_bytes) {
            if min_free_bytes == 0 {
                return Ok(Err(FullReason::System(no_space())));
            }
            return Ok(Err(FullReason::MinFree { free_bytes: space.free_bytes, min_free_bytes }));
        }
        Ok(Ok(Room {
            segment_bytes: segment_bytes(disk_bytes, ceiling_bytes),
            fraction: fraction_left(space, disk_bytes, min_free_bytes, limit_bytes),
        }))
    }
}

/// How long the next segment should be.
fn segment_bytes(disk_bytes: u64, ceiling_bytes: u64) -> u64 {
    (disk_bytes / SEGMENTS_PER_BACKLOG)
        .clamp(SEGMENT_BYTES_MIN, SEGMENT_BYTES_MAX)
        .min(ceiling_bytes / SEGMENTS_PER_LIMIT_MIN)
}

#[expect(clippy::cast_precision_loss, reason = "a hint for the codec policy")]
fn fraction_left(space: Space, disk_bytes: u64, min_free_bytes: u64, limit_bytes: u64) -> f32 {
    let by_system = space.free_bytes.saturating_sub(min_free_bytes);
    let by_limit = limit_bytes - disk_bytes;
    let left = by_system.min(by_limit);
    (left as f32 / (left as f32 + disk_bytes as f32).max(1.0)).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Segments open when `backlog_bytes` have been written and nothing drained.
    fn segments(backlog_bytes: u64) -> usize {
        let (mut segments, mut disk_bytes) = (0, 0);
        while disk_bytes < backlog_bytes {
            disk_bytes += segment_bytes(disk_bytes, u64::MAX);
            segments += 1;
        }
        segments
    }

    #[test]
    fn a_large_backlog_needs_few_segments() {
        assert_eq!(segments(16 << 20), 1);
        assert!(segments(40 << 30) < 400, "{}", segments(40 << 30));
        assert!(segments(1 << 40) < 1400, "{}", segments(1 << 40));
    }

    #[test]
    fn a_small_limit_makes_small_segments() {
        assert_eq!(segment_bytes(0, 64 << 20), 4 << 20);
        assert_eq!(segment_bytes(0, u64::MAX), 16 << 20);
        assert_eq!(segment_bytes(1 << 50, u64::MAX), 1 << 30);
    }
}
